//! What is there at one instant: processes, listeners, files, IPC, terminal.
//!
//! A census is plain data made by a driver and compared by the audit.

use super::Signal;
use std::collections::BTreeMap;
use std::time::Duration;

/// A process for good: the pid alone may be used again by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// The pid, as the cell numbers it.
    pub pid: i32,
    /// Start time in clock ticks after boot, from field 22 of `/proc/PID/stat`.
    pub start: u64,
}

/// The signal masks of a process, one bit a signal (bit 0 is signal 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignalMasks {
    /// Pending, for the process or its main thread.
    pub pending: u64,
    /// Blocked by the main thread.
    pub blocked: u64,
    /// Ignored.
    pub ignored: u64,
    /// Caught by a handler.
    pub caught: u64,
}

impl SignalMasks {
    fn has(mask: u64, signal: Signal) -> bool {
        mask >> (signal.number() - 1) & 1 == 1
    }

    /// Whether the signal is ignored.
    pub fn ignores(self, signal: Signal) -> bool {
        Self::has(self.ignored, signal)
    }

    /// Whether the signal is blocked.
    pub fn blocks(self, signal: Signal) -> bool {
        Self::has(self.blocked, signal)
    }

    /// Whether the signal has a handler.
    pub fn catches(self, signal: Signal) -> bool {
        Self::has(self.caught, signal)
    }

    /// Whether the signal has arrived and waits to be taken.
    pub fn has_pending(self, signal: Signal) -> bool {
        Self::has(self.pending, signal)
    }

    /// Whether the signal, once delivered, would have its default action at once.
    pub fn takes_default(self, signal: Signal) -> bool {
        !self.ignores(signal) && !self.blocks(signal) && !self.catches(signal)
    }
}

/// What one thread was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadRecord {
    /// The thread id.
    pub tid: i32,
    /// Its name.
    pub name: String,
    /// The state letter of `/proc/PID/task/TID/stat`.
    pub state: char,
    /// The kernel function it waits in, where the kernel tells.
    pub wchan: Option<String>,
    /// The system call it is in, by name, where the kernel tells.
    pub syscall: Option<String>,
    /// Where in its code it is, the innermost place first, or why that cannot be told;
    /// none where nobody looked.
    pub stack: Option<Result<Vec<String>, String>>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessRecord {
    /// Who it is.
    pub id: ProcessId,
    /// Its parent's pid.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// The state letter (R, S, D, T, Z …).
    pub state: char,
    /// Its name, as in `/proc/PID/comm`.
    pub name: String,
    /// Its arguments. Empty for a zombie.
    pub argv: Vec<String>,
    /// Its place in the tree: `0` is the leader, `0.1` its second child.
    pub role: Option<String>,
    /// Its signal masks.
    pub masks: SignalMasks,
    /// CPU time used, in clock ticks.
    pub ticks: u64,
    /// Its open descriptors: number to what the kernel calls it.
    pub descriptors: BTreeMap<i32, String>,
    /// Its threads, where they were asked for.
    pub threads: Vec<ThreadRecord>,
    /// Whether the environment had it as a helper of the scenario's `prepare`.
    pub helper: bool,
}

impl ProcessRecord {
    /// Whether it is dead and only waits to be reaped.
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }

    /// The command line as one text, or the name in brackets where there is none.
    pub fn command(&self) -> String {
        if self.argv.is_empty() { format!("[{}]", self.name) } else { self.argv.join(" ").trim_end().to_owned() }
    }
}

/// A listening or bound socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// `tcp`, `tcp6`, `udp`, `udp6`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// The processes of the agent that hold it.
    pub holders: Vec<ProcessId>,
}

/// The kinds of kernel objects of System V and POSIX IPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpcKind {
    /// A System V shared memory segment.
    SharedMemory,
    /// A System V semaphore set.
    Semaphore,
    /// A System V message queue.
    MessageQueue,
    /// A POSIX message queue, by name.
    PosixQueue,
}

/// One kernel object of IPC.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpcObject {
    /// What it is.
    pub kind: IpcKind,
    /// Its key (System V, hexadecimal) or name (POSIX).
    pub key: String,
    /// Its size in bytes, semaphores or messages, as the kernel lists it.
    pub size: u64,
    /// The pid that made it, where the kernel tells.
    pub creator: Option<i32>,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket.
    Socket,
    /// A named pipe.
    Fifo,
    /// A device.
    Device,
}

/// What happened to a path between the start of the agent and the census.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileChange {
    /// It was not there before.
    Created,
    /// It was there, and its content, kind or owner is another.
    Modified,
    /// It is gone.
    Deleted,
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNode {
    /// What happened to it.
    pub change: FileChange,
    /// What it is now; for a deleted path, what is not known is `Regular`.
    pub kind: FileKind,
    /// Its size in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner, as the cell numbers users.
    pub owner: u32,
    /// A hash of the content, for regular files that were read.
    pub hash: Option<u64>,
    /// The content, for regular files small enough to keep; of a symbolic link, where it leads.
    pub content: Option<Vec<u8>>,
    /// What was there before, for what was modified or deleted: the content of a regular file
    /// small enough to keep, or where a symbolic link led.
    pub before: Option<Vec<u8>>,
    /// When it was last changed, renamed into place included, by the clock of file systems
    /// (`st_ctime`, since the epoch), for what was created or modified.
    pub stamp: Option<Duration>,
}

/// Every path that changed, by its absolute path as the agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileTree {
    /// The changed paths. Paths that are not UTF-8 have their bytes escaped as `\xNN`.
    pub nodes: BTreeMap<String, FileNode>,
    /// How many more changed paths there were than are listed here.
    pub omitted: u64,
    /// Paths whose changes could not be read, with the reason.
    pub unread: Vec<(String, String)>,
}

/// The state of the terminal that the agent had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TerminalState {
    /// Modes that differ from what the agent was given, in words ("raw mode", "echo is off").
    pub modes: Vec<String>,
    /// Screen states switched on and never off again ("alternate screen", "hidden cursor").
    pub screen: Vec<String>,
}

/// What is there at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Since the start of the agent.
    pub at: Duration,
    /// The processes of the cell, without Quietus' own.
    pub processes: Vec<ProcessRecord>,
    /// What they listen on.
    pub listeners: Vec<Listener>,
    /// Whether they hold something that every user of the network shares: a port
    /// or an abstract Unix socket.
    pub shares_network: bool,
}

impl Census {
    /// The living processes of the agent: no zombies, no helpers of `prepare`.
    pub fn alive(&self) -> impl Iterator<Item = &ProcessRecord> {
        self.processes.iter().filter(|process| !process.is_zombie() && !process.helper)
    }

    /// The process with this identity.
    pub fn find(&self, id: ProcessId) -> Option<&ProcessRecord> {
        self.processes.iter().find(|process| process.id == id)
    }
}
