//! Regular expressions that are searched in the lines of an agent's output.

use regex::Regex;
use std::fmt;
use std::str::FromStr;

/// The group that names what a line is about.
const RESOURCE: &str = "resource";

/// A regular expression for lines of output. Equal to another of the same text; a copy
/// costs nothing.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it matches somewhere in this line.
    pub fn is_in(&self, line: &str) -> bool {
        self.0.is_match(line)
    }

    /// Whether it has the group `resource`.
    pub fn names_resources(&self) -> bool {
        self.0.capture_names().any(|name| name == Some(RESOURCE))
    }

    /// What the group `resource` holds, wherever it matches in this line.
    pub fn resources<'a>(&self, line: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.captures_iter(line).filter_map(|found| found.name(RESOURCE)).map(|found| found.as_str())
    }
}

impl FromStr for Pattern {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Regex::new(text).map(Self)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_names_resources() {
        let pattern: Pattern = r"released (?<resource>\S+)".parse().expect("a pattern");
        assert!(pattern.names_resources() && !Pattern::from_str("released").expect("a pattern").names_resources());
        let named = |line| pattern.resources(line).collect::<Vec<_>>();
        assert_eq!(named("INFO released /tmp/a, released b."), ["/tmp/a,", "b."]);
        assert!(named("released").is_empty());
        let json: Pattern = r#""released".*"path": *"(?<resource>[^"]+)""#.parse().expect("a pattern");
        assert_eq!(json.resources(r#"{"event": "released", "path": "/tmp/a b"}"#).collect::<Vec<_>>(), ["/tmp/a b"]);
    }
}
