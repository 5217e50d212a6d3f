//! The command line of Quietus: parse, call, print.

mod args;
mod checking;
mod corpus;
mod doctor;
mod exit;
mod fuzzing;
mod gating;
mod journal;
mod live;
mod man;
mod mapping;
mod output;
mod progress;
mod rendering;
mod replaying;
mod reporting;
mod repository;
mod scenarios;
mod sharding;
mod sweeping;
mod timeline;

use args::{Arguments, Command, ExplainArguments, SchemaFormat};
use clap::{CommandFactory, Parser};
use exit::{Exit, Failure};
use quietus::driver::Interrupt;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = std::panic::catch_unwind(|| dispatch(arguments));
    let exit = match outcome {
        Ok(Ok(exit)) => exit,
        Ok(Err(failure)) => {
            output::complain(&failure.to_string());
            failure.exit
        }
        Err(_) => {
            output::complain("[quietus internal bug] please report it with the command line and the message above");
            Exit::Bug
        }
    };
    ExitCode::from(exit.code())
}

fn dispatch(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Check(arguments) => checking::run(arguments, &listen()?),
        Command::Sweep(arguments) => sweeping::run(arguments, &listen()?),
        Command::Fuzz(arguments) => fuzzing::run(&arguments, &listen()?),
        Command::Windows(arguments) => mapping::run(&arguments, &listen()?),
        Command::Run(arguments) => scenarios::run(&arguments, &listen()?),
        Command::Replay(arguments) => replaying::run(arguments, &listen()?),
        Command::Gate(arguments) => gating::run(&arguments),
        Command::Report(command) => reporting::run(&command),
        Command::Explain(arguments) => explain(&arguments),
        Command::Doctor => doctor::run(),
        Command::Schema { format } => {
            output::print(&match format {
                SchemaFormat::Report => quietus_reports::report_schema(),
                SchemaFormat::Scenario => quietus::scenario::schema(),
            })?;
            Ok(Exit::Gate(0))
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "quietus", &mut script);
            output::print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Gate(0))
        }
        Command::Man(arguments) => man::run(&arguments),
    }
}

/// Ctrl-C, TERM and HUP stop the run: what was done is reported. A second one
/// ends Quietus at once; the kernel then ends every cell.
fn listen() -> Result<Interrupt, Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot listen for signals: {error}"));
    let interrupt = Interrupt::new().map_err(failed)?;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    // What a shell's `&` or `nohup` has told us to ignore stays ignored.
    let ignored = ignored_signals();
    let wanted: Vec<i32> =
        [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0).collect();
    quietus::sys::unblock(&wanted).map_err(|errno| failed(errno.into()))?;
    let mut signals = signal_hook::iterator::Signals::new(wanted).map_err(failed)?;
    let heard = interrupt.clone();
    let listen = move || {
        for _ in signals.forever() {
            if heard.is_raised() {
                std::process::exit(Exit::Interrupted.code().into());
            }
            output::complain("interrupted: ending the trials in progress; once more to stop at once");
            heard.raise();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(interrupt)
}

/// The signals this process was started to ignore, one bit a signal.
fn ignored_signals() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"))?.trim().to_owned();
            u64::from_str_radix(&mask, 16).ok()
        })
        .unwrap_or(0)
}

fn explain(arguments: &ExplainArguments) -> Result<Exit, Failure> {
    if arguments.list {
        let width = quietus_reports::Code::ALL.iter().map(|code| code.as_str().len()).max().unwrap_or(0);
        let lines: Vec<String> = quietus_reports::Code::ALL
            .iter()
            .map(|code| {
                let not_yet = if code.is_reported() { "" } else { " (not looked for yet)" };
                format!("{:width$}  {:7}  {}{not_yet}", code.as_str(), code.severity().to_string(), code.summary())
            })
            .collect();
        output::print(&lines.join("\n"))?;
        return Ok(Exit::Gate(0));
    }
    let text = arguments.code.as_deref().unwrap_or_default();
    let code: quietus_reports::Code =
        text.parse().map_err(|error: quietus_reports::UnknownCode| Failure::usage(error.to_string()))?;
    output::print(&quietus_reports::explain(code))?;
    Ok(Exit::Gate(0))
}
