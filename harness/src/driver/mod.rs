//! The mechanism that runs an agent: one trait, and the drivers that have it.
//!
//! A driver observes and acts; it decides nothing. What happens next is decided
//! by `trial`, which sees only [`Event`]s and answers with [`Action`]s.

mod full;
mod guarantee;
mod interrupt;
mod mock;
mod portable;
mod session;
mod stacks;
mod tracer;

pub use full::FullDriver;
pub use guarantee::{Mechanisms, guarantee_of};
pub use interrupt::Interrupt;
pub use mock::{MockDriver, MockSession};
pub use portable::{Containment, PortableDriver, PortableOptions};

pub use crate::model::{Evidence, Occasion, OutputTail, Reaped};

use crate::model::{Ended, Pattern, PointSpec, Step, TrialPlan};
use crate::service::Service;
use crate::state::Oracle;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Runs agents.
pub trait Driver: Send + Sync {
    /// What is in force here, for the report.
    fn guarantee(&self) -> quietus_reports::Guarantee;

    /// Prepares a place for one trial. The agent does not run yet.
    ///
    /// # Errors
    /// When the place cannot be made or the command cannot be run.
    fn open(&self, request: &Request) -> Result<Box<dyn Session>, DriverError>;
}

/// One trial in progress.
pub trait Session {
    /// Does something to the agent or asks for something.
    ///
    /// # Errors
    /// When the mechanism itself fails; a signal that came too late is no error.
    fn perform(&mut self, action: &Action) -> Result<(), DriverError>;

    /// Waits for the next event.
    ///
    /// # Errors
    /// When the mechanism itself fails.
    fn next_event(&mut self) -> Result<Event, DriverError>;

    /// Time since the agent was started; zero before.
    fn now(&self) -> Duration;

    /// Takes down what was seen, and makes ready to run the agent again over what it left.
    /// What is seen from then on is told as its recovery.
    ///
    /// # Errors
    /// When the mechanism itself fails.
    fn again(&mut self) -> Result<(), DriverError>;

    /// Ends whatever is left and hands over what was seen.
    ///
    /// # Errors
    /// When the evidence cannot be read.
    fn finish(self: Box<Self>) -> Result<Evidence, DriverError>;
}

/// What is run in one trial.
#[derive(Debug, Clone)]
pub struct Request {
    /// The agent.
    pub command: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory, absolute.
    pub directory: PathBuf,
    /// Commands that run before it, in order.
    pub prepare: Vec<Vec<OsString>>,
    /// What is planned.
    pub plan: TrialPlan,
    /// Lines of output that match one of these are kept, wherever they come.
    pub keep: Vec<Pattern>,
    /// Whether what the agent does is recorded. That takes the full guarantee.
    pub record: bool,
    /// Servers that run beside the agent, from before `prepare` on. They take the full
    /// guarantee.
    pub services: Vec<Arc<Service>>,
    /// Who reads what the agent changes outside itself.
    pub states: Vec<Arc<dyn Oracle>>,
    /// How the agent is started again over what it left, if it is.
    pub recovery: Option<Recovery>,
    /// Ends the trial early when a person asks for it.
    pub interrupt: Interrupt,
}

/// How an agent is started again over what it left.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// What is run.
    pub command: Vec<OsString>,
    /// What it gets and what is done to it, as to a control of its kind.
    pub plan: TrialPlan,
    /// How long it may take.
    pub within: Duration,
}

/// Why a driver could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// This machine refuses what the driver needs.
    #[error("{0}")]
    Unsupported(String),
    /// The command of the agent or of `prepare` cannot be run.
    #[error("{what}: {why}")]
    Command {
        /// Which command.
        what: String,
        /// Why.
        why: String,
    },
    /// A server beside the agent is not installed, or cannot be used.
    #[error("the service `{name}`: {why}")]
    Service {
        /// What it is called.
        name: String,
        /// Why.
        why: String,
    },
    /// A system call failed that should not have.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        why: String,
    },
}

impl DriverError {
    /// One that is to stop answering, and that there is not.
    pub(crate) fn no_service(name: &str) -> Self {
        Self::Service {
            name: name.to_owned(),
            why: "it is to stop answering, and there is no service of that name".to_owned(),
        }
    }

    pub(crate) fn system(what: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::System { what, why: errno.to_string() }
    }
}

/// The timers of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// To reach all points.
    Reach,
    /// Between two steps of an injection.
    Wait,
    /// From the last injection to the KILL.
    Grace,
    /// From an injection to the next point.
    Next,
    /// From the KILL to the end of the agent.
    Die,
    /// For what is on its way out, once the agent has ended.
    Settle,
    /// For survivors that may end by themselves.
    Linger,
    /// How long a control may take.
    Horizon,
    /// Until an idle agent is looked at again.
    Recheck,
}

/// What is done to an agent, or asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start the agent.
    Start,
    /// Report when this point is reached.
    Arm {
        /// Comes back in [`Event::Reached`].
        op: usize,
        /// The point.
        spec: PointSpec,
    },
    /// Start or restart a timer.
    SetTimer(Timer, Duration),
    /// Do one step of an injection.
    Inject(Step),
    /// Send KILL to the agent: its grace is over.
    KillLeader,
    /// Take a census. At [`Occasion::Idle`] and [`Occasion::Settled`] the answer
    /// is [`Event::Looked`].
    Census(Occasion),
    /// Report [`Event::Quiet`] once no process of the agent is left.
    AwaitQuiet,
}

/// What a census says to the one who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Living processes of the agent.
    pub alive: usize,
    /// Whether one of them is running or in the kernel, rather than waiting.
    pub busy: bool,
    /// Whether one of them listens on a socket.
    pub listens: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The agent was executed.
    Started,
    /// The armed point was reached.
    Reached(usize),
    /// A timer ran out.
    Timer(Timer),
    /// The agent ended.
    LeaderEnded(Ended),
    /// No process of the agent is left.
    Quiet,
    /// The answer to a census.
    Looked(Look),
    /// The agent or its cell was lost: nothing can be said about this trial.
    Lost(String),
    /// A person asked to stop.
    Interrupted,
}
