//! Trials at random: drawn, run, learned from, and what they find made small.

use super::check::{Check, Status};
use super::conclude::{Course, Tried, conclude};
use super::gather::Gatherer;
use super::needless::untried;
use super::plan::{Planned, known};
use super::runner::Runner;
use super::showing::{showing, window_of};
use super::shrinking::Shrinker;
use super::space::space;
use super::streamed::{Feed, streamed};
use super::told::told;
use crate::audit::Found;
use crate::fuzz::{Fuzzer, Learned, Space};
use crate::model::PointSpec;
use quietus_reports::{Outcome, Run, Severity, Trial};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// So many plans are drawn before what came of the first is known. Not by the number of
/// jobs, so that a seed gives the same plans on every machine.
const AHEAD: u64 = 32;

/// Findings are made small for as long as they were looked for, but at least so long.
const SHRINK_FOR: Duration = Duration::from_secs(60);

/// What came of a trial.
type Result = (Trial, Vec<Found>, Learned<PointSpec>);

/// Gives plans, and learns from what comes of them.
struct Random<'a> {
    course: Course<'a>,
    fuzzer: Fuzzer<Space>,
    /// Plans of earlier runs, which come first.
    earlier: VecDeque<Planned>,
    /// How many are still to be drawn.
    left: Option<u64>,
    tried: Vec<Tried>,
    findings: BTreeSet<String>,
    windows: BTreeSet<usize>,
    found_one: &'a AtomicBool,
}

impl Feed<Planned, Result> for Random<'_> {
    fn give(&mut self) -> Option<Planned> {
        if let Some(planned) = self.earlier.pop_front() {
            return Some(planned);
        }
        if self.left == Some(0) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        let plan = self.fuzzer.next_plan();
        Some(Planned { label: "random".to_owned(), plan, informational: false })
    }

    fn take(&mut self, planned: Planned, (trial, found, learned): Result) {
        let window = window_of(&planned, self.fuzzer.space());
        let map = self.course.learned.map.as_ref();
        if trial.outcome.reached() {
            self.windows.extend(window.and_then(|number| Some(map?.windows.get(number)?.kind)));
        }
        if trial.outcome != Outcome::Inconclusive {
            let fingerprints = found.iter().filter(|one| one.severity > Severity::Note).map(|one| &one.fingerprint);
            self.findings.extend(fingerprints.cloned());
        }
        let new = if trial.outcome.reached() { self.fuzzer.learn(&planned.plan, learned) } else { None };
        if !self.findings.is_empty() {
            self.found_one.store(true, Ordering::SeqCst);
        }
        self.tried.push(Tried { planned, trial, found, window, predicted: None, index: None });
        let kinds = map.map(|map| map.windows.iter().filter(|window| window.kind == window.number).count());
        self.course.progress.fuzzed(&Status {
            trials: self.tried.len() as u64,
            corpus: self.fuzzer.kept(),
            windows: kinds.map(|kinds| (self.windows.len(), kinds)),
            findings: self.findings.len(),
            new: new.as_deref().zip(self.tried.last().map(|tried| &tried.planned.plan)),
        });
    }
}

/// Runs trials at random until there is no more time, or there were enough.
pub(super) fn fuzz(course: Course<'_>) -> Run {
    let Course { runner, learned, rules, jobs, go_on, progress } = course;
    let began = Instant::now();
    let wanted = &runner.check.fuzz;
    let traced = runner.can_trace();
    let space = space(runner.check, learned, traced);
    // Where no system calls are seen, what is kept of another guarantee says nothing.
    let can_be_made = |planned: &Planned| traced || !planned.plan.is_of_calls();
    let regressions = known("regression", &runner.check.regressions, learned);
    let mut corpus: Vec<Planned> = known("corpus", &wanted.corpus, learned).filter(can_be_made).collect();
    // Half of the trials are new ones.
    if let Some(trials) = wanted.trials {
        let most = usize::try_from(trials / 2).unwrap_or(usize::MAX).max(1);
        let step = corpus.len().div_ceil(most).max(1);
        corpus = corpus.into_iter().step_by(step).collect();
    }
    let (of_corpus, earlier) = (corpus.len() as u64, regressions.chain(corpus).collect::<VecDeque<_>>());
    let given_before = earlier.len() as u64 - of_corpus;
    let found_one = AtomicBool::new(false);
    let enough = || wanted.stop_at_first && found_one.load(Ordering::SeqCst);
    let mut random = Random {
        course,
        fuzzer: Fuzzer::new(space.clone(), wanted.seed, wanted.guided),
        earlier,
        left: wanted.trials.map(|trials| trials.saturating_sub(of_corpus)),
        tried: Vec::new(),
        findings: BTreeSet::new(),
        windows: BTreeSet::new(),
        found_one: &found_one,
    };
    let work = |number: u64, planned: &Planned| {
        let plan = &planned.plan;
        let record = runner.alike(plan, learned, Duration::ZERO);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let (trial, found) = told(number, planned, record.as_ref(), runner, learned, rules);
        progress.trial(&trial, &found);
        let shows = record.map(|record| showing(planned, &record, &found, &space, learned.map.as_ref()));
        (trial, found, shows.unwrap_or_default())
    };
    streamed(jobs, AHEAD, &|| go_on() && !enough(), &mut random, &work);
    let Random { tried, fuzzer, findings, .. } = random;
    let space = fuzzer.space();
    let mut about_trials = vec![format!("seed {}", wanted.seed)];
    let made = (tried.len() as u64).saturating_sub(given_before);
    if let Some(left) = wanted.trials.map(|trials| trials.saturating_sub(made)).filter(|left| *left > 0 && !enough()) {
        let why = if runner.interrupt.is_raised() { "interrupted" } else { "the time was up" };
        about_trials.push(format!("{left} trials were not run: {why}"));
    }
    if wanted.shrink && !findings.is_empty() {
        about_trials.extend(untried(course).map(ToOwned::to_owned));
    }
    // What was found is confirmed and made small though the time is up.
    let until = Instant::now() + began.elapsed().max(SHRINK_FOR);
    let uninterrupted = || !runner.interrupt.is_raised();
    let confirming = Course { go_on: &uninterrupted, ..course };
    let hasty = Check { settle: runner.check.settle / 4, ..runner.check.clone() };
    let quick = Runner { check: &hasty, ..*runner };
    let mut refine = |gatherer: &mut Gatherer| {
        if wanted.shrink {
            Shrinker::new(confirming, until, &quick, space).shrink_all(gatherer);
        }
    };
    conclude(confirming, tried, about_trials, &mut refine)
}

#[cfg(test)]
mod tests;
