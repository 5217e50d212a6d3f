//! Processes that outlive the agent, what they hold, and the dead nobody waits for.

use super::{Case, Found};
use crate::model::{Census, ProcessRecord, Signal, Step, Target};
use crate::model::{Evidence, Occasion};
use crate::scenario::Kind;
use quietus_reports::{Code, Origin, Severity, fingerprint::normalise};

/// The census after the agent ended and everything had its time.
fn at_the_end(evidence: &Evidence) -> Option<&Census> {
    evidence.censuses.get(&Occasion::Settled)
}

/// Processes that are left and that nobody has said may be.
fn left<'a>(case: Case<'a>) -> impl Iterator<Item = &'a ProcessRecord> {
    let leader = case.evidence.leader;
    at_the_end(case.evidence).into_iter().flat_map(Census::alive).filter(move |process| {
        Some(process.id) != leader
            && !case.rules.may_stay(process)
            && !case.expected.processes.contains(&normalise(&process.command()))
    })
}

/// Whether a process that nobody expects to stay has this path open.
pub(super) fn is_held_by_survivor(path: &str, case: Case<'_>) -> bool {
    left(case).any(|process| process.descriptors.values().any(|link| link == path))
}

/// The process with this role, at the time of the injection.
fn by_role<'a>(evidence: &'a Evidence, role: &str) -> Option<&'a ProcessRecord> {
    [Occasion::Injection, Occasion::Idle, Occasion::GraceEnd, Occasion::Settled]
        .iter()
        .filter_map(|occasion| evidence.censuses.get(occasion))
        .flat_map(|census| &census.processes)
        .find(|process| process.role.as_deref() == Some(role))
}

/// Who started a process, as far as the tree tells.
fn parent_of(evidence: &Evidence, process: &ProcessRecord) -> Option<Origin> {
    let role = process.role.as_deref()?.rsplit_once('.')?.0;
    Some(Origin { role: role.to_owned(), command: by_role(evidence, role)?.command(), source: None })
}

/// The agent itself as an origin.
pub(super) fn leader(evidence: &Evidence) -> Option<Origin> {
    by_role(evidence, "0").map(|process| Origin { role: "0".to_owned(), command: process.command(), source: None })
}

/// The signals that were sent and to whom.
fn sent(case: Case<'_>) -> impl Iterator<Item = (Signal, Target)> + '_ {
    case.plan.acts.iter().flat_map(|act| act.send.steps()).filter_map(|step| match step {
        Step::Signal(signal, target) => Some((*signal, *target)),
        _ => None,
    })
}

/// Why it is still there, where the kernel's own records prove it.
fn why_alive(case: Case<'_>, process: &ProcessRecord) -> Option<String> {
    let (signal, target) = sent(case).find(|(signal, _)| signal.ends_by_default() && *signal != Signal::KILL)?;
    let group = case.evidence.leader.map(|leader| leader.pid);
    let (place, to) = if Some(process.session) != group {
        (", and it is in a session of its own", "it is in a session of its own")
    } else if Some(process.group) != group {
        (", and it is in a process group of its own", "it is in a process group of its own")
    } else if target == Target::Leader {
        (", which went to the agent's process only", "it went to the agent's process only")
    } else {
        ("", "")
    };
    if process.masks.ignores(signal) {
        Some(format!("it ignores SIG{signal}{place}"))
    } else if process.masks.blocks(signal) {
        Some(format!(
            "it blocks SIG{signal}{}",
            if process.masks.has_pending(signal) { ", which has arrived and waits" } else { place }
        ))
    } else if process.masks.takes_default(signal) {
        let why = if to.is_empty() { String::new() } else { format!(" ({to})") };
        Some(format!("SIG{signal} never reached it{why}: it would have ended it"))
    } else {
        Some(format!("it has a handler for SIG{signal}; whether the signal reached it is not known{place}"))
    }
}

fn facts(case: Case<'_>, process: &ProcessRecord) -> Vec<String> {
    let state = match process.state {
        'S' => "sleeping",
        'R' => "running",
        'D' => "in the kernel, not to be disturbed",
        'T' | 't' => "stopped",
        _ => "in an unknown state",
    };
    let doing = process
        .threads
        .first()
        .and_then(|thread| thread.syscall.as_deref().or(thread.wchan.as_deref()))
        .map(|call| format!(" in {call}"))
        .unwrap_or_default();
    let (group, session) = match case.evidence.leader {
        Some(leader) => (
            if process.group == leader.pid { "the agent's group" } else { "a group of its own" },
            if process.session == leader.pid { "the agent's session" } else { "a session of its own" },
        ),
        None => ("an unknown group", "an unknown session"),
    };
    let mut facts = vec![format!("pid {} in the cell, {state}{doing}, in {group} and {session}", process.id.pid)];
    let held: Vec<String> = process
        .descriptors
        .iter()
        .filter(|(_, link)| {
            (link.starts_with('/') && !link.starts_with("/dev/")) || case.evidence.output_pipes.contains(link)
        })
        .map(|(fd, link)| {
            format!("{fd} -> {}", if case.evidence.output_pipes.contains(link) { "the agent's output" } else { link })
        })
        .collect();
    if !held.is_empty() {
        facts.push(format!("holds {}", held.join(", ")));
    }
    facts
}

/// Whether a survivor has ended by itself meanwhile.
fn ended_later(case: Case<'_>, process: &ProcessRecord) -> bool {
    match case.evidence.censuses.get(&Occasion::Lingered) {
        Some(census) => census.find(process.id).is_none_or(ProcessRecord::is_zombie),
        None => case.evidence.reaped.iter().any(|reaped| reaped.pid == process.id.pid),
    }
}

fn milder_if(gone: bool, found: Found) -> Found {
    if gone { found.at(Severity::Warn) } else { found }
}

pub(super) fn orphans(case: Case<'_>) -> Vec<Found> {
    left(case)
        .map(|process| {
            let command = process.command();
            let gone = ended_later(case, process);
            let title = if gone {
                format!("`{command}` outlived the agent and ended by itself later")
            } else {
                format!("`{command}` is still running after the agent ended")
            };
            let found = Found::new(Code::OrphanProcess, command.clone(), title, &[])
                .with_origin(parent_of(case.evidence, process).or_else(|| leader(case.evidence)))
                .with_cause(why_alive(case, process))
                .with_evidence(facts(case, process));
            milder_if(gone, found)
        })
        .collect()
}

pub(super) fn ports(case: Case<'_>) -> Vec<Found> {
    let Some(census) = at_the_end(case.evidence) else { return Vec::new() };
    let left: Vec<&ProcessRecord> = left(case).collect();
    census
        .listeners
        .iter()
        .filter(|listener| !case.rules.may_listen(listener.port) && !case.expected.ports.contains(&listener.port))
        .filter_map(|listener| {
            let holder = left.iter().find(|process| listener.holders.contains(&process.id))?;
            let place = format!("{} port {}", listener.protocol.trim_end_matches('6').to_uppercase(), listener.port);
            let found = Found::new(
                Code::PortHeld,
                place.clone(),
                format!("{place} is still held after the agent ended"),
                &[&holder.name],
            )
            .with_origin(parent_of(case.evidence, holder).or_else(|| leader(case.evidence)))
            .with_evidence([format!("held by `{}`, pid {} in the cell", holder.command(), holder.id.pid)]);
            Some(milder_if(ended_later(case, holder), found))
        })
        .collect()
}

/// An orphan that holds the agent's output keeps whoever reads it waiting.
pub(super) fn inherited_pipes(case: Case<'_>) -> Vec<Found> {
    left(case)
        .filter_map(|process| {
            let held: Vec<&str> = process
                .descriptors
                .values()
                .filter_map(|link| case.evidence.output_pipes.iter().position(|pipe| pipe == link))
                .map(|index| if index == 0 { "standard output" } else { "standard error" })
                .collect();
            let which = match held.as_slice() {
                [] => return None,
                [one] => (*one).to_owned(),
                _ => "standard output and standard error".to_owned(),
            };
            let command = process.command();
            let found = Found::new(
                Code::FdInherited,
                command.clone(),
                format!("`{command}` holds the agent's {which}: who reads it to its end waits for ever"),
                &[],
            )
            .with_origin(parent_of(case.evidence, process).or_else(|| leader(case.evidence)))
            .with_evidence([format!("pid {} in the cell", process.id.pid)]);
            Some(milder_if(ended_later(case, process), found))
        })
        .collect()
}

pub(super) fn zombies(case: Case<'_>) -> Vec<Found> {
    let at_idle = case
        .plan
        .acts
        .first()
        .and_then(|act| act.at.last())
        .is_some_and(|spec| spec.point == crate::model::Point::Idle);
    if case.rules.kind == Kind::Job || !at_idle {
        return Vec::new();
    }
    case.evidence.censuses.get(&Occasion::Injection).map(|census| zombies_of(census, case.evidence)).unwrap_or_default()
}

/// The dead whose parent is blocked and does not wait for them.
pub(super) fn zombies_of(census: &Census, evidence: &Evidence) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let dead: Vec<&ProcessRecord> = census
        .processes
        .iter()
        .filter(|process| process.is_zombie() && !process.helper && Some(process.id) != evidence.leader)
        .collect();
    for zombie in &dead {
        let Some(parent) = census.processes.iter().find(|process| process.id.pid == zombie.parent && !process.helper)
        else {
            continue;
        };
        let count = dead.iter().filter(|other| other.parent == zombie.parent).count();
        let name = zombie.name.as_str();
        let title = format!(
            "the agent was at rest with {count} dead child{} it had not waited for (`{name}`)",
            if count == 1 { "" } else { "ren" }
        );
        let origin = parent.role.clone().map(|role| Origin { role, command: parent.command(), source: None });
        let one = Found::new(Code::ZombieProcess, name, title, &[]).with_origin(origin);
        if !found.iter().any(|other| other.fingerprint == one.fingerprint) {
            found.push(one);
        }
    }
    found
}
