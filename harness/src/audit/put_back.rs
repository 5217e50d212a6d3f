//! What an undisturbed run changes and puts back, and a terminated one leaves changed: a
//! configuration, an environment file, a flag, where a symbolic link leads.
//!
//! A file that is changed only in answer to the termination (a saved state) is none of
//! these. So what is found here was changed before that came, as the clock of the file
//! system tells. Where both fall into one step of that clock, it must be that nobody could
//! write any more, or that undisturbed runs were seen to write the file.

use super::difference::difference;
use super::excuse::is_excused;
use super::files::{MAKER_UNKNOWN, is_temporary_place, origin};
use super::names::{
    is_below, is_history, is_in_cache, is_lock_name, is_log, is_manifest, is_temporary_name, keeps_its_own_promises,
};
use super::{Case, Found};
use crate::model::{Ended, FileChange, FileKind, FileNode, Occasion, ProcessRecord, Signal, Step};
use crate::scenario::Kind;
use quietus_reports::{Code, Severity};

/// Whether a path was surely changed before the termination came.
pub(super) fn is_early(path: &str, node: &FileNode, case: Case<'_>) -> bool {
    let (Some(changed), Some((first, last))) = (node.stamp, case.evidence.injected_stamps) else { return false };
    changed < first || (changed <= last && (case.expected.is_written(path) || ended_at_once(case)))
}

/// Whether the first signal ended the agent before it could do anything more: it did by
/// default what it does, and nobody else of the agent was there.
fn ended_at_once(case: Case<'_>) -> bool {
    let steps = case.plan.acts.first().map(|act| act.send.steps());
    let Some(Step::Signal(signal, _)) = steps.and_then(|steps| steps.first()) else { return false };
    let census = case.evidence.censuses.get(&Occasion::Injection);
    let alive: Vec<&ProcessRecord> = census.iter().flat_map(|census| census.alive()).collect();
    let is_default = |process: &ProcessRecord| *signal == Signal::KILL || process.masks.takes_default(*signal);
    case.evidence.ended == Some(Ended::Signaled(*signal))
        && matches!(alive.as_slice(), [one] if Some(one.id) == case.evidence.leader && is_default(one))
}

/// Whether somebody may change such a file at any time and mean nothing by it.
fn is_left_alone(path: &str, node: &FileNode, content: &[u8], case: Case<'_>) -> bool {
    case.rules.may_remain(path, &case.expected.directory, node)
        || is_excused(path, case)
        || is_in_cache(path)
        || is_log(path)
        || is_history(path)
        || is_temporary_name(path)
        || (is_lock_name(path) && !is_manifest(path))
        || is_below(path, "/dev/shm")
        || is_temporary_place(path, &case.evidence.temporary, &case.expected.directory)
        || keeps_its_own_promises(path, content)
}

/// Paths that are left changed and that an undisturbed run leaves as they were. What
/// `told` tells of already is not told again.
pub(super) fn not_put_back(case: Case<'_>, told: &[Found]) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, node) in &case.evidence.files.nodes {
        let (Some(before), Some(now)) = (&node.before, &node.content) else { continue };
        if node.change != FileChange::Modified
            || !matches!(node.kind, FileKind::Regular | FileKind::Symlink)
            || before == now
            || !case.expected.is_put_back(path)
            || !is_early(path, node, case)
            || is_left_alone(path, node, before, case)
            || told.iter().any(|found| found.subject == *path)
        {
            continue;
        }
        let facts = if node.kind == FileKind::Symlink {
            let leads = |to: &[u8]| String::from_utf8_lossy(to).into_owned();
            vec![format!("it led to {} before, now to {}", leads(before), leads(now))]
        } else {
            difference(Some(before), now, None)
        };
        let (origin, seen) = origin(path, case.evidence);
        let why = "it was changed before the termination came; an undisturbed run leaves it as it was".to_owned();
        let one = Found::new(Code::NotRolledBack, path, format!("{path} was changed and is not put back"), &[])
            .with_origin(origin)
            .with_evidence(facts.into_iter().chain([why]).chain(seen.filter(|seen| seen != MAKER_UNKNOWN)));
        // Of what has no natural end, the one end that was seen need not be the only right one.
        found.push(if case.rules.kind == Kind::Job { one } else { one.at(Severity::Warn) });
    }
    found
}

#[cfg(test)]
mod tests;
