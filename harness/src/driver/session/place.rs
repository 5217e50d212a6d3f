//! Where a trial runs, as a session sees it: a cell, or the premises of the
//! portable driver.

use crate::cell::{Depth, FileWatch};
use crate::driver::DriverError;
use crate::model::{FileSize, FileTree, IpcObject, Listener, ProcessRecord};
use crate::sys::{Command, Program, Report};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// A place in which programs were prepared and can be run.
pub(crate) trait Place {
    /// Whether agents can be traced here.
    const TRACES: bool = false;

    /// The `/proc` that numbers its processes.
    fn proc(&self) -> BorrowedFd<'_>;

    /// Readable when whoever starts programs has something to say, or is gone.
    fn socket(&self) -> BorrowedFd<'_>;

    /// The next report, if there is one now.
    fn receive(&self) -> Result<Option<Report>, Errno>;

    /// Asks for something.
    fn send(&self, command: Command) -> Result<(), Errno>;

    /// Urgent (`POLLPRI`) when the last process may be gone, where the kernel tells.
    fn emptied(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Whether its init says when nobody else is left, and can stop all at once.
    fn tells_when_empty(&self) -> bool {
        false
    }

    /// The controlling side of the agent's terminal, once.
    fn take_terminal(&mut self) -> Option<OwnedFd>;

    /// Every process of the trial but those that Quietus needs for itself.
    fn processes(&self, depth: Depth) -> Vec<ProcessRecord>;

    /// The same for a census, which may look in more ways than one.
    fn census(&self, depth: Depth) -> Vec<ProcessRecord> {
        self.processes(depth)
    }

    /// What these processes listen on.
    fn listeners(&self, records: &[ProcessRecord]) -> Vec<Listener>;

    /// The IPC objects that can be seen.
    fn ipc(&self) -> Vec<IpcObject>;

    /// Watches for a file by a pattern of the agent.
    fn watch(&self, directory: &Path, glob: &str, size: Option<FileSize>) -> std::io::Result<FileWatch>;

    /// Directories for temporary files.
    fn temporary(&self, environment: &[(std::ffi::OsString, std::ffi::OsString)]) -> Vec<String>;

    /// Its root directory.
    fn root(&self) -> BorrowedFd<'_>;

    /// Where a path of the agent is below the root.
    fn actual(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    /// A text of the agent as it is reported.
    fn shown(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Takes the files as they are now as the state before the agent.
    fn note_before(&mut self);

    /// Lists every changed path, while processes may run.
    fn look_at_files(&mut self) -> FileTree;

    /// Ends every process, then lists every changed path.
    fn end(&mut self) -> FileTree;

    /// Whether it has a network of its own, with nothing but the loopback interface.
    fn has_private_network(&self) -> bool {
        false
    }

    /// Takes the socket that came with the last [`Report::Connected`].
    fn take_connected(&self) -> Option<OwnedFd> {
        None
    }

    /// Leaves directories that are not the agent's out of every list of changed paths.
    fn hide(&mut self, _directories: Vec<PathBuf>) {}

    /// What is not audited, and why.
    fn gaps(&self) -> Vec<(String, String)>;
}

/// Builds a place from the programs and whether there is to be a terminal.
pub(crate) type Build<'a, P> = dyn FnOnce(&[Program], bool) -> Result<P, DriverError> + 'a;
