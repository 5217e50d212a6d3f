//! Opens what lies in the place of a trial.

use super::place::Place;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::path::Path;

/// Opens a path below the root of a place, without waiting. What is linked to is in the
/// place too, never on the host.
pub(super) fn open_within<P: Place>(cell: &P, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let inside = path.strip_prefix("/").unwrap_or(path);
    // A named pipe without a writer is opened at once. For a path alone the kernel refuses
    // to be told so (openat2(2)).
    let waits = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK };
    rustix::fs::openat2(cell.root(), inside, flags | waits | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
}
