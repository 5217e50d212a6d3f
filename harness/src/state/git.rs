//! A git repository, as git itself sees it.

use super::{Oracle, Place};
use crate::model::{Ended, State, Trouble};
use quietus_reports::{Code, Severity};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Reads a repository by the `git` of the machine: its branches by what they hold, its
/// index and work tree, what is in progress, and what is broken.
#[derive(Debug)]
pub struct GitOracle {
    /// What it is called.
    pub name: String,
    /// The work tree, or a bare repository; a relative path starts in the agent's directory.
    pub path: PathBuf,
}

/// Each part begins with a line `## NAME` and ends with a line `## = STATUS`. No commit is
/// named by its id, which holds the time it was made.
const SCRIPT: &str = include_str!("git.sh");

impl Oracle for GitOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn commands(&self) -> Vec<Vec<OsString>> {
        vec![vec!["/bin/sh".into(), "-c".into(), SCRIPT.into(), "git-state".into(), self.path.clone().into()]]
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let ran = place.run(0)?;
        let output = String::from_utf8_lossy(&ran.output);
        if ran.cut {
            return Err(format!("{}: git says more than a mebibyte", self.path.display()));
        }
        if ran.ended != Ended::Exited(0) {
            let last: Vec<&str> = output.lines().rev().take(2).collect();
            return Err(format!("git cannot read {}: {}", self.path.display(), last.join("; ")));
        }
        Ok(state_of(&output, &|path| place.shown(path)))
    }
}

/// One part of what the script says.
struct Part<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
    status: &'a str,
}

fn parts(output: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for line in output.lines() {
        if let Some(status) = line.strip_prefix("## = ") {
            if let Some(part) = parts.last_mut() {
                part.status = status;
            }
        } else if let Some(name) = line.strip_prefix("## ") {
            parts.push(Part { name, lines: Vec::new(), status: "" });
        } else if let Some(part) = parts.last_mut() {
            part.lines.push(line);
        }
    }
    parts
}

fn state_of(output: &str, shown: &dyn Fn(&Path) -> String) -> State {
    let parts = parts(output);
    let part = |name: &str| parts.iter().find(|part| part.name == name);
    if part("nothing").is_some() {
        return State::absent();
    }
    let lines = |name: &str| part(name).map(|part| part.lines.clone()).unwrap_or_default();
    let mut troubles = Vec::new();
    let common = lines("where").first().copied().unwrap_or_default();
    let inside = |path: &str| shown(&Path::new(common).join(path));
    for lock in lines("locks") {
        let lock = inside(lock);
        // The others are asked for by some commands only.
        let refuses = if ["/index.lock", "/HEAD.lock"].iter().any(|name| lock.ends_with(name)) {
            "git refuses to work until it is removed"
        } else {
            "a command of git that needs it fails until it is removed"
        };
        let title = format!("git's lock {lock} is left: {refuses}");
        troubles.push(Trouble::new(Code::GitIndexLock, lock, title));
    }
    let check = part("check").filter(|part| part.status != "0");
    if let Some(check) = check {
        let mut trouble =
            Trouble::new(Code::GitCorrupt, "the repository", "the repository does not pass git's own check");
        trouble.evidence.extend(check.lines.iter().take(5).map(|line| format!("git fsck: {line}")));
        troubles.push(trouble);
    }
    for line in lines("stale") {
        let title = format!("a worktree is registered and not there: {line}");
        troubles.push(Trouble::new(Code::GitWorktreeLocked, line, title).at(Severity::Warn));
    }
    let mut worktree = "";
    for line in lines("worktrees") {
        if let Some(path) = line.strip_prefix("worktree ") {
            worktree = path;
        } else if line == "locked" || line.starts_with("locked ") {
            let title = format!("the worktree {worktree} is locked");
            troubles.push(Trouble::new(Code::GitWorktreeLocked, worktree, title).with(line));
        }
    }
    for object in lines("temporary") {
        let object = inside(object);
        let title = format!("the half-written object {object} is left behind");
        let trouble = Trouble::new(Code::TempFile, object, title).at(Severity::Note);
        troubles.push(trouble.with("git gc removes it after two weeks"));
    }
    let mut items = Vec::new();
    for name in ["branches", "commits", "head", "status", "unfinished"] {
        items.push((name.to_owned(), lines(name).iter().map(|line| format!("{line}\n")).collect::<String>()));
    }
    let registered =
        lines("worktrees").iter().filter_map(|line| line.strip_prefix("worktree ")).collect::<Vec<_>>().join("\n");
    items.push(("worktrees".to_owned(), registered));
    State { troubles, ..State::of(items) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_becomes_parts_and_troubles() {
        let shown = |path: &Path| path.display().to_string();
        let state = state_of(
            "## where\n/w/.git\n## = 0\n## branches\nrefs/heads/main commit abc first\n## = 0\n## status\n M a\n## = 0\n## locks\nindex.lock\n## = 0\n\
             ## worktrees\nworktree /w\nHEAD 1\n\nworktree /x\nlocked why\n## = 0\n## check\nmissing blob 1\n## = 2\n",
            &shown,
        );
        let items = state.items.expect("there are items");
        assert_eq!(items["status"], " M a\n");
        assert_eq!(items["worktrees"], "/w\n/x");
        let codes: Vec<Code> = state.troubles.iter().map(|trouble| trouble.code).collect();
        assert_eq!(codes, [Code::GitIndexLock, Code::GitCorrupt, Code::GitWorktreeLocked]);
        assert_eq!(state.troubles.first().map(|trouble| trouble.subject.as_str()), Some("/w/.git/index.lock"));
        assert!(state_of("## nothing\n", &shown).unclear.is_some());
    }
}
