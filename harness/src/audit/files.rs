//! Files that are left: temporary files, locks, sockets, fifos, strays.

use super::excuse::is_excused;
use super::names::{
    JOURNALS, base, database_of_journal, is_below, is_git_object, is_history, is_in_cache, is_lock_name, is_log,
    is_manifest, is_temporary_name, pattern_of,
};
use super::processes::leader;
use super::put_back::is_early;
use super::{Case, Found, torn};
use crate::model::{Evidence, Occasion};
use crate::model::{FileChange, FileKind, FileNode};
use crate::scenario::Kind;
use quietus_reports::{Code, Origin, Severity, fingerprint::normalise};
use std::collections::BTreeMap;

/// A left path and everything below it.
struct Left<'a> {
    path: &'a str,
    node: &'a FileNode,
    code: Code,
    below: u64,
    bytes: u64,
}

/// Whether a path lies in a directory for temporary files. The agent's own
/// directory is none, wherever it lies.
pub(super) fn is_temporary_place(path: &str, temporary: &[String], directory: &str) -> bool {
    temporary.iter().any(|place| is_below(path, place) && !(is_below(path, directory) && is_below(directory, place)))
}

/// A small file whose content is the pid of a process that is gone, or of the agent.
fn names_dead_owner(node: &FileNode, evidence: &Evidence) -> Option<i32> {
    let content = node.content.as_deref().filter(|content| content.len() <= 32)?;
    let pid: i32 = std::str::from_utf8(content).ok()?.trim().parse().ok()?;
    let ended = evidence.leader.is_some_and(|leader| leader.pid == pid)
        || evidence.reaped.iter().any(|reaped| reaped.pid == pid);
    // Small numbers are no pids: counters and versions look the same.
    (pid > 1 && ended).then_some(pid)
}

/// Whether the lock was the kernel's (flock, fcntl) and went with its owner: such
/// a file means nothing by being there, and most programs never remove it.
fn is_unlocked(path: &str, node: &FileNode, case: Case<'_>) -> bool {
    case.evidence.locked.contains(path)
        && names_dead_owner(node, case.evidence).is_none()
        && !super::processes::is_held_by_survivor(path, case)
}

fn classify(path: &str, node: &FileNode, case: Case<'_>) -> Option<Code> {
    let in_temporary = is_temporary_place(path, &case.evidence.temporary, &case.expected.directory);
    let by_name = code_of_name(path);
    Some(match node.kind {
        FileKind::Socket => Code::SocketFile,
        FileKind::Fifo => Code::FifoFile,
        _ if is_below(path, "/dev/shm") => {
            if base(path).starts_with("sem.") {
                Code::Semaphore
            } else {
                Code::ShmSegment
            }
        }
        _ if is_in_cache(path) => return None,
        FileKind::Regular if is_lock_name(path) && is_unlocked(path, node, case) => return None,
        // A directory of that name holds the pid files of others.
        FileKind::Directory if base(path).to_ascii_lowercase().contains("pid") => Code::StrayFile,
        _ if by_name == Some(Code::LockFile) => Code::LockFile,
        _ if is_history(path) => return None,
        FileKind::Regular if names_dead_owner(node, case.evidence).is_some() && !in_temporary => Code::LockFile,
        _ if in_temporary => Code::TempFile,
        _ => return by_name,
    })
}

/// What a file that stays is by its name alone; nothing, if such files may stay: in caches,
/// histories, logs, and what git keeps.
pub(crate) fn code_of_name(path: &str) -> Option<Code> {
    if is_in_cache(path) || is_history(path) {
        None
    } else if is_lock_name(path) && !is_manifest(path) {
        Some(Code::LockFile)
    } else if is_temporary_name(path) {
        Some(Code::TempFile)
    } else if is_log(path) || is_git_object(path) {
        None
    } else {
        Some(Code::StrayFile)
    }
}

/// What is said where the maker of a file is only guessed.
pub(crate) const MAKER_UNKNOWN: &str = "nobody had it open then: it was made by this process or by one that it started";

/// Who had the path open when the agent was last seen, or the agent itself.
pub(super) fn origin(path: &str, evidence: &Evidence) -> (Option<Origin>, Option<String>) {
    for occasion in [Occasion::Injection, Occasion::GraceEnd, Occasion::Settled, Occasion::Idle] {
        let holder =
            evidence.censuses.get(&occasion).into_iter().flat_map(|census| &census.processes).find(|process| {
                !process.helper && process.descriptors.values().any(|link| link == path || is_below(link, path))
            });
        if let Some(holder) = holder {
            let role = holder.role.clone().unwrap_or_else(|| "0".to_owned());
            let when = if occasion == Occasion::Injection { "when it was terminated" } else { "later" };
            return (
                Some(Origin { role, command: holder.command(), source: None, line: None }),
                Some(format!("open in pid {} {when}", holder.id.pid)),
            );
        }
    }
    (leader(evidence), Some(MAKER_UNKNOWN.to_owned()))
}

fn size_text(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

fn noun(code: Code, node: &FileNode) -> &'static str {
    match (code, node.kind) {
        (Code::TempFile, FileKind::Directory) => "temporary directory",
        (Code::TempFile, _) => "temporary file",
        (Code::LockFile, FileKind::Directory) => "lock directory",
        (Code::LockFile, _) => "lock file",
        (Code::SocketFile, _) => "socket",
        (Code::FifoFile, _) => "named pipe",
        (Code::Semaphore, _) => "POSIX semaphore",
        (Code::ShmSegment, _) => "POSIX shared memory",
        (_, FileKind::Directory) => "directory",
        _ => "file",
    }
}

/// Everything that was created and that the control does not leave.
fn left<'a>(case: Case<'a>) -> Vec<Left<'a>> {
    let mut left: Vec<Left<'a>> = Vec::new();
    let mut open: Option<usize> = None;
    for (path, node) in &case.evidence.files.nodes {
        if node.change != FileChange::Created
            || case.expected.has_file(path, case.evidence.leader)
            || case.rules.may_remain(path, &case.expected.directory, node)
            || is_excused(path, case)
            || super::state::is_told(path, case.evidence)
        {
            continue;
        }
        let Some(code) = classify(path, node, case) else { continue };
        let inside = open.filter(|index| left.get(*index).is_some_and(|top| is_below(path, top.path)));
        if let Some(top) = inside.and_then(|index| left.get_mut(index)) {
            top.below += u64::from(node.kind != FileKind::Directory);
            top.bytes += if node.kind == FileKind::Regular { node.size } else { 0 };
            // What is special inside a left directory is told on its own.
            let lock_with_content =
                code == Code::LockFile && node.kind != FileKind::Directory && top.code != Code::LockFile;
            if !matches!(code, Code::SocketFile | Code::FifoFile) && !lock_with_content {
                continue;
            }
        }
        if node.kind == FileKind::Directory {
            open = Some(left.len());
        }
        left.push(Left {
            path,
            node,
            code,
            below: 0,
            bytes: if node.kind == FileKind::Regular { node.size } else { 0 },
        });
    }
    left
}

/// Left files, those with the same name but for its random parts as one finding.
pub(super) fn left_files(case: Case<'_>) -> Vec<Found> {
    let mut groups: BTreeMap<(Code, String), Vec<Left<'_>>> = BTreeMap::new();
    for one in left(case) {
        groups.entry((one.code, normalise(one.path))).or_default().push(one);
    }
    // A random name that looks like a word (`sortTtflTy`) joins its kin of the same directory.
    let (mut kin, single): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(_, group)| group.len() > 1);
    let mut alone = Vec::new();
    for (key, group) in single {
        let random = kin.iter_mut().find(|((code, _), known)| {
            *code == key.0 && known.iter().zip(&group).all(|(one, other)| pattern_of(one.path, other.path).is_some())
        });
        match random {
            Some((_, known)) => known.extend(group),
            None => alone.push((key, group)),
        }
    }
    kin.extend(alone);
    kin.sort_by(|(one, _), (other, _)| one.cmp(other));
    kin.into_iter().filter_map(|((code, pattern), group)| describe(case, code, &pattern, &group)).collect()
}

fn describe(case: Case<'_>, code: Code, pattern: &str, group: &[Left<'_>]) -> Option<Found> {
    let first = group.first()?;
    let bytes: u64 = group.iter().map(|one| one.bytes).sum();
    let below: u64 = group.iter().map(|one| one.below).sum();
    let what = noun(code, first.node);
    let (subject, title) = if group.len() == 1 {
        (first.path.to_owned(), format!("the {what} {} is left behind", first.path))
    } else {
        (pattern.to_owned(), format!("{} {what}s like {} are left behind", group.len(), first.path))
    };
    let (origin, seen) = origin(first.path, case.evidence);
    let mut facts = vec![if below > 0 {
        format!(
            "{}, with {below} file{} in it, mode {:04o}, owner {}",
            size_text(bytes),
            if below == 1 { "" } else { "s" },
            first.node.mode,
            first.node.owner
        )
    } else {
        format!("{}, mode {:04o}, owner {}", size_text(bytes), first.node.mode, first.node.owner)
    }];
    let owner = names_dead_owner(first.node, case.evidence).filter(|_| code == Code::LockFile);
    facts.extend(owner.map(|pid| format!("it names pid {pid}, which has ended")));
    // A file that names the agent says itself who made it.
    facts.extend(seen.filter(|_| owner.is_none() || owner != case.evidence.leader.map(|leader| leader.pid)));
    let found = Found::new(code, subject, title, &[]).with_origin(origin).with_evidence(facts);
    if let Some(database) = database_of_journal(first.path).filter(|_| code == Code::StrayFile) {
        let mut found = found.at(Severity::Note);
        found.evidence.push(format!("whoever opens {database} next recovers it with this file: never remove it"));
        return Some(found);
    }
    if code == Code::TempFile && group.iter().all(|one| case.expected.is_left_at_every_stop(one.path)) {
        let mut found = found.at(Severity::Warn);
        found
            .evidence
            .push("it stays however well the agent is stopped: if that is meant, declare it a survivor".to_owned());
        return Some(found);
    }
    // A server has no natural end, so what its shutdown may write is not known from the control.
    Some(if code == Code::StrayFile && case.rules.kind == Kind::Server { found.at(Severity::Warn) } else { found })
}

/// Whether a database has the log or journal beside it from which it recovers.
fn has_log_beside(path: &str, case: Case<'_>) -> bool {
    JOURNALS.iter().any(|end| {
        let node = case.evidence.files.nodes.get(&format!("{path}{end}"));
        node.is_some_and(|node| node.change != FileChange::Deleted)
    })
}

/// Files that hold neither what was there before nor what the control writes.
pub(super) fn torn_files(case: Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (path, node) in &case.evidence.files.nodes {
        let controls: Vec<&FileNode> =
            case.expected.files.get(path).map(|nodes| nodes.iter().collect()).unwrap_or_default();
        if case.rules.may_remain(path, &case.expected.directory, node)
            || is_excused(path, case)
            || is_in_cache(path)
            || is_log(path)
            || is_temporary_place(path, &case.evidence.temporary, &case.expected.directory)
        {
            continue;
        }
        let judged = torn::Judged {
            path,
            node,
            controls: &controls,
            kind: case.rules.kind,
            early: is_early(path, node, case),
            recovers: has_log_beside(path, case),
        };
        let Some(why) = torn::judge(judged) else { continue };
        let (origin, seen) = origin(path, case.evidence);
        found.push(
            Found::new(Code::TornFile, path.clone(), format!("{path} is torn: {}", why.says), &[])
                .with_origin(origin)
                .with_evidence(why.facts.into_iter().chain(seen)),
        );
    }
    found
}
