//! From what a trial has shown to findings. Pure: no IO, no clock.
//!
//! What the control leaves is expected; everything else is judged here. Each
//! file holds one kind of resource.

mod at_exit;
mod difference;
mod ending;
mod excuse;
mod expected;
mod files;
mod format;
mod found;
mod ipc;
mod log;
mod names;
mod processes;
mod put_back;
mod recovery;
mod released;
mod rules;
mod state;
mod terminal;
mod torn;

pub use expected::{Expected, learn};
pub(crate) use files::MAKER_UNKNOWN;
#[cfg(feature = "test")]
pub(crate) use files::code_of_name;
pub use found::Found;
pub(crate) use found::Places;
pub use log::unheard;
pub use recovery::{ExpectedRecovery, lost_recovery};
pub use released::Resource;
pub use rules::{Rules, allowed_exit};
pub use state::unread_states;

use crate::model::Evidence;
use crate::model::TrialPlan;

/// One trial as the audit sees it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What was planned.
    pub plan: &'a TrialPlan,
    /// Whether the grace ran out and KILL was needed.
    pub killed: bool,
    /// What was seen.
    pub evidence: &'a Evidence,
    /// What the control leaves.
    pub expected: &'a Expected,
    /// What the scenario says.
    pub rules: &'a Rules,
    /// What the agent had when it was terminated and was to give back, as far as its
    /// windows tell.
    pub held: &'a [Resource],
}

/// Judges one trial.
///
/// An agent that had to be killed leaves what it held: that is one finding, the
/// hang, and what it left is told as its consequence.
pub fn audit(case: Case<'_>) -> Vec<Found> {
    let mut left: Vec<Found> = Vec::new();
    left.extend(processes::orphans(case));
    left.extend(processes::ports(case));
    left.extend(processes::inherited_pipes(case));
    left.extend(files::left_files(case));
    left.extend(files::torn_files(case));
    let changed = put_back::not_put_back(case, &left);
    left.extend(changed);
    left.extend(ipc::left_objects(case));
    left.extend(terminal::left_modes(case));
    left.extend(state::states(case));
    recovery::tell_what_became_of(&mut left, case);
    if case.killed {
        let Some(mut hang) = ending::still_running(case) else { return Vec::new() };
        for fact in left.iter().map(|found| format!("after the KILL: {}", found.title)) {
            // Workers look alike.
            if !hang.evidence.contains(&fact) {
                hang.evidence.push(fact);
            }
        }
        return std::iter::once(hang).chain(recovery::recovery(case)).collect();
    }
    left.extend(at_exit::held_locks(case));
    let open = at_exit::open_descriptors(case, &left);
    left.extend(open);
    left.extend(ending::status(case));
    left.extend(ending::slow(case));
    left.extend(log::log(case));
    left.extend(processes::zombies(case));
    left.extend(recovery::recovery(case));
    left
}

/// What a control of a long-running agent shows by itself: children it never waits for.
pub fn audit_control(evidence: &Evidence) -> Vec<Found> {
    evidence
        .censuses
        .get(&crate::model::Occasion::Idle)
        .map(|census| processes::zombies_of(census, evidence))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
