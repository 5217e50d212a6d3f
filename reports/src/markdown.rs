//! The report as Markdown, for the summary of a job or a comment on a change: as GitHub and
//! GitLab read it.
//!
//! What must be mended comes first and short, everything else is folded. Hosts take so many
//! bytes and no more, so whole findings are left out from the end and counted; none is ever
//! cut in its middle. No string of the report becomes anything but text: see `escape`.

mod escape;
mod finding;
mod page;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::slice;

use crate::compared::{Compared, Known};
use crate::judgement::Judgement;
use crate::model::{Finding, Guarantee, Level, Report, Run, Severity, Totals, Verdict};
use crate::phrases;
use escape::{cell, code, prose};
use page::Section;

/// How large the text may be, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkdownOptions {
    /// The text has at most so many bytes.
    pub most_bytes: usize,
    /// What is new against a baseline; without it, everything is told alike.
    pub compared: Option<Compared>,
    /// What a gate said of it; without it, the report's own verdict stands on top.
    pub judgement: Option<Judgement>,
}

impl Default for MarkdownOptions {
    /// 60,000 bytes: a comment on GitHub takes 65,536 characters.
    fn default() -> Self {
        Self { most_bytes: 60_000, compared: None, judgement: None }
    }
}

/// The report as Markdown, ended by a newline. Its first line is the verdict.
#[must_use]
pub fn render_markdown(report: &Report, options: &MarkdownOptions) -> String {
    let first = match &options.judgement {
        Some(judgement) => format!("## Quietus: {}\n\n{}\n\n", judgement.headline(), phrases::verdict(report)),
        None => format!("## Quietus: {}\n\n", phrases::verdict(report)),
    };
    let sorted = Sorted::of(report, options.compared.as_ref());
    let mut sections = Vec::new();
    if let Some(judgement) = &options.judgement {
        let item = |text: &String| format!("- {}\n", prose(text));
        sections.push(Section::plain("**The gate also fails for**\n\n", judgement.reasons.iter().map(item).collect()));
        sections.push(Section::plain("**Warnings**\n\n", judgement.warnings.iter().map(item).collect()));
    }
    if let Some(compared) = &options.compared {
        sections.push(changes("new", &compared.new));
        sections.push(changes("fixed", &compared.fixed));
    }
    sections.push(scenarios(report));
    sections.push(inconclusive(report));
    sections.push(not_audited(&report.guarantee));
    let must_mend = sorted.must_mend.iter().map(|(run, it)| finding::whole(run, it)).collect();
    sections.push(Section { open: String::new(), items: must_mend, close: "" });
    if let Some(compared) = &options.compared {
        let summary = format!("{} known from the baseline", compared.known.len());
        sections.push(Section::folded(&summary, compared.known.iter().map(finding::known).collect()));
    }
    let notes = if sorted.notes.len() == 1 { "note, which fails nothing" } else { "notes, which fail nothing" };
    sections.push(folded(&sorted.notes, notes));
    sections.push(folded(&sorted.not_reproduced, "not reproduced: seen, and not again when the trial was run again"));
    sections.push(folded(&sorted.accepted, "accepted"));
    sections.push(remarks(report));
    page::fitted(&first, &sections, options.most_bytes)
}

type Found<'a> = (&'a Run, &'a Finding);

/// The findings of all runs by what a reader has to do about them, the worst first.
#[derive(Default)]
struct Sorted<'a> {
    must_mend: Vec<Found<'a>>,
    notes: Vec<Found<'a>>,
    not_reproduced: Vec<Found<'a>>,
    accepted: Vec<Found<'a>>,
}

impl<'a> Sorted<'a> {
    fn of(report: &'a Report, compared: Option<&Compared>) -> Self {
        let known: HashSet<(&str, &str)> = compared.map(|it| it.known.iter().map(names).collect()).unwrap_or_default();
        let mut sorted = Self::default();
        for run in &report.runs {
            for finding in &run.findings {
                let is_known = known.contains(&(run.scenario.as_str(), finding.fingerprint.as_str()));
                let list = match finding.severity {
                    _ if finding.accepted.is_some() => &mut sorted.accepted,
                    _ if finding.is_not_reproduced() => &mut sorted.not_reproduced,
                    // It stands among those that are known.
                    _ if is_known => continue,
                    Severity::Note => &mut sorted.notes,
                    Severity::Warn | Severity::Error => &mut sorted.must_mend,
                };
                list.push((run, finding));
            }
        }
        sorted.must_mend.sort_by_key(|(_, finding)| (Reverse(finding.severity), finding.code));
        sorted
    }
}

fn names(known: &Known) -> (&str, &str) {
    (&known.scenario, &known.fingerprint)
}

fn changes(what: &str, findings: &[Known]) -> Section {
    let items = findings.iter().map(finding::known).collect();
    Section::plain(format!("**{} {what}**\n\n", findings.len()), items)
}

fn folded(findings: &[Found<'_>], what: &str) -> Section {
    let items = findings.iter().map(|(run, it)| finding::line(run, it, it.accepted.as_deref())).collect();
    Section::folded(&format!("{} {what}", findings.len()), items)
}

fn scenarios(report: &Report) -> Section {
    let row = |run: &Run| {
        let totals = Totals::of(slice::from_ref(run));
        let windows = match run.windows {
            Some(windows) => format!("{} of {}", windows.covered, windows.total),
            None => "–".to_owned(),
        };
        let (trials, found) = (phrases::trials(&totals), phrases::found(&totals));
        format!("| {} | {} | {trials} | {windows} | {found} |\n", cell(&run.scenario), run.verdict)
    };
    let head = "| scenario | verdict | trials | windows covered | findings |\n| --- | --- | --- | --- | --- |\n";
    let mut rows: Vec<String> = report.runs.iter().take(MOST_ROWS).map(row).collect();
    if let Some(more) = report.runs.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
        rows.push(format!("| and {more} more: see the HTML report | | | | |\n"));
    }
    Section::plain(head, rows)
}

/// Of more scenarios than these, what was found needs the room.
const MOST_ROWS: usize = 100;

/// Why runs are inconclusive. It is never folded: nothing says that they are clean.
fn inconclusive(report: &Report) -> Section {
    let runs = report.runs.iter().filter(|run| run.verdict == Verdict::Inconclusive);
    let item = |run: &Run| {
        let why = phrases::why_run_inconclusive(run);
        let mut lines = format!("- {}: {why}\n", code(&run.scenario));
        let trials = run.trials.iter().filter(|trial| !trial.outcome.reached()).filter_map(|trial| trial.note.as_ref());
        for note in run.notes.iter().chain(trials.take(MOST_NOTES)).take(MOST_NOTES) {
            lines.push_str(&format!("  - Note: {}\n", prose(note)));
        }
        lines
    };
    Section::plain("**Inconclusive**\n\n", runs.map(item).collect())
}

/// Of one run so many notes are told.
const MOST_NOTES: usize = 8;

/// What one has to know of the other runs.
fn remarks(report: &Report) -> Section {
    let runs = report.runs.iter().filter(|run| run.verdict != Verdict::Inconclusive);
    let items: Vec<String> = runs
        .flat_map(|run| {
            run.notes.iter().take(MOST_NOTES).map(|note| format!("- {}: {}\n", code(&run.scenario), prose(note)))
        })
        .collect();
    Section::folded("Notes on the runs", items)
}

fn not_audited(guarantee: &Guarantee) -> Section {
    let mut items: Vec<String> = guarantee
        .not_audited
        .iter()
        .map(|it| format!("- What: {}. Why: {}\n", prose(&it.what), prose(&it.why)))
        .collect();
    if items.is_empty() && guarantee.level == Level::Portable {
        items.push("- What only a sealed cell can see\n".to_owned());
    }
    Section::plain(format!("**Not audited** ({})\n\n", phrases::level(guarantee)), items)
}

#[cfg(test)]
mod tests;
