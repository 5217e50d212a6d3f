//! Between the paths of the agent and those a report shows: the agent runs in a
//! copy, findings name the original.

use crate::driver::{Recovery, Request};
use crate::model::{State, Stdin};
use crate::state::{Oracle, Place};
use regex::bytes::{NoExpand, Regex};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where things are and what they are called.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The agent's directory as it was named.
    pub(super) original: PathBuf,
    /// The copy in which it runs.
    pub(super) copy: PathBuf,
    /// Its directory for temporary files.
    pub(super) temporary: PathBuf,
    /// What that is called in a report: the value of TMPDIR without us, or `/tmp`.
    pub(super) shown_temporary: PathBuf,
    /// What is replaced in contents, and by what.
    replaced: Vec<(Regex, PathBuf)>,
}

/// An oracle whose commands work on the copy.
#[derive(Debug)]
struct Moved {
    oracle: Arc<dyn Oracle>,
    names: Names,
}

impl Oracle for Moved {
    fn name(&self) -> &str {
        self.oracle.name()
    }

    fn commands(&self) -> Vec<Vec<OsString>> {
        let moved = |words: Vec<OsString>| words.iter().map(|word| self.names.to_copy(word)).collect();
        self.oracle.commands().into_iter().map(moved).collect()
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        self.oracle.read(place)
    }
}

impl Names {
    pub(super) fn new(request: &Request, copy: PathBuf, temporary: PathBuf) -> Self {
        let named = request.environment.iter().find(|(key, _)| key == "TMPDIR").map(|(_, value)| PathBuf::from(value));
        let shown_temporary = named
            .filter(|path| path.is_absolute() && path.file_name().is_some())
            .map_or_else(|| PathBuf::from("/tmp"), |path| path.components().collect());
        Self::between(request.directory.clone(), copy, temporary, shown_temporary)
    }

    pub(super) fn between(original: PathBuf, copy: PathBuf, temporary: PathBuf, shown_temporary: PathBuf) -> Self {
        // A regular expression of plain bytes: found in linear time, in any content.
        let plain = |path: &Path| {
            let pattern: String = path.as_os_str().as_bytes().iter().map(|byte| format!("\\x{byte:02x}")).collect();
            Regex::new(&format!("(?-u){pattern}")).ok()
        };
        let pairs = [(&copy, &original), (&temporary, &shown_temporary)];
        let replaced = pairs.into_iter().filter_map(|(from, to)| Some((plain(from)?, to.clone()))).collect();
        Self { original, copy, temporary, shown_temporary, replaced }
    }

    /// A path inside the original becomes the same path inside the copy.
    pub(super) fn to_copy(&self, text: &OsStr) -> OsString {
        match Path::new(text).strip_prefix(&self.original) {
            Ok(inside) if inside.as_os_str().is_empty() => self.copy.clone().into_os_string(),
            Ok(inside) => self.copy.join(inside).into_os_string(),
            Err(_) => text.to_owned(),
        }
    }

    /// The request as the agent gets it.
    pub(super) fn moved(&self, request: &Request) -> Request {
        let command = |words: &Vec<OsString>| words.iter().map(|word| self.to_copy(word)).collect::<Vec<_>>();
        let mut moved = Request {
            command: command(&request.command),
            prepare: request.prepare.iter().map(command).collect(),
            directory: self.copy.clone(),
            states: request
                .states
                .iter()
                .map(|oracle| Arc::new(Moved { oracle: Arc::clone(oracle), names: self.clone() }) as Arc<dyn Oracle>)
                .collect(),
            recovery: request.recovery.as_ref().map(|recovery| {
                let mut moved = Recovery { command: command(&recovery.command), ..recovery.clone() };
                if let Stdin::File(path) = &mut moved.plan.stdin {
                    *path = self.to_copy(OsStr::new(path.as_str())).to_string_lossy().into_owned();
                }
                moved
            }),
            ..request.clone()
        };
        let temporary = self.temporary.as_os_str();
        for (key, value) in
            [("TMPDIR", temporary), ("TMP", temporary), ("TEMP", temporary), ("PWD", self.copy.as_os_str())]
        {
            moved.environment.retain(|(known, _)| known != key);
            moved.environment.push((key.into(), value.to_owned()));
        }
        if let Stdin::File(path) = &mut moved.plan.stdin {
            *path = self.to_copy(OsStr::new(path.as_str())).to_string_lossy().into_owned();
        }
        moved
    }

    /// Text of the agent with the original paths in it, and the same in every trial.
    pub(super) fn shown(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in self.pairs() {
            let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
            if text.contains(&*from) {
                text = text.replace(&*from, &to);
            }
        }
        text
    }

    /// The same for the content of a file.
    pub(super) fn shown_content(&self, content: Vec<u8>) -> Vec<u8> {
        let mut content = content;
        for (from, to) in &self.replaced {
            if from.is_match(&content) {
                content = from.replace_all(&content, NoExpand(to.as_os_str().as_bytes())).into_owned();
            }
        }
        content
    }

    fn pairs(&self) -> [(&Path, &Path); 2] {
        [(&self.copy, &self.original), (&self.temporary, &self.shown_temporary)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::between(
            "/home/u/repo".into(),
            "/tmp/quietus-0/workspace".into(),
            "/tmp/quietus-0/tmp".into(),
            "/tmp".into(),
        )
    }

    #[test]
    fn only_paths_inside_the_original_move() {
        for (text, moved) in [
            ("/home/u/repo/agent.py", "/tmp/quietus-0/workspace/agent.py"),
            ("/home/u/repo", "/tmp/quietus-0/workspace"),
            ("/home/u/repository/x", "/home/u/repository/x"),
            ("agent.py", "agent.py"),
            ("--file=/home/u/repo/x", "--file=/home/u/repo/x"),
        ] {
            assert_eq!(names().to_copy(OsStr::new(text)), moved, "{text}");
        }
    }

    #[test]
    fn what_is_shown_names_the_original() {
        assert_eq!(
            names().shown("sh /tmp/quietus-0/workspace/a.sh /tmp/quietus-0/tmp/x"),
            "sh /home/u/repo/a.sh /tmp/x"
        );
        assert_eq!(
            names().shown_content(b"\xff/tmp/quietus-0/tmp/x\n/tmp/quietus-0/workspace".to_vec()),
            b"\xff/tmp/x\n/home/u/repo"
        );
    }
}
