//! Locks, files and connections that a process still had when it ended by its own
//! exit, and that it gives back before its end when nobody disturbs it.
//!
//! Whoever is ended by a signal has its files open: that says nothing. Only a process
//! that ended by exit has had the word. And only what the very same process of a
//! control opens, and has no more at its end, was meant to be given back.

use super::excuse::is_excused;
use super::names::{is_history, is_in_cache, keeps_its_own_promises};
use super::processes::by_role;
use super::{Case, Found};
use crate::model::{AtExit, Call, Ended, Evidence, FileChange, FileNode, Known, LockType, Occasion, Recording};
use quietus_reports::{Code, Origin, fingerprint::normalise};
use std::collections::{BTreeMap, BTreeSet};

/// What a process of a control opens and has no more at its end, each with the
/// system call that opened it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GivenBack {
    /// Files that it writes.
    files: BTreeMap<String, String>,
    /// Files on which somebody has an exclusive lock.
    locks: BTreeMap<String, String>,
    /// Far ends of connections.
    connections: BTreeMap<String, String>,
}

/// A non-blocking connect(2) says so when it has begun.
const IN_PROGRESS: i64 = -(libc::EINPROGRESS as i64);

/// What each process of the controls gives back, by its place in the tree. Empty for
/// a process whose end no control shows: then nothing can be said of it.
pub(super) fn given_back<'a>(controls: impl Iterator<Item = &'a Evidence>) -> BTreeMap<String, GivenBack> {
    let mut all: BTreeMap<String, GivenBack> = BTreeMap::new();
    let mut kept: BTreeMap<String, Vec<&AtExit>> = BTreeMap::new();
    for evidence in controls {
        let Some(recording) = &evidence.recording else { continue };
        for exit in &evidence.at_exit {
            let known = all.entry(exit.role.clone()).or_default();
            opened(recording, &exit.role, known);
            kept.entry(exit.role.clone()).or_default().push(exit);
        }
    }
    for (role, given) in &mut all {
        let exits = kept.get(role).map(Vec::as_slice).unwrap_or_default();
        let has = |of: fn(&AtExit) -> &BTreeSet<String>| -> BTreeSet<String> {
            exits.iter().flat_map(|exit| of(exit)).map(|name| normalise(name)).collect()
        };
        let (writable, locked, connected) =
            (has(|exit| &exit.writable), has(|exit| &exit.locked), has(|exit| &exit.connected));
        given.files.retain(|path, _| !writable.contains(&normalise(path)));
        given.locks.retain(|path, _| !locked.contains(&normalise(path)));
        given.connections.retain(|far_end, _| !connected.contains(&normalise(far_end)));
    }
    all
}

/// Notes what a process opens itself: what it inherits is its parent's to close.
fn opened(recording: &Recording, role: &str, known: &mut GivenBack) {
    let calls = || recording.seen.iter().filter_map(|seen| Some((seen.role.as_str(), seen.call()?)));
    let own = || calls().filter(|(who, _)| *who == role).map(|(_, call)| call);
    // The locks of a database guard what its next opener puts right.
    let is_database = |path: &str| {
        let journals = ["-journal", "-wal"].map(|end| format!("{path}{end}"));
        calls().any(|(_, call)| call.path().is_some_and(|path| journals.iter().any(|journal| journal == path)))
    };
    let written: BTreeSet<&str> = own().filter(|call| call.succeeded()).filter_map(Call::written).collect();
    let locked: BTreeSet<&str> = calls()
        .filter(|(_, call)| call.succeeded() && call.known == Known::Lock(LockType::Exclusive))
        .filter_map(|(_, call)| call.path())
        .collect();
    for call in own() {
        let Some(subject) = call.subjects.first() else { continue };
        if call.name == "connect" && (call.succeeded() || call.result == Some(IN_PROGRESS)) {
            known.connections.insert(subject.clone(), call.name.clone());
        }
        if !(call.is_open() && call.succeeded()) || is_database(subject) {
            continue;
        }
        if written.contains(subject.as_str()) {
            known.files.insert(subject.clone(), call.name.clone());
        }
        if locked.contains(subject.as_str()) {
            known.locks.insert(subject.clone(), call.name.clone());
        }
    }
}

/// The processes that ended by their own exit once the agent had been terminated, and
/// were there by then: what is started in answer to that is no process of the control.
fn ends<'a>(case: Case<'a>) -> impl Iterator<Item = (&'a AtExit, &'a GivenBack)> {
    let evidence = case.evidence;
    let by_itself = matches!(evidence.ended, Some(Ended::Exited(_)));
    let was_there = |role: &str| {
        let census = evidence.censuses.get(&Occasion::Injection);
        census.is_some_and(|census| census.processes.iter().any(|process| process.role.as_deref() == Some(role)))
    };
    evidence
        .at_exit
        .iter()
        .filter(move |exit| {
            evidence.injected_at.is_some_and(|at| exit.at >= at)
                && matches!(exit.ended, Ended::Exited(_))
                && if exit.role == "0" { by_itself } else { was_there(&exit.role) }
        })
        .filter_map(move |exit| Some((exit, case.expected.given_back.get(&exit.role)?)))
}

fn is_a_databases(path: &str, case: Case<'_>) -> bool {
    let nodes =
        case.evidence.files.nodes.get(path).into_iter().chain(case.expected.files.get(path).into_iter().flatten());
    let contents: Vec<&[u8]> = nodes.filter_map(|node| node.content.as_deref()).collect();
    keeps_its_own_promises(path, &[]) || contents.iter().any(|content| keeps_its_own_promises(path, content))
}

fn who(exit: &AtExit) -> String {
    if exit.role == "0" { "the agent".to_owned() } else { format!("the process {} of the agent's tree", exit.role) }
}

fn found(case: Case<'_>, exit: &AtExit, opener: &str, code: Code, subject: &str, title: String) -> Found {
    let origin = by_role(case.evidence, &exit.role).map(|process| Origin {
        role: exit.role.clone(),
        command: process.command(),
        source: Some(opener.to_owned()),
        line: None,
    });
    Found::new(code, subject, title, &[]).with_origin(origin)
}

/// Locks that were held at the end of a process.
pub(super) fn held_locks(case: Case<'_>) -> Vec<Found> {
    let mut all = Vec::new();
    for (exit, given) in ends(case) {
        for path in exit.locked.iter().filter(|path| !is_a_databases(path, case)) {
            let Some(opener) = given.locks.get(path) else { continue };
            let title = format!("{} ended with {} while it held a lock on {path}", who(exit), exit.ended);
            all.push(
                found(case, exit, opener, Code::LockHeldAtExit, path, title)
                    .with_cause(Some(
                        "undisturbed it gives the lock back before it ends: what the lock protects may be half done"
                            .to_owned(),
                    ))
                    .with_evidence([format!("held by pid {} at its end", exit.pid)]),
            );
        }
    }
    all
}

/// Whether the file is as a control leaves it: then nothing is missing.
fn is_complete(node: Option<&FileNode>, controls: &[FileNode]) -> bool {
    let same = |node: &FileNode, control: &FileNode| {
        node.hash.is_some() && (node.hash, node.size) == (control.hash, control.size)
    };
    node.is_some_and(|node| controls.iter().any(|control| same(node, control)))
}

/// Files and connections that were open at the end of a process. What `left` tells of
/// already is not told again.
pub(super) fn open_descriptors(case: Case<'_>, left: &[Found]) -> Vec<Found> {
    let mut all = Vec::new();
    for (exit, given) in ends(case) {
        for path in &exit.writable {
            let (Some(opener), Some(controls)) = (given.files.get(path), case.expected.files.get(path)) else {
                continue;
            };
            let node = case.evidence.files.nodes.get(path);
            if controls.iter().any(|control| control.change == FileChange::Deleted)
                || is_complete(node, controls)
                || is_excused(path, case)
                || is_in_cache(path)
                || is_history(path)
                || is_a_databases(path, case)
                || node.is_some_and(|node| case.rules.may_remain(path, &case.expected.directory, node))
                || left.iter().any(|found| found.subject == *path)
            {
                continue;
            }
            let title = format!("{} ended with {} and had {path} open, which is not complete", who(exit), exit.ended);
            let wanted = controls.iter().map(|control| control.size).max().unwrap_or(0);
            let has =
                node.map_or_else(|| "nothing was written to it".to_owned(), |node| format!("it has {} B", node.size));
            all.push(found(case, exit, opener, Code::FdOpenAtExit, path, title).with_evidence([
                format!("{has}; an undisturbed run leaves {wanted} B"),
                "undisturbed it closes the file before it ends: what its own buffers still held, if anything, is lost".to_owned(),
            ]));
        }
        for far_end in &exit.connected {
            let Some(opener) = given.connections.get(far_end) else { continue };
            let title = format!("{} ended with {} and was still connected to {far_end}", who(exit), exit.ended);
            let fact = "undisturbed it ends the connection before it ends itself".to_owned();
            all.push(found(case, exit, opener, Code::FdOpenAtExit, far_end, title).with_evidence([fact]));
        }
    }
    all
}

#[cfg(test)]
mod tests;
