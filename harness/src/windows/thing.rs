//! What can be live in a window.

use crate::model::{Disposition, Signal};
use std::fmt;

/// Something that an agent has at one time and not at another. Paths and names are
/// patterns where they differ from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Thing {
    /// A process of the agent's tree, by its place and command.
    Process {
        /// Its place in the tree.
        role: String,
        /// What it runs.
        command: String,
    },
    /// A process that has ended and was not waited for.
    Ended {
        /// Its place in the tree.
        role: String,
    },
    /// A process that has left the agent's session or group.
    Apart {
        /// Its place in the tree.
        role: String,
    },
    /// A file, or a symbolic link, that was not there before.
    File(String),
    /// A directory that was not there before.
    Directory(String),
    /// A named pipe.
    Fifo(String),
    /// A socket in the file system.
    Socket(String),
    /// A file is open to be written, and nothing is in it yet.
    Empty(String),
    /// The content of a file is not yet what it will be.
    Partial(String),
    /// A path that was there before has been written, replaced or removed.
    Changed(String),
    /// A file is mapped into memory, through which it is written.
    Mapped(String),
    /// A lock on a file.
    Lock {
        /// Who has it.
        role: String,
        /// The file.
        path: String,
    },
    /// A port or abstract socket, by its address.
    Bound(String),
    /// A connection, by the address of its peer.
    Connection(String),
    /// What a peer was sent through connections: another state of it after each message.
    Sent {
        /// The address of the peer.
        peer: String,
        /// How many messages.
        messages: usize,
    },
    /// A System V or POSIX object: `shared memory 5`.
    Ipc(String),
    /// A terminal does not work as before.
    Terminal,
    /// A terminal's screen is in another state than before: another page, no cursor.
    Screen,
    /// A signal that would not do to a process what it does by default.
    Signal {
        /// Which process.
        role: String,
        /// The number of the signal.
        number: i32,
        /// What it does.
        does: Disposition,
        /// Which of its handlers, in the order in which it first had them.
        version: usize,
    },
    /// A signal that a process does not take for now.
    Blocked {
        /// Which process.
        role: String,
        /// The number of the signal.
        number: i32,
    },
}

impl Thing {
    /// Whether it would still be there if the agent's own process ended at once.
    pub fn outlives(&self) -> bool {
        match self {
            Self::Process { role, .. } => role != "0",
            Self::File(_)
            | Self::Directory(_)
            | Self::Fifo(_)
            | Self::Socket(_)
            | Self::Empty(_)
            | Self::Partial(_)
            | Self::Ipc(_) => true,
            Self::Ended { .. }
            | Self::Apart { .. }
            | Self::Changed(_)
            | Self::Mapped(_)
            | Self::Lock { .. }
            | Self::Bound(_)
            | Self::Connection(_)
            | Self::Sent { .. }
            | Self::Terminal
            | Self::Screen
            | Self::Signal { .. }
            | Self::Blocked { .. } => false,
        }
    }

    /// Whether it is something at a path that was not there before.
    pub fn is_made(&self) -> bool {
        matches!(self, Self::File(_) | Self::Directory(_) | Self::Fifo(_) | Self::Socket(_))
    }

    /// The path that it is or lies at.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::File(path)
            | Self::Directory(path)
            | Self::Fifo(path)
            | Self::Socket(path)
            | Self::Empty(path)
            | Self::Partial(path)
            | Self::Changed(path)
            | Self::Mapped(path)
            | Self::Lock { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether it is or lies at this path, in this run or another.
    pub fn is_at(&self, path: &str) -> bool {
        self.path().is_some_and(|known| super::fits(known, path))
    }

    /// The process that loses it by ending.
    pub(super) fn owner(&self) -> Option<&str> {
        match self {
            Self::Process { role, .. }
            | Self::Ended { role }
            | Self::Apart { role }
            | Self::Lock { role, .. }
            | Self::Signal { role, .. }
            | Self::Blocked { role, .. } => Some(role),
            _ => None,
        }
    }
}

/// The name of a signal, or its number.
fn signal(number: i32) -> String {
    Signal::from_number(number).map_or_else(|| number.to_string(), |signal| signal.to_string())
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { role, command } => write!(f, "process {role} `{command}`"),
            Self::Ended { role } => write!(f, "process {role} has ended and was not waited for"),
            Self::Apart { role } => write!(f, "process {role} has a session or group of its own"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Directory(path) => write!(f, "directory {path}"),
            Self::Fifo(path) => write!(f, "named pipe {path}"),
            Self::Socket(path) => write!(f, "socket {path}"),
            Self::Empty(path) => write!(f, "{path} is empty"),
            Self::Partial(path) => write!(f, "{path} is not complete"),
            Self::Changed(path) => write!(f, "{path} has changed"),
            Self::Mapped(path) => write!(f, "{path} is mapped to be written"),
            Self::Lock { role, path } => write!(f, "lock of process {role} on {path}"),
            Self::Bound(address) => write!(f, "bound to {address}"),
            Self::Connection(peer) => write!(f, "connected to {peer}"),
            Self::Sent { peer, messages: 1 } => write!(f, "1 message was sent to {peer}"),
            Self::Sent { peer, messages } => write!(f, "{messages} messages were sent to {peer}"),
            Self::Ipc(object) => f.write_str(object),
            Self::Screen => f.write_str("the screen is in another state"),
            Self::Terminal => f.write_str("the terminal is set otherwise"),
            Self::Signal { role, number, does: Disposition::Ignored, .. } => {
                write!(f, "process {role} ignores {}", signal(*number))
            }
            Self::Signal { role, number, version: 0, .. } => write!(f, "process {role} handles {}", signal(*number)),
            Self::Signal { role, number, version, .. } => {
                write!(f, "process {role} handles {} by its handler {}", signal(*number), version + 1)
            }
            Self::Blocked { role, number } => write!(f, "process {role} blocks {}", signal(*number)),
        }
    }
}
