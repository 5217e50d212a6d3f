//! The findings that a team knows: what a change is compared with.
//!
//! A baseline is a TOML file that people commit and read, or a whole report of an earlier
//! run. A finding is known by its scenario and its fingerprint.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Deserialize;

use crate::compared::{Compared, Known};
use crate::escape::is_hazard;
use crate::json::from_json;
use crate::judgement::is_judged;
use crate::model::{Finding, Report, Run, Severity};
use crate::policy::PolicyError;

/// Findings that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// In the order of scenarios and fingerprints.
    pub known: Vec<Known>,
}

#[derive(Deserialize)]
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
        // Some editors put a byte order mark in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(BaselineError::Empty);
        }
        if text.trim_start().starts_with('{') {
            return Ok(Self::of(&from_json(text)?));
        }
        let file: File = toml::from_str(text).map_err(|error| PolicyError::of(text, &error))?;
        Ok(Self { known: file.known })
    }

    /// The text of the file, which says itself what it is for. Ended by a newline.
    #[must_use]
    pub fn write(&self) -> String {
        let mut text = String::from(
            "# Findings that are known: `quietus gate --baseline` fails only on others.\n\
             # Written by `quietus report baseline REPORT`; what was mended may be taken out.\n",
        );
        for Known { scenario, fingerprint, code, title } in &self.known {
            let (scenario, fingerprint, title) = (quoted(scenario), quoted(fingerprint), quoted(title));
            let _infallible = write!(
                text,
                "\n[[known]]\nscenario = {scenario}\nfingerprint = {fingerprint}\ncode = \"{code}\"\ntitle = {title}\n"
            );
        }
        text
    }

    /// What of a report is new, known and fixed.
    ///
    /// Fixed is only what every run of its scenario looked for and did not find: a scenario that
    /// was not run, or not judged, mends nothing, and neither does a part of a run.
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
        let is_whole = report.shards.as_ref().is_none_or(|shards| shards.missing().is_empty());
        let mut looked: BTreeMap<&str, bool> = BTreeMap::new();
        for run in &report.runs {
            *looked.entry(&run.scenario).or_insert(is_whole) &= run.elsewhere == 0 && is_judged(run);
        }
        let looked = |one: &Known| looked.get(one.scenario.as_str()) == Some(&true);
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

/// A basic string of TOML. Written here, as people read the file in terminals and reviews: the
/// writers of TOML leave what reorders a line or cannot be seen as it is.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let _infallible = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            c if !is_hazard(c) => write!(out, "{c}"),
            c if u32::from(c) <= 0xffff => write!(out, "\\u{:04X}", u32::from(c)),
            c => write!(out, "\\U{:08X}", u32::from(c)),
        };
    }
    out.push('"');
    out
}

/// A text is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// There is nothing in it. A baseline that knows of nothing still says what it is.
    #[error("it is empty: it was not written whole")]
    Empty,
    /// It is JSON, and no report.
    #[error(transparent)]
    Report(#[from] crate::json::JsonError),
    /// It is no TOML of a baseline.
    #[error(transparent)]
    File(#[from] PolicyError),
}

#[cfg(test)]
mod tests;
