//! Watches an agent clean up after the first injection, so that the cleanup can be swept.

use super::check::Runner;
use super::cleanup::{Cleanup, fullest, trials};
use super::control::Learned;
use super::sweep::{Aimed, Sweep, moment};
use crate::driver::DriverError;
use crate::model::{Act, Evidence};
use crate::scenario::Second;
use crate::trial::{Outcome, TrialRecord};
use std::time::Duration;

/// The trials of the cleanup; or why there are none.
pub(super) fn trials_of_cleanup(
    runner: &Runner<'_>,
    learned: &Learned,
    sweep: &Sweep,
    second: Second,
) -> Result<Result<Vec<Aimed>, String>, DriverError> {
    let Some(map) = &learned.map else { return Ok(Err("nothing was recorded".to_owned())) };
    let Some(window) = fullest(map, &sweep.send).and_then(|number| map.windows.get(number)) else {
        return Ok(Err(format!(
            "{} ends the agent at once, or does nothing, in every window: there is no cleanup to sweep",
            sweep.send
        )));
    };
    let opened = window.opened.as_ref().map(|opening| opening.point.clone());
    let first = Act { at: vec![moment(opened)], send: sweep.send.clone() };
    let plan = sweep.trial(String::new(), vec![first.clone()]).plan;
    let (one, other) = (runner.watch(&plan, learned, Duration::ZERO)?, runner.watch(&plan, learned, Duration::ZERO)?);
    let what = |why: &str| format!("the cleanup after {} in window {} was not swept: {why}", sweep.send, window.number);
    let cleanup = match (recorded(&one), recorded(&other)) {
        (Ok(evidence), Ok(other)) => {
            evidence.recording.as_ref().zip(other.recording.as_ref()).zip(evidence.injected_at)
        }
        (Err(why), _) | (_, Err(why)) => return Ok(Err(what(why))),
    };
    let Some(((recording, other), from)) = cleanup else { return Ok(Err(what("it was not recorded"))) };
    let found = trials(sweep, &Cleanup { window: window.number, first, recording, other, from }, second);
    Ok(if found.is_empty() { Err(what("no call of it can be made to fail")) } else { Ok(found) })
}

/// What such a trial has shown, if it shows a cleanup.
fn recorded(record: &TrialRecord) -> Result<&Evidence, &'static str> {
    match record.outcome {
        Outcome::Ended if record.evidence.delivered => Ok(&record.evidence),
        Outcome::Killed => Err("the agent did not end by it"),
        Outcome::Interrupted => Err("interrupted"),
        _ => Err("the agent ended before it"),
    }
}
