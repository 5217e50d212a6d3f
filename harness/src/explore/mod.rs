//! Which trials run, and what comes of them: control, plan, trials, confirmation.
//!
//! `plan` is the pure part: from what the control showed to the trials. The rest
//! runs them and gathers their findings into a [`quietus_reports::Run`].

mod again;
mod blame;
mod check;
mod choose;
mod cleanup;
mod conclude;
mod control;
mod corpus;
mod done;
mod from_command;
mod from_scenario;
mod fuzzing;
mod gather;
mod held;
mod journal;
mod mapped;
mod moments;
mod needless;
mod origin;
mod parallel;
mod plan;
mod queue;
mod regressions;
mod replayed;
mod report;
mod runner;
mod second;
mod shares;
mod showing;
mod shrinking;
mod space;
mod streamed;
mod sweep;
mod swept;
mod sync;
mod timelines;
mod told;
mod told_map;

pub use check::{Check, CheckError, Fuzz, Progress, Status, check};
pub use choose::Chosen;
pub use control::Learned;
pub use corpus::{missing_program, scenario_files, toml_files};
pub use from_scenario::{DEFAULT_GRACE, WorkspaceError};
pub use journal::{Entry, JournalError, Journaled, journaled_report, read_journal};
pub use mapped::{Mapped, map};
pub use moments::moments;
pub use plan::{Planned, Wanted, default_set};
pub use regressions::{
    RegressionsError, add_lines, read_plans, read_plans_that_can_be, regression, regressions_beside,
};
pub use replayed::{Replayed, replay};
pub use report::report;
pub use sweep::Sweep;
