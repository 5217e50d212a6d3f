//! A driver without processes: events from a script, for tests in milliseconds.

use super::{Action, Driver, DriverError, Event, Evidence, Request, Session};
use quietus_reports::{Guarantee, Level};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a trial of the mock sees, and what it ends with.
type Script = dyn Fn(&Request) -> (Vec<Event>, Evidence) + Send + Sync;

/// Answers every trial by a script of events.
#[derive(Clone)]
pub struct MockDriver {
    script: Arc<Script>,
    /// What the trials asked for, in order.
    pub actions: Arc<Mutex<Vec<Action>>>,
}

/// One scripted trial.
#[derive(Debug)]
pub struct MockSession {
    events: VecDeque<Event>,
    evidence: Evidence,
    actions: Arc<Mutex<Vec<Action>>>,
    ticks: u32,
    again: bool,
}

impl MockDriver {
    /// A driver whose trials see the events and end with the evidence that the
    /// function gives for them.
    pub fn new(script: impl Fn(&Request) -> (Vec<Event>, Evidence) + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), actions: Arc::default() }
    }
}

impl Driver for MockDriver {
    fn guarantee(&self) -> Guarantee {
        Guarantee { level: Level::Portable, mechanisms: vec!["mock".to_owned()], not_audited: Vec::new() }
    }

    fn open(&self, request: &Request) -> Result<Box<dyn Session>, DriverError> {
        let (events, evidence) = (self.script)(request);
        Ok(Box::new(MockSession {
            events: events.into(),
            evidence,
            actions: Arc::clone(&self.actions),
            ticks: 0,
            again: false,
        }))
    }
}

impl Session for MockSession {
    fn perform(&mut self, action: &Action) -> Result<(), DriverError> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner).push(action.clone());
        Ok(())
    }

    fn next_event(&mut self) -> Result<Event, DriverError> {
        self.ticks += 1;
        Ok(self.events.pop_front().unwrap_or_else(|| Event::Lost("the script of the mock is over".to_owned())))
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.ticks.into())
    }

    fn again(&mut self) -> Result<(), DriverError> {
        self.again = true;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Evidence, DriverError> {
        let mut evidence = self.evidence;
        // What the script gives as a recovery is what is seen if there is one.
        evidence.recovered = evidence.recovered.filter(|_| self.again);
        Ok(evidence)
    }
}
