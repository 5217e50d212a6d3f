//! Servers that run beside the agent, each trial with its own: what has to be there before
//! one can be started, how it is started, and when it can be used. Starting it is the
//! driver's work.

mod account;
mod postgres;
mod references;
mod search;

pub use references::References;

use crate::model::Injection;
use crate::scenario::{ServiceKind, ServiceSpec};
use crate::state::Scratch;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A server of a scenario.
#[derive(Debug)]
pub struct Service {
    /// What it is called. A name for a directory too.
    pub name: String,
    kind: ServiceKind,
    /// What its directory lies in, and goes with.
    scratch: Arc<Scratch>,
    /// Where programs are looked for.
    search: Option<OsString>,
    start: OnceLock<Result<Start, String>>,
}

/// A service that one of these injections stops, and that there is not.
pub fn unknown<'i>(injections: impl Iterator<Item = &'i Injection>, services: &[Arc<Service>]) -> Option<&'i str> {
    let is_known = |name: &str| services.iter().any(|service| service.name == name);
    injections.flat_map(Injection::stalls).find(|name| !is_known(name))
}

/// How a server is started, and when it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Whether it gets the agent's environment, or only what a program cannot do without.
    pub environment: Inherits,
    /// What says that it can be used.
    pub ready: Ready,
    /// Where its output goes, in the cell.
    pub log: PathBuf,
}

/// Whose environment a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inherits {
    /// That of the agent.
    Agent,
    /// Nothing but where programs are.
    Nothing,
}

/// What says that a server can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// It runs.
    AtOnce,
    /// PostgreSQL answers at this socket.
    Postgres(PathBuf),
    /// Redis answers at this socket.
    Redis(PathBuf),
    /// This command exits with 0.
    Command(Vec<OsString>),
}

impl Service {
    /// A server that a scenario names, with its directory in the scratch. `search` is a PATH.
    pub fn new(spec: &ServiceSpec, scratch: &Arc<Scratch>, search: Option<OsString>) -> Self {
        let (name, kind, scratch) = (spec.name.clone(), spec.kind.clone(), Arc::clone(scratch));
        Self { name, kind, scratch, search, start: OnceLock::new() }
    }

    /// Its directory.
    ///
    /// # Errors
    /// In words, when none can be had.
    pub fn directory(&self) -> Result<PathBuf, String> {
        Ok(self.scratch.path()?.join(format!("service-{}", self.name)))
    }

    /// Where its clients find it, if it is of a kind that is known.
    pub fn url(&self) -> Option<String> {
        let directory = self.directory().ok()?;
        let directory = directory.display();
        match self.kind {
            ServiceKind::Postgres => Some(format!("postgresql:///postgres?host={directory}&user=postgres")),
            ServiceKind::Redis => Some(format!("unix://{directory}/{REDIS_SOCKET}")),
            ServiceKind::Command { .. } => None,
        }
    }

    /// Whether it may listen on ports of the machine: nobody knows what another program does.
    pub fn may_use_ports(&self) -> bool {
        matches!(self.kind, ServiceKind::Command { .. })
    }

    /// Makes what it needs on the host, once for all trials, and says how it is started.
    ///
    /// # Errors
    /// In words, when it is not installed or cannot be prepared.
    pub fn start(&self) -> Result<&Start, String> {
        self.start.get_or_init(|| self.prepare()).as_ref().map_err(Clone::clone)
    }

    fn prepare(&self) -> Result<Start, String> {
        let directory = &self.directory()?;
        match &self.kind {
            ServiceKind::Postgres => postgres::prepare(directory, self.search.as_deref()),
            ServiceKind::Redis => {
                let server = search::program("redis-server", self.search.as_deref())
                    .ok_or("redis-server is not installed (Debian's package is redis-server)")?;
                make(directory)?;
                Ok(redis(server, directory))
            }
            ServiceKind::Command { command, ready } => {
                // A path may be that of something which the scenario prepares.
                let name = command.first().filter(|name| !name.contains('/'));
                if let Some(name) = name.filter(|name| search::program(name, self.search.as_deref()).is_none()) {
                    return Err(format!("cannot find the program `{name}` on PATH"));
                }
                make(directory)?;
                let words = |words: &[String]| words.iter().map(OsString::from).collect::<Vec<_>>();
                let log = directory.join(LOG);
                let ready = if ready.is_empty() { Ready::AtOnce } else { Ready::Command(words(ready)) };
                Ok(Start { command: logged(&log, words(command)), environment: Inherits::Agent, ready, log })
            }
        }
    }
}

const LOG: &str = "log";
const REDIS_SOCKET: &str = "redis.sock";

fn redis(server: PathBuf, directory: &Path) -> Start {
    let socket = directory.join(REDIS_SOCKET);
    let mut command: Vec<OsString> = vec![server.into(), "--port".into(), "0".into(), "--unixsocket".into()];
    command.extend([socket.clone().into(), "--unixsocketperm".into(), "777".into(), "--dir".into(), directory.into()]);
    command.extend(["--save", "", "--appendonly", "no", "--daemonize", "no"].map(OsString::from));
    let log = directory.join(LOG);
    Start { command: logged(&log, command), environment: Inherits::Nothing, ready: Ready::Redis(socket), log }
}

/// With its output in a file: a pipe that nobody reads would fill up.
fn logged(log: &Path, command: Vec<OsString>) -> Vec<OsString> {
    let shell = ["/bin/sh", "-c", "exec \"$@\" >>\"$0\" 2>&1"].map(OsString::from);
    shell.into_iter().chain([log.into()]).chain(command).collect()
}

/// Makes the directory of a server, which everybody may look into.
fn make(directory: &Path) -> Result<(), String> {
    let failed = |errno: rustix::io::Errno| format!("cannot make {}: {errno}", directory.display());
    rustix::fs::mkdir(directory, rustix::fs::Mode::from_raw_mode(0o755)).map_err(failed)?;
    rustix::fs::chmod(directory, rustix::fs::Mode::from_raw_mode(0o755)).map_err(failed)
}
