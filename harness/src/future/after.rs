//! A future that is cancelled by one's own hand.

use std::future::{Future, poll_fn};
use std::task::Poll;

/// Runs a future until it has been suspended so often, and drops it there; its output if it
/// ends before. For tests that cancel among other things they do, such as state machines.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let steps = || async {
///     tokio::task::yield_now().await;
///     tokio::task::yield_now().await;
///     "done"
/// };
/// assert_eq!(quietus::cancel_after(2, steps()).await, None);
/// assert_eq!(quietus::cancel_after(3, steps()).await, Some("done"));
/// # });
/// ```
pub async fn cancel_after<T>(awaits: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Some(Box::pin(future));
    let mut left = awaits;
    poll_fn(|context| {
        let Some(running) = future.as_mut().filter(|_| left > 0) else { return Poll::Ready(None) };
        if let Poll::Ready(output) = running.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        left -= 1;
        if left == 0 {
            future = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}
