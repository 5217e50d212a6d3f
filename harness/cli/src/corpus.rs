//! The plans that showed something new, on disk from run to run.

use crate::exit::Failure;
use quietus::explore::{Check, read_plans_that_can_be};
use quietus::model::{Token, TrialPlan};
use quietus_reports::fingerprint::digest;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Below the current directory; git is told to pass it over.
const DIRECTORY: &str = ".quietus";

/// No more of them are made again at the start of a run, or there were no time for others.
const MOST: usize = 256;

/// One file of tokens. It is written as plans come, so that a run that is killed loses none.
pub(crate) struct Corpus {
    path: PathBuf,
    plans: Vec<TrialPlan>,
    known: HashSet<TrialPlan>,
    file: Option<File>,
    failed: Option<String>,
}

/// A name for the file of an agent: what it is called, and which it is.
fn name(wanted: &Check) -> String {
    let parts = wanted.command.iter().map(OsString::as_os_str);
    let parts = parts.chain([wanted.directory.as_os_str(), OsStr::new(&wanted.name)]);
    let digest = digest(parts.map(OsStr::as_encoded_bytes));
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let name: String = wanted.name.chars().map(plain).take(40).collect();
    format!("{}-{}", name.trim_matches('-'), digest.get(..8).unwrap_or(&digest))
}

impl Corpus {
    /// What earlier runs of this agent kept, and where this one keeps what it meets.
    pub(crate) fn open(wanted: &Check) -> Result<Self, Failure> {
        let path = Path::new(DIRECTORY).join("corpus").join(name(wanted));
        let failed = |error: quietus::explore::RegressionsError| {
            Failure::usage(error.to_string()).with_help("remove that file, or leave it alone with --no-corpus")
        };
        // A line may be cut, or of another version: it is only a cache.
        let all = read_plans_that_can_be(&path).map_err(failed)?;
        let step = all.len().div_ceil(MOST).max(1);
        let plans = all.iter().step_by(step).cloned().collect();
        Ok(Self { path, plans, known: all.into_iter().collect(), file: None, failed: None })
    }

    pub(crate) fn plans(&self) -> Vec<TrialPlan> {
        self.plans.clone()
    }

    /// Keeps a plan that showed something new. That it cannot be is said once, at the end.
    pub(crate) fn add(&mut self, plan: &TrialPlan) {
        if self.failed.is_none() && self.known.insert(plan.clone()) {
            let added = self.write(plan);
            self.failed = added.err().map(|error| format!("cannot write {}: {error}", self.path.display()));
        }
    }

    fn write(&mut self, plan: &TrialPlan) -> std::io::Result<()> {
        if self.file.is_none() {
            let directory = self.path.parent().unwrap_or(Path::new(DIRECTORY));
            std::fs::create_dir_all(directory)?;
            let ignored = Path::new(DIRECTORY).join(".gitignore");
            if !ignored.exists() {
                std::fs::write(ignored, "*\n")?;
            }
            let mut file = File::options().append(true).create(true).open(&self.path)?;
            // After a line that was cut.
            file.write_all(b"\n")?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(format!("{}\n", Token(plan.clone())).as_bytes()),
            None => Ok(()),
        }
    }

    /// Why it could not be written, if it could not.
    pub(crate) fn failed(&self) -> Option<String> {
        self.failed.clone()
    }
}
