//! What an agent gets for one run: its place in the world, and where it says what is to
//! be looked at.

use super::lock::{Lock, LockState};
use super::panics::caught;
use super::plan::{Order, Polls};
use super::settling::living;
use super::spawned::{Spawned, Task};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// One run of an agent under test: its directory, its cancellation token, and the state
/// and the locks that are judged once it was cancelled.
///
/// It is cheap to clone, and can be given to tasks.
#[derive(Clone)]
pub struct Trial {
    inner: Arc<Inner>,
}

/// Reads a state as text.
type Read = Box<dyn Fn() -> String + Send>;

struct Inner {
    directory: PathBuf,
    token: CancellationToken,
    /// How often the agent's own future was suspended.
    awaits: AtomicU32,
    noted: Mutex<Noted>,
}

/// What the agent said, and what was seen of its futures.
#[derive(Default)]
pub(super) struct Noted {
    states: BTreeMap<String, (Read, String)>,
    locks: BTreeMap<String, Box<dyn Lock>>,
    /// Names of points, by the suspension that each stands for.
    pub(super) probes: BTreeMap<u32, String>,
    pub(super) tasks: Vec<Task>,
    /// Where living tasks were started that were not started through this, if that is known.
    pub(super) others: HashMap<tokio::task::Id, &'static std::panic::Location<'static>>,
    /// The task to be cancelled, by its number, and where.
    pub(super) cancel: Option<super::plan::Cancel>,
    /// Whether that came to pass.
    pub(super) cancelled: bool,
    /// Wakes the agent's own future, when everything is to be dropped.
    pub(super) root: Option<std::task::Waker>,
    /// When the agent's own future was polled, since it began.
    pub(super) polls: Vec<Duration>,
    /// Whether the token, when it was cancelled, woke somebody, or a task may have heard it.
    pub(super) heard: bool,
    /// Whether the clock, which stood still, runs.
    pub(super) resumed: bool,
    /// How often the agent had been suspended when it first asked for its token.
    pub(super) token_asked: Option<u32>,
    /// What its world has: tasks started through this, tasks at all, and whether it asked for
    /// the token.
    pub(super) world: World,
    /// What the panic said with which the agent was dropped.
    pub(super) panic: Option<String>,
    /// Whether the agent starts tasks in other ways than through this, if that was looked for.
    pub(super) starts_others: bool,
    /// How many threads the runtime has. Those for blocking work end as soon as it is done.
    pub(super) threads: usize,
    /// Whether there was one that is no worker.
    pub(super) blocks: bool,
    /// In which order futures are to be polled, and who was polled so far: 0 is the agent's own
    /// future, 1 the first task that was started through this.
    pub(super) order: Order,
    pub(super) polled: Vec<u32>,
    /// How many polls have begun.
    polls_begun: u32,
}

/// No more polls are remembered.
const MOST_POLLED: usize = 1024;

/// What is there before the agent runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct World {
    pub(super) made: bool,
    pub(super) own_tasks: usize,
    pub(super) tasks: usize,
    pub(super) asked_token: bool,
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}

impl Trial {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            inner: Arc::new(Inner {
                directory,
                token: CancellationToken::new(),
                awaits: AtomicU32::new(0),
                noted: Mutex::new(Noted::default()),
            }),
        }
    }

    /// The directory of this run. It is empty at first, and a run that comes after a
    /// cancelled one finds what that one left. What the agent leaves in it is judged, and
    /// all of it is removed in the end.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.directory
    }

    /// The token that asks the agent to stop. Agents that never ask for it are not
    /// cancelled by it.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let awaits = self.awaits();
        self.noted().token_asked.get_or_insert(awaits);
        self.inner.token.clone()
    }

    /// Names a state that a cancel must leave as it was before the work, or as the work
    /// makes it: a balance, the content of a queue, the number of free permits. `read` is
    /// called now, for what it is before, and once the run has ended or was cancelled. It
    /// must not wait.
    ///
    /// # Panics
    /// Where `read` does, now. Later that is a finding.
    pub fn state<V: fmt::Debug>(&self, name: &str, read: impl Fn() -> V + Send + 'static) {
        let read: Read = Box::new(move || format!("{:?}", read()));
        let before = read();
        let _replaced = self.noted().states.insert(name.to_owned(), (read, before));
    }

    /// Hands over a lock that must be free once the agent was cancelled.
    pub fn lock(&self, name: &str, lock: impl Lock + 'static) {
        let _replaced = self.noted().locks.insert(name.to_owned(), Box::new(lock));
    }

    /// Starts a task as [`tokio::spawn`] does. Its suspensions are points too, and if it
    /// is left running the finding names the line of this call.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut noted = self.noted();
        let index = noted.tasks.len();
        noted.tasks.push(Task::new(std::panic::Location::caller()));
        // Those of the world are not cancelled.
        let number = noted.world.made.then(|| index + 1 - noted.world.own_tasks);
        drop(noted);
        Spawned::start(self.clone(), index, number, future)
    }

    /// Suspends the agent once: a point that has a name in the report.
    pub async fn probe(&self, name: &str) {
        let next = self.inner.awaits.load(Ordering::Relaxed) + 1;
        self.noted().probes.insert(next, name.to_owned());
        tokio::task::yield_now().await;
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.inner.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a poll of the agent's own future, 0, or of a task; says what becomes of it.
    pub(super) fn poll_begins(&self, who: u32) -> Turn {
        let mut noted = self.noted();
        noted.polls_begun = noted.polls_begun.saturating_add(1);
        let number = noted.polls_begun;
        let is_in = |polls: Polls| polls.numbers().any(|one| one == number);
        let turn = Turn { is_late: is_in(noted.order.late), is_early: is_in(noted.order.early) };
        if !turn.is_late && noted.polled.len() < MOST_POLLED {
            noted.polled.push(who);
        }
        turn
    }

    /// From now on futures are polled in this order, and their polls are counted.
    pub(super) fn set_order(&self, order: Order) {
        let mut noted = self.noted();
        (noted.order, noted.polls_begun) = (order, 0);
        noted.polled.clear();
    }

    /// Counts a suspension of the agent's own future, and says the how manieth it was.
    pub(super) fn suspended(&self) -> u32 {
        self.inner.awaits.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The tasks that were started through this, and others that live and are known of; those
    /// of the world excepted.
    pub(super) fn tasks(&self) -> Vec<Task> {
        let noted = self.noted();
        let own = noted.tasks.iter().skip(noted.world.own_tasks).copied();
        own.chain(noted.others.values().map(|at| Task::new(at))).collect()
    }

    /// Takes down whether tasks live that were started neither through this nor by the world.
    pub(super) fn look_for_others(&self) {
        let mut noted = self.noted();
        let own = noted.tasks.iter().skip(noted.world.own_tasks).filter(|task| task.alive).count();
        noted.starts_others |= living() > noted.world.tasks + own;
    }

    /// What is there now is the world's, `tasks` of the runtime among it; how many these are.
    pub(super) fn world_is_made(&self, tasks: usize) -> usize {
        let mut noted = self.noted();
        let (own_tasks, asked_token) = (noted.tasks.len(), noted.token_asked.is_some());
        noted.world = World { made: true, own_tasks, tasks, asked_token };
        noted.others.clear();
        tasks
    }

    /// How often tasks were polled that were started through this.
    pub(super) fn polls(&self) -> u32 {
        self.noted().tasks.iter().map(|task| task.polls).sum()
    }

    pub(super) fn awaits(&self) -> u32 {
        self.inner.awaits.load(Ordering::Relaxed)
    }

    pub(super) fn uses_token(&self) -> bool {
        self.noted().token_asked.is_some()
    }

    pub(super) fn cancel_token(&self) {
        self.inner.token.cancel();
    }

    /// Each state: before, and now or the panic of its reader. Readers may use this handle.
    pub(super) fn states(&self) -> BTreeMap<String, State> {
        let states = std::mem::take(&mut self.noted().states);
        let read = |(read, before): &(Read, String)| State {
            before: before.clone(),
            now: caught(read).map_err(|panic| format!("reading it panics: {panic}")),
        };
        let told = states.iter().map(|(name, state)| (name.clone(), read(state))).collect();
        // Some may have been named anew meanwhile.
        let mut noted = self.noted();
        for (name, state) in states {
            noted.states.entry(name).or_insert(state);
        }
        told
    }

    pub(super) fn locks(&self) -> BTreeMap<String, LockState> {
        let locks = std::mem::take(&mut self.noted().locks);
        let told = locks.iter().map(|(name, lock)| (name.clone(), lock.lock_state())).collect();
        let mut noted = self.noted();
        for (name, lock) in locks {
            noted.locks.entry(name).or_insert(lock);
        }
        told
    }
}

/// What becomes of one poll.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// It is put off.
    pub(super) is_late: bool,
    /// Another follows at once.
    pub(super) is_early: bool,
}

impl Turn {
    /// Puts the poll off behind all that can go on, if that is planned.
    pub(super) fn puts_off(self, context: &mut Context<'_>) -> bool {
        if self.is_late {
            later(context);
        }
        self.is_late
    }

    /// Has it polled again, if that is planned, though nothing has woken it.
    pub(super) fn goes_on(self, context: &Context<'_>) {
        if self.is_early {
            context.waker().wake_by_ref();
        }
    }
}

/// Has it woken once all that can go on were polled: who wakes itself comes again before the
/// runtime looks at its own future.
fn later(context: &mut Context<'_>) {
    if pin!(tokio::task::yield_now()).poll(context).is_ready() {
        context.waker().wake_by_ref();
    }
}

/// A state of an agent, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) before: String,
    pub(super) now: Result<String, String>,
}
