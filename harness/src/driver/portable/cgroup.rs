//! A cgroup of its own for each trial, where a version 2 hierarchy is writable
//! (cgroups(7)). No controller is needed: it only tells who belongs to the
//! trial, and ends them all at once.

use crate::cell::unescape;
use crate::sys::{Guarded, Keep, Keeper, may_enter_cgroup};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The cgroup of one trial.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    directory: OwnedFd,
    events: OwnedFd,
}

/// The directory of our own cgroup, from mountinfo and `/proc/self/cgroup`. Pure.
fn own_directory(mountinfo: &[u8], own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mountinfo.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let dash = fields.iter().position(|field| *field == b"-")?;
        (*fields.get(dash + 1)? == b"cgroup2").then_some(())?;
        let inside = Path::new(own).strip_prefix(unescape(fields.get(3)?)).ok()?.to_path_buf();
        Some(unescape(fields.get(4)?).join(inside))
    })
}

/// A NUL-terminated path.
pub(super) fn c_path(path: &Path) -> Result<CString, String> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| format!("{} has a NUL byte", path.display()))
}

/// A name that no other trial has.
pub(super) fn fresh_name() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{PREFIX}{:016x}", hasher.finish())
}

/// How the directories and cgroups of trials begin.
pub(super) const PREFIX: &str = "quietus-";

/// Finds the cgroup below which trials can have theirs, and proves it by making
/// one. The error says in words why there is none.
pub(super) fn find_parent(temporary: &Path) -> Result<PathBuf, String> {
    let read = |path: &str| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let own = String::from_utf8_lossy(&read("/proc/self/cgroup")?).into_owned();
    let parent = own_directory(&read("/proc/self/mountinfo")?, &own)
        .ok_or_else(|| "no version 2 hierarchy with our own cgroup is mounted".to_owned())?;
    let name = fresh_name();
    let path = parent.join(&name);
    let guarded = Guarded { directory: c_path(&temporary.join(&name))?, cgroup: Some(c_path(&path)?) };
    let keep =
        Keep { programs: &[], directory: c"/", terminal: None, enter: None, max_processes: None, guarded: &guarded };
    // Removes the proof, also when this process is killed meanwhile.
    let _keeper = Keeper::start(&keep).map_err(|error| error.to_string())?;
    let group = Cgroup::make(&path)?;
    may_enter_cgroup(group.directory())
        .map_err(|errno| format!("{} cannot be entered: {errno}", group.path.display()))?;
    Ok(parent)
}

impl Cgroup {
    /// Makes it. Whoever makes it has a keeper that removes it.
    pub(super) fn make(path: &Path) -> Result<Self, String> {
        std::fs::create_dir(path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
        let open = |path: &Path, flags| {
            rustix::fs::open(path, flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|errno| format!("{}: {errno}", path.display()))
        };
        let (directory, events) = (open(path, OFlags::DIRECTORY)?, open(&path.join("cgroup.events"), OFlags::empty())?);
        Ok(Self { path: path.to_path_buf(), directory, events })
    }

    /// Its directory, which a process enters it by.
    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Urgent when `populated` changes.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Bounds the processes and threads where the `pids` controller is on.
    pub(super) fn limit(&self, most: u32) {
        // Without the controller there is no such file, and no such bound.
        let _ = std::fs::write(self.path.join("pids.max"), most.to_string());
    }

    /// Its processes and those of cgroups below it; zombies are in none.
    pub(super) fn pids(&self) -> BTreeSet<i32> {
        let mut pids = BTreeSet::new();
        gather(&self.path, &mut pids, 0);
        pids
    }

    /// Ends all of them at once, where the kernel can (Linux 5.14).
    pub(super) fn kill(&self) {
        let _ = std::fs::write(self.path.join("cgroup.kill"), "1");
    }
}

fn gather(path: &Path, pids: &mut BTreeSet<i32>, depth: u32) {
    let text = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process that this PID namespace cannot see.
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    let below = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    for entry in below.filter(|entry| depth < 16 && entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        gather(&entry.path(), pids, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_our_own_cgroup_in_every_layout() {
        let unified = b"30 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n".as_slice();
        let hybrid = b"29 22 0:25 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n31 22 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n".as_slice();
        let shared = b"30 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n".as_slice();
        let none = b"29 22 0:25 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n".as_slice();
        for (mounts, own, found) in [
            (unified, "0::/user.slice/a.scope\n", Some("/sys/fs/cgroup/user.slice/a.scope")),
            (unified, "0::/\n", Some("/sys/fs/cgroup/")),
            (hybrid, "1:pids:/x\n0::/y\n", Some("/sys/fs/cgroup/unified/y")),
            (shared, "0::/docker/abc\n", Some("/sys/fs/cgroup/")),
            (shared, "0::/../other\n", None),
            (none, "1:pids:/x\n", None),
            (hybrid, "1:pids:/x\n", None),
        ] {
            assert_eq!(own_directory(mounts, own), found.map(PathBuf::from), "{own}");
        }
    }
}
