//! Processes that outlive the agent, what they hold, and the dead nobody waits for.

use super::{Case, Found};
use crate::model::{Census, ProcessRecord, Signal, Step, Target, format_span};
use crate::model::{Evidence, Occasion};
use crate::scenario::Kind;
use quietus_reports::{Code, Origin, Severity, fingerprint::normalise};
use std::time::Duration;

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
pub(super) fn by_role<'a>(evidence: &'a Evidence, role: &str) -> Option<&'a ProcessRecord> {
    [Occasion::Injection, Occasion::Idle, Occasion::GraceEnd, Occasion::Settled]
        .iter()
        .filter_map(|occasion| evidence.censuses.get(occasion))
        .flat_map(|census| &census.processes)
        .find(|process| process.role.as_deref() == Some(role))
}

/// Who started a process, as far as the tree tells.
fn parent_of(evidence: &Evidence, process: &ProcessRecord) -> Option<Origin> {
    let role = process.role.as_deref()?.rsplit_once('.')?.0;
    Some(Origin { role: role.to_owned(), command: by_role(evidence, role)?.command(), source: None, line: None })
}

/// The agent itself as an origin.
pub(super) fn leader(evidence: &Evidence) -> Option<Origin> {
    by_role(evidence, "0").map(|process| Origin {
        role: "0".to_owned(),
        command: process.command(),
        source: None,
        line: None,
    })
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
    let out_of_reach = if Some(process.session) != group {
        Some("it is in a session of its own")
    } else if Some(process.group) != group {
        Some("it is in a process group of its own")
    } else if target == Target::Leader {
        Some("the signal went to the agent's process only")
    } else {
        None
    };
    let also = out_of_reach.map(|why| format!(", and {why}")).unwrap_or_default();
    Some(if process.masks.ignores(signal) {
        format!("it ignores SIG{signal}{also}")
    } else if process.masks.blocks(signal) && process.masks.has_pending(signal) {
        format!("it blocks SIG{signal}, which has arrived and waits")
    } else if process.masks.blocks(signal) {
        format!("it blocks SIG{signal}{also}")
    } else if process.masks.takes_default(signal) {
        let why = out_of_reach.map(|why| format!(" ({why})")).unwrap_or_default();
        format!("SIG{signal} never reached it{why}: it would have ended it")
    } else {
        match out_of_reach {
            Some(why) => format!("it has a handler for SIG{signal}, but {why}"),
            None => format!("it has a handler for SIG{signal}, which was sent to it too"),
        }
    })
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
    let ticks = case.evidence.leader.map_or(0, |leader| process.id.start.saturating_sub(leader.start));
    let born = match format_span(TICK * u32::try_from(ticks).unwrap_or(u32::MAX)) {
        _ if ticks == 0 => "with the agent".to_owned(),
        span => format!("{span} after the agent"),
    };
    let mut facts = vec![format!("pid {}, {state}{doing}, in {group} and {session}, started {born}", process.id.pid)];
    facts.extend(set_up(process));
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

/// The unit of start times in /proc, USER_HZ: the same on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What a survivor does with the signals that end programs, where it is not the default.
fn set_up(process: &ProcessRecord) -> Option<String> {
    let masks = process.masks;
    let say = |what: &str, set: &dyn Fn(Signal) -> bool| {
        let names: Vec<String> = [Signal::TERM, Signal::INT, Signal::HUP]
            .into_iter()
            .filter(|signal| set(*signal))
            .map(|signal| format!("SIG{signal}"))
            .collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let said: Vec<String> = [
        say("ignores", &|signal| masks.ignores(signal)),
        say("blocks", &|signal| masks.blocks(signal)),
        say("handles", &|signal| masks.catches(signal)),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!said.is_empty()).then(|| said.join("; "))
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
    let mut groups: Vec<(bool, String, Vec<&ProcessRecord>)> = Vec::new();
    for process in left(case) {
        let (gone, command) = (ended_later(case, process), normalise(&process.command()));
        match groups.iter_mut().find(|(other_gone, other, _)| *other_gone == gone && *other == command) {
            Some((_, _, group)) => group.push(process),
            None => groups.push((gone, command, vec![process])),
        }
    }
    groups.into_iter().filter_map(|(gone, _, group)| orphans_alike(case, gone, &group)).collect()
}

/// Survivors with the same command are one finding.
fn orphans_alike(case: Case<'_>, gone: bool, group: &[&ProcessRecord]) -> Option<Found> {
    let first = group.first()?;
    let command = first.command();
    let title = match (gone, group.len()) {
        (true, 1) => format!("`{command}` outlived the agent and ended by itself later"),
        (true, many) => format!("{many} processes like `{command}` outlived the agent and ended by themselves later"),
        (false, 1) => format!("`{command}` is still running after the agent ended"),
        (false, many) => format!("{many} processes like `{command}` are still running after the agent ended"),
    };
    let mut evidence: Vec<String> = group.iter().take(MOST_SHOWN).flat_map(|process| facts(case, process)).collect();
    if group.len() > MOST_SHOWN {
        evidence.push(format!("and {} more", group.len() - MOST_SHOWN));
    }
    let found = Found::new(Code::OrphanProcess, command, title, &[])
        .with_origin(parent_of(case.evidence, first).or_else(|| leader(case.evidence)))
        .with_cause(why_alive(case, first))
        .with_evidence(evidence);
    Some(milder_if(gone, found))
}

/// So many processes of one finding are described.
const MOST_SHOWN: usize = 4;

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
            .with_evidence([format!("held by `{}`, pid {}", holder.command(), holder.id.pid)]);
            Some(milder_if(ended_later(case, holder), found))
        })
        .collect()
}

/// An orphan that holds the agent's output keeps whoever reads it waiting.
pub(super) fn inherited_pipes(case: Case<'_>) -> Vec<Found> {
    let mut holders: Vec<(&ProcessRecord, bool)> = left(case)
        .filter(|process| !held_streams(case, process).is_empty())
        .map(|p| (p, ended_later(case, p)))
        .collect();
    // The one who stays longest tells how bad it is.
    holders.sort_by_key(|(_, gone)| *gone);
    let Some((first, gone)) = holders.first().copied() else { return Vec::new() };
    let command = first.command();
    let streams = held_streams(case, first).join(" and ");
    let others = match holders.len() - 1 {
        0 => String::new(),
        1 => " and another process".to_owned(),
        more => format!(" and {more} more processes"),
    };
    let hold = if others.is_empty() { "holds" } else { "hold" };
    let mut evidence: Vec<String> = holders
        .iter()
        .take(MOST_SHOWN)
        .map(|(process, _)| format!("pid {}, `{}`", process.id.pid, process.command()))
        .collect();
    if holders.len() > MOST_SHOWN {
        evidence.push(format!("and {} more", holders.len() - MOST_SHOWN));
    }
    let until = if gone { "until that has ended by itself" } else { "for ever" };
    let title = format!("`{command}`{others} {hold} the agent's {streams}: who reads it to its end waits {until}");
    let found = Found::new(Code::FdInherited, "the agent's output", title, &[])
        .with_origin(parent_of(case.evidence, first).or_else(|| leader(case.evidence)))
        .with_evidence(evidence);
    vec![milder_if(gone, found)]
}

/// Which of the agent's streams a process holds.
fn held_streams(case: Case<'_>, process: &ProcessRecord) -> Vec<&'static str> {
    let names = ["standard output", "standard error"];
    let pipes = case.evidence.output_pipes.iter().zip(names);
    pipes.filter(|(pipe, _)| process.descriptors.values().any(|link| link == *pipe)).map(|(_, name)| name).collect()
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
    let census = case.evidence.censuses.get(&Occasion::Injection);
    let found = census.map(|census| zombies_of(census, case.evidence)).unwrap_or_default();
    // It was terminated where it first seemed at rest. Whom it waits for a moment later is no leak.
    found.into_iter().filter(|one| case.expected.unwaited.contains(&one.fingerprint)).collect()
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
        let origin =
            parent.role.clone().map(|role| Origin { role, command: parent.command(), source: None, line: None });
        let one = Found::new(Code::ZombieProcess, name, title, &[]).with_origin(origin);
        if !found.iter().any(|other| other.fingerprint == one.fingerprint) {
            found.push(one);
        }
    }
    found
}
