//! Where in a repository a finding is shown: from the places of its origin to files that a
//! code host can find. A host drops what has no file, so there always is one.

use crate::model::Finding;
use crate::place::Place;

/// Of more places than these the rest is left to the text of the origin.
const MOST: usize = 10;

/// How paths of a report become paths of a repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// The folder of the repository on the machine of the report; cut from paths.
    pub(crate) root: &'a str,
    /// The file for what has no place of its own.
    pub(crate) fallback: &'a str,
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

impl Sources<'_> {
    /// Where `finding` is shown; at least one, the first one first.
    pub(crate) fn spots(self, finding: &Finding) -> Vec<Spot> {
        let text = finding.origin.as_ref().and_then(|origin| origin.line.as_deref()).unwrap_or_default();
        let in_repository =
            |place: Place| Some(Spot { path: self.path(&place.file)?, line: place.line, function: place.function });
        let spots: Vec<Spot> = Place::all(text).into_iter().filter_map(in_repository).take(MOST).collect();
        if !spots.is_empty() {
            return spots;
        }
        let path = self.relative(self.fallback).unwrap_or_else(|| self.fallback.to_owned());
        vec![Spot { path, line: 1, function: None }]
    }

    /// A file as seen from the root; none when it is not below it.
    fn path(self, file: &str) -> Option<String> {
        // An origin often has the name of a file and no path. The agent's own script has one.
        let name = self.fallback.rsplit('/').next().unwrap_or_default();
        if file == name { self.relative(self.fallback) } else { self.relative(file) }
    }

    fn relative(self, path: &str) -> Option<String> {
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

#[cfg(test)]
mod tests;
