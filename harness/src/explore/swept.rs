//! What a report tells of a sweep besides its trials and findings. Pure.

use crate::model::{Recording, Seen};
use crate::windows::Map;

/// What the agent wanted and was refused because it was traced.
pub(super) fn refused(recording: &Recording) -> Option<String> {
    let ptrace = recording.seen.iter().filter_map(Seen::call).any(|call| call.name == "ptrace" && !call.succeeded());
    ptrace.then(|| {
        "the agent uses ptrace(2), which is refused to it while Quietus traces it: it may do something else than by itself; `quietus check --at time:…` does not trace".to_owned()
    })
}

/// What a reader has to know of the windows.
pub(super) fn about(map: &Map) -> Vec<String> {
    let kinds = map.windows.iter().filter(|window| window.kind == window.number).count();
    let mut notes = Vec::new();
    if kinds < map.windows.len() {
        notes.push(format!(
            "{} windows of {kinds} kinds: those in which the same is live stand for each other; the first and the last of each kind are tried",
            map.windows.len()
        ));
    }
    if map.omitted > 0 {
        notes.push(format!(
            "the recording was full: {} system calls after it are in no window, so the end of the run was not swept",
            map.omitted
        ));
    }
    notes
}
