//! A waker that tells when a future takes it along: there the future waits.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// Wakes `inner`, and calls `taken` whenever someone clones it.
struct Telling {
    inner: Waker,
    taken: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telling")
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_one);

/// Makes a waker that wakes this one, and tells each time it is taken along.
pub fn telling_waker(inner: Waker, taken: impl Fn() + Send + Sync + 'static) -> Waker {
    let telling = Arc::new(Telling { inner, taken: Box::new(taken) });
    let raw = RawWaker::new(Arc::into_raw(telling).cast(), &TABLE);
    // SAFETY: the table's functions take their data to be one strong count of an
    // `Arc<Telling>`, which is what `raw` holds; `Telling` is Send and Sync.
    unsafe { Waker::from_raw(raw) }
}

/// The count that `data` stands for, without taking it.
fn borrowed(data: *const ()) -> ManuallyDrop<Arc<Telling>> {
    // SAFETY: `data` came from `Arc::into_raw` of an `Arc<Telling>` whose count is still
    // held by the waker; it is not given back here.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
}

fn clone(data: *const ()) -> RawWaker {
    let telling = borrowed(data);
    (telling.taken)();
    RawWaker::new(Arc::into_raw(Arc::clone(&telling)).cast(), &TABLE)
}

fn wake(data: *const ()) {
    wake_by_ref(data);
    drop_one(data);
}

fn wake_by_ref(data: *const ()) {
    borrowed(data).inner.wake_by_ref();
}

fn drop_one(data: *const ()) {
    drop(ManuallyDrop::into_inner(borrowed(data)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_wakes_tells_and_is_freed() {
        let (wakes, taken) = (Arc::new(Counts::default()), Arc::new(AtomicUsize::new(0)));
        let told = Arc::clone(&taken);
        let waker = telling_waker(Arc::clone(&wakes).into(), move || {
            told.fetch_add(1, Ordering::Relaxed);
        });
        waker.wake_by_ref();
        let other = waker.clone();
        drop(waker);
        let third = other.clone();
        third.wake();
        other.wake();
        assert_eq!((wakes.0.load(Ordering::Relaxed), taken.load(Ordering::Relaxed)), (3, 2));
        assert_eq!((Arc::strong_count(&wakes), Arc::strong_count(&taken)), (1, 1));
    }
}
