//! The head of the page: verdict, sums, and under which guarantee; what was not audited.

use super::markup::Html;
use crate::model::{Guarantee, Level, Report, Verdict};
use crate::phrases::{level, sum_of, why_inconclusive};

/// More than this are left to the JSON report.
const MOST_LISTED: usize = 40;

/// What the tab of the browser says.
pub(super) fn title(page: &mut Html, report: &Report) {
    page.short(&report.verdict.to_string()).raw(": ");
    name(page, report);
    page.raw(" – Quietus report");
}

/// What was run, in a few words.
fn name(page: &mut Html, report: &Report) {
    match report.runs.as_slice() {
        [] => page.raw("nothing was run"),
        [run] => page.short(&run.scenario),
        runs => page.number(runs.len()).raw(" scenarios"),
    };
}

/// Writes the header.
pub(super) fn header(page: &mut Html, report: &Report) {
    page.raw("<header>\n<p class=\"brand\">Quietus report</p>\n<h1>");
    name(page, report);
    page.raw("</h1>\n");
    page.raw(match report.verdict {
        Verdict::Clean => "<p class=\"verdict clean\"><strong>clean</strong> ",
        Verdict::Findings => "<p class=\"verdict error\"><strong>findings</strong> ",
        Verdict::Inconclusive => "<p class=\"verdict inconclusive\"><strong>inconclusive</strong> ",
    });
    page.raw("<span>");
    if report.verdict == Verdict::Inconclusive {
        page.raw(why_inconclusive(report)).raw("; ");
    }
    page.text(&sum_of(report)).raw("</span></p>\n");
    facts(page, report);
    not_audited(page, &report.guarantee);
    page.raw("</header>\n");
}

fn facts(page: &mut Html, report: &Report) {
    let host = &report.host;
    page.raw("<dl class=\"facts\">\n<dt>guarantee</dt><dd>").raw(level(&report.guarantee));
    if !report.guarantee.mechanisms.is_empty() {
        page.raw(" (").text(&report.guarantee.mechanisms.join(", ")).raw(")");
    }
    page.raw("</dd>\n<dt>host</dt><dd>").short(&host.os).raw(" ").short(&host.kernel).raw(", ").short(&host.arch);
    page.raw(", ").number(host.cpus).raw(if host.cpus == 1 { " CPU" } else { " CPUs" }).raw("</dd>\n");
    page.raw("<dt>started</dt><dd>").short(&report.started).raw("</dd>\n<dt>version</dt><dd>Quietus ");
    page.short(&report.quietus).raw(", report format ").number(report.format.0).raw("</dd>\n</dl>\n");
}

fn not_audited(page: &mut Html, guarantee: &Guarantee) {
    if guarantee.not_audited.is_empty() && guarantee.level == Level::Full {
        page.raw("<p class=\"audited\">Not audited: nothing that Quietus knows of was left out.</p>\n");
        return;
    }
    page.raw(
        "<section class=\"not-audited\" aria-labelledby=\"not-audited\">\n<h2 id=\"not-audited\">Not audited</h2>\n",
    );
    page.raw(
        "<p>The verdict says nothing about these. <code>quietus doctor</code> says how to audit them.</p>\n<ul>\n",
    );
    for item in guarantee.not_audited.iter().take(MOST_LISTED) {
        page.raw("<li><b>").short(&item.what).raw("</b>: ").text(&item.why).raw("</li>\n");
    }
    if guarantee.not_audited.is_empty() {
        page.raw("<li>What only a sealed cell can see.</li>\n");
    }
    page.raw("</ul>\n");
    if guarantee.not_audited.len() > MOST_LISTED {
        page.raw("<p class=\"more\">… ").number(guarantee.not_audited.len() - MOST_LISTED);
        page.raw(" more are in the JSON report.</p>\n");
    }
    page.raw("</section>\n");
}
