//! What is kept outside the agent: databases, repositories, files that belong together,
//! as they were found at one moment.

use quietus_reports::{Code, Severity};
use std::collections::BTreeMap;

/// What was found at one moment, by whoever knows how to look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Why it may be that nothing was found at all: there is no file, it is no database, the
    /// command that tells it fails. At one moment that is a state like another; where it is so
    /// both before and after an undisturbed run, the run is inconclusive.
    pub unclear: Option<String>,
    /// The parts of it, each as text: a table, a branch, a file. They are compared all
    /// together. None where it cannot be told, which a trouble then explains.
    pub items: Option<BTreeMap<String, String>>,
    /// What is wrong with it, whatever it holds.
    pub troubles: Vec<Trouble>,
}

/// Something that is wrong by itself, unless an undisturbed run leaves it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a lock, a session, a file. The same in every run.
    pub subject: String,
    /// What is wrong, in one line.
    pub title: String,
    /// Facts that show it.
    pub evidence: Vec<String>,
}

/// One look at one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which state.
    pub name: String,
    /// What was found, or why that cannot be told.
    pub state: Result<State, String>,
}

impl State {
    /// A state of these parts, with nothing wrong.
    pub fn of(items: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { items: Some(items.into_iter().collect()), ..Self::default() }
    }

    /// This may be no state at all, and why: `is nowhere`.
    #[must_use]
    pub fn because(self, unclear: impl Into<String>) -> Self {
        Self { unclear: Some(unclear.into()), ..self }
    }

    /// Nothing is there.
    pub fn absent() -> Self {
        Self::of([]).because("is nowhere")
    }
}

impl Trouble {
    /// Something wrong, as bad as its code says.
    pub fn new(code: Code, subject: impl Into<String>, title: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), subject: subject.into(), title: title.into(), evidence: Vec::new() }
    }

    /// With a fact that shows it.
    #[must_use]
    pub fn with(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(fact.into());
        self
    }

    /// As bad as this instead.
    #[must_use]
    pub fn at(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
