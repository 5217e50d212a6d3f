//! What this process itself holds: descriptors, children, threads, files below its own
//! directories. For an agent that is a future these are the agent's.

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

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

fn descriptors() -> BTreeMap<i32, String> {
    let numbers: Vec<i32> = entries("/proc/self/fd").filter_map(|name| name.parse().ok()).collect();
    let target = |number: i32| {
        // The one that listed them is closed by now.
        let target = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        Some((number, target.to_string_lossy().into_owned()))
    };
    numbers.into_iter().filter_map(target).collect()
}

pub(super) fn children() -> Vec<Child> {
    let own = std::process::id().to_string();
    let of = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let state = words.next()?.chars().next()?;
        (words.next()? == own).then(|| Child { pid, ended: state == 'Z', command: command(pid, &stat) })
    };
    entries("/proc").filter_map(|name| name.parse().ok()).filter_map(of).collect()
}

/// Children that were not there before.
pub(super) fn new_children(before: &Own) -> Vec<Child> {
    children().into_iter().filter(|child| !before.children.contains(child)).collect()
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

/// Its command line, or its name if it has none any more.
fn command(pid: i32, stat: &str) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ");
    let name = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).map(|(name, _)| name.to_owned());
    if line.is_empty() { name.unwrap_or_default() } else { line }
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
