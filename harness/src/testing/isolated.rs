//! A test that runs in a process of its own, in a cell: the test binary starts itself again.

use super::future_agent::FutureAgent;
use super::{inside, outside};

/// Names the socket on which a test in a process of its own speaks.
pub(super) const INSIDE: &str = "QUIETUS_INSIDE";
/// The working directory of the test, which its own process goes to.
pub(super) const DIRECTORY: &str = "QUIETUS_DIRECTORY";

/// What `#[quietus::test]` calls: sweeps the agent in a process of its own.
///
/// `module` and `name` are those of the test, by which the test binary finds it again.
///
/// # Panics
/// When something was found or nothing could be judged; the message says what, where, and
/// how to see it again.
#[track_caller]
#[doc(hidden)]
pub fn isolated(module: &str, name: &str, agent: FutureAgent) {
    // libtest names a test by its path in the crate.
    let path = match module.split_once("::") {
        Some((_, below)) => format!("{below}::{name}"),
        None => name.to_owned(),
    };
    let stuck = agent.longest_trial();
    if let Some(socket) = std::env::var_os(INSIDE) {
        inside::run(&socket, agent.test(&path));
    }
    if let Err(text) = outside::run(&path, stuck) {
        panic!("{text}");
    }
}
