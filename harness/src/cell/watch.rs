//! Watches for `file:` points with inotify(7): no polling, no missed file.
//!
//! The watch is set before the directory is read, so that a file which appears
//! in between shows either in the reading or in an event.

use crate::model::{FileSize, path_text};
use globset::{GlobBuilder, GlobMatcher};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Where the watched paths start: the root of a cell, or of the host.
#[derive(Debug)]
pub(crate) struct FileWatch {
    events: OwnedFd,
    root: OwnedFd,
    parts: Vec<Part>,
    size: Option<FileSize>,
}

#[derive(Debug)]
enum Part {
    Name(PathBuf),
    Pattern(Box<GlobMatcher>),
    /// `**`: any number of directories.
    Any,
}

impl FileWatch {
    /// A watch for an absolute pattern below a root directory.
    pub(crate) fn new(
        root: BorrowedFd<'_>,
        directory: &Path,
        glob: &str,
        size: Option<FileSize>,
    ) -> std::io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let absolute = directory.join(glob);
        let parts = absolute
            .components()
            .filter_map(|component| match component {
                Component::Normal(part) => Some(part),
                _ => None,
            })
            .map(Part::read)
            .collect();
        let root = rustix::io::fcntl_dupfd_cloexec(root, 3)?;
        Ok(Self { events, root, parts, size })
    }

    /// Readable when something happened where the pattern could match.
    pub(crate) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// Takes the events and says whether the pattern matches now.
    pub(crate) fn matches(&self) -> bool {
        let mut space = [MaybeUninit::<u8>::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut space);
        while reader.next().is_ok() {}
        self.search(Path::new(""), &self.parts, 0)
    }

    /// Opens a directory below the root, with links followed as the agent would:
    /// an absolute one starts at the root of the cell, not of the host.
    fn enter(&self, directory: &Path) -> rustix::io::Result<OwnedFd> {
        let path = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
    }

    fn watch(&self, directory: &OwnedFd) {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ONLYDIR;
        // A directory that is gone again, or may not be read, cannot hold a match.
        let _ = inotify::add_watch(&self.events, format!("/proc/self/fd/{}", directory.as_raw_fd()), flags);
    }

    fn search(&self, directory: &Path, parts: &[Part], depth: usize) -> bool {
        let Some((first, rest)) = parts.split_first() else { return self.enter(directory).is_ok() };
        if depth > 64 {
            return false;
        }
        let Ok(opened) = self.enter(directory) else { return false };
        self.watch(&opened);
        let matches = |name: &OsStr| self.found(&opened, directory, name, rest, depth);
        match first {
            Part::Name(name) => matches(name.as_os_str()),
            Part::Pattern(pattern) => {
                names(&opened).iter().any(|name| pattern.is_match(path_text(name.as_encoded_bytes())) && matches(name))
            }
            Part::Any => {
                self.search(directory, rest, depth + 1)
                    || names(&opened).iter().any(|name| {
                        let kind = rustix::fs::statat(&opened, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW)
                            .map(|stat| FileType::from_raw_mode(stat.st_mode));
                        kind == Ok(FileType::Directory) && self.search(&directory.join(name), parts, depth + 1)
                    })
            }
        }
    }

    /// Whether what has this name is there, with what is asked of it.
    fn found(&self, opened: &OwnedFd, directory: &Path, name: &OsStr, rest: &[Part], depth: usize) -> bool {
        let Ok(stat) = rustix::fs::statat(opened, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        if rest.is_empty() {
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            self.size.is_none_or(|wanted| wanted.holds(size))
        } else {
            self.search(&directory.join(name), rest, depth + 1)
        }
    }
}

impl Part {
    fn read(text: &OsStr) -> Self {
        if text == "**" {
            return Self::Any;
        }
        let plain = !text.as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte));
        match text
            .to_str()
            .filter(|_| !plain)
            .and_then(|text| GlobBuilder::new(text).literal_separator(true).build().ok())
        {
            Some(glob) => Self::Pattern(Box::new(glob.compile_matcher())),
            None => Self::Name(PathBuf::from(text)),
        }
    }
}

fn names(directory: &OwnedFd) -> Vec<OsString> {
    let Ok(mut entries) = rustix::fs::Dir::read_from(directory) else { return Vec::new() };
    let mut names = Vec::new();
    while let Some(Ok(entry)) = entries.read() {
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_os_string());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_through_the_root_of_the_cell() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = std::fs::File::open(directory.path()).expect("opens");
        std::fs::create_dir_all(directory.path().join("run")).expect("mkdir");
        std::fs::create_dir(directory.path().join("var")).expect("mkdir");
        std::os::unix::fs::symlink("/run", directory.path().join("var/run")).expect("link");
        std::os::unix::fs::symlink("../../../../proc", directory.path().join("out")).expect("link");
        let watch = |glob: &str| FileWatch::new(root.as_fd(), Path::new("/"), glob, None).expect("watch");
        let (pid_file, host) = (watch("var/run/app.pid"), watch("out/version"));
        assert!(!pid_file.matches());
        std::fs::write(directory.path().join("run/app.pid"), "1").expect("write");
        assert!(pid_file.matches());
        assert!(!host.matches(), "the link leads to the host");
    }

    #[test]
    fn a_file_is_seen_when_it_appears_and_when_it_has_its_size() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = std::fs::File::open(directory.path()).expect("opens");
        let size = Some(FileSize { relation: crate::model::SizeRelation::AtLeast, bytes: 3 });
        let appears = FileWatch::new(root.as_fd(), Path::new("/work"), "out/part-*", None).expect("watch");
        let grows = FileWatch::new(root.as_fd(), Path::new("/work"), "**/part-1", size).expect("watch");
        assert!(!appears.matches() && !grows.matches());
        std::fs::create_dir_all(directory.path().join("work/out")).expect("mkdir");
        assert!(!appears.matches() && !grows.matches());
        std::fs::write(directory.path().join("work/out/part-1"), "ab").expect("write");
        assert!(appears.matches() && !grows.matches());
        std::fs::write(directory.path().join("work/out/part-1"), "abc").expect("write");
        let mut watched = [rustix::event::PollFd::new(&grows.events, rustix::event::PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut watched, None), Ok(1));
        assert!(grows.matches());
    }
}
