//! Shows how a run goes on: a bar on a terminal, lines elsewhere.

use crate::args::{OutputArguments, ProgressArgument};
use crate::exit::Failure;
use crate::journal::Journal;
use indicatif::{ProgressBar, ProgressStyle};
use quietus::audit::Found;
use quietus::explore::Progress;
use quietus_reports::escape::escape_terminal;
use quietus_reports::{Outcome, Run, Trial};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

/// What is shown, and what is written down meanwhile.
pub(crate) struct Shown {
    how: How,
    journal: Option<Mutex<Journal>>,
}

enum How {
    Nothing,
    Lines,
    Bar(Mutex<ProgressBar>),
}

impl Shown {
    /// As the flags say.
    pub(crate) fn choose(arguments: &OutputArguments) -> Result<Self, Failure> {
        Self::going_on(arguments, false)
    }

    /// The same; what the journal holds stays in it if this run goes on with that one.
    pub(crate) fn going_on(arguments: &OutputArguments, resumes: bool) -> Result<Self, Failure> {
        let terminal = std::io::stderr().is_terminal();
        let how = match arguments.progress {
            _ if arguments.quiet => How::Nothing,
            ProgressArgument::None => How::Nothing,
            ProgressArgument::Plain => How::Lines,
            ProgressArgument::Auto if !terminal => How::Lines,
            ProgressArgument::Auto | ProgressArgument::Bar => How::Bar(Mutex::new(ProgressBar::new_spinner())),
        };
        let journal = arguments.journal.as_deref().map(|path| Journal::open(path, resumes)).transpose()?;
        Ok(Self { how, journal: journal.map(Mutex::new) })
    }

    /// Lines, or nothing.
    pub(crate) fn lines(quiet: bool) -> Self {
        Self { how: if quiet { How::Nothing } else { How::Lines }, journal: None }
    }

    /// Whether nothing is to be said.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.how, How::Nothing)
    }

    fn bar(&self, act: impl FnOnce(&mut ProgressBar)) {
        if let How::Bar(bar) = &self.how {
            act(&mut bar.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn line(&self, text: &str) {
        if let How::Lines = self.how {
            crate::output::complain(text);
        }
    }

    fn restart(&self, length: usize, what: &'static str) {
        self.bar(|bar| {
            bar.finish_and_clear();
            *bar = ProgressBar::new(length as u64).with_style(
                ProgressStyle::with_template("{msg:>12} [{bar:30}] {pos}/{len}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("=> "),
            );
            bar.set_message(what);
        });
    }

    /// Does something with the journal, if there is one.
    pub(crate) fn journal(&self, act: impl FnOnce(&mut Journal)) {
        if let Some(journal) = &self.journal {
            act(&mut journal.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Writes a trial down, and shows nothing of it.
    pub(crate) fn note(&self, trial: &Trial, found: &[Found]) {
        self.journal(|journal| journal.trial(trial, found));
    }

    /// Shows how far it has come; where there is no bar, only if a line is due.
    pub(crate) fn status(&self, text: &str, is_due: bool) {
        if is_due {
            self.line(text);
        }
        self.bar(|bar| {
            bar.set_style(ProgressStyle::default_spinner());
            bar.set_message(text.to_owned());
            bar.tick();
        });
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar(|bar| bar.finish_and_clear());
    }

    /// Says, once the report is written, whether every trial was written down.
    pub(crate) fn close(&self) -> Result<(), Failure> {
        let Some(journal) = &self.journal else { return Ok(()) };
        journal.lock().unwrap_or_else(PoisonError::into_inner).close()
    }
}

impl Progress for Shown {
    fn control(&self, what: &str) {
        self.line(&format!("control: {what}"));
        self.bar(|bar| {
            bar.set_message(format!("control: {what}"));
            bar.tick();
        });
    }

    fn planned(&self, trials: usize) {
        self.line(&format!("{trials} trials"));
        self.restart(trials, "trials");
    }

    fn begun(&self, run: &Run) {
        self.journal(|journal| journal.begin(run));
    }

    fn trial(&self, trial: &Trial, found: &[Found]) {
        self.note(trial, found);
        let how = match trial.outcome {
            Outcome::Missed => "missed",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Ended | Outcome::Killed if trial.findings.is_empty() => "nothing found",
            Outcome::Ended | Outcome::Killed => "findings",
        };
        self.line(&escape_terminal(&format!(
            "trial {}: {} at {}: {how}",
            trial.index + 1,
            trial.injection,
            trial.point
        )));
        self.bar(|bar| bar.inc(1));
    }

    fn confirming(&self, runs: usize) {
        self.line(&format!("confirming what was found with {runs} more runs"));
        self.restart(runs, "confirming");
    }

    fn confirmed(&self) {
        self.bar(|bar| bar.inc(1));
    }

    fn shrinking(&self, title: &str) {
        let text = escape_terminal(&format!("looking for the smallest trial that shows: {title}"));
        self.status(&text, true);
    }
}
