//! What a trial at random has shown, in words that are the same for trials which are
//! alike. Pure.

use super::plan::Planned;
use crate::audit::Found;
use crate::driver::Action;
use crate::fuzz::{Learned, Space};
use crate::model::{Call, Point, PointSpec, Recording, Seen, Side, SyscallPoint, WAITS};
use crate::trial::{TrialRecord, What};
use crate::windows::Map;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// No more pairs of calls are told apart in one trial.
const MOST_PAIRS: usize = 400;
/// No more moments of one cleanup are gone on from.
const MOST_AFTER: usize = 96;

/// What the trial of a plan has shown: in which window it was terminated, how far it came
/// and how it ended; what was found; which call followed which once it was terminated.
pub(super) fn showing(
    planned: &Planned,
    record: &TrialRecord,
    found: &[Found],
    space: &Space,
    map: Option<&Map>,
) -> Learned<PointSpec> {
    let evidence = &record.evidence;
    let window = window_of(planned, space);
    let kind = window.and_then(|number| Some(map?.windows.get(number)?.kind));
    let place = kind.map_or_else(|| "some time".to_owned(), |kind| format!("window {kind}"));
    let done = record.timeline.iter().filter(|moment| is_act(&moment.what)).count();
    let end = evidence.ended.map_or_else(|| format!("{:?}", record.outcome), |ended| ended.to_string());
    let mut shows = BTreeSet::from([format!("{place}, {done} done, {end}")]);
    shows.extend(found.iter().map(|one| format!("{}: {}", one.code, one.fingerprint)));
    let mut all: Vec<&str> = found.iter().map(|one| one.fingerprint.as_str()).collect();
    all.sort_unstable();
    if all.len() > 1 {
        shows.insert(format!("together: {}", all.join(" ")));
    }
    let mut after = Vec::new();
    if let (Some(recording), Some(from)) = (&evidence.recording, evidence.injected_at) {
        let seen: Vec<&Seen> = recording.seen.iter().filter(|seen| seen.began >= from).collect();
        shows.extend(seen.windows(2).take(MOST_PAIRS).map(|pair| format!("{} then {}", deed(pair[0]), deed(pair[1]))));
        after = moments(recording, from);
    }
    Learned { shows, after }
}

/// The window that the first act of a plan lies in.
pub(super) fn window_of(planned: &Planned, space: &Space) -> Option<usize> {
    let ends = planned.plan.acts.iter().find(|act| act.send.steps().iter().any(|step| step.acts()))?;
    space.places.get(space.position(&ends.at)?)?.window
}

fn is_act(what: &What) -> bool {
    matches!(what, What::Did(Action::Inject(step)) if step.acts())
}

/// Who did what.
fn deed(seen: &Seen) -> String {
    match seen.call() {
        Some(call) => format!("[{}]{}{}", seen.role, call.name, if call.succeeded() { "" } else { " failed" }),
        None => format!("[{}] ended", seen.role),
    }
}

/// Moments of what an agent did from then on, before and after each call that changes
/// something or waits.
fn moments(recording: &Recording, from: Duration) -> Vec<PointSpec> {
    let mut counts: BTreeMap<(&str, &str, Side), u32> = BTreeMap::new();
    let mut found = Vec::new();
    for seen in recording.seen.iter().filter(|seen| seen.began >= from) {
        let Some(call) = seen.call() else { continue };
        let sides = [Side::Enter, Side::Exit];
        for side in sides.into_iter().filter(|side| *side == Side::Enter || call.succeeded()) {
            let count = counts.entry((&seen.role, &call.name, side)).or_default();
            *count += 1;
            if matters(call) && found.len() < MOST_AFTER {
                let point = SyscallPoint {
                    role: Some(seen.role.clone()),
                    name: call.name.clone(),
                    side,
                    pattern: None,
                    nth: *count,
                };
                found.push(PointSpec { relative: true, point: Point::Syscall(point) });
            }
        }
    }
    found
}

/// Whether it makes, changes, removes or ends something, or waits.
fn matters(call: &Call) -> bool {
    const CHANGES: [&str; 18] = [
        "unlink",
        "unlinkat",
        "rmdir",
        "truncate",
        "ftruncate",
        "kill",
        "tkill",
        "tgkill",
        "rt_sigaction",
        "rt_sigprocmask",
        "flock",
        "fcntl",
        "shmctl",
        "semctl",
        "msgctl",
        "mq_unlink",
        "execve",
        "munmap",
    ];
    call.makes()
        || call.written().is_some_and(|path| path.starts_with('/') && !path.starts_with("/dev/"))
        || CHANGES.contains(&call.name.as_str())
        || WAITS.contains(&call.name.as_str())
}
