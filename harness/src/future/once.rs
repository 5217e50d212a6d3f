//! One run of an agent that is a future, on a runtime of its own: cancelled where the plan
//! says, looked at, and run again over what it left.

use super::agent::{Runs, Startable};
use super::cancelling::{Boxed, Cancelling, Course};
use super::handle::{State, Trial};
use super::line::Waits;
use super::lock::LockState;
use super::own::{self, Child, Own, TRIAL, end_new_children, look, tree};
use super::panics::collected;
use super::plan::{By, Moment, Plan};
use super::settling::{children_end, children_end_alone, living, stop_again, tasks_end};
use super::spawned::{Task, note_others};
use super::turns::Turns;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// How agents are run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Whether tokio's clock stands still and jumps to what is waited for.
    pub(crate) paused: bool,
    /// Threads of a multi-threaded runtime.
    pub(crate) workers: Option<usize>,
    /// How long it may take to end once its token was cancelled, and what it started to
    /// end after it.
    pub(crate) grace: Duration,
    /// How long an undisturbed run may take, if something is said about it.
    pub(crate) horizon: Option<Duration>,
    /// Whether everything in this process is the agent's: then its descriptors, children
    /// and threads are looked at.
    pub(crate) whole_process: bool,
    /// Whether the directory for temporary files is the agent's alone, so that what a run
    /// leaves there is removed.
    pub(crate) own_temporary: bool,
    /// Whether it is run again over what it left.
    pub(crate) rerun: bool,
}

impl Setup {
    /// How long an undisturbed run may take.
    pub(crate) fn horizon(&self) -> Duration {
        let usual = if self.paused { Duration::from_secs(3600) } else { Duration::from_secs(60) };
        self.horizon.unwrap_or(usual)
    }
}

/// What is taken down besides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ask<'a> {
    /// The line in which it waits when it is cancelled.
    pub(super) waits: bool,
    /// When it is polled.
    pub(super) times: bool,
    /// How many turns the runtime takes.
    pub(super) turns: bool,
    /// Commands of child processes that have outlived a whole grace.
    pub(super) outlive: Option<&'a BTreeSet<String>>,
    /// The agent has work done on threads for blocking work.
    pub(super) blocks: bool,
}

/// What one run has shown.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) course: Course<String>,
    /// Whether the plan came to pass.
    pub(super) cancelled: bool,
    pub(super) awaits: u32,
    /// How many turns the runtime took for tasks that were not started through its trial,
    /// and for all of them; both if that was asked for.
    pub(super) turns: (u32, u32),
    /// When its own future was polled, and whether it starts tasks in other ways than through
    /// its trial, if that was asked for.
    pub(super) starts_others: bool,
    pub(super) polls: Vec<Duration>,
    /// Who was polled, one after the other: the agent's own future is 0.
    pub(super) polled: Vec<u32>,
    pub(super) probes: BTreeMap<u32, String>,
    /// How often it had been suspended when it asked for its token.
    pub(super) token_asked: Option<u32>,
    /// Whether it has work done on threads for blocking work.
    pub(super) blocks: bool,
    /// Whether somebody listened to the token when it was cancelled.
    pub(super) heard: bool,
    pub(super) tasks: Vec<Task>,
    /// What panics of tasks said.
    pub(super) panics: Vec<String>,
    /// Tasks that still live, those of the world excepted.
    pub(super) alive: usize,
    /// Before it was run again.
    pub(super) left: Left,
    /// This process before and after.
    pub(super) own: Option<(Own, Own)>,
    pub(super) line: Option<String>,
    pub(super) again: Option<Again>,
    pub(super) took: Duration,
}

/// The run over what the first one left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) course: Course<String>,
    pub(super) states: BTreeMap<String, Result<String, String>>,
    pub(super) files: BTreeMap<String, u64>,
}

/// What sees it while it runs.
#[derive(Clone, Copy)]
struct Eyes<'a> {
    trial: &'a Trial,
    waits: Option<&'a Arc<Waits>>,
    turns: Option<&'a Arc<Turns>>,
    /// When it is polled.
    times: bool,
    outlive: &'a BTreeSet<String>,
    blocks: bool,
    /// This process as it was before.
    before: Option<&'a Own>,
}

/// What was seen on the runtime.
struct Inside {
    course: Course<String>,
    tasks: Vec<Task>,
    /// How many polls of them there were while the agent ran.
    polls: u32,
    alive: usize,
    left: Option<Left>,
    again: Option<Again>,
}

/// What a run leaves in memory and in its directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Left {
    pub(super) states: BTreeMap<String, State>,
    pub(super) locks: BTreeMap<String, LockState>,
    pub(super) files: BTreeMap<String, u64>,
    /// Children, and entries of the directory for temporary files, that are new.
    pub(super) children: Vec<Child>,
    pub(super) temporary: BTreeSet<String>,
}

impl Left {
    fn by(trial: &Trial, before: Option<&Own>) -> Self {
        let children = own::new_children;
        let temporary = |before: &Own| own::temporary().difference(&before.temporary).cloned().collect();
        Self {
            states: trial.states(),
            locks: trial.locks(),
            files: tree(trial.dir()),
            children: before.map(children).unwrap_or_default(),
            temporary: before.map(temporary).unwrap_or_default(),
        }
    }

    /// The same, where everything was dropped. Nobody can wait for a child there any more: one
    /// that ends at once was ended, and where its parent ends too, nothing is left of it.
    fn by_all(trial: &Trial, before: Option<&Own>) -> Self {
        let mut left = Self::by(trial, before);
        left.children.retain(|child| !child.ended);
        left
    }
}

/// Runs the agent once.
///
/// # Errors
/// When there is no directory or no runtime to be had, or the world cannot be made.
pub(super) fn once(agent: &dyn Startable, setup: &Setup, plan: Plan, ask: Ask<'_>) -> Result<Seen, String> {
    let began = Instant::now();
    let directory = tempfile::Builder::new()
        .prefix(TRIAL)
        .tempdir()
        .map_err(|error| format!("cannot make a directory for a trial: {error}"))?;
    let before = setup.whole_process.then(look);
    let trial = Trial::new(directory.path().to_path_buf());
    let (runtime, turns) =
        runtime(setup, plan, ask, &trial).map_err(|error| format!("cannot start a runtime: {error}"))?;
    let waits = ask.waits.then(|| Arc::new(Waits::default()));
    let none = BTreeSet::new();
    let outlive = ask.outlive.unwrap_or(&none);
    let eyes = Eyes {
        trial: &trial,
        waits: waits.as_ref(),
        turns: turns.as_ref(),
        times: ask.times,
        outlive,
        blocks: ask.blocks,
        before: before.as_ref(),
    };
    let (inside, mut panics) = collected(|| runtime.block_on(inside(agent, setup, plan, eyes)));
    panics.extend(collected(|| runtime.shutdown_timeout(setup.grace)).1);
    let inside = inside.map_err(|panic| {
        let made = trial.noted().world.made;
        let what = if made { "the runtime of the agent panics" } else { "the world of the agent cannot be made" };
        format!("{what}: {panic}")
    })?;
    // Where everything was dropped, that is what it leaves.
    let left = inside.left.unwrap_or_else(|| {
        before.iter().for_each(|before| children_end_alone(before, outlive, setup));
        Left::by_all(&trial, before.as_ref())
    });
    let own = before.map(|before| {
        if !left.children.is_empty() {
            end_new_children(&before);
        }
        if setup.own_temporary {
            own::remove_new_temporary(&before);
        }
        (before, look())
    });
    let line = waits.and_then(|waits| waits.line());
    let mut noted = trial.noted();
    Ok(Seen {
        course: inside.course,
        cancelled: noted.cancelled,
        awaits: trial.awaits(),
        turns: turns.map_or((0, 0), |turns| (turns.count().saturating_sub(inside.polls), turns.count())),
        starts_others: noted.starts_others,
        polls: std::mem::take(&mut noted.polls),
        polled: std::mem::take(&mut noted.polled),
        probes: std::mem::take(&mut noted.probes),
        token_asked: noted.token_asked,
        blocks: noted.blocks,
        heard: noted.heard,
        tasks: inside.tasks,
        panics,
        alive: inside.alive,
        left,
        own,
        line,
        again: inside.again,
        took: began.elapsed(),
    })
}

/// A runtime; of one thread, its turns are taken one at a time if that is asked for.
fn runtime(setup: &Setup, plan: Plan, ask: Ask<'_>, trial: &Trial) -> std::io::Result<(Runtime, Option<Arc<Turns>>)> {
    let mut builder = match setup.workers {
        Some(_) => Builder::new_multi_thread(),
        None => Builder::new_current_thread(),
    };
    builder.enable_all();
    note_others(&mut builder, trial);
    let (starts, stops) = (trial.clone(), trial.clone());
    builder.thread_keep_alive(Duration::from_millis(1));
    let workers = setup.workers.unwrap_or(0);
    builder.on_thread_start(move || {
        let mut noted = starts.noted();
        noted.threads += 1;
        noted.blocks |= noted.threads > workers;
    });
    builder.on_thread_stop(move || stops.noted().threads -= 1);
    let mut turns = None;
    match setup.workers {
        Some(workers) => {
            builder.worker_threads(workers);
        }
        None => {
            builder.start_paused(setup.paused);
            turns = (ask.turns || plan.is_of_turns()).then(|| Turns::of(&mut builder));
            if plan.shuts_down() {
                // It is dropped before another task is polled.
                builder.event_interval(1);
            }
        }
    }
    Ok((builder.build()?, turns))
}

async fn inside(agent: &dyn Startable, setup: &Setup, plan: Plan, eyes: Eyes<'_>) -> Inside {
    let Eyes { trial, before, .. } = eyes;
    let world = agent.world(trial).await;
    let of_the_world = trial.world_is_made(living());
    let root = Cancelling::new(world.run(trial.clone()), trial.clone(), plan, setup.grace)
        .within(setup.horizon(), setup.paused)
        .telling_waits(eyes.waits.cloned())
        .telling_times(eyes.times);
    let before_it = trial.polls();
    let mut course = match eyes.turns {
        Some(turns) => turns.drive(Box::pin(root), plan).await,
        None => drive(root, trial, plan).await,
    };
    // It may have been dropped by the runtime.
    if let Some(panic) = trial.noted().panic.take() {
        course = Course::Panicked(panic);
    }
    stop_again(trial);
    let polls = trial.polls() - before_it;
    if plan.shuts_down() {
        return Inside { course, tasks: Vec::new(), polls, alive: 0, left: None, again: None };
    }
    tasks_end(of_the_world, trial, setup, eyes.blocks).await;
    if let Some(before) = before {
        children_end(before, eyes.outlive, setup).await;
    }
    let tasks = trial.tasks();
    // One of the world may have ended meanwhile.
    let own = tasks.iter().filter(|task| task.alive).count();
    let alive = living().saturating_sub(of_the_world).max(own);
    let left = Some(Left::by(trial, before));
    let again = if setup.rerun { Some(again(&*world, trial, setup, eyes.blocks).await) } else { None };
    Inside { course, tasks, polls, alive, left, again }
}

/// Runs it to its end, or to where the plan ends it.
async fn drive(root: Cancelling<String>, trial: &Trial, plan: Plan) -> Course<String> {
    match plan.first.filter(|cancel| cancel.at.task == 0).map(|cancel| (cancel.by, cancel.at.moment)) {
        Some((By::Abort, _)) => {
            let own = root.own();
            let set = LocalSet::new();
            let task = set.spawn_local(root);
            own.get_or_init(|| task.abort_handle());
            match set.run_until(task).await {
                Ok(course) => course,
                Err(error) if error.is_cancelled() => Course::Cancelled,
                Err(error) => Course::Panicked(error.to_string()),
            }
        }
        Some((By::Timeout, Moment::Time(after))) => {
            let mut root = Box::pin(root);
            match tokio::time::timeout(after, &mut root).await {
                Ok(course) => course,
                Err(_) => {
                    trial.noted().cancelled = true;
                    root.as_mut().get_mut().drop_it(Course::Cancelled)
                }
            }
        }
        _ => root.await,
    }
}

/// A run over what the first one left.
async fn again(world: &dyn Runs, before: &Trial, setup: &Setup, blocks: bool) -> Again {
    let trial = Trial::new(before.dir().to_path_buf());
    let known = living();
    let future: Boxed<String> = world.run(trial.clone());
    let root =
        Cancelling::new(future, trial.clone(), Plan::default(), setup.grace).within(setup.horizon(), setup.paused);
    let course = root.await;
    stop_again(&trial);
    tasks_end(known, before, setup, blocks).await;
    let mut states: BTreeMap<_, _> = before.states().into_iter().collect();
    states.extend(trial.states());
    Again {
        course,
        states: states.into_iter().map(|(name, state)| (name, state.now)).collect(),
        files: tree(trial.dir()),
    }
}
