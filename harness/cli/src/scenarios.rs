//! `quietus run`: scenario files, one after the other, into one report.

use crate::args::{GuaranteeArgument, RunArguments};
use crate::checking::{self, GRACE};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::progress::Shown;
use crate::quote::quote_all;
use quietus::audit::Rules;
use quietus::driver::{Driver, Interrupt};
use quietus::explore::{Check, CheckError, Planned, check};
use quietus::model::{Act, Injection, Signal, Stdin, Step, TrialPlan};
use quietus::scenario::{GuaranteeWish, Kind, Network, Scenario, parse};
use quietus_reports::{AgentKind, Guarantee, Level, Run, Verdict};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A scenario and where it was read.
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
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
    let shown = Shown::choose(&arguments.output);
    let started = jiff::Zoned::now();
    let (mut runs, mut guarantee): (Vec<Run>, Option<Guarantee>) = (Vec::new(), None);
    for one in &loaded {
        if interrupt.is_raised() {
            break;
        }
        let mut wanted = to_check(one)?;
        wanted.jobs = checking::jobs(&arguments.runner);
        wanted.confirm = arguments.runner.confirm.unwrap_or(wanted.confirm);
        let driver = driver_of(one, &wanted, &shown)?;
        let outcome = check(&*driver, &wanted, interrupt, &shown);
        shown.finish();
        guarantee = Some(weaker(guarantee, driver.guarantee()));
        match outcome {
            Ok(run) => runs.push(run),
            Err(CheckError::Control(why)) => runs.push(inconclusive(&wanted, why)),
            Err(CheckError::Interrupted) => break,
            Err(error) => return Err(Failure::from(error).in_scenario(&one.path)),
        }
    }
    let guarantee = guarantee.ok_or_else(|| Failure::usage("interrupted before the first scenario"))?;
    let report = checking::report(runs, guarantee, &started);
    output::write(&report, &arguments.output)?;
    Ok(checking::finish(&report, interrupt))
}

/// Of several runs the report says what was in force in the weakest.
fn weaker(before: Option<Guarantee>, now: Guarantee) -> Guarantee {
    match before {
        Some(before) if before.level == Level::Portable => before,
        _ => now,
    }
}

fn inconclusive(wanted: &Check, why: String) -> Run {
    Run {
        scenario: wanted.name.clone(),
        agent: wanted.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        kind: AgentKind::Job,
        strategy: "check".to_owned(),
        control: None,
        windows: None,
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
            let before = files.len();
            collect(path, &mut files, 0);
            if files.len() == before {
                return Err(Failure::usage(format!("no scenario file (*.toml with an [agent]) in {}", path.display())));
            }
        } else {
            files.push(path.clone());
        }
    }
    let (mut loaded, mut faults) = (Vec::new(), Vec::new());
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

fn collect(directory: &Path, files: &mut Vec<PathBuf>, depth: usize) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir()
            && !path.is_symlink()
            && !hidden
            && depth < 16
            && path.file_name().is_none_or(|name| name != "target" && name != "node_modules")
        {
            collect(&path, files, depth + 1);
        } else if path.extension().is_some_and(|end| end == "toml")
            && std::fs::read_to_string(&path).is_ok_and(|text| text.lines().any(|line| line.trim() == "[agent]"))
        {
            files.push(path);
        }
    }
}

pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read the scenario {}: {error}", path.display())))?;
    match parse(&path.display().to_string(), &text) {
        Ok(scenario) => Ok(Loaded { path: path.to_path_buf(), scenario }),
        Err(diagnostics) => {
            let color = std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            Err(Failure::rendered(diagnostics.render(color)))
        }
    }
}

/// From a scenario to a check. Relative paths start at the scenario file.
pub(crate) fn to_check(loaded: &Loaded) -> Result<Check, Failure> {
    let Loaded { path, scenario } = loaded;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let workspace =
        scenario.agent.workspace.as_ref().map_or_else(|| parent.to_path_buf(), |workspace| parent.join(workspace));
    let directory = workspace.canonicalize().ok().filter(|directory| directory.is_dir());
    let directory = directory.ok_or_else(|| {
        Failure::usage(format!("{}: the workspace {} is not a directory", path.display(), workspace.display()))
    })?;
    let profile = scenario.terminate.profile;
    let send = scenario
        .terminate
        .send
        .clone()
        .or_else(|| profile.map(|profile| profile.injection()))
        .unwrap_or_else(|| Injection::signal(Signal::TERM));
    let grace = scenario.terminate.grace.or_else(|| profile.map(|profile| profile.grace)).unwrap_or(GRACE);
    let pid1 = scenario.agent.pid1.unwrap_or_else(|| profile.is_some_and(|profile| profile.pid1));
    let pty =
        scenario.agent.pty.unwrap_or_else(|| profile.is_some_and(|profile| profile.pty) || send.has(Step::PtyHangup));
    let words = |words: &[String]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let mut environment: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(key, _)| !scenario.agent.env.contains_key(&*key.to_string_lossy())).collect();
    environment.extend(scenario.agent.env.iter().map(|(key, value)| (key.into(), value.into())));
    let trials = scenario
        .scripts
        .iter()
        .map(|script| {
            let act = Act { at: script.at.clone(), send: script.send.clone().unwrap_or_else(|| send.clone()) };
            let plan =
                TrialPlan { acts: vec![act], grace: script.grace.unwrap_or(grace), stdin: Stdin::Closed, pty, pid1 };
            Planned { label: "script".to_owned(), plan, informational: script.informational }
        })
        .collect();
    Ok(Check {
        name: scenario.name.clone(),
        command: words(&scenario.agent.command),
        environment,
        directory,
        prepare: scenario.agent.prepare.iter().map(|command| words(command)).collect(),
        stdin: scenario.agent.stdin.clone(),
        kind: scenario.agent.kind,
        pty,
        pid1,
        ready: scenario.agent.ready.clone(),
        send,
        grace,
        settle: scenario.terminate.settle.unwrap_or(std::time::Duration::from_secs(1)),
        horizon: std::time::Duration::from_secs(10),
        trials,
        repeat: scenario.explore.repeat,
        confirm: scenario.explore.confirm,
        jobs: 1,
        budget: scenario.explore.budget,
        rules: Rules {
            kind: scenario.agent.kind.unwrap_or(Kind::Job),
            survivors: scenario.survivors.clone(),
            exit: scenario.expect.exit.clone(),
            within: scenario.expect.within,
            log: scenario.expect.log.clone(),
        },
        allows: scenario.allows.clone(),
        today: checking::today(),
        replay: ("quietus replay ".to_owned(), format!(" --scenario {}", quote_all([path.as_os_str()]))),
        private_network: scenario.cell.network == Network::Private,
    })
}

/// The driver a scenario asks for.
pub(crate) fn driver_of(one: &Loaded, wanted: &Check, shown: &Shown) -> Result<Box<dyn Driver>, Failure> {
    let wish = match one.scenario.cell.guarantee {
        GuaranteeWish::Auto => GuaranteeArgument::Auto,
        GuaranteeWish::Full => GuaranteeArgument::Full,
        GuaranteeWish::Portable => GuaranteeArgument::Portable,
    };
    checking::driver(wanted, wish, one.scenario.cell.max_processes.unwrap_or(2048), shown)
}
