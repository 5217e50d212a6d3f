//! The report as one page of HTML that needs nothing else: no network, no other file.
//!
//! Findings come first, worst first; then each scenario with its strip, on which one sees
//! in which windows something was left. Trials are told together, so that a page of 100,000
//! of them opens at once; what is cut is counted, and is in the JSON report.
//!
//! Every string is escaped by the only writer there is (`markup`), and none goes into a
//! script, a style or a URL. Should that fail all the same, the policy at the head of the
//! page lets no other script or style run than the two that are named there by their hash,
//! and lets nothing be fetched or sent.

mod axis;
mod findings;
mod lives;
mod markup;
mod policy;
mod scenarios;
mod state;
mod strip;
mod tables;
mod timeline;
mod top;

use crate::model::Report;
use markup::Html;
use state::Facts;

/// The whole report as one page.
///
/// ```
/// # let text = r#"{"format":1,"quietus":"0.1.0","started":"2026-07-28T09:30:00+02:00",
/// #   "host":{"os":"linux","kernel":"6.18.1","arch":"x86_64","cpus":2},
/// #   "guarantee":{"level":"full","mechanisms":[],"not_audited":[]},"runs":[],
/// #   "totals":{"trials":0,"missed":0,"inconclusive":0,"errors":0,"warnings":0,"notes":0,"accepted":0},
/// #   "verdict":"inconclusive"}"#;
/// let report = quietus_reports::from_json(text)?;
/// let page = quietus_reports::render_html(&report);
/// assert!(page.starts_with("<!doctype html>"));
/// # Ok::<(), quietus_reports::JsonError>(())
/// ```
#[must_use]
pub fn render_html(report: &Report) -> String {
    let facts: Vec<Facts<'_>> = report.runs.iter().map(Facts::of).collect();
    let mut page = Html::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    policy::head(&mut page);
    page.raw("<title>");
    top::title(&mut page, report);
    page.raw("</title>\n");
    policy::style(&mut page);
    page.raw("</head>\n<body>\n<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n");
    strip::hatches(&mut page);
    top::header(&mut page, report);
    page.raw("<main>\n");
    let numbers = findings::section(&mut page, report, &facts);
    scenarios::section(&mut page, report, &facts, &numbers);
    page.raw(
        "</main>\n<footer><p>Control codes in names and output are shown as escapes, and long text is shortened; ",
    );
    page.raw("the JSON report holds everything as it was.</p></footer>\n");
    page.raw("<p id=\"said\" role=\"status\" class=\"unseen\"></p>\n");
    policy::script(&mut page);
    page.raw("</body>\n</html>\n");
    page.finish()
}

#[cfg(test)]
mod tests;
