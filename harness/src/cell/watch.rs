//! Watches for `file:` points with inotify(7): no polling, no missed file.
//!
//! The watch is set before the directory is read, so that a file which appears
//! in between shows either in the reading or in an event.

use super::paths::path_text;
use crate::model::FileSize;
use globset::{GlobBuilder, GlobMatcher};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

/// Where the watched paths start: the root of a cell, or of the host.
#[derive(Debug)]
pub(crate) struct FileWatch {
    events: OwnedFd,
    root: PathBuf,
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
        let root = PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd()));
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
        self.search(&self.root, &self.parts, 0)
    }

    fn watch(&self, directory: &Path) {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ONLYDIR;
        // A directory that is gone again, or may not be read, cannot hold a match.
        let _ = inotify::add_watch(&self.events, directory, flags);
    }

    fn search(&self, directory: &Path, parts: &[Part], depth: usize) -> bool {
        let Some((first, rest)) = parts.split_first() else { return self.is_large_enough(directory) };
        if depth > 64 {
            return false;
        }
        self.watch(directory);
        match first {
            Part::Name(name) => {
                let path = directory.join(name);
                path.symlink_metadata().is_ok() && self.search(&path, rest, depth + 1)
            }
            Part::Pattern(pattern) => children(directory).iter().any(|(name, path)| {
                pattern.is_match(path_text(name.as_encoded_bytes())) && self.search(path, rest, depth + 1)
            }),
            Part::Any => {
                self.search(directory, rest, depth + 1)
                    || children(directory)
                        .iter()
                        .any(|(_, path)| path.is_dir() && !path.is_symlink() && self.search(path, parts, depth + 1))
            }
        }
    }

    fn is_large_enough(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok_and(|metadata| self.size.is_none_or(|size| size.holds(metadata.len())))
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

fn children(directory: &Path) -> Vec<(std::ffi::OsString, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(Result::ok).map(|entry| (entry.file_name(), entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
