//! Quietus terminates a program at the moments that matter and names what it
//! leaves behind. This crate is the engine; `quietus-cli` is the command.
//!
//! The rooms, each depending only on those below it (see `ARCHITECTURE.md`):
//! [`explore`] decides which trials run, [`trial`] is one trial as a table,
//! [`driver`] runs an agent, [`cell`] is the sealed place, [`audit`] compares
//! censuses, [`scenario`] reads scenario files, [`model`] holds the words, and
//! `sys` holds every system call that needs `unsafe`.

pub mod audit;
pub mod cell;
pub mod driver;
pub mod explore;
#[cfg(feature = "test")]
pub mod future;
pub mod model;
pub mod scenario;
pub mod sys;
pub mod trial;
pub mod windows;

#[cfg(feature = "test")]
pub use future::{AsyncAgent, FutureAgent, Trial, over};
