//! Findings as workflow commands of GitHub Actions, which shows them beside the code.
//!
//! A command is a line, so a text that could begin a line of its own would be a command of
//! the agent's. None can: what acts is escaped first, and then what the commands themselves
//! give a meaning to. GitHub shows ten of each kind in a step, so there are no more, and the
//! last one says how many were left out.

use crate::escape::{escape_terminal, truncate_middle};
use crate::model::{Finding, Report, Run, Severity, Verdict};
use crate::phrases;
use crate::repository::Repository;

/// GitHub shows so many of each kind in a step.
const MOST: usize = 10;
/// A text of the agent is cut to so many characters.
const LONGEST: usize = 500;

/// What GitHub calls an annotation. Ordered as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Error,
    Warning,
    Notice,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// The commands, a line each; nothing for a clean report. They are read from the standard
/// output of a step.
///
/// What an `[[allow]]` accepts has none. What never came again is a notice.
#[must_use]
pub fn render_annotations(report: &Report, repository: &Repository) -> String {
    let mut commands = Vec::new();
    if report.verdict == Verdict::Inconclusive {
        let why = format!("{}; {}", phrases::why_inconclusive(report), phrases::sum(&report.totals));
        commands.push((Kind::Error, command(Kind::Error, &[("title", "Quietus: inconclusive")], &[why])));
    }
    let findings = report.runs.iter().flat_map(|run| run.findings.iter().map(move |finding| (run, finding)));
    for (run, finding) in findings.filter(|(_, finding)| finding.accepted.is_none()) {
        let kind = kind(finding);
        commands.push((kind, annotation(kind, run, finding, repository)));
    }
    commands.sort_by_key(|(kind, _)| *kind);
    lines(&commands)
}

fn kind(finding: &Finding) -> Kind {
    match finding.severity {
        _ if finding.is_not_reproduced() => Kind::Notice,
        Severity::Error => Kind::Error,
        Severity::Warn => Kind::Warning,
        Severity::Note => Kind::Notice,
    }
}

/// As many of each kind as are shown, and how many more there are.
fn lines(commands: &[(Kind, String)]) -> String {
    let of = |kind: Kind| commands.iter().filter(move |(it, _)| *it == kind).map(|(_, command)| command.as_str());
    let shown = |most_notices: usize| -> Vec<&str> {
        [(Kind::Error, MOST), (Kind::Warning, MOST), (Kind::Notice, most_notices)]
            .into_iter()
            .flat_map(|(kind, most)| of(kind).take(most))
            .collect()
    };
    let all = shown(MOST);
    if all.len() == commands.len() {
        return all.concat();
    }
    // The one that counts the others is a notice itself.
    let some = shown(MOST - 1);
    let more = commands.len() - some.len();
    let verb = if more == 1 { "is" } else { "are" };
    let said = format!("{more} more {verb} not shown here; every report of this run has them");
    some.concat() + &command(Kind::Notice, &[("title", "Quietus: more findings")], &[said])
}

fn annotation(kind: Kind, run: &Run, finding: &Finding, repository: &Repository) -> String {
    let spot = repository.spots(run, finding).into_iter().next();
    let (path, line) = spot.map(|spot| (spot.path, spot.line.to_string())).unwrap_or_default();
    let title = format!("{} in {}", finding.code, run.scenario);
    let mut said = vec![finding.title.clone()];
    said.extend(finding.cause.as_ref().map(|cause| format!("Cause: {cause}")));
    let confirmed = finding.confirmed.map(|it| format!("; {}", phrases::confirmed(it))).unwrap_or_default();
    said.push(format!("Seen in {}{confirmed}", phrases::seen_in(finding)));
    said.push(format!("Replay: {}", phrases::replay(finding, LONGEST - "Replay: ".len())));
    command(kind, &[("file", &path), ("line", &line), ("title", &title)], &said)
}

/// `::kind key=value,…::message`, ended by a newline.
fn command(kind: Kind, properties: &[(&str, &str)], message: &[String]) -> String {
    let properties: Vec<String> = properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    let message: Vec<String> = message.iter().map(|line| data(line)).collect();
    format!("::{} {}::{}\n", kind.as_str(), properties.join(","), message.join("%0A"))
}

/// A text in a message: `%` begins an escape there. What ends a line is escaped already.
fn data(text: &str) -> String {
    truncate_middle(&escape_terminal(text), LONGEST).replace('%', "%25")
}

/// A text in a property, which a `:` or a `,` would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests;
