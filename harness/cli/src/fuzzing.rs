//! `quietus fuzz`: trials at random, from flags or a scenario file.

use crate::args::FuzzArguments;
use crate::checking;
use crate::corpus::Corpus;
use crate::exit::{Exit, Failure};
use crate::live::Live;
use crate::progress::Shown;
use crate::{output, scenarios};
use quietus::driver::{Driver, Interrupt};
use quietus::explore::{Check, add_lines, regression, regressions_beside};
use quietus::scenario::Strategy;
use quietus_reports::escape::escape_terminal;
use quietus_reports::{Finding, Run, Severity};
use std::path::Path;
use std::time::Duration;

/// How long trials are made where nothing else is said.
const USUAL_TIME: Duration = Duration::from_secs(60);

pub(crate) fn run(arguments: &FuzzArguments, interrupt: &Interrupt) -> Result<Exit, Failure> {
    output::plan(&arguments.output)?;
    let shown = Shown::choose(&arguments.output)?;
    let (mut wanted, driver) = what(arguments, &shown)?;
    wanted.timelines = output::is_kept(&arguments.output);
    wanted.strategy = Strategy::Fuzz;
    // Trials that find something wait for what is left, more often than not.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    wanted.jobs = arguments.runner.jobs.map_or(cores * 4, usize::from);
    wanted.fuzz.stop_at_first = arguments.stop_at_first;
    wanted.fuzz.shrink = !arguments.no_shrink;
    wanted.fuzz.guided = !arguments.uniform;
    wanted.fuzz.trials = arguments.trials.or(wanted.fuzz.trials);
    let otherwise = wanted.budget.or_else(|| wanted.fuzz.trials.is_none().then_some(USUAL_TIME));
    wanted.budget = arguments.budget.or(otherwise);
    let corpus = if arguments.no_corpus { None } else { Some(Corpus::open(&wanted)?) };
    wanted.fuzz.corpus = corpus.as_ref().map(Corpus::plans).unwrap_or_default();
    let live = Live::new(&shown, corpus);
    let report = checking::one_run(&*driver, &wanted, interrupt, &live, &shown)?;
    output::write(&report, &arguments.output)?;
    shown.close()?;
    if let (Some(path), Some(run)) = (&arguments.scenario, report.runs.first()) {
        remember(path, run, &shown)?;
    }
    if let Some(why) = live.close().filter(|_| !shown.is_silent()) {
        output::complain(&format!("note: {why}; --no-corpus does without"));
    }
    Ok(checking::finish(&report, interrupt))
}

/// What is terminated: the agent of a scenario file, or of the command line.
fn what(arguments: &FuzzArguments, shown: &Shown) -> Result<(Check, Box<dyn Driver>), Failure> {
    let (mut wanted, driver) = match &arguments.scenario {
        None if arguments.program.is_empty() => {
            return Err(Failure::usage("there is nothing to terminate").with_help("add `-- CMD …`, or a scenario file"));
        }
        None => {
            let program = arguments.program.clone();
            let (mut wanted, guarantee) = checking::base(&arguments.agent, &arguments.runner, program)?;
            checking::terminate(&mut wanted, &arguments.terminate)?;
            wanted.fuzz.seed = by_chance();
            let driver = checking::driver(&wanted, guarantee, shown)?;
            (wanted, driver)
        }
        Some(path) => {
            let loaded = scenarios::load(path)?;
            let mut wanted = scenarios::to_check(&loaded)?;
            scenarios::terminate_otherwise(&mut wanted, &arguments.runner, &arguments.terminate)?;
            if loaded.scenario.explore.seed.is_none() {
                wanted.fuzz.seed = by_chance();
            }
            let driver = scenarios::driver_of(&loaded, &wanted, shown)?;
            (wanted, driver)
        }
    };
    wanted.fuzz.seed = arguments.seed.unwrap_or(wanted.fuzz.seed);
    Ok((wanted, driver))
}

/// A seed that is short enough to be typed.
pub(crate) fn by_chance() -> u64 {
    let now = jiff::Timestamp::now().subsec_nanosecond().unsigned_abs();
    u64::from((now / 100) ^ std::process::id().rotate_left(8)) % 10_000_000
}

/// Whether a finding is one to be made again before others.
fn is_known(finding: &Finding) -> bool {
    let seen_again = finding.confirmed.is_some_and(|confirmed| confirmed.hits() > 0);
    finding.severity > Severity::Note && finding.accepted.is_none() && !finding.token.is_empty() && seen_again
}

/// Adds what was found to the regressions beside a scenario; in CI, where the file would be
/// lost, says what to add.
pub(crate) fn remember(scenario: &Path, run: &Run, shown: &Shown) -> Result<(), Failure> {
    let lines: Vec<String> = run.findings.iter().filter(|finding| is_known(finding)).map(regression).collect();
    let path = regressions_beside(scenario);
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    if in_ci && !lines.is_empty() {
        let lines: Vec<String> = lines.iter().map(|line| escape_terminal(line)).collect();
        output::complain(&format!("add to {}:\n{}", path.display(), lines.join("\n")));
        return Ok(());
    }
    let added = add_lines(&path, &lines).map_err(|error| Failure::usage(error.to_string()))?;
    if added > 0 && !shown.is_silent() {
        let lines = if added == 1 { "a line was".to_owned() } else { format!("{added} lines were") };
        output::complain(&format!(
            "{lines} added to {}: commit it, so that this is tried first from now on",
            path.display()
        ));
    }
    Ok(())
}
