//! A person asks to stop: seen by every trial in progress at once.

use rustix::event::EventfdFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by all trials of a run; once raised it stays raised.
#[derive(Debug, Clone)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    event: Arc<OwnedFd>,
}

impl Interrupt {
    /// A new one, not raised.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn new() -> std::io::Result<Self> {
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { raised: Arc::default(), event: Arc::new(event) })
    }

    /// Asks every trial to stop.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
        // The counter cannot overflow: it is raised at most a few times.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::SeqCst)
    }

    pub(crate) fn event(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
