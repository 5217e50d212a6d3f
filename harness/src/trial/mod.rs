//! One trial: a pure table of what follows what, and a loop that lives by it.

mod machine;
mod run;

pub use machine::{IllegalTransition, Limits, Machine, Outcome, State};
pub use run::{Moment, TrialRecord, What, run_trial};
