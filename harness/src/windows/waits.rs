//! In which calls agents wait, and how long they did.

use super::{Wait, Window};
use crate::model::{Recording, WAITS};
use std::time::Duration;

/// Shorter ones can be over, in another run, before a thread is found in them.
const SHORTEST_WAIT: Duration = Duration::from_millis(25);

/// Whether a process can wait in this call.
pub(super) fn is_wait(name: &str) -> bool {
    WAITS.contains(&name)
}

/// Gives each window the longest wait that began in it.
pub(super) fn find_waits(recording: &Recording, windows: &mut [Window], end: Duration) {
    for seen in &recording.seen {
        let Some(call) = seen.call().filter(|call| WAITS.contains(&call.name.as_str())) else { continue };
        let place = windows.partition_point(|window| window.at <= seen.began);
        let next = windows.get(place).map_or(end, |window| window.at);
        let length = seen.ended.unwrap_or(end).min(next).saturating_sub(seen.began);
        let Some(window) = place.checked_sub(1).and_then(|place| windows.get_mut(place)) else { continue };
        if length >= SHORTEST_WAIT && window.wait.as_ref().is_none_or(|wait| wait.length < length) {
            window.wait = Some(Wait { role: seen.role.clone(), name: call.name.clone(), length });
        }
    }
}
