//! What an agent had when it was terminated, against what it says it has released.

use super::Case;
use super::log::{is_early, is_said_already};
use crate::model::{AtExit, Census, Ended, Occasion, ProcessRecord};
use std::fmt;

/// Something that an agent has where it is terminated, and gives back by itself before
/// its end when it is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A file, directory, named pipe or socket.
    Path {
        /// What it is: `file`, `directory`.
        kind: &'static str,
        /// Its path, with `*` for what differs from run to run.
        pattern: String,
        /// Which of several of that pattern.
        number: usize,
    },
    /// A port; 0 for one that the kernel chose.
    Port(u16),
    /// A socket with a name and no file: `@name`.
    Abstract(String),
    /// A child of the agent's own process.
    Child {
        /// Its place in the tree.
        role: String,
        /// What it runs.
        command: String,
    },
}

impl Resource {
    /// What a finding about it is about.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Path { pattern, .. } => pattern.clone(),
            Self::Port(_) => self.to_string(),
            Self::Abstract(name) => name.clone(),
            Self::Child { command, .. } => command.clone(),
        }
    }

    /// How much of its name is certain.
    fn literal(&self) -> usize {
        match self {
            Self::Path { pattern, .. } => pattern.chars().filter(|one| *one != '*').count(),
            _ => 0,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { kind, pattern, .. } => write!(f, "{kind} {pattern}"),
            Self::Port(0) => f.write_str("a port"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Abstract(name) => write!(f, "socket {name}"),
            Self::Child { command, .. } => write!(f, "process `{command}`"),
        }
    }
}

/// How well a name fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The whole of it: it stands for nothing else.
    Whole,
    /// A part of it, which others may have too.
    Part,
}

/// A resource as it was in the trial.
struct Held<'a> {
    resource: &'a Resource,
    process: Option<&'a ProcessRecord>,
    ports: Vec<u16>,
}

/// The resources of which no line says that they were released, each with the names
/// that lines have.
pub(super) fn not_released(case: Case<'_>) -> Vec<(&Resource, Option<String>)> {
    let Some(pattern) = &case.rules.released else { return Vec::new() };
    let lines = case.evidence.output.kept.iter().filter(|line| !is_early(case, line));
    let mut names: Vec<&str> = lines.flat_map(|line| pattern.resources(&line.text)).collect();
    let all = (!names.is_empty()).then(|| format!("named as released: {}", shown(&names)));
    let census = case.evidence.censuses.get(&Occasion::Injection);
    let mut wanted: Vec<Held<'_>> = case.held.iter().filter_map(|one| held(case, one, census)).collect();
    // A name that fits several stands for the one of which it says the most.
    wanted.sort_by_key(|held| std::cmp::Reverse(held.resource.literal()));
    wanted.retain(|held| {
        let named = |line: &str| pattern.resources(line).any(|name| held.fit(name).is_some());
        !is_said_already(case, &named)
    });
    for fit in [Fit::Whole, Fit::Part] {
        wanted.retain(|held| {
            let Some(place) = names.iter().position(|name| held.fit(name) == Some(fit)) else { return true };
            let name = names.remove(place);
            if fit == Fit::Whole {
                names.retain(|other| *other != name);
            }
            false
        });
    }
    wanted.into_iter().map(|held| (held.resource, all.clone())).collect()
}

/// The resource, if it was there and may not stay.
fn held<'a>(case: Case<'a>, resource: &'a Resource, census: Option<&'a Census>) -> Option<Held<'a>> {
    let mut held = Held { resource, process: None, ports: Vec::new() };
    match resource {
        Resource::Path { pattern, .. } => {
            let stays = case.rules.may_remain_at(pattern, &case.expected.directory);
            return (!stays && !case.expected.files.contains_key(pattern)).then_some(held);
        }
        Resource::Port(port) => {
            let ports = census?.listeners.iter().map(|listener| listener.port);
            held.ports = ports.filter(|open| (*port == 0 || port == open) && !case.rules.may_listen(*open)).collect();
            return (!held.ports.is_empty()).then_some(held);
        }
        Resource::Abstract(_) => {}
        Resource::Child { role, .. } => {
            // A tool that came to its own end was not released by anybody.
            let by_itself = |exit: &AtExit| exit.role == *role && matches!(exit.ended, Ended::Exited(_));
            if case.evidence.at_exit.iter().any(by_itself) {
                return None;
            }
            let is_it = |process: &&ProcessRecord| process.role.as_ref() == Some(role);
            held.process = Some(census?.alive().find(is_it).filter(|process| !case.rules.may_stay(process))?);
        }
    }
    Some(held)
}

impl Held<'_> {
    /// How well a name that a line has is this one's.
    fn fit(&self, name: &str) -> Option<Fit> {
        match self.resource {
            Resource::Path { pattern, .. } => path_fit(pattern, name),
            Resource::Port(_) => {
                let number = name.rsplit(':').next()?.parse().ok()?;
                self.ports.contains(&number).then_some(Fit::Whole)
            }
            Resource::Abstract(known) => (known == name || known.strip_prefix('@') == Some(name)).then_some(Fit::Whole),
            Resource::Child { command, .. } => {
                let process = self.process?;
                if name == process.id.pid.to_string() {
                    return Some(Fit::Whole);
                }
                let program = process.argv.first().map(|word| word.rsplit('/').next().unwrap_or(word));
                let part = [Some(process.name.as_str()), program, Some(command.as_str())].contains(&Some(name));
                (part || process.command() == name).then_some(Fit::Part)
            }
        }
    }
}

/// A path, or its last parts; with or without a `/` at its end.
fn path_fit(pattern: &str, name: &str) -> Option<Fit> {
    let name = name.strip_prefix("./").unwrap_or(name).trim_end_matches('/');
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), name.split('/').collect());
    let fits = |parts: &[&str]| {
        parts.len() == theirs.len() && parts.iter().zip(&theirs).all(|(part, text)| part_fits(part, text))
    };
    if name.is_empty() {
        None
    } else if name.starts_with('/') {
        fits(&ours).then_some(Fit::Whole)
    } else {
        let from = ours.len().checked_sub(theirs.len())?;
        fits(ours.get(from..)?).then_some(Fit::Part)
    }
}

/// Whether one part of a path is of a pattern, in which `*` stands for anything.
fn part_fits(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut pieces = rest.split('*');
    let end = pieces.next_back().unwrap_or_default();
    for piece in pieces {
        match left.split_once(piece) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(end)
}

/// Some names, and how many more.
fn shown(names: &[&str]) -> String {
    const MOST: usize = 8;
    let more = if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
    format!("{}{more}", names.iter().take(MOST).copied().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_whole_or_by_its_end() {
        for (pattern, name, fit) in [
            ("/tmp/a", "/tmp/a", Some(Fit::Whole)),
            ("/tmp/a", "/tmp/a/", Some(Fit::Whole)),
            ("/tmp/a", "a", Some(Fit::Part)),
            ("/w/run/a", "run/a", Some(Fit::Part)),
            ("/w/run/a", "./a", Some(Fit::Part)),
            ("/tmp/a", "/var/tmp/a", None),
            ("/tmp/a", "b/a", None),
            ("/tmp/a", "", None),
            ("/tmp/a", "/", None),
            ("/tmp/tmp*", "/tmp/tmpx1y2", Some(Fit::Whole)),
            ("/tmp/tmp*/x", "/tmp/tmpq/x", Some(Fit::Whole)),
            ("/tmp/tmp*", "tmpx1y2", Some(Fit::Part)),
            ("/tmp/tmp*", "/tmp/other", None),
            ("/tmp/tmp*", "/tmp/tmpq/x", None),
            ("/tmp/a*b*.json", "a1b2.json", Some(Fit::Part)),
            ("/tmp/a*b*.json", "a1.json", None),
        ] {
            assert_eq!(path_fit(pattern, name), fit, "{pattern} {name}");
        }
    }
}
