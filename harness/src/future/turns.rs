//! The turns of a runtime of one thread: between two looks of the agent's own future it
//! polls at most one task. So the tasks that an agent starts by `tokio::spawn` are seen too,
//! and everything can be dropped between any two of their polls.
//!
//! What the runtime has to do stands in a queue, of which it does one thing at a time here.
//! A task of our own tells when there is nothing left: it comes twice in a row. Then the
//! runtime may sleep, and its clock may jump.

use super::cancelling::{Cancelling, Course};
use super::plan::{Moment, Plan};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use tokio::runtime::{Builder, Handle};

/// The turns of one run.
#[derive(Default)]
pub(super) struct Turns {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Wakes the agent's own future, and the task that tells when there is nothing left.
    root: Option<Waker>,
    last: Option<Waker>,
    /// What happened since the last look.
    woken: bool,
    slept: bool,
    last_ran: bool,
    /// How often in a row there was nothing left.
    quiet: u32,
    /// Nothing is left, and nothing was asked of the runtime.
    rests: bool,
    turns: u32,
}

/// After so many looks without a turn there is nothing to be done.
const QUIET: u32 = 2;

/// The waker of the agent's own future, which it is polled by only when it was used.
struct Own(Arc<Turns>);

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        let mut seen = self.0.seen();
        seen.woken = true;
        let root = seen.root.clone();
        drop(seen);
        root.into_iter().for_each(Waker::wake);
    }
}

impl Turns {
    /// Has a runtime take its turns one at a time.
    pub(super) fn of(builder: &mut Builder) -> Arc<Self> {
        let turns = Arc::new(Self::default());
        let told = Arc::clone(&turns);
        builder.event_interval(1).global_queue_interval(1).on_thread_unpark(move || told.slept());
        turns
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a task was polled while the agent ran.
    pub(super) fn count(&self) -> u32 {
        self.seen().turns
    }

    /// The runtime goes on after it had nothing to do.
    fn slept(&self) {
        self.seen().slept = true;
        self.go_on();
    }

    /// Has the runtime look again, after one turn.
    fn go_on(&self) {
        let mut seen = self.seen();
        seen.rests = false;
        let wakers = [seen.last.clone(), seen.root.clone()];
        drop(seen);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Takes down what happened since the last look; the how manieth turn it was, if it was one.
    fn look(&self) -> Option<u32> {
        let mut seen = self.seen();
        let (slept, last_ran) = (std::mem::take(&mut seen.slept), std::mem::take(&mut seen.last_ran));
        if last_ran {
            seen.quiet += 1;
            return None;
        }
        seen.quiet = 0;
        // From another thread it may be woken before it sleeps.
        let rested = std::mem::take(&mut seen.rests);
        (!slept && !rested).then(|| {
            seen.turns += 1;
            seen.turns
        })
    }

    /// Runs the agent's own future, and drops it after the turn that is planned.
    pub(super) async fn drive<T>(self: &Arc<Self>, mut root: Pin<Box<Cancelling<T>>>, plan: Plan) -> Course<T> {
        let planned = plan.first.and_then(|cancel| match cancel.at.moment {
            Moment::Turn(nth) => Some(nth),
            _ => None,
        });
        let last = tokio::spawn(poll_fn({
            let turns = Arc::clone(self);
            move |context| turns.last(context)
        }));
        let own = Waker::from(Arc::new(Own(Arc::clone(self))));
        let mut begun = false;
        let course = poll_fn(|context| {
            self.seen().root = Some(context.waker().clone());
            if !std::mem::replace(&mut begun, true) {
                self.seen().woken = true;
            } else if self.look().is_some_and(|turn| Some(turn) == planned) {
                return Poll::Ready(root.as_mut().get_mut().cancel_all());
            }
            if std::mem::take(&mut self.seen().woken) {
                self.seen().quiet = 0;
                if let Poll::Ready(course) = root.as_mut().poll(&mut Context::from_waker(&own)) {
                    return Poll::Ready(course);
                }
            }
            // What another thread has woken stands in a queue of its own.
            if self.seen().quiet < QUIET || Handle::current().metrics().global_queue_depth() > 0 {
                self.go_on();
            } else {
                self.seen().rests = true;
            }
            Poll::Pending
        })
        .await;
        last.abort();
        // What comes after it sleeps undisturbed.
        let mut seen = self.seen();
        (seen.root, seen.last) = (None, None);
        drop(seen);
        course
    }

    /// The turn of the task that tells when there is nothing left.
    fn last(&self, context: &Context<'_>) -> Poll<()> {
        let mut seen = self.seen();
        seen.last_ran = true;
        seen.last = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::super::handle::Trial;
    use super::super::plan::By;
    use super::*;
    use std::time::Duration;

    /// Runs this on a runtime whose turns are taken one at a time.
    fn run<F>(agent: F, plan: Plan) -> (Course<F::Output>, u32)
    where
        F: Future + 'static,
    {
        let mut builder = Builder::new_current_thread();
        let turns = Turns::of(builder.enable_all().start_paused(true));
        let runtime = builder.build().expect("a runtime");
        let trial = Trial::new(std::env::temp_dir());
        let root = Cancelling::new(Box::pin(agent), trial, plan, Duration::from_secs(1));
        let course = runtime.block_on(async {
            let course = turns.drive(Box::pin(root), plan).await;
            tokio::time::sleep(Duration::from_secs(600)).await;
            course
        });
        (course, turns.count())
    }

    async fn two_tasks() -> u32 {
        let three = tokio::spawn(async {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_secs(600)).await;
        });
        let one = tokio::spawn(async { 1 });
        three.await.expect("it ends");
        one.await.expect("it ends")
    }

    #[test]
    fn each_poll_of_a_task_is_a_turn() {
        assert_eq!(run(two_tasks(), Plan::default()), (Course::Finished(1), 4));
        assert_eq!(run(async { 7 }, Plan::default()), (Course::Finished(7), 0));
        let alone = async { tokio::time::sleep(Duration::from_secs(600)).await };
        assert_eq!(run(alone, Plan::default()), (Course::Finished(()), 0));
    }

    #[test]
    fn the_agent_is_cancelled_after_any_of_them() {
        for nth in 1..=4 {
            let plan = Plan::once(0, Moment::Turn(nth), By::Drop);
            assert_eq!(run(two_tasks(), plan), (Course::Cancelled, nth));
        }
        // It has ended before.
        assert_eq!(run(two_tasks(), Plan::once(0, Moment::Turn(5), By::Drop)), (Course::Finished(1), 4));
    }
}
