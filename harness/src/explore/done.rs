//! Trials that need not be made, since an earlier run of the same check has made them.

use super::runner::Runner;
use crate::audit::Found;
use crate::model::{Token, TrialPlan};
use quietus_reports::{Outcome, Trial};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A trial, and what it found.
type Made = (Trial, Vec<Found>);

/// Trials that were made, by their tokens. Each is given once: a plan that is to be run five
/// times and was run twice is run three times more.
pub(super) struct Done(Mutex<HashMap<String, Vec<Made>>>);

impl Done {
    /// Those that the check brings.
    pub(super) fn of(runner: &Runner<'_>) -> Self {
        let places = runner.places();
        let mut done: HashMap<String, Vec<Made>> = HashMap::new();
        // What could not be judged is tried again.
        for (trial, found) in runner.check.done.iter().filter(|(trial, _)| trial.outcome != Outcome::Inconclusive) {
            let found = found.iter().map(|one| one.clone().written_down(&places)).collect();
            done.entry(trial.token.clone()).or_default().push((trial.clone(), found));
        }
        Self(Mutex::new(done))
    }

    /// What this plan came to, if it was run.
    pub(super) fn take(&self, plan: &TrialPlan) -> Option<Made> {
        let mut done = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if done.is_empty() {
            return None;
        }
        done.get_mut(&Token(plan.clone()).to_string())?.pop()
    }
}
