//! `quietus run`: scenario files, one after the other, into one report.

use crate::args::{RunArguments, RunnerArguments, TerminateArguments};
use crate::checking;
use crate::exit::{Exit, Failure};
use crate::fuzzing;
use crate::journal;
use crate::output;
use crate::progress::Shown;
use crate::sharding;
use quietus::driver::{Driver, DriverError, Interrupt};
use quietus::explore::{Check, CheckError, Journaled, check, read_plans, regressions_beside, report, scenario_files};
use quietus::model::quote_all;
use quietus::scenario::{GuaranteeWish, Scenario, Strategy, parse};
use quietus_reports::fingerprint::digest;
use quietus_reports::{AgentKind, Division, Doubt, Guarantee, Level, Report, Run, Shards, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A scenario and where it was read.
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) scenario: Scenario,
}

pub(crate) fn run(arguments: &RunArguments, interrupt: &Interrupt) -> Result<Exit, Failure> {
    output::plan(&arguments.output)?;
    let mut loaded = load_all(&arguments.paths)?;
    if let Some(filter) = &arguments.filter {
        loaded.retain(|one| {
            one.scenario.name.contains(filter.as_str()) || one.path.to_string_lossy().contains(filter.as_str())
        });
        if loaded.is_empty() {
            return Err(Failure::usage(format!("no scenario has `{filter}` in its name or path")));
        }
    }
    told_apart(&loaded)?;
    let division = sharding::division(arguments, arguments.output.quiet)?;
    let shards = shards(division.as_ref(), &loaded);
    let mut resumed = Resumed::read(arguments)?;
    let shown = Shown::going_on(&arguments.output, arguments.resume)?;
    let started = jiff::Zoned::now();
    let (mut runs, mut guarantee): (Vec<Run>, Option<Guarantee>) = (Vec::new(), None);
    for one in &loaded {
        if interrupt.is_raised() {
            break;
        }
        let mut wanted = to_check(one)?;
        wanted.timelines = output::is_kept(&arguments.output);
        wanted.jobs = checking::jobs(&arguments.runner);
        wanted.confirm = arguments.runner.confirm.unwrap_or(wanted.confirm);
        wanted.division.clone_from(&division);
        let wish = arguments.guarantee.map_or(one.scenario.cell.guarantee, GuaranteeWish::from);
        let driver = checking::driver(&wanted, wish, &shown)?;
        guarantee = Some(weaker(guarantee, driver.guarantee()));
        let key = key(one, &wanted, division.as_ref());
        let about = Report { shards: shards.clone(), ..report(Vec::new(), driver.guarantee(), &started) };
        if runs.is_empty() {
            resumed.plan(&loaded, division.as_ref(), &about, &shown)?;
        }
        let replay = wanted.replay.clone();
        shown.journal(|journal| journal.next(journal::Next { key: Some(key.clone()), report: about, replay }));
        let before = resumed.take(&key);
        if let Some(run) = before.as_ref().filter(|before| before.is_over).map(|before| before.run.clone()) {
            runs.push(run);
            continue;
        }
        wanted.done = before.map(|before| before.trials).unwrap_or_default();
        // Trials at random follow from each other: one machine makes them all.
        let place = division
            .as_ref()
            .filter(|division| wanted.strategy == Strategy::Fuzz && !division.takes(&wanted.name, "fuzz"));
        let outcome = match place {
            Some(_) => Ok(elsewhere(&wanted)),
            None => check(&*driver, &wanted, interrupt, &shown),
        };
        shown.finish();
        let run = match outcome {
            Ok(run) => {
                if wanted.strategy == Strategy::Fuzz {
                    fuzzing::remember(&one.path, &run, &shown)?;
                }
                run
            }
            Err(CheckError::Control(why)) => inconclusive(&wanted, why),
            Err(CheckError::Driver(error @ DriverError::Service { .. })) => inconclusive(&wanted, error.to_string()),
            // Whoever else can be run is not to lose by it.
            Err(CheckError::Driver(error @ DriverError::Command { .. })) if loaded.len() > 1 => {
                output::complain(&format!("{}: {error}", one.path.display()));
                inconclusive(&wanted, error.to_string())
            }
            Err(CheckError::Interrupted) => break,
            Err(error) => return Err(Failure::from(error).in_scenario(&one.path)),
        };
        // What was broken off is gone on with; only what is whole is over.
        if !interrupt.is_raised() {
            shown.journal(|journal| {
                journal.begin(&run);
                journal.end(&run);
            });
        }
        runs.push(run);
    }
    resumed.tell(arguments);
    // What was planned and not begun is not clean.
    for one in loaded.iter().skip(runs.len()) {
        runs.push(not_begun(&to_check(one)?));
    }
    let guarantee = guarantee.ok_or_else(|| Failure::usage("interrupted before the first scenario"))?;
    let report = Report { shards, ..report(runs, guarantee, &started) };
    output::write(&report, &arguments.output)?;
    shown.close()?;
    Ok(checking::finish(&report, interrupt))
}

/// Which part of the work it is.
fn shards(division: Option<&Division>, loaded: &[Loaded]) -> Option<Shards> {
    let division = division?;
    let shard = division.shard();
    let name = division.name(loaded.iter().map(|one| one.scenario.name.as_str()));
    Some(Shards { total: shard.total(), present: vec![shard.index()], division: Some(name) })
}

/// What was run, by what decides what its trials are and find: the scenario, and the files that
/// the command of its agent names.
fn key(one: &Loaded, wanted: &Check, division: Option<&Division>) -> String {
    let shard = division.map(|division| division.shard().to_string()).unwrap_or_default();
    let path = one.path.to_string_lossy();
    let mut parts =
        [env!("CARGO_PKG_VERSION"), &*path, &one.text, &shard].map(|part| part.as_bytes().to_vec()).to_vec();
    for word in wanted.command.iter().chain(wanted.prepare.iter().flatten()) {
        parts.push(content(&wanted.directory.join(word)));
    }
    digest(parts)
}

/// A file as far as it tells whether it changed; nothing of what is none. One that cannot be
/// read is told when it is run.
fn content(path: &Path) -> Vec<u8> {
    let Some(metadata) = path.metadata().ok().filter(std::fs::Metadata::is_file) else { return Vec::new() };
    if metadata.len() <= MOST_OF_A_FILE {
        return std::fs::read(path).unwrap_or_default();
    }
    format!("{} {:?}", metadata.len(), metadata.modified().ok()).into_bytes()
}

/// What an earlier run had done.
struct Resumed {
    runs: Vec<Journaled>,
    /// When it began.
    began: String,
    /// How many trials of it are taken over.
    trials: usize,
    /// Whether something of it was of use.
    used: bool,
}

impl Resumed {
    /// From the journal. Where there is none, nothing was done.
    fn read(arguments: &RunArguments) -> Result<Self, Failure> {
        let path = arguments.output.journal.as_ref().filter(|path| arguments.resume && path.exists());
        let runs = path.map(|path| journal::read(path)).transpose()?.unwrap_or_default();
        let began = runs.first().map(|run| run.report.started.clone()).unwrap_or_default();
        Ok(Self { runs, began, trials: 0, used: false })
    }

    /// Writes down what is going to be run, so that a journal tells what is missing in it.
    fn plan(
        &self,
        loaded: &[Loaded],
        division: Option<&Division>,
        about: &Report,
        shown: &Shown,
    ) -> Result<(), Failure> {
        for one in loaded {
            let wanted = to_check(one)?;
            let key = key(one, &wanted, division);
            if !self.runs.iter().any(|run| run.key.as_ref() == Some(&key)) {
                shown.journal(|journal| {
                    let replay = wanted.replay.clone();
                    journal.next(journal::Next { key: Some(key), report: about.clone(), replay });
                    journal.begin(&not_begun(&wanted));
                });
            }
        }
        Ok(())
    }

    /// What of the result is not of today, or that nothing is.
    fn tell(&self, arguments: &RunArguments) {
        let Some(path) = arguments.output.journal.as_ref().map(|path| path.display()) else { return };
        if self.trials > 0 {
            let (trials, began) = (self.trials, &self.began);
            output::complain(&format!(
                "{trials} trials are taken over from {path}, begun on {began}: what changed since, but for the scenarios and the files that their commands name, is not seen"
            ));
        } else if !self.used && !self.runs.is_empty() {
            output::complain(&format!("{path} holds nothing of these scenarios as they are: everything was run"));
        }
    }

    /// What was done of this, the last time.
    fn take(&mut self, key: &str) -> Option<Journaled> {
        let place = self.runs.iter().rposition(|run| run.key.as_deref() == Some(key))?;
        let run = self.runs.remove(place);
        let trials = if run.is_over { run.run.trials.len() } else { run.trials.len() };
        self.trials += trials;
        self.used |= trials > 0 || run.is_over;
        Some(run)
    }
}

/// Of several runs the report says what was in force in the weakest.
fn weaker(before: Option<Guarantee>, now: Guarantee) -> Guarantee {
    match before {
        Some(before) if before.level == Level::Portable => before,
        _ => now,
    }
}

/// A run of which another shard makes all trials.
fn elsewhere(wanted: &Check) -> Run {
    Run {
        strategy: "fuzz".to_owned(),
        elsewhere: 1,
        doubt: None,
        notes: Vec::new(),
        verdict: Verdict::Clean,
        ..inconclusive(wanted, String::new())
    }
}

/// A run that was planned, before or without its first trial.
fn not_begun(wanted: &Check) -> Run {
    Run {
        doubt: Some(Doubt::BrokenOff),
        notes: vec!["it was not begun: the run was broken off before".to_owned()],
        ..inconclusive(wanted, String::new())
    }
}

fn inconclusive(wanted: &Check, why: String) -> Run {
    Run {
        scenario: wanted.name.clone(),
        file: wanted.file_name(),
        agent: wanted.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        kind: AgentKind::Job,
        strategy: "check".to_owned(),
        control: None,
        windows: None,
        map: None,
        elsewhere: 0,
        doubt: None,
        trials: Vec::new(),
        findings: Vec::new(),
        notes: vec![format!("the control gave no ground to judge by: {why}")],
        verdict: Verdict::Inconclusive,
    }
}

/// Reads every scenario; the faults of all files are told at once.
fn load_all(paths: &[PathBuf]) -> Result<Vec<Loaded>, Failure> {
    let mut files: Vec<PathBuf> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = scenario_files(path);
            if found.is_empty() {
                return Err(Failure::usage(format!("no scenario file (*.toml with an [agent]) in {}", path.display())));
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let (mut loaded, mut faults) = (Vec::new(), Vec::new());
    // What is named twice, by itself and by its directory, is run once.
    let mut seen = BTreeSet::new();
    files.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    for path in files {
        match load(&path) {
            Ok(one) => loaded.push(one),
            Err(failure) => faults.push(failure),
        }
    }
    let count = faults.len();
    match faults.into_iter().reduce(Failure::and) {
        None => Ok(loaded),
        Some(failure) if count > 1 => {
            Err(failure.and(Failure::usage(format!("{count} files have faults; nothing was run"))))
        }
        Some(failure) => Err(failure),
    }
}

/// Everything that tells runs apart goes by the name of the scenario.
fn told_apart(loaded: &[Loaded]) -> Result<(), Failure> {
    let mut files: BTreeMap<&str, &Path> = BTreeMap::new();
    for Loaded { path, scenario, .. } in loaded {
        if let Some(other) = files.insert(&scenario.name, path) {
            let (name, one, two) = (&scenario.name, other.display(), path.display());
            return Err(Failure::usage(format!("two scenarios are called `{name}`: {one} and {two}"))
                .with_help("give each a `name` of its own: reports, baselines and shards go by it"));
        }
    }
    Ok(())
}

/// More than a scenario may have, so that its parser says what is too much.
const MOST_OF_A_FILE: u64 = 64 << 20;

pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = output::read_text(path, MOST_OF_A_FILE)?;
    // Some editors put a byte order mark in front.
    match parse(&path.display().to_string(), text.strip_prefix('\u{feff}').unwrap_or(&text)) {
        Ok(scenario) => Ok(Loaded { path: path.to_path_buf(), scenario, text }),
        Err(diagnostics) => {
            let color = std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            Err(Failure::rendered(diagnostics.render(color)))
        }
    }
}

/// From a scenario to a check.
pub(crate) fn to_check(loaded: &Loaded) -> Result<Check, Failure> {
    let Loaded { path, scenario, .. } = loaded;
    let mut check = Check::of_scenario(scenario, path, std::env::vars_os().collect(), &checking::today())
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    check.regressions = read_plans(&regressions_beside(path)).map_err(|error| Failure::usage(error.to_string()))?;
    check.replay = ("quietus replay ".to_owned(), format!(" --scenario {}", quote_all([path.as_os_str()])));
    Ok(check)
}

/// The agent of a scenario, terminated in another way than the scenario says: what the
/// command line says counts more.
pub(crate) fn terminate_otherwise(
    wanted: &mut Check,
    runner: &RunnerArguments,
    terminate: &TerminateArguments,
) -> Result<(), Failure> {
    wanted.trials.clear();
    wanted.jobs = checking::jobs(runner);
    wanted.confirm = runner.confirm.unwrap_or(wanted.confirm);
    let (send, grace) = (wanted.send.clone(), wanted.grace);
    checking::terminate(wanted, terminate)?;
    if terminate.send.is_none() && terminate.profile.is_none() {
        wanted.send = send;
        wanted.grace = terminate.grace.unwrap_or(grace);
    }
    Ok(())
}

/// The driver a scenario asks for.
pub(crate) fn driver_of(one: &Loaded, wanted: &Check, shown: &Shown) -> Result<Box<dyn Driver>, Failure> {
    checking::driver(wanted, one.scenario.cell.guarantee, shown)
}
