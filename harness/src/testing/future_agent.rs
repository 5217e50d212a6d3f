//! The sweep of a future as one writes it in a test.

use super::tested::Tested;
use crate::future::{AsyncAgent, By, LONGEST_SPIN, Plan, Setup, Startable, Wanted, startable, sweep};
use quietus_reports::{Guarantee, Level, NotAudited, Run};
use std::fmt;
use std::time::Duration;

/// Holds the token of the only trial to be made.
pub(super) const REPLAY: &str = "QUIETUS_REPLAY";

/// An agent that is a future, and how it is to be cancelled.
pub struct FutureAgent {
    agent: Box<dyn Startable>,
    wanted: Wanted,
}

impl fmt::Debug for FutureAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureAgent").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl FutureAgent {
    /// Takes an agent. Its clock is real, its runtime has one thread, and it is cancelled in
    /// all ways.
    pub fn new(agent: impl AsyncAgent) -> Self {
        Self {
            agent: startable(agent),
            wanted: Wanted {
                name: "agent".to_owned(),
                setup: Setup {
                    paused: false,
                    workers: None,
                    grace: Duration::from_secs(5),
                    horizon: None,
                    whole_process: false,
                    own_temporary: false,
                    rerun: true,
                },
                how: By::ALL.to_vec(),
                seed: 0,
                budget: None,
                random: None,
                only: None,
                confirm: 3,
                replay: (String::new(), String::new()),
            },
        }
    }

    /// The name in the report.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.wanted.name);
        self
    }

    /// Has tokio's clock stand still and jump to whatever is waited for: an agent that
    /// sleeps for minutes takes milliseconds. For agents that wait for nothing outside of
    /// them, such as children, files and sockets.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.wanted.setup.paused = true;
        self
    }

    /// Runs it on a runtime with so many threads, whose order is not the same in each run.
    /// The clock is real there, and cannot be paused.
    #[must_use]
    pub fn multi_thread(mut self, workers: usize) -> Self {
        self.wanted.setup.workers = Some(workers.max(1));
        self
    }

    /// Only these ways to cancel it.
    #[must_use]
    pub fn how(mut self, how: &[By]) -> Self {
        self.wanted.how = how.to_vec();
        self
    }

    /// How long it may take to end once its token was cancelled, and what it started to end
    /// after it; by default 5 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.wanted.setup.grace = grace;
        self
    }

    /// How long an undisturbed run may take, by tokio's clock; by default a minute, and an
    /// hour where the clock is paused.
    #[must_use]
    pub fn horizon(mut self, horizon: Duration) -> Self {
        self.wanted.setup.horizon = Some(horizon);
        self
    }

    /// Makes no further trials once so much time has passed. The report says how many were
    /// not made.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.wanted.budget = Some(budget);
        self
    }

    /// Decides the order of the trials.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.wanted.seed = seed;
        self
    }

    /// Makes so many trials at random in place of one for each suspension; see
    /// [`FutureAgent::fuzz`].
    #[doc(hidden)]
    #[must_use]
    pub fn random(mut self, trials: u32) -> Self {
        self.wanted.random = Some(trials);
        self
    }

    /// Does not run it again over what it left.
    #[must_use]
    pub fn without_rerun(mut self) -> Self {
        self.wanted.setup.rerun = false;
        self
    }

    /// Makes only this trial.
    #[must_use]
    pub fn only(mut self, plan: Plan) -> Self {
        self.wanted.only = Some(plan);
        self
    }

    /// Says which test it is: its name, and how to replay a trial of it.
    pub(crate) fn test(mut self, path: &str) -> Self {
        path.clone_into(&mut self.wanted.name);
        let line = replay_of_test("\n", path);
        let (before, after) = line.split_once('\n').unwrap_or_default();
        self.wanted.replay = (before.to_owned(), after.to_owned());
        self
    }

    /// Takes everything in this process for the agent's: its descriptors, children and
    /// threads, and the directory for temporary files. For a process in which nothing else
    /// runs; [`quietus::test`](macro@crate::test) makes one for each test.
    #[must_use]
    pub fn whole_process(mut self) -> Self {
        self.wanted.setup.whole_process = true;
        self
    }

    /// The same; what a run leaves in the directory for temporary files is removed.
    pub(crate) fn own_process(mut self) -> Self {
        self.wanted.setup.own_temporary = true;
        self.whole_process()
    }

    /// How long one trial can take at most, if nothing in it blocks its thread.
    pub(crate) fn longest_trial(&self) -> Duration {
        const SLACK: Duration = Duration::from_secs(5);
        let setup = &self.wanted.setup;
        // By a clock that jumps, a trial takes no time; its children do.
        let once = if setup.paused { LONGEST_SPIN } else { setup.horizon() };
        once * 2 + setup.grace * 4 + SLACK
    }

    /// Makes all trials, and says before each which it is.
    pub(crate) fn sweep_telling(&self, tell: &mut dyn FnMut(&str)) -> Result<Run, String> {
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err("a runtime cannot be started inside of another: make it a plain #[test]".to_owned());
        }
        let mut wanted = self.wanted.clone();
        if let (None, Ok(token)) = (wanted.only, std::env::var(REPLAY)) {
            let plan = token.parse().map_err(|why| format!("{REPLAY} says `{token}`: {why}"))?;
            wanted.only = Some(plan);
        }
        sweep(&*self.agent, &wanted, tell)
    }

    /// Makes so many trials at random in place of one for each suspension: it is cancelled
    /// anywhere, once or twice, while its polls and those of its tasks ([`Trial::spawn`]) come
    /// in another order than the runtime's. The same seed makes the same trials. What shows
    /// something new is gone on from; what is found is made as small as it can be, and run 20
    /// times to say how often it shows.
    ///
    /// Some polls are put off until all others who can go on have been polled, and some are
    /// made though nothing has woken the future, which is allowed to happen. What shows in such
    /// an order where nothing is cancelled is told as a note.
    ///
    /// What only all suspensions together show, that a token is ignored, is left to
    /// [`sweep`](Self::sweep).
    ///
    /// ```
    /// # let agent = quietus::Agent::future(|trial: quietus::Trial| async move {
    /// #     let task = trial.spawn(async { tokio::task::yield_now().await });
    /// #     task.await.expect("it ends");
    /// # });
    /// agent.fuzz(100, 1).assert_clean();
    /// ```
    ///
    /// [`Trial::spawn`]: crate::Trial::spawn
    ///
    /// # Panics
    /// As [`sweep`](Self::sweep) does.
    #[track_caller]
    #[must_use = "what was found is in it"]
    pub fn fuzz(self, trials: u32, seed: u64) -> Tested {
        self.random(trials).seed(seed).sweep()
    }

    /// Makes all trials; only one, if `QUIETUS_REPLAY` in the environment holds its token.
    ///
    /// # Panics
    /// When the undisturbed run gives no ground to judge by: it panics itself, or never ends.
    /// Also inside of a tokio runtime, such as under `#[tokio::test]`.
    #[track_caller]
    #[must_use = "what was found is in it"]
    pub fn sweep(mut self) -> Tested {
        if self.wanted.replay.0.is_empty() {
            let name = self.wanted.name.clone();
            self = self.test(&own_test()).name(&name);
        }
        match self.sweep_telling(&mut |_| {}) {
            Ok(run) => Tested::new(run, beside_others()),
            Err(why) => panic!("{}: {why}", self.wanted.name),
        }
    }
}

/// The test that asks, or nothing where that cannot be told: a test runs on a thread that has
/// its name.
pub(super) fn own_test() -> String {
    std::thread::current().name().filter(|name| *name != "main").unwrap_or_default().to_owned()
}

/// The command line that makes one trial of a test again. Cargo says in the environment of
/// a test which package it is of.
pub(super) fn replay_of_test(token: &str, test: &str) -> String {
    let package = std::env::var("CARGO_PKG_NAME").map(|name| format!(" -p {name}")).unwrap_or_default();
    let which = if test.is_empty() { String::new() } else { format!(" {test} -- --exact") };
    format!("{REPLAY}='{token}' cargo test{package}{which}")
}

/// What is in force where the process is not the agent's alone.
fn beside_others() -> Guarantee {
    Guarantee {
        level: Level::Portable,
        mechanisms: vec!["the agent's own runtime".to_owned()],
        not_audited: vec![NotAudited {
            what: "descriptors, child processes and threads".to_owned(),
            why: "other tests may run in this process; #[quietus::test] gives each its own".to_owned(),
        }],
    }
}
