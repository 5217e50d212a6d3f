//! Makes the trial of each finding as small as it can be, by running what is smaller.

use super::conclude::Course;
use super::gather::{Gathered, Gatherer};
use super::needless::{is_tried, needless};
use super::parallel::in_parallel;
use super::runner::{LINGER, Runner};
use crate::audit::Found;
use crate::fuzz::{Judgement, Sequential, Space, shrink, size, smaller};
use crate::model::{Token, TrialPlan};
use crate::trial::Outcome;
use quietus_reports::{Confirmed, Severity};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So many of the plans that have shown a finding are tried for one that always does.
const MOST_STARTS: usize = 16;
/// How often each of them is run, and how often the one that is begun with.
const RUNS_EACH: u32 = 3;
const RUNS_BEFORE: u32 = 8;
/// How often the smallest is run to say how often it shows the finding.
const RUNS_AFTER: u32 = 20;
/// So many runs say enough of a plan to begin with it.
const ENOUGH: usize = 5;
/// For one finding no more trials are run.
const MOST_RUNS: usize = 1500;

/// Runs trials and remembers what each plan has shown.
pub(super) struct Shrinker<'a> {
    course: Course<'a>,
    /// No smaller plan is looked for after that; what is told in the end is run all the same.
    until: Instant,
    /// The same for the finding at hand: each has its share of the time.
    until_next: Instant,
    /// The same, for candidates: what is on its way out gets less time, since most trials of
    /// a finding wait for that. What the smallest plan shows is told with all of it.
    quick: &'a Runner<'a>,
    space: &'a Space,
    /// What each run of a plan has found; of one that did not reach its point, nothing.
    known: HashMap<TrialPlan, Vec<Vec<Found>>>,
    runs: usize,
}

/// How often something showed.
fn hits(found: &Found, runs: &[Vec<Found>]) -> u32 {
    let shows = |run: &&Vec<Found>| run.iter().any(|one| found.is_like(one));
    u32::try_from(runs.iter().filter(shows).count()).unwrap_or(u32::MAX)
}

impl<'a> Shrinker<'a> {
    pub(super) fn new(course: Course<'a>, until: Instant, quick: &'a Runner<'a>, space: &'a Space) -> Self {
        Self { course, until, until_next: until, quick, space, known: HashMap::new(), runs: 0 }
    }

    /// Gives every finding the smallest trial that shows it, and says how often that does.
    pub(super) fn shrink_all(&mut self, gatherer: &mut Gatherer) {
        let counts = |known: &&mut Gathered| {
            !known.informational && known.found.severity > Severity::Note && !known.plans.is_empty()
        };
        let mut left = gatherer.all.iter_mut().filter(counts).count();
        for known in gatherer.all.iter_mut().filter(counts) {
            if (self.course.go_on)() {
                let now = Instant::now();
                self.until_next =
                    now + self.until.saturating_duration_since(now) / u32::try_from(left).unwrap_or(1).max(1);
                self.course.progress.shrinking(&known.found.title);
                self.runs = 0;
                self.shrink_one(known);
            }
            left -= 1;
        }
        gatherer.merge();
    }

    fn shrink_one(&mut self, known: &mut Gathered) {
        // What nobody sees again is told as such.
        let Some((start, mut rate)) = self.begin(known) else { return };
        let space = self.space;
        let found = known.found.clone();
        let mut judge = |plans: &[TrialPlan]| self.judge(plans, &found, &mut rate);
        let shrunk = shrink(start.clone(), &|plan| size(space, plan), &|plan| smaller(space, plan), &mut judge);
        let mut least = shrunk.least;
        let mut runs = self.run_last(&least);
        // A test that errs one time in twenty has erred.
        if least != start && f64::from(hits(&found, &runs)) < rate / 4.0 * runs.len() as f64 {
            least = start.clone();
            runs = self.run_last(&least);
        }
        // What the smallest shows may be told in other words.
        let like = runs.iter().flatten().filter(|one| found.is_like(one));
        let Some(mut seen) = like.max_by_key(|one| one.severity).cloned() else { return };
        if known.found.unify(&mut seen) {
            seen.fingerprint.clone_from(&known.found.fingerprint);
        }
        known.found = seen;
        if least != start {
            known.found.evidence.push(format!("made small from {}", Token(start)));
        }
        if !shrunk.whole {
            let why = if (self.course.go_on)() { "the time for that was up" } else { "it was broken off" };
            known.found.evidence.push(format!("there may be a smaller trial: {why}"));
        }
        let hits = hits(&found, &runs);
        known.confirmed = Confirmed::new(hits, u32::try_from(runs.len()).unwrap_or(u32::MAX));
        if hits > 0 && is_tried(self.course) {
            let rate = f64::from(hits) / runs.len() as f64;
            let until = self.until_next;
            let in_time = || (self.course.go_on)() && Instant::now() < until;
            let course = Course { go_on: &in_time, ..self.course };
            known.found.evidence.extend(needless(course, self.quick, &least, &found, rate));
        }
        known.plans.retain(|plan| *plan != least);
        let at_least = format!("{} at {}", least.injection_text(), least.point_text());
        known.points.retain(|point| *point != at_least);
        known.points.insert(0, at_least);
        known.plans.insert(0, least);
    }

    /// The plan to begin with, and how often it shows the finding: of several the one that
    /// does so most often, and of those the smallest.
    fn begin(&mut self, known: &Gathered) -> Option<(TrialPlan, f64)> {
        let mut starts = known.plans.clone();
        starts.sort_by_cached_key(|plan| size(self.space, plan));
        starts.truncate(MOST_STARTS);
        // What was confirmed is tried in any case.
        if let Some(confirmed) = known.plans.first().filter(|plan| !starts.contains(plan)) {
            starts.push(confirmed.clone());
        }
        let mut best: Option<(TrialPlan, u32)> = None;
        for few in starts.chunks(self.course.jobs.div_ceil(2).max(1)) {
            let each = few.iter().flat_map(|plan| std::iter::repeat_n(plan.clone(), RUNS_EACH as usize));
            self.run_each(self.quick, &each.collect::<Vec<_>>(), Duration::ZERO);
            for plan in few {
                let hits = hits(&known.found, self.known.get(plan).map_or(&[], Vec::as_slice));
                if hits > 0 && best.as_ref().is_none_or(|(_, most)| hits > *most) {
                    best = Some((plan.clone(), hits));
                }
            }
            if best.as_ref().is_some_and(|(_, hits)| *hits >= RUNS_EACH) {
                break;
            }
        }
        // Without time to try them, what was confirmed is as good as any.
        let in_time = Instant::now() < self.until_next;
        let confirmed = || {
            let rate = known.confirmed.filter(|confirmed| confirmed.hits() > 0)?.rate();
            Some((known.plans.first()?.clone(), rate))
        };
        let Some((plan, _)) = best else { return if in_time { None } else { confirmed() } };
        let runs = self.run(self.course.runner, &plan, RUNS_BEFORE);
        let hits = hits(&known.found, &runs);
        let rate = f64::from(hits.max(1)) / runs.len().max(1) as f64;
        match self.smaller_known(&known.found, rate) {
            Some(smaller) => Some((smaller, rate)),
            None => Some((plan, rate)),
        }
    }

    /// The smallest plan that was run for another finding and shows this one as often.
    fn smaller_known(&self, found: &Found, rate: f64) -> Option<TrialPlan> {
        let enough =
            |runs: &Vec<Vec<Found>>| runs.len() >= ENOUGH && f64::from(hits(found, runs)) >= rate * runs.len() as f64;
        let known = self.known.iter().filter(|(_, runs)| enough(runs)).map(|(plan, _)| plan);
        known.min_by_key(|plan| size(self.space, plan)).cloned()
    }

    /// Whether a plan shows a finding about as often as before, said as soon as it is sure.
    /// What shows it more often than all before sets the rate for those that follow.
    fn judge(&mut self, plans: &[TrialPlan], found: &Found, rate: &mut f64) -> Judgement {
        let Some(plan) = plans.first() else { return Judgement::Stop };
        if !self.known.contains_key(plan) {
            // Most candidates pass, and trials mostly wait: so several are begun at once.
            let begun = plans.iter().take(self.course.jobs.div_ceil(2));
            let begun: Vec<TrialPlan> = begun.filter(|plan| !self.known.contains_key(*plan)).cloned().collect();
            let twice = begun.iter().flat_map(|plan| [plan.clone(), plan.clone()]);
            self.run_each(self.quick, &twice.collect::<Vec<_>>(), Duration::ZERO);
        }
        let mut test = Sequential::keeps(*rate);
        let (mut told, mut shown) = (0, 0);
        loop {
            let runs = self.known.entry(plan.clone()).or_default();
            for run in runs.iter().skip(told) {
                let shows = hits(found, std::slice::from_ref(run)) > 0;
                told += 1;
                shown += usize::from(shows);
                match test.ran(shows) {
                    Some(true) if told >= ENOUGH => {
                        *rate = rate.max(shown as f64 / told as f64);
                        return Judgement::Fails;
                    }
                    Some(true) => return Judgement::Fails,
                    Some(false) => return Judgement::Passes,
                    None => {}
                }
            }
            let more = u32::try_from(self.course.jobs).unwrap_or(u32::MAX).clamp(2, 8);
            if self.runs >= MOST_RUNS || self.run(self.quick, plan, more).is_empty() {
                return Judgement::Stop;
            }
        }
    }

    /// What these further runs of a plan have found. Fewer, when there is no time for all.
    fn run(&mut self, runner: &Runner<'_>, plan: &TrialPlan, times: u32) -> Vec<Vec<Found>> {
        self.run_each(runner, &vec![plan.clone(); times as usize], Duration::ZERO)
    }

    /// What the runs show that count: with time for survivors to end by themselves. They are
    /// made though the time is up.
    fn run_last(&mut self, plan: &TrialPlan) -> Vec<Vec<Found>> {
        self.run_while(self.course.go_on, self.course.runner, &vec![plan.clone(); RUNS_AFTER as usize], LINGER)
    }

    /// What a run of each of these plans has found.
    fn run_each(&mut self, runner: &Runner<'_>, plans: &[TrialPlan], linger: Duration) -> Vec<Vec<Found>> {
        let (until, go_on) = (self.until_next, self.course.go_on);
        self.run_while(&|| go_on() && Instant::now() < until, runner, plans, linger)
    }

    fn run_while(
        &mut self,
        go_on: &(dyn Fn() -> bool + Sync),
        runner: &Runner<'_>,
        plans: &[TrialPlan],
        linger: Duration,
    ) -> Vec<Vec<Found>> {
        let Course { learned, rules, jobs, .. } = self.course;
        let results = in_parallel(plans, jobs, go_on, &|_, plan| {
            let record = runner.alike(plan, learned, linger).ok()?;
            // What was broken off shows nothing, and is no run.
            if matches!(record.outcome, Outcome::Interrupted | Outcome::Lost(_)) {
                return None;
            }
            let reached = matches!(record.outcome, Outcome::Ended | Outcome::Killed) && record.evidence.delivered;
            Some(if reached { runner.judge(plan, &record, learned, rules).found } else { Vec::new() })
        });
        let results: Vec<Option<Vec<Found>>> = results.into_iter().map(Option::flatten).collect();
        for (plan, found) in plans.iter().zip(&results) {
            self.known.entry(plan.clone()).or_default().extend(found.iter().cloned());
        }
        let found: Vec<Vec<Found>> = results.into_iter().flatten().collect();
        self.runs += found.len();
        found
    }
}
