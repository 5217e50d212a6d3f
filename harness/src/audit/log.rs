//! Lines that an agent must write while it ends.
//!
//! What counts is what came from the termination on. A job may have begun to end by
//! itself just before: what it wrote then counts where it is all that an undisturbed
//! run writes of the kind.

use super::ending::{ending_signals, last_lines, words};
use super::processes::leader;
use super::released::not_released;
use super::{Case, Found};
use crate::model::{Ended, Line, Occasion, Pattern, Signal, Step, Stream};
use quietus_reports::Code;

/// What tells the finding of an agent that had no handler from that of one that forgot.
pub(super) const AT_ONCE: &str = "default action";

/// The lines that the scenario demands and that are missing, and the resources of
/// which no line says that they were released.
pub(super) fn log(case: Case<'_>) -> Vec<Found> {
    if !is_heard(case) || case.evidence.output.unkept > 0 {
        return Vec::new();
    }
    missing(case)
}

/// Why it is not known whether a line is missing, where that is so.
pub fn unheard(case: Case<'_>) -> Option<String> {
    let unkept = case.evidence.output.unkept;
    let asks = unkept > 0 && !case.killed && is_heard(case) && !missing(case).is_empty();
    asks.then(|| format!("{unkept} lines of its output are too many or too long to be kept: whether one that is demanded is among them is not known"))
}

fn missing(case: Case<'_>) -> Vec<Found> {
    let by_default = by_default(case);
    let parts = by_default.as_ref().map(|_| AT_ONCE);
    let of_line = |(pattern, why): (&Pattern, String)| {
        Found::new(Code::CleanupNotLogged, pattern.as_str(), why, parts.as_slice())
            .with_evidence(too_early(case, pattern))
    };
    let lines = not_in_order(case).into_iter().map(of_line);
    let releases = not_released(case).into_iter().map(|(resource, named)| {
        let mut all = vec!["released"];
        all.extend(parts);
        let title = format!("no line says that {resource} was released");
        Found::new(Code::CleanupNotLogged, resource.subject(), title, &all).with_evidence(named)
    });
    let found = lines.chain(releases).map(|found| {
        found.with_cause(by_default.clone()).with_origin(leader(case.evidence)).with_evidence(last_lines(case, 4))
    });
    found.collect()
}

/// Whether the agent could say anything that would be heard: KILL leaves it no time,
/// with its terminal its reader is gone, and what it says of a cleanup in which a call
/// was made to fail is its own affair.
fn is_heard(case: Case<'_>) -> bool {
    let steps = || case.plan.acts.iter().flat_map(|act| act.send.steps());
    let is_kill = |step: &Step| matches!(step, Step::Signal(Signal::KILL, _));
    let only_kill = steps().any(is_kill) && steps().all(|step| is_kill(step) || !step.acts());
    let was_killed = steps().any(is_kill) && case.evidence.ended == Some(Ended::Signaled(Signal::KILL));
    let hung_up = steps().any(|step| matches!(step, Step::PtyHangup));
    !only_kill && !was_killed && !hung_up && case.evidence.failed.is_empty()
}

/// Whether a line came before the termination.
pub(super) fn is_early(case: Case<'_>, line: &Line) -> bool {
    case.evidence.injected_at.is_some_and(|at| line.at < at)
}

/// Whether a job had written all lines of a kind, before it was terminated, that it
/// writes undisturbed.
pub(super) fn is_said_already(case: Case<'_>, is_one: &dyn Fn(&str) -> bool) -> bool {
    let undisturbed = case.expected.said.iter().map(|lines| lines.iter().filter(|line| is_one(line)).count()).min();
    let early = case.evidence.output.kept.iter().filter(|line| is_early(case, line) && is_one(&line.text)).count();
    early > 0 && undisturbed.is_some_and(|usual| early >= usual)
}

/// How far the lines of the two streams have been used up.
type Place = [usize; 2];

/// The patterns that match no line which comes after that of the one before, and why.
///
/// Each stream has its order; which of two lines of different streams came first nobody
/// knows. So all ways are followed at once in which the lines can stand for the patterns
/// so far: the furthest back in either stream are enough.
fn not_in_order<'a>(case: Case<'a>) -> Vec<(&'a Pattern, String)> {
    let of = |stream: Stream| case.evidence.output.kept.iter().filter(|line| line.stream == stream).collect();
    let streams: [Vec<&Line>; 2] = [of(Stream::Output), of(Stream::Error)];
    let mut places: Vec<Place> = vec![[0, 0]];
    let mut before: Option<&Pattern> = None;
    let mut missing = Vec::new();
    for pattern in &case.rules.log {
        let already = is_said_already(case, &|line| pattern.is_in(line));
        let counts = |line: &&Line| (already || !is_early(case, line)) && pattern.is_in(&line.text);
        let next = after(&places, &streams, &counts);
        if !next.is_empty() {
            (places, before) = (next, Some(pattern));
            continue;
        }
        let there = streams.iter().flatten().any(counts);
        let why = match before.filter(|_| there) {
            Some(before) => {
                format!("the line `{}` was not written after the line `{}`", pattern.as_str(), before.as_str())
            }
            None => format!("the line `{}` was not written", pattern.as_str()),
        };
        missing.push((pattern, why));
    }
    missing
}

/// Where one can be after one more line, from any of these places.
fn after(places: &[Place], streams: &[Vec<&Line>; 2], counts: &dyn Fn(&&Line) -> bool) -> Vec<Place> {
    let mut next: Vec<Place> = Vec::new();
    for place in places {
        for (stream, lines) in streams.iter().enumerate() {
            let Some(found) = lines.iter().skip(place[stream]).position(counts) else { continue };
            let mut there = *place;
            there[stream] += found + 1;
            next.push(there);
        }
    }
    // One that is no further in either stream can do all that the other can.
    next.sort_unstable();
    let mut least: Vec<Place> = Vec::new();
    for place in next {
        if !least.iter().any(|other| other[0] <= place[0] && other[1] <= place[1]) {
            least.push(place);
        }
    }
    least
}

/// That a line came, but before the termination.
fn too_early(case: Case<'_>, pattern: &Pattern) -> Option<String> {
    let early = |line: &&Line| is_early(case, line) && pattern.is_in(&line.text);
    let line = case.evidence.output.kept.iter().rev().find(early)?;
    Some(format!("before the termination it wrote: {}", line.text))
}

/// Why an agent that the signal ended at once wrote nothing.
fn by_default(case: Case<'_>) -> Option<String> {
    let Some(Ended::Signaled(signal)) = case.evidence.ended else { return None };
    let agent = case.evidence.censuses.get(&Occasion::Injection)?.find(case.evidence.leader?)?;
    let sent = ending_signals(case).contains(&signal) && agent.masks.takes_default(signal);
    sent.then(|| format!("{} had its default action when it came: the agent ended at once", words(&[signal])))
}

#[cfg(test)]
mod tests;
