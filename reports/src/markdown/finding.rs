//! A finding as Markdown: what one needs to act, and the rest folded.

use super::escape::{block, code, command, prose};
use crate::compared::Known;
use crate::model::{Finding, Moment, Run};
use crate::phrases;

/// More lines of evidence than this are left to other reports.
const MOST_EVIDENCE: usize = 20;
/// More points than this are counted, not named.
const MOST_POINTS: usize = 12;
/// More moments than this are left to other reports.
const MOST_MOMENTS: usize = 40;
/// A longer command is left to the JSON report.
const LONGEST_COMMAND: usize = 4_000;

/// The whole of a finding that counts.
pub(super) fn whole(run: &Run, finding: &Finding) -> String {
    let mut facts = vec![code(&run.scenario)];
    facts.extend(finding.origin.as_ref().and_then(|origin| origin.line.as_deref()).map(code));
    facts.push(phrases::seen_in(finding));
    facts.extend(finding.confirmed.map(phrases::confirmed));
    let mut out = format!("### {}: {} ({})\n\n", finding.severity, prose(&finding.title), code(finding.code.as_str()));
    out.push_str(&format!("{}\n\n", facts.join(" · ")));
    if let Some(cause) = &finding.cause {
        out.push_str(&format!("Cause: {}\n\n", prose(cause)));
    }
    out.push_str(&command(&phrases::replay(finding, LONGEST_COMMAND)));
    out.push_str(&format!("\n<details><summary>Details</summary>\n\n{}\n</details>\n\n", details(finding)));
    out
}

fn details(finding: &Finding) -> String {
    let mut out = format!("- Subject: {}\n", code(&finding.subject));
    if let Some(origin) = &finding.origin {
        out.push_str(&format!("- Origin: {}\n", code(&phrases::origin(origin))));
    }
    if let Some(life) = &finding.life {
        out.push_str(&format!("- Life: {}\n", prose(life)));
    }
    let points: Vec<String> = finding.points.iter().take(MOST_POINTS).map(|point| code(point)).collect();
    if !points.is_empty() {
        let more = match finding.points.len() - points.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        out.push_str(&format!("- Points: {}{more}\n", points.join(", ")));
    }
    out.push_str(&format!("- Explained by {}\n", code(&format!("quietus explain {}", finding.code))));
    if !finding.evidence.is_empty() {
        let lines = capped(finding.evidence.iter().cloned(), MOST_EVIDENCE);
        out.push_str(&format!("\nEvidence:\n\n{}", block("text", lines.iter().map(String::as_str))));
    }
    if !finding.timeline.is_empty() {
        let lines = capped(finding.timeline.iter().map(moment), MOST_MOMENTS);
        out.push_str(&format!("\nTimeline:\n\n{}", block("text", lines.iter().map(String::as_str))));
    }
    out
}

/// The first lines, and how many more there are.
fn capped(lines: impl ExactSizeIterator<Item = String>, most: usize) -> Vec<String> {
    let more = lines.len().saturating_sub(most);
    let said = (more > 0).then(|| format!("… {more} more in the JSON report"));
    lines.take(most).chain(said).collect()
}

/// When since the injection, and before that since the start of the agent.
fn moment(moment: &Moment) -> String {
    let at = match moment.since_us {
        Some(since) => format!("+{}", phrases::duration(since)),
        None => phrases::duration(moment.at_us),
    };
    format!("{at:>8}  {}", moment.what)
}

/// One line for what fails nothing, with the command that leads on and the reason, if any.
pub(super) fn line(run: &Run, finding: &Finding, reason: Option<&str>) -> String {
    let mut facts = vec![phrases::seen_in(finding)];
    facts.extend(finding.confirmed.map(phrases::confirmed));
    facts.extend(reason.map(|reason| format!("accepted: {}", prose(reason))));
    facts.push(code(&phrases::replay(finding, LONGEST_COMMAND)));
    let named = named(finding.code.as_str(), &run.scenario, &finding.title);
    format!("{named} ({})\n", facts.join("; "))
}

/// One line for a finding that a baseline knows.
pub(super) fn known(known: &Known) -> String {
    format!("{}\n", named(known.code.as_str(), &known.scenario, &known.title))
}

fn named(code_name: &str, scenario: &str, title: &str) -> String {
    format!("- {} in {}: {}", code(code_name), code(scenario), prose(title))
}
