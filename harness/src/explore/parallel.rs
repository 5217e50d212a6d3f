//! Runs trials side by side, bounded, and hands back their results in order.

use super::queue::Queue;

/// Calls `work` for every item on up to `jobs` threads. Results come in the
/// order of the items; `None` where `go_on` said to stop before its turn.
pub(super) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    go_on: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(usize, &T) -> R + Sync),
) -> Vec<Option<R>> {
    let queue = Queue::new(items.len());
    let serve = || {
        while go_on() {
            let Some((index, item)) = queue.take().and_then(|index| Some((index, items.get(index)?))) else { return };
            queue.put(index, work(index, item));
        }
    };
    std::thread::scope(|scope| {
        // Where threads are refused (RLIMIT_NPROC), fewer do the work; this one always does.
        for _ in 1..jobs.clamp(1, items.len().max(1)) {
            if std::thread::Builder::new().spawn_scoped(scope, serve).is_err() {
                break;
            }
        }
        serve();
    });
    queue.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_keep_the_order_and_stop_when_told() {
        let items: Vec<usize> = (0..50).collect();
        let doubled = in_parallel(&items, 7, &|| true, &|index, item| index + item);
        assert_eq!(doubled, (0..50).map(|item| Some(item * 2)).collect::<Vec<_>>());
        let done = AtomicUsize::new(0);
        let some =
            in_parallel(&items, 1, &|| done.load(Ordering::SeqCst) < 3, &|_, _| done.fetch_add(1, Ordering::SeqCst));
        assert_eq!(some.iter().flatten().count(), 3);
        assert!(in_parallel(&[0; 0], 4, &|| true, &|_, item: &i32| *item).is_empty());
    }
}
