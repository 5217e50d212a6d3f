//! What is nobody's fault: a call was made to fail, and this is what it was about.

use super::Case;
use super::names::is_below;
use crate::model::{Ended, FileChange, FileKind};

/// Whether a path may stay as it is because a call on it, on something in it, or on
/// something beside it in a directory that the agent made, was made to fail: who
/// removes a tree may give up there.
pub(super) fn is_excused(path: &str, case: Case<'_>) -> bool {
    let failed = || case.evidence.failed.iter().flat_map(|failed| &failed.subjects);
    if case.evidence.failed.is_empty() {
        return false;
    }
    let made = |above: &str| {
        let node = case.evidence.files.nodes.get(above);
        node.is_some_and(|node| node.change == FileChange::Created && node.kind == FileKind::Directory)
    };
    let mut above = Some(path);
    while let Some(part) = above.filter(|part| !part.is_empty()) {
        if (part == path || made(part)) && failed().any(|subject| subject == part || is_below(subject, part)) {
            return true;
        }
        above = part.rsplit_once('/').map(|(head, _)| head);
    }
    false
}

/// Whether an agent may end like this because one of its calls was made to fail: that
/// it says so by its status is well done.
pub(super) fn may_end(ended: Ended, case: Case<'_>) -> bool {
    !case.evidence.failed.is_empty() && matches!(ended, Ended::Exited(_))
}
