//! A program as an agent, as one writes it in a test.

use super::future_agent::{REPLAY, own_test, replay_of_test};
use super::tested::Tested;
use crate::driver::Interrupt;
use crate::explore::{Check, Fuzz, Planned, check, replay};
use crate::model::{Act, Injection, PointSpec, Profile, Stdin, Token, TrialPlan, quote_all};
use crate::scenario::{GuaranteeWish, Kind, RecoverSpec, Second, StateEnd, Strategy, Survivor};
use crate::state::Oracle;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A program, and how it is to be terminated. With `QUIETUS_REPLAY` in the environment of the
/// test set to a token of a report, that trial alone is made.
#[derive(Debug, Clone)]
pub struct CommandAgent {
    wanted: Check,
    points: Vec<Vec<PointSpec>>,
}

impl CommandAgent {
    /// A program without arguments, in the current directory: that of the package, under
    /// `cargo test`.
    pub(super) fn new(program: &OsStr) -> Self {
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut wanted = Check::of_command(vec![program.to_owned()], std::env::vars_os().collect(), directory);
        wanted.jobs = (cores * 2).max(4);
        Self { wanted, points: Vec::new() }
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.wanted.command.push(word.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        words.into_iter().fold(self, Self::arg)
    }

    /// A variable of its environment, beside those of the test.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.wanted.environment.retain(|(known, _)| known != key.as_ref());
        self.wanted.environment.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Its working directory, which stays as it is: each trial works on a copy.
    #[must_use]
    pub fn workspace(mut self, directory: impl AsRef<Path>) -> Self {
        self.wanted.directory = directory.as_ref().to_path_buf();
        self
    }

    /// A command that runs in the workspace before it; what it makes was there before.
    #[must_use]
    pub fn prepare(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.wanted.prepare.push(words.into_iter().map(|word| word.as_ref().to_owned()).collect::<Vec<OsString>>());
        self
    }

    /// How a platform ends it.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.wanted.send = Some(profile.injection());
        self.wanted.grace = profile.grace;
        self.wanted.pid1 = profile.pid1;
        self.wanted.pty = profile.pty;
        self
    }

    /// What it is ended by: `TERM`, `INT@group,5s,KILL`.
    ///
    /// # Panics
    /// When that is no injection.
    #[must_use]
    #[track_caller]
    pub fn send(mut self, injection: &str) -> Self {
        match injection.parse::<Injection>() {
            Ok(injection) => self.wanted.send = Some(injection),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Only at this point, such as `output:/working/`; said again, at that one too.
    ///
    /// # Panics
    /// When that is no point.
    #[must_use]
    #[track_caller]
    pub fn at(mut self, point: &str) -> Self {
        match point.parse::<PointSpec>() {
            Ok(point) => self.points.push(vec![point]),
            Err(error) => panic!("{error}"),
        }
        self
    }

    /// Only this trial, whole; said again, that one too. [`CommandAgent::check`] makes it.
    #[must_use]
    pub fn plan(mut self, plan: TrialPlan) -> Self {
        self.wanted.trials.push(Planned { label: "as asked".to_owned(), plan, informational: false });
        self
    }

    /// How long it may take to end; by default 5 s, or what the profile says.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.wanted.grace = grace;
        self
    }

    /// It runs until it is told to stop.
    #[must_use]
    pub fn server(mut self) -> Self {
        self.wanted.kind = Some(Kind::Server);
        self
    }

    /// Its standard input stays open.
    #[must_use]
    pub fn open_stdin(mut self) -> Self {
        self.wanted.stdin = Some(Stdin::Open);
        self
    }

    /// Files that match this glob may stay.
    #[must_use]
    pub fn may_leave(mut self, glob: &str) -> Self {
        self.wanted.rules.survivors.push(Survivor { file: Some(glob.to_owned()), ..Survivor::default() });
        self
    }

    /// Something that it changes outside itself, such as a database or a repository: in the
    /// end it must be as before, or as an undisturbed run leaves it.
    ///
    /// Those of the module [`state`](crate::state) know how to look; [`Oracle`] is the trait
    /// for your own.
    ///
    /// # Panics
    /// When there is a state of that name already.
    #[must_use]
    #[track_caller]
    pub fn state(self, oracle: impl Oracle + 'static) -> Self {
        self.state_must_be(oracle, StateEnd::Either)
    }

    /// The same, with how it must be found in the end.
    ///
    /// # Panics
    /// When there is a state of that name already.
    #[must_use]
    #[track_caller]
    pub fn state_must_be(mut self, oracle: impl Oracle + 'static, end: StateEnd) -> Self {
        let known = self.wanted.rules.states.contains_key(oracle.name());
        assert!(!known, "two states are called `{}`: give each a name of its own", oracle.name());
        self.wanted.rules.states.insert(oracle.name().to_owned(), end);
        self.wanted.states.push(Arc::new(oracle));
        self
    }

    /// After each trial it is started again over what it left: it must end well, with the
    /// result of an undisturbed run.
    #[must_use]
    pub fn recover(mut self) -> Self {
        self.wanted.recover = Some(RecoverSpec::default());
        self
    }

    /// No trial starts after that time. The report says how many were not made.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        self.wanted.budget = Some(budget);
        self
    }

    /// A sweep goes on inside of its cleanup.
    #[must_use]
    pub fn second(mut self) -> Self {
        self.wanted.second = Some(Second::Cleanup);
        self
    }

    /// Terminates it at the moments that matter most, or at the points that were named.
    ///
    /// # Panics
    /// When it cannot be run, or its undisturbed run gives no ground to judge by.
    #[must_use = "what was found is in it"]
    #[track_caller]
    pub fn check(mut self) -> Tested {
        let send = self.wanted.send.clone().unwrap_or_else(Injection::usual);
        let wanted = &self.wanted;
        let trials = self.points.iter().map(|at| Planned {
            label: "as asked".to_owned(),
            plan: TrialPlan {
                acts: vec![Act { at: at.clone(), send: send.clone() }],
                grace: wanted.grace,
                stdin: Stdin::Closed,
                pty: wanted.pty,
                pid1: wanted.pid1,
                noise: crate::model::Noise::NONE,
            },
            informational: false,
        });
        let trials: Vec<Planned> = trials.collect();
        self.wanted.trials.extend(trials);
        self.run()
    }

    /// Terminates it once in each of its windows, and in its longest waits.
    ///
    /// # Panics
    /// When it cannot be run, or its undisturbed run gives no ground to judge by; also when
    /// points were named, since a sweep finds its own.
    #[must_use = "what was found is in it"]
    #[track_caller]
    pub fn sweep(mut self) -> Tested {
        assert!(self.points.is_empty(), "a sweep finds the points itself: use check() for those that are named");
        self.wanted.strategy = Strategy::Sweep;
        self.run()
    }

    /// Does up to four things to it in each of so many trials, anywhere in its run and its
    /// cleanup; goes on from what shows something new, and makes the trial of each finding as
    /// small as it can be. The same seed makes the same trials, as long as they show the same.
    ///
    /// # Panics
    /// When it cannot be run, or its undisturbed run gives no ground to judge by; also when
    /// points were named.
    #[must_use = "what was found is in it"]
    #[track_caller]
    pub fn fuzz(mut self, trials: u32, seed: u64) -> Tested {
        assert!(self.points.is_empty(), "random trials have points of their own: use check() for those that are named");
        self.wanted.strategy = Strategy::Fuzz;
        self.wanted.fuzz = Fuzz { seed, trials: Some(trials.into()), ..Fuzz::default() };
        self.run()
    }

    #[track_caller]
    fn run(mut self) -> Tested {
        let command = quote_all(self.wanted.command.iter().map(OsString::as_os_str));
        let program = Path::new(&self.wanted.command[0]);
        let program = program.file_name().unwrap_or(program.as_os_str());
        let words = std::iter::once(program).chain(self.wanted.command.iter().skip(1).map(OsString::as_os_str));
        self.wanted.name = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        self.wanted.replay.1 = format!(" -- {command}");
        if !self.wanted.states.is_empty() || self.wanted.recover.is_some() || !self.wanted.prepare.is_empty() {
            // No command line says all that; the test does.
            let line = replay_of_test("\n", &own_test());
            let (before, after) = line.split_once('\n').unwrap_or_default();
            self.wanted.replay = (before.to_owned(), after.to_owned());
        }
        let name = &self.wanted.name;
        match self.wanted.directory.canonicalize() {
            Ok(directory) => self.wanted.directory = directory,
            Err(error) => panic!("cannot enter {}: {error}", self.wanted.directory.display()),
        }
        let interrupt = Interrupt::new().unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
        let chosen =
            self.wanted.driver(GuaranteeWish::Auto).unwrap_or_else(|error| panic!("cannot test {name}: {error}"));
        let driver = chosen.driver;
        let only = std::env::var(REPLAY).ok().and_then(|token| token.parse::<Token>().ok());
        let made = match only {
            Some(Token(plan)) => replay(&*driver, &self.wanted, &plan, &interrupt, &()).map(|replayed| replayed.run),
            None => check(&*driver, &self.wanted, &interrupt, &()),
        };
        match made {
            Ok(run) => Tested::new(run, driver.guarantee()).seen_from(&self.wanted.directory),
            Err(error) => panic!("cannot test {name}: {error}"),
        }
    }
}
