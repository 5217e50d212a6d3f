//! What the scenario says about this agent, as the audit needs it.

use crate::model::{Ended, FileNode, Pattern, ProcessRecord, Signal, Step, TrialPlan};
use crate::scenario::{ExpectedExit, Kind, StateEnd, Survivor};
use globset::GlobBuilder;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the scenario says about this agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Whether it ends by itself, serves, or ends with its input.
    pub kind: Kind,
    /// What may stay.
    pub survivors: Vec<Survivor>,
    /// The exits that were declared right, if any were.
    pub exit: Option<Vec<ExpectedExit>>,
    /// How soon it must end.
    pub within: Option<Duration>,
    /// Lines that its cleanup must write, one after the other.
    pub log: Vec<Pattern>,
    /// Finds the lines in which it says what it has released.
    pub released: Option<Pattern>,
    /// How each state must be found in the end, by its name.
    pub states: BTreeMap<String, StateEnd>,
}

fn matches(pattern: &str, text: &str, separator: bool) -> bool {
    // Patterns were checked when the scenario was read.
    GlobBuilder::new(pattern)
        .literal_separator(separator)
        .build()
        .is_ok_and(|glob| glob.compile_matcher().is_match(text))
}

impl Rules {
    /// An agent of this kind, of which nothing else is said.
    pub fn of_kind(kind: Kind) -> Self {
        Self {
            kind,
            survivors: Vec::new(),
            exit: None,
            within: None,
            log: Vec::new(),
            released: None,
            states: BTreeMap::new(),
        }
    }

    /// How this state must be found in the end.
    pub(super) fn end_of(&self, name: &str) -> StateEnd {
        self.states.get(name).copied().unwrap_or_default()
    }

    /// Whether this process was declared to stay.
    pub(super) fn may_stay(&self, process: &ProcessRecord) -> bool {
        self.survivors.iter().filter_map(|survivor| survivor.process.as_deref()).any(|pattern| {
            if pattern.contains(' ') {
                return matches(pattern, &process.command(), false);
            }
            let program = process.argv.first().map(|word| word.rsplit('/').next().unwrap_or(word));
            matches(pattern, &process.name, false) || program.is_some_and(|program| matches(pattern, program, false))
        })
    }

    /// Whether this port was declared to stay open.
    pub(super) fn may_listen(&self, port: u16) -> bool {
        self.survivors.iter().any(|survivor| survivor.port == Some(port))
    }

    /// Whether this file was declared to stay, in any state. A relative pattern
    /// starts at the agent's directory, and may match a directory above the file.
    pub(super) fn may_remain(&self, path: &str, directory: &str, _node: &FileNode) -> bool {
        self.may_remain_at(path, directory)
    }

    /// The same, for what may be nowhere by now.
    pub(super) fn may_remain_at(&self, path: &str, directory: &str) -> bool {
        self.survivors.iter().filter_map(|survivor| survivor.file.as_deref()).any(|pattern| {
            let absolute = if pattern.starts_with('/') {
                pattern.to_owned()
            } else {
                format!("{}/{pattern}", directory.trim_end_matches('/'))
            };
            let mut above = Some(path);
            while let Some(part) = above.filter(|part| !part.is_empty()) {
                if matches(&absolute, part, true) {
                    return true;
                }
                above = part.rsplit_once('/').map(|(head, _)| head);
            }
            false
        })
    }
}

/// Whether an agent may end like this after what was sent: by the signal, with
/// 128 + its number, with 0, or as the control does. HUP may also give 1, which
/// is what most programs exit with when their terminal is gone. Input that ends
/// and parents that die leave the status to the agent.
pub fn allowed_exit(plan: &TrialPlan, ended: Ended, control: Option<Ended>, declared: Option<&[ExpectedExit]>) -> bool {
    if let Some(declared) = declared {
        return declared.iter().any(|expected| expected.is(ended));
    }
    if control == Some(ended) || ended == Ended::Exited(0) {
        return true;
    }
    let mut steps = plan.acts.iter().flat_map(|act| act.send.steps());
    steps.any(|step| match step {
        Step::Signal(Signal::KILL, _) => ended == Ended::Signaled(Signal::KILL),
        Step::Signal(signal, _) => {
            ended == Ended::Signaled(*signal)
                || ended == Ended::Exited(signal.shell_status())
                || (*signal == Signal::HUP && ended == Ended::Exited(1))
        }
        Step::StdinEof | Step::ParentDeath | Step::PtyHangup | Step::Stall(_) => match ended {
            Ended::Exited(_) => true,
            Ended::Signaled(signal) => !signal.is_crash(),
        },
        Step::Wait(_) | Step::Delay(_) | Step::Fault(_) => false,
    })
}
