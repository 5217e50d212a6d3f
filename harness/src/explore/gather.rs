//! Gathers the findings of many trials into one of each kind. Pure.

use super::plan::Planned;
use crate::audit::Found;
use crate::model::{Token, TrialPlan};
use crate::scenario::Allow;
use globset::GlobBuilder;
use quietus_reports::{Confirmed, Finding, Severity};

/// A finding with where it was seen.
#[derive(Debug, Clone)]
pub(super) struct Gathered {
    pub(super) found: Found,
    pub(super) points: Vec<String>,
    pub(super) hits: u32,
    /// The trial that shows it; `None` when the control did.
    pub(super) plan: Option<TrialPlan>,
    pub(super) informational: bool,
    pub(super) confirmed: Option<Confirmed>,
}

/// All findings of a run.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    pub(super) all: Vec<Gathered>,
}

impl Gatherer {
    pub(super) fn control(&mut self, found: Found) {
        self.all.push(Gathered { found, points: vec!["at rest, undisturbed".to_owned()], hits: 1, plan: None, informational: false, confirmed: None });
    }

    pub(super) fn trial(&mut self, planned: &Planned, found: Vec<Found>) {
        let place = format!("{} at {}", planned.plan.injection_text(), planned.plan.point_text());
        let mut counted: Vec<String> = Vec::new();
        for one in found {
            let first_here = !counted.contains(&one.fingerprint);
            counted.push(one.fingerprint.clone());
            match self.all.iter_mut().find(|known| known.found.fingerprint == one.fingerprint) {
                Some(known) => {
                    if first_here {
                        known.hits += 1;
                        known.points.push(place.clone());
                    }
                    // What counts is what shows without KILL.
                    if known.informational && !planned.informational {
                        (known.found, known.plan, known.informational) = (one, Some(planned.plan.clone()), false);
                    }
                }
                None => self.all.push(Gathered {
                    found: one,
                    points: vec![place.clone()],
                    hits: 1,
                    plan: Some(planned.plan.clone()),
                    informational: planned.informational,
                    confirmed: None,
                }),
            }
        }
    }

    /// The distinct plans that show something worth confirming.
    pub(super) fn to_confirm(&self) -> Vec<TrialPlan> {
        let mut plans: Vec<TrialPlan> = Vec::new();
        for known in self.all.iter().filter(|known| !known.informational && known.found.severity > Severity::Note) {
            if let Some(plan) = known.plan.as_ref().filter(|plan| !plans.contains(plan)) {
                plans.push(plan.clone());
            }
        }
        plans
    }

    /// Counts one more run of a plan.
    pub(super) fn confirm(&mut self, plan: &TrialPlan, found: &[Found]) {
        for known in self.all.iter_mut().filter(|known| known.plan.as_ref() == Some(plan) && !known.informational) {
            let again = found.iter().find(|one| one.fingerprint == known.found.fingerprint);
            let confirmed = known.confirmed.get_or_insert(Confirmed { hits: 0, runs: 0 });
            confirmed.runs += 1;
            if let Some(again) = again {
                confirmed.hits += 1;
                // A confirmation waits longer, so it can tell what ends by itself from what stays.
                if confirmed.hits == 1 || again.severity > known.found.severity {
                    known.found = again.clone();
                }
            }
        }
    }

    /// The findings of the report, the worst first.
    pub(super) fn finish(self, tried: u32, allows: &[Allow], today: &str, replay: &dyn Fn(&Token) -> String) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.all.into_iter().map(|known| finding(known, tried, allows, today, replay)).collect();
        findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject)));
        findings
    }
}

fn accepted<'a>(found: &Found, allows: &'a [Allow], today: &str) -> Option<&'a Allow> {
    allows.iter().find(|allow| {
        let subject = allow.subject.as_deref().is_none_or(|pattern| {
            GlobBuilder::new(pattern).literal_separator(false).build().is_ok_and(|glob| glob.compile_matcher().is_match(&found.subject))
        });
        allow.code == found.code && subject && !allow.is_expired(today)
    })
}

fn finding(known: Gathered, tried: u32, allows: &[Allow], today: &str, replay: &dyn Fn(&Token) -> String) -> Finding {
    let accepted = accepted(&known.found, allows, today).map(|allow| allow.reason.clone());
    let token = known.plan.map(Token);
    let never_again = known.confirmed.as_ref().is_some_and(|confirmed| confirmed.hits == 0 && confirmed.runs > 0);
    let mut evidence = known.found.evidence;
    if never_again {
        evidence.push("seen once and not again: it depends on timing, or on something outside".to_owned());
    }
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
        evidence,
        accepted,
        token: token.as_ref().map(ToString::to_string).unwrap_or_default(),
        replay: token.as_ref().map(replay).unwrap_or_default(),
    }
}
