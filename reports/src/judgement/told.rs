//! A judgement for a person at a terminal.

use std::fmt::Write as _;

use super::Judgement;
use crate::compared::Known;
use crate::escape::escape_terminal;
use crate::model::{Finding, Verdict};

impl Judgement {
    /// The judgement as text, ended by a newline: what fails first, the verdict last.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = String::new();
        for (scenario, finding) in &self.failing {
            text.push_str(&failing(scenario, finding, self.compared.is_some()));
        }
        for reason in &self.reasons {
            let _infallible = writeln!(text, "fails: {reason}");
        }
        for warning in &self.warnings {
            let _infallible = writeln!(text, "warning: {warning}");
        }
        if let Some(compared) = &self.compared {
            for known in &compared.fixed {
                let _infallible = writeln!(text, "fixed: {}", one_line(known));
            }
        }
        text.push_str(&self.headline());
        text.push('\n');
        text
    }

    /// What it comes to, in one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let counts = self.compared.as_ref().map(|compared| {
            format!(": {} new, {} known, {} fixed", compared.new.len(), compared.known.len(), compared.fixed.len())
        });
        let word = match self.verdict {
            Verdict::Clean => "the gate passes",
            Verdict::Findings => "the gate fails",
            Verdict::Inconclusive => "the gate is inconclusive: not everything could be judged",
        };
        format!("{word}{}", counts.unwrap_or_default())
    }
}

fn one_line(known: &Known) -> String {
    format!("{}: {} in {}", known.code, escape_terminal(&known.title), escape_terminal(&known.scenario))
}

fn failing(scenario: &str, finding: &Finding, compared: bool) -> String {
    let new = if compared { "new " } else { "" };
    let mut text = format!("{new}{}[{}] in {}\n", finding.severity, finding.code, escape_terminal(scenario));
    let mut line = |name: &str, value: &str| {
        let _infallible = writeln!(text, "  {name:<10} {}", escape_terminal(value));
    };
    line("title", &finding.title);
    if let Some(place) = finding.origin.as_ref().and_then(|origin| origin.line.as_ref()) {
        line("made at", place);
    }
    if let Some(cause) = &finding.cause {
        line("cause", cause);
    }
    if let Some(confirmed) = finding.confirmed {
        line("confirmed", &format!("{}/{}", confirmed.hits(), confirmed.runs()));
    }
    if !finding.replay.is_empty() {
        line("replay", &finding.replay);
    }
    text
}
