//! One more run of the trial of each finding, of which everything is recorded: its timeline, and
//! the line that made what is left, where the trials themselves were not recorded.

use super::conclude::Course;
use super::moments::moments;
use super::parallel::in_parallel;
use crate::audit::Found;
use crate::model::{Call, Known, Recording, Seen, Token, TrialPlan};
use quietus_reports::fingerprint::normalise;
use quietus_reports::{Code, Finding, Group, Moment, Severity};
use std::time::Duration;

/// Of more findings than these nobody reads the timelines; the replay makes each.
const MOST_FINDINGS: usize = 24;
/// Of what the agent did, so much before the injection and after it.
const MOST_DEEDS: usize = 30;

/// Gives the findings that count the timeline of a run that shows them again.
pub(super) fn add_timelines(course: Course<'_>, findings: &mut [Finding]) {
    let counts = |finding: &&mut Finding| finding.severity > Severity::Note && finding.accepted.is_none();
    let mut wanted: Vec<&mut Finding> = findings.iter_mut().filter(counts).take(MOST_FINDINGS).collect();
    let mut plans: Vec<TrialPlan> = Vec::new();
    for plan in wanted.iter().filter_map(|finding| plan_of(finding)) {
        if !plans.contains(&plan) {
            plans.push(plan);
        }
    }
    let Course { runner, learned, rules, jobs, go_on, .. } = course;
    let runs = in_parallel(&plans, jobs, go_on, &|_, plan| {
        let record = if runner.can_trace() {
            runner.watch(plan, learned, Duration::ZERO).ok()?
        } else {
            runner.trial(plan, learned, Duration::ZERO).ok()?
        };
        let found = runner.judge(plan, &record, learned, rules).found;
        let recording = record.evidence.recording.as_ref();
        let made = found.iter().map(|one| made(one.code, &one.subject, recording?)).collect();
        Some(Shown { found, made, moments: moments(&record, MOST_DEEDS) })
    });
    let runs: Vec<Option<Shown>> = runs.into_iter().map(Option::flatten).collect();
    for finding in &mut wanted {
        let place = plan_of(finding).and_then(|plan| plans.iter().position(|other| *other == plan));
        let shown = place.and_then(|place| runs.get(place)?.as_ref());
        let Some((shown, index)) = shown.and_then(|shown| Some((shown, shown.place_of(finding)?))) else { continue };
        finding.timeline.clone_from(&shown.moments);
        add_line(finding, shown.made.get(index).and_then(Option::as_ref));
    }
    // Recorded, an agent starts so slowly that it may not have come that far at the same time.
    if wanted.iter().any(|finding| lacks_line(finding))
        && runner.can_trace()
        && let Some(undisturbed) = runner.undisturbed(learned)
    {
        for finding in &mut wanted {
            let made = made(finding.code, &finding.subject, &undisturbed);
            add_line(finding, made.as_ref());
        }
    }
}

/// What one run has shown.
struct Shown {
    found: Vec<Found>,
    /// Of each of them what made it, if that was seen.
    made: Vec<Option<Made>>,
    moments: Vec<Moment>,
}

impl Shown {
    fn place_of(&self, finding: &Finding) -> Option<usize> {
        self.found.iter().position(|found| is(found, finding))
    }
}

/// The call that made what is left.
struct Made {
    role: String,
    call: String,
    line: String,
}

fn lacks_line(finding: &Finding) -> bool {
    let is_made = finding.code.group() == Group::Processes || finding.subject.starts_with('/');
    is_made && finding.origin.as_ref().is_some_and(|origin| origin.line.is_none())
}

fn add_line(finding: &mut Finding, made: Option<&Made>) {
    if let (true, Some(origin), Some(made)) = (lacks_line(finding), &mut finding.origin, made)
        && origin.role == made.role
    {
        (origin.source, origin.line) = (Some(made.call.clone()), Some(made.line.clone()));
    }
}

/// What started this process or made this file, in a run that was recorded; none where several
/// lines have made one like it.
fn made(code: Code, subject: &str, recording: &Recording) -> Option<Made> {
    let wanted = normalise(subject);
    let calls = || recording.seen.iter().filter_map(|seen| Some((seen, seen.call()?)));
    let is_process = code.group() == Group::Processes;
    let mut makers = calls().filter(|(_, call)| match &call.known {
        Known::Born { role, .. } if is_process => {
            let runs = |(seen, call): (&Seen, &Call)| {
                seen.role == *role
                    && matches!(&call.known, Known::Program(words) if normalise(&words.join(" ")) == wanted)
            };
            calls().any(runs)
        }
        _ => {
            !is_process && call.makes() && call.succeeded() && call.subjects.iter().any(|one| normalise(one) == wanted)
        }
    });
    let (seen, call) = makers.next()?;
    if makers.any(|(_, other)| other.line != call.line) {
        return None;
    }
    Some(Made { role: seen.role.clone(), call: call.name.clone(), line: call.line.clone()? })
}

fn plan_of(finding: &Finding) -> Option<TrialPlan> {
    finding.token.parse().ok().map(|Token(plan)| plan)
}

fn is(found: &Found, finding: &Finding) -> bool {
    found.fingerprint == finding.fingerprint || found.code == finding.code && found.subject == finding.subject
}
