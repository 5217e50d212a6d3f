//! The windows of an agent, without any trial.

use super::check::{Check, CheckError, Progress};
use super::conclude::fails_undisturbed;
use super::control;
use super::runner::Runner;
use super::swept::refused;
use crate::driver::{Driver, Interrupt};
use crate::scenario::Kind;
use crate::windows::Map;

/// The windows of an agent, without any trial.
#[derive(Debug, Clone)]
pub struct Mapped {
    /// The windows.
    pub map: Map,
    /// What kind the agent is.
    pub kind: Kind,
    /// Why the undisturbed agent may not be what it should be.
    pub doubts: Vec<String>,
}

/// Runs the controls and cuts them into windows.
///
/// # Errors
/// As [`check`](super::check()); [`CheckError::Control`] when the run could not be recorded.
pub fn map(
    driver: &dyn Driver,
    check: &Check,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<Mapped, CheckError> {
    let runner = Runner { driver, check, interrupt, traces: false };
    let learned = control::observe(&runner, progress)?;
    let refused = learned.recorded.iter().flat_map(|recorded| refused(&recorded.recording));
    let doubts = fails_undisturbed(&learned, check).into_iter().chain(refused).collect();
    let map = learned.map.ok_or_else(|| CheckError::Control("it was not recorded".to_owned()))?;
    Ok(Mapped { map, kind: learned.kind, doubts })
}
