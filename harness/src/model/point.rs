//! Where an agent can be terminated, and the text form of that place.

use super::{SyscallPoint, format_span, parse_span};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Where an agent can be terminated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Point {
    /// The program has just been executed; not one of its instructions ran. Without
    /// the right to trace it, it may have run for some milliseconds.
    Start,
    /// So long after the start (or after what came before, if relative).
    Time(Duration),
    /// The `nth` line of output, standard or error, that matches the pattern.
    Output {
        /// A regular expression in the syntax of the `regex` crate.
        pattern: String,
        /// Counted from 1.
        nth: u32,
    },
    /// A path that matches the pattern appears, or has grown or shrunk to a size.
    File {
        /// A glob; relative patterns start at the agent's directory.
        glob: String,
        /// What size it must have, if that matters.
        size: Option<FileSize>,
    },
    /// A process of the agent listens on this TCP or UDP port.
    Port(u16),
    /// The `nth` process of this name runs.
    Process {
        /// The name as in `/proc/PID/comm`, or the last path part of its argument 0.
        name: String,
        /// Counted from 1, in the order in which they were seen.
        nth: u32,
    },
    /// This command, run by `sh -c` in the cell, exits 0. Polled.
    When(String),
    /// Every thread of the agent is blocked.
    Idle,
    /// A process of the agent is at this system call, and is held there.
    Syscall(SyscallPoint),
    /// A thread of the agent waits in this system call, for the `nth` time that one
    /// is seen to.
    Blocked {
        /// The process: `0` is the agent, `0.1` its second child. Any, if none is named.
        role: Option<String>,
        /// The name of the system call.
        name: String,
        /// Counted from 1.
        nth: u32,
    },
}

/// A condition on the size of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileSize {
    /// How the size compares.
    pub relation: SizeRelation,
    /// In bytes.
    pub bytes: u64,
}

/// How a file's size compares to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SizeRelation {
    /// At least so large.
    AtLeast,
    /// At most so large.
    AtMost,
}

/// A point, and whether it counts from the one before it (`+time:100ms`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PointSpec {
    /// Whether it counts from the point or injection before it.
    pub relative: bool,
    /// The point.
    pub point: Point,
}

/// Text that is not a point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a point: {why}")]
pub struct PointError {
    text: String,
    why: String,
}

const KNOWN: &str = "start, time:250ms, output:/regex/#2, file:GLOB, file:GLOB>=1MB, port:8080, process:NAME#2, when:COMMAND, idle, syscall:NAME@enter(PART)#2 and blocked:NAME#2";
const LATER: [&str; 6] = ["window", "await", "probe", "service", "exit", "event"];

impl FileSize {
    /// Whether a file of so many bytes meets the condition.
    pub fn holds(self, bytes: u64) -> bool {
        match self.relation {
            SizeRelation::AtLeast => bytes >= self.bytes,
            SizeRelation::AtMost => bytes <= self.bytes,
        }
    }
}

/// Reads a size such as `512`, `64kB`, `1MB` or `2GiB`. `kB`, `MB` and `GB` are
/// powers of 1000, `KiB`, `MiB` and `GiB` powers of 1024.
pub fn parse_size(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Splits a trailing `#n` off; without one, n is 1.
fn split_nth(text: &str) -> Result<(&str, u32), &'static str> {
    match text.rsplit_once('#') {
        Some((head, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            match digits.parse() {
                Ok(nth) if nth >= 1 => Ok((head, nth)),
                _ => Err("the number after # counts from 1 and must fit in 32 bits"),
            }
        }
        _ => Ok((text, 1)),
    }
}

fn parse_file(rest: &str) -> Result<Point, String> {
    for (mark, relation) in [(">=", SizeRelation::AtLeast), ("<=", SizeRelation::AtMost)] {
        if let Some((glob, size)) = rest.rsplit_once(mark) {
            let bytes =
                parse_size(size).ok_or_else(|| format!("`{size}` is not a size: write 512, 64kB, 1MB or 2GiB"))?;
            return file(glob, Some(FileSize { relation, bytes }));
        }
    }
    file(rest, None)
}

fn file(glob: &str, size: Option<FileSize>) -> Result<Point, String> {
    if glob.is_empty() {
        return Err("name a file, such as file:out/part-*".to_owned());
    }
    globset::GlobBuilder::new(glob)
        .literal_separator(true)
        .build()
        .map_err(|error| format!("the pattern of the file is wrong: {}", error.kind()))?;
    Ok(Point::File { glob: glob.to_owned(), size })
}

fn parse_output(rest: &str) -> Result<Point, String> {
    let (pattern, nth) = split_nth(rest)?;
    let pattern = pattern
        .strip_prefix('/')
        .and_then(|tail| tail.strip_suffix('/'))
        .ok_or_else(|| "put the regular expression between slashes, such as output:/ready/#2".to_owned())?;
    regex::Regex::new(pattern).map_err(|error| {
        let last = error.to_string();
        format!(
            "the regular expression is wrong: {}",
            last.lines().last().unwrap_or_default().trim_start_matches("error: ")
        )
    })?;
    Ok(Point::Output { pattern: pattern.to_owned(), nth })
}

fn parse_point(text: &str) -> Result<Point, String> {
    let (kind, rest) = match text.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (text, None),
    };
    let need = |example: &str| {
        rest.filter(|rest| !rest.is_empty()).ok_or_else(|| format!("it needs a value, such as {example}"))
    };
    match kind {
        "start" | "idle" if rest.is_some() => Err(format!("`{kind}` takes no value")),
        "start" => Ok(Point::Start),
        "idle" => Ok(Point::Idle),
        "time" => parse_span(need("time:250ms")?).map(Point::Time).map_err(|error| error.to_string()),
        "output" => parse_output(need("output:/ready/")?),
        "file" => parse_file(need("file:out/part-*")?),
        "port" => match need("port:8080")?.parse() {
            Ok(port) if port > 0 => Ok(Point::Port(port)),
            _ => Err("a port is a number from 1 to 65535".to_owned()),
        },
        "process" => {
            let (name, nth) = split_nth(need("process:sleep")?)?;
            if name.is_empty() {
                return Err("it needs a name, such as process:sleep#2".to_owned());
            }
            Ok(Point::Process { name: name.to_owned(), nth })
        }
        "syscall" => need("syscall:unlink@enter")?.parse().map(Point::Syscall),
        "blocked" => {
            let (call, nth) = split_nth(need("blocked:epoll_wait")?)?;
            let (role, name) = SyscallPoint::call(call)?;
            Ok(Point::Blocked { role, name, nth })
        }
        "when" => Ok(Point::When(need("when:test -s out.txt")?.to_owned())),
        later if LATER.contains(&later) => Err(format!("this version has no `{later}` points; it has {KNOWN}")),
        _ => Err(format!("the points are {KNOWN}; a + before one counts from the point or injection before it")),
    }
}

impl FromStr for PointSpec {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        let (relative, rest) = match text.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        match parse_point(rest) {
            Ok(Point::Start) if relative => {
                Err(PointError { text: text.to_owned(), why: "`start` cannot be relative".to_owned() })
            }
            Ok(point) => Ok(Self { relative, point }),
            Err(why) => Err(PointError { text: text.to_owned(), why }),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nth = |f: &mut fmt::Formatter<'_>, nth: u32, always: bool| {
            if nth > 1 || always { write!(f, "#{nth}") } else { Ok(()) }
        };
        match self {
            Self::Start => f.write_str("start"),
            Self::Time(span) => write!(f, "time:{}", format_span(*span)),
            Self::Output { pattern, nth: n } => {
                write!(f, "output:/{pattern}/")?;
                nth(f, *n, false)
            }
            Self::File { glob, size } => {
                write!(f, "file:{glob}")?;
                match size {
                    None => Ok(()),
                    Some(FileSize { relation: SizeRelation::AtLeast, bytes }) => write!(f, ">={bytes}"),
                    Some(FileSize { relation: SizeRelation::AtMost, bytes }) => write!(f, "<={bytes}"),
                }
            }
            Self::Port(port) => write!(f, "port:{port}"),
            Self::Process { name, nth: n } => {
                write!(f, "process:{name}")?;
                nth(f, *n, name.contains('#'))
            }
            Self::When(command) => write!(f, "when:{command}"),
            Self::Idle => f.write_str("idle"),
            Self::Syscall(point) => write!(f, "syscall:{point}"),
            Self::Blocked { role, name, nth: n } => {
                f.write_str("blocked:")?;
                if let Some(role) = role {
                    write!(f, "[{role}]")?;
                }
                f.write_str(name)?;
                nth(f, *n, false)
            }
        }
    }
}

impl fmt::Display for PointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.relative {
            f.write_str("+")?;
        }
        self.point.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_it_reads() {
        for text in [
            "start",
            "idle",
            "time:250ms",
            "+time:100ms",
            "output:/ready/",
            "output:/a#b/#2",
            "file:out/part-*",
            "file:big>=1000000",
            "file:log<=10",
            "port:8080",
            "+port:80",
            "process:sleep#2",
            "process:sh",
            "when:test -s x",
            "syscall:[0.1]rename@exit(/data/)#2",
            "+syscall:unlink@enter",
            "blocked:epoll_wait",
            "+blocked:[0.1]wait4#3",
        ] {
            let spec: PointSpec = text.parse().expect(text);
            assert_eq!(spec.to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let shown: Vec<String> = [
            "",
            "strat",
            "start:1",
            "+start",
            "time:",
            "time:5",
            "output:ready",
            "output:/(/",
            "output:/x/#0",
            "file:",
            "file:a[",
            "file:x>=1XB",
            "port:0",
            "port:http",
            "process:#2",
            "when:",
            "syscall:opn@enter#1",
            "blocked:",
            "blocked:epol_wait",
            "blocked:[0.x]read",
            "window:3",
        ]
        .iter()
        .map(|text| text.parse::<PointSpec>().expect_err(text).to_string())
        .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    proptest! {
        #[test]
        fn never_panics_and_what_reads_prints_back(text in "[+]?(start|idle|time:|output:|file:|port:|process:|when:|syscall:|blocked:)?[ -~]{0,24}") {
            if let Ok(spec) = text.parse::<PointSpec>() {
                prop_assert_eq!(spec.to_string().parse::<PointSpec>(), Ok(spec));
            }
        }
    }
}
