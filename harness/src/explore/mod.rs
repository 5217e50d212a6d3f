//! Which trials run, and what comes of them: control, plan, trials, confirmation.
//!
//! `plan` is the pure part: from what the control showed to the trials. The rest
//! runs them and gathers their findings into a [`quietus_reports::Run`].

mod again;
mod blame;
mod check;
mod choose;
mod cleanup;
mod control;
mod corpus;
mod from_command;
mod from_scenario;
mod gather;
mod held;
mod origin;
mod parallel;
mod plan;
mod queue;
mod report;
mod second;
mod shares;
mod sweep;
mod swept;
mod sync;

pub use check::{Check, CheckError, Mapped, Progress, Replayed, check, map, replay};
pub use choose::Chosen;
pub use control::Learned;
pub use corpus::{missing_program, scenario_files, toml_files};
pub use from_scenario::{DEFAULT_GRACE, WorkspaceError};
pub use plan::{Planned, Wanted, default_set};
pub use report::report;
pub use sweep::Sweep;
