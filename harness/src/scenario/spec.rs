//! A scenario as data: what a file says, checked, with nothing decided yet.
//!
//! What a file leaves out is `None` where a later room knows better (the
//! profile, the command line), and its default where nobody does.

use crate::model::{Ended, Injection, Pattern, PointSpec, Profile, Signal, Stdin};
use std::collections::BTreeMap;
use std::time::Duration;

/// One scenario file.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called in reports. Not empty, one line.
    pub name: String,
    /// The program under test.
    pub agent: AgentSpec,
    /// The sealed place it runs in.
    pub cell: CellSpec,
    /// How it is terminated.
    pub terminate: Terminate,
    /// Where, and how often.
    pub explore: Explore,
    /// The trials that are written out, in the file's order.
    pub scripts: Vec<Script>,
    /// What a good ending is.
    pub expect: Expect,
    /// Servers that run beside the agent. Their names differ.
    pub services: Vec<ServiceSpec>,
    /// What it changes outside itself. Their names differ.
    pub states: Vec<StateSpec>,
    /// How it is started again over what it left, if it is.
    pub recover: Option<RecoverSpec>,
    /// What may stay.
    pub survivors: Vec<Survivor>,
    /// Known findings that are accepted for a while.
    pub allows: Vec<Allow>,
}

/// The program under test.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSpec {
    /// Program and arguments. Never empty, and the program is not empty.
    pub command: Vec<String>,
    /// The directory that becomes the agent's own, as the file wrote it.
    pub workspace: Option<String>,
    /// How it lives. `None`: the file does not say.
    pub kind: Option<Kind>,
    /// Commands that run in the cell before it, in order.
    pub prepare: Vec<Vec<String>>,
    /// Its standard input. `None`: the file does not say.
    pub stdin: Option<Stdin>,
    /// Variables added to its environment. No name is empty or has `=`.
    pub env: BTreeMap<String, String>,
    /// Whether it is PID 1. `None`: as the profile says.
    pub pid1: Option<bool>,
    /// Whether it has a terminal. `None`: as the profile says.
    pub pty: Option<bool>,
    /// When a server or session is ready for work. Absolute; never on a job.
    pub ready: Option<PointSpec>,
    /// Whether it inherits the signal dispositions and masks of Quietus
    /// instead of starting with the defaults.
    pub inherit_signals: bool,
}

/// How an agent lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It does its work and ends.
    Job,
    /// It waits for work until it is terminated.
    Server,
    /// It talks with a client until the client goes.
    Session,
}

/// The sealed place in which a trial runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CellSpec {
    /// What network the agent sees.
    pub network: Network,
    /// What the cell must be able to do.
    pub guarantee: GuaranteeWish,
    /// The most processes the agent may have at a time.
    pub max_processes: Option<u32>,
}

/// What network the agent sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    /// Its own, with nothing but a loopback device.
    Private,
}

/// What the cell must be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GuaranteeWish {
    /// The most that this machine can.
    #[default]
    Auto,
    /// Everything; a machine that cannot does not run the scenario.
    Full,
    /// Only what every machine can.
    Portable,
}

/// How the agent is terminated. `profile` and `send` exclude each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terminate {
    /// A named sequence of a platform.
    pub profile: Option<Profile>,
    /// A sequence that is written out.
    pub send: Option<Injection>,
    /// From the last step to the KILL. `None`: the profile's.
    pub grace: Option<Duration>,
    /// How long the cell must be quiet before it is audited.
    pub settle: Option<Duration>,
}

/// Where the agent is terminated, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Explore {
    /// Who chooses the points.
    pub strategy: Strategy,
    /// Of a sweep: what happens to the agent in its cleanup.
    pub second: Option<Second>,
    /// No trial starts after so long.
    pub budget: Option<Duration>,
    /// How often each trial runs. At least 1.
    pub repeat: u32,
    /// Of trials at random: how many there are. `None`: as many as the budget lets.
    pub trials: Option<u32>,
    /// Of trials at random: what they are drawn from.
    pub seed: Option<u32>,
    /// How often each distinct finding is run again.
    pub confirm: u32,
}

/// What happens to an agent while it cleans up after the first injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Second {
    /// It is terminated again.
    Cleanup,
    /// System calls that it makes fail.
    Faults,
    /// Both, in trials of their own.
    Both,
}

/// Who chooses the points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Quietus does.
    #[default]
    Check,
    /// The `[[script]]` tables do.
    Script,
    /// Quietus does: every window of the undisturbed run.
    Sweep,
    /// Chance does, and what it has met so far.
    Fuzz,
}

impl Strategy {
    /// As scenario files and reports name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Script => "script",
            Self::Sweep => "sweep",
            Self::Fuzz => "fuzz",
        }
    }
}

/// One trial that is written out.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Reached one after the other. Never empty; the first is not relative.
    pub at: Vec<PointSpec>,
    /// What is done then. `None`: what `[terminate]` says.
    pub send: Option<Injection>,
    /// From the last step to the KILL. `None`: what `[terminate]` says.
    pub grace: Option<Duration>,
    /// Whether its findings are shown without counting.
    pub informational: bool,
}

/// What a good ending is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// The endings that are right. `None`: TERM, 143 or 0.
    pub exit: Option<Vec<ExpectedExit>>,
    /// From the injection to the end of the agent, at most.
    pub within: Option<Duration>,
    /// Each matches a line that the agent writes once it is terminated, one after the other.
    pub log: Vec<Pattern>,
    /// Finds, in the lines of the agent, the resources that it says it has released: its
    /// group `resource` names them.
    pub released: Option<Pattern>,
    /// How each state must be found in the end. `None`: rolled back or committed.
    pub state: Option<StateEnd>,
}

/// How a state must be found in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StateEnd {
    /// As before the agent.
    RolledBack,
    /// As an undisturbed run leaves it.
    Committed,
    /// One of the two.
    #[default]
    Either,
    /// Whatever it is.
    Any,
}

/// Something that the agent changes outside itself.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSpec {
    /// What it is called in reports.
    pub name: String,
    /// How it must be found in the end. `None`: as `[expect]` says.
    pub expect: Option<StateEnd>,
    /// What it is, and where.
    pub kind: StateKind,
}

/// What a state is, and where. Relative paths start in the agent's directory.
#[derive(Debug, Clone, PartialEq)]
pub enum StateKind {
    /// A SQLite database.
    Sqlite {
        /// Its file.
        path: String,
        /// What to ask; nothing for all.
        query: Option<String>,
    },
    /// A PostgreSQL database.
    Postgres {
        /// Where it is.
        url: String,
        /// What to ask; nothing for all.
        query: Option<String>,
    },
    /// A Redis database.
    Redis {
        /// Where it is.
        url: String,
    },
    /// A git repository.
    Git {
        /// Its work tree.
        path: String,
    },
    /// A directory.
    Directory {
        /// Where it is.
        path: String,
    },
    /// Files that change together.
    Files {
        /// Where they are.
        paths: Vec<String>,
    },
    /// A value in a JSON file.
    Json {
        /// The file.
        path: String,
        /// A JSON pointer.
        pointer: String,
    },
    /// The answer to a GET request.
    Http {
        /// Where it goes.
        url: String,
    },
    /// What a command says.
    Command {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// How the agent is started again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecoverSpec {
    /// What is run instead of the agent's own command.
    pub command: Option<Vec<String>>,
    /// How long it may take.
    pub within: Option<Duration>,
}

/// A server that runs beside the agent.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: ServiceKind,
}

/// What a service is.
#[derive(Debug, Clone, PartialEq)]
pub enum ServiceKind {
    /// A PostgreSQL server.
    Postgres,
    /// A Redis server.
    Redis,
    /// A program.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// Exits with 0 once it can be used. Empty: it can at once.
        ready: Vec<String>,
    },
}

/// One ending that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedExit {
    /// It exits with this status, 0 to 255.
    Code(i32),
    /// This signal ends it.
    Signal(Signal),
}

impl ExpectedExit {
    /// Whether this is how a process ended.
    pub fn is(self, ended: Ended) -> bool {
        match (self, ended) {
            (Self::Code(code), Ended::Exited(status)) => code == status,
            (Self::Signal(signal), Ended::Signaled(other)) => signal == other,
            _ => false,
        }
    }
}

/// A process, file or port that may stay. Exactly one of the three is there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survivor {
    /// A glob on the process name or the last path part of its argument 0, or
    /// on the whole command line if the glob has a space.
    pub process: Option<String>,
    /// A glob on the path; a relative one starts at the agent's directory.
    pub file: Option<String>,
    /// A port, TCP or UDP.
    pub port: Option<u16>,
    /// Why it may stay.
    pub reason: Option<String>,
}

/// A known finding that is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Allow {
    /// The code of the finding.
    pub code: quietus_reports::Code,
    /// A glob on the subject of the finding. `None`: every subject.
    pub subject: Option<String>,
    /// Why it is accepted. Not empty.
    pub reason: String,
    /// The last day on which it is accepted: a real date, `YYYY-MM-DD`.
    pub expires: Option<String>,
}

impl Default for Explore {
    fn default() -> Self {
        Self {
            strategy: Strategy::default(),
            second: None,
            budget: None,
            repeat: 1,
            trials: None,
            seed: None,
            confirm: 3,
        }
    }
}

impl Allow {
    /// Whether its last day is over. `today` is an ISO date, `YYYY-MM-DD`;
    /// ISO dates sort as text does. Without `expires` it never is.
    pub fn is_expired(&self, today: &str) -> bool {
        self.expires.as_deref().is_some_and(|last| last < today)
    }
}
