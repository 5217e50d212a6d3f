//! Removes directories of a trial. Used by Quietus and by a keeper after fork:
//! allocates nothing, goes by descriptors only, follows no link.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;
use std::ffi::CStr;
use std::mem::MaybeUninit;

/// Directories nested deeper are moved up first: the stack is bounded.
const DEEPEST: u32 = 48;
/// Room for several entries of a directory; one takes at most 280 bytes.
const ROOM: usize = 1536;

const OPEN_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn is_self_or_parent(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// Opens a directory, making it readable first where its mode forbids that.
fn open_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(parent, name, OPEN_DIRECTORY, Mode::empty()) {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            rustix::fs::openat(parent, name, OPEN_DIRECTORY, Mode::empty())
        }
        other => other,
    }
}

/// Removes a directory and everything below it. One that is not there is no error.
///
/// # Errors
/// Why something is left: it belongs to another user, or is in use as a mount point.
pub(crate) fn remove_tree(path: &CStr) -> Result<(), Errno> {
    let top = match open_directory(CWD, path) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let mut serial = 0u64;
    // What was moved up is removed in the next round.
    loop {
        let before = serial;
        let outcome = empty(top.as_fd(), top.as_fd(), 0, &mut serial);
        match rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) if serial > before => {}
            Err(errno) => return Err(outcome.err().unwrap_or(errno)),
        }
    }
}

/// Removes what is in a directory; gives the first reason why something is left.
fn empty(directory: BorrowedFd<'_>, top: BorrowedFd<'_>, depth: u32, serial: &mut u64) -> Result<(), Errno> {
    // Entries can only be removed from a directory that may be written.
    let _ = rustix::fs::fchmod(directory, Mode::RWXU);
    loop {
        let (mut removed, mut outcome) = (false, Ok(()));
        let mut space = [MaybeUninit::<u8>::uninit(); ROOM];
        rustix::fs::seek(directory, SeekFrom::Start(0))?;
        let mut entries = RawDir::new(directory, &mut space);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if is_self_or_parent(name) {
                continue;
            }
            match remove_entry(directory, name, entry.file_type(), top, depth, serial) {
                Ok(()) => removed = true,
                Err(errno) => outcome = Err(errno),
            }
        }
        // A directory that changes while it is read may skip entries: read it again.
        if !removed {
            return outcome;
        }
    }
}

fn remove_entry(
    directory: BorrowedFd<'_>,
    name: &CStr,
    kind: FileType,
    top: BorrowedFd<'_>,
    depth: u32,
    serial: &mut u64,
) -> Result<(), Errno> {
    if !matches!(kind, FileType::Directory) {
        match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    if depth >= DEEPEST {
        let mut text = *b"quietus-deep-0000000000000000\0";
        for (index, place) in text.iter_mut().skip(13).take(16).enumerate() {
            *place = b"0123456789abcdef"[(*serial >> (60 - 4 * index) & 15) as usize];
        }
        *serial += 1;
        let moved = CStr::from_bytes_with_nul(&text).map_err(|_| Errno::INVAL)?;
        return rustix::fs::renameat(directory, name, top, moved);
    }
    let opened = open_directory(directory, name)?;
    let inside = empty(opened.as_fd(), top, depth + 1, serial);
    match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(inside.err().unwrap_or(errno)),
    }
}

/// Removes a cgroup and those the agent made below it, once they are empty of
/// processes. One that is not there is no error.
///
/// # Errors
/// Why it is left; `BUSY` when a process stays in it.
pub(crate) fn remove_groups(path: &CStr) -> Result<(), Errno> {
    let group = match open_directory(CWD, path) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    // A process that was waited for may leave its cgroup a moment later.
    let events = rustix::fs::openat(&group, c"cgroup.events", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok();
    for round in 0.. {
        remove_groups_below(group.as_fd(), 0);
        match rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::BUSY) if round < 200 => {
                let mut watched = [PollFd::from_borrowed_fd(events.as_ref().map_or(CWD, AsFd::as_fd), PollFlags::PRI)];
                let watched = if events.is_some() { &mut watched[..] } else { &mut [] };
                // The bound is for a change between the reading and the wait.
                let _ = poll(watched, Some(&Timespec { tv_sec: 0, tv_nsec: 10_000_000 }));
                if let Some(events) = &events {
                    let _ = rustix::io::pread(events, &mut [0u8; 128], 0);
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::BUSY)
}

fn remove_groups_below(group: BorrowedFd<'_>, depth: u32) {
    if depth >= DEEPEST || rustix::fs::seek(group, SeekFrom::Start(0)).is_err() {
        return;
    }
    let mut space = [MaybeUninit::<u8>::uninit(); ROOM];
    let mut entries = RawDir::new(group, &mut space);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if is_self_or_parent(name) || !matches!(entry.file_type(), FileType::Directory) {
            continue;
        }
        if let Ok(below) = rustix::fs::openat(group, name, OPEN_DIRECTORY, Mode::empty()) {
            remove_groups_below(below.as_fd(), depth + 1);
        }
        // What stays shows when the whole cannot be removed.
        let _ = rustix::fs::unlinkat(group, name, AtFlags::REMOVEDIR);
    }
}

/// Calls `act` with each entry of a directory whose name is a number.
pub(super) fn numbers_below(path: &CStr, act: &mut dyn FnMut(BorrowedFd<'_>, i32, &CStr)) {
    let Ok(directory) = rustix::fs::openat(CWD, path, OPEN_DIRECTORY, Mode::empty()) else { return };
    let mut space = [MaybeUninit::<u8>::uninit(); ROOM];
    let mut entries = RawDir::new(&directory, &mut space);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if let Some(number) = name.to_str().ok().and_then(|text| text.parse().ok()) {
            act(directory.as_fd(), number, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn deep_forbidden_and_linked_directories_are_removed() {
        let place = tempfile::tempdir().expect("a directory");
        let outside = place.path().join("outside");
        std::fs::write(&outside, "stays").expect("write");
        let tree = place.path().join("tree");
        let mut deep = tree.clone();
        for _ in 0..150 {
            deep.push("d");
        }
        std::fs::create_dir_all(&deep).expect("mkdir");
        std::fs::write(deep.join("file"), "x").expect("write");
        for number in 0..500 {
            std::fs::write(tree.join(format!("file-{number}")), "x").expect("write");
        }
        std::os::unix::fs::symlink(place.path(), tree.join("link")).expect("symlink");
        let closed = tree.join("closed");
        std::fs::create_dir_all(closed.join("inner")).expect("mkdir");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("chmod");
        let path = CString::new(tree.to_str().expect("text")).expect("no NUL");
        assert_eq!(remove_tree(&path), Ok(()));
        assert!(!tree.exists());
        assert_eq!(std::fs::read_to_string(outside).expect("still there"), "stays");
        assert_eq!(remove_tree(&path), Ok(()), "what is not there is no error");
    }
}
