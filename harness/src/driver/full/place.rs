//! A cell as the place of a trial.

use crate::cell::{Cell, Depth, FileWatch};
use crate::driver::session::Place;
use crate::model::{FileSize, FileTree, IpcObject, Listener, ProcessRecord, path_text};
use crate::sys::{Command, Report};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

impl Place for Cell {
    const TRACES: bool = true;

    fn proc(&self) -> BorrowedFd<'_> {
        Self::proc(self)
    }

    fn socket(&self) -> BorrowedFd<'_> {
        Self::socket(self)
    }

    fn receive(&self) -> Result<Option<Report>, Errno> {
        Self::receive(self)
    }

    fn send(&self, command: Command) -> Result<(), Errno> {
        Self::send(self, command)
    }

    fn tells_when_empty(&self) -> bool {
        true
    }

    fn take_terminal(&mut self) -> Option<OwnedFd> {
        Self::take_terminal(self)
    }

    fn processes(&self, depth: Depth) -> Vec<ProcessRecord> {
        Self::processes(self, depth)
    }

    fn listeners(&self, records: &[ProcessRecord]) -> Vec<Listener> {
        Self::listeners(self, records)
    }

    fn ipc(&self) -> Vec<IpcObject> {
        Self::ipc(self)
    }

    fn watch(&self, directory: &Path, glob: &str, size: Option<FileSize>) -> std::io::Result<FileWatch> {
        FileWatch::new(self.root(), directory, glob, size)
    }

    fn temporary(&self, environment: &[(OsString, OsString)]) -> Vec<String> {
        let mut temporary = vec!["/tmp".to_owned(), "/var/tmp".to_owned(), "/dev/shm".to_owned()];
        temporary.extend(
            environment
                .iter()
                .filter(|(key, _)| key == "TMPDIR")
                .map(|(_, value)| path_text(value.as_encoded_bytes()).trim_end_matches('/').to_owned()),
        );
        temporary
    }

    fn root(&self) -> BorrowedFd<'_> {
        Self::root(self)
    }

    fn note_before(&mut self) {
        Self::note_before(self);
    }

    fn look_at_files(&mut self) -> FileTree {
        Self::look_at_files(self)
    }

    fn end(&mut self) -> FileTree {
        Self::end(self)
    }

    fn has_private_network(&self) -> bool {
        Self::has_private_network(self)
    }

    fn take_connected(&self) -> Option<OwnedFd> {
        Self::take_connected(self)
    }

    fn hide(&mut self, directories: Vec<PathBuf>) {
        Self::hide(self, directories);
    }

    fn gaps(&self) -> Vec<(String, String)> {
        self.gaps.clone()
    }
}
