//! The agent started again over what it left: whether it came through, and to the result of
//! an undisturbed run.

use super::ending::last_lines_of;
use super::names::{base, is_in_cache, is_lock_name, is_log, keeps_its_own_promises};
use super::state::reading;
use super::{Case, Expected, Found, allowed_exit};
use crate::model::{
    Came, Ended, Evidence, FileChange, FileKind, FileNode, Recovered, Signal, Step, TrialPlan, format_span,
};
use crate::scenario::Kind;
use quietus_reports::{Code, Severity};
use std::time::Duration;

/// What is known of a second start from a control.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedRecovery {
    /// What is done to an agent that is started again, as to a control of its kind.
    pub plan: TrialPlan,
    /// How long it may take.
    pub within: Duration,
    /// How it goes over what an undisturbed run leaves. None where nobody tried.
    pub undisturbed: Option<Recovered>,
}

impl ExpectedRecovery {
    fn undisturbed(&self) -> Option<&Evidence> {
        self.undisturbed.as_ref().filter(|known| known.came == Came::Through).map(|known| &known.evidence)
    }
}

/// What an agent that is started again says of why it cannot work, and what that means.
const REASONS: [(&str, &str); 8] = [
    ("address already in use", "a port it needs is still bound"),
    ("eaddrinuse", "a port it needs is still bound"),
    ("already running", "it takes itself for running: a lock or pid file is left"),
    ("index.lock", "git's lock is left"),
    (".lock", "a lock file is left"),
    ("is locked", "a lock is still held"),
    ("file exists", "something that it makes is there already"),
    ("eexist", "something that it makes is there already"),
];

fn reason(evidence: &Evidence) -> Option<String> {
    let text = String::from_utf8_lossy(&evidence.output.tail).to_lowercase();
    REASONS.iter().find(|(said, _)| text.contains(said)).map(|(_, means)| (*means).to_owned())
}

/// Judges a second start.
pub(super) fn recovery(case: Case<'_>) -> Vec<Found> {
    let (Some(recovered), Some(expected)) = (&case.evidence.recovered, &case.expected.recovery) else {
        return Vec::new();
    };
    match failed(recovered, expected, case) {
        // Nothing can be compared where not everything was looked at.
        Ok(None) if !recovered.evidence.files.unread.is_empty() => Vec::new(),
        Ok(None) => diverged(&recovered.evidence, expected, case),
        Ok(Some(found)) => vec![found],
        // Nothing can be said of it.
        Err(()) => Vec::new(),
    }
}

fn failed(recovered: &Recovered, expected: &ExpectedRecovery, case: Case<'_>) -> Result<Option<Found>, ()> {
    let evidence = &recovered.evidence;
    let ended = |ended: Option<Ended>| ended.map_or_else(|| "no status".to_owned(), |ended| ended.to_string());
    let within = format_span(expected.within);
    // A server was stopped in its control too: that it cannot be started again after that
    // excuses nothing.
    let natural = expected.undisturbed.as_ref().filter(|_| case.rules.kind != Kind::Server);
    let how = match &recovered.came {
        Came::Lost(_) => return Err(()),
        Came::Through => {
            let same = natural.is_some_and(|known| known.evidence.ended == evidence.ended);
            let declared = case.rules.exit.as_deref();
            let right = |ended| allowed_exit(&expected.plan, ended, case.expected.ended, declared);
            if same || evidence.ended.is_some_and(right) {
                return Ok(None);
            }
            format!("it ends with {}", ended(evidence.ended))
        }
        came if natural.is_some_and(|known| known.came == *came) => return Ok(None),
        Came::EndedEarly => format!("it ends with {} before it can be used", ended(evidence.ended)),
        Came::Blocked => format!("it waits for something and does not end within {within}"),
        Came::NotInTime => format!("it does not get there within {within}"),
        Came::WouldNotEnd => "it does not end when it is told to".to_owned(),
    };
    let mut found = Found::new(
        Code::RecoveryFailed,
        "the second start",
        format!("started again over what it left, {how}"),
        &[reason(evidence).as_deref().unwrap_or("unknown reason")],
    )
    .with_cause(reason(evidence))
    .with_evidence(last_lines_of(evidence, 6));
    if let Some(known) = &expected.undisturbed
        && known.came == Came::Through
    {
        found
            .evidence
            .push(format!("after an undisturbed run, a second start ends with {}", ended(known.evidence.ended)));
    }
    Ok(Some(found))
}

/// The one content that all controls leave, if it is always the same.
fn fixed(nodes: &[FileNode]) -> Option<&FileNode> {
    let (first, rest) = nodes.split_first()?;
    (!rest.is_empty() && rest.iter().all(|other| is_same(first, other))).then_some(first)
}

fn is_same(one: &FileNode, other: &FileNode) -> bool {
    let gone = |node: &FileNode| node.change == FileChange::Deleted;
    gone(one) == gone(other)
        && (gone(one)
            || (one.kind == other.kind
                && one.size == other.size
                && one.hash == other.hash
                && one.content == other.content))
}

fn diverged(now: &Evidence, expected: &ExpectedRecovery, case: Case<'_>) -> Vec<Found> {
    let mut found = states(now, expected, case);
    found.extend(files(now, expected, case));
    found
}

fn states(now: &Evidence, expected: &ExpectedRecovery, case: Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for after in &now.after {
        let (Ok(state), Some(known)) = (&after.state, case.expected.states.get(&after.name)) else { continue };
        if known.is_committed(state) || case.rules.end_of(&after.name) == crate::scenario::StateEnd::Any {
            continue;
        }
        let name = &after.name;
        let twice = expected.undisturbed().and_then(|known| reading(&known.after, name)) == Some(state);
        let title = if twice {
            format!("started again, the agent does its work twice: the state `{name}`")
        } else {
            format!("started again, the agent leaves the state `{name}` otherwise than an undisturbed run")
        };
        let facts =
            known.against_committed(state).into_iter().map(|line| format!("against an undisturbed run: {line}"));
        found.push(Found::new(Code::RecoveryDiverged, name.clone(), title, &[]).with_evidence(facts));
    }
    found
}

fn files(now: &Evidence, expected: &ExpectedRecovery, case: Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, nodes) in &case.expected.files {
        let Some(control) = fixed(nodes) else { continue };
        let content = control.content.as_deref().or(control.before.as_deref()).unwrap_or_default();
        if control.kind != FileKind::Regular
            || is_log(path)
            || is_lock_name(path)
            || is_in_cache(path)
            || keeps_its_own_promises(path, content)
            || super::files::is_temporary_place(path, &now.temporary, &case.expected.directory)
            || case.rules.may_remain(path, &case.expected.directory, control)
        {
            continue;
        }
        let node = now.files.nodes.get(path);
        let twice = expected.undisturbed().map(|known| known.files.nodes.get(path));
        let fine = node.is_some_and(|node| is_same(node, control))
            || twice.is_some_and(|twice| match (twice, node) {
                (Some(twice), Some(node)) => is_same(twice, node),
                (None, None) => true,
                _ => false,
            });
        if fine {
            continue;
        }
        let shown = |node: Option<&FileNode>| match node {
            Some(node) if node.change == FileChange::Deleted => "it is not there".to_owned(),
            Some(node) => format!("{} bytes", node.size),
            None => "as before the agent".to_owned(),
        };
        found.push(
            Found::new(
                Code::RecoveryDiverged,
                path.clone(),
                format!("started again, the agent leaves {} otherwise than an undisturbed run", base(path)),
                &[],
            )
            .with_evidence([format!(
                "started again: {}; an undisturbed run: {}",
                shown(node),
                shown(Some(control))
            )]),
        );
    }
    found
}

/// Whether every signal of a plan is KILL, after which nobody can clean up.
fn only_kills(plan: &TrialPlan) -> bool {
    let mut signals = plan.acts.iter().flat_map(|act| act.send.steps()).filter(|step| step.acts());
    signals.all(|step| matches!(step, Step::Signal(Signal::KILL, _)))
}

/// Tells of each file that is left whether the second start takes it away.
pub(super) fn tell_what_became_of(left: &mut [Found], case: Case<'_>) {
    let Some(recovered) = case.evidence.recovered.as_ref().filter(|recovered| recovered.came == Came::Through) else {
        return;
    };
    // Where it is not known what is there, nothing is known to be gone.
    let files = &recovered.evidence.files;
    if !files.unread.is_empty() || files.omitted > 0 {
        return;
    }
    let files = &files.nodes;
    for found in left {
        let is_file = matches!(
            found.code,
            Code::TempFile
                | Code::LockFile
                | Code::SocketFile
                | Code::FifoFile
                | Code::StrayFile
                | Code::OpenTransaction
        );
        let was_left = case.evidence.files.nodes.contains_key(&found.subject);
        if !is_file || !was_left {
            continue;
        }
        let gone = files.get(&found.subject).is_none_or(|node| node.change == FileChange::Deleted);
        if !gone {
            found.evidence.push("it is still there after the agent was started again".to_owned());
            continue;
        }
        found.evidence.push("it is gone after the agent was started again".to_owned());
        // Nobody can clean up after KILL but who comes next.
        if only_kills(case.plan) {
            found.severity = found.severity.min(Severity::Note);
        }
    }
}

/// Why nothing can be said of a second start, if that is so.
pub fn lost_recovery(evidence: &Evidence) -> Option<String> {
    match evidence.recovered.as_ref().map(|recovered| &recovered.came) {
        Some(Came::Lost(why)) => Some(format!("the agent was not started again: {why}")),
        _ => None,
    }
}

/// What the controls say of a second start.
impl Expected {
    /// Sets what is known of a second start.
    pub fn expect_recovery(&mut self, recovery: ExpectedRecovery) {
        self.recovery = Some(recovery);
    }
}
