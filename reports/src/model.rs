//! The report as data, format 1.
//!
//! These types are the JSON report: a field here is a key there. They hold what
//! was seen and decide nothing; [`Gate`](crate::Gate) decides. Strings may hold
//! output of the agent, which is hostile: a renderer escapes every one of them
//! (see [`escape`](crate::escape)).
//!
//! Adding an optional field keeps the format number. Removing a field, or
//! changing what one means, raises it.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::confirmed::{self, Confirmed, Reproduction};
use crate::map::WindowMap;
use crate::shards::Shards;

/// A whole report: what was run, where, what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of the format; always [`Format::CURRENT`] in a new report.
    pub format: Format,
    /// Version of Quietus that wrote the report, for example `0.1.0`.
    pub quietus: String,
    /// When the first run started, in RFC 3339 with an offset.
    pub started: String,
    /// The machine on which the runs took place.
    pub host: Host,
    /// How well the agent was sealed in and what could be seen.
    pub guarantee: Guarantee,
    /// Which part of the work this is; absent when it is the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<Shards>,
    /// One entry for each scenario (or command) that was run.
    pub runs: Vec<Run>,
    /// Sums over all runs; [`Totals::of`] computes them.
    pub totals: Totals,
    /// Verdict over all runs, under the gate that was in force.
    pub verdict: Verdict,
}

/// Version of the report format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Format(pub u32);

impl Format {
    /// The format that this crate writes, and the only one that it reads.
    pub const CURRENT: Self = Self(1);
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The machine on which the runs took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Operating system, for example `linux`.
    pub os: String,
    /// Release of the kernel, as `uname -r` prints it.
    pub kernel: String,
    /// Architecture of the CPU, for example `x86_64`.
    pub arch: String,
    /// Number of CPUs that Quietus could use.
    pub cpus: u32,
}

/// How well the agent was sealed in, and what could not be audited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guarantee {
    /// The level that was in force.
    pub level: Level,
    /// The mechanisms in use, for example `pid namespace`, `overlay`, `ptrace`.
    pub mechanisms: Vec<String>,
    /// What nobody looked at. A clean verdict says nothing about these.
    pub not_audited: Vec<NotAudited>,
}

/// Level of a guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No namespaces or no tracing: what can be seen from outside.
    Portable,
    /// Sealed cell and traced agent.
    Full,
}

/// One thing that was not audited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotAudited {
    /// What, for example `System V shared memory`.
    pub what: String,
    /// Why, for example `no IPC namespace: user namespaces are disabled`.
    pub why: String,
}

/// One scenario, or one command, and all of its trials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Name of the scenario; for a bare command, the name of the program.
    pub scenario: String,
    /// The scenario's file, as the command line named it; absent for a bare command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Command of the agent, one argument each.
    pub agent: Vec<String>,
    /// What sort of program the agent is.
    pub kind: AgentKind,
    /// How the trials were chosen: `check`, `script`, `sweep`, `fuzz`, `replay`.
    pub strategy: String,
    /// The undisturbed run; absent when none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// How many windows were covered; absent when the strategy has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// The undisturbed run as windows; absent when it was not cut into any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<WindowMap>,
    /// How many trials of this run other shards make.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub elsewhere: u32,
    /// Every trial, in the order of [`Trial::index`].
    pub trials: Vec<Trial>,
    /// Distinct findings over all trials.
    pub findings: Vec<Finding>,
    /// What a reader of this run has to know, a sentence each.
    pub notes: Vec<String>,
    /// Why it would not be clean though nothing was found: the agent fails undisturbed, or the
    /// run was broken off. Absent when nothing speaks against that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// Verdict of this run, under the gate that was in force.
    pub verdict: Verdict,
}

/// Why a run in which nothing is found is not clean. A note of the run says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Undisturbed, the agent fails: it shows how it fails, not how it is terminated.
    FailsUndisturbed,
    /// The agent is refused what it does by itself, since it is traced.
    Refused,
    /// The run was interrupted or killed.
    BrokenOff,
}

/// What sort of program the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentKind {
    /// Ends by itself when its work is done.
    Job,
    /// Runs until it is told to stop.
    Server,
    /// Speaks a protocol with its host over stdin and stdout.
    Session,
}

/// The undisturbed run. What it leaves is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// How many undisturbed runs were made.
    pub runs: u32,
    /// Wall time of the last one, in microseconds.
    pub duration_us: u64,
    /// How it ended: `exit 0`, `signal 15 (TERM)`, `ended at idle`.
    pub ended: String,
    /// What it leaves behind, a description each.
    pub leaves: Vec<String>,
}

/// How many windows of the control the trials covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Windows {
    /// Windows of the control.
    pub total: u32,
    /// Windows in which, or in one in which the same is live, at least one trial
    /// reached its point.
    pub covered: u32,
    /// Windows that were tried and not reached.
    pub missed: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Windows {
    /// What these trials covered of the windows.
    #[must_use]
    pub fn of(map: &WindowMap, trials: &[Trial]) -> Self {
        let kind = |window: Option<u32>| {
            let window = map.windows.get(usize::try_from(window?).ok()?)?;
            Some(window.like)
        };
        let kinds = |reached: bool| -> BTreeSet<u32> {
            let tried = trials.iter().filter(|trial| trial.outcome.reached() == reached);
            tried.filter_map(|trial| kind(trial.window)).collect()
        };
        let (covered, missed) = (kinds(true), kinds(false));
        let count = |holds: &dyn Fn(u32) -> bool| {
            u32::try_from(map.windows.iter().filter(|window| holds(window.like)).count()).unwrap_or(u32::MAX)
        };
        Self {
            total: count(&|_| true),
            covered: count(&|like| covered.contains(&like)),
            missed: count(&|like| !covered.contains(&like) && missed.contains(&like)),
        }
    }
}

/// One run of the agent with one plan of injections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// Position within the run, from 0. In a shard, that within the whole run.
    pub index: u32,
    /// Short name for a person, for example `window 12`.
    pub label: String,
    /// Address of the point, for example `window:12` (first point of the plan).
    pub point: String,
    /// Number of the window it was made for; absent when it was made for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// What the undisturbed run says would be left there; absent when it cannot say,
    /// because a handler runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Vec<String>>,
    /// What was done there, for example `TERM`.
    pub injection: String,
    /// The trial only informs: it cannot make the run inconclusive.
    pub informational: bool,
    /// How far the trial came.
    pub outcome: Outcome,
    /// How the agent ended, for example `exit 0`; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Wall time of the whole trial, in microseconds.
    pub duration_us: u64,
    /// Time from the injection to the exit of the agent, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown_us: Option<u64>,
    /// The list of choices that replays this trial.
    pub token: String,
    /// Fingerprints of the findings of this trial; each is in [`Run::findings`].
    pub findings: Vec<String>,
    /// Why the trial is inconclusive or missed, or another remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How far a trial came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The injection was made and the agent ended within the grace.
    Ended,
    /// The grace was over: only KILL ended the agent.
    Killed,
    /// The agent ended before it reached the point: nothing was tried.
    Missed,
    /// The trial cannot be judged: a lost tracee, an unknown state.
    Inconclusive,
}

impl Outcome {
    /// Whether the point was reached and the trial can be judged.
    #[must_use]
    pub const fn reached(self) -> bool {
        matches!(self, Self::Ended | Self::Killed)
    }
}

/// One thing left behind or done wrong, merged over all trials that show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What sort of finding it is.
    pub code: Code,
    /// How bad it is here; by default [`Code::severity`].
    pub severity: Severity,
    /// The same in every run and on every machine; see
    /// [`fingerprint`](crate::fingerprint::fingerprint).
    pub fingerprint: String,
    /// One line for a person.
    pub title: String,
    /// What was left behind: a path, a command, a port.
    pub subject: String,
    /// Who made it; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// When it comes to be and when it leaks, in events and windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
    /// Addresses of the points at which it was seen.
    pub points: Vec<String>,
    /// Trials that show it.
    pub hits: u32,
    /// Trials that reached their point and could have shown it.
    pub tried: u32,
    /// How often it came again when the trial of [`token`](Self::token) was run again;
    /// none when that was not. Where two of its trials were, the one that shows it more
    /// often. In JSON the key `reproduction` stands beside it.
    #[serde(flatten, with = "confirmed::json")]
    #[schemars(with = "confirmed::json::Keys")]
    pub confirmed: Option<Confirmed>,
    /// Why it happens, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What was seen, a line each.
    pub evidence: Vec<String>,
    /// One of its trials, moment by moment; empty when none was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
    /// Reason of the `[[allow]]` that accepts it; absent when none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// Token of the smallest trial that shows it.
    pub token: String,
    /// Command line that replays that trial.
    pub replay: String,
}

impl Finding {
    /// What further runs make of it; none when there was none.
    #[must_use]
    pub fn reproduction(&self) -> Option<Reproduction> {
        self.confirmed.map(Confirmed::class)
    }

    /// Whether it was run again and never came. It is told apart, and fails nothing.
    #[must_use]
    pub fn is_not_reproduced(&self) -> bool {
        self.reproduction() == Some(Reproduction::NotReproduced)
    }
}

/// One moment of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// When, in microseconds since the start of the agent.
    pub at_us: u64,
    /// The same since the first injection; absent before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_us: Option<u64>,
    /// What happened then, or was done.
    pub what: String,
}

/// Who made the thing that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// Role in the process tree: `0` is the agent, `0.1` its second child.
    pub role: String,
    /// Command of that process.
    pub command: String,
    /// The system call by which it was made, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where in the source that was: `agent.py:41 in run_tool`. Of several places from
    /// which it may be, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// Sums over runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// All trials, also those that missed their point.
    pub trials: u32,
    /// Trials whose point was not reached.
    pub missed: u32,
    /// Trials that cannot be judged.
    pub inconclusive: u32,
    /// Findings of severity error that count: that nothing accepts, and that came again if
    /// they were run again.
    pub errors: u32,
    /// Findings of severity warn that count.
    pub warnings: u32,
    /// Findings of severity note that count.
    pub notes: u32,
    /// Findings that were run again and never came, of any severity, that nothing accepts.
    #[serde(default)]
    pub not_reproduced: u32,
    /// Findings that an `[[allow]]` accepts, of any severity.
    pub accepted: u32,
}

impl Totals {
    /// Counts trials and findings of `runs`.
    ///
    /// A finding that two runs share counts twice: each run must be mended.
    #[must_use]
    pub fn of(runs: &[Run]) -> Self {
        let mut totals = Self::default();
        for run in runs {
            for trial in &run.trials {
                totals.trials += 1;
                match trial.outcome {
                    Outcome::Missed => totals.missed += 1,
                    Outcome::Inconclusive => totals.inconclusive += 1,
                    Outcome::Ended | Outcome::Killed => {}
                }
            }
            for finding in &run.findings {
                let count = match (&finding.accepted, finding.severity) {
                    (Some(_), _) => &mut totals.accepted,
                    (None, _) if finding.is_not_reproduced() => &mut totals.not_reproduced,
                    (None, Severity::Error) => &mut totals.errors,
                    (None, Severity::Warn) => &mut totals.warnings,
                    (None, Severity::Note) => &mut totals.notes,
                };
                *count += 1;
            }
        }
        totals
    }
}

/// What a run or a report comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every trial could be judged and no finding reaches the gate.
    Clean,
    /// At least one finding reaches the gate.
    Findings,
    /// Not enough could be judged to say clean.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// How bad a finding is. Ordered: note, warn, error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; never fails a run.
    Note,
    /// Probably wrong; fails a run only when the gate is set so.
    Warn,
    /// Wrong.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}
