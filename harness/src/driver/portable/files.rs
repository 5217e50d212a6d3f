//! What changed in the copied workspace and in the temporary directory: a walk
//! before, a walk after, and the difference.

use super::names::Names;
use crate::cell::{
    DEEPEST, HASHED_FILE, KEPT_FILE, KEPT_TOTAL, MOST_NODES, READ_FILES, hash_of, kind_of, names, open_anyway,
    read_up_to,
};
use crate::model::{FileChange, FileKind, FileNode, FileTree, path_text};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What is there, by the path inside a directory.
pub(super) type Stamps = BTreeMap<PathBuf, Stamp>;

/// A file before the agent ran, as far as it tells whether it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    kind: FileKind,
    size: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
    /// Where a link leads.
    link: Option<PathBuf>,
    origin: Origin,
}

/// Where the content from before can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the same path of the original workspace.
    Copied,
    /// A command of `prepare` wrote it; kept where it is small enough.
    Prepared(Option<Vec<u8>>),
}

/// The clock of a file system goes in steps of up to this long (10 ms with 100
/// ticks a second): two changes within one step have the same time.
const CLOCK_STEP: i64 = 20_000_000;

impl Stamp {
    pub(super) fn new(stat: &Stat, link: Option<PathBuf>, origin: Origin) -> Self {
        Self {
            kind: kind_of(stat.st_mode),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            inode: stat.st_ino,
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            link,
            origin,
        }
    }

    fn same_times(&self, other: &Self) -> bool {
        (self.size, self.inode, self.modified, self.changed) == (other.size, other.inode, other.modified, other.changed)
    }

    /// Whether a change right after this stamp may not show in the times.
    fn is_fresh(&self) -> bool {
        let span = self.changed.0.saturating_sub(self.modified.0).saturating_mul(1_000_000_000);
        span.saturating_add(self.changed.1 - self.modified.1) < CLOCK_STEP
    }
}

/// One of the two directories that are compared.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) directory: OwnedFd,
    /// How its path is shown.
    pub(super) shown: PathBuf,
    /// What it held before.
    pub(super) before: Stamps,
    /// What it was copied from.
    pub(super) original: Option<OwnedFd>,
}

/// What a walk meets.
enum Met<'a> {
    Entry { directory: BorrowedFd<'a>, name: &'a CStr, stat: &'a Stat },
    Unread(String),
}

/// Visits everything below a directory, parents first. The visitor says whether
/// to go into a directory.
fn walk(directory: &OwnedFd, inside: &Path, depth: usize, anyway: bool, visit: &mut dyn FnMut(&Path, Met<'_>) -> bool) {
    let listed = match names(directory) {
        Ok(listed) => listed,
        Err(errno) => {
            visit(inside, Met::Unread(errno.to_string()));
            return;
        }
    };
    for name in &listed {
        let path = inside.join(OsStr::from_bytes(name.to_bytes()));
        let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let enter = visit(&path, Met::Entry { directory: directory.as_fd(), name, stat: &stat });
        if kind_of(stat.st_mode) != FileKind::Directory || !enter {
            continue;
        }
        if depth >= DEEPEST {
            visit(&path, Met::Unread(format!("deeper than {DEEPEST} directories")));
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let opened = if anyway {
            open_anyway(directory, name, flags)
        } else {
            rustix::fs::openat(directory, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        };
        match opened {
            Ok(opened) => walk(&opened, &path, depth + 1, anyway, visit),
            Err(errno) => {
                visit(&path, Met::Unread(errno.to_string()));
            }
        }
    }
}

fn link_of(directory: BorrowedFd<'_>, name: &CStr, kind: FileKind) -> Option<PathBuf> {
    (kind == FileKind::Symlink).then_some(())?;
    let link = rustix::fs::readlinkat(directory, name, Vec::new()).ok()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(link.into_bytes())))
}

impl Root {
    /// Takes what is there now as what was there before. What `prepare` wrote
    /// is kept, within `room` bytes.
    pub(super) fn note(&mut self, room: &mut u64) {
        let earlier = std::mem::take(&mut self.before);
        let mut stamps = Stamps::new();
        walk(&self.directory, Path::new(""), 0, false, &mut |path, met| {
            let Met::Entry { directory, name, stat } = met else { return false };
            let kind = kind_of(stat.st_mode);
            let mut stamp = Stamp::new(stat, link_of(directory, name, kind), Origin::Copied);
            if !earlier.get(path).is_some_and(|known| known.kind == kind && known.same_times(&stamp)) {
                let wanted = kind == FileKind::Regular && stamp.size <= KEPT_FILE && stamp.size <= *room;
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = wanted.then(|| rustix::fs::openat(directory, name, flags, Mode::empty()).ok()).flatten();
                let content = file.and_then(|file| read_up_to(file, KEPT_FILE));
                *room -= content.as_ref().map_or(0, |content| content.len() as u64).min(*room);
                stamp.origin = Origin::Prepared(content);
            }
            stamps.insert(path.to_path_buf(), stamp);
            stamps.len() < MOST_NODES
        });
        self.before = stamps;
    }

    /// The content of a file before the agent ran.
    fn content_before(&self, path: &Path, stamp: &Stamp) -> Option<Vec<u8>> {
        match &stamp.origin {
            Origin::Prepared(content) => content.clone(),
            Origin::Copied => {
                if stamp.kind != FileKind::Regular || stamp.size > HASHED_FILE {
                    return None;
                }
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = rustix::fs::openat(self.original.as_ref()?, path, flags, Mode::empty()).ok()?;
                read_up_to(file, HASHED_FILE)
            }
        }
    }
}

/// The bounds of one comparison, over all its directories.
#[derive(Debug, Default)]
struct Spent {
    kept: u64,
    read: usize,
}

/// Compares each directory with what it held before.
pub(super) fn changes(roots: &[&Root], names: &Names) -> FileTree {
    let mut tree = FileTree::default();
    let mut spent = Spent::default();
    for root in roots {
        compare(root, names, &mut tree, &mut spent);
    }
    tree
}

fn shown(root: &Root, path: &Path) -> String {
    path_text(root.shown.join(path).as_os_str().as_bytes())
}

fn small(content: Option<Vec<u8>>, names: &Names) -> Option<Vec<u8>> {
    content.filter(|content| content.len() as u64 <= KEPT_FILE).map(|content| names.shown_content(content))
}

/// Where a link leads, as a report shows it.
fn leads(link: &Path, names: &Names) -> Option<Vec<u8>> {
    Some(names.shown_content(link.as_os_str().as_bytes().to_vec()))
}

fn compare(root: &Root, names: &Names, tree: &mut FileTree, spent: &mut Spent) {
    // Directories that are there still; a path is deleted only where its parent is one.
    let mut there: BTreeSet<PathBuf> = BTreeSet::from([PathBuf::new()]);
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    walk(&root.directory, Path::new(""), 0, true, &mut |path, met| {
        let (directory, name, stat) = match met {
            Met::Entry { directory, name, stat } => (directory, name, stat),
            Met::Unread(why) => {
                there.remove(path);
                tree.unread.push((shown(root, path), why));
                return false;
            }
        };
        let stamp = root.before.get(path);
        if stamp.is_some() {
            seen.insert(path.to_path_buf());
        }
        if tree.nodes.len() >= MOST_NODES {
            tree.omitted += 1;
            return false;
        }
        let kind = kind_of(stat.st_mode);
        if kind == FileKind::Directory {
            there.insert(path.to_path_buf());
        }
        if let Some(node) = changed(root, path, stamp, names, spent, (directory, name, stat)) {
            tree.nodes.insert(shown(root, path), node);
        }
        true
    });
    for (path, stamp) in &root.before {
        if seen.contains(path) || !path.parent().is_some_and(|parent| there.contains(parent)) {
            continue;
        }
        let kind = match stamp.kind {
            kind @ (FileKind::Directory | FileKind::Symlink) => kind,
            _ => FileKind::Regular,
        };
        let before = match &stamp.link {
            Some(link) => leads(link, names),
            None if stamp.size <= KEPT_FILE => small(root.content_before(path, stamp), names),
            None => None,
        };
        let gone = FileNode {
            change: FileChange::Deleted,
            kind,
            size: 0,
            mode: 0,
            owner: 0,
            hash: None,
            content: None,
            before,
            stamp: None,
        };
        tree.nodes.insert(shown(root, path), gone);
    }
}

/// The node of one path, if it differs from what was there before.
fn changed(
    root: &Root,
    path: &Path,
    stamp: Option<&Stamp>,
    names: &Names,
    spent: &mut Spent,
    (directory, name, stat): (BorrowedFd<'_>, &CStr, &Stat),
) -> Option<FileNode> {
    let kind = kind_of(stat.st_mode);
    let now = Stamp::new(stat, link_of(directory, name, kind), Origin::Copied);
    let same_kind = stamp.filter(|stamp| stamp.kind == kind);
    match (kind, same_kind) {
        (FileKind::Regular, Some(stamp)) if stamp.same_times(&now) && !stamp.is_fresh() => return None,
        (FileKind::Symlink, Some(stamp)) if stamp.link == now.link => return None,
        (FileKind::Regular | FileKind::Symlink, _) | (_, None) => {}
        (_, Some(_)) => return None,
    }
    let mut node = FileNode {
        change: if stamp.is_some() { FileChange::Modified } else { FileChange::Created },
        kind,
        size: now.size,
        mode: stat.st_mode & 0o7777,
        owner: stat.st_uid,
        hash: None,
        content: None,
        before: None,
        stamp: Some(crate::cell::stamp(stat.st_ctime, stat.st_ctime_nsec)),
    };
    if kind == FileKind::Symlink {
        node.content = now.link.as_ref().and_then(|link| leads(link, names));
        node.before = same_kind.and_then(|stamp| leads(stamp.link.as_ref()?, names));
        return Some(node);
    }
    let before = stamp.and_then(|stamp| root.content_before(path, stamp));
    let same_times = same_kind.is_some_and(|stamp| kind == FileKind::Regular && stamp.same_times(&now));
    if same_times && (before.is_none() || spent.read >= READ_FILES) {
        // Fresh, but there is nothing to compare it with, and no sign that it changed.
        return None;
    }
    if kind == FileKind::Regular && spent.read < READ_FILES && now.size <= HASHED_FILE {
        spent.read += 1;
        let file = open_anyway(directory, name, OFlags::RDONLY).ok();
        if let Some(content) = file.and_then(|file| read_up_to(file, HASHED_FILE)) {
            if same_kind.is_some() && before.as_ref() == Some(&content) {
                return None;
            }
            let keep = now.size <= KEPT_FILE && spent.kept + now.size <= KEPT_TOTAL;
            let content = names.shown_content(content);
            node.hash = Some(hash_of(&content));
            if keep {
                spent.kept += now.size;
                node.content = Some(content);
            }
        }
    }
    node.before = small(before, names);
    Some(node)
}
