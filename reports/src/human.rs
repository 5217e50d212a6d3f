//! The report for a person at a terminal, who acts on it without a manual.
//!
//! Errors come before warnings, and every finding ends with the two commands
//! that lead on: the replay and the explanation. What was seen and never came again
//! stands apart and is counted apart. What was not looked at is said before the
//! verdict, never left out. Every string of the report is escaped.

mod findings;
mod page;
mod trials;

use crate::escape::escape_terminal;
use crate::model::{Control, Guarantee, Level, Report, Run, Verdict};
use crate::phrases::{self, command, counted, duration, kind, level, listed};
use page::{Page, style};

/// How the text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanOptions {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// Columns of the terminal; less than 40 acts like 40. Commands and single
    /// long words may stand over the edge, so that they can be copied.
    pub width: usize,
    /// Every trial on its own line, every line of evidence, every token.
    pub verbose: bool,
}

impl Default for HumanOptions {
    fn default() -> Self {
        Self { color: false, width: 80, verbose: false }
    }
}

/// The whole report as text, ended by a newline.
#[must_use]
pub fn render_human(report: &Report, options: HumanOptions) -> String {
    let mut page = Page::new(options);
    for run in &report.runs {
        header(&mut page, run, &report.guarantee, report.runs.len() > 1);
        trials::table(&mut page, run);
        findings::blocks(&mut page, run);
    }
    not_audited(&mut page, &report.guarantee);
    verdict(&mut page, report);
    page.finish()
}

fn header(page: &mut Page, run: &Run, guarantee: &Guarantee, with_verdict: bool) {
    let mut name = escape_terminal(&run.scenario);
    if with_verdict {
        name = format!("{name}: {}", run.verdict);
    }
    page.paragraph(0, 0, &name, style::TITLE);
    let command = command(&run.agent);
    if !name.starts_with(&command) {
        page.paragraph(2, 4, &command, style::PLAIN);
    }
    let kind = kind(run.kind);
    let strategy = escape_terminal(&run.strategy);
    let line = format!("{kind} · {strategy} · {}", in_force(guarantee, page.options().verbose));
    page.paragraph(2, 4, &line, style::DIM);
    page.blank();
    if let Some(control) = &run.control {
        page.field(2, "control", &control_line(control, page.options().verbose));
    }
    if let Some(windows) = run.windows {
        let mut line = format!("{} of {} covered", windows.covered, windows.total);
        if windows.missed > 0 {
            line = format!("{line}, {} missed", windows.missed);
        }
        page.field(2, "windows", &line);
    }
    for note in &run.notes {
        page.field(2, "note", &escape_terminal(note));
    }
    page.blank();
}

fn in_force(guarantee: &Guarantee, verbose: bool) -> String {
    let level = level(guarantee);
    if guarantee.mechanisms.is_empty() || !verbose {
        return level.to_owned();
    }
    format!("{level} ({})", escape_terminal(&guarantee.mechanisms.join(", ")))
}

fn control_line(control: &Control, verbose: bool) -> String {
    let ended = escape_terminal(&control.ended);
    let runs = counted(control.runs, "run", "runs");
    let time = duration(control.duration_us);
    let leaves = if control.leaves.is_empty() {
        "nothing".to_owned()
    } else {
        listed(&control.leaves, if verbose { usize::MAX } else { 4 })
    };
    format!("{ended} after {time} ({runs}); leaves {leaves}")
}

fn not_audited(page: &mut Page, guarantee: &Guarantee) {
    if guarantee.not_audited.is_empty() && guarantee.level == Level::Full {
        return;
    }
    page.paragraph(0, 2, &format!("not audited ({})", level(guarantee)), style::WARN);
    for item in &guarantee.not_audited {
        let (what, why) = (escape_terminal(&item.what), escape_terminal(&item.why));
        page.paragraph(2, 4, &format!("{what}: {why}"), style::PLAIN);
    }
    if guarantee.not_audited.is_empty() {
        page.paragraph(2, 4, "what only a sealed cell can see", style::PLAIN);
    }
    page.paragraph(2, 4, "`quietus doctor` says how to audit the rest", style::DIM);
    page.blank();
}

fn verdict(page: &mut Page, report: &Report) {
    let style = match report.verdict {
        Verdict::Clean => style::GOOD,
        Verdict::Findings => style::ERROR,
        Verdict::Inconclusive => style::WARN,
    };
    page.paragraph(0, 2, &phrases::verdict(report), style);
}

#[cfg(test)]
mod tests;
