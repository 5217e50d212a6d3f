//! What one trial has shown, as plain data for the audit.

use super::{AtExit, Census, Ended, FileTree, IpcObject, ProcessId, Reading, Recording, TerminalState};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// When a census is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Occasion {
    /// All threads of a control are blocked.
    Idle,
    /// Right before the first injection.
    Injection,
    /// The grace is over and the agent still runs.
    GraceEnd,
    /// The agent has ended and so has the time to settle.
    Settled,
    /// The survivors were given more time.
    Lingered,
}

/// What one trial has shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The agent's own process.
    pub leader: Option<ProcessId>,
    /// How the agent ended by itself or by what was sent.
    pub ended: Option<Ended>,
    /// When it ended.
    pub ended_at: Option<Duration>,
    /// Whether the first injection found the agent alive.
    pub delivered: bool,
    /// When the first injection was made.
    pub injected_at: Option<Duration>,
    /// When that was by the clock of file systems, since the epoch. It goes in steps: a file
    /// with a stamp before the first was changed before, one with a stamp after the second was
    /// changed after; in between it may be either.
    pub injected_stamps: Option<(Duration, Duration)>,
    /// The censuses.
    pub censuses: BTreeMap<Occasion, Census>,
    /// Processes that were waited for, the agent excepted.
    pub reaped: Vec<Reaped>,
    /// What changed in the files.
    pub files: FileTree,
    /// The IPC objects at the end, those from before the agent excepted.
    pub ipc: Vec<IpcObject>,
    /// How the terminal was left, where the agent had one.
    pub terminal: Option<TerminalState>,
    /// What it wrote.
    pub output: OutputTail,
    /// What the kernel calls the pipes of the agent's standard output and error.
    pub output_pipes: Vec<String>,
    /// Whether the agent was PID 1.
    pub pid1: bool,
    /// Files that the agent held a kernel lock on (flock, fcntl) before it was terminated.
    pub locked: BTreeSet<String>,
    /// Directories for temporary files: where a left file is a `temp-file`.
    pub temporary: Vec<String>,
    /// Which kinds of resources this driver could not see, for this trial.
    pub gaps: Vec<(String, String)>,
    /// What each process still had open at its end, in the order of their ends. Empty
    /// where nobody traced them.
    pub at_exit: Vec<AtExit>,
    /// What the agent did, where that was asked for.
    pub recording: Option<Recording>,
    /// Calls of the agent that were made to fail.
    pub failed: Vec<FailedCall>,
    /// The states that the scenario names, before the agent.
    pub before: Vec<Reading>,
    /// The same at the end.
    pub after: Vec<Reading>,
    /// How it went when the agent was started again over what it left.
    pub recovered: Option<Box<Recovered>>,
}

/// The agent started again over what it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// How far it came.
    pub came: Came,
    /// What was seen. Its files and states are those at its end, as changes since before
    /// the agent was started for the first time.
    pub evidence: Evidence,
}

/// How far an agent came that was started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It did what the control does, and ended.
    Through,
    /// It ended before it came to rest, where the control comes to rest.
    EndedEarly,
    /// It runs on and waits for something.
    Blocked,
    /// It runs on and works, or did not come to rest in time.
    NotInTime,
    /// It did not end when it was told to.
    WouldNotEnd,
    /// Nothing can be said; the text says why.
    Lost(String),
}

/// A call that was made to fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCall {
    /// The place in the tree of the process that made it.
    pub role: String,
    /// The system call.
    pub name: String,
    /// What it was about: paths, addresses.
    pub subjects: Vec<String>,
}

/// A process that was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Its pid in the cell.
    pub pid: i32,
    /// How it ended.
    pub ended: Ended,
    /// When, since the start of the agent.
    pub at: Duration,
}

/// The end of what an agent wrote, and the lines by which it can be timed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputTail {
    /// The last bytes of standard output and error, in the order of arrival.
    pub tail: Vec<u8>,
    /// All bytes it wrote.
    pub total: u64,
    /// The first lines, each with the time of its arrival.
    pub lines: Vec<(Duration, String)>,
    /// All lines that were asked for, wherever they came.
    pub kept: Vec<Line>,
    /// How many lines may have been asked for and are not kept: there were too many, or
    /// they were too long to be read to their end.
    pub unkept: u64,
}

/// A line of output, without what steers a terminal and without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it had arrived.
    pub at: Duration,
    /// Where it was written. Lines of one stream are in their order; those of two are
    /// not, since each comes through its own pipe.
    pub stream: Stream,
    /// What it says.
    pub text: String,
}

/// Where an agent writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Its standard output, or its terminal.
    Output,
    /// Its standard error, where that is no terminal.
    Error,
}
