//! A report under a policy and a baseline: what fails, what is let pass, and what that comes
//! to. Pure; the day is an argument.

mod told;

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::baseline::Baseline;
use crate::compared::{Compared, Known};
use crate::escape::escape_terminal;
use crate::model::{Finding, Level, Report, Run, Severity, Verdict};
use crate::phrases;
use crate::policy::{Allowed, Policy};

/// An accepted finding is told of so many days before that ends.
pub const SOON_DAYS: i32 = 14;

/// What a gate says of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it passes: findings when something fails, inconclusive when not enough was
    /// judged to say so.
    pub verdict: Verdict,
    /// The findings that fail, with the names of their scenarios.
    pub failing: Vec<(String, Finding)>,
    /// What else fails, a sentence each.
    pub reasons: Vec<String>,
    /// What fails nothing and should be known, a sentence each.
    pub warnings: Vec<String>,
    /// What is new, known and fixed, where there is a baseline.
    pub compared: Option<Compared>,
}

/// Why a finding of a report fails nothing under a gate.
const KNOWN: &str = "known from the baseline";
const LET_PASS: &str = "let pass by the policy";

impl Judgement {
    /// The report as this judgement has it, for forms that only know a report: what fails is an
    /// error, and all else that would count is accepted, with the reason.
    #[must_use]
    pub fn applied_to(&self, report: &Report) -> Report {
        let mut judged = report.clone();
        for run in &mut judged.runs {
            for finding in &mut run.findings {
                let is = |(scenario, other): &&(String, Finding)| {
                    *scenario == run.scenario && other.fingerprint == finding.fingerprint
                };
                if self.failing.iter().any(|failing| is(&failing)) {
                    finding.severity = Severity::Error;
                } else if finding.severity == Severity::Error && finding.accepted.is_none() {
                    let is = |known: &Known| known.scenario == run.scenario && known.fingerprint == finding.fingerprint;
                    let known = self.compared.as_ref().is_some_and(|compared| compared.known.iter().any(is));
                    finding.accepted = Some(if known { KNOWN } else { LET_PASS }.to_owned());
                }
            }
            run.verdict = match crate::Gate::default().judge_run(run) {
                Verdict::Clean if run.verdict == Verdict::Inconclusive => Verdict::Inconclusive,
                verdict => verdict,
            };
        }
        judged.totals = crate::Totals::of(&judged.runs);
        judged.verdict = self.verdict;
        judged
    }

    /// 0 passes, 1 fails, 3 inconclusive.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Clean => 0,
            Verdict::Findings => 1,
            Verdict::Inconclusive => 3,
        }
    }
}

/// What is said of one finding.
enum Ruling<'p> {
    /// It fails.
    Fails,
    /// It fails since nothing accepts it any more.
    Expired(&'p Allowed),
    /// It fails nothing, and why that is told.
    Passes(Option<String>),
}

/// Judges a report. Without a baseline every finding is new.
#[must_use]
pub fn judge(report: &Report, policy: &Policy, baseline: Option<&Baseline>, today: Date) -> Judgement {
    let compared = baseline.map(|baseline| baseline.compare(report));
    let missing = report.shards.as_ref().map(crate::Shards::missing).unwrap_or_default();
    let (mut failing, mut expired) = (Vec::new(), Vec::new());
    let (mut warnings, mut reasons) = (Vec::new(), Vec::new());
    let mut used = vec![false; policy.allow.len()];
    for run in &report.runs {
        for finding in &run.findings {
            match rule(run, finding, policy, compared.as_ref(), today, &mut used) {
                Ruling::Fails => failing.push((run, finding)),
                Ruling::Expired(allowed) => {
                    reasons.push(format!(
                        "{} is no longer accepted ({}): that ended on {}",
                        named(run, finding),
                        escape_terminal(&allowed.reason),
                        allowed.expires.map_or_else(String::new, |day| day.to_string()),
                    ));
                    expired.push((run, finding));
                }
                Ruling::Passes(why) => warnings.extend(why),
            }
        }
        if !is_judged(run) {
            warnings.push(format!("{}: {}", escape_terminal(&run.scenario), phrases::why_run_inconclusive(run)));
        }
        // Of a part of the windows nothing is to be said.
        if missing.is_empty() {
            reasons.extend(coverage(run, policy));
        }
    }
    // What was accepted until a day was not meant to be let pass after it.
    if failing.len() <= usize::try_from(policy.max_findings).unwrap_or(usize::MAX) {
        let passes = |(run, finding)| format!("{} (max_findings = {})", named(run, finding), policy.max_findings);
        warnings.extend(failing.drain(..).map(passes));
    } else if policy.max_findings > 0 {
        reasons.push(format!("{} findings are more than max_findings = {}", failing.len(), policy.max_findings));
    }
    warnings.extend(baseline.and_then(|baseline| not_run(baseline, report)));
    failing.append(&mut expired);
    if policy.guarantee == Some(Level::Full) && report.guarantee.level == Level::Portable {
        reasons.push(
            "the guarantee was portable, and the policy asks for the full one: `quietus doctor` says how to get it"
                .to_owned(),
        );
    }
    warnings.extend(report.shards.as_ref().and_then(crate::Shards::told_missing));
    // The engine may know more than the runs show.
    let unjudged = report.verdict == Verdict::Inconclusive
        || report.runs.is_empty()
        || !report.runs.iter().all(is_judged)
        || !missing.is_empty();
    warnings.extend(about_allows(policy, report, &used, unjudged, today));
    let verdict = if !failing.is_empty() || !reasons.is_empty() {
        Verdict::Findings
    } else if unjudged {
        Verdict::Inconclusive
    } else {
        Verdict::Clean
    };
    let failing = failing.into_iter().map(|(run, finding)| (run.scenario.clone(), finding.clone())).collect();
    Judgement { verdict, failing, reasons, warnings, compared }
}

/// What a baseline knows of scenarios of which the report has nothing.
fn not_run(baseline: &Baseline, report: &Report) -> Option<String> {
    let was_run = |one: &&Known| report.runs.iter().any(|run| run.scenario == one.scenario);
    let known: Vec<&Known> = baseline.known.iter().filter(|one| !was_run(one)).collect();
    let names: BTreeSet<&str> = known.iter().map(|one| one.scenario.as_str()).collect();
    let mut shown: Vec<String> = names.iter().take(MOST_NAMES).map(|name| escape_terminal(name)).collect();
    if names.len() > MOST_NAMES {
        shown.push(format!("and {} more", names.len() - MOST_NAMES));
    }
    let (findings, are) = if known.len() == 1 { ("finding", "is") } else { ("findings", "are") };
    let told = format!("{} known {findings} {are} of scenarios that were not run: {}", known.len(), shown.join(", "));
    (!known.is_empty()).then_some(told)
}

/// Of more scenarios than these the rest is counted.
const MOST_NAMES: usize = 5;

/// Whether a run could be judged: what was found in it says nothing about that.
#[must_use]
pub fn is_judged(run: &Run) -> bool {
    let gate = crate::Gate::default();
    let by_trials = match gate.judge_run(run) {
        Verdict::Findings => gate.judge_run(&Run { findings: Vec::new(), map: None, ..run.clone() }),
        verdict => verdict,
    };
    run.verdict != Verdict::Inconclusive && by_trials != Verdict::Inconclusive
}

fn named(run: &Run, finding: &Finding) -> String {
    format!("{}: {} in {}", finding.code, escape_terminal(&finding.title), escape_terminal(&run.scenario))
}

fn rule<'p>(
    run: &Run,
    finding: &Finding,
    policy: &'p Policy,
    compared: Option<&Compared>,
    today: Date,
    used: &mut [bool],
) -> Ruling<'p> {
    // What fits something that fails nothing today is not useless.
    let fitting: Vec<&Allowed> = policy
        .allow
        .iter()
        .zip(used)
        .filter(|(allowed, _)| fits(allowed, run, finding))
        .map(|(allowed, used)| {
            *used = true;
            allowed
        })
        .collect();
    if finding.accepted.is_some() || finding.is_not_reproduced() {
        return Ruling::Passes(None);
    }
    let told = || named(run, finding);
    let by_code = policy.codes.fail.contains(&finding.code);
    let by_severity = finding.severity > Severity::Note && finding.severity >= policy.severity;
    if policy.codes.warn.contains(&finding.code) {
        return Ruling::Passes((by_severity).then(|| format!("{} (codes.warn)", told())));
    }
    if !by_code && !by_severity {
        return Ruling::Passes((finding.severity > Severity::Note).then(told));
    }
    let is_over = |allowed: &&Allowed| allowed.expires.is_some_and(|last| last < today);
    if let Some(allowed) = fitting.iter().copied().find(|allowed| !is_over(allowed)) {
        return Ruling::Passes(Some(format!("{} is accepted: {}", told(), escape_terminal(&allowed.reason))));
    }
    let is = |known: &Known| known.scenario == run.scenario && known.fingerprint == finding.fingerprint;
    if compared.is_some_and(|compared| compared.known.iter().any(is)) {
        return Ruling::Passes(None);
    }
    // The one that ended last.
    if let Some(allowed) = fitting.into_iter().max_by_key(|allowed| allowed.expires) {
        return Ruling::Expired(allowed);
    }
    let rate = finding.confirmed.map(crate::Confirmed::rate);
    match (policy.max_racy_rate, rate) {
        (Some(most), Some(rate)) if rate <= most && rate < 1.0 => {
            Ruling::Passes(Some(format!("{} comes in {} of its runs (max_racy_rate)", told(), percent(rate))))
        }
        _ => Ruling::Fails,
    }
}

fn fits(allowed: &Allowed, run: &Run, finding: &Finding) -> bool {
    allowed.code == finding.code
        && allowed.subject.as_ref().is_none_or(|glob| glob.fits(&finding.subject))
        && allowed.scenario.as_ref().is_none_or(|glob| glob.fits(&run.scenario))
}

/// What too few trials have reached.
fn coverage(run: &Run, policy: &Policy) -> Vec<String> {
    let mut reasons = Vec::new();
    let share = |part: u32, of: u32| f64::from(part) / f64::from(of.max(1));
    if let (Some(least), Some(windows)) = (policy.min_coverage, run.windows)
        && share(windows.covered, windows.total) < least
    {
        reasons.push(format!(
            "{}: {} of {} windows were covered, less than {}",
            escape_terminal(&run.scenario),
            windows.covered,
            windows.total,
            percent(least)
        ));
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let missed = count(run.trials.iter().filter(|trial| trial.outcome == crate::Outcome::Missed).count());
    let all = count(run.trials.len());
    if let Some(most) = policy.max_missed
        && share(missed, all) > most
    {
        reasons.push(format!(
            "{}: {missed} of {all} trials missed their points, more than {}",
            escape_terminal(&run.scenario),
            percent(most)
        ));
    }
    reasons
}

fn percent(share: f64) -> String {
    format!("{} %", (share * 1000.0).round() / 10.0)
}

/// What is to be said of what is accepted: it ends soon, or there is nothing like it.
fn about_allows(policy: &Policy, report: &Report, used: &[bool], unjudged: bool, today: Date) -> Vec<String> {
    let mut warnings = Vec::new();
    for (allowed, used) in policy.allow.iter().zip(used) {
        let mut what = allowed.code.to_string();
        if let Some(subject) = &allowed.subject {
            what = format!("{what} {}", escape_terminal(subject.text()));
        }
        if let Some(scenario) = &allowed.scenario {
            what = format!("{what} in {}", escape_terminal(scenario.text()));
        }
        let was_run =
            allowed.scenario.as_ref().is_none_or(|glob| report.runs.iter().any(|run| glob.fits(&run.scenario)));
        let left = allowed.expires.and_then(|last| Some(today.until(last).ok()?.get_days()));
        match left {
            // What was not looked at may still have it.
            _ if !used && unjudged => {}
            _ if !used && !was_run => warnings.push(format!("[[allow]] {what} fits no scenario that was run")),
            _ if !used => warnings.push(format!("[[allow]] {what} fits no finding: it may be taken out")),
            None => warnings.push(format!("[[allow]] {what} never ends: `expires` gives it a last day")),
            Some(days @ 0..=SOON_DAYS) => {
                let last = allowed.expires.map_or_else(String::new, |day| day.to_string());
                let days = match days {
                    0 => "today".to_owned(),
                    1 => "tomorrow".to_owned(),
                    days => format!("in {days} days"),
                };
                warnings.push(format!("[[allow]] {what} ends {days}, on {last}"));
            }
            _ => {}
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
