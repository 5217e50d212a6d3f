//! Gives what is on its way out its time to end: tasks that clean up, work on other threads,
//! child processes that were told to end.

use super::handle::Trial;
use super::once::Setup;
use super::own::{self, Own};
use super::panics::caught;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// How long is waited for what has outlived a whole grace before.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);
/// The longest nap between two looks.
const NAP: Duration = Duration::from_millis(100);

/// How many tasks the runtime has.
pub(super) fn living() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits until no more tasks live than these, and nobody works for them on another thread.
/// `blocks` says that the agent has such work done.
pub(super) async fn tasks_end(known: usize, trial: &Trial, setup: &Setup, blocks: bool) {
    for _ in 0..32 {
        if living() <= known {
            break;
        }
        tokio::task::yield_now().await;
    }
    until(setup.grace, &|| living() <= known).await;
    if blocks {
        // What was handed over before this is begun before this, on a thread that is known of.
        let _begun = tokio::task::spawn_blocking(|| {}).await;
    }
    // Threads for blocking work; on several threads the workers are counted with them.
    let works = || trial.noted().threads > setup.workers.unwrap_or(0);
    if works() {
        // A clock that stands still does not jump while somebody works.
        until(setup.grace, &|| !works()).await;
    }
}

async fn until(most: Duration, done: &dyn Fn() -> bool) {
    let began = Instant::now();
    let mut nap = Duration::from_millis(1);
    while !done() && began.elapsed() < most {
        sleep(nap).await;
        nap = (nap * 2).min(NAP);
    }
}

/// Whether something runs that is not known to outlive a grace.
fn is_new(before: &Own, outlive: &BTreeSet<String>) -> bool {
    own::new_children(before).iter().any(|child| !child.ended && !outlive.contains(&child.command))
}

/// Waits, in real time, until the children that are new have ended and were waited for.
pub(super) async fn children_end(before: &Own, outlive: &BTreeSet<String>, setup: &Setup) {
    if own::new_children(before).is_empty() {
        return;
    }
    go();
    until(PATIENCE, &|| own::new_children(before).is_empty()).await;
    until(setup.grace, &|| !is_new(before, outlive)).await;
    // Tokio waits for those that it has ended.
    until(PATIENCE, &|| own::new_children(before).is_empty()).await;
    if setup.paused {
        stand_still();
    }
}

/// Waits for them where there is no runtime any more.
pub(super) fn children_end_alone(before: &Own, outlive: &BTreeSet<String>, setup: &Setup) {
    own::await_ends(before, if is_new(before, outlive) { setup.grace } else { PATIENCE });
}

/// Sets tokio's clock going, if it stands still.
pub(super) fn go() {
    let _went_already = caught(tokio::time::resume);
}

/// Stops tokio's clock, if it goes.
pub(super) fn stand_still() {
    let _stood_already = caught(tokio::time::pause);
}

/// Stops the clock again, if it was set going to wait for something outside.
pub(super) fn stop_again(trial: &Trial) {
    if std::mem::take(&mut trial.noted().resumed) {
        stand_still();
    }
}
