//! What processes still had open at their end.

use super::Ended;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a process still had when its last thread ended, before the kernel took it
/// back. Files that have no name any more, devices and pipes are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtExit {
    /// The place of the process in the agent's tree: `0`, `0.1`.
    pub role: String,
    /// Its pid in the cell.
    pub pid: i32,
    /// How it ended.
    pub ended: Ended,
    /// When, since the start of the agent.
    pub at: Duration,
    /// Regular files that it could write to, the standard streams excepted.
    pub writable: BTreeSet<String>,
    /// Files on which it held an exclusive lock (flock, fcntl).
    pub locked: BTreeSet<String>,
    /// The far ends of its TCP connections that neither side had closed, as `address:port`.
    pub connected: BTreeSet<String>,
}
