//! What the report tells of a trial.

use super::control::Learned;
use super::plan::{self, Planned};
use super::runner::{Judged, Runner};
use crate::audit::{Found, Rules, lost_recovery, unread_states};
use crate::driver::{Action, DriverError};
use crate::model::{FileTree, Step, Token, TrialPlan};
use crate::scenario::Strategy;
use crate::trial::{Outcome, TrialRecord, What};
use quietus_reports::{Severity, Trial};
use std::time::Duration;

/// Why a trial that ended did not do all that was planned, if it did not.
fn cut_short(plan: &TrialPlan, record: &TrialRecord) -> Option<&'static str> {
    let injects = |action: &Action| matches!(action, Action::Inject(step) if !matches!(step, Step::Wait(_)));
    let done =
        record.timeline.iter().filter(|moment| matches!(&moment.what, What::Did(action) if injects(action))).count();
    let last = plan.acts.len().checked_sub(1).filter(|last| *last > 0)?;
    let before =
        plan.acts.iter().take(last).flat_map(|act| act.send.steps()).filter(|step| !matches!(step, Step::Wait(_)));
    if done <= before.count() {
        return Some("the agent ended before the last point");
    }
    let faults = plan.acts.iter().flat_map(|act| act.send.faults()).count();
    (record.evidence.failed.len() < faults).then_some("the call that was to fail was not made")
}

/// A point that came too late is tried once more: the agent does not take the same
/// time in every run. A time of the default set is then taken from how long it took.
pub(super) fn run_with_retry(
    runner: &Runner<'_>,
    planned: &Planned,
    learned: &Learned,
) -> (Planned, Result<TrialRecord, DriverError>) {
    let record = match runner.trial(&planned.plan, learned, Duration::ZERO) {
        Ok(record) => record,
        Err(error) => return (planned.clone(), Err(error)),
    };
    let missed = record.outcome == Outcome::Missed
        || (record.outcome == Outcome::Ended && !record.evidence.delivered)
        || (record.outcome == Outcome::Ended && cut_short(&planned.plan, &record).is_some());
    if !missed || runner.interrupt.is_raised() {
        return (planned.clone(), Ok(record));
    }
    let mut again = planned.clone();
    if runner.check.chosen_by() == Strategy::Check {
        plan::quicken(&mut again.plan, learned.duration, record.evidence.ended_at.unwrap_or(record.duration));
    }
    let record = runner.trial(&again.plan, learned, Duration::ZERO);
    (again, record)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The trial as the report has it, and what it found.
pub(super) fn told(
    index: usize,
    planned: &Planned,
    record: Result<&TrialRecord, &DriverError>,
    runner: &Runner<'_>,
    learned: &Learned,
    rules: &Rules,
) -> (Trial, Vec<Found>) {
    let mut trial = Trial {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        label: planned.label.clone(),
        window: None,
        predicted: None,
        point: planned.plan.point_text(),
        injection: planned.plan.injection_text(),
        informational: planned.informational,
        outcome: quietus_reports::Outcome::Inconclusive,
        status: None,
        duration_us: 0,
        shutdown_us: None,
        token: Token(planned.plan.clone()).to_string(),
        findings: Vec::new(),
        note: None,
    };
    let record = match record {
        Ok(record) => record,
        Err(error) => {
            trial.note = Some(error.to_string());
            return (trial, Vec::new());
        }
    };
    let evidence = &record.evidence;
    trial.duration_us = micros(record.duration);
    trial.status = evidence.ended.map(|ended| ended.to_string());
    trial.shutdown_us = evidence
        .ended_at
        .zip(evidence.injected_at)
        .and_then(|(ended, injected)| ended.checked_sub(injected))
        .map(micros);
    (trial.outcome, trial.note) = match &record.outcome {
        Outcome::Ended if !evidence.delivered => {
            (quietus_reports::Outcome::Missed, Some("the agent ended just before".to_owned()))
        }
        Outcome::Ended => (quietus_reports::Outcome::Ended, None),
        Outcome::Killed => (
            quietus_reports::Outcome::Killed,
            Some(format!("SIGKILL after {}", crate::model::format_span(planned.plan.grace))),
        ),
        Outcome::Missed => (quietus_reports::Outcome::Missed, Some("the agent ended before the point".to_owned())),
        Outcome::Unreached => (quietus_reports::Outcome::Missed, Some("the point did not come in time".to_owned())),
        Outcome::Interrupted => (quietus_reports::Outcome::Inconclusive, Some("interrupted".to_owned())),
        Outcome::Lost(why) => (quietus_reports::Outcome::Inconclusive, Some(why.clone())),
        Outcome::Idle { .. } | Outcome::Busy => (
            quietus_reports::Outcome::Inconclusive,
            Some("[quietus internal bug] a trial ended like a control".to_owned()),
        ),
    };
    let Judged { mut found, unclear } = runner.judge(&planned.plan, record, learned, rules);
    // It is kept until all trials are done, and those may be many.
    found.shrink_to_fit();
    if let Some(why) = cut_short(&planned.plan, record).filter(|_| trial.outcome == quietus_reports::Outcome::Ended) {
        trial.note = Some(why.to_owned());
        // What was found was left by what was done, and counts; nothing found is no clean trial.
        // Of plans at random nobody said that all must be done.
        if found.is_empty() && runner.check.chosen_by() != Strategy::Fuzz {
            trial.outcome = quietus_reports::Outcome::Missed;
        }
    }
    trial.findings = found.iter().map(|found| found.fingerprint.clone()).collect();
    trial.findings.dedup();
    let unread = unread_states(evidence).into_iter().chain(lost_recovery(evidence)).next();
    let second = evidence.recovered.as_ref().and_then(|recovered| not_looked_at(&recovered.evidence.files));
    let worst = found.iter().map(|one| one.severity).max();
    for what in unread.into_iter().chain(not_looked_at(&record.evidence.files)).chain(second).chain(unclear) {
        // Nothing wrong found where not everything was looked at is no clean trial.
        if worst < Some(Severity::Error) && trial.outcome != quietus_reports::Outcome::Missed {
            trial.outcome = quietus_reports::Outcome::Inconclusive;
        }
        trial.note = Some(trial.note.map_or(what.clone(), |note| format!("{note}; {what}")));
    }
    (trial, found)
}

/// In words, which changed files nobody looked at.
fn not_looked_at(files: &FileTree) -> Option<String> {
    let first = files.unread.first().map(|(path, why)| match files.unread.len() - 1 {
        0 => format!("changes at {path} are not all known: {why}"),
        more => format!("changes at {path} and {more} more places are not all known: {why}"),
    });
    let omitted = (files.omitted > 0)
        .then(|| format!("{} changed paths more than can be looked at were left out", files.omitted));
    match (first, omitted) {
        (Some(first), Some(omitted)) => Some(format!("{first}; {omitted}")),
        (first, omitted) => first.or(omitted),
    }
}
