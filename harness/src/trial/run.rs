//! The loop that lives by the table: asks the session for an event, asks the
//! table what follows, and has the session do it.

use super::machine::{Limits, Machine, Outcome, State};
use crate::driver::{Action, Driver, DriverError, Event, Evidence, Request};
use std::time::Duration;

/// One line of the timeline of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Since the start of the agent.
    pub at: Duration,
    /// What happened, or what was done about it.
    pub what: What,
}

/// What a line of the timeline says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Something happened.
    Happened(Event),
    /// Something was done.
    Did(Action),
}

/// One trial from start to end.
#[derive(Debug, Clone)]
pub struct TrialRecord {
    /// How it ended.
    pub outcome: Outcome,
    /// What it showed.
    pub evidence: Evidence,
    /// What happened and what was done, in order.
    pub timeline: Vec<Moment>,
    /// From the start of the agent to the end of the trial.
    pub duration: Duration,
}

/// Runs one trial.
///
/// # Errors
/// When the driver cannot make a place for it or fails itself. What an agent
/// does is never an error.
pub fn run_trial(driver: &dyn Driver, request: &Request, limits: Limits) -> Result<TrialRecord, DriverError> {
    let machine = Machine::new(&request.plan, limits);
    let mut session = driver.open(request)?;
    let mut timeline = Vec::new();
    let (mut state, mut actions) = machine.begin();
    loop {
        for action in actions.drain(..) {
            timeline.push(Moment { at: session.now(), what: What::Did(action.clone()) });
            session.perform(&action)?;
        }
        if let State::Done(outcome) = state {
            let duration = session.now();
            return Ok(TrialRecord { outcome, evidence: session.finish()?, timeline, duration });
        }
        let event = session.next_event()?;
        timeline.push(Moment { at: session.now(), what: What::Happened(event.clone()) });
        (state, actions) = match machine.step(&state, &event) {
            Ok(next) => next,
            Err(illegal) => (State::Done(Outcome::Lost(illegal.to_string())), Vec::new()),
        };
    }
}
