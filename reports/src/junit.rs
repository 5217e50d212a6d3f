//! The report as JUnit XML, for what shows tests: GitLab, Jenkins and their like.
//!
//! A run is a suite. In it stands one case for the scenario as a whole, which fails only by
//! being inconclusive, and one case for each finding. A finding is called by its fingerprint,
//! the same in every run, so that what reads the file can tell new ones from fixed ones. What further runs
//! make of a finding is told in the words that Surefire has for it: `rerunFailure` and
//! `flakyFailure`.

mod text;

use std::collections::HashSet;
use std::slice;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestRerun, TestSuite, XmlString};

use crate::confirmed::Reproduction;
use crate::escape::truncate_middle;
use crate::gate::Gate;
use crate::model::{Finding, Report, Run, Totals, Verdict};
use crate::phrases;
use crate::shards::Shards;
use text::{about, one_line, whole};

/// The name of the case that stands for the scenario itself.
const WHOLE: &str = "the scenario as a whole";
/// The name of the case that stands for the shards of a run.
const ALL_SHARDS: &str = "all shards are there";
/// Of more further runs that show a finding only so many stand in the file.
const MOST_RERUNS: u32 = 10;
/// A name is cut to so many characters.
const LONGEST_NAME: usize = 200;

/// The report as a JUnit file, ended by a newline. `gate` says which findings fail.
///
/// Warnings and notes under the gate are cases that pass and say what was seen. What an
/// `[[allow]]` accepts is skipped, with its reason.
#[must_use]
pub fn render_junit(report: &Report, gate: Gate) -> String {
    let mut file = quick_junit::Report::new("quietus");
    file.set_time(report.runs.iter().map(time).fold(Duration::ZERO, Duration::saturating_add));
    let mut names = Names::default();
    for run in &report.runs {
        file.add_test_suite(suite(report, run, gate, &mut names));
    }
    if let Some(told) = report.shards.as_ref().and_then(Shards::told_missing) {
        file.add_test_suite(incomplete(&told));
    }
    // Of the others it is not known when they started.
    if let Some(first) = file.test_suites.first_mut() {
        first.timestamp = report.started.parse().ok();
    }
    let text = file.to_string().expect("a string takes all that is written to it");
    // The schema to which Jenkins' xunit plugin holds files knows this count in suites alone.
    text.replacen(&format!(" skipped=\"{}\"", file.skipped), "", 1)
}

/// The names that were given, each with its class, over all suites: scenarios can share a name.
#[derive(Default)]
struct Names(HashSet<(String, String)>);

impl Names {
    /// `name`, with a number where it was given already.
    fn unique(&mut self, class: &str, name: &str) -> String {
        let name = truncate_middle(name, LONGEST_NAME);
        let numbered = |number| if number == 1 { name.clone() } else { format!("{name} ({number})") };
        let mut names = (1_u64..).map(numbered);
        names.find(|name| self.0.insert((class.to_owned(), name.clone()))).expect("numbers do not run out")
    }
}

fn suite(report: &Report, run: &Run, gate: Gate, names: &mut Names) -> TestSuite {
    let class = one_line(&run.scenario);
    let mut suite = TestSuite::new(XmlString::new(&class));
    suite.set_time(time(run));
    suite.add_properties(properties(report, run));
    suite.add_test_case(scenario(run, gate, &class, names));
    // The number that a name may get depends on the order, so this must be the same each time.
    let mut findings: Vec<&Finding> = run.findings.iter().collect();
    findings.sort_by_key(|it| (it.code, &it.fingerprint, &it.subject));
    for found in findings {
        // What is left often has another name in each run and each checkout.
        let name = names.unique(&class, &one_line(&found.fingerprint));
        suite.add_test_case(finding(found, gate, &class, name));
    }
    suite
}

/// What was not run has no cases that could fail, so that shards are missing is one of its own.
fn incomplete(told: &str) -> TestSuite {
    let mut case = TestCase::new(ALL_SHARDS, TestCaseStatus::non_success(NonSuccessKind::Error));
    case.set_classname("quietus");
    case.status.set_type("inconclusive").set_message(told);
    let mut suite = TestSuite::new("quietus");
    suite.add_test_case(case);
    suite
}

/// All trials one after the other, however many ran at once.
fn time(run: &Run) -> Duration {
    Duration::from_micros(run.trials.iter().fold(0, |sum: u64, trial| sum.saturating_add(trial.duration_us)))
}

fn properties(report: &Report, run: &Run) -> Vec<Property> {
    let totals = Totals::of(slice::from_ref(run));
    let mut properties = vec![
        Property::new("agent", truncate_middle(&phrases::command(&run.agent), text::LONGEST)),
        Property::new("strategy", one_line(&run.strategy)),
        Property::new("trials", totals.trials.to_string()),
        Property::new("missed", totals.missed.to_string()),
        Property::new("inconclusive", totals.inconclusive.to_string()),
    ];
    if let Some(windows) = run.windows {
        properties.push(Property::new("windows", windows.total.to_string()));
        properties.push(Property::new("windows covered", windows.covered.to_string()));
        properties.push(Property::new("windows missed", windows.missed.to_string()));
    }
    properties.push(Property::new("guarantee", phrases::level(&report.guarantee)));
    for item in &report.guarantee.not_audited {
        properties.push(Property::new(format!("not audited: {}", one_line(&item.what)), one_line(&item.why)));
    }
    properties.push(Property::new("quietus", one_line(&report.quietus)));
    properties
}

fn scenario(run: &Run, gate: Gate, class: &str, names: &mut Names) -> TestCase {
    let told = whole(run);
    let inconclusive = gate.judge(slice::from_ref(run)) == Verdict::Inconclusive;
    let mut case = TestCase::new(names.unique(class, WHOLE), TestCaseStatus::success());
    case.set_classname(class);
    if inconclusive {
        let why = phrases::why_run_inconclusive(run);
        case.status = TestCaseStatus::non_success(NonSuccessKind::Error);
        case.status.set_type("inconclusive").set_message(why).set_description(told);
    } else {
        case.set_system_out(told);
    }
    case
}

fn finding(finding: &Finding, gate: Gate, class: &str, name: String) -> TestCase {
    let title = one_line(&finding.title);
    let told = about(finding);
    let mut case = TestCase::new(name, TestCaseStatus::success());
    case.set_classname(class);
    if let Some(reason) = &finding.accepted {
        case.status = TestCaseStatus::skipped();
        case.status.set_type("accepted").set_message(one_line(reason)).set_description(told);
    } else if finding.is_not_reproduced() {
        case.status.add_rerun(rerun(finding, &title, told));
    } else if gate.stops(finding) {
        case.status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        case.status.set_type(finding.code.as_str()).set_message(title).set_description(told);
        case.status.add_reruns(further_runs(finding));
    } else {
        case.set_system_out(format!("{}: {title}\n{told}", finding.severity));
    }
    case
}

/// Of a racy finding the further runs that show it: a rate alone is nothing that a reader of
/// JUnit files knows.
fn further_runs(finding: &Finding) -> Vec<TestRerun> {
    let Some(confirmed) = finding.confirmed.filter(|it| it.class() == Reproduction::Racy) else {
        return Vec::new();
    };
    let (hits, runs) = (confirmed.hits(), confirmed.runs());
    let message = |number| {
        format!("{number} of {hits} that show it, of {}", phrases::counted(runs, "further run", "further runs"))
    };
    (1..=hits.min(MOST_RERUNS)).map(|number| rerun(finding, &message(number), phrases::confirmed(confirmed))).collect()
}

fn rerun(finding: &Finding, message: &str, told: String) -> TestRerun {
    let mut rerun = TestRerun::new(NonSuccessKind::Failure);
    rerun.set_type(finding.code.as_str()).set_message(message).set_description(told);
    rerun
}

#[cfg(test)]
mod tests;
