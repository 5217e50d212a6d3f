//! How far trials at random have come, while they run.

use crate::corpus::Corpus;
use crate::progress::Shown;
use quietus::audit::Found;
use quietus::explore::{Progress, Status};
use quietus_reports::{Run, Trial};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where there is no bar, a line comes no more often than that.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows one status, and keeps what is new.
pub(crate) struct Live<'a> {
    shown: &'a Shown,
    state: Mutex<State>,
}

struct State {
    corpus: Option<Corpus>,
    began: Option<Instant>,
    new: Instant,
    line: Instant,
}

impl<'a> Live<'a> {
    pub(crate) fn new(shown: &'a Shown, corpus: Option<Corpus>) -> Self {
        let now = Instant::now();
        Self { shown, state: Mutex::new(State { corpus, began: None, new: now, line: now }) }
    }

    /// Why the corpus could not be written, if it could not.
    pub(crate) fn close(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).corpus.as_ref().and_then(Corpus::failed)
    }
}

impl Progress for Live<'_> {
    fn control(&self, what: &str) {
        self.shown.control(what);
    }

    fn begun(&self, run: &Run) {
        self.shown.begun(run);
    }

    fn trial(&self, trial: &Trial, found: &[Found]) {
        self.shown.note(trial, found);
    }

    fn fuzzed(&self, status: &Status<'_>) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let began = *state.began.get_or_insert(now);
        if let Some((_, plan)) = status.new {
            state.new = now;
            if let Some(corpus) = &mut state.corpus {
                corpus.add(plan);
            }
        }
        let seconds = (now - began).as_secs_f64();
        let rate = if seconds > 0.0 { format!(" ({:.0}/s)", status.trials as f64 / seconds) } else { String::new() };
        let windows = status.windows.map(|(met, all)| format!(", windows {met}/{all}")).unwrap_or_default();
        let text = format!(
            "{} trial{}{rate}, corpus {}{windows}, findings {}, last new {:.0} s ago",
            status.trials,
            if status.trials == 1 { "" } else { "s" },
            status.corpus,
            status.findings,
            (now - state.new).as_secs_f64()
        );
        let is_due = now - state.line >= LINE_EVERY;
        if is_due {
            state.line = now;
        }
        drop(state);
        self.shown.status(&text, is_due);
    }

    fn confirming(&self, runs: usize) {
        self.shown.confirming(runs);
    }

    fn confirmed(&self) {
        self.shown.confirmed();
    }

    fn shrinking(&self, title: &str) {
        self.shown.shrinking(title);
    }
}
