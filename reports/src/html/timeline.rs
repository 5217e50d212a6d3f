//! One trial of a finding, moment by moment: a table with both clocks, and above it a line
//! with the same moments, so that one sees how far apart they are.

use super::markup::{Html, Share};
use crate::model::Moment;
use crate::phrases::duration;

/// Moments before the injection: the last of them.
const MOST_BEFORE: usize = 12;
/// Moments from the injection on: the first and the last of them.
const MOST_FIRST: usize = 40;
const MOST_LAST: usize = 20;

/// Writes the timeline of the finding with this number.
pub(super) fn timeline(page: &mut Html, moments: &[Moment], number: usize) {
    let (before, after) = split(moments);
    page.raw("<div class=\"timeline\">");
    line(page, moments, after.first().map(|moment| moment.at_us));
    page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline of finding ").number(number);
    page.raw("\"><table><caption>Timeline of one of its trials</caption><thead><tr><th scope=\"col\" class=\"time\">since start</th>");
    page.raw("<th scope=\"col\" class=\"time\">since injection</th><th scope=\"col\">what</th></tr></thead><tbody>\n");
    let skipped = before.len().saturating_sub(MOST_BEFORE);
    cut(page, skipped);
    rows(page, &before[skipped..], "<tr class=\"before\">");
    if after.len() <= MOST_FIRST + MOST_LAST {
        rows(page, after, "<tr>");
    } else {
        rows(page, &after[..MOST_FIRST], "<tr>");
        cut(page, after.len() - MOST_FIRST - MOST_LAST);
        rows(page, &after[after.len() - MOST_LAST..], "<tr>");
    }
    page.raw("</tbody></table></div></div>\n");
}

/// Before the first injection, and from there on.
fn split(moments: &[Moment]) -> (&[Moment], &[Moment]) {
    let injected = moments.iter().position(|moment| moment.since_us.is_some()).unwrap_or(moments.len());
    moments.split_at(injected)
}

fn rows(page: &mut Html, moments: &[Moment], row: &'static str) {
    for moment in moments {
        // The injection itself is what all else is measured from.
        page.raw(if moment.since_us == Some(0) { "<tr class=\"injected\">" } else { row });
        page.raw("<td class=\"time\">").text(&duration(moment.at_us)).raw("</td><td class=\"time\">");
        if let Some(since) = moment.since_us {
            page.raw("+").text(&duration(since));
        }
        page.raw("</td><td>").short(&moment.what).raw("</td></tr>\n");
    }
}

fn cut(page: &mut Html, count: usize) {
    if count > 0 {
        page.raw("<tr class=\"cut\"><td></td><td></td><td>… ").number(count);
        page.raw(" more in the JSON report</td></tr>\n");
    }
}

/// From the first moment to the last, with the injection marked.
fn line(page: &mut Html, moments: &[Moment], injected: Option<u64>) {
    let from = moments.iter().map(|moment| moment.at_us).min().unwrap_or_default();
    let until = moments.iter().map(|moment| moment.at_us).max().unwrap_or_default();
    let place = |at: u64| Share(Share::of(at - from, until - from).0 * 98 / 100 + 100);
    page.raw("<svg width=\"100%\" height=\"1.6em\" aria-hidden=\"true\">");
    page.raw("<rect class=\"all\" x=\"1%\" width=\"98%\" y=\".75em\" height=\".1em\"/>");
    if let Some(at) = injected {
        let at = place(at);
        page.raw("<rect class=\"since\" y=\".65em\" height=\".3em\" x=\"").share(at).raw("\" width=\"");
        page.share(at.to(Share(9_900))).raw("\"/>");
    }
    let mut places: Vec<Share> = moments.iter().map(|moment| place(moment.at_us)).collect();
    places.sort_unstable();
    places.dedup_by_key(|place| place.0 / 50); // nearer than half a percent is the same dot
    for place in places {
        page.raw("<circle r=\".25em\" cy=\".8em\" cx=\"").share(place).raw("\"/>");
    }
    if let Some(at) = injected {
        page.raw("<rect class=\"mark\" width=\".2em\" height=\"1.6em\" x=\"").share(place(at)).raw("\"/>");
    }
    page.raw("</svg>");
}
