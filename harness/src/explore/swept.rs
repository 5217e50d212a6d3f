//! What a report tells of a sweep besides its trials and findings. Pure.

use crate::model::{Call, Recording, Seen};
use crate::windows::Map;

/// What the agent wanted and was refused because it was traced, and what it hid.
pub(super) fn refused(recording: &Recording) -> Vec<String> {
    let mut notes = Vec::new();
    if wants_to_trace(recording) {
        let note = "the agent uses ptrace(2), which is refused to it while Quietus traces it: it does something else than by itself, so what is found is told as a warning; `quietus check --at time:…` does not trace";
        notes.push(note.to_owned());
    }
    if recording.seen.iter().filter_map(Seen::call).any(filters_calls) {
        notes.push("the agent filters its system calls (seccomp(2)): those that its filter refuses are not seen, so they open no window".to_owned());
    }
    if !recording.without_rights.is_empty() {
        let programs: Vec<&str> = recording.without_rights.iter().map(String::as_str).collect();
        notes.push(format!(
            "the agent runs {}, which by itself gains rights by its file (set-user-ID, set-group-ID, capabilities), and does not while Quietus traces it: it may do something else than by itself",
            programs.join(", ")
        ));
    }
    notes
}

/// Whether the agent wanted to trace somebody.
pub(super) fn wants_to_trace(recording: &Recording) -> bool {
    recording.seen.iter().filter_map(Seen::call).any(|call| call.name == "ptrace" && !call.succeeded())
}

/// Whether it is seccomp(2) with a filter, or in its first form, or the prctl(2) for both.
fn filters_calls(call: &Call) -> bool {
    let first = call.arguments.first().copied();
    let sets = match call.name.as_str() {
        "seccomp" => {
            [libc::SECCOMP_SET_MODE_STRICT, libc::SECCOMP_SET_MODE_FILTER].map(u64::from).map(Some).contains(&first)
        }
        "prctl" => first == Some(libc::PR_SET_SECCOMP as u64),
        _ => false,
    };
    sets && call.succeeded()
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
