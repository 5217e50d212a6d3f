//! From a command to a check in which nothing else was said.

use super::check::{Check, Fuzz};
use super::from_scenario::DEFAULT_GRACE;
use crate::audit::Rules;
use crate::cell::MOST_PROCESSES;
use crate::scenario::{Kind, Strategy};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

impl Check {
    /// The default set of trials of this command, in this directory and environment; four at
    /// a time, each finding tried three times again.
    pub fn of_command(command: Vec<OsString>, environment: Vec<(OsString, OsString)>, directory: PathBuf) -> Self {
        Self {
            name: command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "),
            file: None,
            command,
            environment,
            own_variables: Vec::new(),
            directory,
            prepare: Vec::new(),
            stdin: None,
            kind: None,
            pty: false,
            pid1: false,
            ready: None,
            send: None,
            control_exit: 0,
            grace: DEFAULT_GRACE,
            settle: Duration::from_secs(1),
            horizon: Duration::from_secs(10),
            trials: Vec::new(),
            repeat: 1,
            confirm: 3,
            timelines: false,
            division: None,
            done: Vec::new(),
            jobs: 4,
            budget: None,
            strategy: Strategy::Check,
            exhaustive: false,
            second: None,
            fuzz: Fuzz::default(),
            regressions: Vec::new(),
            rules: Rules::of_kind(Kind::Job),
            allows: Vec::new(),
            today: String::new(),
            replay: ("quietus replay ".to_owned(), String::new()),
            private_network: false,
            max_processes: MOST_PROCESSES,
            services: Vec::new(),
            states: Vec::new(),
            recover: None,
        }
    }
}
