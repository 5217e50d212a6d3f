//! Runs what is given one after the other, where what is given depends on what came of
//! that before. Threads share it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Gives what is to be done, and takes what came of it.
pub(super) trait Feed<T, R> {
    /// The next; none when there are no more.
    fn give(&mut self) -> Option<T>;
    /// What came of one, in the order in which they were given.
    fn take(&mut self, item: T, result: R);
}

struct State<'f, T, R> {
    feed: &'f mut (dyn Feed<T, R> + Send),
    /// How many were given, and of how many the result was taken.
    given: u64,
    taken: u64,
    ready: VecDeque<(u64, T)>,
    done: BTreeMap<u64, (T, R)>,
    exhausted: bool,
}

impl<T, R> State<'_, T, R> {
    fn give(&mut self) {
        match self.feed.give() {
            Some(item) => {
                self.ready.push_back((self.given, item));
                self.given += 1;
            }
            None => self.exhausted = true,
        }
    }

    /// Takes every result whose turn it is, and gives as many.
    fn settle(&mut self) {
        while let Some((item, result)) = self.done.remove(&self.taken) {
            self.taken += 1;
            self.feed.take(item, result);
            if !self.exhausted {
                self.give();
            }
        }
    }
}

/// How often one who waits looks whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Does what `feed` gives with `work` on up to `jobs` threads. The one with the number N is
/// given when the results of all up to N - `ahead` were taken, and none after that: so it
/// does not matter how many threads there are and which is faster.
pub(super) fn streamed<T: Send, R: Send>(
    jobs: usize,
    ahead: u64,
    go_on: &(dyn Fn() -> bool + Sync),
    feed: &mut (dyn Feed<T, R> + Send),
    work: &(dyn Fn(u64, &T) -> R + Sync),
) {
    let mut state = State { feed, given: 0, taken: 0, ready: VecDeque::new(), done: BTreeMap::new(), exhausted: false };
    while state.given < ahead && !state.exhausted {
        state.give();
    }
    let shared = (Mutex::new(state), Condvar::new());
    let next = || {
        let (state, news) = &shared;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        while go_on() {
            if let Some(next) = state.ready.pop_front() {
                return Some(next);
            }
            if state.exhausted {
                return None;
            }
            state = news.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        None
    };
    let serve = || {
        while let Some((number, item)) = next() {
            let result = work(number, &item);
            let (state, news) = &shared;
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.done.insert(number, (item, result));
            state.settle();
            news.notify_all();
        }
    };
    std::thread::scope(|scope| {
        // Where threads are refused (RLIMIT_NPROC), fewer do the work; this one always does.
        for _ in 1..jobs.max(1) {
            if std::thread::Builder::new().spawn_scoped(scope, serve).is_err() {
                break;
            }
        }
        serve();
    });
    // Of those that were stopped some lie behind one that was never done.
    let state = shared.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (_, (item, result)) in state.done {
        state.feed.take(item, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Gives the sum of all that was taken so far.
    #[derive(Default)]
    struct Sums {
        sum: u64,
        given: Vec<u64>,
        taken: Vec<u64>,
        most: usize,
    }

    impl Feed<u64, u64> for Sums {
        fn give(&mut self) -> Option<u64> {
            (self.given.len() < self.most).then(|| {
                self.given.push(self.sum);
                self.sum
            })
        }

        fn take(&mut self, item: u64, result: u64) {
            self.taken.push(item);
            self.sum += result % 1000 + 1;
        }
    }

    fn run(jobs: usize) -> Sums {
        let mut sums = Sums { most: 300, ..Sums::default() };
        let spin = AtomicU64::new(0);
        streamed(jobs, 8, &|| true, &mut sums, &|number, item| {
            // Some take longer than others.
            for _ in 0..number % 7 * 1000 {
                spin.fetch_add(1, Ordering::Relaxed);
            }
            item * 3 + number
        });
        sums
    }

    #[test]
    fn it_does_not_matter_how_many_threads_there_are() {
        let (one, many) = (run(1), run(7));
        assert_eq!(one.given, many.given);
        assert_eq!((one.taken.len(), &one.taken), (300, &one.given));
        assert_eq!(many.taken, many.given);
    }

    #[test]
    fn what_was_done_is_taken_though_it_is_stopped() {
        let mut sums = Sums { most: usize::MAX, ..Sums::default() };
        let done = AtomicU64::new(0);
        let go_on = || done.load(Ordering::SeqCst) < 20;
        streamed(3, 8, &go_on, &mut sums, &|_, item| {
            done.fetch_add(1, Ordering::SeqCst);
            *item
        });
        assert_eq!(sums.taken.len() as u64, done.load(Ordering::SeqCst));
    }
}
