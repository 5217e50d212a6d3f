//! The findings of a run as blocks, errors first, accepted ones last and short. Those
//! that never came again stand apart from them, at the end.

use std::cmp::Reverse;

use super::page::{Page, style};
use crate::escape::escape_terminal;
use crate::model::{Finding, Run, Severity};
use crate::phrases;

/// More lines of evidence than this are left to the JSON report.
const MOST_EVIDENCE: usize = 8;
/// The same of a finding that never came again.
const MOST_EVIDENCE_ONCE: usize = 3;
/// More points than this are counted, not named.
const MOST_POINTS: usize = 4;

pub(super) fn blocks(page: &mut Page, run: &Run) {
    let apart = |finding: &&Finding| finding.accepted.is_none() && finding.is_not_reproduced();
    let (mut never_again, mut findings): (Vec<&Finding>, Vec<&Finding>) = run.findings.iter().partition(apart);
    findings.sort_by_key(|finding| (finding.accepted.is_some(), Reverse(finding.severity), finding.code));
    for finding in findings {
        match &finding.accepted {
            Some(reason) if !page.options().verbose => accepted(page, finding, reason),
            None if finding.severity == Severity::Note && !page.options().verbose => {
                note(page, finding);
                continue;
            }
            _ => block(page, finding),
        }
        page.blank();
    }
    page.blank();
    never_again.sort_by_key(|finding| finding.code);
    not_reproduced(page, &never_again);
}

/// What was seen and did not come again, so that it is neither lost nor taken for one of
/// the notes.
fn not_reproduced(page: &mut Page, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    page.paragraph(2, 4, "not reproduced: seen, and not again when the trial was run again", style::TITLE);
    page.blank();
    for finding in findings {
        if page.options().verbose {
            block(page, finding)
        } else {
            seen_once(page, finding)
        }
        page.blank();
    }
}

fn seen_once(page: &mut Page, finding: &Finding) {
    let head = format!("{}[{}] {}", finding.severity, finding.code, escape_terminal(&finding.title));
    page.paragraph(2, 4, &head, style::NOTE);
    page.field(4, "where", &phrases::seen_at(finding, MOST_POINTS));
    if let Some(confirmed) = finding.confirmed {
        page.field(4, "again", &confirmed.share());
    }
    evidence(page, &finding.evidence, MOST_EVIDENCE_ONCE);
    page.label(4, "replay", &escape_terminal(&finding.replay));
}

/// For information: one line, so that it does not hide what must be mended.
fn note(page: &mut Page, finding: &Finding) {
    let place = finding.points.first().map(|point| format!(" ({})", escape_terminal(point))).unwrap_or_default();
    page.paragraph(2, 4, &format!("note[{}] {}{place}", finding.code, escape_terminal(&finding.title)), style::NOTE);
}

fn accepted(page: &mut Page, finding: &Finding, reason: &str) {
    page.paragraph(2, 4, &format!("accepted[{}]", finding.code), style::DIM);
    page.field(4, "subject", &escape_terminal(&finding.subject));
    page.field(4, "reason", &escape_terminal(reason));
}

fn block(page: &mut Page, finding: &Finding) {
    let style = match finding.severity {
        Severity::Error => style::ERROR,
        Severity::Warn => style::WARN,
        Severity::Note => style::NOTE,
    };
    let head = page.paint(&format!("{}[{}]", finding.severity, finding.code), style);
    page.line(2, &head);
    page.paragraph(4, 4, &escape_terminal(&finding.title), style::TITLE);
    page.field(4, "subject", &escape_terminal(&finding.subject));
    if let Some(origin) = &finding.origin {
        page.field(4, "origin", &phrases::origin(origin));
    }
    if let Some(life) = &finding.life {
        page.field(4, "life", &escape_terminal(life));
    }
    if let Some(cause) = &finding.cause {
        page.field(4, "cause", &escape_terminal(cause));
    }
    let most = if page.options().verbose { usize::MAX } else { MOST_POINTS };
    page.field(4, "where", &phrases::seen_at(finding, most));
    if let Some(confirmed) = finding.confirmed {
        page.field(4, "confirmed", &phrases::confirmed(confirmed));
    }
    if let Some(reason) = &finding.accepted {
        page.field(4, "accepted", &escape_terminal(reason));
    }
    evidence(page, &finding.evidence, if page.options().verbose { usize::MAX } else { MOST_EVIDENCE });
    page.label(4, "replay", &escape_terminal(&finding.replay));
    page.label(4, "explain", &format!("quietus explain {}", finding.code));
}

fn evidence(page: &mut Page, lines: &[String], most: usize) {
    for (i, line) in lines.iter().take(most).enumerate() {
        page.field(4, if i == 0 { "evidence" } else { "" }, &escape_terminal(line));
    }
    let more = lines.len().saturating_sub(most);
    if more > 0 {
        page.field(4, "", &format!("… {more} more in the JSON report"));
    }
}
