//! One check from start to end: control, trials, confirmation, report.

use super::again::addressed_again;
use super::conclude::{Course, Tried, blank, conclude};
use super::control::{self, Learned};
use super::done::Done;
use super::fuzzing::fuzz;
use super::parallel::in_parallel;
use super::plan::{Planned, Wanted, default_set, known};
use super::runner::{Runner, is_traced};
use super::second::trials_of_cleanup;
use super::shares::shares;
use super::sweep::{Aimed, Sweep};
use super::told::{run_with_retry, told};
use crate::audit::{Found, Rules};
use crate::driver::{Driver, DriverError, Interrupt};
use crate::model::{Injection, PointSpec, Stdin, TrialPlan};
use crate::scenario::{Allow, Kind, RecoverSpec, Second, Strategy};
use crate::service::{Service, unknown};
use crate::state::Oracle;
use quietus_reports::{Division, Doubt, Outcome, Run, Trial};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is checked, and how.
#[derive(Debug, Clone)]
pub struct Check {
    /// The name of the run in the report.
    pub name: String,
    /// Where its scenario was read, if it has one.
    pub file: Option<PathBuf>,
    /// The agent.
    pub command: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Names of the variables in it that the scenario sets itself.
    pub own_variables: Vec<OsString>,
    /// Its working directory, absolute.
    pub directory: PathBuf,
    /// Commands that run before it.
    pub prepare: Vec<Vec<OsString>>,
    /// Its standard input, if that was said.
    pub stdin: Option<Stdin>,
    /// Its kind, if that was said.
    pub kind: Option<Kind>,
    /// Whether it has a terminal.
    pub pty: bool,
    /// Whether it is PID 1.
    pub pid1: bool,
    /// Where a server is ready.
    pub ready: Option<PointSpec>,
    /// The only injection, if one was asked for.
    pub send: Option<Injection>,
    /// The status with which the undisturbed agent ends when all is well.
    pub control_exit: u8,
    /// From the last injection to the KILL.
    pub grace: Duration,
    /// For what is on its way out, once the agent has ended.
    pub settle: Duration,
    /// How long an undisturbed agent at rest is waited for.
    pub horizon: Duration,
    /// Who chooses the trials.
    pub strategy: Strategy,
    /// Of a sweep: a trial after every system call that is recorded, not only one for
    /// each window.
    pub exhaustive: bool,
    /// Of a sweep: what happens to the agent while it cleans up, in trials of their own.
    pub second: Option<Second>,
    /// Of trials at random: what they start from and how many there are.
    pub fuzz: Fuzz,
    /// Trials that once found something. They are run before all others.
    pub regressions: Vec<TrialPlan>,
    /// Trials of an earlier run of this check that was broken off, and what each found: they are
    /// not made again.
    pub done: Vec<(Trial, Vec<Found>)>,
    /// Exactly these trials instead of chosen ones, if there are any. Their
    /// standard input is filled in.
    pub trials: Vec<Planned>,
    /// Of several machines the part of this one, if there are several.
    pub division: Option<Division>,
    /// How often each trial runs.
    pub repeat: u32,
    /// How often each distinct finding is run again.
    pub confirm: u32,
    /// Whether the trial of each finding is recorded once more, for its timeline.
    pub timelines: bool,
    /// How many trials run side by side.
    pub jobs: usize,
    /// No trial starts after that time.
    pub budget: Option<Duration>,
    /// What the scenario says.
    pub rules: Rules,
    /// Findings that are accepted.
    pub allows: Vec<Allow>,
    /// Today as YYYY-MM-DD, for accepted findings that expire.
    pub today: String,
    /// The command line that replays a token, up to the token and after it.
    pub replay: (String, String),
    /// Whether trials may share ports: they have a network each.
    pub private_network: bool,
    /// How many processes and threads it may have.
    pub max_processes: u32,
    /// Servers that run beside it.
    pub services: Vec<Arc<Service>>,
    /// Who reads what it changes outside itself.
    pub states: Vec<Arc<dyn Oracle>>,
    /// How it is started again over what it left, if it is.
    pub recover: Option<RecoverSpec>,
}

/// Trials at random.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuzz {
    /// The same seed draws the same plans in the same order.
    pub seed: u64,
    /// How many trials there are; without it, as many as the budget lets.
    pub trials: Option<u64>,
    /// Whether plans go on from those that showed something new.
    pub guided: bool,
    /// Whether the first finding ends it.
    pub stop_at_first: bool,
    /// Whether the trial of each finding is made as small as it can be.
    pub shrink: bool,
    /// Plans that showed something new before. They are run after the regressions.
    pub corpus: Vec<TrialPlan>,
}

impl Default for Fuzz {
    fn default() -> Self {
        Self { seed: 0, trials: None, guided: true, stop_at_first: false, shrink: true, corpus: Vec::new() }
    }
}

/// How far trials at random have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status<'a> {
    /// How many trials have ended.
    pub trials: u64,
    /// How many plans showed something new.
    pub corpus: usize,
    /// How many windows were met, and how many there are; none where none are known.
    pub windows: Option<(usize, usize)>,
    /// How many different findings there are.
    pub findings: usize,
    /// What the last trial showed, if that was new, and its plan.
    pub new: Option<(&'a str, &'a TrialPlan)>,
}

/// Why a check gave no run.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A place or the agent itself failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The control says nothing that trials could be compared to.
    #[error("the control gave no ground to judge by: {0}")]
    Control(String),
    /// A person asked to stop before there was anything to report.
    #[error("interrupted before the first trial")]
    Interrupted,
}

/// Hears how a check goes on.
pub trait Progress: Sync {
    /// A control starts.
    fn control(&self, _what: &str) {}
    /// So many trials are planned.
    fn planned(&self, _trials: usize) {}
    /// A trial ended.
    fn trial(&self, _trial: &Trial, _found: &[Found]) {}
    /// The controls were made: what is known of the run before its first trial.
    fn begun(&self, _run: &Run) {}
    /// A trial at random was learned from.
    fn fuzzed(&self, _status: &Status<'_>) {}
    /// The smallest trial that still shows this finding is looked for.
    fn shrinking(&self, _title: &str) {}
    /// So many runs will confirm what was found.
    fn confirming(&self, _runs: usize) {}
    /// One of them ended.
    fn confirmed(&self) {}
}

impl Progress for () {}

impl Check {
    /// Where its scenario was read, as a report has it.
    #[must_use]
    pub fn file_name(&self) -> Option<String> {
        self.file.as_ref().map(|path| path.to_string_lossy().into_owned())
    }

    /// Who chose the trials.
    pub(super) fn chosen_by(&self) -> Strategy {
        match self.strategy {
            _ if !self.trials.is_empty() => Strategy::Script,
            Strategy::Script => Strategy::Check,
            chosen => chosen,
        }
    }
}

/// Runs a whole check.
///
/// # Errors
/// When the agent cannot be run, this machine refuses what the driver needs, or
/// the control gives no ground to judge by.
pub fn check(
    driver: &dyn Driver,
    check: &Check,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<Run, CheckError> {
    let began = Instant::now();
    let all = || check.trials.iter().map(|planned| &planned.plan).chain(&check.regressions);
    let sends = check.send.iter().chain(all().flat_map(|plan| &plan.acts).map(|act| &act.send));
    if let Some(unknown) = unknown(sends, &check.services) {
        return Err(DriverError::no_service(unknown).into());
    }
    let traces = all().any(|plan| is_traced(driver, plan));
    let runner = Runner { driver, check, interrupt, traces };
    let learned = control::observe(&runner, progress)?;
    let rules = Rules { kind: learned.kind, ..check.rules.clone() };
    // Of trials at random only these take time: how many there are depends on it.
    let began = if check.chosen_by() == Strategy::Fuzz { Instant::now() } else { began };
    let go_on = || !interrupt.is_raised() && check.budget.is_none_or(|budget| began.elapsed() < budget);
    let jobs = if shares(check, learned.uses_ports) { 1 } else { check.jobs };
    progress.begun(&blank(&runner, &learned));
    let course = Course { runner: &runner, learned: &learned, rules: &rules, jobs, go_on: &go_on, progress };
    if check.chosen_by() == Strategy::Fuzz {
        let mut run = fuzz(course);
        if interrupt.is_raised() {
            broken_off(&mut run);
        }
        return Ok(run);
    }
    let (aimed, unswept) = plans(&runner, &learned, progress)?;
    let (aimed, elsewhere) = divided(check, aimed);
    let count = aimed.len();
    progress.planned(count);
    let tried = run_all(course, aimed);
    let mut about_trials: Vec<String> = unswept.into_iter().collect();
    if tried.len() < count {
        let why = if interrupt.is_raised() { "interrupted" } else { "the budget was used up" };
        about_trials.push(format!("{} of {count} trials were not run: {why}", count - tried.len()));
    }
    let made = tried.len();
    let mut run = Run { elsewhere, ..conclude(course, tried, about_trials, &mut |_| {}) };
    if made < count && interrupt.is_raised() {
        broken_off(&mut run);
    }
    // Where other shards have all trials, they judge.
    if count == 0 && elsewhere > 0 {
        run.verdict = quietus_reports::Gate::default().judge_run(&run);
    }
    Ok(run)
}

/// What was not looked at may hold anything.
fn broken_off(run: &mut Run) {
    run.doubt = run.doubt.or(Some(Doubt::BrokenOff));
    run.verdict = quietus_reports::Gate::default().judge_run(run);
}

/// The trials that fall to this shard, with their places in the whole run, and how many there
/// are besides.
fn divided(check: &Check, mut aimed: Vec<Aimed>) -> (Vec<Aimed>, u32) {
    let Some(division) = &check.division else { return (aimed, 0) };
    let all = aimed.len();
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_key(|place| aimed.get(*place).map(told_first));
    for (index, place) in order.into_iter().enumerate() {
        if let Some(aimed) = aimed.get_mut(place) {
            aimed.index = Some(index);
        }
    }
    aimed.retain(|aimed| {
        let (planned, point) = (&aimed.planned, aimed.planned.plan.point_text());
        // What was chosen by how long the control took has another address on each machine.
        let is_asked_for = !check.trials.is_empty() && planned.label != "regression";
        let place = if aimed.window.is_some() || is_asked_for { &point } else { &planned.label };
        division.takes(&check.name, place)
    });
    let elsewhere = u32::try_from(all - aimed.len()).unwrap_or(u32::MAX);
    (aimed, elsewhere)
}

/// The report tells trials window by window, however they were run.
fn told_first(aimed: &Aimed) -> (bool, Option<usize>) {
    (aimed.planned.plan.acts.len() > 1, aimed.window)
}

/// Runs these trials; those of windows that were missed once more, where they are now.
fn run_all(course: Course<'_>, aimed: Vec<Aimed>) -> Vec<Tried> {
    let Course { runner, learned, jobs, go_on, progress, .. } = course;
    let done = Done::of(runner);
    let work = |index: usize, aimed: &Aimed| {
        let (planned, mut trial, found) = done.take(&aimed.planned.plan).map_or_else(
            || {
                let (planned, record) = run_with_retry(runner, &aimed.planned, learned);
                let (trial, found) = told(index, &planned, record.as_ref(), runner, learned, course.rules);
                (planned, trial, found)
            },
            |(trial, found)| (aimed.planned.clone(), trial, found),
        );
        trial.window = aimed.window.and_then(|number| u32::try_from(number).ok());
        progress.trial(&trial, &found);
        (planned, trial, found)
    };
    let mut results = in_parallel(&aimed, jobs, go_on, &work);
    let missed: Vec<(usize, usize, &Planned)> = results
        .iter()
        .zip(&aimed)
        .enumerate()
        .filter(|(_, (result, _))| result.as_ref().is_some_and(|(_, trial, _)| trial.outcome == Outcome::Missed))
        .filter_map(|(place, (_, aimed))| Some((place, aimed.window?, &aimed.planned)))
        // Of a cleanup no further control can say where its windows are.
        .filter(|(_, _, planned)| planned.plan.acts.len() == 1)
        .collect();
    if !missed.is_empty() && !runner.check.exhaustive && go_on() {
        let of_windows: Vec<(usize, &Planned)> =
            missed.iter().map(|(_, window, planned)| (*window, *planned)).collect();
        progress.control("undisturbed, once more: some windows were missed");
        let moved = addressed_again(runner, learned, &of_windows);
        let again = |(window, planned): &(usize, Planned)| Aimed {
            planned: planned.clone(),
            window: Some(*window),
            predicted: None,
            index: None,
        };
        let retried = in_parallel(&moved.iter().map(again).collect::<Vec<_>>(), jobs, go_on, &work);
        for ((window, planned), result) in moved.iter().zip(retried) {
            let place = missed
                .iter()
                .find(|(_, number, before)| number == window && before.label == planned.label)
                .map(|(place, ..)| *place);
            if let (Some(place), Some(result)) = (place.and_then(|place| results.get_mut(place)), result) {
                *place = Some(result);
            }
        }
    }
    let tried = results.into_iter().zip(aimed).filter_map(|(result, aimed)| {
        let (planned, trial, found) = result?;
        let Aimed { window, predicted, index, .. } = aimed;
        Some(Tried { planned, trial, found, window, predicted, index })
    });
    let mut tried: Vec<Tried> = tried.collect();
    tried.sort_by_key(|tried| (tried.planned.plan.acts.len() > 1, tried.window));
    tried
}

/// The trials to run, and what a sweep of the cleanup could not do.
fn plans(
    runner: &Runner<'_>,
    learned: &Learned,
    progress: &dyn Progress,
) -> Result<(Vec<Aimed>, Option<String>), CheckError> {
    let check = runner.check;
    let aimed = |planned| Aimed { planned, window: None, predicted: None, index: None };
    let known: Vec<Aimed> = known("regression", &check.regressions, learned).map(aimed).collect();
    let repeated = |once: Vec<Aimed>| {
        let repeated = std::iter::repeat_n(once, check.repeat.max(1) as usize).flatten();
        known.iter().cloned().chain(repeated).collect()
    };
    if let Some(map) = learned.map.as_ref().filter(|_| check.trials.is_empty()) {
        let sweep = Sweep {
            send: check.send.clone().unwrap_or_else(Injection::usual),
            grace: check.grace,
            stdin: learned.stdin.clone(),
            pty: check.pty,
            pid1: check.pid1,
        };
        let mut once = match &learned.moments {
            Some(moments) => sweep.of_moments(map, moments),
            None => sweep.of_windows(map),
        };
        let mut unswept = None;
        if let Some(second) = check.second {
            progress.control("through its cleanup");
            match trials_of_cleanup(runner, learned, &sweep, second)? {
                Ok(trials) => once.extend(trials),
                Err(why) => unswept = Some(why),
            }
        }
        return Ok((repeated(once), unswept));
    }
    let mut planned = if check.trials.is_empty() {
        let wanted = Wanted {
            send: check.send.clone(),
            grace: check.grace,
            pty: check.pty,
            pid1: check.pid1,
            ready: check.ready.clone(),
        };
        default_set(learned, &wanted)
    } else {
        check.trials.clone()
    };
    for one in &mut planned {
        one.plan.stdin = learned.stdin.clone();
    }
    Ok((repeated(planned.into_iter().map(aimed).collect()), None))
}
