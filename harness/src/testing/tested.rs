//! What testing an agent has come to: data, text, and whether the test may pass.

use crate::explore::report;
use quietus_reports::redact::plain;
use quietus_reports::{Guarantee, HumanOptions, Report, Run, Verdict, render_human};
use std::fmt;
use std::path::Path;

/// What was found in an agent.
#[derive(Debug, Clone)]
pub struct Tested {
    report: Report,
    /// The directory from which paths are told in snapshots; empty if there is none.
    workspace: String,
}

impl Tested {
    pub(super) fn new(run: Run, guarantee: Guarantee) -> Self {
        Self { report: report(vec![run], guarantee, &jiff::Zoned::now()), workspace: String::new() }
    }

    /// Tells paths as seen from this directory, where they are to be the same on each machine.
    pub(super) fn seen_from(mut self, workspace: &Path) -> Self {
        self.workspace = workspace.to_string_lossy().into_owned();
        self
    }

    /// All of it, as the data of a JSON report.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The run: its trials and findings.
    ///
    /// # Panics
    /// Never: there is one run.
    #[must_use]
    pub fn run(&self) -> &Run {
        self.report.runs.first().expect("a test is one run")
    }

    /// Whether nothing was found that fails a test, and enough was tried to say so.
    /// Warnings and notes fail none.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.report.verdict == Verdict::Clean
    }

    /// The findings without what is different in another run or on another machine: for
    /// snapshots.
    ///
    /// ```text
    /// findings
    /// error temp-file: the file answer.tmp is left behind in the directory of the trial
    /// ```
    #[must_use]
    pub fn summary(&self) -> String {
        let verdict = match self.report.verdict {
            Verdict::Clean => "clean",
            Verdict::Findings => "findings",
            _ => "inconclusive",
        };
        let findings = self.run().findings.iter().map(|finding| {
            let severity = format!("{:?}", finding.severity).to_lowercase();
            format!("{severity} {}: {}\n", finding.code, plain(&finding.title, &self.workspace))
        });
        let mut lines: Vec<String> = findings.collect();
        lines.sort();
        lines.dedup();
        format!("{verdict}\n{}", lines.concat())
    }

    /// The report as data without what is different in another run or on another machine: for
    /// snapshots too. See [`Report::redacted`].
    #[must_use]
    pub fn redacted(&self) -> Report {
        self.report.redacted(&self.workspace)
    }

    /// Fails the test with everything that was found, unless it is clean.
    ///
    /// # Panics
    /// When something was found that fails a test, and when too little could be tried.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "\n{self}");
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render_human(&self.report, HumanOptions::default()))
    }
}
