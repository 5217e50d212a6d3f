//! `quietus sweep`: every window of an agent, from flags or a scenario file.

use crate::args::{SecondArgument, SweepArguments};
use crate::checking;
use crate::exit::{Exit, Failure};
use crate::progress::Shown;
use crate::{output, scenarios};
use quietus::driver::{Driver, Interrupt};
use quietus::explore::Check;
use quietus::scenario::{GuaranteeWish, Second, Strategy};

pub(crate) fn run(arguments: SweepArguments, interrupt: &Interrupt) -> Result<Exit, Failure> {
    output::plan(&arguments.output)?;
    let shown = Shown::choose(&arguments.output)?;
    let (mut wanted, driver) = what(&arguments, &shown)?;
    wanted.timelines = output::is_kept(&arguments.output);
    wanted.strategy = Strategy::Sweep;
    wanted.exhaustive = arguments.exhaustive;
    wanted.second = arguments.second.map(SecondArgument::meaning).or(wanted.second);
    let report = checking::one_run(&*driver, &wanted, interrupt, &shown, &shown)?;
    output::write(&report, &arguments.output)?;
    shown.close()?;
    Ok(checking::finish(&report, interrupt))
}

impl SecondArgument {
    fn meaning(self) -> Second {
        match self {
            Self::Cleanup => Second::Cleanup,
            Self::Faults => Second::Faults,
            Self::Both => Second::Both,
        }
    }
}

/// What is swept: the agent of a scenario file, or of the command line.
fn what(arguments: &SweepArguments, shown: &Shown) -> Result<(Check, Box<dyn Driver>), Failure> {
    let Some(path) = &arguments.scenario else {
        if arguments.program.is_empty() {
            return Err(Failure::usage("there is nothing to sweep").with_help("add `-- CMD …`, or a scenario file"));
        }
        let (mut wanted, guarantee) = checking::base(&arguments.agent, &arguments.runner, arguments.program.clone())?;
        checking::terminate(&mut wanted, &arguments.terminate)?;
        checking::amount(&mut wanted, &arguments.amount);
        let driver = tracing_driver(&wanted, guarantee, shown)?;
        return Ok((wanted, driver));
    };
    let loaded = scenarios::load(path)?;
    let mut wanted = scenarios::to_check(&loaded)?;
    scenarios::terminate_otherwise(&mut wanted, &arguments.runner, &arguments.terminate)?;
    checking::amount(&mut wanted, &arguments.amount);
    let driver = scenarios::driver_of(&loaded, &wanted, shown)?;
    Ok((wanted, driver))
}

/// The driver for an agent of the command line: windows are seen by tracing, which
/// takes the full guarantee.
pub(crate) fn tracing_driver(wanted: &Check, wish: GuaranteeWish, shown: &Shown) -> Result<Box<dyn Driver>, Failure> {
    if wish == GuaranteeWish::Portable {
        return Err(Failure::usage("windows are seen by tracing, which the portable guarantee cannot do")
            .with_help("leave --guarantee out, or use `quietus check`"));
    }
    let driver = checking::driver(wanted, GuaranteeWish::Full, shown);
    // The usual advice, the portable guarantee, is none here.
    driver.map_err(|failure| {
        failure.with_help("`quietus doctor` shows what this machine grants; `quietus check` can do without")
    })
}
