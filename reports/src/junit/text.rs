//! What stands in a JUnit file as text: what a person needs to act, bounded, and of
//! characters that XML 1.0 allows.

use std::fmt::Write as _;

use crate::escape::{escape_terminal, truncate_middle};
use crate::model::{Finding, Outcome, Run, Totals};
use crate::phrases;

/// A text of the agent is cut to so many characters.
pub(super) const LONGEST: usize = 2000;
/// More lines of evidence than this are left to the JSON report.
const MOST_EVIDENCE: usize = 20;
/// More points than this are counted, not named.
const MOST_POINTS: usize = 8;
/// More trials that could not be judged than this are counted, not told.
const MOST_TRIALS: usize = 20;

/// `text` as one line of characters that XML has, cut in its middle to what is read.
pub(super) fn one_line(text: &str) -> String {
    truncate_middle(&escape_terminal(text), LONGEST)
}

/// What is known of a finding, a line each.
pub(super) fn about(finding: &Finding) -> String {
    let mut out = String::new();
    let mut field = |label: &str, text: &str| line(&mut out, &format!("{label:<11}{text}"));
    field("subject", &finding.subject);
    if let Some(origin) = &finding.origin {
        field("origin", &phrases::origin(origin));
    }
    if let Some(life) = &finding.life {
        field("life", life);
    }
    if let Some(cause) = &finding.cause {
        field("cause", cause);
    }
    field("where", &phrases::seen_at(finding, MOST_POINTS));
    if let Some(confirmed) = finding.confirmed {
        field("confirmed", &phrases::confirmed(confirmed));
    }
    for (i, text) in finding.evidence.iter().take(MOST_EVIDENCE).enumerate() {
        field(if i == 0 { "evidence" } else { "" }, text);
    }
    if let Some(more) = finding.evidence.len().checked_sub(MOST_EVIDENCE).filter(|more| *more > 0) {
        field("", &format!("… {more} more in the JSON report"));
    }
    field("replay", &phrases::replay(finding, LONGEST));
    field("explain", &format!("quietus explain {}", finding.code));
    out
}

/// What a run comes to, what one has to know of it, and the trials that say nothing.
pub(super) fn whole(run: &Run) -> String {
    let mut out = String::new();
    line(&mut out, &phrases::sum(&Totals::of(std::slice::from_ref(run))));
    for note in &run.notes {
        line(&mut out, &format!("note: {note}"));
    }
    let not_judged = || run.trials.iter().filter(|trial| !trial.outcome.reached());
    for trial in not_judged().take(MOST_TRIALS) {
        let what = if trial.outcome == Outcome::Missed { "missed" } else { "inconclusive" };
        let why = trial.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
        line(&mut out, &format!("{what}: {} @ {}{why}", trial.injection, trial.point));
    }
    if let Some(more) = not_judged().count().checked_sub(MOST_TRIALS).filter(|more| *more > 0) {
        line(&mut out, &format!("… {more} more in the JSON report"));
    }
    out
}

fn line(out: &mut String, text: &str) {
    let _infallible = writeln!(out, "{}", one_line(text).trim_end());
}
