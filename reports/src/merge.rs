//! Several reports of one piece of work as one: the shards of a run, whichever of them are
//! there. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::escape::escape_terminal;
use crate::gate::Gate;
use crate::judgement::is_judged;
use crate::map::WindowMap;
use crate::model::{Finding, Guarantee, Report, Run, Totals, Verdict, Windows};
use crate::shards::Shards;

/// Reports cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There are none.
    #[error("there is no report to merge")]
    Nothing,
    /// They were written by different versions.
    #[error("they were written by different versions of quietus: {} and {}", escape_terminal(.one), escape_terminal(.other))]
    Versions {
        /// The version that wrote the first.
        one: String,
        /// Another.
        other: String,
    },
    /// They are of different divisions.
    #[error("they are shards of different divisions: of {one} and of {other}")]
    Divisions {
        /// In how many shards one of them was divided.
        one: u32,
        /// In how many another.
        other: u32,
    },
    /// They are of divisions by other reports, or of other scenarios.
    #[error("they were divided in different ways, so that some of the work is in none of them, and some in several")]
    DividedOtherwise,
    /// Some are shards, and one is not.
    #[error("some are shards and some are not: a whole run cannot be merged with a part of one")]
    NotAShard,
    /// One shard is there twice.
    #[error("shard {shard} of {total} is there twice")]
    Twice {
        /// Which.
        shard: u32,
        /// Of how many.
        total: u32,
    },
    /// Two reports that are no shards hold the same scenario.
    #[error("`{}` is in two of them, and they are not shards of one run", escape_terminal(.scenario))]
    SameScenario {
        /// Its name.
        scenario: String,
    },
    /// A scenario was run in different ways.
    #[error("`{}` was not run in the same way in all of them: {what}", escape_terminal(.scenario))]
    OtherRun {
        /// Its name.
        scenario: String,
        /// What differs.
        what: &'static str,
    },
}

/// All of them as one. Of shards that are missing the report says so, and it is inconclusive
/// unless something was found. Without shards the runs of all are put together.
///
/// In which order shards are given does not matter.
///
/// # Errors
/// They do not belong together.
pub fn merge(mut reports: Vec<Report>) -> Result<Report, MergeError> {
    let shards = shards(&reports)?;
    let is_sharded = shards.is_some();
    if is_sharded {
        reports.sort_by_key(|report| report.shards.as_ref().and_then(|shards| shards.present.first().copied()));
    }
    let count = reports.len();
    let knows_more = reports.iter().any(knows_more);
    if is_sharded {
        excuse(&mut reports);
    }
    let mut reports = reports.into_iter();
    let mut first = reports.next().ok_or(MergeError::Nothing)?;
    let mut runs = Runs::default();
    runs.add(std::mem::take(&mut first.runs), is_sharded)?;
    let mut merged = first;
    for report in reports {
        if report.quietus != merged.quietus {
            return Err(MergeError::Versions { one: merged.quietus, other: report.quietus });
        }
        merged.started = earlier(merged.started, report.started);
        merged.guarantee = weaker(merged.guarantee, report.guarantee);
        runs.add(report.runs, is_sharded)?;
    }
    let complete = shards.as_ref().is_none_or(|shards| shards.missing().is_empty());
    merged.shards = shards.filter(|_| !complete);
    merged.runs = if is_sharded { runs.finish(count, complete) } else { runs.all };
    merged.totals = Totals::of(&merged.runs);
    merged.verdict = match Gate::default().judge(&merged.runs) {
        Verdict::Clean if !complete || knows_more => Verdict::Inconclusive,
        verdict => verdict,
    };
    Ok(merged)
}

/// Whether a report is inconclusive for a reason that its runs do not show.
fn knows_more(report: &Report) -> bool {
    let is_part = report.shards.as_ref().is_some_and(|shards| shards.present.len() > 1);
    report.verdict == Verdict::Inconclusive && !is_part && Gate::default().judge(&report.runs) == Verdict::Clean
}

/// A shard in which most of a few trials missed their points could not be judged, which says
/// nothing of the whole: that is judged by the trials of all. What else made a shard
/// inconclusive is kept, such as an agent that fails undisturbed: it fails so in all shards, or
/// it ends in different ways.
fn excuse(reports: &mut [Report]) {
    let ended = |run: &Run| run.control.as_ref().map(|control| control.ended.clone());
    let judged: BTreeSet<(String, Option<String>)> = reports
        .iter()
        .flat_map(|report| &report.runs)
        .filter(|run| !run.trials.is_empty() && is_judged(run))
        .map(|run| (run.scenario.clone(), ended(run)))
        .collect();
    // Of several shards that were merged before, it is no longer known why.
    let single = |report: &&mut Report| report.shards.as_ref().is_some_and(|shards| shards.present.len() == 1);
    for report in reports.iter_mut().filter(single) {
        for run in report.runs.iter_mut().filter(|run| run.verdict == Verdict::Inconclusive && !run.trials.is_empty()) {
            let by_trials = Gate::default().judge_run(run) == Verdict::Inconclusive;
            if by_trials && judged.contains(&(run.scenario.clone(), ended(run))) {
                run.verdict = Verdict::Clean;
            }
        }
    }
}

/// The runs of all reports. Scenarios may share a name: in every shard they stand in one order.
#[derive(Default)]
struct Runs {
    all: Vec<Run>,
    /// In how many reports each of them is.
    counts: Vec<usize>,
    places: BTreeMap<(String, usize), usize>,
}

impl Runs {
    fn add(&mut self, runs: Vec<Run>, is_sharded: bool) -> Result<(), MergeError> {
        let known = if is_sharded { BTreeMap::new() } else { self.places.clone() };
        let mut alike: BTreeMap<String, usize> = BTreeMap::new();
        for run in runs {
            if known.contains_key(&(run.scenario.clone(), 0)) {
                return Err(MergeError::SameScenario { scenario: run.scenario });
            }
            let which = alike.entry(run.scenario.clone()).or_default();
            let key = (run.scenario.clone(), *which);
            *which += 1;
            let place = *self.places.entry(key).or_insert(self.all.len());
            match (self.all.get_mut(place), self.counts.get_mut(place)) {
                (Some(same), Some(count)) => {
                    unite(same, run)?;
                    *count += 1;
                }
                _ => {
                    self.all.push(run);
                    self.counts.push(1);
                }
            }
        }
        Ok(())
    }

    /// Of shards: each of `reports` should have had each run.
    fn finish(mut self, reports: usize, complete: bool) -> Vec<Run> {
        for (run, count) in self.all.iter_mut().zip(self.counts) {
            if count < reports {
                run.verdict = Verdict::Inconclusive;
                note(run, "not every shard that is here has run it");
            }
            finish(run, complete);
        }
        self.all
    }
}

fn note(run: &mut Run, note: &str) {
    if !run.notes.iter().any(|other| other == note) {
        run.notes.push(note.to_owned());
    }
}

/// The shards of all of them; none where they are whole runs.
fn shards(reports: &[Report]) -> Result<Option<Shards>, MergeError> {
    let first = reports.first().ok_or(MergeError::Nothing)?;
    let Some(Shards { total, division, .. }) = first.shards.clone() else {
        return if reports.iter().any(|report| report.shards.is_some()) {
            Err(MergeError::NotAShard)
        } else {
            Ok(None)
        };
    };
    let mut present = Vec::new();
    for report in reports {
        let shards = report.shards.as_ref().ok_or(MergeError::NotAShard)?;
        if shards.total != total {
            return Err(MergeError::Divisions { one: total, other: shards.total });
        }
        // What says nothing of it is of an older version.
        if let (Some(one), Some(other)) = (&division, &shards.division)
            && one != other
        {
            return Err(MergeError::DividedOtherwise);
        }
        for shard in &shards.present {
            if present.contains(shard) {
                return Err(MergeError::Twice { shard: *shard, total });
            }
            present.push(*shard);
        }
    }
    present.sort_unstable();
    Ok(Some(Shards { total, present, division }))
}

/// The earlier of two moments; offsets may differ.
fn earlier(one: String, other: String) -> String {
    let is_later = match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one > other,
        _ => one > other,
    };
    if is_later { other } else { one }
}

/// What was in force everywhere, and all that was not audited anywhere.
fn weaker(one: Guarantee, other: Guarantee) -> Guarantee {
    let (mut weaker, stronger) = if one.level <= other.level { (one, other) } else { (other, one) };
    if weaker.level == stronger.level {
        weaker.mechanisms.retain(|mechanism| stronger.mechanisms.contains(mechanism));
    }
    for item in stronger.not_audited {
        if !weaker.not_audited.contains(&item) {
            weaker.not_audited.push(item);
        }
    }
    weaker
}

/// Adds what another shard has of the same scenario.
fn unite(run: &mut Run, other: Run) -> Result<(), MergeError> {
    let differs = |what| Err(MergeError::OtherRun { scenario: run.scenario.clone(), what });
    if run.agent != other.agent {
        return differs("another command");
    }
    // One that was given up before its first trial does not know its strategy.
    let given_up = |run: &Run| run.trials.is_empty() && run.verdict == Verdict::Inconclusive;
    if run.strategy != other.strategy && !given_up(run) && !given_up(&other) {
        return differs("another strategy");
    }
    if run.trials.is_empty() && (given_up(run) || !other.trials.is_empty()) {
        (run.kind, run.strategy) = (other.kind, other.strategy.clone());
    }
    let all = |run: &Run| run.trials.len() + usize::try_from(run.elsewhere).unwrap_or(usize::MAX);
    let total = all(run).max(all(&other));
    if run.control.is_none() {
        run.control = other.control;
    }
    match (&run.map, other.map) {
        (None, map) => run.map = map,
        (Some(one), Some(other)) if !is_cut_alike(one, &other) => {
            note(run, "the undisturbed runs of its shards differ; its windows are those of one of them");
        }
        _ => {}
    }
    run.windows = run.windows.or(other.windows);
    for other in other.notes {
        note(run, &other);
    }
    // It stays so whatever is found besides.
    if other.verdict == Verdict::Inconclusive {
        run.verdict = other.verdict;
    }
    run.doubt = run.doubt.or(other.doubt);
    run.trials.extend(other.trials);
    run.elsewhere = u32::try_from(total.saturating_sub(run.trials.len())).unwrap_or(u32::MAX);
    let mut known: BTreeMap<String, usize> =
        run.findings.iter().enumerate().map(|(place, finding)| (finding.fingerprint.clone(), place)).collect();
    for finding in other.findings {
        match known.get(&finding.fingerprint).and_then(|place| run.findings.get_mut(*place)) {
            Some(same) => join(same, finding),
            None => {
                known.insert(finding.fingerprint.clone(), run.findings.len());
                run.findings.push(finding);
            }
        }
    }
    Ok(())
}

/// Whether a number is the same window in both.
fn is_cut_alike(one: &WindowMap, other: &WindowMap) -> bool {
    one.windows.iter().map(|window| window.like).eq(other.windows.iter().map(|window| window.like))
}

/// How much further runs say that it is there. What nobody ran again is as it was seen, which
/// is more than what never came again.
fn strength(finding: &Finding) -> f64 {
    match finding.confirmed {
        Some(confirmed) if confirmed.hits() == 0 => -1.0,
        Some(confirmed) => confirmed.rate(),
        None => 0.0,
    }
}

/// One finding that two shards have seen.
fn join(one: &mut Finding, other: Finding) {
    one.hits = one.hits.saturating_add(other.hits);
    let better = strength(&other).total_cmp(&strength(one));
    let seen: BTreeSet<String> = one.points.iter().cloned().collect();
    one.points.extend(other.points.into_iter().filter(|point| !seen.contains(point)));
    one.accepted = one.accepted.take().filter(|_| other.accepted.is_some());
    // What came again more often leads to it more surely.
    match better {
        Ordering::Greater => {
            (one.confirmed, one.token, one.replay) = (other.confirmed, other.token, other.replay);
            (one.evidence, one.timeline) = (other.evidence, other.timeline);
            (one.title, one.subject) = (other.title, other.subject);
            one.severity = other.severity;
        }
        Ordering::Equal => one.severity = one.severity.max(other.severity),
        Ordering::Less => {}
    }
    one.cause = one.cause.take().or(other.cause);
    one.origin = one.origin.take().or(other.origin);
    one.life = one.life.take().or(other.life);
}

/// Puts in order, and counts, what several shards have brought.
fn finish(run: &mut Run, complete: bool) {
    run.trials.sort_by_key(|trial| trial.index);
    if let Some(map) = &run.map {
        run.windows = Some(Windows::of(map, &run.trials));
    }
    let judged = u32::try_from(run.trials.iter().filter(|trial| trial.outcome.reached()).count()).unwrap_or(u32::MAX);
    let mut order: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, trial) in run.trials.iter().enumerate() {
        order.entry(&trial.point).or_insert(place);
    }
    for finding in &mut run.findings {
        finding.tried = finding.tried.max(judged);
        finding.points.sort_by_key(|point| order.get(point.as_str()).copied().unwrap_or(usize::MAX));
    }
    run.findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject))
    });
    if complete {
        run.elsewhere = 0;
    }
    // That a shard could not be judged only this can say; that something was found the findings
    // say, too, and so does the verdict of the report.
    if run.verdict != Verdict::Inconclusive {
        run.verdict = Gate::default().judge_run(run);
    }
}

#[cfg(test)]
mod tests;
