//! The report as SARIF 2.1.0, for code scanning: GitHub's, and whatever else reads it.
//!
//! All runs of a report become one run of the tool, its codes become rules, and each finding
//! a result at the line of source that made what was left. Two scenarios can share a
//! finding, so the scenario is part of a result's fingerprint.
//!
//! What GitHub takes is bounded in number and size; what does not fit is left out from the
//! least severe on, and said so.

mod result;
mod rules;

use serde_json::{Value, json};

use crate::escape::{escape_terminal, truncate_middle};
use crate::model::{Finding, Report, Run, Verdict};
use crate::phrases;
use crate::repository::Repository;

/// GitHub rejects a run with more results.
const MOST_RESULTS: usize = 25_000;
/// GitHub rejects a larger file. It measures it compressed; others may not.
const MOST_BYTES: usize = 10_000_000;
/// Room for the notification that says how many results were left out.
const ROOM: usize = 1_000;
/// More notes and things that were not audited than this are left to the JSON report.
const MOST_NOTIFICATIONS: usize = 50;
/// A text of the agent is cut to so many characters.
const LONGEST: usize = 1_000;

/// Where the sources of the agent lie, and under which name the results are filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SarifOptions {
    /// Beside whose code findings are shown. GitHub drops results without a file.
    pub repository: Repository,
    /// Results of the same category replace each other from upload to upload.
    pub category: String,
}

impl SarifOptions {
    /// The category is `quietus`.
    #[must_use]
    pub fn new(repository: Repository) -> Self {
        Self { repository, category: "quietus".to_owned() }
    }
}

/// The report as a SARIF log, ended by a newline.
#[must_use]
pub fn render_sarif(report: &Report, options: &SarifOptions) -> String {
    bounded(report, options, MOST_RESULTS, MOST_BYTES)
}

/// The log with at most so many results and bytes; what is about the run itself always stays.
fn bounded(report: &Report, options: &SarifOptions, most_results: usize, most_bytes: usize) -> String {
    let rules = rules::Rules::of(report);
    let mut findings: Vec<(&Run, &Finding)> =
        report.runs.iter().flat_map(|run| run.findings.iter().map(move |finding| (run, finding))).collect();
    // The first ones stay: what counts most.
    findings.sort_by_key(|(_, finding)| result::level(finding));
    let mut notifications = notifications(report);
    let mut used = log(report, options, &rules, &[], &notifications).to_string().len() + ROOM;
    let mut results = Vec::new();
    for (run, finding) in &findings {
        let result = result::result(run, finding, &rules, &options.repository);
        used += result.to_string().len() + ",".len();
        if used > most_bytes || results.len() == most_results {
            break;
        }
        results.push(result);
    }
    let left_out = findings.len() - results.len();
    if left_out > 0 {
        let text = format!("{left_out} of {} findings did not fit; the JSON report has them all", findings.len());
        notifications.push(notification("warning", &text));
    }
    format!("{}\n", log(report, options, &rules, &results, &notifications))
}

fn log(
    report: &Report,
    options: &SarifOptions,
    rules: &rules::Rules,
    results: &[Value],
    notifications: &[Value],
) -> Value {
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Quietus",
                "version": text(&report.quietus),
                "rules": rules.list(),
            } },
            "automationDetails": { "id": format!("{}/", text(&options.category)) },
            "originalUriBaseIds": { "%SRCROOT%": { "description": { "text": "The root of the repository." } } },
            "invocations": [{
                "executionSuccessful": report.verdict != Verdict::Inconclusive,
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
            "properties": {
                "verdict": report.verdict.to_string(),
                "totals": phrases::sum(&report.totals),
                "guarantee": phrases::level(&report.guarantee),
            },
        }],
    })
}

/// What a reader has to know of the runs themselves.
fn notifications(report: &Report) -> Vec<Value> {
    let mut all = Vec::new();
    if report.verdict == Verdict::Inconclusive {
        all.push(notification("error", &format!("inconclusive: {}", phrases::why_inconclusive(report))));
    }
    for item in &report.guarantee.not_audited {
        all.push(notification("note", &format!("not audited: {}: {}", item.what, item.why)));
    }
    for run in &report.runs {
        all.extend(run.notes.iter().map(|note| notification("note", &format!("{}: {note}", run.scenario))));
    }
    all.truncate(MOST_NOTIFICATIONS);
    all
}

fn notification(level: &str, said: &str) -> Value {
    json!({ "level": level, "message": { "text": message(said) } })
}

/// A text of the agent as one line, cut in its middle to what is read.
fn text(text: &str) -> String {
    truncate_middle(&escape_terminal(text), LONGEST)
}

/// [`text()`] inside a message, where `{0}` and `[text](target)` would stand for something.
fn message(said: &str) -> String {
    text(said).replace('{', "{{").replace('}', "}}").replace("](", "] (")
}

#[cfg(test)]
mod tests;
