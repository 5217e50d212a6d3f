//! The steps that build a cell, as data: made before the fork, carried out
//! after it, and described by the parent when one fails.

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{IntoRawFd, RawFd};

/// What a kept descriptor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Slot {
    /// The directory that holds the upper layers.
    Upper = 0,
    /// The cell's /proc.
    Proc = 1,
    /// The cell's root, as the agent sees it.
    Root = 2,
    /// `/proc/sysvipc/shm`
    SharedMemory = 3,
    /// `/proc/sysvipc/sem`
    Semaphores = 4,
    /// `/proc/sysvipc/msg`
    MessageQueues = 5,
    /// The mount of the POSIX message queues.
    PosixQueues = 6,
    /// The controlling side of the agent's terminal.
    Terminal = 7,
}

/// One step of the set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupStep {
    /// Write a whole small file (uid_map, sysctl).
    WriteFile {
        /// The file.
        path: CString,
        /// Its content.
        data: Vec<u8>,
        /// Whether the cell can do without.
        optional: bool,
    },
    /// Let no mount of ours reach the host.
    MakePrivate,
    /// Mount a file system.
    Mount {
        /// `tmpfs`, `overlay`, `proc` …
        kind: CString,
        /// Where.
        target: CString,
        /// Options of the file system.
        data: CString,
        /// Mount flags.
        flags: MountFlags,
        /// Whether the cell can do without.
        optional: bool,
    },
    /// Show a file or tree at another place.
    Bind {
        /// What.
        source: CString,
        /// Where.
        target: CString,
        /// With everything mounted below.
        recursive: bool,
        /// Whether the cell can do without.
        optional: bool,
    },
    /// Make a mount, and all below it, read-only.
    ReadOnly {
        /// The mount point. Without the view it seals, when the step before was
        /// left out, there is nothing to do.
        target: CString,
    },
    /// Make a directory.
    MakeDirectory {
        /// The directory.
        path: CString,
        /// Its permission bits.
        mode: u32,
        /// Its owner and group, if not the maker's.
        owner: Option<(u32, u32)>,
    },
    /// Make an empty file, as the place for a bind.
    MakeFile {
        /// The file.
        path: CString,
    },
    /// Make a symbolic link.
    Symlink {
        /// What it says.
        target: CString,
        /// Where it is.
        path: CString,
    },
    /// Open a file or directory and hand it to Quietus.
    Keep {
        /// What for.
        slot: Slot,
        /// The path.
        path: CString,
        /// Whether the cell can do without.
        optional: bool,
    },
    /// Make this directory the root and forget the old one.
    PivotRoot {
        /// The new root, a mount point.
        root: CString,
    },
    /// Switch the loopback interface on.
    LoopbackUp,
    /// Enter the agent's directory.
    Enter {
        /// The directory.
        path: CString,
    },
}

impl SetupStep {
    /// Whether the set-up goes on without it.
    pub fn is_optional(&self) -> bool {
        match self {
            Self::WriteFile { optional, .. }
            | Self::Mount { optional, .. }
            | Self::Bind { optional, .. }
            | Self::Keep { optional, .. } => *optional,
            _ => false,
        }
    }

    /// Carries the step out. Called after fork: allocates nothing.
    pub(super) fn run(&self, kept: &mut [RawFd; super::SLOTS]) -> Result<(), Errno> {
        match self {
            Self::WriteFile { path, data, .. } => write_file(path, data),
            Self::MakePrivate => {
                rustix::mount::mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
            }
            Self::Mount { kind, target, data, flags, .. } => {
                rustix::mount::mount(kind.as_c_str(), target.as_c_str(), kind.as_c_str(), *flags, Some(data.as_c_str()))
            }
            Self::Bind { source, target, recursive: true, .. } => {
                rustix::mount::mount_bind_recursive(source.as_c_str(), target.as_c_str())
            }
            Self::Bind { source, target, recursive: false, .. } => {
                rustix::mount::mount_bind(source.as_c_str(), target.as_c_str())
            }
            Self::ReadOnly { target } => super::child::make_read_only(target),
            Self::MakeDirectory { path, mode, owner } => make_directory(path, *mode, *owner),
            Self::MakeFile { path } => rustix::fs::open(
                path.as_c_str(),
                OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC,
                Mode::from_raw_mode(0o644),
            )
            .map(drop),
            Self::Symlink { target, path } => rustix::fs::symlink(target.as_c_str(), path.as_c_str()),
            Self::Keep { slot, path, .. } => {
                let descriptor = rustix::fs::open(path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
                if let Some(place) = kept.get_mut(*slot as usize) {
                    *place = descriptor.into_raw_fd();
                }
                Ok(())
            }
            Self::PivotRoot { root } => {
                rustix::process::chdir(root.as_c_str())?;
                rustix::process::pivot_root(c".", c".")?;
                rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
                rustix::process::chdir(c"/")
            }
            Self::LoopbackUp => super::child::loopback_up(),
            Self::Enter { path } => rustix::process::chdir(path.as_c_str()),
        }
    }
}

fn write_file(path: &CStr, data: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let written = rustix::io::write(&file, data)?;
    if written == data.len() { Ok(()) } else { Err(Errno::IO) }
}

fn make_directory(path: &CStr, mode: u32, owner: Option<(u32, u32)>) -> Result<(), Errno> {
    rustix::fs::mkdir(path, Mode::from_raw_mode(mode))?;
    // After mkdir, since mkdir applies the umask; chown first, since it clears set-id bits.
    if let Some((user, group)) = owner {
        rustix::fs::chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    }
    rustix::fs::chmod(path, Mode::from_raw_mode(mode))
}

impl fmt::Display for SetupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |string: &CString| string.to_string_lossy().into_owned();
        match self {
            Self::WriteFile { path, .. } => write!(f, "write {}", text(path)),
            Self::MakePrivate => f.write_str("make the mounts private"),
            Self::Mount { kind, target, .. } => write!(f, "mount {} on {}", text(kind), text(target)),
            Self::Bind { source, target, .. } => write!(f, "bind {} to {}", text(source), text(target)),
            Self::ReadOnly { target } => write!(f, "make {} read-only", text(target)),
            Self::MakeDirectory { path, .. } => write!(f, "make the directory {}", text(path)),
            Self::MakeFile { path } => write!(f, "make the file {}", text(path)),
            Self::Symlink { path, .. } => write!(f, "make the link {}", text(path)),
            Self::Keep { path, .. } => write!(f, "open {}", text(path)),
            Self::PivotRoot { root } => write!(f, "make {} the root", text(root)),
            Self::LoopbackUp => f.write_str("switch the loopback interface on"),
            Self::Enter { path } => write!(f, "enter the directory {}", text(path)),
        }
    }
}
