//! The tables of a run: its windows, the lives in them, and its trials by point. They say
//! what the strip shows, for those who do not see it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::findings::Place;
use super::markup::Html;
use super::state::{Facts, Seen, State};
use super::strip::chosen;
use crate::map::WindowMap;
use crate::model::Run;
use crate::phrases::duration;

/// More links than this in one place are counted.
const MOST_LINKS: usize = 8;

/// What the tables of a run link to, and how long they may be.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    /// Numbers of the findings that are on the page.
    pub(super) numbers: &'a HashMap<Place, usize>,
    /// Number of the run.
    pub(super) run: usize,
    /// Rows of one table at most.
    pub(super) rows: usize,
}

/// Windows in their order.
pub(super) fn windows(page: &mut Html, map: &WindowMap, facts: &Facts<'_>, bounds: Bounds<'_>) {
    begin(page, bounds, "Windows");
    page.raw("<thead><tr><th scope=\"col\">window</th><th scope=\"col\" class=\"time\">from</th><th scope=\"col\">opened by</th>");
    page.raw("<th scope=\"col\">left when terminated there</th><th scope=\"col\" class=\"time\">trials</th>");
    page.raw("<th scope=\"col\">findings</th></tr></thead><tbody>\n");
    for ((number, window), seen) in map.windows.iter().enumerate().zip(&facts.windows).take(bounds.rows) {
        page.raw("<tr><th scope=\"row\">").number(number).raw("</th><td class=\"time\">");
        page.text(&duration(window.at_us)).raw("</td><td>").short(&window.opened).raw("</td><td>");
        state(page, seen.state);
        if usize::try_from(window.like).is_ok_and(|like| like < number) {
            page.raw(" <span class=\"dim\">(as window ").number(window.like).raw(")</span>");
        }
        page.raw("</td><td class=\"time\">").number(seen.trials).raw("</td><td>");
        links(page, &seen.findings, bounds);
        page.raw("</td></tr>\n");
    }
    end(page, map.windows.len(), bounds.rows);
}

/// What comes and goes.
pub(super) fn lives(page: &mut Html, run: &Run, map: &WindowMap, facts: &Facts<'_>, bounds: Bounds<'_>) {
    if map.lives.is_empty() {
        return;
    }
    begin(page, bounds, "Lives");
    page.raw("<thead><tr><th scope=\"col\">what</th><th scope=\"col\" class=\"time\">first window</th>");
    page.raw(
        "<th scope=\"col\" class=\"time\">last window</th><th scope=\"col\">at the end</th></tr></thead><tbody>\n",
    );
    for (life, leak) in chosen(run, map, facts, bounds.rows) {
        page.raw("<tr><th scope=\"row\">").short(&life.what).raw("</th><td class=\"time\">").number(life.first);
        page.raw("</td><td class=\"time\">").number(life.last).raw("</td><td>");
        match leak {
            Some(finding) => {
                page.raw("<b class=\"tag leak\">leaks</b> ");
                links(page, &BTreeSet::from([finding]), bounds);
            }
            None if life.stays => {
                page.raw("stays, as expected");
            }
            None => {}
        }
        page.raw("</td></tr>\n");
    }
    end(page, map.lives.len(), bounds.rows);
}

/// Trials that were made for no window of the map, worst first.
pub(super) fn points(page: &mut Html, facts: &Facts<'_>, bounds: Bounds<'_>) {
    let mut points: Vec<&(&str, Seen)> = facts.points.iter().collect();
    points.sort_by_key(|(_, seen)| Reverse(seen.state));
    begin(page, bounds, "Trials by point");
    page.raw("<thead><tr><th scope=\"col\">point</th><th scope=\"col\">left when terminated there</th>");
    page.raw("<th scope=\"col\" class=\"time\">trials</th><th scope=\"col\" class=\"time\">missed</th><th scope=\"col\" class=\"time\">inconclusive</th>");
    page.raw("<th scope=\"col\" class=\"time\">slowest end</th><th scope=\"col\">findings</th></tr></thead><tbody>\n");
    for (point, seen) in points.iter().take(bounds.rows) {
        page.raw("<tr><th scope=\"row\"><code>").short(point).raw("</code></th><td>");
        state(page, seen.state);
        for count in [seen.trials, seen.missed, seen.inconclusive] {
            page.raw("</td><td class=\"time\">").number(count);
        }
        page.raw("</td><td class=\"time\">");
        if let Some(slowest) = seen.slowest_us {
            page.text(&duration(slowest));
        }
        page.raw("</td><td>");
        links(page, &seen.findings, bounds);
        page.raw("</td></tr>\n");
    }
    end(page, points.len(), bounds.rows);
    if let Some(rest) = points.get(bounds.rows..).filter(|rest| !rest.is_empty()) {
        sums(page, rest);
    }
}

/// Of the points that are not shown, how many are how.
fn sums(page: &mut Html, rest: &[&(&str, Seen)]) {
    page.raw("<p class=\"more\">Of them:");
    let mut first = true;
    for state in State::ALL {
        let count = rest.iter().filter(|(_, seen)| seen.state == state).count();
        if count > 0 {
            page.raw(if first { " " } else { ", " }).number(count).raw(" ").raw(state.meaning());
            first = false;
        }
    }
    page.raw(".</p>\n");
}

/// A state as a word with its shape.
pub(super) fn state(page: &mut Html, state: State) {
    page.raw("<span class=\"state ").raw(state.word()).raw("\">").raw(state.meaning()).raw("</span>");
}

fn links(page: &mut Html, findings: &BTreeSet<usize>, bounds: Bounds<'_>) {
    let mut numbers: Vec<usize> =
        findings.iter().filter_map(|place| bounds.numbers.get(&(bounds.run, *place))).copied().collect();
    numbers.sort_unstable();
    numbers.truncate(MOST_LINKS);
    for (i, number) in numbers.iter().enumerate() {
        page.raw(if i == 0 { "<a href=\"#f" } else { ", <a href=\"#f" });
        page.number(*number).raw("\">finding ").number(*number).raw("</a>");
    }
    if findings.len() > numbers.len() {
        page.raw(if numbers.is_empty() { "" } else { " and " }).number(findings.len() - numbers.len());
        page.raw(if numbers.is_empty() { " in the JSON report" } else { " more" });
    }
}

fn begin(page: &mut Html, bounds: Bounds<'_>, caption: &'static str) {
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"").raw(caption).raw(" of scenario ");
    page.number(bounds.run + 1).raw("\"><table><caption>").raw(caption).raw("</caption>");
}

fn end(page: &mut Html, count: usize, shown: usize) {
    page.raw("</tbody></table></div>\n");
    if count > shown {
        page.raw("<p class=\"more\">… ").number(count - shown).raw(" more are in the JSON report.</p>\n");
    }
}
