//! What is left when the agent's own process ends at once: what is live then, less
//! what its children still do away with, and what they still make.

use super::lives::Lives;
use super::thing::Thing;
use crate::model::{Deed, Ended, Recording, Seen, Signal};
use std::collections::BTreeSet;
use std::time::Duration;

/// Children are given so long, as a trial gives it to them.
const A_WHILE: Duration = Duration::from_secs(1);

/// No more than so much of a run is gone through for one window.
const MOST: usize = 5_000;

/// What is left when the agent ends right before what was seen at `next`.
pub(super) fn left(recording: &Recording, next: usize, at: Duration, lives: &Lives<'_>) -> BTreeSet<Thing> {
    let is_child = |thing: &Thing| matches!(thing, Thing::Process { role, .. } if role != "0");
    let mut after = lives.clone();
    after.end_process("0");
    if !lives.live.iter().any(is_child) {
        return after.live;
    }
    let rest = recording.seen.iter().enumerate().skip(next);
    let soon = rest.take_while(|(_, seen)| seen.began < at + A_WHILE).filter(|(_, seen)| seen.role != "0");
    for (index, seen) in soon.take(MOST) {
        // A child of the agent that was killed was killed by the agent, who is not there
        // to do it, unless it has done so before.
        let killed = match seen.what {
            Deed::Ended(Ended::Signaled(signal)) => !is_under_way(recording, next, signal),
            _ => false,
        };
        let parent = seen.role.rsplit_once('.').map_or("0", |(parent, _)| parent);
        if after.has(&seen.role) && (!killed || after.has(parent)) {
            after.see(index, seen);
        }
    }
    // Who ended by itself after the agent had ended has noticed that.
    let mut gone = recording.seen.iter().skip_while(|seen| !(seen.role == "0" && matches!(seen.what, Deed::Ended(_))));
    if gone.next().is_some() {
        let noticed = gone.filter(|seen| matches!(seen.what, Deed::Ended(Ended::Exited(_))));
        noticed.for_each(|seen| after.end_process(&seen.role));
    }
    after.live
}

/// Whether somebody has sent this signal before what was seen at `next`, and nobody has
/// ended by it since.
fn is_under_way(recording: &Recording, next: usize, signal: Signal) -> bool {
    let sends = |seen: &Seen| {
        let call = seen.call().filter(|call| matches!(call.name.as_str(), "kill" | "pidfd_send_signal"));
        call.is_some_and(|call| call.succeeded() && i64::from(signal.number()) == call.arguments[1] as i64)
    };
    let before = recording.seen.iter().take(next).rev();
    let mut last = before.take_while(|seen| seen.what != Deed::Ended(Ended::Signaled(signal)));
    last.any(sends)
}
