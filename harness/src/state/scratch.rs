//! A directory of ours that is gone when Quietus is, however it ends.

use crate::sys::{Guarded, Keep, Keeper, remove_tree};
use rustix::fs::Mode;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A directory for what oracles and services need, made when it is first asked for. A
/// process of its own removes it should Quietus be killed.
#[derive(Debug, Default)]
pub struct Scratch {
    made: OnceLock<Result<Made, String>>,
    names: AtomicU64,
}

#[derive(Debug)]
struct Made {
    path: PathBuf,
    guarded: Guarded,
    keeper: Option<Keeper>,
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.keeper.take().is_some_and(Keeper::close) {
            // The keeper was killed: once more from here.
            let _ = remove_tree(&self.guarded.directory);
        }
    }
}

fn make() -> Result<Made, String> {
    let parent = std::env::temp_dir();
    let parent = std::fs::canonicalize(&parent).unwrap_or(parent);
    for number in 0..10_000 {
        let path = parent.join(format!("quietus-scratch-{}-{number}", std::process::id()));
        let text = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| error.to_string())?;
        let guarded = Guarded { directory: text, cgroup: None };
        if path.symlink_metadata().is_ok() {
            continue;
        }
        // Before anything is made there is somebody to remove it.
        let keeper = Keeper::start(&Keep {
            programs: &[],
            directory: c"/",
            terminal: None,
            enter: None,
            max_processes: None,
            guarded: &guarded,
        })
        .map_err(|error| error.to_string())?;
        let failed = |errno| format!("cannot make {}: {errno} (TMPDIR says where)", path.display());
        match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o711)) {
            Ok(()) => {}
            Err(rustix::io::Errno::EXIST) => {
                keeper.dismiss();
                continue;
            }
            Err(errno) => return Err(failed(errno)),
        }
        rustix::fs::chmod(&path, Mode::from_raw_mode(0o711)).map_err(failed)?;
        return Ok(Made { path, guarded, keeper: Some(keeper) });
    }
    Err(format!("there is no free name in {}", parent.display()))
}

impl Scratch {
    /// The directory.
    ///
    /// # Errors
    /// In words, when it cannot be made.
    pub fn path(&self) -> Result<&Path, String> {
        self.made.get_or_init(make).as_ref().map(|made| made.path.as_path()).map_err(Clone::clone)
    }

    /// The directory, if it was asked for before.
    pub fn made(&self) -> Option<&Path> {
        self.made.get()?.as_ref().ok().map(|made| made.path.as_path())
    }

    /// A new directory in it, which nobody else may read.
    ///
    /// # Errors
    /// In words, when it cannot be made.
    pub fn fresh(&self) -> Result<PathBuf, String> {
        let path = self.path()?.join(self.names.fetch_add(1, Ordering::Relaxed).to_string());
        rustix::fs::mkdir(&path, Mode::RWXU).map_err(|errno| format!("cannot make {}: {errno}", path.display()))?;
        Ok(path)
    }
}
