//! From trials to the run of a report: gathered, confirmed, traced to who made what is left.

use super::blame::blame;
use super::check::{Check, Progress};
use super::control::Learned;
use super::gather::Gatherer;
use super::origin::trace_to_maker;
use super::parallel::in_parallel;
use super::plan::{self, Planned};
use super::runner::{LINGER, Runner};
use super::swept::{about, refused, wants_to_trace};
use super::timelines::add_timelines;
use super::told_map::told_map;
use crate::audit::{Found, Rules};
use crate::model::{Injection, Token, TrialPlan};
use crate::scenario::{Kind, Strategy};
use crate::trial::Outcome;
use quietus_reports::{AgentKind, Doubt, Finding, Run, Severity, Trial, Verdict, Windows};
use std::collections::BTreeSet;

/// What all that follows the controls has in common.
#[derive(Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) runner: &'a Runner<'a>,
    pub(super) learned: &'a Learned,
    pub(super) rules: &'a Rules,
    pub(super) jobs: usize,
    /// Whether another trial may start.
    pub(super) go_on: &'a (dyn Fn() -> bool + Sync),
    pub(super) progress: &'a dyn Progress,
}

/// A trial that was run.
pub(super) struct Tried {
    pub(super) planned: Planned,
    pub(super) trial: Trial,
    pub(super) found: Vec<Found>,
    /// The window that it was for.
    pub(super) window: Option<usize>,
    /// What the control said it would leave.
    pub(super) predicted: Option<Vec<String>>,
    /// Its place in the whole run, where this is a part of one.
    pub(super) index: Option<usize>,
}

/// The run that these trials come to. `about_trials` is what there is to say of trials that
/// were not run; `refine` may do more with what was gathered and confirmed.
pub(super) fn conclude(
    course: Course<'_>,
    tried: Vec<Tried>,
    about_trials: Vec<String>,
    refine: &mut dyn FnMut(&mut Gatherer),
) -> Run {
    let Course { runner, learned, .. } = course;
    let check = runner.check;
    let mut gatherer = Gatherer::default();
    let places = runner.places();
    for found in &learned.found {
        let mut found = found.clone();
        found.seen_from(&places);
        gatherer.control(found);
    }
    let (mut trials, mut shown): (Vec<Trial>, Vec<(Planned, Vec<usize>)>) = (Vec::new(), Vec::new());
    for (index, Tried { planned, mut trial, found, window, predicted, index: whole }) in tried.into_iter().enumerate() {
        let indices = gatherer.trial(&planned, found);
        shown.push((planned, indices));
        trial.index = u32::try_from(whole.unwrap_or(index)).unwrap_or(u32::MAX);
        trial.window = window.and_then(|number| u32::try_from(number).ok());
        trial.predicted = predicted;
        trials.push(trial);
    }
    let chosen_by = check.chosen_by();
    let mut notes = if chosen_by == Strategy::Check { plan::left_out(learned, check.pty) } else { Vec::new() };
    let fails = fails_undisturbed(learned, check);
    notes.extend(fails.clone());
    notes.extend(about_trials);
    notes.extend(learned.about_states.iter().cloned());
    notes.extend(check.allows.iter().filter(|allow| allow.is_expired(&check.today)).map(|allow| {
        format!(
            "{} is no longer accepted: that expired on {}",
            allow.code,
            allow.expires.as_deref().unwrap_or("an unknown day")
        )
    }));
    let mapped = learned.map.as_ref().filter(|_| runner.maps());
    if let Some(map) = mapped {
        notes.extend(about(map));
        notes.extend(learned.recorded.iter().flat_map(|recorded| refused(&recorded.recording)));
    }
    confirm(course, &mut gatherer);
    refine(&mut gatherer);
    let ended_well: Vec<TrialPlan> = trials
        .iter()
        .zip(&shown)
        .filter(|(trial, _)| trial.outcome == quietus_reports::Outcome::Ended && trial.findings.is_empty())
        .map(|(_, (planned, _))| planned.plan.clone())
        .collect();
    gatherer.excuse_starting_pid1(&ended_well);
    if mapped.is_none() {
        gatherer.excuse_not_yet_handled(&ended_well);
    }
    for (trial, (_, indices)) in trials.iter_mut().zip(&shown) {
        trial.findings = indices.iter().filter_map(|index| gatherer.fingerprint(*index)).collect();
    }
    let judged = trials.iter().filter(|trial| trial.outcome.reached()).count();
    let replay = |token: &Token| format!("{}{token}{}", check.replay.0, check.replay.1);
    let mut findings = gatherer.finish(u32::try_from(judged).unwrap_or(u32::MAX), &check.allows, &check.today, &replay);
    if let (Some(map), Some(recorded)) = (&learned.map, &learned.recorded) {
        let send = check.send.clone().unwrap_or_else(Injection::usual);
        for finding in &mut findings {
            trace_to_maker(finding, map, &recorded.recording, &check.command);
            // What is told of a signal is told of the one that its trial sends.
            let token = finding.token.parse::<Token>().ok();
            let sent = token.and_then(|Token(plan)| plan.acts.into_iter().next()).map(|act| act.send);
            let sent = sent.as_ref().unwrap_or(&send);
            blame(finding, map, sent, &left_in(finding, &trials, &shown), &check.rules.log);
        }
    }
    if check.timelines {
        add_timelines(course, &mut findings);
    }
    // One that was refused what it does by itself shows how it fails, not how it is terminated.
    let is_another = learned.recorded.iter().any(|recorded| wants_to_trace(&recorded.recording));
    for finding in findings.iter_mut().filter(|finding| is_another && finding.severity == Severity::Error) {
        finding.severity = Severity::Warn;
    }
    let mut run = Run { trials, findings, notes, ..blank(runner, learned) };
    run.windows = run.map.as_ref().map(|map| Windows::of(map, &run.trials));
    let undisturbed = fails.map(|_| Doubt::FailsUndisturbed);
    run.doubt = undisturbed.or(is_another.then_some(Doubt::Refused));
    run.verdict = quietus_reports::Gate::default().judge_run(&run);
    run
}

/// What is known of a run before its first trial.
pub(super) fn blank(runner: &Runner<'_>, learned: &Learned) -> Run {
    let check = runner.check;
    Run {
        scenario: check.name.clone(),
        file: check.file_name(),
        agent: check.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        kind: kind(learned.kind),
        strategy: check.chosen_by().word().to_owned(),
        control: Some(learned.control.clone()),
        windows: None,
        map: learned.map.as_ref().filter(|_| runner.maps()).map(told_map),
        elsewhere: 0,
        doubt: None,
        trials: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
        verdict: Verdict::Inconclusive,
    }
}

/// The windows in which a finding was seen after a single injection.
fn left_in(finding: &Finding, trials: &[Trial], shown: &[(Planned, Vec<usize>)]) -> BTreeSet<usize> {
    let single = trials.iter().zip(shown).filter(|(_, (planned, _))| planned.plan.acts.len() == 1);
    let with_it = single.filter(|(trial, _)| trial.findings.contains(&finding.fingerprint));
    with_it.filter_map(|(trial, _)| usize::try_from(trial.window?).ok()).collect()
}

/// An agent that fails by itself shows nothing of how it would be terminated.
pub(super) fn fails_undisturbed(learned: &Learned, check: &Check) -> Option<String> {
    use crate::model::Ended;
    let ended = learned.expected.ended?;
    let declared = check.rules.exit.as_ref().is_some_and(|exits| exits.iter().any(|exit| exit.is(ended)));
    if ended == Ended::Exited(check.control_exit.into()) || declared {
        return None;
    }
    let said = learned.last_line.as_deref().map(|line| format!("; it wrote: {line}")).unwrap_or_default();
    Some(format!("undisturbed, the agent ends with {ended}: is the command right?{said}"))
}

/// What kind of agent it is, in the report's words.
pub(super) fn kind(kind: Kind) -> AgentKind {
    match kind {
        Kind::Job => AgentKind::Job,
        Kind::Server => AgentKind::Server,
        Kind::Session => AgentKind::Session,
    }
}

/// Of what nobody saw again so many plans are run, before that is said.
const MOST_ROUNDS: usize = 8;

/// Runs each plan that showed something again, with time for survivors to end.
/// What was not seen every time gets a second chance at another of its points, and what was
/// never seen some more.
fn confirm(course: Course<'_>, gatherer: &mut Gatherer) {
    let Course { runner, learned, rules, jobs, go_on, progress } = course;
    gatherer.rank(&runner.check.send.clone().unwrap_or_else(Injection::usual));
    for round in 0..MOST_ROUNDS {
        let plans = gatherer.to_confirm(round);
        let times = runner.check.confirm as usize;
        let runs: Vec<TrialPlan> = plans.iter().flat_map(|plan| std::iter::repeat_n(plan.clone(), times)).collect();
        if runs.is_empty() {
            return;
        }
        progress.confirming(runs.len());
        let results = in_parallel(&runs, jobs, go_on, &|_, plan| {
            let record = runner.alike(plan, learned, LINGER).ok()?;
            progress.confirmed();
            let reached = matches!(record.outcome, Outcome::Ended | Outcome::Killed) && record.evidence.delivered;
            reached.then(|| runner.judge(plan, &record, learned, rules).found)
        });
        for (plan, results) in plans.iter().zip(results.chunks(times)) {
            let found: Vec<Vec<Found>> = results.iter().flatten().flatten().cloned().collect();
            gatherer.confirm(plan, &found);
        }
    }
}
