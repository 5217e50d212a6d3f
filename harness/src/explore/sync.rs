//! The locks of this room; `tests/loom.rs` puts loom's in their place.

pub(super) use std::sync::{Mutex, PoisonError};
