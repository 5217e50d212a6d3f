//! What this process itself holds: descriptors, children, threads, files below its own
//! directories. For an agent that is a future these are the agent's.

use crate::cell::{Depth, children_of, look_at};
use crate::model::ProcessRecord;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

/// What was there at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Own {
    /// What each descriptor is.
    pub(super) descriptors: BTreeMap<i32, String>,
    pub(super) children: Vec<Child>,
    pub(super) threads: usize,
    /// What stands in the directory for temporary files, the directories of trials excepted.
    pub(super) temporary: BTreeSet<String>,
}

/// A child of this process; the same one by its pid.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) pid: i32,
    /// It has ended, and nobody has waited for it.
    pub(super) ended: bool,
    pub(super) command: String,
}

impl PartialEq for Child {
    fn eq(&self, other: &Self) -> bool {
        self.pid == other.pid
    }
}

impl Eq for Child {}

/// How the names of the directories of trials begin.
pub(super) const TRIAL: &str = "quietus-trial-";

/// Looks at this process. Another thread of it may change all of that meanwhile.
pub(super) fn look() -> Own {
    Own {
        descriptors: descriptors(),
        children: children(),
        threads: entries("/proc/self/task").count(),
        temporary: temporary(),
    }
}

pub(super) fn temporary() -> BTreeSet<String> {
    entries(std::env::temp_dir()).filter(|name| !name.starts_with(TRIAL)).collect()
}

fn entries(directory: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let read = std::fs::read_dir(directory);
    read.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok())
}

fn open(path: &str) -> Option<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

fn descriptors() -> BTreeMap<i32, String> {
    let own = open("/proc").and_then(|proc| look_at(&proc, std::process::id().cast_signed(), Depth::Descriptors));
    let mut descriptors = own.map(|own| own.descriptors).unwrap_or_default();
    // Those through which it was looked.
    descriptors.retain(|_, target| !target.starts_with("/proc"));
    descriptors
}

/// The children of this process, those it has inherited too.
pub(super) fn children() -> Vec<Child> {
    let own = std::process::id().cast_signed();
    let Some(proc) = open("/proc") else { return Vec::new() };
    let of = |record: ProcessRecord| Child { pid: record.id.pid, ended: record.is_zombie(), command: record.command() };
    let records = children_of(&proc, own).into_iter().filter_map(|pid| look_at(&proc, pid, Depth::Processes));
    records.map(of).collect()
}

/// Children that were not there before.
pub(super) fn new_children(before: &Own) -> Vec<Child> {
    children().into_iter().filter(|child| !before.children.contains(child)).collect()
}

/// Removes what was not in the directory for temporary files before.
pub(super) fn remove_new_temporary(before: &Own) {
    for name in temporary().difference(&before.temporary) {
        let path = std::env::temp_dir().join(name);
        // What cannot be removed is in the way of the next run, which says so.
        let _removed = match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
            _ => std::fs::remove_file(path),
        };
    }
}

/// Waits until the children that were not there before have ended, for a while.
pub(super) fn await_ends(before: &Own, patience: Duration) {
    let began = Instant::now();
    for child in new_children(before).into_iter().filter(|child| !child.ended) {
        let Some(pid) = Pid::from_raw(child.pid) else { continue };
        let Ok(child) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let Ok(left) = Timespec::try_from(patience.saturating_sub(began.elapsed())) else { continue };
        let _ended_or_late = poll(&mut [PollFd::new(&child, PollFlags::IN)], Some(&left));
    }
}

/// Ends the children that were not there before, so that they are in nobody's way.
pub(super) fn end_new_children(before: &Own) {
    for child in new_children(before) {
        // A child that nobody has waited for keeps its pid.
        let Some(pid) = Pid::from_raw(child.pid) else { continue };
        if kill_process(pid, Signal::KILL).is_ok() {
            let _reaped = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// Every file and directory below one, by its path there, with a hash of its content.
pub(super) fn tree(directory: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let mut hasher = DefaultHasher::new();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(path.clone()),
                Ok(kind) if kind.is_file() => std::fs::read(&path).unwrap_or_default().hash(&mut hasher),
                _ => std::fs::read_link(&path).unwrap_or_default().hash(&mut hasher),
            }
            let name = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy().into_owned();
            found.insert(name, hasher.finish());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_what_this_process_holds() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let own = look();
        let path = file.path().to_string_lossy().into_owned();
        assert!(own.descriptors.values().any(|target| *target == path));
        assert!(own.threads >= 1);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let pid = i32::try_from(child.id()).expect("a pid");
        assert!(look().children.iter().any(|child| child.pid == pid));
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(!look().children.iter().any(|child| child.pid == pid));
    }

    #[test]
    fn a_tree_has_names_and_contents() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(directory.path().join("a")).expect("writable");
        std::fs::write(directory.path().join("a/b"), "x").expect("writable");
        let before = tree(directory.path());
        assert_eq!(before.keys().collect::<Vec<_>>(), ["a", "a/b"]);
        std::fs::write(directory.path().join("a/b"), "y").expect("writable");
        assert_ne!(tree(directory.path()), before);
    }
}
