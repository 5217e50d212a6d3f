//! One trial again, with its timeline.

use super::check::{Check, CheckError, Progress};
use super::conclude::kind;
use super::control;
use super::gather::Gatherer;
use super::origin::trace_to_maker;
use super::plan::Planned;
use super::runner::{LINGER, Runner, is_traced};
use super::told::told;
use crate::audit::Rules;
use crate::driver::{Driver, Interrupt};
use crate::model::{Token, TrialPlan};
use crate::trial::TrialRecord;
use quietus_reports::{Run, Verdict};

/// One trial again, with its timeline.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The run of one trial.
    pub run: Run,
    /// The trial as it went.
    pub record: TrialRecord,
    /// The same once more, with all that the agent did: where the trial itself was not
    /// recorded, since that would have changed its times, and this one found the same.
    pub recorded: Option<TrialRecord>,
}

/// Replays one plan, after a control.
///
/// # Errors
/// As [`check`](super::check()).
pub fn replay(
    driver: &dyn Driver,
    check: &Check,
    plan: &TrialPlan,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<Replayed, CheckError> {
    let runner = Runner { driver, check, interrupt, traces: is_traced(driver, plan) };
    let learned = control::observe(&runner, progress)?;
    let rules = Rules { kind: learned.kind, ..check.rules.clone() };
    let planned = Planned { label: "replay".to_owned(), plan: plan.clone(), informational: false };
    // Where it is traced anyway it is also told what it does.
    let record =
        if runner.traces { runner.watch(plan, &learned, LINGER)? } else { runner.trial(plan, &learned, LINGER)? };
    let (trial, found) = told(0, &planned, Ok(&record), &runner, &learned, &rules);
    let again = if runner.traces { None } else { runner.watch(plan, &learned, LINGER).ok() };
    let recorded = again.filter(|again| {
        let (other, _) = told(0, &planned, Ok(again), &runner, &learned, &rules);
        other.findings == trial.findings && other.outcome == trial.outcome
    });
    let mut gatherer = Gatherer::default();
    gatherer.trial(&planned, found);
    let tried = u32::from(matches!(trial.outcome, quietus_reports::Outcome::Ended | quietus_reports::Outcome::Killed));
    let replay = |token: &Token| format!("{}{token}{}", check.replay.0, check.replay.1);
    let mut findings = gatherer.finish(tried, &check.allows, &check.today, &replay);
    if let (Some(map), Some(recorded)) = (&learned.map, &learned.recorded) {
        findings.iter_mut().for_each(|finding| trace_to_maker(finding, map, &recorded.recording, &check.command));
    }
    let mut run = Run {
        scenario: check.name.clone(),
        file: check.file_name(),
        agent: check.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        kind: kind(learned.kind),
        strategy: "replay".to_owned(),
        control: Some(learned.control),
        windows: None,
        map: None,
        elsewhere: 0,
        doubt: None,
        trials: vec![trial],
        findings,
        notes: Vec::new(),
        verdict: Verdict::Inconclusive,
    };
    run.verdict = quietus_reports::Gate::default().judge_run(&run);
    Ok(Replayed { run, record, recorded })
}
