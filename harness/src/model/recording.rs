//! What an undisturbed agent did, as its tracer saw it: each system call that
//! makes, changes or gives up what can outlive the agent, and each wait.

use super::Ended;
use std::collections::BTreeSet;
use std::time::Duration;

/// System calls in which a process can wait.
pub const WAITS: &[&str] = &[
    "read",
    "readv",
    "recvfrom",
    "recvmsg",
    "accept",
    "accept4",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "futex",
    "nanosleep",
    "clock_nanosleep",
    "pause",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "semop",
    "semtimedop",
    "msgrcv",
    "msgsnd",
    "mq_timedreceive",
    "mq_timedsend",
    "wait4",
    "waitid",
    "flock",
    "fcntl",
    "connect",
];

/// System calls that send something to a peer and to nothing else.
pub const MESSAGES: &[&str] = &["sendto", "sendmsg", "sendmmsg"];

/// What was seen of one run, in the order in which it took effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// One thing after the other.
    pub seen: Vec<Seen>,
    /// How many more there were than are kept.
    pub omitted: u64,
    /// Programs that were run and would have gained rights by that, had they not been
    /// traced: set-user-ID, set-group-ID, capabilities of the file.
    pub without_rights: BTreeSet<String>,
    /// Whether it matters what the agent sends to others through its connections, and all
    /// that was recorded: somebody reads what it changes there.
    pub messages: bool,
    /// Where the agent was started.
    pub directory: String,
    /// When the run was over: the agent had ended and what it left had come to rest,
    /// or it was broken off.
    pub end: Duration,
}

/// One thing that a process did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The place of the process in the agent's tree: `0`, `0.1`.
    pub role: String,
    /// Which of its threads: 0 is the first.
    pub thread: u32,
    /// When it began, since the start of the agent.
    pub began: Duration,
    /// When it was over; none for a call that had not returned when the run was.
    pub ended: Option<Duration>,
    /// What it did.
    pub what: Deed,
}

/// What a process did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It made a system call.
    Call(Call),
    /// It has ended: all its threads are gone.
    Ended(Ended),
}

/// One system call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments, as numbers.
    pub arguments: [u64; 6],
    /// What it is about: paths and addresses, in the order of its arguments.
    pub subjects: Vec<String>,
    /// Of a call that gives a socket an address: what the kernel calls the socket.
    pub socket: Option<String>,
    /// Its result, or a negative errno; none when it did not return.
    pub result: Option<i64>,
    /// What only the memory of the process or the moment could tell.
    pub known: Known,
    /// Where in its code the process was, of a call that makes something:
    /// `agent.py:41 in run_tool`. None where that could not be told.
    pub line: Option<String>,
}

/// What was looked up while a call was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// Whether the path it makes or replaces was there before.
    Existed(bool),
    /// What a signal will do from now on, and where its handler is.
    Disposition(Disposition, u64),
    /// Which signals the thread blocks from now on, a bit each.
    Blocked(u64),
    /// The process it has made.
    Born {
        /// Its place in the tree.
        role: String,
        /// Whether the call returns only once that has executed a program (vfork(2)).
        borrowed: bool,
    },
    /// Whether what is written leaves a terminal's screen in another state.
    Screen(bool),
    /// How a terminal works, as far as the call has to do with that.
    Modes(Vec<u8>),
    /// The command line of the program it has executed.
    Program(Vec<String>),
    /// Which lock it asks for.
    Lock(LockType),
}

/// What a signal does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disposition {
    /// What the system does by default.
    Default,
    /// Nothing.
    Ignored,
    /// A handler runs.
    Handled,
}

/// A lock on a file, as in fcntl(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockType {
    /// Others may read.
    Shared,
    /// Nobody else may have it.
    Exclusive,
    /// It is given up.
    None,
}

impl Call {
    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        self.result.is_some_and(|result| succeeded(&self.name, result))
    }

    /// Whether it opens a file by its name.
    pub fn is_open(&self) -> bool {
        matches!(self.name.as_str(), "open" | "openat" | "openat2" | "creat")
    }

    /// The path that it writes data to, whether or not that is a file.
    pub fn written(&self) -> Option<&str> {
        match self.name.as_str() {
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendfile" => self.path(),
            // Its second descriptor is what is written.
            "copy_file_range" => self.subjects.get(1).map(String::as_str),
            _ => None,
        }
    }

    /// Whether it sends something, if what it writes to is a connection.
    pub fn sends(&self) -> bool {
        matches!(self.name.as_str(), "write" | "writev" | "sendfile") || MESSAGES.contains(&self.name.as_str())
    }

    /// Whether it has begun to connect, and did not wait.
    pub fn is_connecting(&self) -> bool {
        self.name == "connect" && self.result == Some(-i64::from(libc::EINPROGRESS))
    }

    /// Whether it makes something, if it succeeds, that can outlive its process: a path,
    /// a process, a System V or POSIX object.
    pub fn makes(&self) -> bool {
        let flags = |index: usize| self.arguments.get(index).map_or(0, |flags| *flags as i32);
        match self.name.as_str() {
            "open" => self.known == Known::Existed(false) && flags(1) & libc::O_CREAT != 0,
            "openat" => self.known == Known::Existed(false) && flags(2) & libc::O_CREAT != 0,
            // Its flags stand in memory.
            "creat" | "openat2" => self.known == Known::Existed(false),
            "mkdir" | "mkdirat" | "mknod" | "mknodat" | "link" | "linkat" | "symlink" | "symlinkat" | "rename"
            | "renameat" | "renameat2" | "bind" | "fork" | "vfork" | "clone3" => true,
            "clone" => flags(0) & libc::CLONE_THREAD == 0,
            "shmget" | "semget" => flags(2) & libc::IPC_CREAT != 0 || flags(0) == libc::IPC_PRIVATE,
            "msgget" => flags(1) & libc::IPC_CREAT != 0 || flags(0) == libc::IPC_PRIVATE,
            "mq_open" => flags(1) & libc::O_CREAT != 0,
            _ => false,
        }
    }

    /// The first path it is about.
    pub fn path(&self) -> Option<&str> {
        self.subjects.iter().map(String::as_str).find(|subject| subject.starts_with('/'))
    }
}

impl Seen {
    /// The system call, if it is one.
    pub fn call(&self) -> Option<&Call> {
        match &self.what {
            Deed::Call(call) => Some(call),
            Deed::Ended(_) => None,
        }
    }

    /// How long it took; up to `end` for a call that did not return.
    pub fn took(&self, end: Duration) -> Duration {
        self.ended.unwrap_or(end).saturating_sub(self.began)
    }
}

/// Whether a system call of this name has succeeded with this result. One that asks
/// for children that have ended, and finds none, has not: how often an agent asks in
/// vain differs from run to run.
pub fn succeeded(name: &str, result: i64) -> bool {
    if name == "wait4" { result > 0 } else { result >= 0 }
}
