//! How the agent ended, or why it did not.

use super::excuse::may_end;
use super::processes::leader;
use super::rules::allowed_exit;
use super::{Case, Found};
use crate::model::{Census, Ended, Occasion, ProcessRecord, Signal, SignalMasks, Step, ThreadRecord, format_span};
use crate::scenario::Kind;
use quietus_reports::{Code, Severity};
use std::collections::BTreeSet;
use std::time::Duration;

/// The signals sent that should end a program. A terminal that hangs up sends HUP.
pub(super) fn ending_signals(case: Case<'_>) -> Vec<Signal> {
    let steps = case.plan.acts.iter().flat_map(|act| act.send.steps());
    let signals = steps.filter_map(|step| match step {
        Step::Signal(signal, _) => Some(*signal),
        Step::PtyHangup => Some(Signal::HUP),
        _ => None,
    });
    signals.filter(|signal| signal.ends_by_default()).collect()
}

pub(super) fn words(signals: &[Signal]) -> String {
    let mut names: Vec<String> = signals.iter().map(|signal| format!("SIG{signal}")).collect();
    names.dedup();
    names.join(" and ")
}

/// The agent ran on until KILL.
pub(super) fn still_running(case: Case<'_>) -> Option<Found> {
    let signals = ending_signals(case);
    let census = case.evidence.censuses.get(&Occasion::GraceEnd);
    let agent = census.and_then(|census| case.evidence.leader.and_then(|id| census.find(id)));
    let grace = format_span(case.plan.grace);
    let mut found =
        if signals.is_empty() { not_a_signal(case, &grace)? } else { by_signal(case, &signals, census, agent, &grace) };
    if takes_ctrl_c_as_input(case, &signals) {
        found = found.at(Severity::Warn);
        found
            .evidence
            .push("a program that one talks to may take an interrupt as \"stop what you do\" and stay".to_owned());
    }
    if let Some(agent) = agent {
        found.evidence.extend(threads(agent));
    }
    found.evidence.extend(last_lines(case, 3));
    Some(found.with_origin(leader(case.evidence)))
}

/// Ctrl-C only, at something a person or a client talks to: an interpreter, an
/// editor, a pager. A job that a person waits for must end.
fn takes_ctrl_c_as_input(case: Case<'_>, signals: &[Signal]) -> bool {
    let talks = case.rules.kind == Kind::Session || (case.plan.pty && case.rules.kind != Kind::Job);
    talks && !signals.is_empty() && signals.iter().all(|signal| *signal == Signal::INT)
}

fn by_signal(
    case: Case<'_>,
    signals: &[Signal],
    census: Option<&Census>,
    agent: Option<&ProcessRecord>,
    grace: &str,
) -> Found {
    let sent = words(signals);
    let (is, wait) = if sent.contains(" and ") { ("are", "wait") } else { ("is", "waits") };
    let names: BTreeSet<String> = signals.iter().map(ToString::to_string).collect();
    let names = Vec::from_iter(names).join(",");
    let subject = case.evidence.leader.map_or_else(|| "the agent".to_owned(), |_| "the agent's process".to_owned());
    if let Some(agent) = agent {
        let masks = agent.masks;
        if signals.iter().all(|signal| masks.ignores(*signal)) {
            return Found::new(
                Code::SignalIgnored,
                subject,
                format!("{sent} {is} ignored: the agent ran on for {grace} until SIGKILL"),
                &[&names],
            )
            .with_cause(Some(format!("{sent} {is} set to be ignored (SigIgn)")));
        }
        if signals.iter().all(|signal| masks.blocks(*signal)) && !is_in_handler(case, signals, masks) {
            return Found::new(
                Code::SignalIgnored,
                subject,
                format!("{sent} {is} blocked: the agent ran on for {grace} until SIGKILL"),
                &[&names],
            )
            .with_cause(Some(format!("{sent} {is} in the agent's signal mask (SigBlk), and {wait} to be taken")));
        }
        if case.evidence.pid1 && signals.iter().all(|signal| masks.takes_default(*signal)) {
            return Found::new(
                Code::SignalIgnored,
                subject,
                format!("{sent} has no effect on the agent as PID 1: it ran on for {grace} until SIGKILL"),
                &[&names],
            )
            .with_cause(Some(format!(
                "a PID 1 gets no default action: without a handler {sent} does nothing (pid_namespaces(7))"
            )));
        }
        if let Some(cause) = discarded(case, signals, &sent) {
            let title = format!("{sent} came before the agent could take it: it ran on for {grace} until SIGKILL");
            return Found::new(Code::SignalIgnored, subject, title, &[&names]).with_cause(Some(cause));
        }
        let child = census.into_iter().flat_map(Census::alive).find(|process| {
            process.parent == agent.id.pid && signals.iter().all(|signal| process.masks.takes_default(*signal))
        });
        if let Some(child) = child.filter(|_| waits_for_a_child(agent)) {
            return Found::new(Code::SignalNotForwarded, child.command(), format!("the agent waits for `{}` and did not pass {sent} on", child.command()), &[&names])
                .with_cause(Some(format!("{sent} never reached `{}`: it would have ended it; the agent waits for it and ran on for {grace} until SIGKILL", child.name)));
        }
    }
    Found::new(Code::Hang, subject, format!("the agent did not end within {grace} of {sent} and was killed"), &[&names])
}

/// A handler blocks its own signal while it runs: where a signal could be taken when it
/// came, and has a handler, that has been entered and not been left. So it is, too, where
/// the signal was blocked when it came and does not wait to be taken any more. The other
/// signals then wait for that handler.
fn is_in_handler(case: Case<'_>, signals: &[Signal], masks: SignalMasks) -> bool {
    let before = case.evidence.censuses.get(&Occasion::Injection);
    let before = before.and_then(|census| census.find(case.evidence.leader?)).map(|agent| agent.masks);
    let taken = |signal: Signal| before.is_some_and(|before| !before.blocks(signal)) || !masks.has_pending(signal);
    signals.iter().any(|signal| masks.catches(*signal) && taken(*signal))
}

/// Why the kernel threw the signal away when it came: what the agent set up later
/// cannot bring it back.
fn discarded(case: Case<'_>, signals: &[Signal], sent: &str) -> Option<String> {
    let census = case.evidence.censuses.get(&Occasion::Injection)?;
    let masks = census.find(case.evidence.leader?)?.masks;
    if signals.iter().all(|signal| masks.ignores(*signal)) {
        Some(format!("{sent} was set to be ignored (SigIgn) when it came"))
    } else if case.evidence.pid1 && signals.iter().all(|signal| masks.takes_default(*signal)) {
        Some(format!(
            "a PID 1 gets no default action: {sent} came before the agent had a handler and was thrown away (pid_namespaces(7))"
        ))
    } else {
        None
    }
}

fn waits_for_a_child(agent: &ProcessRecord) -> bool {
    agent.threads.iter().any(|thread| {
        thread.wchan.as_deref().is_some_and(|place| place.contains("do_wait"))
            || thread.syscall.as_deref().is_some_and(|call| call == "wait4" || call == "waitid")
    })
}

/// What was done was no signal: the end of the input, or of the parent.
fn not_a_signal(case: Case<'_>, grace: &str) -> Option<Found> {
    let step = case
        .plan
        .acts
        .iter()
        .flat_map(|act| act.send.steps())
        .find(|step| matches!(step, Step::StdinEof | Step::ParentDeath | Step::Stall(_)))?;
    let hang = |what: String, part: &str| {
        let title = format!("the agent {what}: it ran on for {grace} until SIGKILL");
        Found::new(Code::Hang, "the agent's process", title, &[part])
    };
    let (found, must_end) = match step {
        // A server may outlive the shell that started it: that is what daemons do.
        Step::StdinEof => (hang("did not notice the end of its input".to_owned(), "stdin-eof"), Kind::Session),
        // A job must come to an end; a server goes on to serve those whom it can.
        Step::Stall(service) => {
            let what = format!("did not notice that the service `{service}` has stopped answering");
            (hang(what, &step.to_string()), Kind::Job)
        }
        _ => (hang("did not notice the death of its parent".to_owned(), "parent-death"), Kind::Session),
    };
    Some(if case.rules.kind == must_end { found } else { found.at(Severity::Note) })
}

fn threads(agent: &ProcessRecord) -> Vec<String> {
    let mut shown: Vec<String> =
        agent.threads.iter().take(8).flat_map(|thread| [Some(doing(thread)), stack(thread)]).flatten().collect();
    if agent.threads.len() > 8 {
        shown.push(format!("and {} more threads", agent.threads.len() - 8));
    }
    shown
}

fn doing(thread: &ThreadRecord) -> String {
    // Held for a moment, at a signal or at a system call of the trial's point.
    if thread.state == 't' {
        return format!("thread {} `{}`: it runs, and gets signals or makes system calls", thread.tid, thread.name);
    }
    let call = thread.syscall.as_deref().map(|call| format!(" in {call}")).unwrap_or_default();
    let place = thread.wchan.as_deref().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("thread {} `{}`: state {}{call}{place}", thread.tid, thread.name, thread.state)
}

/// Where in its code a thread was.
fn stack(thread: &ThreadRecord) -> Option<String> {
    let said = match thread.stack.as_ref()? {
        Ok(places) if places.is_empty() => "nothing in it has a name".to_owned(),
        Ok(places) => places.join(", from "),
        Err(why) => format!("cannot be read: {why}"),
    };
    Some(format!("stack of thread {}: {said}", thread.tid))
}

/// The last lines of what the agent wrote.
pub(super) fn last_lines(case: Case<'_>, most: usize) -> Vec<String> {
    last_lines_of(case.evidence, most)
}

/// The last lines of what was written in a run.
pub(super) fn last_lines_of(evidence: &crate::model::Evidence, most: usize) -> Vec<String> {
    let text = String::from_utf8_lossy(&evidence.output.tail);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().rev().take(most).rev().map(|line| format!("output: {line}")).collect()
}

pub(super) fn status(case: Case<'_>) -> Option<Found> {
    let ended = case.evidence.ended?;
    if allowed_exit(case.plan, ended, case.expected.ended, case.rules.exit.as_deref()) || may_end(ended, case) {
        return None;
    }
    let injection = case.plan.injection_text();
    // Once or twice the same signal is the same fault.
    let signals = ending_signals(case).iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let part = if signals.is_empty() { injection.clone() } else { Vec::from_iter(signals).join(",") };
    let found = match ended {
        Ended::Signaled(signal) if signal.is_crash() => Found::new(
            Code::Crashed,
            format!("{ended}"),
            format!("the agent crashed after {injection}: {ended}"),
            &[&part],
        ),
        _ => {
            let wanted = wanted(case);
            let found = Found::new(
                Code::WrongExitStatus,
                format!("{ended}"),
                format!("the agent ended with {ended} after {injection}"),
                &[&part],
            )
            .with_cause(Some(format!("expected {wanted}")));
            if only_told_a_person(case, ended) { found.at(Severity::Warn) } else { found }
        }
    };
    Some(found.with_origin(leader(case.evidence)).with_evidence(last_lines(case, 4)))
}

/// After Ctrl-C many programs say "interrupted" by a status of their own (pigz 4,
/// rsync 20, command lines 1): a person reads it, no supervisor decides by it.
fn only_told_a_person(case: Case<'_>, ended: Ended) -> bool {
    let signals = ending_signals(case);
    case.rules.exit.is_none()
        && matches!(ended, Ended::Exited(_))
        && !signals.is_empty()
        && signals.iter().all(|signal| *signal == Signal::INT)
}

fn wanted(case: Case<'_>) -> String {
    if let Some(declared) = &case.rules.exit {
        let shown: Vec<String> = declared
            .iter()
            .map(|exit| match exit {
                crate::scenario::ExpectedExit::Code(code) => format!("exit {code}"),
                crate::scenario::ExpectedExit::Signal(signal) => format!("signal {signal}"),
            })
            .collect();
        return shown.join(" or ");
    }
    let mut shown: Vec<String> = ending_signals(case)
        .iter()
        .map(|signal| format!("signal {signal} or exit {}", signal.shell_status()))
        .collect();
    shown.dedup();
    shown.push("exit 0".to_owned());
    if let Some(control) = case.expected.ended.filter(|ended| *ended != Ended::Exited(0)) {
        shown.push(format!("{control}, as undisturbed"));
    }
    shown.join(" or ")
}

pub(super) fn slow(case: Case<'_>) -> Option<Found> {
    let took = case.evidence.ended_at?.checked_sub(case.evidence.injected_at?)?;
    let limit = case.rules.within?;
    if took <= limit {
        return None;
    }
    let shown = format_span(Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
    Some(
        Found::new(
            Code::SlowTermination,
            "the agent's process",
            format!("the agent took {shown} to end; it must within {}", format_span(limit)),
            &[&case.plan.injection_text()],
        )
        .with_origin(leader(case.evidence)),
    )
}
