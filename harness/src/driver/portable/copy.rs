//! Copies the workspace of an agent. Follows no link, reads no special file,
//! and refuses what is too large to be copied for every trial.

use super::cgroup::PREFIX;
use super::files::{Origin, Stamp, Stamps};
use super::names::Names;
use crate::cell::{DEEPEST, kind_of, names};
use crate::driver::DriverError;
use crate::model::{FileKind, path_text};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::{CStr, OsStr};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How much is copied for each trial, at most.
const MOST_FILES: u64 = 200_000;
const MOST_BYTES: u64 = 2 << 30;

const OPEN_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What was copied.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// The copies by their path inside the workspace.
    pub(super) stamps: Stamps,
    /// What could not be read, by the path in the original, with the reason.
    pub(super) unread: Vec<(String, String)>,
}

struct Copy<'a> {
    names: &'a Names,
    /// Where directories of trials lie: they are no part of any workspace.
    trials: (u64, u64),
    root: bool,
    copied: Copied,
    files: u64,
    bytes: u64,
}

fn system(what: &'static str, path: &Path) -> impl Fn(Errno) -> DriverError {
    move |errno| DriverError::System { what, why: format!("{}: {errno}", path.display()) }
}

/// Copies the workspace into an empty directory.
pub(super) fn workspace(
    names: &Names,
    original: &OwnedFd,
    copy: &OwnedFd,
    trials: &Path,
) -> Result<Copied, DriverError> {
    let place = rustix::fs::stat(trials).map_err(system("read", trials))?;
    let mut work = Copy {
        names,
        trials: (place.st_dev, place.st_ino),
        root: rustix::process::geteuid().is_root(),
        copied: Copied::default(),
        files: 0,
        bytes: 0,
    };
    work.directory(original, copy, Path::new(""), 0)?;
    let stat = rustix::fs::fstat(original).map_err(system("read the workspace", &names.original))?;
    work.attributes(copy, &stat).map_err(system("copy the workspace", &names.copy))?;
    Ok(work.copied)
}

fn times(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: stat.st_atime, tv_nsec: stat.st_atime_nsec as _ },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ },
    }
}

impl Copy<'_> {
    fn too_large(&self) -> DriverError {
        DriverError::Unsupported(format!(
            "the workspace {} has more than {MOST_FILES} files or {} GiB, too much to be copied for every trial: use the full guarantee, which copies nothing, or a smaller workspace",
            self.names.original.display(),
            MOST_BYTES >> 30
        ))
    }

    fn unread(&mut self, inside: &Path, why: impl ToString) {
        let path = self.names.original.join(inside);
        self.copied.unread.push((path_text(path.as_os_str().as_bytes()), why.to_string()));
    }

    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd, inside: &Path, depth: usize) -> Result<(), DriverError> {
        let listed = match names(from) {
            Ok(listed) => listed,
            Err(errno) => {
                self.unread(inside, errno);
                return Ok(());
            }
        };
        let here = rustix::fs::fstat(from).map_err(system("read", inside))?;
        let holds_trials = (here.st_dev, here.st_ino) == self.trials;
        for name in &listed {
            if holds_trials && name.to_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            self.entry(from, to, name, &inside.join(OsStr::from_bytes(name.to_bytes())), depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        inside: &Path,
        depth: usize,
    ) -> Result<(), DriverError> {
        // A file that vanishes while it is copied was not there.
        let Ok(stat) = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(self.too_large());
        }
        let target = self.names.copy.join(inside);
        match kind_of(stat.st_mode) {
            FileKind::Directory if depth >= DEEPEST => {
                self.unread(inside, format!("deeper than {DEEPEST} directories"));
            }
            FileKind::Directory => {
                let failed = system("copy a directory to", &target);
                let opened = match rustix::fs::openat(from, name, OPEN_DIRECTORY, Mode::empty()) {
                    Ok(opened) => opened,
                    Err(errno) => {
                        self.unread(inside, errno);
                        return Ok(());
                    }
                };
                rustix::fs::mkdirat(to, name, Mode::RWXU).map_err(&failed)?;
                let made = rustix::fs::openat(to, name, OPEN_DIRECTORY, Mode::empty()).map_err(&failed)?;
                self.directory(&opened, &made, inside, depth + 1)?;
                self.attributes(&made, &stat).map_err(&failed)?;
                self.stamp(to, name, inside, None);
            }
            FileKind::Regular => self.regular(from, to, name, inside, &stat, &target)?,
            FileKind::Symlink => {
                let failed = system("copy a link to", &target);
                let Ok(link) = rustix::fs::readlinkat(from, name, Vec::new()) else { return Ok(()) };
                // An absolute link into the workspace would lead back to the original.
                let link = PathBuf::from(self.names.to_copy(OsStr::from_bytes(link.to_bytes())));
                rustix::fs::symlinkat(link.as_path(), to, name).map_err(&failed)?;
                self.stamp(to, name, inside, Some(link));
            }
            FileKind::Socket | FileKind::Fifo | FileKind::Device => {}
        }
        Ok(())
    }

    fn regular(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        inside: &Path,
        stat: &Stat,
        target: &Path,
    ) -> Result<(), DriverError> {
        let failed = system("copy a file to", target);
        let room = MOST_BYTES - self.bytes;
        if u64::try_from(stat.st_size).is_ok_and(|size| size > room) {
            return Err(self.too_large());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = match rustix::fs::openat(from, name, flags, Mode::empty()) {
            Ok(source) => std::fs::File::from(source),
            Err(errno) => {
                self.unread(inside, errno);
                return Ok(());
            }
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR).map_err(&failed)?;
        let mut file = std::fs::File::from(made);
        // Bounded, as somebody may be writing it.
        let count = std::io::copy(&mut source.take(room + 1), &mut file).map_err(|error| DriverError::System {
            what: "copy a file to",
            why: format!("{}: {error}", target.display()),
        })?;
        if count > room {
            return Err(self.too_large());
        }
        self.bytes += count;
        self.attributes(&file, stat).map_err(&failed)?;
        self.stamp(to, name, inside, None);
        Ok(())
    }

    /// Owner where we may, then permissions, then times: each would undo the next.
    fn attributes(&self, copy: impl AsFd, stat: &Stat) -> rustix::io::Result<()> {
        let mut mode = stat.st_mode & 0o7777;
        if self.root {
            match rustix::fs::fchown(&copy, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid))) {
                // In a user namespace not everybody is there whom a file may belong to. Their set-id
                // bits would give this user's rights.
                Err(Errno::INVAL) => mode &= 0o777,
                changed => changed?,
            }
        } else if stat.st_uid != rustix::process::geteuid().as_raw() {
            // Set-id bits would give this user's rights, not the owner's.
            mode &= 0o777;
        }
        rustix::fs::fchmod(&copy, Mode::from_raw_mode(mode))?;
        rustix::fs::futimens(&copy, &times(stat))
    }

    fn stamp(&mut self, to: &OwnedFd, name: &CStr, inside: &Path, link: Option<PathBuf>) {
        if let Ok(stat) = rustix::fs::statat(to, name, AtFlags::SYMLINK_NOFOLLOW) {
            self.copied.stamps.insert(inside.to_path_buf(), Stamp::new(&stat, link, Origin::Copied));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_that_lie_in_the_workspace_are_not_copied_into_themselves() {
        let place = tempfile::tempdir().expect("a directory");
        let original = place.path().join("tmp");
        let copy = original.join("quietus-1/workspace");
        std::fs::create_dir_all(&copy).expect("mkdir");
        std::fs::create_dir_all(original.join("inside/quietus-is-a-word")).expect("mkdir");
        std::os::unix::net::UnixListener::bind(original.join("socket")).expect("bind");
        std::os::unix::fs::symlink(place.path(), original.join("link")).expect("symlink");
        let names = Names::between(original.clone(), copy.clone(), "/tmp/t".into(), "/tmp".into());
        let open = |path: &Path| rustix::fs::open(path, OPEN_DIRECTORY, Mode::empty()).expect("opens");
        let copied = workspace(&names, &open(&original), &open(&copy), &original).expect("copies");
        let paths: Vec<&Path> = copied.stamps.keys().map(PathBuf::as_path).collect();
        assert_eq!(paths, ["inside", "inside/quietus-is-a-word", "link"].map(Path::new));
        assert!(copied.unread.is_empty());
        assert_eq!(std::fs::read_link(copy.join("link")).expect("a link"), place.path());
    }
}
