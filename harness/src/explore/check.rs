//! One check from start to end: control, trials, confirmation, report.

use super::again::addressed_again;
use super::blame::blame;
use super::control::{self, Learned};
use super::gather::Gatherer;
use super::held::held;
use super::origin::trace_to_maker;
use super::parallel::in_parallel;
use super::plan::{self, Planned, Wanted, default_set};
use super::second::trials_of_cleanup;
use super::shares::shares;
use super::sweep::{Aimed, Sweep, coverage};
use super::swept::{about, refused, wants_to_trace};
use crate::audit::{Case, Found, Rules, audit, lost_recovery, unheard, unread_states};
use crate::driver::{Action, Driver, DriverError, Interrupt, Recovery, Request};
use crate::model::{FileTree, Injection, Point, PointSpec, Stdin, Token, TrialPlan};
use crate::scenario::{Allow, Kind, RecoverSpec, Second, Strategy};
use crate::service::Service;
use crate::state::Oracle;
use crate::trial::{Limits, Outcome, TrialRecord, What, run_trial};
use crate::windows::Map;
use quietus_reports::{AgentKind, Finding, Run, Severity, Trial, Verdict};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is checked, and how.
#[derive(Debug, Clone)]
pub struct Check {
    /// The name of the run in the report.
    pub name: String,
    /// The agent.
    pub command: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
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
    /// Exactly these trials instead of chosen ones, if there are any. Their
    /// standard input is filled in.
    pub trials: Vec<Planned>,
    /// How often each trial runs.
    pub repeat: u32,
    /// How often each distinct finding is run again.
    pub confirm: u32,
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
    fn trial(&self, _trial: &Trial) {}
    /// So many runs will confirm what was found.
    fn confirming(&self, _runs: usize) {}
    /// One of them ended.
    fn confirmed(&self) {}
}

impl Progress for () {}

/// Runs trials of one check.
pub(super) struct Runner<'a> {
    pub(super) driver: &'a dyn Driver,
    pub(super) check: &'a Check,
    pub(super) interrupt: &'a Interrupt,
    /// Whether a trial is traced, so that its controls have to be.
    pub(super) traces: bool,
}

impl Runner<'_> {
    fn request(&self, plan: &TrialPlan) -> Request {
        Request {
            command: self.check.command.clone(),
            environment: self.check.environment.clone(),
            directory: self.check.directory.clone(),
            prepare: self.check.prepare.clone(),
            plan: plan.clone(),
            keep: self.check.rules.log.iter().chain(&self.check.rules.released).cloned().collect(),
            record: false,
            services: self.check.services.clone(),
            states: self.check.states.clone(),
            recovery: None,
            interrupt: self.interrupt.clone(),
        }
    }

    fn limits(&self, reach: Duration, linger: Duration, horizon: Option<Duration>) -> Limits {
        Limits {
            reach,
            settle: self.check.settle,
            settle_rounds: 8,
            linger,
            horizon: horizon.unwrap_or(self.check.horizon),
            horizon_rounds: 5,
            serves_after: if self.check.kind == Some(Kind::Job) { u32::MAX } else { 8 },
        }
    }

    /// Whether every window is terminated in.
    pub(super) fn sweeps(&self) -> bool {
        self.check.strategy == Strategy::Sweep
    }

    /// Whether what the controls do is recorded.
    pub(super) fn records(&self) -> bool {
        self.sweeps() || self.traces
    }

    pub(super) fn control(&self, plan: &TrialPlan, horizon: Option<Duration>) -> Result<TrialRecord, DriverError> {
        let reach = self.check.horizon * 6;
        let request = Request { record: self.records(), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(reach, Duration::ZERO, horizon))
    }

    /// A control that is started again over what it leaves.
    pub(super) fn control_with_recovery(
        &self,
        plan: &TrialPlan,
        learned: &Learned,
    ) -> Result<TrialRecord, DriverError> {
        let request = Request { recovery: self.recovery(learned), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(self.check.horizon * 6, Duration::ZERO, None))
    }

    fn recovery(&self, learned: &Learned) -> Option<Recovery> {
        let (recover, expected) = (self.check.recover.as_ref()?, learned.expected.recovery.as_ref()?);
        let command = recover.command.as_ref().map(|words| words.iter().map(OsString::from).collect());
        Some(Recovery {
            command: command.unwrap_or_else(|| self.check.command.clone()),
            plan: expected.plan.clone(),
            within: expected.within,
        })
    }

    fn trial(&self, plan: &TrialPlan, learned: &Learned, linger: Duration) -> Result<TrialRecord, DriverError> {
        let request = Request { recovery: self.recovery(learned), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(reach(learned), linger, None))
    }

    /// A trial of which all is recorded that the agent does.
    pub(super) fn watch(
        &self,
        plan: &TrialPlan,
        learned: &Learned,
        linger: Duration,
    ) -> Result<TrialRecord, DriverError> {
        let request = Request { record: true, recovery: self.recovery(learned), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(reach(learned), linger, None))
    }

    fn judge(&self, plan: &TrialPlan, record: &TrialRecord, learned: &Learned, rules: &Rules) -> Judged {
        let killed = match record.outcome {
            Outcome::Killed => true,
            Outcome::Ended if record.evidence.delivered => false,
            _ => return Judged::default(),
        };
        let expected = &learned.expected;
        let held = rules.released.as_ref().map(|_| held(learned, plan));
        let unknown = held == Some(None);
        let held = held.flatten().unwrap_or_default();
        let case = Case { plan, killed, evidence: &record.evidence, expected, rules, held: &held };
        let mut found = audit(case);
        // What was recorded knows a random name better than one look at it.
        for one in &mut found {
            if let Some(pattern) = learned.map.as_ref().and_then(|map| map.pattern(&one.subject)) {
                one.identify_by(pattern);
            }
        }
        let unasked = || "what the agent was to release here no window of the control says".to_owned();
        Judged { found, unclear: unheard(case).or_else(|| unknown.then(unasked)) }
    }
}

/// What is said of a trial.
#[derive(Default)]
struct Judged {
    found: Vec<Found>,
    /// What could not be looked at, so that nothing found is not clean.
    unclear: Option<String>,
}

/// How long a point is waited for: a loaded machine is slower than the control was.
fn reach(learned: &Learned) -> Duration {
    learned.duration * 10 + Duration::from_secs(20)
}

/// Whether this driver traces the agent in this trial until it ends.
fn is_traced(driver: &dyn Driver, plan: &TrialPlan) -> bool {
    driver.guarantee().level == quietus_reports::Level::Full
        && plan.acts.iter().flat_map(|act| &act.at).any(|spec| matches!(spec.point, Point::Syscall(_)))
}

/// How long a confirmation waits for a survivor to end by itself.
const LINGER: Duration = Duration::from_secs(2);

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
    let traces = check.trials.iter().any(|planned| is_traced(driver, &planned.plan));
    let runner = Runner { driver, check, interrupt, traces };
    let learned = control::observe(&runner, progress)?;
    let rules = Rules { kind: learned.kind, ..check.rules.clone() };
    let (aimed, unswept) = plans(&runner, &learned, progress)?;
    let planned: Vec<Planned> = aimed.iter().map(|aimed| aimed.planned.clone()).collect();
    progress.planned(planned.len());
    let go_on = || !interrupt.is_raised() && check.budget.is_none_or(|budget| began.elapsed() < budget);
    let jobs = if shares(check, learned.uses_ports) { 1 } else { check.jobs };
    let work = |index: usize, planned: &Planned| {
        let (planned, record) = run_with_retry(&runner, planned, &learned);
        let (trial, found) = told(index, &planned, record, &runner, &learned, &rules);
        progress.trial(&trial);
        (planned, trial, found)
    };
    let mut results = in_parallel(&planned, jobs, &go_on, &work);
    let missed: Vec<(usize, usize, &Planned)> = results
        .iter()
        .zip(&aimed)
        .enumerate()
        .filter(|(_, (result, _))| {
            result.as_ref().is_some_and(|(_, trial, _)| trial.outcome == quietus_reports::Outcome::Missed)
        })
        .filter_map(|(place, (_, aimed))| Some((place, aimed.window?, &aimed.planned)))
        // Of a cleanup no further control can say where its windows are.
        .filter(|(_, _, planned)| planned.plan.acts.len() == 1)
        .collect();
    if !missed.is_empty() && !check.exhaustive && go_on() {
        let of_windows: Vec<(usize, &Planned)> =
            missed.iter().map(|(_, window, planned)| (*window, *planned)).collect();
        progress.control("undisturbed, once more: some windows were missed");
        let moved = addressed_again(&runner, &learned, &of_windows);
        let plans: Vec<Planned> = moved.iter().map(|(_, planned)| planned.clone()).collect();
        let retried = in_parallel(&plans, jobs, &go_on, &work);
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
    let mut gatherer = Gatherer::default();
    learned.found.iter().for_each(|found| gatherer.control(found.clone()));
    let (mut trials, mut shown): (Vec<Trial>, Vec<(Planned, Vec<usize>)>) = (Vec::new(), Vec::new());
    let mut results: Vec<_> =
        results.into_iter().zip(&aimed).filter_map(|(result, aimed)| Some((result?, aimed))).collect();
    // The report tells them window by window, however they were run.
    results.sort_by_key(|((planned, ..), aimed)| (planned.plan.acts.len() > 1, aimed.window));
    let mut reached: Vec<(Option<usize>, bool)> = Vec::new();
    for (index, ((planned, mut trial, found), aimed)) in results.into_iter().enumerate() {
        let indices = gatherer.trial(&planned, found);
        shown.push((planned, indices));
        reached.push((aimed.window, trial.outcome.reached()));
        trial.index = u32::try_from(index).unwrap_or(u32::MAX);
        trial.window = aimed.window.and_then(|number| u32::try_from(number).ok());
        trial.predicted.clone_from(&aimed.predicted);
        trials.push(trial);
    }
    let mut notes = if strategy(check) == Strategy::Check { plan::left_out(&learned, check.pty) } else { Vec::new() };
    let fails = fails_undisturbed(&learned, check);
    notes.extend(fails.clone().into_iter().chain(unswept));
    notes.extend(learned.about_states.iter().cloned());
    notes.extend(check.allows.iter().filter(|allow| allow.is_expired(&check.today)).map(|allow| {
        format!(
            "{} is no longer accepted: that expired on {}",
            allow.code,
            allow.expires.as_deref().unwrap_or("an unknown day")
        )
    }));
    if trials.len() < planned.len() {
        let why = if interrupt.is_raised() { "interrupted" } else { "the budget was used up" };
        notes.push(format!("{} of {} trials were not run: {why}", planned.len() - trials.len(), planned.len()));
    }
    let swept = learned.map.as_ref().filter(|_| runner.sweeps());
    if let Some(map) = swept {
        notes.extend(about(map));
        notes.extend(learned.recorded.iter().flat_map(|recorded| refused(&recorded.recording)));
    }
    confirm(&runner, &learned, &rules, &mut gatherer, jobs, &go_on, progress);
    let ended_well: Vec<TrialPlan> = trials
        .iter()
        .zip(&shown)
        .filter(|(trial, _)| trial.outcome == quietus_reports::Outcome::Ended && trial.findings.is_empty())
        .map(|(_, (planned, _))| planned.plan.clone())
        .collect();
    gatherer.excuse_starting_pid1(&ended_well);
    if swept.is_none() {
        gatherer.excuse_not_yet_handled(&ended_well);
    }
    for (trial, (_, indices)) in trials.iter_mut().zip(&shown) {
        trial.findings = indices.iter().filter_map(|index| gatherer.fingerprint(*index)).collect();
    }
    let tried = trials
        .iter()
        .filter(|trial| matches!(trial.outcome, quietus_reports::Outcome::Ended | quietus_reports::Outcome::Killed))
        .count();
    let replay = |token: &Token| format!("{}{token}{}", check.replay.0, check.replay.1);
    let mut findings = gatherer.finish(u32::try_from(tried).unwrap_or(u32::MAX), &check.allows, &check.today, &replay);
    if let (Some(map), Some(recorded)) = (&learned.map, &learned.recorded) {
        let send = check.send.clone().unwrap_or_else(Injection::usual);
        for finding in &mut findings {
            trace_to_maker(finding, map, &recorded.recording, &check.command);
            blame(finding, map, &send, &left_in(finding, &trials, &shown), &check.rules.log);
        }
    }
    // One that was refused what it does by itself shows how it fails, not how it is terminated.
    let is_another = learned.recorded.iter().any(|recorded| wants_to_trace(&recorded.recording));
    for finding in findings.iter_mut().filter(|finding| is_another && finding.severity == Severity::Error) {
        finding.severity = Severity::Warn;
    }
    let mut run = Run {
        scenario: check.name.clone(),
        agent: check.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        kind: kind(learned.kind),
        strategy: strategy(check).word().to_owned(),
        control: Some(learned.control),
        windows: swept.map(|map| coverage(map, &reached)),
        trials,
        findings,
        notes,
        verdict: Verdict::Inconclusive,
    };
    run.verdict = match quietus_reports::Gate::default().judge_run(&run) {
        Verdict::Clean if fails.is_some() || is_another => Verdict::Inconclusive,
        verdict => verdict,
    };
    Ok(run)
}

/// The windows in which a finding was seen after a single injection.
fn left_in(finding: &Finding, trials: &[Trial], shown: &[(Planned, Vec<usize>)]) -> BTreeSet<usize> {
    let single = trials.iter().zip(shown).filter(|(_, (planned, _))| planned.plan.acts.len() == 1);
    let with_it = single.filter(|(trial, _)| trial.findings.contains(&finding.fingerprint));
    with_it.filter_map(|(trial, _)| usize::try_from(trial.window?).ok()).collect()
}

/// An agent that fails by itself shows nothing of how it would be terminated.
fn fails_undisturbed(learned: &Learned, check: &Check) -> Option<String> {
    use crate::model::Ended;
    let ended = learned.expected.ended?;
    let declared = check.rules.exit.as_ref().is_some_and(|exits| exits.iter().any(|exit| exit.is(ended)));
    if ended == Ended::Exited(check.control_exit.into()) || declared {
        return None;
    }
    let said = learned.last_line.as_deref().map(|line| format!("; it wrote: {line}")).unwrap_or_default();
    Some(format!("undisturbed, the agent ends with {ended}: is the command right?{said}"))
}

fn kind(kind: Kind) -> AgentKind {
    match kind {
        Kind::Job => AgentKind::Job,
        Kind::Server => AgentKind::Server,
        Kind::Session => AgentKind::Session,
    }
}

/// Who chose the trials.
fn strategy(check: &Check) -> Strategy {
    match check.strategy {
        _ if !check.trials.is_empty() => Strategy::Script,
        Strategy::Sweep => Strategy::Sweep,
        Strategy::Check | Strategy::Script => Strategy::Check,
    }
}

/// The trials to run, and what a sweep of the cleanup could not do.
fn plans(
    runner: &Runner<'_>,
    learned: &Learned,
    progress: &dyn Progress,
) -> Result<(Vec<Aimed>, Option<String>), CheckError> {
    let check = runner.check;
    let repeated = |once: Vec<Aimed>| std::iter::repeat_n(once, check.repeat.max(1) as usize).flatten().collect();
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
    let once = planned.into_iter().map(|planned| Aimed { planned, window: None, predicted: None }).collect();
    Ok((repeated(once), None))
}

/// Why a trial that ended did not do all that was planned, if it did not.
fn cut_short(plan: &TrialPlan, record: &TrialRecord) -> Option<&'static str> {
    let injects = |action: &Action| matches!(action, Action::Inject(step) if step.acts());
    let done =
        record.timeline.iter().filter(|moment| matches!(&moment.what, What::Did(action) if injects(action))).count();
    let last = plan.acts.len().checked_sub(1).filter(|last| *last > 0)?;
    let before = plan.acts.iter().take(last).flat_map(|act| act.send.steps()).filter(|step| step.acts());
    if done <= before.count() {
        return Some("the agent ended before the last point");
    }
    let faults = plan.acts.iter().flat_map(|act| act.send.faults()).count();
    (record.evidence.failed.len() < faults).then_some("the call that was to fail was not made")
}

/// A point that came too late is tried once more: the agent does not take the same
/// time in every run. A time of the default set is then taken from how long it took.
fn run_with_retry(
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
    if strategy(runner.check) == Strategy::Check {
        plan::quicken(&mut again.plan, learned.duration, record.evidence.ended_at.unwrap_or(record.duration));
    }
    let record = runner.trial(&again.plan, learned, Duration::ZERO);
    (again, record)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn told(
    index: usize,
    planned: &Planned,
    record: Result<TrialRecord, DriverError>,
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
    let Judged { mut found, unclear } = runner.judge(&planned.plan, &record, learned, rules);
    // It is kept until all trials are done, and those may be many.
    found.shrink_to_fit();
    if let Some(why) = cut_short(&planned.plan, &record).filter(|_| trial.outcome == quietus_reports::Outcome::Ended) {
        trial.note = Some(why.to_owned());
        // What was found was left by what was done, and counts; nothing found is no clean trial.
        if found.is_empty() {
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

/// Runs each plan that showed something again, with time for survivors to end.
/// What was not seen every time gets a second chance at another of its points.
fn confirm(
    runner: &Runner<'_>,
    learned: &Learned,
    rules: &Rules,
    gatherer: &mut Gatherer,
    jobs: usize,
    go_on: &(dyn Fn() -> bool + Sync),
    progress: &dyn Progress,
) {
    gatherer.rank(&runner.check.send.clone().unwrap_or_else(Injection::usual));
    for round in 0..2 {
        let plans = gatherer.to_confirm(round);
        let times = runner.check.confirm as usize;
        let runs: Vec<TrialPlan> = plans.iter().flat_map(|plan| std::iter::repeat_n(plan.clone(), times)).collect();
        if runs.is_empty() {
            return;
        }
        progress.confirming(runs.len());
        let results = in_parallel(&runs, jobs, go_on, &|_, plan| {
            let record = runner.trial(plan, learned, LINGER).ok()?;
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

/// The windows of an agent, without any trial.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The windows.
    pub map: Map,
    /// What kind the agent is.
    pub kind: Kind,
    /// Why the undisturbed agent may not be what it should be.
    pub doubts: Vec<String>,
}

/// Runs the controls and cuts them into windows.
///
/// # Errors
/// As [`check`]; [`CheckError::Control`] when the run could not be recorded.
pub fn map(
    driver: &dyn Driver,
    check: &Check,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<Mapped, CheckError> {
    let runner = Runner { driver, check, interrupt, traces: false };
    let learned = control::observe(&runner, progress)?;
    let refused = learned.recorded.iter().flat_map(|recorded| refused(&recorded.recording));
    let doubts = fails_undisturbed(&learned, check).into_iter().chain(refused).collect();
    let map = learned.map.ok_or_else(|| CheckError::Control("it was not recorded".to_owned()))?;
    Ok(Mapped { map, kind: learned.kind, doubts })
}

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
/// As [`check`].
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
    let (trial, found) = told(0, &planned, Ok(record.clone()), &runner, &learned, &rules);
    let again = if runner.traces { None } else { runner.watch(plan, &learned, LINGER).ok() };
    let recorded = again.filter(|again| {
        let (other, _) = told(0, &planned, Ok(again.clone()), &runner, &learned, &rules);
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
        agent: check.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        kind: kind(learned.kind),
        strategy: "replay".to_owned(),
        control: Some(learned.control),
        windows: None,
        trials: vec![trial],
        findings,
        notes: Vec::new(),
        verdict: Verdict::Inconclusive,
    };
    run.verdict = quietus_reports::Gate::default().judge_run(&run);
    Ok(Replayed { run, record, recorded })
}
