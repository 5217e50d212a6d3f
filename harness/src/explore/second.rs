//! Watches an agent clean up after the first injection, so that the cleanup can be swept.

use super::cleanup::{Cleanup, effort, fullest, trials};
use super::control::Learned;
use super::runner::Runner;
use super::sweep::{Aimed, Sweep, moment};
use crate::driver::DriverError;
use crate::model::{Act, Evidence, TrialPlan};
use crate::scenario::Second;
use crate::trial::{Outcome, TrialRecord};
use crate::windows::Window;
use std::time::Duration;

/// So many windows are tried for the one after which the agent does the most.
const MOST_TRIED: usize = 4;

/// The trials of the cleanup; or why there are none.
pub(super) fn trials_of_cleanup(
    runner: &Runner<'_>,
    learned: &Learned,
    sweep: &Sweep,
    second: Second,
) -> Result<Result<Vec<Aimed>, String>, DriverError> {
    let Some(map) = &learned.map else { return Ok(Err("nothing was recorded".to_owned())) };
    let mut best: Option<(usize, &Window, TrialRecord)> = None;
    for window in fullest(map, &sweep.send).into_iter().take(MOST_TRIED) {
        let record = runner.watch(&plan(sweep, window), learned, Duration::ZERO)?;
        let from = record.evidence.injected_at.filter(|_| recorded(&record).is_ok());
        let efforts = record.evidence.recording.as_ref().zip(from).map(|(recording, from)| effort(recording, from));
        let efforts = efforts.unwrap_or(0);
        if best.as_ref().is_none_or(|(most, ..)| efforts > *most) {
            best = Some((efforts, window, record));
        }
    }
    let Some((_, window, one)) = best else {
        return Ok(Err(format!(
            "{} ends the agent at once, or does nothing, in every window: there is no cleanup to sweep",
            sweep.send
        )));
    };
    let plan = plan(sweep, window);
    let other = runner.watch(&plan, learned, Duration::ZERO)?;
    let what = |why: &str| format!("the cleanup after {} in window {} was not swept: {why}", sweep.send, window.number);
    let cleanup = match (recorded(&one), recorded(&other)) {
        (Ok(evidence), Ok(other)) => {
            evidence.recording.as_ref().zip(other.recording.as_ref()).zip(evidence.injected_at)
        }
        (Err(why), _) | (_, Err(why)) => return Ok(Err(what(why))),
    };
    let Some(((recording, other), from)) = cleanup else { return Ok(Err(what("it was not recorded"))) };
    let Some(first) = plan.acts.into_iter().next() else { return Ok(Err(what("nothing was done"))) };
    let found = trials(sweep, &Cleanup { window: window.number, first, recording, other, from }, second);
    Ok(if found.is_empty() { Err(what("no call of it can be made to fail")) } else { Ok(found) })
}

/// The first injection alone, at the first moment of a window.
fn plan(sweep: &Sweep, window: &Window) -> TrialPlan {
    let opened = window.opened.as_ref().map(|opening| opening.point.clone());
    let first = Act { at: vec![moment(opened)], send: sweep.send.clone() };
    sweep.trial(String::new(), vec![first]).plan
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
