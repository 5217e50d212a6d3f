//! The table of trials: one line each, or one line for neighbours that are alike.

use std::collections::HashSet;

use super::page::{Page, style};
use crate::escape::{escape_terminal, truncate_middle};
use crate::model::{Outcome, Run, Severity, Trial};
use crate::phrases::duration;

/// More trials than this are drawn together where they are alike.
const EACH: usize = 16;
/// More lines than this are not shown.
const MOST_LINES: usize = 40;

/// What the reader sees first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Good,
    Bad,
    NotJudged,
}

/// One line: a trial, or several neighbours.
struct Line<'a> {
    mark: Mark,
    injection: String,
    point: String,
    ended: String,
    shutdown: String,
    trials: &'a [Trial],
}

pub(super) fn table(page: &mut Page, run: &Run) {
    if run.trials.is_empty() {
        page.paragraph(2, 2, "no trial was made", style::WARN);
        page.blank();
        return;
    }
    if run.strategy == "fuzz" && !page.options().verbose {
        return sums(page, run);
    }
    // Fingerprints that do not make a trial bad. An unknown one does.
    let harmless: HashSet<&str> = run
        .findings
        .iter()
        .filter(|it| it.accepted.is_some() || it.severity == Severity::Note || it.is_not_reproduced())
        .map(|finding| finding.fingerprint.as_str())
        .collect();
    let mark = |trial: &Trial| match trial.outcome {
        _ if trial.findings.iter().any(|it| !harmless.contains(it.as_str())) => Mark::Bad,
        Outcome::Ended | Outcome::Killed => Mark::Good,
        Outcome::Missed | Outcome::Inconclusive => Mark::NotJudged,
    };
    // A window has a name; its address is long, and stands in the token.
    let place = |trial: &Trial| escape_terminal(if run.strategy == "sweep" { &trial.label } else { &trial.point });
    let verbose = page.options().verbose;
    let each = verbose || run.trials.len() <= EACH;
    let alike = |a: &Trial, b: &Trial| {
        !each && mark(a) == mark(b) && (&a.injection, &a.note, ended(a)) == (&b.injection, &b.note, ended(b))
    };
    let lines: Vec<Line<'_>> =
        run.trials.chunk_by(alike).map(|trials| Line::new(mark(&trials[0]), trials, place)).collect();
    let shown = if verbose { lines.len() } else { lines.len().min(MOST_LINES) };
    draw(page, &lines[..shown]);
    rest(page, &lines[shown..]);
    page.blank();
}

/// Of trials at random no one matters by itself: how many went how.
fn sums(page: &mut Page, run: &Run) {
    let count = |holds: &dyn Fn(&Trial) -> bool| run.trials.iter().filter(|trial| holds(trial)).count();
    let judged = |trial: &Trial| trial.outcome.reached();
    let shows = |trial: &Trial| judged(trial) && !trial.findings.is_empty();
    let line = format!(
        "{} with findings, {} without, {} missed, {} inconclusive; --verbose shows each",
        count(&shows),
        count(&|trial| judged(trial) && trial.findings.is_empty()),
        count(&|trial| trial.outcome == Outcome::Missed),
        count(&|trial| trial.outcome == Outcome::Inconclusive),
    );
    page.field(2, "trials", &line);
    page.blank();
}

impl<'a> Line<'a> {
    fn new(mark: Mark, trials: &'a [Trial], place: impl Fn(&Trial) -> String) -> Self {
        let first = &trials[0];
        let mut point = place(first);
        if let [_, .., last] = trials {
            point = format!("{point} … {} ({})", place(last), trials.len());
        }
        let slowest = trials.iter().filter_map(|trial| trial.shutdown_us).max();
        let shutdown = match slowest {
            None => String::new(),
            Some(us) if trials.len() == 1 => duration(us),
            Some(us) => format!("≤ {}", duration(us)),
        };
        Self {
            mark,
            injection: truncate_middle(&escape_terminal(&first.injection), 24),
            point,
            ended: truncate_middle(&ended(first), 36),
            shutdown,
            trials,
        }
    }
}

fn ended(trial: &Trial) -> String {
    let status = trial.status.as_deref().map(escape_terminal);
    let mut ended = match (trial.outcome, status) {
        (Outcome::Ended, Some(status)) => status,
        (Outcome::Ended, None) => "ended".to_owned(),
        (Outcome::Killed, _) => "KILL after the grace".to_owned(),
        (Outcome::Missed, Some(status)) => format!("missed ({status} before)"),
        (Outcome::Missed, None) => "missed".to_owned(),
        (Outcome::Inconclusive, _) => "inconclusive".to_owned(),
    };
    if trial.informational {
        ended.push_str(", info");
    }
    ended
}

/// A longer sequence is shortened: the token has it whole.
const MOST_INJECTION: usize = 20;

fn draw(page: &mut Page, lines: &[Line<'_>]) {
    let widest = |of: for<'a> fn(&'a Line<'_>) -> &'a String| {
        lines.iter().map(|line| of(line).chars().count()).max().unwrap_or_default()
    };
    let injection = widest(|line| &line.injection).min(MOST_INJECTION);
    let ended = widest(|line| &line.ended);
    let shutdown = widest(|line| &line.shutdown);
    // "  ✓ " + injection + " @ " + point + "  " + ended + "  " + shutdown
    let others = 4 + injection + 3 + 2 + ended + 2 + shutdown;
    let room = page.width().saturating_sub(others).max(12);
    let point = widest(|line| &line.point).min(room);
    for line in lines {
        let (mark, style) = match line.mark {
            Mark::Good => ("✓", style::GOOD),
            Mark::Bad => ("✗", style::ERROR),
            Mark::NotJudged => ("?", style::WARN),
        };
        let text = format!(
            "{} {:injection$} @ {:point$}  {:ended$}  {:>shutdown$}",
            page.paint(mark, style),
            truncate_middle(&line.injection, injection),
            truncate_middle(&line.point, point),
            line.ended,
            line.shutdown,
        );
        page.line(2, &text);
        let first = &line.trials[0];
        if let Some(note) = &first.note {
            page.paragraph(4, 4, &escape_terminal(note), style::DIM);
        }
        if page.options().verbose {
            page.label(4, "token", &escape_terminal(&first.token));
        }
    }
}

fn rest(page: &mut Page, lines: &[Line<'_>]) {
    let count = |mark: Option<Mark>| -> usize {
        lines.iter().filter(|line| mark.is_none_or(|mark| mark == line.mark)).map(|line| line.trials.len()).sum()
    };
    if !lines.is_empty() {
        let text = format!(
            "… {} more trials ({} with findings, {} not judged); --verbose shows all",
            count(None),
            count(Some(Mark::Bad)),
            count(Some(Mark::NotJudged)),
        );
        page.paragraph(2, 4, &text, style::DIM);
    }
}
