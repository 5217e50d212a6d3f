//! The closed list of finding codes.
//!
//! A code is one kind of thing that a termination can leave behind or do wrong.
//! Its name is part of the report format, of scenario files and of baselines:
//! a code may be added, but is never renamed and never given another meaning.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::Severity;

macro_rules! codes {
    ($($variant:ident $name:literal $group:ident $severity:ident $summary:literal;)+) => {
        /// What sort of finding it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $summary, ".")] $variant,)+
        }

        impl Code {
            /// Every code, grouped, in the order in which they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in reports, scenarios and on the command line.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The group of things that the code is about.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group),+ }
            }

            /// How bad a finding of this code is, unless a policy says otherwise.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),+ }
            }

            /// What it says, in one line without a full stop.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary),+ }
            }
        }
    };
}

codes! {
    OrphanProcess "orphan-process" Processes Error "a process that the agent started outlives it";
    ZombieProcess "zombie-process" Processes Warn "a child ended and nobody waited for it";
    ThreadGrowth "thread-growth" Processes Warn "each cancelled task leaves one more thread running";
    OrphanTask "orphan-task" Processes Error "a task that the agent started outlives it";

    TempFile "temp-file" Files Error "a temporary file or directory was not removed";
    LockFile "lock-file" Files Error "a lock file remains although its owner is gone";
    SocketFile "socket-file" Files Error "a Unix socket file remains and nothing listens on it";
    FifoFile "fifo-file" Files Error "a named pipe was not removed";
    StrayFile "stray-file" Files Error "a file remains that an undisturbed run does not leave";
    TornFile "torn-file" Files Error "a file holds neither its old nor its new content";

    NotRolledBack "not-rolled-back" State Error "the state is neither as before the work nor as after it";
    OpenTransaction "open-transaction" State Error "a database session is still inside a transaction";
    DatabaseLockHeld "database-lock-held" State Error "a lock inside a database is still held";
    DatabaseCorrupt "database-corrupt" State Error "a database does not pass its own integrity check";
    GitIndexLock "git-index-lock" State Error "a git lock file blocks every later git command";
    GitWorktreeLocked "git-worktree-locked" State Error "a git worktree stays registered or locked";
    GitCorrupt "git-corrupt" State Error "a git repository does not pass its own check";
    RecoveryFailed "recovery-failed" State Error "the agent cannot be started again on what it left";
    RecoveryDiverged "recovery-diverged" State Error "started again, the agent ends with another result";
    MutexHeld "mutex-held" State Error "a lock inside the program is still held";
    MutexPoisoned "mutex-poisoned" State Error "a lock inside the program was poisoned by a panic";

    FdGrowth "fd-growth" Descriptors Error "each cancelled task leaves one more open descriptor";
    FdInherited "fd-inherited" Descriptors Error "a process that outlives the agent holds one of its descriptors";
    LockHeldAtExit "lock-held-at-exit" Descriptors Warn "the agent ended while it held a file lock";
    FdOpenAtExit "fd-open-at-exit" Descriptors Note "the agent ended with a file or connection open";

    ShmSegment "shm-segment" Ipc Error "a shared memory segment was not removed";
    Semaphore "semaphore" Ipc Error "a semaphore was not removed";
    MessageQueue "message-queue" Ipc Error "a message queue was not removed";

    PortHeld "port-held" Network Error "a port is still bound after the agent ended";
    RequestNotAborted "request-not-aborted" Network Error "a request to a service went on after the cancel";
    ConnectionAbandoned "connection-abandoned" Network Warn "a connection was dropped without a proper end";

    Hang "hang" Ending Error "the agent began to stop and did not finish within the grace";
    SignalIgnored "signal-ignored" Ending Error "the agent went on as if no signal had come";
    CancelIgnored "cancel-ignored" Ending Error "the agent went on although its token was cancelled";
    SignalNotForwarded "signal-not-forwarded" Ending Error "a wrapper got the signal and its child did not";
    SlowTermination "slow-termination" Ending Warn "the agent stopped, but later than it should";
    WrongExitStatus "wrong-exit-status" Ending Error "the agent ended with a status that says something else";
    Crashed "crashed" Ending Error "the agent crashed while it was stopping";
    TerminalNotRestored "terminal-not-restored" Ending Error "the terminal was left in another mode";
    CleanupNotLogged "cleanup-not-logged" Ending Error "a line that the scenario demands is missing from the output";
}

impl Code {
    /// Whether this version looks for it. The others have their names and texts, so
    /// that scenarios and policies can be written for what is to come.
    #[must_use]
    pub const fn is_reported(self) -> bool {
        !matches!(self, Self::RequestNotAborted)
    }
}

/// The group of things that a code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Processes and threads.
    Processes,
    /// Files and directories.
    Files,
    /// Databases, repositories and the result of a later run.
    State,
    /// Open descriptors and the locks on them.
    Descriptors,
    /// Shared memory, semaphores and message queues.
    Ipc,
    /// Ports, connections and requests.
    Network,
    /// How the agent itself ended.
    Ending,
}

impl Group {
    /// Every group, in the order of [`Code::ALL`].
    pub const ALL: &'static [Self] =
        &[Self::Processes, Self::Files, Self::State, Self::Descriptors, Self::Ipc, Self::Network, Self::Ending];

    /// The name of the group.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processes => "processes",
            Self::Files => "files",
            Self::State => "state",
            Self::Descriptors => "descriptors",
            Self::Ipc => "ipc",
            Self::Network => "network",
            Self::Ending => "ending",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No code has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct UnknownCode {
    /// What was given, as it was given.
    pub given: String,
    /// The code with the nearest name; absent when none is near.
    pub nearest: Option<Code>,
}

impl UnknownCode {
    fn message(&self) -> String {
        let given = crate::escape::escape_terminal(&self.given);
        let meant = match self.nearest {
            Some(code) => format!("did you mean `{code}`? "),
            None => String::new(),
        };
        format!("unknown finding code `{given}`; {meant}`quietus explain --list` shows all")
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        if let Some(code) = Self::ALL.iter().find(|code| code.as_str() == given) {
            return Ok(*code);
        }
        let nearest = nearest(given);
        Err(UnknownCode { given: given.to_owned(), nearest })
    }
}

/// Names less alike than this (1 is equal) are not worth a suggestion.
const NEAR: f64 = 0.5;
/// Longer names are not compared: the cost is the product of the lengths.
const LONGEST: usize = 64;

fn nearest(given: &str) -> Option<Code> {
    if given.len() > LONGEST {
        return None;
    }
    let given = given.to_lowercase().replace(['_', ' '], "-");
    Code::ALL
        .iter()
        .map(|code| (strsim::normalized_damerau_levenshtein(&given, code.as_str()), *code))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, code)| code)
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn schema_id() -> Cow<'static, str> {
        concat!(module_path!(), "::Code").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({
            "description": "What sort of finding it is.",
            "type": "string",
            "enum": names,
        })
    }
}

#[cfg(test)]
mod tests;
