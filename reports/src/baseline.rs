//! The findings that a team knows: what a change is compared with.
//!
//! A baseline is a TOML file that people commit and read, or a whole report of an earlier
//! run. A finding is known by its scenario and its fingerprint.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::compared::{Compared, Known};
use crate::escape::escape_terminal;
use crate::json::from_json;
use crate::model::{Finding, Report, Run, Severity};
use crate::policy::PolicyError;

/// Findings that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// In the order of scenarios and fingerprints.
    pub known: Vec<Known>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Known>,
}

/// Whether a finding is one that a baseline holds: a team acts on it.
fn counts(finding: &Finding) -> bool {
    finding.severity > Severity::Note && finding.accepted.is_none() && !finding.is_not_reproduced()
}

fn known(run: &Run, finding: &Finding) -> Known {
    Known {
        scenario: run.scenario.clone(),
        fingerprint: finding.fingerprint.clone(),
        code: finding.code,
        title: finding.title.clone(),
    }
}

impl Baseline {
    /// What a report found: everything above a note that nothing accepts and that came again.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let all = report.runs.iter().flat_map(|run| {
            run.findings.iter().filter(|finding| counts(finding)).map(move |finding| known(run, finding))
        });
        let mut known: Vec<Known> = all.collect();
        known.sort_by(|a, b| (&a.scenario, &a.fingerprint).cmp(&(&b.scenario, &b.fingerprint)));
        known.dedup_by(|a, b| a.scenario == b.scenario && a.fingerprint == b.fingerprint);
        Self { known }
    }

    /// Reads a baseline, or takes that of a report.
    ///
    /// # Errors
    /// The text is neither; says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        if text.trim_start().starts_with('{') {
            return Ok(Self::of(&from_json(text)?));
        }
        let file: File = toml::from_str(text).map_err(|error| PolicyError::of(text, &error))?;
        Ok(Self { known: file.known })
    }

    /// The text of the file, which says itself what it is for. Ended by a newline.
    #[must_use]
    pub fn write(&self) -> String {
        let known = self.known.iter().map(|one| Known { title: escape_terminal(&one.title), ..one.clone() }).collect();
        let table = toml::to_string(&File { known })
            .expect("[quietus internal bug] a baseline has only tables of strings, which TOML can hold");
        format!(
            "# Findings that are known: `quietus gate --baseline` fails only on others.\n\
             # Written by `quietus report baseline REPORT`; what was mended may be taken out.\n\n{table}"
        )
    }

    /// What of a report is new, known and fixed.
    ///
    /// Fixed is only what a run of its scenario looked for and did not find: a scenario that was
    /// not run, or not judged, mends nothing.
    #[must_use]
    pub fn compare(&self, report: &Report) -> Compared {
        let found = Self::of(report);
        let names = |known: &'_ [Known]| -> BTreeSet<(String, String)> {
            known.iter().map(|one| (one.scenario.clone(), one.fingerprint.clone())).collect()
        };
        let (before, now) = (names(&self.known), names(&found.known));
        let is_in = |set: &BTreeSet<(String, String)>, one: &Known| {
            set.contains(&(one.scenario.clone(), one.fingerprint.clone()))
        };
        let looked = |one: &Known| report.runs.iter().any(|run| run.scenario == one.scenario && looked_at(run));
        // Seen and not seen again is not mended, and accepted is not gone.
        let anyhow = |one: &Known| {
            let mut runs = report.runs.iter().filter(|run| run.scenario == one.scenario);
            runs.any(|run| run.findings.iter().any(|finding| finding.fingerprint == one.fingerprint))
        };
        let (known, new): (Vec<Known>, Vec<Known>) = found.known.into_iter().partition(|one| is_in(&before, one));
        let gone = self.known.iter().filter(|one| !is_in(&now, one) && looked(one) && !anyhow(one));
        Compared { new, known, fixed: gone.cloned().collect() }
    }
}

/// Whether a run says of what it did not find that it is not there.
fn looked_at(run: &Run) -> bool {
    run.elsewhere == 0 && run.verdict != crate::model::Verdict::Inconclusive
}

/// A text is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub enum BaselineError {
    /// It is JSON, and no report.
    Report(#[from] crate::json::JsonError),
    /// It is no TOML of a baseline.
    File(#[from] PolicyError),
}

#[cfg(test)]
mod tests;
