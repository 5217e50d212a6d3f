//! A directory: what is in it, and what that holds.

use super::{MOST, Oracle, Place, read_all, text_of};
use crate::model::State;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many entries a directory may have in all.
const MOST_ENTRIES: usize = 20_000;
/// How deep it may go.
const DEEPEST: usize = 64;

/// Reads a directory with all below it as one state.
#[derive(Debug)]
pub struct DirectoryOracle {
    /// What it is called.
    pub name: String,
    /// The directory; a relative path starts in the agent's.
    pub path: PathBuf,
}

impl Oracle for DirectoryOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let Some(directory) = place.open(&self.path)? else { return Ok(State::absent()) };
        let (mut items, mut room) = (BTreeMap::new(), MOST);
        list(&directory, Path::new(""), 0, &mut room, &mut items)
            .map_err(|why| format!("{}: {why}", self.path.display()))?;
        Ok(State::of(items))
    }
}

fn list(
    directory: &OwnedFd,
    inside: &Path,
    depth: usize,
    room: &mut u64,
    items: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let mut entries = rustix::fs::Dir::read_from(directory).map_err(|errno| match errno {
        rustix::io::Errno::NOTDIR => "it is no directory".to_owned(),
        errno => errno.to_string(),
    })?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(|errno| errno.to_string())?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = inside.join(OsStr::from_bytes(name.to_bytes()));
        if items.len() >= MOST_ENTRIES || depth >= DEEPEST {
            return Err(format!("it has more than {MOST_ENTRIES} entries, or is deeper than {DEEPEST} directories"));
        }
        // One that is gone again is not there.
        let Some(content) = entry_of(directory, name, &path, room)? else { continue };
        let below = content.1;
        items.insert(path.display().to_string(), content.0);
        if let Some(below) = below {
            list(&below, &path, depth + 1, room, items)?;
        }
    }
    Ok(())
}

/// What an entry is and holds, and itself if it is a directory.
fn entry_of(
    directory: &OwnedFd,
    name: &CStr,
    path: &Path,
    room: &mut u64,
) -> Result<Option<(String, Option<OwnedFd>)>, String> {
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(format!("cannot look at {}: {errno}", path.display())),
    };
    let mode = stat.st_mode & 0o7777;
    let open = |flags: OFlags| {
        rustix::fs::openat(directory.as_fd(), name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| format!("cannot open {}: {errno}", path.display()))
    };
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => (format!("directory, mode {mode:04o}"), Some(open(OFlags::RDONLY | OFlags::DIRECTORY)?)),
        FileType::RegularFile => {
            let bytes = read_all(open(OFlags::RDONLY | OFlags::NONBLOCK)?, path)?;
            *room = room
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| format!("the files in it have more than {MOST} bytes: name a smaller directory"))?;
            (format!("file, mode {mode:04o}\n{}", text_of(&bytes)), None)
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(directory, name, Vec::new()).map_err(|errno| errno.to_string())?;
            (format!("link to {}", target.to_string_lossy()), None)
        }
        other => (format!("{other:?}, mode {mode:04o}").to_lowercase(), None),
    }))
}
