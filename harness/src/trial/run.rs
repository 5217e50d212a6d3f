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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Interrupt, MockDriver, Recovery};
    use crate::model::{Act, Ended, Recovered, Signal, Stdin, TrialPlan};

    const TERM: Event = Event::LeaderEnded(Ended::Signaled(Signal::TERM));
    const WELL: Event = Event::LeaderEnded(Ended::Exited(0));

    fn plan(at: Option<&str>) -> TrialPlan {
        let act =
            |at: &str| Act { at: vec![at.parse().expect("a point")], send: "TERM".parse().expect("an injection") };
        TrialPlan {
            acts: at.map(act).into_iter().collect(),
            grace: Duration::from_secs(5),
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: crate::model::Noise::NONE,
        }
    }

    /// How a trial ends, and how far its second start comes, after these events.
    fn run_over(events: Vec<Event>, second: TrialPlan) -> (Outcome, Option<Came>) {
        let driver = MockDriver::new(move |_| {
            let recovered = Recovered { came: Came::Lost("not run".to_owned()), evidence: Evidence::default() };
            (events.clone(), Evidence { recovered: Some(Box::new(recovered)), ..Evidence::default() })
        });
        let second_long = Duration::from_secs(9);
        let request = Request {
            command: vec!["agent".into()],
            environment: Vec::new(),
            directory: "/".into(),
            prepare: Vec::new(),
            services: Vec::new(),
            plan: plan(Some("start")),
            keep: Vec::new(),
            record: false,
            states: Vec::new(),
            recovery: Some(Recovery { command: vec!["agent".into()], plan: second, within: second_long }),
            interrupt: Interrupt::new().expect("an event"),
        };
        let limits = Limits {
            reach: Duration::from_secs(1),
            settle: Duration::from_secs(2),
            settle_rounds: 2,
            linger: Duration::ZERO,
            horizon: Duration::from_secs(4),
            horizon_rounds: 5,
            serves_after: 2,
        };
        let record = run_trial(&driver, &request, limits).expect("the mock never fails");
        (record.outcome, record.evidence.recovered.map(|recovered| recovered.came))
    }

    #[test]
    fn a_second_start_follows_a_trial_that_is_over() {
        let first = [Event::Started, TERM, Event::Quiet];
        let then = |second: &[Event]| first.iter().chain(second).cloned().collect::<Vec<_>>();
        let horizon = Event::Timer(crate::driver::Timer::Horizon);
        let cases = [
            (vec![Event::Started, WELL, Event::Quiet], plan(None), Came::Through),
            // It may not be granted its time again, as a control is.
            (vec![Event::Started, horizon], plan(None), Came::NotInTime),
            (vec![Event::Started, WELL], plan(Some("idle")), Came::EndedEarly),
            (vec![Event::Started, Event::Reached(0), TERM, Event::Quiet], plan(Some("idle")), Came::Through),
            (vec![Event::Lost("gone".to_owned())], plan(None), Came::Lost("gone".to_owned())),
        ];
        for (second, plan, came) in cases {
            assert_eq!(run_over(then(&second), plan), (Outcome::Ended, Some(came)), "{second:?}");
        }
    }

    #[test]
    fn an_interrupt_of_the_second_start_is_one_of_the_trial() {
        let events = vec![Event::Started, TERM, Event::Quiet, Event::Started, Event::Interrupted];
        assert_eq!(run_over(events, plan(None)).0, Outcome::Interrupted);
    }

    #[test]
    fn where_nothing_was_terminated_there_is_no_second_start() {
        let lost = vec![Event::Started, Event::Lost("gone".to_owned())];
        assert_eq!(run_over(lost, plan(None)), (Outcome::Lost("gone".to_owned()), None));
    }
}
