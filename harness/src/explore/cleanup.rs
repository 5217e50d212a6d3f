//! What happens to an agent while it cleans up after the first injection: it is
//! terminated again in each window of its cleanup, or a system call of that fails. Pure.

use super::sweep::{Aimed, Sweep, moment, predicted};
use crate::model::{
    Act, Call, Fault, Injection, PointSpec, Recording, Seen, Signal, Step, SyscallPoint, Target, WAITS,
};
use crate::scenario::Second;
use crate::windows::{Map, Prediction, Window, calls_after, windows_after};
use std::cmp::Reverse;
use std::time::Duration;

/// What an agent does once it was terminated the first time.
#[derive(Debug)]
pub(super) struct Cleanup<'a> {
    /// The window of the first injection.
    pub(super) window: usize,
    /// The first injection.
    pub(super) first: Act,
    /// What the agent did in a trial with that alone.
    pub(super) recording: &'a Recording,
    /// What it did in another, to see which names differ.
    pub(super) other: &'a Recording,
    /// When the first injection was made.
    pub(super) from: Duration,
}

/// The windows in which the agent has the most to clean up, the fullest first, of those in
/// which it can: the injection does not simply end it there.
pub(super) fn fullest<'a>(map: &'a Map, send: &Injection) -> Vec<&'a Window> {
    // Where a signal is blocked the agent may wait for it, or go on without it.
    let cleans_up = |window: &Window| match send.steps() {
        [Step::Signal(signal, Target::Leader | Target::Group)] => match map.predict(window, *signal) {
            Prediction::Handled(_) => Some(1),
            Prediction::Blocked => Some(0),
            Prediction::Leaks(_) | Prediction::Mapped(_) | Prediction::Ignored => None,
        },
        _ => Some(1),
    };
    let fullness = |window: &Window| window.left.iter().filter(|thing| !map.kept.contains(thing)).count();
    // Of several that are as full the last: the agent has come furthest there.
    let rank = |window: &&Window| (cleans_up(window), fullness(window));
    let mut windows: Vec<&Window> = map.windows.iter().rev().filter(|window| cleans_up(window).is_some()).collect();
    windows.sort_by_key(|window| Reverse(rank(window)));
    windows
}

/// How many calls an agent has made from a moment on that can be made to fail.
pub(super) fn effort(recording: &Recording, from: Duration) -> usize {
    let calls = recording.seen.iter().filter(|seen| seen.began >= from).filter_map(Seen::call);
    calls.filter(|call| fault(call).is_some()).count()
}

fn relative(point: &SyscallPoint) -> PointSpec {
    PointSpec { relative: true, ..moment(Some(point.clone())) }
}

/// What a call of a cleanup fails with: what storage that breaks or is full does, and
/// what a signal does to a wait.
fn fault(call: &Call) -> Option<Fault> {
    let on_a_file = call
        .path()
        .is_some_and(|path| path.starts_with('/') && !["/dev/", "/proc/"].iter().any(|no| path.starts_with(no)));
    let error = match call.name.as_str() {
        "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2" if on_a_file => "EIO",
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "ftruncate" | "mkdir" | "mkdirat" if on_a_file => {
            "ENOSPC"
        }
        // Files are read without interruption, and what does not wait is not interrupted.
        "read" | "readv" if on_a_file => return None,
        "fcntl" if !matches!(call.arguments[1] as i32, libc::F_SETLKW | libc::F_OFD_SETLKW) => return None,
        "flock" if call.arguments[1] as i32 & libc::LOCK_NB != 0 => return None,
        name if WAITS.contains(&name) => "EINTR",
        _ => return None,
    };
    Fault::of(&call.name, error)
}

/// The trials of a cleanup, those of which most is known first.
pub(super) fn trials(sweep: &Sweep, cleanup: &Cleanup<'_>, second: Second) -> Vec<Aimed> {
    let mut trials = Vec::new();
    let aimed = |label: String, at: Vec<PointSpec>, send: Injection, predicted| {
        let acts = vec![cleanup.first.clone(), Act { at, send }];
        Aimed { planned: sweep.trial(label, acts), window: Some(cleanup.window), predicted, index: None }
    };
    if matches!(second, Second::Cleanup | Second::Both) {
        let map = windows_after(cleanup.recording, cleanup.other, cleanup.from);
        for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
            let send = Injection::signal(signal);
            let map = map.clone().for_signals(&[signal]);
            for window in map.chosen().into_iter().filter_map(|number| map.windows.get(number)) {
                let at = window.opened.iter().map(|opening| relative(&opening.point)).collect();
                // Only of KILL is it known what it does: a handler that runs changes what signals do.
                let known = (signal == Signal::KILL).then(|| predicted(&map, window.number, &send)).flatten();
                trials.push(aimed(format!("cleanup {}", window.number), at, send.clone(), known));
            }
        }
    }
    if matches!(second, Second::Faults | Second::Both) {
        let calls = calls_after(cleanup.recording, cleanup.other, cleanup.from);
        for (number, (point, call)) in calls.iter().enumerate() {
            if let Some(fault) = fault(call) {
                let label = format!("cleanup call {}", number + 1);
                trials.push(aimed(label, vec![relative(point)], Injection::fault(fault), None));
            }
        }
    }
    trials
}
