//! Which trials run, and what comes of them: control, plan, trials, confirmation.
//!
//! `plan` is the pure part: from what the control showed to the trials. The rest
//! runs them and gathers their findings into a [`quietus_reports::Run`].

mod check;
mod control;
mod from_scenario;
mod gather;

mod parallel;
mod plan;
mod queue;
mod sync;

pub use check::{Check, CheckError, Progress, Replayed, check, replay};
pub use control::Learned;
pub use from_scenario::{DEFAULT_GRACE, WorkspaceError};
pub use plan::{Planned, Wanted, default_set};
