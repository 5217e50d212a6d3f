//! Gathers the findings of many trials into one of each kind. Pure.

use super::plan::Planned;
use crate::audit::Found;
use crate::model::{Injection, Point, Signal, Token, TrialPlan};
use crate::scenario::Allow;
use globset::GlobBuilder;
use quietus_reports::{Code, Confirmed, Finding, Reproduction, Severity};
use std::cmp::Reverse;

/// A finding with where it was seen.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    pub(super) found: Found,
    pub(super) points: Vec<String>,
    pub(super) hits: u32,
    /// The trials that show it, the surest first; none when the control did.
    pub(super) plans: Vec<TrialPlan>,
    pub(super) informational: bool,
    pub(super) confirmed: Option<Confirmed>,
    /// Which of all findings it turned out to be.
    pub(super) is_same_as: Option<usize>,
}

/// All findings of a run.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    pub(super) all: Vec<Gathered>,
}

impl Gatherer {
    pub(super) fn control(&mut self, found: Found) {
        self.all.push(Gathered {
            found,
            points: vec!["at rest, undisturbed".to_owned()],
            hits: 1,
            plans: Vec::new(),
            informational: false,
            confirmed: None,
            is_same_as: None,
        });
    }

    /// Takes what one trial found; says which of all findings those are.
    pub(super) fn trial(&mut self, planned: &Planned, found: Vec<Found>) -> Vec<usize> {
        let place = format!("{} at {}", planned.plan.injection_text(), planned.plan.point_text());
        let mut counted: Vec<usize> = Vec::new();
        for mut one in found {
            let index = self.all.iter_mut().position(|known| known.found.unify(&mut one)).unwrap_or(self.all.len());
            let first_here = !counted.contains(&index);
            if first_here {
                counted.push(index);
            }
            match self.all.get_mut(index) {
                Some(known) => {
                    if first_here {
                        known.hits += 1;
                        add(&mut known.points, &place);
                    }
                    // What counts is what shows without KILL.
                    if known.informational && !planned.informational {
                        (known.found, known.informational) = (one, false);
                        known.plans.clear();
                    }
                    if known.informational == planned.informational {
                        add(&mut known.plans, &planned.plan);
                    }
                }
                None => self.all.push(Gathered {
                    found: one,
                    points: vec![place.clone()],
                    hits: 1,
                    plans: vec![planned.plan.clone()],
                    informational: planned.informational,
                    confirmed: None,
                    is_same_as: None,
                }),
            }
        }
        counted
    }

    /// The fingerprint of one of all findings.
    pub(super) fn fingerprint(&self, index: usize) -> Option<String> {
        let known = self.all.get(index)?;
        match known.is_same_as.filter(|same| *same < index) {
            Some(same) => self.fingerprint(same),
            None => Some(known.found.fingerprint.clone()),
        }
    }

    /// Of findings that were made small, those that the same trial shows as the same are one.
    pub(super) fn merge(&mut self) {
        for index in 0..self.all.len() {
            let (before, rest) = self.all.split_at_mut(index);
            let Some(known) = rest.first_mut() else { return };
            let same = |other: &Gathered| {
                other.is_same_as.is_none()
                    && known.plans.first().is_some_and(|plan| other.plans.first() == Some(plan))
                    && other.found.is_like(&known.found)
            };
            let place = before.iter().position(same);
            if let Some(other) = place.and_then(|place| before.get_mut(place)) {
                other.hits += known.hits;
                known.is_same_as = place;
            }
        }
    }

    /// Puts the surest trial of each finding first: one that shows many findings,
    /// at a point that is an event and not a time, by what was asked for
    /// (`wanted`), and in the middle of where it shows rather than at the edge.
    pub(super) fn rank(&mut self, wanted: &Injection) {
        let all: Vec<Vec<TrialPlan>> = self.all.iter().map(|known| known.plans.clone()).collect();
        let shows = |plan: &TrialPlan| all.iter().filter(|plans| plans.contains(plan)).count();
        let timed = |plan: &TrialPlan| {
            plan.acts.iter().flat_map(|act| &act.at).any(|spec| matches!(spec.point, Point::Time(_) | Point::Start))
        };
        let steps = |plan: &TrialPlan| plan.acts.iter().map(|act| act.send.steps().len()).sum::<usize>();
        for known in &mut self.all {
            let middle = known.plans.len() / 2;
            known.plans.rotate_left(middle);
            let asked = |plan: &TrialPlan| plan.acts.iter().any(|act| act.send == *wanted);
            known.plans.sort_by_cached_key(|plan| (Reverse(shows(plan)), timed(plan), !asked(plan), steps(plan)));
        }
    }

    /// The distinct plans that show something worth confirming. On the second
    /// `round` those of findings that the first did not fully confirm, and then those of
    /// findings that were not seen again at all.
    pub(super) fn to_confirm(&self, round: usize) -> Vec<TrialPlan> {
        let mut plans: Vec<TrialPlan> = Vec::new();
        for known in self.all.iter().filter(|known| !known.informational && known.found.severity > Severity::Note) {
            let open = known.confirmed.is_none_or(|confirmed| match confirmed.class() {
                Reproduction::Deterministic => false,
                Reproduction::Racy => round < 2,
                Reproduction::NotReproduced => true,
            });
            if let Some(plan) = known.plans.get(round).filter(|plan| open && !plans.contains(plan)) {
                plans.push(plan.clone());
            }
        }
        plans
    }

    /// Takes the further runs of one plan: what each of them found. Where another
    /// plan has confirmed a finding better already, that stands.
    pub(super) fn confirm(&mut self, plan: &TrialPlan, runs: &[Vec<Found>]) {
        for known in self.all.iter_mut().filter(|known| known.plans.contains(plan) && !known.informational) {
            let again: Vec<Found> = runs
                .iter()
                .filter_map(|found| found.iter().find(|one| known.found.unify(&mut (*one).clone())).cloned())
                .collect();
            // None of them reached its point: nothing was run again.
            let Some(now) = Confirmed::new(count(again.len()), count(runs.len())) else { continue };
            if known.confirmed.is_some_and(|before| before.rate() >= now.rate()) {
                continue;
            }
            known.confirmed = Some(now);
            // A confirmation waits longer, so it can tell what ends by itself from what stays.
            if let Some(worst) = again.iter().max_by_key(|found| found.severity) {
                let fingerprint = std::mem::take(&mut known.found.fingerprint);
                known.found = (*worst).clone();
                known.found.fingerprint = fingerprint;
            }
            if let Some(index) = known.plans.iter().position(|other| other == plan) {
                known.plans.swap(0, index);
            }
        }
    }

    /// A PID 1 that has no handler yet cannot be terminated, whatever it does: that
    /// is told, but it stops nobody when the agent ends well once it has started.
    pub(super) fn excuse_starting_pid1(&mut self, ended_well: &[TrialPlan]) {
        let well = ended_well.iter().any(|plan| plan.pid1 && settled(plan));
        for known in self.all.iter_mut().filter(|known| matches!(known.found.code, Code::Hang | Code::SignalIgnored)) {
            if well && !known.plans.is_empty() && known.plans.iter().all(|plan| plan.pid1 && !settled(plan)) {
                known.found.severity = known.found.severity.min(Severity::Warn);
                known.found.evidence.push("only while the agent starts: later it ends well. An init in front of it (docker run --init) closes the gap".to_owned());
            }
        }
    }

    /// No program has a handler from its first moment on: where one that is terminated
    /// later writes all that it must, that it wrote nothing then stops nobody.
    pub(super) fn excuse_not_yet_handled(&mut self, ended_well: &[TrialPlan]) {
        let kills = |plan: &TrialPlan| plan.acts.iter().any(|act| act.send == Injection::signal(Signal::KILL));
        let well = ended_well.iter().any(|plan| settled(plan) && !kills(plan));
        for known in self.all.iter_mut().filter(|known| well && known.found.is_unhandled()) {
            if known.plans.iter().all(|plan| !settled(plan)) {
                known.found.severity = known.found.severity.min(Severity::Warn);
                known.found.evidence.push("only while the agent starts: later it is written".to_owned());
            }
        }
    }

    /// The findings of the report, the worst first.
    pub(super) fn finish(
        self,
        tried: u32,
        allows: &[Allow],
        today: &str,
        replay: &dyn Fn(&Token) -> String,
    ) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .all
            .into_iter()
            .filter(|known| known.is_same_as.is_none())
            .map(|known| finding(known, tried, allows, today, replay))
            .collect();
        findings.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject))
        });
        findings
    }
}

/// Whether it is at a point that an agent comes to only once it has started.
fn settled(plan: &TrialPlan) -> bool {
    let specs = plan.acts.iter().flat_map(|act| &act.at);
    specs.into_iter().any(|spec| matches!(spec.point, Point::Idle | Point::Output { .. }))
}

/// Of what is run again and again, each is kept once.
fn add<T: PartialEq + Clone>(known: &mut Vec<T>, new: &T) {
    if !known.contains(new) {
        known.push(new.clone());
    }
}

fn accepted<'a>(found: &Found, allows: &'a [Allow], today: &str) -> Option<&'a Allow> {
    allows.iter().find(|allow| {
        let subject = allow.subject.as_deref().is_none_or(|pattern| {
            GlobBuilder::new(pattern)
                .literal_separator(false)
                .build()
                .is_ok_and(|glob| glob.compile_matcher().is_match(&found.subject))
        });
        allow.code == found.code && subject && !allow.is_expired(today)
    })
}

fn finding(known: Gathered, tried: u32, allows: &[Allow], today: &str, replay: &dyn Fn(&Token) -> String) -> Finding {
    let accepted = accepted(&known.found, allows, today).map(|allow| allow.reason.clone());
    let token = known.plans.into_iter().next().map(Token);
    let never_again = known.confirmed.is_some_and(|confirmed| confirmed.class() == Reproduction::NotReproduced);
    Finding {
        code: known.found.code,
        severity: if known.informational || never_again { Severity::Note } else { known.found.severity },
        fingerprint: known.found.fingerprint,
        title: known.found.title,
        subject: known.found.subject,
        origin: known.found.origin,
        life: None,
        points: known.points,
        hits: known.hits,
        tried,
        confirmed: known.confirmed,
        cause: known.found.cause,
        evidence: known.found.evidence,
        timeline: Vec::new(),
        accepted,
        token: token.as_ref().map(ToString::to_string).unwrap_or_default(),
        replay: token.as_ref().map(replay).unwrap_or_default(),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
