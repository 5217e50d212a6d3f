//! One more run of the trial of each finding, of which everything is recorded: its timeline.

use super::conclude::Course;
use super::moments::moments;
use super::parallel::in_parallel;
use crate::audit::Found;
use crate::model::{Token, TrialPlan};
use quietus_reports::{Finding, Moment, Severity};
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
        Some(Shown { found: runner.judge(plan, &record, learned, rules).found, moments: moments(&record, MOST_DEEDS) })
    });
    let runs: Vec<Option<Shown>> = runs.into_iter().map(Option::flatten).collect();
    for finding in &mut wanted {
        let place = plan_of(finding).and_then(|plan| plans.iter().position(|other| *other == plan));
        let shown = place.and_then(|place| runs.get(place)?.as_ref());
        if let Some(shown) = shown.filter(|shown| shown.found.iter().any(|found| is(found, finding))) {
            finding.timeline.clone_from(&shown.moments);
        }
    }
}

/// What one run has shown.
struct Shown {
    found: Vec<Found>,
    moments: Vec<Moment>,
}

fn plan_of(finding: &Finding) -> Option<TrialPlan> {
    finding.token.parse().ok().map(|Token(plan)| plan)
}

fn is(found: &Found, finding: &Finding) -> bool {
    found.fingerprint == finding.fingerprint || found.code == finding.code && found.subject == finding.subject
}
