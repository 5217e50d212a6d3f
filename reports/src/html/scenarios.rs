//! One section for each scenario: its verdict and sums in a line, and folded below it how it
//! ran undisturbed, the strip, and the tables.

use std::collections::HashMap;

use super::findings::Place;
use super::markup::Html;
use super::state::Facts;
use super::strip;
use super::tables::{self, Bounds};
use crate::map::WindowMap;
use crate::model::{AgentKind, Control, Outcome, Report, Run, Totals, Verdict};
use crate::phrases::{command, counted, duration};

/// More scenarios than this are left to the JSON report.
pub(super) const MOST: usize = 1_000;
/// No further scenario has its tables and its strip when the page has so many bytes.
const MOST_BYTES: usize = 3_200_000;
/// Scenarios are open when there are no more than these.
const OPEN: usize = 2;
/// Rows of all tables of one sort, shared by the scenarios.
const ROWS: usize = 4_000;
/// What the control leaves, and notes: more are left to the JSON report.
const MOST_LISTED: usize = 12;

/// Writes the section.
pub(super) fn section(page: &mut Html, report: &Report, facts: &[Facts<'_>], numbers: &HashMap<Place, usize>) {
    page.raw("<section aria-labelledby=\"scenarios\">\n<h2 id=\"scenarios\" tabindex=\"-1\">Scenarios</h2>\n");
    if report.runs.is_empty() {
        page.raw("<p class=\"empty\">Nothing was run.</p>\n");
    }
    if report.runs.len() > 1 {
        filters(page);
    }
    if report.runs.iter().any(|run| drawable(run).is_some()) {
        switch(page);
        strip::legend(page);
    }
    let rows = (ROWS / report.runs.len().max(1)).clamp(12, 200);
    for (number, (run, facts)) in report.runs.iter().zip(facts).take(MOST).enumerate() {
        scenario(page, run, facts, Bounds { numbers, run: number, rows }, report.runs.len() <= OPEN);
    }
    if report.runs.len() > MOST {
        page.raw("<p class=\"more\">… ").number(report.runs.len() - MOST);
        page.raw(" more scenarios are in the JSON report.</p>\n");
    }
    page.raw("</section>\n");
}

/// The name of a scenario, as a link to its section if that is on the page.
pub(super) fn link(page: &mut Html, number: usize, name: &str) {
    if number < MOST {
        page.raw("<a href=\"#r").number(number + 1).raw("\">").short(name).raw("</a>");
    } else {
        page.short(name);
    }
}

/// The map, if there is something to draw.
fn drawable(run: &Run) -> Option<&WindowMap> {
    run.map.as_ref().filter(|map| !map.windows.is_empty())
}

fn filters(page: &mut Html) {
    page.raw(
        "<fieldset class=\"filter\"><legend>Show scenarios with verdict</legend>
<label><input type=\"checkbox\" id=\"show-run-findings\" checked> findings</label>
<label><input type=\"checkbox\" id=\"show-run-inconclusive\" checked> inconclusive</label>
<label><input type=\"checkbox\" id=\"show-run-clean\" checked> clean</label>
</fieldset>
",
    );
}

fn switch(page: &mut Html) {
    page.raw(
        "<fieldset class=\"filter\"><legend>Windows</legend>
<label><input type=\"radio\" name=\"axis\" id=\"axis-time\" checked> by time</label>
<label><input type=\"radio\" name=\"axis\" id=\"axis-order\"> in order, equally wide</label>
</fieldset>
<p class=\"remark\">A strip is one undisturbed run, cut where something comes or goes. The higher a window, the worse \
what was left when the agent was terminated in it; what could not be judged is hatched. By time, short windows are drawn \
wider than they were.</p>
",
    );
}

fn scenario(page: &mut Html, run: &Run, facts: &Facts<'_>, bounds: Bounds<'_>, open: bool) {
    page.raw(match run.verdict {
        Verdict::Clean => "<details class=\"run r-clean\"",
        Verdict::Findings => "<details class=\"run r-findings\"",
        Verdict::Inconclusive => "<details class=\"run r-inconclusive\"",
    });
    page.raw(if open { " open>" } else { ">" }).raw("<summary><h3>");
    verdict(page, run.verdict);
    page.raw(" <span class=\"title\">").short(&run.scenario).raw("</span></h3> <span class=\"sum\">");
    page.short(&sum(run)).raw("</span></summary>\n<div class=\"body\" id=\"r").number(bounds.run + 1).raw("\">\n");
    if page.len() > MOST_BYTES {
        page.raw(
            "<p class=\"more\">This page is long enough: the trials of this scenario are in the JSON report.</p>\n",
        );
    } else {
        details(page, run, facts, bounds);
    }
    page.raw("</div></details>\n");
}

/// A verdict as a word in its colour.
pub(super) fn verdict(page: &mut Html, verdict: Verdict) {
    page.raw(match verdict {
        Verdict::Clean => "<b class=\"tag clean\">clean</b>",
        Verdict::Findings => "<b class=\"tag error\">findings</b>",
        Verdict::Inconclusive => "<b class=\"tag inconclusive\">inconclusive</b>",
    });
}

/// `2 errors, 1 warning in 16 trials`.
fn sum(run: &Run) -> String {
    let totals = Totals::of(std::slice::from_ref(run));
    crate::phrases::sum(&totals)
}

fn details(page: &mut Html, run: &Run, facts: &Facts<'_>, bounds: Bounds<'_>) {
    about(page, run);
    own_findings(page, run, bounds);
    let Some(map) = drawable(run) else {
        page.raw(
            "<p class=\"remark\">There is no map of windows of this run: its trials are told by their points.</p>\n",
        );
        tables::points(page, facts, bounds);
        return;
    };
    strip::strip(page, run, map, facts, bounds.run, bounds.rows.min(60));
    page.raw("<details class=\"tables\"><summary>Windows and lives as tables</summary>\n");
    tables::windows(page, map, facts, bounds);
    tables::lives(page, run, map, facts, bounds);
    page.raw("</details>\n");
    if !facts.points.is_empty() {
        page.raw("<details class=\"tables\"><summary>Trials that were made for no window</summary>\n");
        tables::points(page, facts, bounds);
        page.raw("</details>\n");
    }
}

fn about(page: &mut Html, run: &Run) {
    page.raw("<dl>\n<dt>agent</dt><dd><code>").text(&command(&run.agent)).raw("</code></dd>\n<dt>kind</dt><dd>");
    page.raw(match run.kind {
        AgentKind::Job => "job",
        AgentKind::Server => "server",
        AgentKind::Session => "session",
    });
    page.raw("</dd>\n<dt>strategy</dt><dd>").short(&run.strategy).raw("</dd>\n");
    if let Some(control) = &run.control {
        undisturbed(page, control);
    }
    if let Some(windows) = run.windows {
        page.raw("<dt>windows</dt><dd>").number(windows.covered).raw(" of ").number(windows.total).raw(" covered");
        if windows.missed > 0 {
            page.raw(", ").number(windows.missed).raw(" missed");
        }
        page.raw("</dd>\n");
    }
    page.raw("<dt>trials</dt><dd>");
    outcomes(page, run);
    page.raw("</dd>\n");
    for note in run.notes.iter().take(MOST_LISTED) {
        page.raw("<dt>note</dt><dd>").text(note).raw("</dd>\n");
    }
    if run.notes.len() > MOST_LISTED {
        page.raw("<dt>notes</dt><dd class=\"more\">… ").number(run.notes.len() - MOST_LISTED);
        page.raw(" more in the JSON report</dd>\n");
    }
    page.raw("</dl>\n");
}

fn undisturbed(page: &mut Html, control: &Control) {
    page.raw("<dt>undisturbed</dt><dd>").text(&control.ended).raw(" after ").text(&duration(control.duration_us));
    page.raw(" (").text(&counted(control.runs, "run", "runs")).raw(")</dd>\n<dt>leaves</dt><dd>");
    if control.leaves.is_empty() {
        page.raw("nothing");
    }
    for (i, name) in control.leaves.iter().take(MOST_LISTED).enumerate() {
        page.raw(if i == 0 { "<code>" } else { ", <code>" }).short(name).raw("</code>");
    }
    if control.leaves.len() > MOST_LISTED {
        page.raw(" <span class=\"more\">… ").number(control.leaves.len() - MOST_LISTED);
        page.raw(" more in the JSON report</span>");
    }
    page.raw("</dd>\n");
}

fn outcomes(page: &mut Html, run: &Run) {
    page.number(run.trials.len());
    for (outcome, words) in [
        (Outcome::Ended, " ended in time"),
        (Outcome::Killed, " only by KILL"),
        (Outcome::Missed, " missed"),
        (Outcome::Inconclusive, " inconclusive"),
    ] {
        let count = run.trials.iter().filter(|trial| trial.outcome == outcome).count();
        if count > 0 {
            page.raw(", ").number(count).raw(words);
        }
    }
}

/// Findings of this run, as links into the list of all.
fn own_findings(page: &mut Html, run: &Run, bounds: Bounds<'_>) {
    let mut own: Vec<(usize, usize)> =
        (0..run.findings.len()).filter_map(|place| Some((*bounds.numbers.get(&(bounds.run, place))?, place))).collect();
    own.sort_unstable();
    let shown = own.len().min(bounds.rows);
    if run.findings.is_empty() {
        return;
    }
    page.raw("<ul class=\"own\">");
    for (number, place) in &own[..shown] {
        let finding = &run.findings[*place];
        page.raw("<li>");
        super::findings::tag(page, finding.severity);
        page.raw(" <a href=\"#f").number(*number).raw("\">").short(&finding.title).raw("</a>");
        let apart = match (&finding.accepted, finding.is_not_reproduced()) {
            (Some(_), _) => " (accepted)",
            (None, true) => " (not reproduced)",
            (None, false) => "",
        };
        page.raw(apart).raw("</li>\n");
    }
    page.raw("</ul>\n");
    if run.findings.len() > shown {
        page.raw("<p class=\"more\">… ").number(run.findings.len() - shown).raw(" more are in the JSON report.</p>\n");
    }
}
