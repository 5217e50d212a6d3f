//! The command line, as clap reads it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use quietus::cell::MOST_PROCESSES;
use quietus::model::{Injection, PointSpec, Profile, Signal, parse_span};
use quietus::scenario::GuaranteeWish;
use quietus_reports::Shard;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Terminate any program in a sealed cell, at the moments that matter, and name
/// what it leaves behind.
#[derive(Debug, Parser)]
#[command(name = "quietus", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 clean, 1 findings, 2 wrong usage or scenario, 3 inconclusive,\n4 this machine cannot do it, 70 bug in Quietus, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Terminate a program at many moments and name what it leaves behind
    #[command(after_help = CHECK_HELP)]
    Check(CheckArguments),
    /// Terminate a program in every window: each stretch of its run in which it
    /// makes a difference
    #[command(after_help = SWEEP_HELP)]
    Sweep(SweepArguments),
    /// Terminate a program at random, go on from what is new, and make what is found small
    #[command(after_help = FUZZ_HELP)]
    Fuzz(FuzzArguments),
    /// Show a program's windows and what is live in each, and terminate nothing
    #[command(after_help = WINDOWS_HELP)]
    Windows(WindowsArguments),
    /// Run scenario files
    #[command(after_help = RUN_HELP)]
    Run(RunArguments),
    /// Run one trial again, by its token or from a JSON report, and show its timeline
    #[command(after_help = REPLAY_HELP)]
    Replay(ReplayArguments),
    /// Judge a report by a policy and a baseline: only what is new fails
    #[command(after_help = GATE_HELP)]
    Gate(GateArguments),
    /// Merge, render and compare reports
    #[command(subcommand)]
    Report(ReportCommand),
    /// Say what a finding means, why it matters, and how to mend it
    Explain(ExplainArguments),
    /// Say what this machine can do, and how to get the rest
    Doctor,
    /// Print the JSON Schema of a format
    Schema {
        /// Which format
        #[arg(value_enum)]
        format: SchemaFormat,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a directory
    #[command(after_help = MAN_HELP)]
    Man(ManArguments),
}

const CHECK_HELP: &str = "\
Points: start, time:250ms, output:/regex/#2, file:out/part-*, file:big>=1MB,
port:8080, process:sleep#2, when:COMMAND, idle. A + before a point counts from
the one before it: --at output:/ready/ --at +time:100ms.

At a system call the agent is held exactly there: syscall:rename@enter#2 before the
second one has any effect, syscall:unlink@exit(/cache/) after one on such a path has
succeeded, syscall:[0.1]execve@exit in the agent's second child alone. A path with * is
matched as a whole, and * stays within a name: syscall:unlink@enter(/tmp/agent-*), or
(**/x) for an x in any directory, and (./x) for one in the working directory. While a
thread waits in one: blocked:epoll_wait.

Injections: signals (TERM, INT@group, KILL@all, RTMIN+3), waits (200ms),
stdin-eof, pty-hangup, parent-death, fault:unlink=EIO (the next such call fails),
delay:2ms (who is held at the point goes on later), stall:db (a service of the scenario
stops answering until the agent has ended), in a sequence: TERM,200ms,INT,5s,KILL.

Examples:
  quietus check -- python3 agent.py
  quietus check --at 'output:/ready/' --send TERM --grace 5s -- ./server
  quietus check --profile kubernetes -- node server.js";

const SWEEP_HELP: &str = "\
A window is a stretch of the undisturbed run in which what is live does not change:
no file, process, lock, socket comes or goes, no signal gets another meaning. Each is
tried at its first moment and in its longest wait. Windows in which the same is live
stand for each other.

Examples:
  quietus sweep -- python3 agent.py
  quietus sweep --send KILL -- git commit -m x
  quietus sweep --second cleanup -- python3 agent.py
  quietus sweep --budget 2m agent.toml";

const FUZZ_HELP: &str = "\
Each trial does up to four things to the agent, anywhere in its run and its cleanup: it is
terminated, stopped for a moment, delayed at a system call, one of its calls fails. What
shows something new is gone on from. Each finding is then made as small as it can be, and
run 20 times to say how often it shows.

Of a scenario file FILE.toml, the tokens found are added to FILE.quietus-regressions, to be
committed; with CI set in the environment they are printed instead. Plans that showed
something new are kept in .quietus/corpus below the current directory, and come first the
next time: so a run that was broken off is gone on with.

Examples:
  quietus fuzz --for 60s -- python3 agent.py
  quietus fuzz --trials 2000 --seed 7 --no-corpus -- ./server
  quietus fuzz --stop-at-first agent.toml";

const RUN_HELP: &str = "\
With --shard 2/4 only the second of four parts is run, and `quietus report merge` puts the
reports of all of them together. Without it the shard is read from what CI sets: GitLab's and
CircleCI's CI_NODE_INDEX and CIRCLE_NODE_INDEX, BUILDKITE_PARALLEL_JOB, and
JOB_COMPLETION_INDEX of Kubernetes with QUIETUS_SHARDS=4 (or QUIETUS_SHARD=2/4 anywhere).

Examples:
  quietus run ci/scenarios --format json --output report.json
  quietus run --shard 2/4 --timings last.json --format json --output shard-2.json
  quietus run --journal run.jsonl --resume --format json --output report.json";

const GATE_HELP: &str = "\
The baseline is a file of `quietus report baseline`, or an earlier report. A finding in it
fails nothing; what is not found any more is named as fixed.

Examples:
  quietus gate report.json --policy ci/gate.toml --baseline ci/baseline.toml
  quietus gate report.json --baseline main.json --format markdown --output comment.md";

const WINDOWS_HELP: &str = "\
Example:
  quietus windows -- sh -c 'touch a.tmp; sleep 1; mv a.tmp a'";

const REPLAY_HELP: &str = "\
Examples:
  quietus replay q1/at=start/send=TERM/grace=5s -- python3 agent.py
  quietus replay TOKEN --scenario agent.toml
  quietus replay report.json";

const MAN_HELP: &str = "\
Examples:
  quietus man | man -l -
  quietus man --dir ~/.local/share/man/man1";

/// How the agent is run.
#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// What the agent is: a job ends by itself, a server does not, a session
    /// ends with its input [default: found out]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<KindArgument>,
    /// Its standard input [default: closed, or open for a session]
    #[arg(long, value_enum)]
    pub(crate) stdin: Option<StdinArgument>,
    /// Give it a terminal
    #[arg(long)]
    pub(crate) pty: bool,
    /// Run it as PID 1, as the entry point of a container
    #[arg(long)]
    pub(crate) pid1: bool,
    /// Its directory, writable and thrown away [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// Its network: the host's, or one of its own with loopback only
    #[arg(long, value_enum, default_value = "host")]
    pub(crate) network: NetworkArgument,
    /// What must be in force; auto takes the best that can be had
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) guarantee: GuaranteeArgument,
    /// How many processes and threads it may have
    #[arg(long, value_name = "N", default_value_t = MOST_PROCESSES, value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    pub(crate) max_processes: u32,
    /// How long what is on its way out is waited for
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span)]
    pub(crate) settle: Duration,
    /// How long an undisturbed agent at rest is waited for before it counts as
    /// one that does not end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = control_timeout)]
    pub(crate) control_timeout: Duration,
}

/// How trials are run.
#[derive(Debug, Args)]
pub(crate) struct RunnerArguments {
    /// How many trials run side by side [default: twice the cores]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: Option<u16>,
    /// How often each distinct finding is run again, which tells whether it is
    /// deterministic, racy, or not reproduced [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) confirm: Option<u32>,
}

/// What is written, and how.
#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// The form of the report; may be given several times, each with its --output
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) format: Vec<FormatArgument>,
    /// Where the report of the --format before it goes; - is standard output, and the default
    #[arg(long, value_name = "PATH")]
    pub(crate) output: Vec<PathBuf>,
    /// Write each trial as a line of JSON into this file as it ends: if the run is
    /// killed, none that was done is lost
    #[arg(long, value_name = "PATH")]
    pub(crate) journal: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorArgument,
    /// Show every trial and all evidence
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Say nothing but the report
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto", value_name = "HOW")]
    pub(crate) progress: ProgressArgument,
}

/// How the agent is terminated.
#[derive(Debug, Args)]
pub(crate) struct TerminateArguments {
    /// What to do, and nothing else [default: TERM; a check without --at and a fuzz also
    /// try INT and other ways in which programs are ended]
    #[arg(long, value_name = "INJECTION", conflicts_with = "profile")]
    pub(crate) send: Option<Injection>,
    /// Terminate as this platform does, and in no other way
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    pub(crate) profile: Option<Profile>,
    /// From the last injection to the KILL [default: 5s, or the profile's]
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) grace: Option<Duration>,
    /// The status with which the undisturbed agent ends when all is well; any other
    /// than 0 makes a clean run inconclusive otherwise
    #[arg(long, value_name = "STATUS", default_value_t = 0)]
    pub(crate) control_exit: u8,
}

/// How many trials there are.
#[derive(Debug, Args)]
pub(crate) struct AmountArguments {
    /// How often each trial is run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,
    /// Start no trial after this time
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) budget: Option<Duration>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SecondArgument {
    /// It is terminated again, by TERM, INT or KILL, in each window of its cleanup
    Cleanup,
    /// Each system call of its cleanup that can fail does, once
    Faults,
    /// Both
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArguments {
    /// Try the moment after every recorded system call, not one for each window: many
    /// more trials that find the same, unless a window is wrong
    #[arg(long)]
    pub(crate) exhaustive: bool,
    /// What else happens to the agent while it cleans up after the first injection, in
    /// trials of their own
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) second: Option<SecondArgument>,
    /// A scenario file, whose agent is swept
    #[arg(value_name = "SCENARIO", conflicts_with = "program")]
    pub(crate) scenario: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) terminate: TerminateArguments,
    #[command(flatten)]
    pub(crate) amount: AmountArguments,
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    #[command(flatten)]
    pub(crate) runner: RunnerArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub(crate) program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct FuzzArguments {
    /// Start no trial after this time; what was found is then confirmed and made small
    /// [default: 60s, or without end with --trials]
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    pub(crate) budget: Option<Duration>,
    /// Start no more trials than this, besides those of the regressions. Up to half of them
    /// are of the corpus
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) trials: Option<u64>,
    /// The same seed draws the same trials in the same order, as long as they show the
    /// same [default: by chance; the report says which]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Stop at the first finding, once it is made small
    #[arg(long)]
    pub(crate) stop_at_first: bool,
    /// Leave the trials of findings as they were drawn
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Draw every trial afresh, whatever those before have shown
    #[arg(long)]
    pub(crate) uniform: bool,
    /// Neither read nor write .quietus/corpus
    #[arg(long)]
    pub(crate) no_corpus: bool,
    /// A scenario file, whose agent is terminated
    #[arg(value_name = "SCENARIO", conflicts_with = "program")]
    pub(crate) scenario: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) terminate: TerminateArguments,
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    #[command(flatten)]
    pub(crate) runner: RunnerArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub(crate) program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct WindowsArguments {
    /// The signal whose effect is predicted
    #[arg(long, value_name = "SIGNAL", default_value = "TERM")]
    pub(crate) signal: Signal,
    /// List every window and every life
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Say nothing but the map
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) program: Vec<OsString>,
}

impl WindowsArguments {
    /// No trial is run.
    pub(crate) fn runner(&self) -> RunnerArguments {
        RunnerArguments { jobs: None, confirm: None }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Terminate here instead of at the default set of moments; several are
    /// reached one after the other
    #[arg(long, value_name = "POINT")]
    pub(crate) at: Vec<PointSpec>,
    #[command(flatten)]
    pub(crate) terminate: TerminateArguments,
    #[command(flatten)]
    pub(crate) amount: AmountArguments,
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    #[command(flatten)]
    pub(crate) runner: RunnerArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// The program and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Scenario files, and directories that hold some
    #[arg(value_name = "PATH", default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Run only scenarios whose name or path holds this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// What must be in force, whatever the scenarios say
    #[arg(long, value_enum)]
    pub(crate) guarantee: Option<GuaranteeArgument>,
    /// Run one part of several, such as 2/4 [default: what CI says, or all]
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// An earlier report, by whose durations the shards are balanced; the same one in each
    #[arg(long, value_name = "REPORT")]
    pub(crate) timings: Option<PathBuf>,
    /// Go on where a run that wrote this --journal was broken off
    #[arg(long, requires = "journal")]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) runner: RunnerArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// A token, or a JSON report
    #[arg(value_name = "TOKEN|FILE")]
    pub(crate) what: String,
    /// The scenario file that the token belongs to
    #[arg(long, value_name = "FILE", conflicts_with = "program")]
    pub(crate) scenario: Option<PathBuf>,
    /// Of a report: the finding to replay, by its fingerprint or code [default: the first]
    #[arg(long, value_name = "FINDING")]
    pub(crate) finding: Option<String>,
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    /// The program and its arguments
    #[arg(last = true, value_name = "CMD")]
    pub(crate) program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct GateArguments {
    /// A JSON report
    pub(crate) report: PathBuf,
    /// What fails and what is let pass [default: errors fail]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Findings that are known
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) written: WrittenArguments,
}

/// In which forms something is written, and where.
#[derive(Debug, Args)]
pub(crate) struct WrittenArguments {
    /// The form; may be given several times, each with its --output
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) format: Vec<FormatArgument>,
    /// Where the --format before it goes; - is standard output, and the default
    #[arg(long, value_name = "PATH")]
    pub(crate) output: Vec<PathBuf>,
    /// When to use colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: ColorArgument,
    /// Show every trial and all evidence
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Put the reports of shards, or of several runs, together
    Merge(MergeArguments),
    /// Write a report, or the journal of a run that was broken off, in other forms
    Render(RenderArguments),
    /// Say what is new and what is fixed from one report to another
    Diff(DiffArguments),
    /// Write the findings of a report as a baseline, to be committed
    Baseline(BaselineArguments),
}

#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// JSON reports
    #[arg(required = true, value_name = "REPORT")]
    pub(crate) reports: Vec<PathBuf>,
    /// Merge what is there though shards are missing; the merged report says which
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Where the merged report goes; - is standard output
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RenderArguments {
    /// A JSON report or a journal
    pub(crate) report: PathBuf,
    /// Findings that are known: Markdown then names what is new and what is fixed
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) written: WrittenArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The report of before
    pub(crate) before: PathBuf,
    /// The report of now
    pub(crate) now: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArguments {
    /// A JSON report
    pub(crate) report: PathBuf,
    /// Where the baseline goes; - is standard output
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The code of a finding, such as orphan-process
    #[arg(required_unless_present = "list")]
    pub(crate) code: Option<String>,
    /// List every code with one line
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Write the page of each command into this directory, which is made if need be:
    /// quietus.1, quietus-check.1 and so on
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArgument {
    Job,
    Server,
    Session,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StdinArgument {
    Closed,
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetworkArgument {
    Host,
    Private,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuaranteeArgument {
    Auto,
    Full,
    Portable,
}

impl From<GuaranteeArgument> for GuaranteeWish {
    fn from(argument: GuaranteeArgument) -> Self {
        match argument {
            GuaranteeArgument::Auto => Self::Auto,
            GuaranteeArgument::Full => Self::Full,
            GuaranteeArgument::Portable => Self::Portable,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArgument {
    /// For a person
    Human,
    /// For machines, format 1: what the other commands read
    Json,
    /// JUnit XML: Jenkins, GitLab, and whatever else shows tests
    Junit,
    /// SARIF 2.1.0: code scanning, findings at their lines
    Sarif,
    /// For the summary of a job or a comment on a change
    Markdown,
    /// One page that needs nothing else
    Html,
    /// Workflow commands, which GitHub shows beside the code
    Annotations,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorArgument {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArgument {
    /// A bar on a terminal, lines elsewhere
    Auto,
    /// A bar
    Bar,
    /// A line for each trial
    Plain,
    /// Nothing
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// The JSON report
    Report,
    /// Scenario files
    Scenario,
}

fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).map_err(|error| error.to_string())
}

fn control_timeout(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if span < Duration::from_millis(200) {
        return Err("an agent that starts and rests needs 200ms at least".to_owned());
    }
    Ok(span)
}

fn profile(text: &str) -> Result<Profile, String> {
    text.parse().map_err(|error: quietus::model::ProfileError| error.to_string())
}
