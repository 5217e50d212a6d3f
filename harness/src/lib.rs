//! Quietus terminates a program at the moments that matter and names what it
//! leaves behind. This crate is the engine; `quietus-cli` is the command.
//!
//! In tests it is used through [`macro@test`], [`Agent`] and [`scenarios!`]; the [`guide`]
//! shows how.
//!
//! The rooms, each depending only on those below it (see `ARCHITECTURE.md`):
//! [`explore`] decides which trials run, [`trial`] is one trial as a table,
//! [`fuzz`] draws plans at random,
//! [`driver`] runs an agent, [`state`] reads what it keeps outside itself, [`cell`] is
//! the sealed place, [`audit`] compares censuses, [`scenario`] reads scenario files, [`mod@model`] holds the words, and
//! `sys` holds every system call that needs `unsafe`.

pub mod audit;
pub mod cell;
pub mod driver;
pub mod explore;
#[cfg(feature = "test")]
pub mod future;
pub mod fuzz;
#[cfg(feature = "test")]
pub mod guide;
pub mod model;
pub mod scenario;
pub mod service;
pub mod state;
pub mod sys;
#[cfg(feature = "test")]
pub mod testing;
pub mod trial;
pub mod windows;

#[cfg(feature = "test")]
pub use future::{AsyncAgent, Trial, cancel_after, over};
/// Makes a test of an async function: it is cancelled wherever it can be, and what it
/// leaves is found.
///
/// The function takes a [`Trial`], builds what it works on, and works on it. It is run
/// undisturbed, and then once for each of its suspensions and each way to cancel it. The
/// test runs in a process of its own, in a sealed cell where the machine has one, so that
/// every descriptor, child process and temporary file there is the agent's; it does not
/// matter what else `cargo test` or nextest runs beside it.
///
/// ```
/// # mod tests {
/// #[quietus::test(time = "paused")]
/// async fn transfer(trial: quietus::Trial) -> std::io::Result<()> {
///     let file = tempfile::NamedTempFile::new_in(trial.dir())?;
///     tokio::time::sleep(std::time::Duration::from_secs(60)).await;
///     file.persist(trial.dir().join("answer"))?;
///     Ok(())
/// }
/// # }
/// ```
///
/// What may stand in brackets, each once:
///
/// | argument | what it says | otherwise |
/// |---|---|---|
/// | `how = "drop, abort"` | the ways to cancel it: `drop`, `abort`, `token`, `timeout` | all |
/// | `time = "paused"` | tokio's clock stands still and jumps to what is waited for: for agents that wait for nothing outside, such as children and sockets | `"real"` |
/// | `threads = 2` | it runs on a runtime with so many threads | one, the current |
/// | `grace = "5s"` | how long it may take to end after its token was cancelled | 5 s |
/// | `horizon = "60s"` | how long an undisturbed run may take | a minute; an hour when paused |
/// | `budget = "10s"` | no trial starts after that time | none |
/// | `fuzz = 300` | so many trials at random in place of one for each suspension, as [`FutureAgent::fuzz`] makes them | none |
/// | `seed = 1` | the order of the trials, and which they are where they are at random | 0 |
/// | `rerun = false` | it is not run again over what a cancelled run left | it is |
///
/// A test that fails prints each finding with the line of the `.await` at which the agent
/// was cancelled, and a token. With `QUIETUS_REPLAY` set to that token, the test makes that
/// one trial.
#[cfg(feature = "test")]
pub use quietus_macros::test;
#[cfg(feature = "model")]
pub use testing::model;
#[cfg(feature = "strategy")]
pub use testing::strategy;
#[cfg(feature = "test")]
pub use testing::{Agent, CommandAgent, FutureAgent, Tested};
