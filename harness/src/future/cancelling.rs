//! An agent's own future, which is cancelled where the plan says.

use super::handle::Trial;
use super::line::Waits;
use super::panics::caught;
use super::plan::{By, Cancel, Moment, Plan};
use super::settling::{PATIENCE, go, living};
use crate::sys::telling_waker;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};

/// How long an agent may take by a clock that stands still. By that it takes no time.
pub(crate) const LONGEST_SPIN: Duration = Duration::from_secs(30);

/// An agent's future in a box.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Course<T> {
    /// It came to its end, by itself or after its token was cancelled.
    Finished(T),
    /// It was cancelled.
    Cancelled,
    /// Its time was up, and it was dropped.
    OutOfTime,
    /// It panicked, or its destructor did.
    Panicked(String),
}

/// A waker that remembers that it was used.
#[derive(Default)]
struct Ear {
    woken: AtomicBool,
    inner: Mutex<Option<Waker>>,
}

impl Ear {
    fn is_of(&self, waker: &Waker) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *inner = Some(waker.clone());
        }
    }
}

impl Wake for Ear {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inner.into_iter().for_each(Waker::wake);
    }
}

/// Drives the agent's future and cancels it.
pub(super) struct Cancelling<T> {
    future: Option<Boxed<T>>,
    trial: Trial,
    plan: Plan,
    /// How long it may take once its token was cancelled.
    grace: Duration,
    /// When its time is up; polled once, after which it wakes this.
    deadline: Option<(Pin<Box<Sleep>>, bool)>,
    /// Since when it runs by a clock that never stands still.
    real: std::time::Instant,
    /// Whether tokio's clock stands still, and jumps when all wait.
    paused: bool,
    /// The suspension at which the token was cancelled.
    token_at: Option<u32>,
    /// Hears whether the token wakes it.
    ear: Arc<Ear>,
    /// Where it waits, if that is to be told.
    waits: Option<Arc<Waits>>,
    /// When it began, if the times of its polls are to be told.
    began: Option<Instant>,
    /// Aborts the task that it runs as.
    own: Arc<OnceLock<AbortHandle>>,
}

impl<T> Cancelling<T> {
    pub(super) fn new(future: Boxed<T>, trial: Trial, plan: Plan, grace: Duration) -> Self {
        trial.noted().cancel = plan.first.filter(|cancel| cancel.at.task > 0);
        trial.set_order(plan.order);
        Self {
            future: Some(future),
            trial,
            plan,
            grace,
            deadline: None,
            real: std::time::Instant::now(),
            paused: false,
            token_at: None,
            ear: Arc::default(),
            waits: None,
            began: None,
            own: Arc::default(),
        }
    }

    /// It may take so long, undisturbed.
    pub(super) fn within(mut self, time: Duration, paused: bool) -> Self {
        self.deadline = Some((Box::pin(tokio::time::sleep(time)), false));
        self.paused = paused;
        self
    }

    /// Takes down where it waits when it is cancelled.
    pub(super) fn telling_waits(mut self, waits: Option<Arc<Waits>>) -> Self {
        self.waits = waits;
        self
    }

    /// Takes down when it is polled.
    pub(super) fn telling_times(mut self, tell: bool) -> Self {
        self.began = tell.then(Instant::now);
        self
    }

    /// What aborts it, once it runs as a task.
    pub(super) fn own(&self) -> Arc<OnceLock<AbortHandle>> {
        Arc::clone(&self.own)
    }

    fn first(&self) -> Option<Cancel> {
        self.plan.first.filter(|cancel| cancel.at.task == 0)
    }

    /// Whether it is to be dropped at this moment. Cancels by other means at once.
    fn ends_at(&mut self, moment: Moment) -> bool {
        if let Some(token_at) = self.token_at {
            return self.plan.second.is_some_and(|second| moment == Moment::Await(token_at + second));
        }
        let Some(cancel) = self.first().filter(|cancel| cancel.at.moment == moment) else { return false };
        if cancel.by == By::Token && !self.trial.uses_token() {
            // Nobody listens: that is no trial.
            return false;
        }
        self.trial.noted().cancelled = true;
        match cancel.by {
            By::Drop | By::Timeout => return true,
            By::Abort => {
                self.own.get().inspect(|own| own.abort());
            }
            By::Token => {
                self.token_at = Some(self.trial.awaits());
                self.deadline = Some((Box::pin(tokio::time::sleep(self.grace)), false));
                self.ear.woken.store(false, Ordering::Relaxed);
                self.trial.cancel_token();
                // A task may listen in its place.
                let world = self.trial.noted().world;
                let tasks = living() > if world.asked_token { 0 } else { world.tasks };
                self.trial.noted().heard = tasks || self.ear.woken.load(Ordering::Relaxed);
            }
        }
        false
    }

    /// Whether a task's point was reached at which everything is dropped.
    fn all_ends(&self, context: &Context<'_>) -> bool {
        let mut noted = self.trial.noted();
        let everything = noted.cancel.is_some_and(|cancel| cancel.by == By::Drop);
        if everything && !noted.cancelled {
            noted.root = Some(context.waker().clone());
        }
        everything && noted.cancelled
    }

    /// Whether it was aborted before it was polled again.
    fn is_aborted(&self) -> bool {
        let aborts = |cancel: &Cancel| cancel.by == By::Abort && matches!(cancel.at.moment, Moment::Wake(_));
        self.first().is_some_and(|cancel| aborts(&cancel)) && self.trial.noted().cancelled
    }

    /// Whether the place at which it is suspended next is asked for. After a token was
    /// cancelled every one may be where it stays.
    fn is_asked_for(&self, next: u32) -> bool {
        let ends = |moment| match moment {
            Moment::Await(nth) | Moment::Wake(nth) => nth == next,
            Moment::Time(_) | Moment::Turn(_) => true,
        };
        let by_token =
            self.token_at.is_some() && self.plan.second.is_none_or(|second| self.token_at == next.checked_sub(second));
        self.waits.is_some() && (by_token || self.first().is_some_and(|cancel| ends(cancel.at.moment)))
    }

    /// Whether its time is up.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        // A clock that stands still never jumps while something spins.
        let now_and_then = self.trial.awaits().is_multiple_of(256);
        if self.paused && now_and_then && self.real.elapsed() > LONGEST_SPIN {
            return true;
        }
        let elapsed = match &mut self.deadline {
            None => false,
            Some((sleep, true)) => sleep.is_elapsed(),
            Some((sleep, polled)) => {
                *polled = true;
                sleep.as_mut().poll(context).is_ready()
            }
        };
        if elapsed && self.paused {
            // A clock that stands still has jumped here because all wait. What comes from
            // outside, of a child or a socket, takes real time.
            self.paused = false;
            self.trial.noted().resumed = true;
            go();
            self.deadline = Some((Box::pin(tokio::time::sleep(PATIENCE)), false));
            return self.is_late(context);
        }
        elapsed
    }

    /// Drops it, as everything is.
    pub(super) fn cancel_all(&mut self) -> Course<T> {
        self.trial.noted().cancelled = true;
        self.drop_it(Course::Cancelled)
    }

    /// Drops the agent's future, which may panic.
    pub(super) fn drop_it<U>(&mut self, course: Course<U>) -> Course<U> {
        let future = self.future.take();
        caught(|| drop(future)).err().map_or(course, Course::Panicked)
    }

    fn poll_it(&mut self, context: &mut Context<'_>) -> Option<Result<Poll<T>, String>> {
        let next = self.trial.awaits() + 1;
        let waits = self.waits.clone().filter(|_| self.is_asked_for(next));
        let future = self.future.as_mut()?;
        let Some(waits) = waits else {
            if self.plan.first.is_none_or(|cancel| cancel.by != By::Token) {
                return Some(caught(|| future.as_mut().poll(context)));
            }
            self.ear.is_of(context.waker());
            let waker = Waker::from(Arc::clone(&self.ear));
            return Some(caught(|| future.as_mut().poll(&mut Context::from_waker(&waker))));
        };
        waits.begin();
        let waker = telling_waker(context.waker().clone(), move || waits.take());
        Some(caught(|| future.as_mut().poll(&mut Context::from_waker(&waker))))
    }
}

impl<T> Drop for Cancelling<T> {
    /// The runtime drops it where its task is aborted.
    fn drop(&mut self) {
        if let Some(future) = self.future.take()
            && let Err(panic) = caught(|| drop(future))
        {
            self.trial.noted().panic = Some(panic);
        }
    }
}

impl<T> Future for Cancelling<T> {
    type Output = Course<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Course<T>> {
        let this = self.get_mut();
        let turn = this.trial.poll_begins(0);
        if turn.puts_off(context) {
            return Poll::Pending;
        }
        let before = this.trial.awaits();
        if let Some(began) = this.began {
            this.trial.noted().polls.push(began.elapsed());
        }
        let of_task = this.plan.first.is_some_and(|cancel| cancel.at.task > 0);
        if of_task && this.all_ends(context) || before > 0 && this.ends_at(Moment::Wake(before)) {
            return Poll::Ready(this.drop_it(Course::Cancelled));
        }
        if this.is_aborted() {
            return Poll::Pending;
        }
        let polled = this.poll_it(context);
        if this.began.is_some() {
            this.trial.look_for_others();
        }
        match polled {
            None => return Poll::Pending,
            Some(Err(panic)) => {
                // One that has panicked is dropped too; a second panic is the same story.
                let _dropped: Course<T> = this.drop_it(Course::Cancelled);
                return Poll::Ready(Course::Panicked(panic));
            }
            Some(Ok(Poll::Ready(output))) => return Poll::Ready(Course::Finished(output)),
            Some(Ok(Poll::Pending)) => {}
        }
        let nth = this.trial.suspended();
        if this.ends_at(Moment::Await(nth)) {
            return Poll::Ready(this.drop_it(Course::Cancelled));
        }
        if this.is_late(context) {
            return Poll::Ready(this.drop_it(Course::OutOfTime));
        }
        turn.goes_on(context);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::Notify;
    use tokio_test::task::{Spawn, spawn};
    use tokio_test::{assert_pending, assert_ready_eq};

    /// An agent that waits until it is notified, and how often it was polled.
    fn waiting(plan: Plan) -> (Spawn<Cancelling<&'static str>>, Arc<Notify>, Arc<AtomicU32>) {
        let (notify, polls) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let (heard, counted) = (Arc::clone(&notify), Arc::clone(&polls));
        let agent = async move {
            let mut wait = Box::pin(heard.notified());
            std::future::poll_fn(|context| {
                counted.fetch_add(1, Ordering::Relaxed);
                wait.as_mut().poll(context)
            })
            .await;
            "done"
        };
        let trial = Trial::new(std::env::temp_dir());
        (spawn(Cancelling::new(Box::pin(agent), trial, plan, Duration::ZERO)), notify, polls)
    }

    #[test]
    fn it_ends_by_itself_where_nothing_is_planned() {
        let (mut task, notify, polls) = waiting(Plan::default());
        assert_pending!(task.poll());
        assert!(!task.is_woken());
        notify.notify_one();
        assert!(task.is_woken());
        assert_ready_eq!(task.poll(), Course::Finished("done"));
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn it_is_dropped_as_soon_as_it_waits() {
        let (mut task, notify, _) = waiting(Plan::once(0, Moment::Await(1), By::Drop));
        assert_ready_eq!(task.poll(), Course::Cancelled);
        // What it held is gone with it.
        assert_eq!(Arc::strong_count(&notify), 1);
    }

    #[test]
    fn what_it_waited_for_is_there_and_it_never_sees_it() {
        let (mut task, notify, polls) = waiting(Plan::once(0, Moment::Wake(1), By::Drop));
        assert_pending!(task.poll());
        notify.notify_one();
        assert!(task.is_woken());
        assert_ready_eq!(task.poll(), Course::Cancelled);
        assert_eq!(polls.load(Ordering::Relaxed), 1);
    }
}
