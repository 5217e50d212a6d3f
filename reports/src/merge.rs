//! Several reports of one piece of work as one: the shards of a run, whichever of them are
//! there. Pure.

use std::collections::BTreeMap;

use crate::escape::escape_terminal;
use crate::gate::Gate;
use crate::model::{Finding, Guarantee, Level, Report, Run, Totals, Verdict, Windows};
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
/// # Errors
/// They do not belong together.
pub fn merge(reports: Vec<Report>) -> Result<Report, MergeError> {
    let shards = shards(&reports)?;
    let is_sharded = shards.is_some();
    let mut reports = reports.into_iter();
    let mut merged = reports.next().ok_or(MergeError::Nothing)?;
    for report in reports {
        if report.quietus != merged.quietus {
            return Err(MergeError::Versions { one: merged.quietus, other: report.quietus });
        }
        merged.started = merged.started.min(report.started);
        merged.guarantee = weaker(merged.guarantee, report.guarantee);
        for run in report.runs {
            match merged.runs.iter_mut().find(|other| other.scenario == run.scenario) {
                None => merged.runs.push(run),
                Some(_) if !is_sharded => return Err(MergeError::SameScenario { scenario: run.scenario }),
                Some(other) => unite(other, run)?,
            }
        }
    }
    let complete = shards.as_ref().is_none_or(|shards| shards.missing().is_empty());
    merged.shards = shards.filter(|_| !complete);
    for run in &mut merged.runs {
        finish(run, complete);
    }
    merged.totals = Totals::of(&merged.runs);
    merged.verdict = match Gate::default().judge(&merged.runs) {
        Verdict::Clean if !complete => Verdict::Inconclusive,
        verdict => verdict,
    };
    Ok(merged)
}

/// The shards of all of them; none where they are whole runs.
fn shards(reports: &[Report]) -> Result<Option<Shards>, MergeError> {
    let first = reports.first().ok_or(MergeError::Nothing)?;
    let Some(Shards { total, .. }) = first.shards else {
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
        for shard in &shards.present {
            if present.contains(shard) {
                return Err(MergeError::Twice { shard: *shard, total });
            }
            present.push(*shard);
        }
    }
    present.sort_unstable();
    Ok(Some(Shards { total, present }))
}

fn weaker(one: Guarantee, other: Guarantee) -> Guarantee {
    let (mut weaker, stronger) = if one.level <= other.level { (one, other) } else { (other, one) };
    if weaker.level == Level::Full || weaker.level == stronger.level {
        let known = weaker.not_audited.clone();
        weaker.not_audited.extend(stronger.not_audited.into_iter().filter(|item| !known.contains(item)));
    }
    weaker
}

/// Adds what another shard has of the same scenario.
fn unite(run: &mut Run, other: Run) -> Result<(), MergeError> {
    let differs = |what| Err(MergeError::OtherRun { scenario: run.scenario.clone(), what });
    if run.agent != other.agent {
        return differs("another command");
    }
    if run.strategy != other.strategy {
        return differs("another strategy");
    }
    let all = |run: &Run| run.trials.len() + usize::try_from(run.elsewhere).unwrap_or(usize::MAX);
    let total = all(run).max(all(&other));
    if run.control.is_none() {
        run.control = other.control;
    }
    if run.map.is_none() {
        run.map = other.map;
    }
    run.windows = run.windows.or(other.windows);
    for note in other.notes {
        if !run.notes.contains(&note) {
            run.notes.push(note);
        }
    }
    if run.verdict == Verdict::Clean {
        run.verdict = other.verdict;
    }
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

/// One finding that two shards have seen.
fn join(one: &mut Finding, other: Finding) {
    one.hits = one.hits.saturating_add(other.hits);
    for point in other.points {
        if !one.points.contains(&point) {
            one.points.push(point);
        }
    }
    let rate = |finding: &Option<crate::Confirmed>| finding.map(crate::Confirmed::rate);
    let better = rate(&other.confirmed) > rate(&one.confirmed);
    // What came again more often leads to it more surely.
    if better {
        (one.confirmed, one.token, one.replay) = (other.confirmed, other.token, other.replay);
        (one.evidence, one.timeline) = (other.evidence, other.timeline);
        (one.title, one.subject) = (other.title, other.subject);
        one.severity = other.severity;
    } else if rate(&one.confirmed) == rate(&other.confirmed) {
        one.severity = one.severity.max(other.severity);
    }
    one.cause = one.cause.take().or(other.cause);
    one.origin = one.origin.take().or(other.origin);
    one.life = one.life.take().or(other.life);
    one.accepted = one.accepted.take().or(other.accepted);
}

/// Puts in order, and counts, what several shards have brought.
fn finish(run: &mut Run, complete: bool) {
    run.trials.sort_by_key(|trial| trial.index);
    if let Some(map) = &run.map {
        run.windows = Some(Windows::of(map, &run.trials));
    }
    let judged = u32::try_from(run.trials.iter().filter(|trial| trial.outcome.reached()).count()).unwrap_or(u32::MAX);
    for finding in &mut run.findings {
        finding.tried = finding.tried.max(judged);
    }
    run.findings.sort_by(|a, b| {
        b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject))
    });
    if complete {
        run.elsewhere = 0;
    }
    run.verdict = match Gate::default().judge_run(run) {
        Verdict::Clean if run.verdict == Verdict::Inconclusive => Verdict::Inconclusive,
        verdict => verdict,
    };
}

#[cfg(test)]
mod tests;
