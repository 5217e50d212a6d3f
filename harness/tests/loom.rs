//! What threads share, run through every interleaving of its locks. The source is
//! compiled once more here, over loom's types.

mod sync {
    pub(crate) use loom::sync::Mutex;
    pub(crate) use std::sync::PoisonError;
}

#[path = "../src/explore/queue.rs"]
mod queue;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use queue::Queue;

#[test]
fn each_item_is_done_once_and_its_result_kept() {
    loom::model(|| {
        let queue = Arc::new(Queue::new(3));
        let serve = |queue: &Queue<usize>| {
            while let Some(index) = queue.take() {
                // `put` asserts that nobody did it before.
                queue.put(index, index * 10);
            }
        };
        let other = Arc::clone(&queue);
        let thread = loom::thread::spawn(move || serve(&other));
        serve(&queue);
        thread.join().expect("it does not panic");
        let queue = Arc::try_unwrap(queue).expect("the other has ended");
        assert_eq!(queue.finish(), [Some(0), Some(10), Some(20)]);
    });
}

#[test]
fn whoever_stops_leaves_the_rest_to_nobody() {
    loom::model(|| {
        let queue = Arc::new(Queue::new(3));
        let done = Arc::new(AtomicUsize::new(0));
        let serve = |queue: &Queue<usize>, done: &AtomicUsize| {
            // Stopped after the first, as an interrupt does.
            while done.load(Ordering::SeqCst) == 0 {
                let Some(index) = queue.take() else { return };
                done.fetch_add(1, Ordering::SeqCst);
                queue.put(index, index);
            }
        };
        let (other, counted) = (Arc::clone(&queue), Arc::clone(&done));
        let thread = loom::thread::spawn(move || serve(&other, &counted));
        serve(&queue, &done);
        thread.join().expect("it does not panic");
        let kept = Arc::try_unwrap(queue).expect("the other has ended").finish();
        let count = done.load(Ordering::SeqCst);
        assert!((1..=2).contains(&count), "one each at most: {count}");
        assert_eq!(kept.iter().flatten().count(), count);
        assert!(kept.iter().skip(count).all(Option::is_none), "in order: {kept:?}");
    });
}
