//! Trials of a future at random: cancels anywhere, a second one in the cleanup, other orders of
//! polls. What is found is made as small as it can be, and run again to say how often it shows.

use super::cancelling::Course;
use super::judge::{judge, varies};
use super::once::{Ask, Seen};
use super::plan::{By, MOST_POLLS, Moment, Order, Plan, Polls};
use super::smaller::{size, smaller};
use super::space::FutureSpace;
use super::sweep::{Gathered, Sweep, smallest};
use crate::audit::Found;
use crate::fuzz::{Chances, Fuzzer, Judgement, Learned, Sequential, shrink};
use proptest::collection::vec;
use quietus_reports::{Code, Confirmed, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Undisturbed runs in other orders, from which is learned what depends on the order alone.
const ORDERS: u64 = 16;
/// Findings are made small for as long as they were looked for, but at least so long.
const SHRINK_FOR: Duration = Duration::from_secs(20);
/// How often the plan that is begun with is run, and the smallest.
const RUNS_BEFORE: u32 = 5;
const RUNS_AFTER: u32 = 20;
/// No more pairs of polls are told apart in one trial.
const MOST_PAIRS: usize = 256;

/// Makes so many trials at random, or as many as there is time for. What is to be told
/// besides goes to `notes`.
pub(super) fn fuzz(
    sweep: &mut Sweep<'_>,
    control: &Seen,
    turns: u32,
    trials: u32,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let began = Instant::now();
    let seed = sweep.wanted.seed;
    notes.push(format!("seed {seed}"));
    let space = FutureSpace::of(control, &sweep.wanted.how, turns);
    if space.is_empty() {
        return Ok(());
    }
    let by_order = by_order(sweep, control, seed, notes)?;
    let mut fuzzer = Fuzzer::new(space, seed, true);
    let mut left = trials;
    while left > 0 && sweep.wanted.budget.is_none_or(|budget| began.elapsed() < budget) {
        let plan = fuzzer.next_plan();
        let seen = sweep.trial(plan)?;
        left -= 1;
        if seen.cancelled {
            let found = sweep.trials.last().map_or(&[][..], |trial| &trial.findings);
            fuzzer.learn(&plan, showing(plan, &seen, found));
        }
    }
    if left > 0 {
        notes.push(format!("{left} trials were not made: the budget was used up"));
    }
    let until = Instant::now() + began.elapsed().max(SHRINK_FOR);
    let mut asides = BTreeSet::new();
    for mut known in std::mem::take(&mut sweep.gathered) {
        match make_small(sweep, &mut known, until)? {
            None => sweep.gathered.push(known),
            Some(order) => {
                sweep.forget(&known.found.fingerprint);
                let (order, title) = (told(order), known.found.title);
                asides.insert(format!("in another order of polls, where nothing is cancelled ({order}): {title}"));
            }
        }
    }
    let dropped = sweep.drop_results(&by_order);
    if !dropped.is_empty() {
        let names = dropped.into_iter().collect::<Vec<_>>().join(", ");
        asides.insert(format!("not the same in each order of polls, so not compared: {names}"));
    }
    notes.extend(asides);
    Ok(())
}

/// What differs with the order of polls where nothing is cancelled: subjects of findings.
fn by_order(
    sweep: &mut Sweep<'_>,
    control: &Seen,
    seed: u64,
    notes: &mut Vec<String>,
) -> Result<BTreeSet<String>, String> {
    let mut varying = BTreeSet::new();
    let polls = u32::try_from(control.polled.len()).unwrap_or(u32::MAX).max(1);
    for number in 0..ORDERS {
        // Not the chances of the trials, which count from 0.
        let late = Chances::of(seed, u64::MAX - number).draw(&vec(1..=polls, 1..=MOST_POLLS)).unwrap_or_default();
        let order = Order { late: Polls::of(late), early: Polls::default() };
        let seen = sweep.once(Plan { order, ..Plan::default() }, Ask::default())?;
        varying.extend(varies(control, &seen));
        let what = match seen.course {
            Course::Panicked(said) => format!("panics: {said}"),
            Course::OutOfTime => "does not end".to_owned(),
            Course::Finished(_) | Course::Cancelled => continue,
        };
        notes.push(format!("in another order of polls, where nothing is cancelled ({}), it {what}", told(order)));
        break;
    }
    Ok(varying)
}

/// An order as it stands in a token.
fn told(order: Order) -> String {
    order.to_string().trim_start_matches('/').to_owned()
}

/// What a trial has shown, in words that are the same for trials which are alike: how and at
/// what kind of moment it was cancelled and how it went on, what was found, who was polled
/// after whom.
fn showing(plan: Plan, seen: &Seen, found: &[String]) -> Learned<u32> {
    let mut shows = BTreeSet::new();
    let mut after = Vec::new();
    if let Some(first) = plan.first {
        let kind = match first.at.moment {
            Moment::Await(nth) => format!("await {nth}"),
            Moment::Wake(nth) => format!("wake {nth}"),
            Moment::Time(_) => "time".to_owned(),
            Moment::Turn(_) => "turn".to_owned(),
        };
        let second = if plan.second.is_some() { ", again" } else { "" };
        shows.insert(format!("{} at {kind} of {}{second}: {:?}", first.by, first.at.task, seen.course));
        if let (By::Token, Moment::Await(nth) | Moment::Wake(nth)) = (first.by, first.at.moment) {
            let cleanup = seen.awaits.saturating_sub(nth);
            shows.insert(format!("a cleanup of {cleanup}"));
            after.push(cleanup);
        }
    }
    shows.extend(found.iter().cloned());
    // The how manieth poll of each it was.
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    let mut before = None;
    for who in seen.polled.iter().take(MOST_PAIRS) {
        let count = counts.entry(*who).or_default();
        *count += 1;
        let this = (*who, *count);
        if let Some((other, nth)) = before.replace(this) {
            shows.insert(format!("{other}#{nth} then {}#{}", this.0, this.1));
        }
    }
    Learned { shows, after }
}

/// Runs of one plan, from which it is known how often something shows.
struct Runs<'s, 'a> {
    sweep: &'s mut Sweep<'a>,
    found: Found,
    until: Instant,
}

impl Runs<'_, '_> {
    /// Whether it shows in one more run; none if that did not come to its point.
    fn shows(&mut self, plan: Plan, ask: Ask<'_>) -> Result<(Option<bool>, Seen), String> {
        let (seen, found) = self.sweep.look(plan, ask)?;
        let shows = found.into_iter().any(|mut one| self.found.clone().unify(&mut one));
        Ok((seen.cancelled.then_some(shows), seen))
    }

    /// In how many of so many runs it shows.
    fn count(&mut self, plan: Plan, runs: u32) -> Result<(u32, u32, Option<String>), String> {
        let (mut hits, mut reached, mut line) = (0, 0, None);
        for _ in 0..runs {
            let (shows, seen) = self.shows(plan, Ask { waits: true, ..Ask::default() })?;
            hits += u32::from(shows == Some(true));
            reached += u32::from(shows.is_some());
            line = line.or(seen.line);
        }
        Ok((hits, reached, line))
    }

    /// Whether it shows about as often as before.
    fn judge(&mut self, plan: Plan, rate: f64) -> Result<Judgement, String> {
        let mut test = Sequential::keeps(rate);
        loop {
            if Instant::now() >= self.until {
                return Ok(Judgement::Stop);
            }
            let (shows, _) = self.shows(plan, Ask::default())?;
            match test.ran(shows == Some(true)) {
                Some(true) => return Ok(Judgement::Fails),
                Some(false) => return Ok(Judgement::Passes),
                None => {}
            }
        }
    }
}

/// Makes the trial of a finding as small as it can be, and says how often that shows it; or the
/// order of polls in which it shows where nothing is cancelled, too.
fn make_small(sweep: &mut Sweep<'_>, known: &mut Gathered, until: Instant) -> Result<Option<Order>, String> {
    let Some(start) = smallest(&known.plans) else { return Ok(None) };
    let how = &sweep.wanted.how;
    let mut runs = Runs { sweep, found: known.found.clone(), until };
    let (hits, reached, line) = runs.count(start, RUNS_BEFORE)?;
    known.line = line;
    if hits == 0 || known.found.severity <= Severity::Note {
        known.confirmed = Confirmed::new(hits, reached);
        return Ok(None);
    }
    let rate = f64::from(hits) / f64::from(reached.max(1));
    let mut failed = None;
    let mut judge = |plans: &[Plan]| match plans.first().map(|plan| runs.judge(*plan, rate)) {
        Some(Ok(judgement)) => judgement,
        Some(Err(why)) => {
            failed = Some(why);
            Judgement::Stop
        }
        None => Judgement::Stop,
    };
    let shrunk = shrink(start, &size, &|plan| smaller(plan, how), &mut judge);
    if let Some(why) = failed {
        return Err(why);
    }
    let least = shrunk.least;
    // What shows without a cancel is none of its doing.
    if !least.order.is_usual() {
        let alone = Plan { order: least.order, ..Plan::default() };
        let seen = runs.sweep.once(alone, Ask::default())?;
        if shows_alone(&known.found, &seen, runs.sweep) {
            return Ok(Some(least.order));
        }
    }
    let (hits, reached, line) = runs.count(least, RUNS_AFTER)?;
    known.confirmed = Confirmed::new(hits, reached);
    known.line = line.or(known.line.take());
    if least != start {
        known.found.evidence.push(format!("made small from {start}"));
    }
    if !shrunk.whole {
        known.found.evidence.push("there may be a smaller trial: the time for that was up".to_owned());
    }
    if !known.plans.contains(&least) {
        known.plans.push(least);
    }
    Ok(None)
}

/// Whether a run in which nothing is cancelled shows this.
fn shows_alone(found: &Found, seen: &Seen, sweep: &Sweep<'_>) -> bool {
    let ends = match found.code {
        Code::Hang => seen.course == Course::OutOfTime,
        Code::Crashed => matches!(seen.course, Course::Panicked(_)),
        _ => false,
    };
    let nothing = Plan::default();
    ends || judge(nothing, seen, sweep.expected(nothing)).into_iter().any(|mut one| found.clone().unify(&mut one))
}
