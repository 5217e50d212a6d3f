//! What is to be done, by number, and the results in that order. Threads share
//! it; `tests/loom.rs` runs it through every interleaving.

use super::sync::{Mutex, PoisonError};

#[derive(Debug)]
pub(super) struct Queue<R> {
    state: Mutex<State<R>>,
}

#[derive(Debug)]
struct State<R> {
    next: usize,
    results: Vec<Option<R>>,
}

impl<R> Queue<R> {
    pub(super) fn new(count: usize) -> Self {
        Self { state: Mutex::new(State { next: 0, results: (0..count).map(|_| None).collect() }) }
    }

    /// The next number, for this caller alone.
    pub(super) fn take(&self) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let index = state.next;
        let is_left = index < state.results.len();
        state.next += usize::from(is_left);
        is_left.then_some(index)
    }

    /// Hands in the result of a number that was taken.
    pub(super) fn put(&self, index: usize, result: R) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = state.results.get_mut(index) {
            debug_assert!(place.is_none(), "[quietus internal bug] number {index} was done twice");
            *place = Some(result);
        }
    }

    /// The results; `None` where nobody handed one in.
    pub(super) fn finish(self) -> Vec<Option<R>> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).results
    }
}
