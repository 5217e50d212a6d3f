//! Locks that an agent hands over, to be looked at once it was cancelled.

use std::sync::{Arc, TryLockError};

/// How a lock was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// Nobody holds it.
    Free,
    /// Somebody does.
    Held,
    /// Its holder panicked.
    Poisoned,
}

/// A lock whose state can be asked for without waiting.
pub trait Lock: Send + Sync {
    /// How it is now.
    fn lock_state(&self) -> LockState;
}

fn of<T>(tried: Result<T, TryLockError<T>>) -> LockState {
    match tried {
        Ok(_) => LockState::Free,
        Err(TryLockError::WouldBlock) => LockState::Held,
        Err(TryLockError::Poisoned(_)) => LockState::Poisoned,
    }
}

fn taken(held: bool) -> LockState {
    if held { LockState::Held } else { LockState::Free }
}

impl<T: ?Sized + Send> Lock for std::sync::Mutex<T> {
    fn lock_state(&self) -> LockState {
        of(self.try_lock())
    }
}

impl<T: ?Sized + Send + Sync> Lock for std::sync::RwLock<T> {
    fn lock_state(&self) -> LockState {
        of(self.try_write())
    }
}

impl<T: ?Sized + Send> Lock for tokio::sync::Mutex<T> {
    fn lock_state(&self) -> LockState {
        taken(self.try_lock().is_err())
    }
}

impl<T: ?Sized + Send + Sync> Lock for tokio::sync::RwLock<T> {
    fn lock_state(&self) -> LockState {
        taken(self.try_write().is_err())
    }
}

impl<L: Lock + ?Sized> Lock for Arc<L> {
    fn lock_state(&self) -> LockState {
        (**self).lock_state()
    }
}
