//! A question to the tracer: where in their code the agent's threads are. It waits for
//! stops alone, so it is asked by one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The question and its answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Whether the next SIGSTOP is the question.
    pub(super) asked: AtomicBool,
    answer: Mutex<Answer>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Answer {
    stacks: BTreeMap<i32, Vec<String>>,
    over: bool,
}

impl Asked {
    /// What is known when all has been told, or after so long.
    pub(super) fn ask(&self, ask: impl FnOnce(), patience: Duration) -> BTreeMap<i32, Vec<String>> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.store(true, Ordering::SeqCst);
        ask();
        let told = self.told.wait_timeout_while(answer, patience, |answer| !answer.over);
        let (mut answer, _) = told.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut answer.stacks)
    }

    /// The stack of one thread; the last one is over.
    pub(super) fn tell(&self, tid: i32, stack: Vec<String>, last: bool) {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.stacks.insert(tid, stack);
        answer.over |= last;
        self.told.notify_all();
    }

    /// There is nothing more to tell.
    pub(super) fn over(&self) {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).over = true;
        self.told.notify_all();
    }
}
