//! Where in a repository a finding is shown: from the places of its origin to files that a
//! code host can find. A host drops what has no file, so there always is one.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Finding, Report, Run};
use crate::place::Place;

/// Of more places than these the rest is left to the text of the origin.
const MOST: usize = 10;

/// The repository beside whose code findings are shown. Paths in it are those on the machine
/// of the report; a host is told them as seen from `root`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    /// The folder of the repository; cut from the start of paths.
    pub root: String,
    /// Where the files lie that the report names otherwise than by a path in the repository
    /// (see [`Repository::named`]). The name of a file alone is shown only if it is here: it
    /// could be one of a library.
    pub files: BTreeMap<String, String>,
    /// The file at which findings are shown that name no source line, where the run names no
    /// file of its own either.
    pub fallback: String,
}

/// A line of a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The path as seen from the root of the repository, as it is.
    pub(crate) path: String,
    /// The line, from 1; 1 where none is known.
    pub(crate) line: u32,
    /// The function, where it is known.
    pub(crate) function: Option<String>,
}

impl Repository {
    /// Of which nothing is known but the file at which findings are shown.
    #[must_use]
    pub fn new(fallback: impl Into<String>) -> Self {
        Self { fallback: fallback.into(), ..Self::default() }
    }

    /// What a report names that may be a file of the repository: scenarios, sources that an
    /// origin names, and words of agents that have the end of one.
    #[must_use]
    pub fn named(report: &Report) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for run in &report.runs {
            names.extend(run.agent.iter().filter(|word| is_file_name(word)).cloned());
            names.extend(run.file.clone());
            names.extend(run.findings.iter().flat_map(places).map(|place| place.file));
        }
        names
    }

    /// Where a finding of `run` is shown; at least one, the first one first.
    pub(crate) fn spots(&self, run: &Run, finding: &Finding) -> Vec<Spot> {
        let in_repository =
            |place: Place| Some(Spot { path: self.path(&place.file)?, line: place.line, function: place.function });
        let spots: Vec<Spot> = places(finding).into_iter().filter_map(in_repository).take(MOST).collect();
        if spots.is_empty() { vec![Spot { path: self.about(run), line: 1, function: None }] } else { spots }
    }

    /// The file that a run is about: the agent's script, or the scenario.
    fn about(&self, run: &Run) -> String {
        let script = run.agent.iter().find_map(|word| self.relative(self.files.get(word)?));
        let scenario = || {
            let file = run.file.as_deref()?;
            self.relative(self.files.get(file).map_or(file, String::as_str))
        };
        script.or_else(scenario).or_else(|| self.relative(&self.fallback)).unwrap_or_else(|| self.fallback.clone())
    }

    /// A file that an origin names, as seen from the root; none when it is not below it.
    fn path(&self, file: &str) -> Option<String> {
        let known = self.files.get(file).map(String::as_str);
        // An origin often has the name of a file and no path. The agent's own script has one.
        let fallback = || Some(self.fallback.as_str()).filter(|path| path.rsplit('/').next() == Some(file));
        let path = known.or_else(fallback).or_else(|| Some(file).filter(|file| file.contains('/')));
        self.relative(path?)
    }

    fn relative(&self, path: &str) -> Option<String> {
        let root = self.root.trim_end_matches('/');
        let inside = path.strip_prefix(root).filter(|_| !root.is_empty()).and_then(|rest| rest.strip_prefix('/'));
        let mut path = inside.unwrap_or(path);
        while let Some(rest) = path.strip_prefix("./") {
            path = rest.trim_start_matches('/');
        }
        let outside = path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..");
        (!outside).then(|| path.to_owned())
    }
}

/// What the origin of a finding names.
fn places(finding: &Finding) -> Vec<Place> {
    Place::all(finding.origin.as_ref().and_then(|origin| origin.line.as_deref()).unwrap_or_default())
}

/// Whether a word of a command looks like a file of a program: its last part has an end.
fn is_file_name(word: &str) -> bool {
    let last = word.rsplit('/').next().unwrap_or_default();
    last.rsplit_once('.').is_some_and(|(name, end)| {
        !name.is_empty() && !end.is_empty() && end.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests;
