//! How to look at what is kept outside the agent. An oracle reads one thing, at one
//! moment, and changes nothing; what it found is compared elsewhere.

mod address;
mod client;
mod command;
mod directory;
mod files;
mod git;
mod http;
mod json;
mod make;
mod postgres;
mod postgres_sessions;
mod redis;
mod scratch;
mod sqlite;

pub use address::{Address, Stream};
pub use command::CommandOracle;
pub use directory::DirectoryOracle;
pub use files::FilesOracle;
pub use git::GitOracle;
pub use http::HttpOracle;
pub use json::JsonOracle;
pub use make::oracle;
pub use postgres::{PostgresOracle, postgres_answers};
pub use redis::{RedisOracle, redis_answers};
pub use scratch::Scratch;
pub use sqlite::SqliteOracle;

use crate::model::{Ended, State};
use rustix::fd::OwnedFd;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Debug;
use std::path::Path;

/// Reads one thing that the agent changes outside itself.
///
/// It is asked before the agent runs, at the end of each trial, and once more when the
/// agent was started again. What it returns must be the same whenever the thing is the
/// same: sorted, and without times, ids and addresses.
pub trait Oracle: Debug + Send + Sync {
    /// What it is called in reports.
    fn name(&self) -> &str;

    /// Commands that it will want to run beside the agent, by their numbers.
    fn commands(&self) -> Vec<Vec<OsString>> {
        Vec::new()
    }

    /// The server that it asks, if it asks one. Trials of which each would see what the others
    /// do there run one at a time.
    fn server(&self) -> Option<Address> {
        None
    }

    /// Looks.
    ///
    /// # Errors
    /// In words, when it cannot be told what is there. Then the trial is inconclusive.
    fn read(&self, place: &mut dyn Place) -> Result<State, String>;
}

/// The place of a trial, as an oracle may use it.
pub trait Place {
    /// Opens a file or directory for reading, as the agent would see it; a relative path
    /// starts in the agent's directory. None when nothing is there.
    ///
    /// # Errors
    /// In words, when it is there and cannot be opened.
    fn open(&self, path: &Path) -> Result<Option<OwnedFd>, String>;

    /// A path as it is reported: in full.
    fn shown(&self, path: &Path) -> String;

    /// Runs one of the commands that the oracle has named, in the agent's directory and
    /// with its environment, and waits for its end.
    ///
    /// # Errors
    /// In words, when it cannot be run or does not end.
    fn run(&mut self, command: usize) -> Result<Ran, String>;

    /// Connects to a server, as the agent would reach it.
    ///
    /// # Errors
    /// In words, when nobody answers there, or no connection can be made from here.
    fn connect(&mut self, address: &Address) -> Result<Stream, String>;

    /// The files on which a process that the agent left holds a lock of the kernel.
    fn locked(&self) -> BTreeSet<String>;
}

/// A command that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// What it wrote to both its outputs, up to a mebibyte.
    pub output: Vec<u8>,
    /// Whether it wrote more than that.
    pub cut: bool,
}

/// The most that is kept of one part of a state as it is.
const WHOLE: usize = 256 * 1024;

/// A part of a state as text: bytes that are no text, or too many, by length and hash.
fn text_of(bytes: &[u8]) -> String {
    use std::hash::Hasher;
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= WHOLE => text.to_owned(),
        _ => {
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write(bytes);
            format!("{} bytes, hash {:016x}", bytes.len(), hasher.finish())
        }
    }
}

/// The most that is read of one file, or of one server at a time.
const MOST: u64 = 256 << 20;

/// Reads a whole file.
fn read_all(file: OwnedFd, path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let file = std::fs::File::from(file);
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{} is no regular file", path.display()));
    }
    if metadata.len() > MOST {
        return Err(format!("{} has {} bytes; at most {MOST} are read", path.display(), metadata.len()));
    }
    file.take(MOST).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
