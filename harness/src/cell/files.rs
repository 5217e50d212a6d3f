//! What changed in the files: a walk over the upper layers of a cell's overlays.
//!
//! The walk costs what changed, not what exists. It goes by open directories,
//! never by whole paths, so neither depth nor links lead it astray.

use super::blueprint::Layer;
use crate::model::{FileChange, FileKind, FileNode, FileTree, path_text};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bounds of a walk, so that no agent can exhaust Quietus.
pub(crate) const MOST_NODES: usize = 300_000;
pub(crate) const DEEPEST: usize = 200;
/// Files up to this size are kept whole, for the judgement of torn files.
pub(crate) const KEPT_FILE: u64 = 16 << 20;
/// Files up to this size are hashed.
pub(crate) const HASHED_FILE: u64 = 64 << 20;
/// All that is kept of one walk.
pub(crate) const KEPT_TOTAL: u64 = 64 << 20;
/// How many files of one walk are read at all.
pub(crate) const READ_FILES: usize = 5_000;

const OPEN_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What the upper layers held at an earlier moment (after `prepare`): those
/// changes are "before", not the agent's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    pub(crate) nodes: BTreeMap<String, FileNode>,
}

struct Walk<'a> {
    before: &'a Before,
    /// Directories that are not looked into: what changes there is not the agent's.
    hidden: &'a [PathBuf],
    tree: FileTree,
    kept: u64,
    read: usize,
    /// Everything, not only what differs from the lower layer: for `Before`.
    all: bool,
}

/// Lists every changed path below the upper layers.
pub(crate) fn changes(upper: BorrowedFd<'_>, layers: &[Layer], before: &Before, hidden: &[PathBuf]) -> FileTree {
    walk(upper, layers, before, hidden, false)
}

/// Lists what the upper layers hold now, as the state before the agent starts.
pub(crate) fn state_before(upper: BorrowedFd<'_>, layers: &[Layer], hidden: &[PathBuf]) -> Before {
    Before { nodes: walk(upper, layers, &Before::default(), hidden, true).nodes }
}

fn walk(upper: BorrowedFd<'_>, layers: &[Layer], before: &Before, hidden: &[PathBuf], all: bool) -> FileTree {
    let mut walk = Walk { before, hidden, tree: FileTree::default(), kept: 0, read: 0, all };
    for layer in layers {
        let opened = match rustix::fs::openat(upper, layer.upper.as_str(), OPEN_DIRECTORY, Mode::empty()) {
            // As an ordinary user: a directory that is shut for the agent, such as /root.
            Err(rustix::io::Errno::ACCESS) if all => continue,
            Err(rustix::io::Errno::ACCESS) => CString::new(layer.upper.as_str())
                .map_err(|_| rustix::io::Errno::INVAL)
                .and_then(|name| open_anyway(upper, &name, OPEN_DIRECTORY)),
            opened => opened,
        };
        match opened {
            Ok(directory) => {
                let covers = layer.covers.clone();
                walk.directory(&directory, &covers, true, 0);
            }
            Err(errno) => walk.tree.unread.push((layer.covers.display().to_string(), errno.to_string())),
        }
    }
    // What was made before and is gone from the upper layer without a whiteout.
    for (path, node) in &before.nodes {
        if node.change == FileChange::Created
            && !walk.tree.nodes.contains_key(path)
            && !walk.still_there(upper, layers, path)
        {
            let gone = FileNode {
                change: FileChange::Deleted,
                before: node.content.clone(),
                content: None,
                hash: None,
                stamp: None,
                ..node.clone()
            };
            walk.tree.nodes.insert(path.clone(), gone);
        }
    }
    walk.tree.nodes.retain(|_, node| node.mode != UNCHANGED);
    // What did not fit was refused (ENOSPC): that is the cell's doing, not the agent's.
    if let Ok(space) = rustix::fs::fstatvfs(upper)
        && (space.f_bfree * 256 < space.f_blocks || space.f_ffree * 256 < space.f_files)
    {
        let size = (space.f_blocks * space.f_frsize) >> 20;
        walk.tree.unread.push(("/".to_owned(), format!("the {size} MiB that a cell has for changes are used up")));
    }
    walk.tree
}

/// Marks a node that is there and did not change; dropped at the end of the walk.
const UNCHANGED: u32 = u32::MAX;

pub(crate) fn names(directory: impl AsFd) -> rustix::io::Result<Vec<CString>> {
    let mut entries = rustix::fs::Dir::read_from(directory)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
        if names.len() > MOST_NODES {
            break;
        }
    }
    names.sort();
    Ok(names)
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn is_opaque(directory: impl AsFd) -> bool {
    ["trusted.overlay.opaque", "user.overlay.opaque"].iter().any(|name| {
        let mut value = [0u8; 4];
        rustix::fs::fgetxattr(&directory, *name, &mut value[..]).is_ok_and(|length| length > 0 && value[0] == b'y')
    })
}

pub(crate) fn kind_of(mode: u32) -> FileKind {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => FileKind::Regular,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        FileType::Socket => FileKind::Socket,
        FileType::Fifo => FileKind::Fifo,
        _ => FileKind::Device,
    }
}

/// A time of the kernel as the time since the epoch.
pub(crate) fn stamp(seconds: i64, nanoseconds: impl TryInto<u32>) -> Duration {
    Duration::new(u64::try_from(seconds).unwrap_or(0), nanoseconds.try_into().unwrap_or(0))
}

/// Where the link at a path of the host leads.
fn link_at(path: &Path) -> Option<Vec<u8>> {
    Some(std::fs::read_link(path).ok()?.into_os_string().into_vec())
}

pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Opens something of the upper layer for reading; what its owner may not read
/// is made readable first: the cell is over, and the mode has been noted.
pub(crate) fn open_anyway(directory: impl AsFd + Copy, name: &CStr, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::openat(directory, name, flags, Mode::empty()) {
        Err(rustix::io::Errno::ACCESS) => {
            // By its descriptor: the name may be a link by now, to a file of the host.
            let handle =
                rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
            if FileType::from_raw_mode(rustix::fs::fstat(&handle)?.st_mode) == FileType::Symlink {
                return Err(rustix::io::Errno::LOOP);
            }
            let link = format!("/proc/self/fd/{}", handle.as_raw_fd());
            rustix::fs::chmod(link, Mode::RUSR | Mode::WUSR | Mode::XUSR)?;
            rustix::fs::openat(directory, name, flags, Mode::empty())
        }
        other => other,
    }
}

pub(crate) fn read_up_to(file: OwnedFd, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

impl Walk<'_> {
    /// `lower` says whether the directory exists below too, so that its
    /// children may have a past.
    fn directory(&mut self, directory: &OwnedFd, path: &Path, lower: bool, depth: usize) {
        let listed = match names(directory) {
            Ok(listed) => listed,
            Err(errno) => {
                self.tree.unread.push((path_text(path.as_os_str().as_bytes()), errno.to_string()));
                return;
            }
        };
        for name in &listed {
            if self.tree.nodes.len() >= MOST_NODES {
                self.tree.omitted += 1;
                continue;
            }
            self.entry(directory.as_fd(), name, &path.join(OsStr::from_bytes(name.to_bytes())), lower, depth);
        }
    }

    fn entry(&mut self, directory: BorrowedFd<'_>, name: &CStr, path: &Path, lower: bool, depth: usize) {
        if self.hidden.iter().any(|hidden| hidden == path) {
            return;
        }
        let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
        let text = path_text(path.as_os_str().as_bytes());
        let past = if lower { path.symlink_metadata().ok() } else { None };
        let prepared = self.before.nodes.get(&text);
        if is_whiteout(&stat) {
            self.deleted(text, path, past.is_some());
            return;
        }
        let kind = kind_of(stat.st_mode);
        let was_there = match prepared {
            Some(node) => node.change != FileChange::Deleted,
            None => past.is_some(),
        };
        let mut node = FileNode {
            change: if was_there { FileChange::Modified } else { FileChange::Created },
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode & 0o7777,
            owner: stat.st_uid,
            hash: None,
            content: None,
            before: None,
            stamp: Some(stamp(stat.st_ctime, stat.st_ctime_nsec)),
        };
        if kind == FileKind::Directory {
            let opened = open_anyway(directory, name, OFlags::RDONLY | OFlags::DIRECTORY);
            let opaque = opened.as_ref().is_ok_and(is_opaque);
            let lower_directory = past.as_ref().is_some_and(std::fs::Metadata::is_dir);
            if was_there && !self.all {
                node.mode = UNCHANGED;
            }
            self.tree.nodes.insert(text.clone(), node);
            if depth >= DEEPEST {
                self.tree.unread.push((text, format!("deeper than {DEEPEST} directories")));
                return;
            }
            match opened {
                Ok(opened) => {
                    self.directory(&opened, path, lower_directory && !opaque, depth + 1);
                    if opaque && lower_directory {
                        self.hidden_by_opaque(path);
                    }
                }
                Err(errno) => self.tree.unread.push((text, errno.to_string())),
            }
            return;
        }
        if kind == FileKind::Regular {
            self.read_content(directory, name, path, &mut node, prepared, past.as_ref());
        } else if kind == FileKind::Symlink {
            self.read_link(directory, name, path, &mut node, prepared);
        } else if was_there && prepared.is_some_and(|before| before.kind == kind) {
            node.mode = UNCHANGED;
        }
        self.tree.nodes.insert(text, node);
    }

    fn read_content(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: &Path,
        node: &mut FileNode,
        prepared: Option<&FileNode>,
        past: Option<&std::fs::Metadata>,
    ) {
        if self.read >= READ_FILES || node.size > HASHED_FILE {
            return;
        }
        self.read += 1;
        let Some(bytes) =
            open_anyway(directory, name, OFlags::RDONLY).ok().and_then(|file| read_up_to(file, HASHED_FILE))
        else {
            return;
        };
        node.hash = Some(hash_of(&bytes));
        if node.change == FileChange::Modified {
            node.before = match prepared {
                Some(before) => before.content.clone(),
                None => past
                    .filter(|past| past.is_file() && past.len() <= HASHED_FILE)
                    .and_then(|_| std::fs::File::open(path).ok())
                    .and_then(|file| read_up_to(file.into(), HASHED_FILE)),
            };
            if !self.all && node.before.as_ref().is_some_and(|before| *before == bytes) {
                node.mode = UNCHANGED;
                node.before = None;
            }
            if node.before.as_ref().is_some_and(|before| !self.may_keep(before.len() as u64)) {
                node.before = None;
            }
            self.kept += node.before.as_ref().map_or(0, |before| before.len() as u64);
        }
        if node.mode != UNCHANGED && self.may_keep(bytes.len() as u64) {
            self.kept += bytes.len() as u64;
            node.content = Some(bytes);
        }
    }

    /// Where a link leads is its content.
    fn read_link(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        path: &Path,
        node: &mut FileNode,
        prepared: Option<&FileNode>,
    ) {
        let Ok(leads) = rustix::fs::readlinkat(directory, name, Vec::new()) else { return };
        let leads = leads.into_bytes();
        let before = match (node.change, prepared) {
            (FileChange::Modified, Some(known)) if known.kind == FileKind::Symlink => known.content.clone(),
            (FileChange::Modified, None) => link_at(path),
            _ => None,
        };
        if !self.all && before.as_ref() == Some(&leads) {
            node.mode = UNCHANGED;
        } else if self.may_keep((leads.len() + before.as_ref().map_or(0, Vec::len)) as u64) {
            self.kept += (leads.len() + before.as_ref().map_or(0, Vec::len)) as u64;
            (node.content, node.before) = (Some(leads), before);
        }
    }

    fn may_keep(&self, size: u64) -> bool {
        size <= KEPT_FILE && self.kept + size <= KEPT_TOTAL
    }

    /// What a deleted file held, while there is room to keep it.
    fn lost(&mut self, path: &Path) -> Option<Vec<u8>> {
        let past = path.symlink_metadata().ok()?;
        if past.is_symlink() {
            let leads = link_at(path).filter(|leads| self.may_keep(leads.len() as u64))?;
            self.kept += leads.len() as u64;
            return Some(leads);
        }
        if !past.is_file() || self.read >= READ_FILES || !self.may_keep(past.len()) {
            return None;
        }
        self.read += 1;
        let content = read_up_to(std::fs::File::open(path).ok()?.into(), KEPT_FILE)?;
        self.kept += content.len() as u64;
        Some(content)
    }

    fn deleted(&mut self, text: String, path: &Path, in_lower: bool) {
        let before = match self.before.nodes.get(&text) {
            Some(node) if node.change == FileChange::Deleted => return,
            Some(node) => node.content.clone(),
            None if in_lower || self.all => self.lost(path),
            None => return,
        };
        let prepared = self.before.nodes.get(&text).map(|node| node.kind);
        let kind = match prepared.or_else(|| path.symlink_metadata().ok().map(|past| kind_of(past.mode()))) {
            Some(kind @ (FileKind::Directory | FileKind::Symlink)) => kind,
            _ => FileKind::Regular,
        };
        self.tree.nodes.insert(
            text,
            FileNode {
                change: FileChange::Deleted,
                kind,
                size: 0,
                mode: 0,
                owner: 0,
                hash: None,
                content: None,
                before,
                stamp: None,
            },
        );
    }

    /// A directory that was removed and made again hides all it held.
    fn hidden_by_opaque(&mut self, path: &Path) {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        for entry in entries.filter_map(Result::ok).take(10_000) {
            let child = entry.path();
            let text = path_text(child.as_os_str().as_bytes());
            if !self.tree.nodes.contains_key(&text) {
                self.deleted(text, &child, true);
            } else if let Some(node) = self.tree.nodes.get_mut(&text).filter(|node| node.change == FileChange::Created)
            {
                node.change = FileChange::Modified;
            }
        }
    }

    fn still_there(&self, upper: BorrowedFd<'_>, layers: &[Layer], text: &str) -> bool {
        let path = PathBuf::from(text);
        let Some(layer) = layers
            .iter()
            .filter(|layer| path.starts_with(&layer.covers))
            .max_by_key(|layer| layer.covers.components().count())
        else {
            return false;
        };
        let Ok(inside) = path.strip_prefix(&layer.covers) else { return false };
        rustix::fs::statat(upper, Path::new(&layer.upper).join(inside), AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| !is_whiteout(&stat))
    }
}
