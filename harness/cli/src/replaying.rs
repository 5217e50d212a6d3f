//! `quietus replay`: one trial again, with its whole timeline.

use crate::args::{AgentArguments, Arguments, Command, FormatArgument, ReplayArguments, RunnerArguments};
use crate::checking;
use crate::exit::{Exit, Failure};
use crate::progress::Shown;
use crate::timeline::timeline;
use crate::{output, reporting, scenarios};
use clap::Parser as _;
use quietus::driver::{Driver, Interrupt};
use quietus::explore::{Check, replay};
use quietus::model::split_quoted;
use quietus::model::{Token, TrialPlan};
use quietus::scenario::GuaranteeWish;
use quietus_reports::{Report, Severity};
use std::ffi::OsString;
use std::path::Path;

pub(crate) fn run(arguments: ReplayArguments, interrupt: &Interrupt) -> Result<Exit, Failure> {
    output::plan(&arguments.output)?;
    let arguments = recorded(arguments)?;
    let shown = Shown::choose(&arguments.output)?;
    let (wanted, plan, driver) = what(&arguments, &shown)?;
    let started = jiff::Zoned::now();
    let replayed = replay(&*driver, &wanted, &plan, interrupt, &shown);
    shown.finish();
    let replayed = replayed?;
    let human = output::plan(&arguments.output)?
        .iter()
        .any(|(format, path)| *format == FormatArgument::Human && path.is_none());
    if human {
        output::print(&timeline(&replayed))?;
    }
    let report = quietus::explore::report(vec![replayed.run], driver.guarantee(), &started);
    output::write(&report, &arguments.output)?;
    shown.close()?;
    Ok(checking::finish(&report, interrupt))
}

type Replayable = (Check, TrialPlan, Box<dyn Driver>);

/// A report says with which command line its findings are replayed; what is said
/// here counts more.
fn recorded(given: ReplayArguments) -> Result<ReplayArguments, Failure> {
    let path = Path::new(&given.what);
    if given.what.starts_with("q1/") || !path.exists() {
        return Ok(given);
    }
    let report = reporting::report(path)?;
    let (token, line) = choose(&report, given.finding.as_deref())?;
    if given.scenario.is_some() || !given.program.is_empty() {
        return Ok(ReplayArguments { what: token, ..given });
    }
    let words = split_quoted(&line)
        .ok_or_else(|| Failure::usage(format!("the report's replay line cannot be read: {line}")))?;
    match Arguments::try_parse_from(words).map(|arguments| arguments.command) {
        Ok(Command::Replay(recorded)) => Ok(ReplayArguments { output: given.output, ..recorded }),
        _ => Err(Failure::usage(format!("the report's replay line cannot be read: {line}"))
            .with_help("give the token and `-- CMD …`, or --scenario FILE")),
    }
}

/// What is to be replayed, and against which agent.
fn what(arguments: &ReplayArguments, shown: &Shown) -> Result<Replayable, Failure> {
    let Token(plan) = arguments.what.parse().map_err(|error: quietus::model::TokenError| {
        Failure::usage(error.to_string())
            .with_help("give a token from a report, or the path of a JSON report that exists")
    })?;
    if let Some(path) = &arguments.scenario {
        let loaded = scenarios::load(path)?;
        let wanted = scenarios::to_check(&loaded)?;
        let driver = scenarios::driver_of(&loaded, &wanted, shown)?;
        return Ok((with(wanted, &plan), plan, driver));
    }
    let program = arguments.program.clone();
    if program.is_empty() {
        return Err(Failure::usage("a token says what is done, not to which program")
            .with_help("add `-- CMD …`, or --scenario FILE"));
    }
    let (wanted, guarantee) = from_flags(&arguments.agent, program)?;
    let wanted = with(wanted, &plan);
    let driver = checking::driver(&wanted, guarantee, shown)?;
    Ok((wanted, plan, driver))
}

fn from_flags(agent: &AgentArguments, program: Vec<OsString>) -> Result<(Check, GuaranteeWish), Failure> {
    checking::base(agent, &RunnerArguments { jobs: Some(1), confirm: Some(0) }, program)
}

/// The plan knows its terminal, its PID 1 and its grace.
fn with(mut wanted: Check, plan: &TrialPlan) -> Check {
    (wanted.pty, wanted.pid1, wanted.grace) = (plan.pty, plan.pid1, plan.grace);
    wanted
}

/// The token of a finding, and the command line that replays it.
fn choose(report: &Report, finding: Option<&str>) -> Result<(String, String), Failure> {
    let mut all = report.runs.iter().flat_map(|run| &run.findings).filter(|one| !one.token.is_empty());
    let chosen = match finding {
        Some(wanted) => all.find(|one| one.fingerprint == wanted || one.code.as_str() == wanted),
        None => all.max_by_key(|one| {
            (one.severity == Severity::Error, one.severity == Severity::Warn, !one.is_not_reproduced())
        }),
    };
    let one = chosen.ok_or_else(|| {
        Failure::usage(match finding {
            Some(wanted) => format!("the report has no finding `{wanted}` that can be replayed"),
            None => "the report has no finding that can be replayed".to_owned(),
        })
    })?;
    Ok((one.token.clone(), one.replay.clone()))
}
