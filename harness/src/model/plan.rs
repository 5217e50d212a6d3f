//! One trial as it is planned: points, what is done at each, and how it ends.

use super::{Injection, Noise, Point, PointSpec, Step};
use std::fmt;
use std::time::Duration;

/// One pair of a plan: reach these points in order, then inject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Act {
    /// Reached one after the other. May be empty only after another act.
    pub at: Vec<PointSpec>,
    /// What is done then.
    pub send: Injection,
}

/// What the agent's standard input is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Stdin {
    /// At its end from the start (`/dev/null`).
    #[default]
    Closed,
    /// A pipe that stays open and is never written.
    Open,
    /// A pipe with this text.
    Text {
        /// What the agent can read.
        text: String,
        /// What follows the text.
        then: StdinThen,
    },
    /// A file, read from its start. The path is the agent's.
    File(String),
}

/// What follows the text on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StdinThen {
    /// The end of the input.
    Closed,
    /// Nothing: the pipe stays open.
    Open,
}

/// One trial as it is planned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrialPlan {
    /// Points and injections in order. Empty for a control.
    pub acts: Vec<Act>,
    /// From the last injection to the KILL.
    pub grace: Duration,
    /// The agent's standard input.
    pub stdin: Stdin,
    /// Whether the agent has a terminal.
    pub pty: bool,
    /// Whether the agent is PID 1.
    pub pid1: bool,
    /// What disturbs its timing.
    pub noise: Noise,
}

impl TrialPlan {
    /// Whether it does something that is meant to end the agent: not only calls that fail,
    /// services that do not answer, and delays.
    pub fn terminates(&self) -> bool {
        self.acts.iter().flat_map(|act| act.send.steps()).any(Step::ends)
    }

    /// Whether only a driver that sees system calls can make it.
    pub fn is_of_calls(&self) -> bool {
        let at_call = self.acts.iter().flat_map(|act| &act.at).any(|spec| matches!(spec.point, Point::Syscall(_)));
        let to_call = |step: &Step| matches!(step, Step::Fault(_) | Step::Delay(_));
        at_call || self.acts.iter().flat_map(|act| act.send.steps()).any(to_call)
    }

    /// The points of the first act, as text: where the trial terminates the agent.
    pub fn point_text(&self) -> String {
        let acts: Vec<String> =
            self.acts.iter().map(|act| joined(&act.at, " then ")).filter(|text| !text.is_empty()).collect();
        acts.join(", then ")
    }

    /// The injections, and what disturbs the agent, as text.
    pub fn injection_text(&self) -> String {
        let sent = joined(&self.acts.iter().map(|act| &act.send).collect::<Vec<_>>(), " … ");
        if self.noise.is_some() { format!("{sent} {}", self.noise) } else { sent }
    }
}

fn joined<T: fmt::Display>(items: &[T], between: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}
