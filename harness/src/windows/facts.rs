//! What a run shows only as a whole: which write to a file is the last, which change of a
//! signal mask stays.

use super::names::Names;
use super::waits::is_wait;
use crate::model::{Call, Known, Recording};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What has to be known of a whole run beforehand.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) names: &'a Names,
    /// Writes after which nothing is written to the same file any more.
    pub(super) last_writes: BTreeSet<usize>,
    /// Files that are written after they were opened there.
    pub(super) filled: BTreeSet<usize>,
    /// Changes of a signal mask that are not undone at once.
    pub(super) lasting: BTreeSet<usize>,
    /// Whether it matters what peers were sent.
    pub(super) messages: bool,
}

/// Whether a path is in a file system that keeps it.
pub(super) fn is_kept(path: &str) -> bool {
    let device = path.starts_with("/dev/") && !path.starts_with("/dev/shm/") && !path.starts_with("/dev/mqueue/");
    path.starts_with('/')
        && !device
        && !path.starts_with("/proc/")
        && !path.starts_with("/sys/")
        && !path.ends_with(" (deleted)")
}

/// The file that a write goes to.
pub(super) fn written(call: &Call) -> Option<&str> {
    let path = match call.name.as_str() {
        // To length 0 that empties it. And fallocate, which is not here, only makes room.
        "truncate" | "ftruncate" if call.arguments.get(1) != Some(&0) => call.path(),
        _ => call.written(),
    };
    path.filter(|path| is_kept(path))
}

/// The address from which a call takes a mapping away.
pub(super) fn unmapped(call: &Call) -> Option<i64> {
    call.arguments.first().map(|address| address.cast_signed())
}

/// Which writes are the last to their file, by whomever, and which opens are followed
/// by one.
fn writes(recording: &Recording) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    let mut opened: BTreeMap<&str, usize> = BTreeMap::new();
    let mut mapped: BTreeMap<(&str, i64), &str> = BTreeMap::new();
    let (mut finals, mut filled) = (BTreeSet::new(), BTreeSet::new());
    for (index, seen) in recording.seen.iter().enumerate() {
        let Some(call) = seen.call() else {
            // What was mapped until its process ended was written until then.
            let until_then = mapped.iter().filter(|((role, _), _)| *role == seen.role);
            last.extend(until_then.map(|(_, path)| (*path, index)));
            mapped.retain(|(role, _), _| *role != seen.role);
            continue;
        };
        if !call.succeeded() {
            continue;
        }
        match (call.name.as_str(), call.path().filter(|path| is_kept(path))) {
            ("mmap", Some(path)) => drop(mapped.insert((&seen.role, call.result.unwrap_or_default()), path)),
            ("munmap", _) => {
                if let Some(path) = mapped.remove(&(seen.role.as_str(), unmapped(call).unwrap_or_default())) {
                    last.insert(path, index);
                    filled.extend(opened.remove(path));
                }
            }
            _ => {}
        }
        if let Some(path) = written(call) {
            last.insert(path, index);
            filled.extend(opened.remove(path));
        } else if let Some(path) = call.path() {
            // Both an open and the emptying after it are followed by the next write.
            if call.is_open() {
                opened.insert(path, index);
            } else if call.name.ends_with("truncate") {
                filled.extend(opened.insert(path, index));
            } else if call.name.starts_with("rename") || call.name.starts_with("unlink") {
                // What is written under this name from now on is another file; what is
                // mapped goes on to be written.
                let target = call.subjects.get(1).map(String::as_str);
                for mapped in mapped.values_mut().filter(|mapped| **mapped == path) {
                    *mapped = target.unwrap_or(path);
                    last.remove(path);
                }
                finals.extend(last.remove(path));
            }
        }
    }
    finals.extend(last.into_values());
    (finals, filled)
}

/// Whether a call makes, moves or removes something at a path.
fn makes_or_removes(call: &Call) -> bool {
    match call.name.as_str() {
        "mkdir" | "mkdirat" | "mknod" | "mknodat" | "symlink" | "symlinkat" | "link" | "linkat" | "bind" => true,
        "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2" => true,
        _ => call.is_open() && call.known == Known::Existed(false),
    }
}

/// Which changes of a signal mask stay in force while something else happens.
/// Libraries block all signals for the few calls around a fork.
fn lasting_masks(recording: &Recording) -> BTreeSet<usize> {
    const A_WHILE: Duration = Duration::from_millis(1);
    let mut lasting = BTreeSet::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, seen) in recording.seen.iter().enumerate() {
        let Some(call) = seen.call() else { continue };
        if call.name == "rt_sigprocmask" && seen.thread == 0 {
            if matches!(call.known, Known::Blocked(_)) {
                open.insert(&seen.role, index);
            }
        } else if (is_wait(&call.name) && seen.took(Duration::MAX) >= A_WHILE)
            || call.name == "execve"
            || (call.succeeded() && makes_or_removes(call))
        {
            lasting.extend(open.remove(seen.role.as_str()));
        }
    }
    lasting
}

impl<'a> Facts<'a> {
    /// The facts of a run.
    pub(super) fn of(recording: &Recording, names: &'a Names) -> Self {
        let (last_writes, filled) = writes(recording);
        Self { names, last_writes, filled, lasting: lasting_masks(recording), messages: recording.messages }
    }
}
