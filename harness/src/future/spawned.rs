//! Tasks that an agent starts through its [`Trial`]: counted, and cancelled where planned.

use super::handle::Trial;
use super::plan::{By, Cancel, Moment};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::task::{AbortHandle, JoinHandle};

/// What is known of a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) started_at: &'static Location<'static>,
    /// How often it was polled, and suspended.
    pub(super) polls: u32,
    pub(super) awaits: u32,
    pub(super) alive: bool,
}

impl Task {
    pub(super) fn new(started_at: &'static Location<'static>) -> Self {
        Self { started_at, polls: 0, awaits: 0, alive: true }
    }
}

/// Has the trial know where tasks are started that are not started through it. Only tokio's
/// unstable hooks tell that: they are there where everything is compiled with
/// `--cfg tokio_unstable`.
#[cfg(tokio_unstable)]
pub(super) fn note_others(builder: &mut tokio::runtime::Builder, trial: &Trial) {
    let (starts, ends) = (trial.clone(), trial.clone());
    builder.on_task_spawn(move |task| {
        let at = task.spawned_at();
        if at.file() != file!() {
            starts.noted().others.insert(task.id(), at);
        }
    });
    builder.on_task_terminate(move |task| {
        ends.noted().others.remove(&task.id());
    });
}

#[cfg(not(tokio_unstable))]
pub(super) fn note_others(_: &mut tokio::runtime::Builder, _: &Trial) {}

/// The future of such a task.
pub(super) struct Spawned<F> {
    future: Pin<Box<F>>,
    trial: Trial,
    index: usize,
    /// By which a plan names it.
    number: Option<usize>,
    own: Arc<OnceLock<AbortHandle>>,
}

impl<F> Spawned<F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    pub(super) fn start(trial: Trial, index: usize, number: Option<usize>, future: F) -> JoinHandle<F::Output> {
        let own = Arc::new(OnceLock::new());
        let handle = tokio::spawn(Self { future: Box::pin(future), trial, index, number, own: Arc::clone(&own) });
        own.get_or_init(|| handle.abort_handle());
        handle
    }
}

impl<F> Spawned<F> {
    /// Cancels this task, or everything, if that is planned for now.
    fn cancel_at(&self, moment: Moment) {
        let mut noted = self.trial.noted();
        let planned = |cancel: &Cancel| self.is_meant(cancel) && cancel.at.moment == moment;
        let Some(cancel) = noted.cancel.filter(planned) else { return };
        noted.cancelled = true;
        let root = noted.root.take();
        drop(noted);
        match cancel.by {
            By::Drop => root.into_iter().for_each(std::task::Waker::wake),
            _ => self.own.wait().abort(),
        }
    }
}

impl<F: Future> Future for Spawned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let turn = this.trial.poll_begins(u32::try_from(this.index).map_or(u32::MAX, |index| index + 1));
        if turn.puts_off(context) {
            return Poll::Pending;
        }
        let before = this.task(|task| {
            task.polls += 1;
            task.awaits
        });
        if before > 0 {
            this.cancel_at(Moment::Wake(before));
            if this.trial.noted().cancelled && this.is_aborted() {
                return Poll::Pending;
            }
        }
        let polled = this.future.as_mut().poll(context);
        if polled.is_pending() {
            let nth = this.task(|task| {
                task.awaits += 1;
                task.awaits
            });
            this.cancel_at(Moment::Await(nth));
            turn.goes_on(context);
        }
        polled
    }
}

impl<F> Spawned<F> {
    fn task<T>(&self, with: impl FnOnce(&mut Task) -> T) -> T {
        let mut noted = self.trial.noted();
        with(noted.tasks.get_mut(self.index).expect("it was noted when it was started"))
    }

    /// Whether it was this task that the plan ends.
    fn is_aborted(&self) -> bool {
        self.trial.noted().cancel.is_some_and(|cancel| self.is_meant(&cancel))
    }

    fn is_meant(&self, cancel: &Cancel) -> bool {
        self.number == Some(cancel.at.task as usize)
    }
}

impl<F> Drop for Spawned<F> {
    fn drop(&mut self) {
        self.task(|task| task.alive = false);
    }
}
