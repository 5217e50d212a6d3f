//! The findings of all runs, worst first: what counts, then notes, what never came again,
//! and what is accepted, each apart.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::markup::{Html, Share};
use super::state::Facts;
use super::timeline::timeline;
use crate::confirmed::Confirmed;
use crate::model::{Finding, Origin, Report, Severity};
use crate::phrases::counted;

/// More findings than this are left to the JSON report.
const MOST: usize = 500;
/// No further finding is begun when the page has so many bytes.
const MOST_BYTES: usize = 2_500_000;
/// The rest is folded.
const OPEN: usize = 12;
/// More lines of evidence than this are left to the JSON report.
const MOST_EVIDENCE: usize = 12;
/// More points than this are counted, not named.
const MOST_POINTS: usize = 8;
/// A command that is longer is left to the JSON report.
const LONGEST_COMMAND: usize = 20_000;

/// Where a finding stands: number of its run, and its place there.
pub(super) type Place = (usize, usize);

/// A finding of the report.
#[derive(Clone, Copy)]
struct Found<'a> {
    place: Place,
    finding: &'a Finding,
}

/// The parts of the list, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Counting,
    Notes,
    NotReproduced,
    Accepted,
}

impl Part {
    const fn of(finding: &Finding) -> Self {
        match finding {
            Finding { accepted: Some(_), .. } => Self::Accepted,
            Finding { confirmed: Some(confirmed), .. } if confirmed.hits() == 0 => Self::NotReproduced,
            Finding { severity: Severity::Note, .. } => Self::Notes,
            _ => Self::Counting,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Counting => "Errors and warnings",
            Self::Notes => "Notes",
            Self::NotReproduced => "Not reproduced",
            Self::Accepted => "Accepted",
        }
    }

    const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Counting => None,
            Self::Notes => Some("For information. Notes never fail a run."),
            Self::NotReproduced => Some("Seen, and not again when the trial was run again. These fail nothing."),
            Self::Accepted => Some("Known, with a reason, in the scenario. These fail nothing."),
        }
    }
}

/// Writes the section, and gives back the number of each finding that is in it.
pub(super) fn section(page: &mut Html, report: &Report, facts: &[Facts<'_>]) -> HashMap<Place, usize> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for (number, run) in report.runs.iter().enumerate() {
        found.extend(run.findings.iter().enumerate().map(|(at, finding)| Found { place: (number, at), finding }));
    }
    found.sort_by_key(|it| (Part::of(it.finding), Reverse(it.finding.severity), it.finding.code, it.place));
    page.raw("<section aria-labelledby=\"findings\">\n<h2 id=\"findings\" tabindex=\"-1\">Findings</h2>\n");
    if found.is_empty() {
        page.raw("<p class=\"empty\">No findings.</p>\n");
    } else {
        filters(page);
    }
    let mut numbers = HashMap::new();
    for part in found.chunk_by(|a, b| Part::of(a.finding) == Part::of(b.finding)) {
        let kind = Part::of(part[0].finding);
        let counted = kind == Part::Counting;
        page.raw(if counted { "<h3>" } else { "<div class=\"apart\"><h3>" }).raw(kind.title());
        page.raw(" <span class=\"count\">").number(part.len()).raw("</span></h3>\n");
        if let Some(remark) = kind.remark() {
            page.raw("<p class=\"remark\">").raw(remark).raw("</p>\n");
        }
        let mut shown = 0;
        for it in part {
            if numbers.len() >= MOST || page.len() > MOST_BYTES {
                break;
            }
            let number = numbers.len() + 1;
            block(page, report, &facts[it.place.0], *it, number, counted && shown < OPEN);
            numbers.insert(it.place, number);
            shown += 1;
        }
        if part.len() > shown {
            page.raw("<p class=\"more\">… ").number(part.len() - shown).raw(" more are in the JSON report.</p>\n");
        }
        page.raw(if counted { "" } else { "</div>\n" });
    }
    page.raw("</section>\n");
    numbers
}

fn filters(page: &mut Html) {
    page.raw(
        "<fieldset class=\"filter\"><legend>Show</legend>
<label><input type=\"checkbox\" id=\"show-error\" checked> errors</label>
<label><input type=\"checkbox\" id=\"show-warn\" checked> warnings</label>
<label><input type=\"checkbox\" id=\"show-note\" checked> notes</label>
<label><input type=\"checkbox\" id=\"show-again\" checked> not reproduced</label>
<label><input type=\"checkbox\" id=\"show-accepted\" checked> accepted</label>
</fieldset>
",
    );
}

const fn class(finding: &Finding) -> &'static str {
    match (Part::of(finding), finding.severity) {
        (Part::Accepted, _) => "<details class=\"finding f-accepted\"",
        (Part::NotReproduced, _) => "<details class=\"finding f-again\"",
        (_, Severity::Error) => "<details class=\"finding f-error\"",
        (_, Severity::Warn) => "<details class=\"finding f-warn\"",
        (_, Severity::Note) => "<details class=\"finding f-note\"",
    }
}

/// The word of a severity in its colour.
pub(super) fn tag(page: &mut Html, severity: Severity) {
    page.raw(match severity {
        Severity::Error => "<b class=\"tag error\">error</b>",
        Severity::Warn => "<b class=\"tag warn\">warn</b>",
        Severity::Note => "<b class=\"tag note\">note</b>",
    });
}

fn block(page: &mut Html, report: &Report, facts: &Facts<'_>, found: Found<'_>, number: usize, open: bool) {
    let Found { place: (run, at), finding } = found;
    page.raw(class(finding)).raw(if open { " open>" } else { ">" }).raw("<summary><h4>");
    tag(page, finding.severity);
    page.raw(" <code class=\"code\">").raw(finding.code.as_str()).raw("</code> <span class=\"title\">");
    page.text(&finding.title).raw("</span></h4></summary>\n<div class=\"body\" id=\"f").number(number).raw("\">\n");
    page.raw("<p class=\"summary\">").raw(finding.code.summary()).raw("</p>\n<dl>\n");
    if report.runs.len() > 1 {
        page.raw("<dt>scenario</dt><dd>");
        super::scenarios::link(page, run, &report.runs[run].scenario);
        page.raw("</dd>\n");
    }
    page.raw("<dt>subject</dt><dd><code>").text(&finding.subject).raw("</code></dd>\n");
    if let Some(cause) = &finding.cause {
        page.raw("<dt>cause</dt><dd>").text(cause).raw("</dd>\n");
    }
    if let Some(origin) = &finding.origin {
        made_by(page, origin);
    }
    if let Some(life) = &finding.life {
        page.raw("<dt>life</dt><dd>").text(life).raw("</dd>\n");
    }
    seen_at(page, finding, &facts.windows_of[at]);
    if let Some(confirmed) = finding.confirmed {
        again(page, confirmed);
    }
    if let Some(reason) = &finding.accepted {
        page.raw("<dt>accepted</dt><dd>").text(reason).raw("</dd>\n");
    }
    evidence(page, &finding.evidence);
    page.raw("<dt>fingerprint</dt><dd><code class=\"dim\">").short(&finding.fingerprint).raw("</code></dd>\n</dl>\n");
    if !finding.timeline.is_empty() {
        timeline(page, &finding.timeline, number);
    }
    command(page, finding, number);
    page.raw("</div></details>\n");
}

fn made_by(page: &mut Html, origin: &Origin) {
    page.raw("<dt>made by</dt><dd>");
    if origin.role == "0" {
        page.raw("the agent: ");
    } else {
        page.raw("process ").short(&origin.role).raw(" of its tree: ");
    }
    page.raw("<code>").text(&origin.command).raw("</code>");
    if let Some(source) = &origin.source {
        page.raw(", by <code>").short(source).raw("</code>");
    }
    page.raw("</dd>\n");
    if let Some(line) = &origin.line {
        page.raw("<dt>source line</dt><dd><code class=\"line\">").text(line).raw("</code></dd>\n");
    }
}

fn seen_at(page: &mut Html, finding: &Finding, windows: &BTreeSet<u32>) {
    page.raw("<dt>seen in</dt><dd>").number(finding.hits).raw(" of ").text(&counted(finding.tried, "trial", "trials"));
    if !windows.is_empty() {
        page.raw(if windows.len() == 1 { ": window " } else { ": windows " });
        ranges(page, windows);
    }
    page.raw("</dd>\n");
    if finding.points.is_empty() {
        return;
    }
    page.raw("<dt>points</dt><dd>");
    for (i, point) in finding.points.iter().take(MOST_POINTS).enumerate() {
        page.raw(if i == 0 { "<code>" } else { ", <code>" }).short(point).raw("</code>");
    }
    more(page, finding.points.len(), MOST_POINTS);
    page.raw("</dd>\n");
}

/// `3, 12–17`.
fn ranges(page: &mut Html, windows: &BTreeSet<u32>) {
    let numbers: Vec<u32> = windows.iter().copied().collect();
    let ranges: Vec<&[u32]> = numbers.chunk_by(|a, b| a + 1 == *b).collect();
    for (i, range) in ranges.iter().take(MOST_POINTS).enumerate() {
        page.raw(if i == 0 { "" } else { ", " }).number(range[0]);
        if let [_, .., last] = range {
            page.raw("–").number(*last);
        }
    }
    more(page, ranges.len(), MOST_POINTS);
}

fn more(page: &mut Html, count: usize, shown: usize) {
    if count > shown {
        page.raw(" <span class=\"more\">… ").number(count - shown).raw(" more in the JSON report</span>");
    }
}

/// The rate, and the interval in which the true one lies.
fn again(page: &mut Html, confirmed: Confirmed) {
    let share = |rate: f64| {
        let hundredths = (rate.clamp(0.0, 1.0) * f64::from(Share::WHOLE.0)).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10,000")]
        Share(hundredths as u32)
    };
    let (low, high) = confirmed.interval();
    let (low, high, rate) = (share(low), share(high), share(confirmed.rate()));
    page.raw("<dt>confirmed</dt><dd>").short(&confirmed.class().to_string()).raw(", ").short(&confirmed.share());
    page.raw(" <svg class=\"rate\" width=\"7em\" height=\"1em\" aria-hidden=\"true\">");
    page.raw("<rect class=\"all\" width=\"100%\" y=\".45em\" height=\".1em\"/><rect class=\"interval\" y=\".25em\" height=\".5em\" x=\"");
    page.share(low).raw("\" width=\"").share(low.to(high)).raw("\"/><circle r=\".25em\" cy=\".5em\" cx=\"");
    page.share(rate).raw("\"/></svg></dd>\n");
}

fn evidence(page: &mut Html, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    page.raw("<dt>evidence</dt><dd><ul>");
    for line in lines.iter().take(MOST_EVIDENCE) {
        page.raw("<li>").short(line).raw("</li>");
    }
    page.raw("</ul>");
    more(page, lines.len(), MOST_EVIDENCE);
    page.raw("</dd>\n");
}

fn command(page: &mut Html, finding: &Finding, number: usize) {
    if finding.replay.len() > LONGEST_COMMAND {
        page.raw("<p class=\"more\">The command that replays it is too long for this page: see the JSON report.</p>\n");
    } else {
        page.raw("<p class=\"command\"><code>").whole(&finding.replay);
        page.raw(
            "</code><button type=\"button\" class=\"copy\" hidden aria-label=\"Copy the command that replays finding ",
        );
        page.number(number).raw("\">Copy</button></p>\n");
    }
    page.raw("<p class=\"explain\">What it means and how to mend it: <code>quietus explain ");
    page.raw(finding.code.as_str()).raw("</code></p>\n");
}
