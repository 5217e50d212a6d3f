//! Files of tokens: trials that once found something, which are made again before others.
//!
//! A scenario `agent.toml` has them in `agent.quietus-regressions` beside it, to be
//! committed. One token a line; what follows it after a space is for people, and so is a line
//! that begins with `#`.

use crate::model::{Token, TokenError, TrialPlan};
use quietus_reports::Finding;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What the name of such a file ends with.
const EXTENSION: &str = "quietus-regressions";

/// What stands at the top of a new one.
const HEAD: &str = "\
# Trials that once found something. Quietus makes them again before any other, so commit
# this file. One token a line; `quietus replay TOKEN --scenario …` shows what happens.
# Remove a line when its agent is gone, not when it is mended.
";

/// More is not read: such a file is written for people.
const MOST: u64 = 4 << 20;

/// A file of tokens that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegressionsError {
    /// It cannot be read or written.
    #[error("cannot {what} {}: {why}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        why: std::io::Error,
    },
    /// A line is no token.
    #[error("{}:{line}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: TokenError,
    },
}

/// Where the regressions of a scenario file are.
pub fn regressions_beside(scenario: &Path) -> PathBuf {
    scenario.with_extension(EXTENSION)
}

/// The plans of a text; or the first line that is none, counted from 1.
fn read_text(text: &str) -> Result<Vec<TrialPlan>, (usize, TokenError)> {
    let mut known = HashSet::new();
    let mut plans = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // A token may hold a `#`, but no space.
        let token = line.split_whitespace().next().unwrap_or_default();
        if !token.is_empty() && !token.starts_with('#') {
            let Token(plan) = token.parse().map_err(|why| (index + 1, why))?;
            if known.insert(plan.clone()) {
                plans.push(plan);
            }
        }
    }
    Ok(plans)
}

/// The plans of a file; none where there is no such file.
///
/// # Errors
/// When it cannot be read, or a line is no token that this version knows.
pub fn read_plans(path: &Path) -> Result<Vec<TrialPlan>, RegressionsError> {
    let text = read(path)?;
    read_text(&text).map_err(|(line, why)| RegressionsError::Line { path: path.to_path_buf(), line, why })
}

/// The text of a file; none where there is no such file.
fn read(path: &Path) -> Result<String, RegressionsError> {
    let failed = |why| RegressionsError::File { what: "read", path: path.to_path_buf(), why };
    let file = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(failed(error)),
        // A named pipe would be waited for.
        Ok(metadata) if !metadata.is_file() => return Err(failed(std::io::Error::other("it is not a regular file"))),
        Ok(_) => std::fs::File::open(path).map_err(failed)?,
    };
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The plans of a file that may be damaged; what is no token is passed over.
///
/// # Errors
/// When it cannot be read.
pub fn read_plans_that_can_be(path: &Path) -> Result<Vec<TrialPlan>, RegressionsError> {
    let text = read(path)?;
    Ok(text.lines().filter_map(|line| read_text(line).ok()?.pop()).collect())
}

/// The line for a finding.
pub fn regression(finding: &Finding) -> String {
    let title: String = finding.title.chars().filter(|letter| !letter.is_control()).take(100).collect();
    format!("{} # {}: {title}", finding.token, finding.code)
}

/// Adds lines at the end of a file, those whose token is not there yet. Says how many.
///
/// # Errors
/// When it cannot be read or written.
pub fn add_lines(path: &Path, lines: &[String]) -> Result<usize, RegressionsError> {
    let known: HashSet<TrialPlan> = read_plans(path)?.into_iter().collect();
    let plan = |line: &String| read_text(line).ok().and_then(|mut plans| plans.pop());
    let new: Vec<&String> = lines.iter().filter(|line| plan(line).is_some_and(|plan| !known.contains(&plan))).collect();
    if new.is_empty() {
        return Ok(0);
    }
    let failed = |why| RegressionsError::File { what: "write", path: path.to_path_buf(), why };
    let mut text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => HEAD.to_owned(),
        read => read.map_err(failed)?,
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for line in &new {
        text.push_str(line);
        text.push('\n');
    }
    std::fs::write(path, text).map_err(failed)?;
    Ok(new.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "q1/at=start/send=TERM/grace=5s";
    const OTHER: &str = "q1/at=blocked:read#2/send=INT/grace=5s # hang: it does not end";

    #[test]
    fn what_is_added_is_read_back_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = regressions_beside(&directory.path().join("agent.toml"));
        assert!(path.ends_with("agent.quietus-regressions"));
        assert!(read_plans(&path).expect("none is no error").is_empty());
        let add = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            add_lines(&path, &lines).expect("writable")
        };
        assert_eq!(add(&[ONE, OTHER]), 2);
        assert_eq!(add(&[OTHER, &format!("{ONE} # another word for it")]), 0);
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("# Trials that once found something."), "{text}");
        let tokens: Vec<String> =
            read_plans(&path).expect("readable").into_iter().map(|plan| Token(plan).to_string()).collect();
        assert_eq!(tokens, [ONE, "q1/at=blocked:read#2/send=INT/grace=5s"]);
    }

    #[test]
    fn a_line_that_is_no_token_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.quietus-regressions");
        std::fs::write(&path, format!("# a word\n\n{ONE}\nq9/at=start/send=TERM/grace=5s\nq1/at=sta"))
            .expect("writable");
        let error = read_plans(&path).expect_err("a version of the future").to_string();
        let said = ":4: this token has version q9, and this version of quietus reads q1; use the version that made it";
        assert!(error.ends_with(said), "{error}");
        assert_eq!(read_plans_that_can_be(&path).expect("readable").len(), 1);
        let error = read_plans(directory.path()).expect_err("a directory").to_string();
        assert!(error.starts_with("cannot read"), "{error}");
    }
}
