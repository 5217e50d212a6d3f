//! A cell that stands: its processes, its changed files, its IPC.

use super::blueprint::{Blueprint, Layer, Wish, draw};
use super::files::{self, Before};
use super::host::HostFacts;
use super::ipc;
use super::processes::{self, Depth};
use crate::model::{FileTree, IpcKind, IpcObject, Listener, ProcessRecord};
use crate::sys::{self, Command, Launch, LaunchError, LaunchedCell, Namespaces, Program, Report, SetupStep, Slot};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How the cells of one run are to be.
#[derive(Debug, Clone)]
pub struct CellOptions {
    /// The agent's working directory: an absolute path.
    pub directory: PathBuf,
    /// Further directories that the agent is likely to write (home, caches).
    pub likely: Vec<PathBuf>,
    /// Whether each cell has a network of its own, with loopback only.
    pub private_network: bool,
    /// How many processes and threads a cell may hold.
    pub max_processes: u32,
}

/// How many processes and threads a cell may hold where nothing else is said.
pub const MOST_PROCESSES: u32 = 2048;

/// Variables of the environment that name a directory in which programs write.
const WRITTEN: [&str; 7] =
    ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];

impl CellOptions {
    /// Cells around this directory, for an agent with this environment; on the network of
    /// the host.
    pub fn around(directory: PathBuf, environment: &[(OsString, OsString)]) -> Self {
        let value =
            |name: &&str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| PathBuf::from(value));
        Self {
            directory,
            likely: WRITTEN.iter().filter_map(value).filter(|path| path.is_absolute()).collect(),
            private_network: false,
            max_processes: MOST_PROCESSES,
        }
    }
}

/// Makes cells of one kind; what it learns from a refusal holds for the next.
#[derive(Debug)]
pub struct CellMaker {
    facts: HostFacts,
    wish: Mutex<Wish>,
}

/// Why there is no cell.
#[derive(Debug, thiserror::Error)]
pub enum CellError {
    /// The host could not be read.
    #[error("cannot read {what}: {source}")]
    Host {
        /// What was read.
        what: &'static str,
        /// Why that failed.
        #[source]
        source: std::io::Error,
    },
    /// The kernel refused.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The init left something out that no cell can do without.
    #[error("[quietus internal bug] the init of the cell did not hand over {0}")]
    Incomplete(&'static str),
}

/// A cell that stands. Dropping it ends everything in it.
#[derive(Debug)]
pub struct Cell {
    launched: LaunchedCell,
    layers: Vec<Layer>,
    upper: OwnedFd,
    proc: OwnedFd,
    root: OwnedFd,
    before: Before,
    private_network: bool,
    /// Directories that are not the agent's.
    hidden: Vec<PathBuf>,
    /// What is not audited, and why.
    pub gaps: Vec<(String, String)>,
}

impl CellMaker {
    /// Reads what cells are built from.
    ///
    /// # Errors
    /// When the mounts of this host cannot be read.
    pub fn new(options: CellOptions) -> Result<Self, CellError> {
        let mut likely = options.likely;
        likely.push(options.directory.clone());
        likely.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
        let facts =
            HostFacts::read(&likely).map_err(|source| CellError::Host { what: "/proc/self/mountinfo", source })?;
        let wish = Wish {
            directory: options.directory,
            likely,
            private_network: options.private_network,
            max_processes: options.max_processes,
            refused: BTreeSet::new(),
        };
        Ok(Self { facts, wish: Mutex::new(wish) })
    }

    /// Whether a cell needs no user namespace here.
    pub fn is_privileged(&self) -> bool {
        self.facts.privileged
    }

    /// Builds a cell. A directory that the kernel refuses to overlay is shown
    /// read-only instead, and is a gap.
    ///
    /// # Errors
    /// When namespaces or a required step are refused; nothing is left then.
    pub fn build(&self, programs: &[Program], terminal: bool) -> Result<Cell, CellError> {
        loop {
            let wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let plan = draw(&self.facts, &wish);
            let launch = Launch {
                namespaces: Namespaces { user: !self.facts.privileged, network: wish.private_network },
                steps: &plan.steps,
                programs,
                terminal,
                max_processes: wish.max_processes,
            };
            match sys::launch(&launch) {
                Ok(launched) => return Cell::new(launched, plan, wish.private_network),
                Err(LaunchError::Step { index, what, errno }) => {
                    let refused =
                        plan.layers.iter().find(|layer| layer.step == index && layer.covers != Path::new("/"));
                    let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
                    match refused {
                        Some(layer) if wish.refused.insert(layer.covers.clone()) => {}
                        _ => return Err(LaunchError::Step { index, what, errno }.into()),
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
    }
}

impl Cell {
    fn new(mut launched: LaunchedCell, plan: Blueprint, private_network: bool) -> Result<Self, CellError> {
        let mut take = |slot, name| launched.take(slot).ok_or(CellError::Incomplete(name));
        let (upper, proc, root) =
            (take(Slot::Upper, "the upper layers")?, take(Slot::Proc, "/proc")?, take(Slot::Root, "the root")?);
        let mut gaps = plan.gaps;
        for (index, errno) in &launched.skipped {
            match plan.steps.get(*index) {
                Some(step @ SetupStep::Keep { .. }) => {
                    gaps.push((step.to_string().replace(super::blueprint::NEW_ROOT, ""), errno.to_string()))
                }
                Some(SetupStep::Mount { target, .. }) => gaps.push((
                    target.to_string_lossy().replace(super::blueprint::NEW_ROOT, ""),
                    format!("cannot be mounted: {errno}"),
                )),
                _ => {}
            }
        }
        let (before, hidden) = (Before::default(), Vec::new());
        Ok(Self { launched, layers: plan.layers, upper, proc, root, before, private_network, hidden, gaps })
    }

    /// The cell's `/proc`.
    pub fn proc(&self) -> BorrowedFd<'_> {
        self.proc.as_fd()
    }

    /// The cell's root directory.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The controlling side of the agent's terminal, once.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.launched.take(Slot::Terminal)
    }

    /// Readable when the init has something to say.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.launched.socket()
    }

    /// The next report of the init, if there is one now.
    ///
    /// # Errors
    /// When the init is gone.
    pub fn receive(&self) -> Result<Option<Report>, Errno> {
        self.launched.receive()
    }

    /// Asks something of the init.
    ///
    /// # Errors
    /// When the init is gone.
    pub fn send(&self, command: Command) -> Result<(), Errno> {
        self.launched.send(command)
    }

    /// Whether it has a network of its own, with nothing but the loopback interface.
    pub fn has_private_network(&self) -> bool {
        self.private_network
    }

    /// Takes the socket that came with the last [`Report::Connected`].
    pub fn take_connected(&self) -> Option<OwnedFd> {
        self.launched.take_connected()
    }

    /// Leaves directories out of every list of changed paths: what is in them is not the
    /// agent's.
    pub fn hide(&mut self, directories: Vec<PathBuf>) {
        self.hidden = directories;
    }

    /// Every process but the init, to a depth.
    pub(crate) fn processes(&self, depth: Depth) -> Vec<ProcessRecord> {
        processes::numbers(&self.proc, ".")
            .into_iter()
            .filter(|pid| *pid != 1)
            .filter_map(|pid| processes::look_at(&self.proc, pid, depth))
            .collect()
    }

    /// What these processes listen on.
    pub fn listeners(&self, records: &[ProcessRecord]) -> Vec<Listener> {
        processes::listeners(self.proc.as_fd(), records)
    }

    /// The IPC objects of the cell.
    pub fn ipc(&self) -> Vec<IpcObject> {
        let mut objects = Vec::new();
        for (slot, kind) in [
            (Slot::SharedMemory, IpcKind::SharedMemory),
            (Slot::Semaphores, IpcKind::Semaphore),
            (Slot::MessageQueues, IpcKind::MessageQueue),
        ] {
            if let Some(table) = self.launched.descriptor(slot) {
                objects.extend(ipc::read_table(table, kind));
            }
        }
        if let Some(queues) = self.launched.descriptor(Slot::PosixQueues) {
            objects.extend(ipc::read_queues(queues));
        }
        objects
    }

    /// Takes what has changed so far as the state before the agent.
    pub fn note_before(&mut self) {
        self.before = files::state_before(self.upper.as_fd(), &self.layers, &self.hidden);
    }

    /// Lists every changed path, while processes may run.
    pub fn look_at_files(&self) -> FileTree {
        files::changes(self.upper.as_fd(), &self.layers, &self.before, &self.hidden)
    }

    /// Ends every process, then lists every changed path.
    pub fn end(&mut self) -> FileTree {
        self.launched.end();
        self.look_at_files()
    }
}
