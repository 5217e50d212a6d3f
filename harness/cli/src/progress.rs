//! Shows how a run goes on: a bar on a terminal, lines elsewhere.

use crate::args::{OutputArguments, ProgressArgument};
use indicatif::{ProgressBar, ProgressStyle};
use quietus::explore::Progress;
use quietus_reports::escape::escape_terminal;
use quietus_reports::{Outcome, Trial};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::PoisonError;

/// What is shown.
pub(crate) enum Shown {
    Nothing,
    Lines,
    Bar(Mutex<ProgressBar>),
}

impl Shown {
    pub(crate) fn choose(arguments: &OutputArguments) -> Self {
        let terminal = std::io::stderr().is_terminal();
        match arguments.progress {
            _ if arguments.quiet => Self::Nothing,
            ProgressArgument::None => Self::Nothing,
            ProgressArgument::Plain => Self::Lines,
            ProgressArgument::Auto if !terminal => Self::Lines,
            ProgressArgument::Auto | ProgressArgument::Bar => Self::Bar(Mutex::new(ProgressBar::new_spinner())),
        }
    }

    fn bar(&self, act: impl FnOnce(&mut ProgressBar)) {
        if let Self::Bar(bar) = self {
            act(&mut bar.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn line(&self, text: &str) {
        if let Self::Lines = self {
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

    pub(crate) fn finish(&self) {
        self.bar(|bar| bar.finish_and_clear());
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

    fn trial(&self, trial: &Trial) {
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
}
