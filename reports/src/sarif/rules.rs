//! The codes that occur in a report, as rules.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::code::Code;
use crate::explain;
use crate::model::{Report, Severity};

/// The rules of one log, in the order of [`Code::ALL`].
pub(super) struct Rules(Vec<Code>);

impl Rules {
    pub(super) fn of(report: &Report) -> Self {
        let used: BTreeSet<Code> = report.runs.iter().flat_map(|run| &run.findings).map(|it| it.code).collect();
        Self(Code::ALL.iter().copied().filter(|code| used.contains(code)).collect())
    }

    /// Where the rule of `code` stands; there is one for each finding of the report.
    pub(super) fn index(&self, code: Code) -> Option<usize> {
        self.0.iter().position(|rule| *rule == code)
    }

    pub(super) fn list(&self) -> Vec<Value> {
        self.0.iter().map(|code| rule(*code)).collect()
    }
}

fn rule(code: Code) -> Value {
    let help = explain(code);
    let (level, problem) = match code.severity() {
        Severity::Error => ("error", "error"),
        Severity::Warn => ("warning", "warning"),
        Severity::Note => ("note", "recommendation"),
    };
    json!({
        "id": code.as_str(),
        "shortDescription": { "text": capital(code.summary()) },
        "fullDescription": { "text": meaning(&help) },
        "help": { "text": help, "markdown": help },
        "defaultConfiguration": { "level": level },
        "properties": {
            "tags": ["termination", code.group().as_str()],
            "problem.severity": problem,
            "precision": "high",
        },
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// The part of an explanation that says what the code means, on one line.
fn meaning(help: &str) -> String {
    let section = help.split("## ").find_map(|section| section.strip_prefix("What it means\n")).unwrap_or(help);
    section.split_whitespace().collect::<Vec<_>>().join(" ")
}
