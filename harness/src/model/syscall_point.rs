//! A moment at a system call: which process of the tree, which call, before or
//! after it, on what, and the how manieth.

use std::fmt;
use std::str::FromStr;

/// Before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The call is about to be made and has had no effect.
    Enter,
    /// The call has succeeded, and the program has not noticed.
    Exit,
}

/// A moment at a system call, such as `[0.1]rename@exit(/data/)#2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SyscallPoint {
    /// The process: `0` is the agent, `0.1` its second child. Any, if none is named.
    pub role: Option<String>,
    /// The name of the system call.
    pub name: String,
    /// Before or after it.
    pub side: Side,
    /// What its path or address must match: a part of it, or a glob, whose `*` stays within
    /// a name and whose `**` does not. After `./` comes a path in the agent's working
    /// directory, so that it is the same wherever that is.
    pub pattern: Option<String>,
    /// Counted from 1 over the calls that fit; after a call, over those that succeeded.
    pub nth: u32,
}

const FORM: &str =
    "write it like syscall:rename@exit(/data/)#2, or syscall:[0.1]unlink@enter for the agent's second child";

/// Takes the place of a process off the front: `[0.1]`.
fn split_role(text: &str) -> Result<(Option<String>, &str), String> {
    let Some(tail) = text.strip_prefix('[') else { return Ok((None, text)) };
    let (role, rest) = tail.split_once(']').ok_or_else(|| format!("the [ is not closed; {FORM}"))?;
    let fits = !role.is_empty()
        && role.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if fits {
        Ok((Some(role.to_owned()), rest))
    } else {
        Err(format!("`{role}` is no place in the process tree; {FORM}"))
    }
}

impl SyscallPoint {
    /// Reads a call of a process, without a side: `[0.1]read`.
    pub(super) fn call(text: &str) -> Result<(Option<String>, String), String> {
        let (role, name) = split_role(text)?;
        known(name)?;
        Ok((role, name.to_owned()))
    }
}

impl FromStr for SyscallPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, rest) = split_role(text)?;
        let (name, rest) = rest.split_once('@').ok_or(FORM)?;
        known(name)?;
        let (side, rest) = if let Some(rest) = rest.strip_prefix("enter") {
            (Side::Enter, rest)
        } else if let Some(rest) = rest.strip_prefix("exit") {
            (Side::Exit, rest)
        } else {
            return Err(format!("after the @ stands `enter` or `exit`; {FORM}"));
        };
        let (pattern, rest) = match rest.strip_prefix('(') {
            Some(tail) => {
                let (pattern, rest) = tail.rsplit_once(')').ok_or_else(|| format!("the ( is not closed; {FORM}"))?;
                if pattern.is_empty() {
                    return Err(format!("there is nothing between ( and ); {FORM}"));
                }
                glob(pattern).map_err(|error| format!("the pattern is wrong: {}", error.kind()))?;
                (Some(pattern.to_owned()), rest)
            }
            None => (None, rest),
        };
        let nth = match rest.strip_prefix('#').map(str::parse) {
            None if rest.is_empty() => 1,
            Some(Ok(nth)) if nth >= 1 => nth,
            _ => return Err(format!("after it comes at most # and a number from 1; {FORM}")),
        };
        Ok(Self { role, name: name.to_owned(), side, pattern, nth })
    }
}

fn known(name: &str) -> Result<(), String> {
    if name.parse::<syscalls::Sysno>().is_ok() {
        return Ok(());
    }
    let nearest = syscalls::Sysno::iter()
        .map(|sysno| sysno.name())
        .max_by(|one, other| strsim::jaro_winkler(name, one).total_cmp(&strsim::jaro_winkler(name, other)))
        .filter(|nearest| strsim::jaro_winkler(name, nearest) > 0.8);
    Err(match nearest {
        Some(nearest) => format!("this machine has no system call `{name}`; did you mean `{nearest}`?"),
        None => format!("this machine has no system call `{name}`; {FORM}"),
    })
}

fn glob(pattern: &str) -> Result<globset::GlobMatcher, globset::Error> {
    globset::GlobBuilder::new(pattern).literal_separator(true).build().map(|glob| glob.compile_matcher())
}

/// What makes a pattern a glob.
const GLOB: [char; 4] = ['*', '?', '[', '{'];

/// A name whose `*` are what differs, as the part of a point that says which path: a glob only
/// where it must be.
pub fn as_glob(name: &str) -> String {
    if !name.contains(['[', ']', '{', '}', '?', '\\']) {
        return name.to_owned();
    }
    name.split('*').map(globset::escape).collect::<Vec<_>>().join("*")
}

/// Decides whether the path or address of a call fits a pattern.
#[derive(Debug, Clone)]
pub enum Fits {
    /// It fits, whatever it is.
    Anything,
    /// It must hold this.
    Part(String),
    /// It must match this as a whole.
    Glob(globset::GlobMatcher),
}

/// How a pattern begins that is about the agent's working directory.
const HERE: &str = "./";

impl SyscallPoint {
    /// The same, with a path in this directory told as one.
    #[must_use]
    pub fn seen_from(mut self, directory: &str) -> Self {
        let below = |pattern: &str| {
            let directory = as_glob(directory);
            let rest = pattern.strip_prefix(directory.as_str()).filter(|_| directory.len() > 1)?;
            rest.strip_prefix('/').map(|rest| format!("{HERE}{rest}"))
        };
        if let Some(told) = self.pattern.as_deref().and_then(below) {
            self.pattern = Some(told);
        }
        self
    }

    /// The same for an agent that works in this directory: its own paths are absolute.
    #[must_use]
    pub fn in_directory(mut self, directory: &str) -> Self {
        if let Some(pattern) = &mut self.pattern
            && let Some(rest) = pattern.strip_prefix(HERE)
        {
            let is_glob = rest.contains(GLOB);
            let directory = if is_glob { as_glob(directory) } else { directory.to_owned() };
            *pattern = format!("{}/{rest}", directory.trim_end_matches('/'));
        }
        self
    }

    /// What decides whether a call's path or address fits.
    pub fn fits(&self) -> Fits {
        match &self.pattern {
            None => Fits::Anything,
            Some(pattern) if pattern.contains(GLOB) => {
                glob(pattern).map_or_else(|_| Fits::Part(pattern.clone()), Fits::Glob)
            }
            Some(pattern) => Fits::Part(pattern.clone()),
        }
    }
}

impl Fits {
    /// Whether this path or address fits. A call without one fits only anything.
    pub fn holds(&self, argument: Option<&str>) -> bool {
        match (self, argument) {
            (Self::Anything, _) => true,
            (_, None) => false,
            (Self::Part(part), Some(text)) => text.contains(part),
            (Self::Glob(glob), Some(text)) => glob.is_match(text),
        }
    }
}

impl fmt::Display for SyscallPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(role) = &self.role {
            write!(f, "[{role}]")?;
        }
        write!(f, "{}@{}", self.name, if self.side == Side::Enter { "enter" } else { "exit" })?;
        if let Some(pattern) = &self.pattern {
            write!(f, "({pattern})")?;
        }
        if self.nth > 1 { write!(f, "#{}", self.nth) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_reads() {
        for text in ["unlink@enter", "rename@exit(/data/)#2", "[0.1]openat@exit(/tmp/a(b)#1*)#3", "[0]exit_group@enter"]
        {
            assert_eq!(text.parse::<SyscallPoint>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_lies_in_the_working_directory_is_found_in_another() {
        let point = |text: &str| text.parse::<SyscallPoint>().expect("a point");
        for (seen, told, elsewhere) in [
            ("unlink@exit(/w/a/b)", "unlink@exit(./b)", "unlink@exit(/other [1]/b)"),
            ("unlink@exit(/w/a/b*)#2", "unlink@exit(./b*)#2", "unlink@exit(/other [[]1[]]/b*)#2"),
            ("unlink@exit(/w/ab)", "unlink@exit(/w/ab)", "unlink@exit(/w/ab)"),
            ("unlink@exit", "unlink@exit", "unlink@exit"),
        ] {
            assert_eq!(point(seen).seen_from("/w/a"), point(told));
            assert_eq!(point(told).in_directory("/other [1]").to_string(), elsewhere);
            assert_eq!(point(told).in_directory("/w/a"), point(seen));
        }
        assert!(point("unlink@exit(./b*)").in_directory("/o [1]").fits().holds(Some("/o [1]/bcd")));
        let odd = point("unlink@exit(/o [[]1[]]/b*)");
        assert_eq!(odd.seen_from("/o [1]"), point("unlink@exit(./b*)"));
    }

    #[test]
    fn only_what_must_be_is_a_glob() {
        assert_eq!(as_glob("/w/a"), "/w/a");
        assert_eq!(as_glob("/w/[id]/*.json"), "/w/[[]id[]]/*.json");
    }

    #[test]
    fn errors_say_what_to_write() {
        let shown: Vec<String> = [
            "unlink",
            "unlnik@enter",
            "@enter",
            "unlink@before",
            "unlink@enter()",
            "unlink@enter(a",
            "unlink@exit([)",
            "unlink@exit#0",
            "unlink@exit#x",
            "unlink@exitx",
            "[0.]unlink@exit",
            "[0unlink@exit",
        ]
        .iter()
        .map(|text| text.parse::<SyscallPoint>().expect_err(text))
        .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn a_part_or_a_glob_fits() {
        let fits = |pattern: &str, text: &str| {
            format!("unlink@exit({pattern})").parse::<SyscallPoint>().expect("a point").fits().holds(Some(text))
        };
        assert!(fits("/data/", "/w/data/x"));
        assert!(!fits("/data/", "/w/data"));
        assert!(fits("/tmp/agent-*", "/tmp/agent-x7f"));
        assert!(!fits("/tmp/agent-*", "/tmp/agent-x7f/lock"));
        assert!(fits("/tmp/agent-*/**", "/tmp/agent-x7f/a/lock"));
        assert!(!fits("agent-*", "/tmp/agent-x7f"));
        assert!(!"unlink@exit(a)".parse::<SyscallPoint>().expect("a point").fits().holds(None));
    }
}
