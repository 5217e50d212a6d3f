//! In which calls agents wait, and how long they did.

use super::{Wait, Window};
use crate::model::{Recording, WAITS};
use std::collections::BTreeMap;
use std::time::Duration;

/// Shorter ones can be over, in another run, before a thread is found in them.
const SHORTEST_WAIT: Duration = Duration::from_millis(25);

/// Whether a process can wait in this call.
pub(super) fn is_wait(name: &str) -> bool {
    WAITS.contains(&name)
}

/// Gives each window the longest wait that begins in it. Of several that are about as
/// long it is that of the process which stands first in the tree: which of them began
/// first is chance.
pub(super) fn find_waits(recording: &Recording, windows: &mut [Window], end: Duration) {
    let mut found: BTreeMap<usize, Vec<Wait>> = BTreeMap::new();
    for seen in recording.seen.iter().filter(|seen| seen.began < end) {
        let Some(call) = seen.call().filter(|call| is_wait(&call.name)) else { continue };
        let place = windows.partition_point(|window| window.at <= seen.began);
        let next = windows.get(place).map_or(end, |window| window.at);
        let length = seen.ended.unwrap_or(end).min(next).saturating_sub(seen.began);
        if length >= SHORTEST_WAIT
            && let Some(window) = place.checked_sub(1)
        {
            let wait = Wait { role: seen.role.clone(), name: call.name.clone(), length };
            found.entry(window).or_default().push(wait);
        }
    }
    for (window, waits) in found {
        let longest = waits.iter().map(|wait| wait.length).max().unwrap_or_default();
        let long = waits.into_iter().filter(|wait| wait.length * 2 >= longest);
        if let Some(window) = windows.get_mut(window) {
            window.wait = long.min_by(|one, other| one.role.cmp(&other.role).then(other.length.cmp(&one.length)));
        }
    }
}
