//! An agent over loom's types, through every interleaving of its steps with a cancel.

use loom::future::{AtomicWaker, block_on};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;

/// The cancel that an agent gets. It comes at any moment: before the agent begins, between
/// any two of its steps, or after its end.
#[derive(Clone)]
pub struct Cancel {
    inner: Arc<Inner>,
}

struct Inner {
    requested: AtomicBool,
    waker: AtomicWaker,
    /// Not one of loom's: it is no step of the agent.
    cleanups: std::sync::atomic::AtomicUsize,
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancel")
    }
}

impl Cancel {
    fn new() -> Self {
        let inner = Inner {
            requested: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            cleanups: std::sync::atomic::AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether it has come.
    pub fn is_requested(&self) -> bool {
        self.inner.requested.load(Ordering::SeqCst)
    }

    /// Waits for it. One at a time waits: a second one takes the place of the first.
    pub async fn requested(&self) {
        std::future::poll_fn(|context| {
            self.inner.waker.register_by_ref(context.waker());
            if self.is_requested() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Runs this until the cancel comes, and drops it then, where it is.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let (mut work, mut requested) = (pin!(work), pin!(self.requested()));
        std::future::poll_fn(|context| {
            if requested.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            work.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// The agent says so wherever it cleans up. It must do so once, whenever the cancel
    /// comes, and also when it comes too late.
    pub fn cleaned_up(&self) {
        self.inner.cleanups.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn request(&self) {
        self.inner.requested.store(true, Ordering::SeqCst);
        self.inner.waker.wake();
    }
}

/// Runs an agent through every interleaving of its steps with a cancel, and fails if in one
/// of them its cleanup does not run exactly once, if it never ends, or if `check` fails.
///
/// `world` makes what the agent works on, over loom's types; `agent` is the agent, as a
/// future; `check` looks at the world once it has ended: that nothing was lost, that what
/// was begun was finished or undone.
///
/// ```
/// use loom::sync::Mutex;
///
/// quietus::model(
///     || Mutex::new((vec![1, 2], vec![])),
///     async |queues, cancel| {
///         while !cancel.is_requested() {
///             // taken and put in one step
///             let mut queues = queues.lock().unwrap();
///             let Some(job) = queues.0.pop() else { break };
///             queues.1.push(job);
///         }
///         cancel.cleaned_up();
///     },
///     |queues| {
///         let queues = queues.lock().unwrap();
///         assert_eq!(queues.0.len() + queues.1.len(), 2, "no job is lost");
///     },
/// );
/// ```
///
/// # Panics
/// When the agent is wrong in one interleaving; loom says which.
pub fn model<T, A>(world: impl Fn() -> T + Send + Sync + 'static, agent: A, check: impl Fn(&T) + Send + Sync + 'static)
where
    T: Send + Sync + 'static,
    A: AsyncFn(Arc<T>, Cancel) + Send + Sync + 'static,
{
    let agent = std::sync::Arc::new(agent);
    loom::model(move || {
        let (shared, cancel) = (Arc::new(world()), Cancel::new());
        let (own, asked, agent) = (Arc::clone(&shared), cancel.clone(), std::sync::Arc::clone(&agent));
        let running = loom::thread::spawn(move || block_on(agent(own, asked)));
        cancel.request();
        running.join().expect("the agent panics");
        let cleanups = cancel.inner.cleanups.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(cleanups, 1, "the agent cleaned up {cleanups} times");
        check(&shared);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::sync::Mutex;

    /// Jobs, and results.
    type Queues = Mutex<(Vec<u32>, Vec<u32>)>;

    fn queues() -> Queues {
        Mutex::new((vec![1, 2], Vec::new()))
    }

    fn nothing_is_lost(queues: &Queues) {
        let queues = queues.lock().expect("nobody panics");
        assert_eq!(queues.0.len() + queues.1.len(), 2, "a job is lost");
    }

    fn take(queues: &Queues) -> Option<u32> {
        queues.lock().expect("nobody panics").0.pop()
    }

    fn put(queues: &Queues, job: u32) {
        queues.lock().expect("nobody panics").1.push(job);
    }

    #[test]
    fn an_agent_that_stops_between_jobs() {
        model(
            queues,
            async |queues: Arc<Queues>, cancel: Cancel| {
                while !cancel.is_requested() {
                    let Some(job) = take(&queues) else { break };
                    put(&queues, job);
                }
                cancel.cleaned_up();
            },
            nothing_is_lost,
        );
    }

    #[test]
    #[should_panic(expected = "a job is lost")]
    fn an_agent_that_looks_between_taking_and_putting() {
        model(
            queues,
            async |queues: Arc<Queues>, cancel: Cancel| {
                while let Some(job) = take(&queues) {
                    if cancel.is_requested() {
                        break;
                    }
                    put(&queues, job);
                }
                cancel.cleaned_up();
            },
            nothing_is_lost,
        );
    }

    #[test]
    #[should_panic(expected = "cleaned up 2 times")]
    fn an_agent_that_cleans_up_on_both_ways_out() {
        model(
            || (),
            async |_: Arc<()>, cancel: Cancel| {
                if cancel.is_requested() {
                    cancel.cleaned_up();
                }
                cancel.cleaned_up();
            },
            |()| {},
        );
    }

    #[test]
    fn work_that_is_dropped_where_it_waits() {
        model(
            || Mutex::new(0),
            async |steps: Arc<Mutex<u32>>, cancel: Cancel| {
                let work = async {
                    *steps.lock().expect("nobody panics") += 1;
                    std::future::pending::<()>().await;
                };
                assert!(cancel.unless(work).await.is_none());
                cancel.cleaned_up();
            },
            |steps| assert!(*steps.lock().expect("nobody panics") <= 1),
        );
    }

    /// loom ends the process where all threads wait, so this test starts itself again.
    #[test]
    fn an_agent_that_never_hears_of_it() {
        const AGAIN: &str = "QUIETUS_TEST_DEADLOCK";
        if std::env::var_os(AGAIN).is_some() {
            model(
                || (),
                async |_: Arc<()>, cancel: Cancel| {
                    std::future::pending::<()>().await;
                    cancel.cleaned_up();
                },
                |()| {},
            );
            return;
        }
        let own = std::env::current_exe().expect("it has a name");
        let name = "testing::modelled::tests::an_agent_that_never_hears_of_it";
        let output = std::process::Command::new(own)
            .args([name, "--exact", "--nocapture"])
            .env(AGAIN, "1")
            .output()
            .expect("it starts");
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("deadlock"), "{output:?}");
    }
}
