//! The way in: what is tested.

use super::command::CommandAgent;
use super::future_agent::FutureAgent;
use crate::future::AsyncAgent;
use std::ffi::OsStr;

/// What is under test: a program, or a future.
#[derive(Debug)]
pub enum Agent {}

impl Agent {
    /// A program; of one's own package, `env!("CARGO_BIN_EXE_name")`.
    ///
    /// ```no_run
    /// # fn main() {
    /// use std::time::Duration;
    ///
    /// quietus::Agent::command("./worker")
    ///     .workspace("tests/workspace")
    ///     .send("TERM")
    ///     .grace(Duration::from_secs(5))
    ///     .sweep()
    ///     .assert_clean();
    /// # }
    /// ```
    #[must_use]
    pub fn command(program: impl AsRef<OsStr>) -> CommandAgent {
        CommandAgent::new(program.as_ref())
    }

    /// A future, cancelled in the process of the test. What else the process holds is not
    /// looked at, since other tests may run beside it: see [`quietus::test`](macro@crate::test).
    ///
    /// ```
    /// let tested = quietus::Agent::future(|trial: quietus::Trial| async move {
    ///     std::fs::write(trial.dir().join("answer.tmp"), "half").unwrap();
    ///     tokio::task::yield_now().await;
    ///     std::fs::rename(trial.dir().join("answer.tmp"), trial.dir().join("answer")).unwrap();
    /// })
    /// .sweep();
    /// assert!(tested.summary().starts_with("findings\nerror temp-file: "));
    /// ```
    #[must_use]
    pub fn future(agent: impl AsyncAgent) -> FutureAgent {
        FutureAgent::new(agent)
    }
}
