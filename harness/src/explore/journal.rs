//! What a run writes down as it goes on: a run that is killed can be told, and gone on with.
//!
//! A journal is lines of JSON. Each run has one `begin`, a `trial` for each that has ended, with
//! what it found, and an `end` with all that the run came to. A last line that was cut off is no
//! error: its trial counts as not made. Pure.

use super::gather::Gatherer;
use super::plan::Planned;
use crate::audit::Found;
use crate::model::Token;
use quietus_reports::{Doubt, Format, Gate, Report, Run, Totals, Trial, Windows};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Entry<'a> {
    /// A run begins.
    Begin {
        /// What was run, by the content of its scenario file; none for a bare command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The report so far, without runs.
        report: Cow<'a, Report>,
        /// The run so far, without trials.
        run: Cow<'a, Run>,
        /// The command line that replays a token, up to the token and after it.
        replay: (String, String),
    },
    /// A trial has ended.
    Trial {
        /// The trial.
        trial: Cow<'a, Trial>,
        /// What it found.
        #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
        found: Cow<'a, [Found]>,
    },
    /// A run is over.
    End {
        /// All of it.
        run: Cow<'a, Run>,
    },
}

/// A run as a journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Journaled {
    /// What was run; none for a bare command.
    pub key: Option<String>,
    /// The report in which it stood, without runs.
    pub report: Report,
    /// The run: whole, or without trials and findings.
    pub run: Run,
    /// The command line that replays a token, up to the token and after it.
    pub replay: (String, String),
    /// The trials that had ended, where the run is not over.
    pub trials: Vec<(Trial, Vec<Found>)>,
    /// Whether it is over.
    pub is_over: bool,
}

/// A text is no journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not one of a journal: {why}")]
pub struct JournalError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Reads a journal.
///
/// # Errors
/// A line that is none, other than a last one that was cut off.
pub fn read_journal(text: &str) -> Result<Vec<Journaled>, JournalError> {
    let mut runs: Vec<Journaled> = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let is_whole = line.ends_with('\n');
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |why: String| JournalError { line: index + 1, why: quietus_reports::escape::escape_terminal(&why) };
        match serde_json::from_str::<Entry<'static>>(line) {
            Ok(Entry::Begin { key, report, run, replay }) => {
                if report.format != Format::CURRENT {
                    return Err(wrong(format!(
                        "it is of format {}, and this version reads {}",
                        report.format,
                        Format::CURRENT
                    )));
                }
                let (report, run) = (report.into_owned(), run.into_owned());
                // One that goes on with another stands last, with all that was done before.
                let before = runs.iter().position(|known| key.is_some() && known.key == key);
                let trials = before.map(|place| runs.remove(place).trials).unwrap_or_default();
                runs.push(Journaled { key, report, run, replay, trials, is_over: false });
            }
            Ok(Entry::Trial { trial, found }) => {
                let run = runs.last_mut().filter(|run| !run.is_over);
                let run = run.ok_or_else(|| wrong("a trial outside of a run".to_owned()))?;
                let trial = trial.into_owned();
                // What is taken over from before is written down again.
                run.trials.retain(|(known, _)| (known.index, &known.token) != (trial.index, &trial.token));
                run.trials.push((trial, found.into_owned()));
            }
            Ok(Entry::End { run }) => {
                let open = runs.last_mut().filter(|run| !run.is_over);
                let open = open.ok_or_else(|| wrong("an end without a beginning".to_owned()))?;
                (open.run, open.is_over) = (run.into_owned(), true);
                open.trials.clear();
            }
            Err(_) if !is_whole => break,
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
    Ok(runs)
}

impl Journaled {
    /// The run, as far as it came. One that is not over is inconclusive where nothing was found,
    /// and what was found in it was not confirmed.
    pub fn so_far(self) -> Run {
        if self.is_over {
            return self.run;
        }
        let mut gatherer = Gatherer::default();
        let mut trials = Vec::new();
        let mut shown: Vec<Vec<usize>> = Vec::new();
        for (trial, found) in self.trials {
            let indices = trial.token.parse::<Token>().map(|Token(plan)| {
                let planned = Planned { label: trial.label.clone(), plan, informational: trial.informational };
                gatherer.trial(&planned, found)
            });
            shown.push(indices.unwrap_or_default());
            trials.push(trial);
        }
        for (trial, indices) in trials.iter_mut().zip(&shown) {
            trial.findings = indices.iter().filter_map(|index| gatherer.fingerprint(*index)).collect();
        }
        trials.sort_by_key(|trial| trial.index);
        let judged = trials.iter().filter(|trial| trial.outcome.reached()).count();
        let judged = u32::try_from(judged).unwrap_or(u32::MAX);
        let replay = |token: &Token| format!("{}{token}{}", self.replay.0, self.replay.1);
        let findings = gatherer.finish(judged, &[], "", &replay);
        let mut run = Run { trials, findings, ..self.run };
        run.windows = run.map.as_ref().map(|map| Windows::of(map, &run.trials));
        run.notes.push(format!(
            "the run was broken off after {} trials: what was found was not run again",
            run.trials.len()
        ));
        run.doubt = Some(Doubt::BrokenOff);
        run.verdict = Gate::default().judge_run(&run);
        run
    }
}

/// The report of a journal; none where no run had begun.
pub fn journaled_report(runs: Vec<Journaled>) -> Option<Report> {
    let mut report = runs.first()?.report.clone();
    report.runs = runs.into_iter().map(Journaled::so_far).collect();
    report.totals = Totals::of(&report.runs);
    report.verdict = Gate::default().judge(&report.runs);
    Some(report)
}

#[cfg(test)]
mod tests;
