//! Where in a run something happened, so that it is found again in another run:
//! the process, the call, its path as a pattern, and the how manieth it is.

use super::names::Names;
use crate::model::{Recording, Seen, Side, SyscallPoint, as_glob};
use std::time::Duration;

/// What the name of every socket has in common.
const SOCKET: &str = "socket:";

/// The moment on this side of what was seen at this place of the recording, counted
/// from `from` on.
pub(super) fn address(
    recording: &Recording,
    index: usize,
    names: &Names,
    side: Side,
    from: Duration,
) -> Option<SyscallPoint> {
    let seen = recording.seen.get(index)?;
    let call = seen.call()?;
    let of_socket = || call.subjects.iter().any(|subject| subject.starts_with(SOCKET)).then(|| SOCKET.to_owned());
    let pattern = call.path().map(|path| as_glob(&names.pattern(path))).or_else(of_socket);
    let mut point = SyscallPoint { role: Some(seen.role.clone()), name: call.name.clone(), side, pattern, nth: 0 };
    let fits = point.fits();
    let counts = |seen: &&Seen| {
        seen.began >= from
            && seen.role == point.role.as_deref().unwrap_or_default()
            && seen.call().is_some_and(|call| {
                call.name == point.name
                    && (side == Side::Enter || call.succeeded())
                    && (point.pattern.is_none() || call.subjects.iter().any(|subject| fits.holds(Some(subject))))
            })
    };
    let nth = recording.seen.iter().take(index + 1).filter(counts).count();
    point.nth = u32::try_from(nth).ok().filter(|nth| *nth > 0)?;
    Some(point.seen_from(&recording.directory))
}
