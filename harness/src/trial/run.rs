//! The loop that lives by the table: asks the session for an event, asks the
//! table what follows, and has the session do it.

use super::machine::{Limits, Machine, Outcome, State};
use crate::driver::{Action, Driver, DriverError, Event, Evidence, Request, Session};
use crate::model::Came;
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
    let mut session = driver.open(request)?;
    let mut timeline = Vec::new();
    let outcome = run(&mut *session, &Machine::new(&request.plan, limits), &mut timeline)?;
    let duration = session.now();
    let over = matches!(outcome, Outcome::Ended | Outcome::Killed);
    let Some(recovery) = request.recovery.as_ref().filter(|_| over) else {
        return Ok(TrialRecord { outcome, evidence: session.finish()?, timeline, duration });
    };
    session.again()?;
    let limits = Limits { reach: recovery.within, horizon: recovery.within, horizon_rounds: 0, ..limits };
    let second = run(&mut *session, &Machine::new(&recovery.plan, limits), &mut Vec::new())?;
    let mut evidence = session.finish()?;
    if let Some(recovered) = &mut evidence.recovered {
        recovered.came = came(&second);
    }
    let outcome = if second == Outcome::Interrupted { second } else { outcome };
    Ok(TrialRecord { outcome, evidence, timeline, duration })
}

/// How far an agent came that was started again, from how that went.
fn came(outcome: &Outcome) -> Came {
    match outcome {
        Outcome::Ended => Came::Through,
        Outcome::Killed => Came::WouldNotEnd,
        Outcome::Missed => Came::EndedEarly,
        Outcome::Unreached | Outcome::Busy => Came::NotInTime,
        Outcome::Idle { .. } => Came::Blocked,
        Outcome::Lost(why) => Came::Lost(why.clone()),
        Outcome::Interrupted => Came::Lost("interrupted".to_owned()),
    }
}

/// Runs the agent once, until the table says that it is over.
fn run(session: &mut dyn Session, machine: &Machine, timeline: &mut Vec<Moment>) -> Result<Outcome, DriverError> {
    let (mut state, mut actions) = machine.begin();
    loop {
        for action in actions.drain(..) {
            timeline.push(Moment { at: session.now(), what: What::Did(action.clone()) });
            session.perform(&action)?;
        }
        if let State::Done(outcome) = state {
            return Ok(outcome);
        }
        let event = session.next_event()?;
        timeline.push(Moment { at: session.now(), what: What::Happened(event.clone()) });
        (state, actions) = match machine.step(&state, &event) {
            Ok(next) => next,
            Err(illegal) => (State::Done(Outcome::Lost(illegal.to_string())), Vec::new()),
        };
    }
}
