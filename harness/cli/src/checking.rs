//! `quietus check`: from flags to a check, and from its run to a report.

use crate::args::{
    AgentArguments, AmountArguments, CheckArguments, GuaranteeArgument, KindArgument, NetworkArgument, RunnerArguments,
    StdinArgument, TerminateArguments,
};
use crate::exit::{Exit, Failure};
use crate::journal::Next;
use crate::output;
use crate::progress::Shown;
use quietus::driver::{Driver, Interrupt};
use quietus::explore::{Check, DEFAULT_GRACE, Planned, Progress, check, report};
use quietus::model::quote_all;
use quietus::model::{Act, Injection, Point, PointSpec, Stdin, Step, TrialPlan};
use quietus::scenario::{GuaranteeWish, Kind};
use quietus_reports::{Gate, Report};
use std::ffi::OsString;
use std::path::PathBuf;

pub(crate) fn run(arguments: CheckArguments, interrupt: &Interrupt) -> Result<Exit, Failure> {
    output::plan(&arguments.output)?;
    let (mut wanted, guarantee) = base(&arguments.agent, &arguments.runner, arguments.program.clone())?;
    terminate(&mut wanted, &arguments.terminate)?;
    amount(&mut wanted, &arguments.amount);
    if arguments.at.first().is_some_and(|spec| spec.relative) {
        return Err(Failure::usage(format!(
            "the first --at cannot be relative: `{}` counts from nothing",
            arguments.at[0]
        )));
    }
    if arguments.at.iter().skip(1).any(|spec| spec.point == Point::Start) {
        return Err(Failure::usage("`start` can only be the first --at"));
    }
    if !arguments.at.is_empty() {
        wanted.trials = vec![exactly(&wanted, arguments.at)];
    }
    let shown = Shown::choose(&arguments.output)?;
    wanted.timelines = output::is_kept(&arguments.output);
    let driver = driver(&wanted, guarantee, &shown)?;
    let report = one_run(&*driver, &wanted, interrupt, &shown, &shown)?;
    output::write(&report, &arguments.output)?;
    shown.close()?;
    Ok(finish(&report, interrupt))
}

/// Runs one check and reports it; the journal has its beginning and, unless it was interrupted,
/// its end. `progress` is `shown` or leads there.
pub(crate) fn one_run(
    driver: &dyn Driver,
    wanted: &Check,
    interrupt: &Interrupt,
    progress: &dyn Progress,
    shown: &Shown,
) -> Result<Report, Failure> {
    let started = jiff::Zoned::now();
    shown.journal(|journal| {
        let report = report(Vec::new(), driver.guarantee(), &started);
        journal.next(Next { key: None, report, replay: wanted.replay.clone() });
    });
    let run = check(driver, wanted, interrupt, progress);
    shown.finish();
    let run = run?;
    if !interrupt.is_raised() {
        shown.journal(|journal| journal.end(&run));
    }
    Ok(report(vec![run], driver.guarantee(), &started))
}

/// Takes in how the agent is to be terminated.
pub(crate) fn terminate(wanted: &mut Check, arguments: &TerminateArguments) -> Result<(), Failure> {
    let profile = arguments.profile;
    wanted.send = arguments.send.clone().or_else(|| profile.map(|profile| profile.injection()));
    wanted.grace = arguments.grace.or_else(|| profile.map(|profile| profile.grace)).unwrap_or(DEFAULT_GRACE);
    wanted.pid1 |= profile.is_some_and(|profile| profile.pid1);
    wanted.pty |= profile.is_some_and(|profile| profile.pty);
    wanted.control_exit = arguments.control_exit;
    if wanted.pid1 && wanted.send.as_ref().is_some_and(|send| send.has(&Step::ParentDeath)) {
        return Err(Failure::usage(
            "parent-death cannot be tried on PID 1: the end of its parent is the end of its namespace",
        ));
    }
    Ok(())
}

/// Takes in how many trials there are to be.
pub(crate) fn amount(wanted: &mut Check, arguments: &AmountArguments) {
    wanted.repeat = arguments.repeat;
    wanted.budget = arguments.budget;
}

/// The trial that --at asks for.
fn exactly(wanted: &Check, at: Vec<PointSpec>) -> Planned {
    let plan = TrialPlan {
        acts: vec![Act { at, send: wanted.send.clone().unwrap_or_else(Injection::usual) }],
        grace: wanted.grace,
        stdin: Stdin::Closed,
        pty: wanted.pty,
        pid1: wanted.pid1,
        noise: quietus::model::Noise::NONE,
    };
    Planned { label: "as asked".to_owned(), plan, informational: false }
}

/// How the command ends after a report was written.
pub(crate) fn finish(report: &Report, interrupt: &Interrupt) -> Exit {
    if interrupt.is_raised() { Exit::Interrupted } else { Exit::Gate(Gate::default().exit_code(report)) }
}

/// Trials mostly wait, so twice as many as there are cores run well side by side.
pub(crate) fn jobs(arguments: &RunnerArguments) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    arguments.jobs.map_or_else(|| (cores() * 2).max(4), usize::from)
}

/// What every command that runs one agent has in common.
pub(crate) fn base(
    agent: &AgentArguments,
    runner: &RunnerArguments,
    program: Vec<OsString>,
) -> Result<(Check, GuaranteeWish), Failure> {
    let directory = directory(agent.workspace.as_ref())?;
    let private_network = agent.network == NetworkArgument::Private;
    let tail = replay_tail(agent, &program);
    let mut check = Check::of_command(program, std::env::vars_os().collect(), directory);
    check.replay.1 = tail;
    check.stdin = agent.stdin.map(|stdin| match stdin {
        StdinArgument::Closed => Stdin::Closed,
        StdinArgument::Open => Stdin::Open,
    });
    check.kind = agent.kind.map(|kind| match kind {
        KindArgument::Job => Kind::Job,
        KindArgument::Server => Kind::Server,
        KindArgument::Session => Kind::Session,
    });
    check.pty = agent.pty;
    check.pid1 = agent.pid1;
    check.settle = agent.settle;
    check.horizon = agent.control_timeout;
    check.confirm = runner.confirm.unwrap_or(check.confirm);
    check.jobs = jobs(runner);
    check.today = today();
    check.private_network = private_network;
    check.max_processes = agent.max_processes;
    Ok((check, agent.guarantee.into()))
}

/// The flags a replay needs to see the same agent, and the agent.
fn replay_tail(agent: &AgentArguments, program: &[OsString]) -> String {
    let mut words: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: String| words.extend([OsString::from(name), OsString::from(value)]);
    if let Some(kind) = agent.kind {
        flag("--kind", format!("{kind:?}").to_lowercase());
    }
    if let Some(stdin) = agent.stdin {
        flag("--stdin", format!("{stdin:?}").to_lowercase());
    }
    if agent.network == NetworkArgument::Private {
        flag("--network", "private".to_owned());
    }
    if agent.guarantee != GuaranteeArgument::Auto {
        flag("--guarantee", format!("{:?}", agent.guarantee).to_lowercase());
    }
    if let Some(workspace) = &agent.workspace {
        words.extend([OsString::from("--workspace"), workspace.clone().into_os_string()]);
    }
    words.push("--".into());
    words.extend_from_slice(program);
    format!(" {}", quote_all(words.iter().map(OsString::as_os_str)))
}

pub(crate) fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

fn directory(workspace: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    if workspace.is_none() && std::env::current_dir().is_err() {
        return Err(Failure::usage("the current directory does not exist any more")
            .with_help("go to one that does, or name one with --workspace"));
    }
    let shown = workspace.cloned().unwrap_or_else(|| PathBuf::from("."));
    let directory =
        shown.canonicalize().map_err(|error| Failure::usage(format!("cannot enter {}: {error}", shown.display())))?;
    if directory.is_dir() {
        Ok(directory)
    } else {
        Err(Failure::usage(format!("the workspace {} is not a directory", shown.display())))
    }
}

/// The driver that gives what was wished for, or the best that can be had; says so when
/// that is less.
pub(crate) fn driver(wanted: &Check, wish: GuaranteeWish, shown: &Shown) -> Result<Box<dyn Driver>, Failure> {
    let chosen = wanted.driver(wish)?;
    if let Some(why) = chosen.weaker.filter(|_| !shown.is_silent()) {
        output::complain(&format!(
            "no sealed cell here ({why}); using the portable driver, which sees less: see `quietus doctor`"
        ));
    }
    Ok(chosen.driver)
}
