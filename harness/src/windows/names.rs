//! Names that are the same in every run: what differs between two undisturbed
//! runs becomes `*`.

use crate::model::{Recording, path_text};
use quietus_reports::fingerprint::normalise;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the names of two runs.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Paths that both runs use.
    stable: BTreeSet<String>,
    /// The pattern of each path that only one of them uses.
    patterns: BTreeMap<String, String>,
}

/// The paths of a run: each once, by who used it how, in their order.
fn paths(recording: &Recording) -> BTreeMap<(&str, &str), Vec<&str>> {
    let mut paths: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for seen in &recording.seen {
        let Some(call) = seen.call().filter(|call| call.succeeded()) else { continue };
        for subject in call.subjects.iter().filter(|subject| subject.starts_with('/')) {
            let known = paths.entry((&seen.role, &call.name)).or_default();
            if !known.contains(&subject.as_str()) {
                known.push(subject);
            }
        }
    }
    paths
}

impl Names {
    /// Learns from two runs of the same agent.
    pub(super) fn learn(one: &Recording, other: &Recording) -> Self {
        let (ours, theirs) = (paths(one), paths(other));
        let all = |paths: &BTreeMap<(&str, &str), Vec<&str>>| -> BTreeSet<String> {
            paths.values().flatten().map(|path| (*path).to_owned()).collect()
        };
        let (known, known_there) = (all(&ours), all(&theirs));
        let stable: BTreeSet<String> = known.intersection(&known_there).cloned().collect();
        let mut patterns = BTreeMap::new();
        for (who, paths) in &ours {
            let unstable = |paths: &[&str]| -> Vec<String> {
                paths.iter().filter(|path| !stable.contains(**path)).map(|path| (*path).to_owned()).collect()
            };
            let there = theirs.get(who).map(|paths| unstable(paths)).unwrap_or_default();
            for (path, counterpart) in unstable(paths).iter().zip(&there) {
                if let Some(pattern) = generalise(path, counterpart) {
                    patterns.entry(path.clone()).or_insert_with(|| pattern.clone());
                    patterns.entry(counterpart.clone()).or_insert(pattern);
                }
            }
        }
        Self { stable, patterns }
    }

    /// A path as a pattern: itself if it is the same in every run.
    pub(super) fn pattern(&self, path: &str) -> String {
        if self.stable.contains(path) {
            return path.to_owned();
        }
        if let Some(pattern) = self.patterns.get(path) {
            return pattern.clone();
        }
        // What lies below a name that differs.
        let above = path
            .rmatch_indices('/')
            .map(|(at, _)| path.split_at(at))
            .find_map(|(above, rest)| self.patterns.get(above).map(|pattern| format!("{pattern}{rest}")));
        above.unwrap_or_else(|| normalise(path).replace('#', "*"))
    }

    /// A command line as a pattern, short enough to be read.
    pub(super) fn command(&self, words: &[String]) -> String {
        const LONGEST: usize = 60;
        let words: Vec<String> = words
            .iter()
            .map(|word| if word.starts_with('/') { self.pattern(word) } else { normalise(word).replace('#', "*") })
            .collect();
        let text = path_text(words.join(" ").replace('\n', " ").as_bytes());
        if text.chars().count() <= LONGEST {
            return text;
        }
        format!("{}…", text.chars().take(LONGEST).collect::<String>())
    }
}

/// The pattern that fits both paths: `*` for the parts of a name that differ. None
/// when they do not lie equally deep.
fn generalise(one: &str, other: &str) -> Option<String> {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
    if ours.len() != theirs.len() {
        return None;
    }
    let parts = ours.iter().zip(&theirs).map(|(a, b)| if a == b { (*a).to_owned() } else { name(a, b) });
    Some(parts.collect::<Vec<String>>().join("/"))
}

/// Two random names can begin with the same letter by chance: what they have in
/// common counts up to the last separator, or is a word of at least three small
/// letters that both begin with; a `tmp` ends there, as Python's names do.
fn name(one: &str, other: &str) -> String {
    let is_separator = |byte: u8| !byte.is_ascii_alphanumeric();
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let start = one.bytes().take(same).rposition(is_separator).map_or(0, |at| at + 1);
    let word = one.bytes().take(same).take_while(u8::is_ascii_lowercase).count();
    let start = match start {
        0 if word >= 3 && one.starts_with("tmp") => 3,
        0 if word >= 3 => word,
        start => start,
    };
    let left = one.len().min(other.len()).saturating_sub(start);
    let same = one.bytes().rev().zip(other.bytes().rev()).take(left).take_while(|(a, b)| a == b).count();
    let tail = one.len() - same;
    let end = one.bytes().skip(tail).position(is_separator).map_or(one.len(), |at| tail + at);
    format!("{}*{}", one.get(..start).unwrap_or_default(), one.get(end..).unwrap_or_default())
}

/// A pattern as the part of a point that says which path: a glob only where it must be.
pub(super) fn as_glob(pattern: &str) -> String {
    if !pattern.contains(['[', ']', '{', '}', '?', '\\']) {
        return pattern.to_owned();
    }
    pattern.split('*').map(globset::escape).collect::<Vec<_>>().join("*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Call, Deed, Seen};
    use std::time::Duration;

    fn run(paths: &[&str]) -> Recording {
        let seen = paths
            .iter()
            .map(|path| Seen {
                role: "0".to_owned(),
                thread: 0,
                began: Duration::ZERO,
                ended: Some(Duration::ZERO),
                what: Deed::Call(Call {
                    name: "openat".to_owned(),
                    subjects: vec![(*path).to_owned()],
                    result: Some(3),
                    ..Call::default()
                }),
            })
            .collect();
        Recording { seen, ..Recording::default() }
    }

    #[test]
    fn what_differs_between_two_runs_is_left_open() {
        let names = Names::learn(
            &run(&["/w/a", "/tmp/tmpab12cd34", "/tmp/tmpab12cd34/x", "/tmp/agent-1.lock", "/w/b"]),
            &run(&["/w/a", "/tmp/tmpazz0cd34", "/tmp/tmpazz0cd34/x", "/tmp/agent-27.lock", "/w/c", "/w/b"]),
        );
        for (path, pattern) in [
            ("/w/a", "/w/a"),
            ("/w/b", "/w/b"),
            ("/tmp/tmpab12cd34", "/tmp/tmp*"),
            ("/tmp/tmpab12cd34/x", "/tmp/tmp*/x"),
            ("/tmp/tmpab12cd34/never/seen", "/tmp/tmp*/never/seen"),
            ("/tmp/agent-1.lock", "/tmp/agent-*.lock"),
            ("/tmp/tmp3k_0q9xz", "/tmp/tmp*"),
        ] {
            assert_eq!(names.pattern(path), pattern);
        }
    }

    #[test]
    fn letters_that_are_the_same_by_chance_count_for_nothing() {
        assert_eq!(name("sortAb12", "sortAc34"), "sort*");
        assert_eq!(name("seAb12", "seAc34"), "*");
        assert_eq!(name("x.Ab12.json", "x.Ac34.json"), "x.*.json");
        assert_eq!(name("a", "ab"), "*");
        assert_eq!(name("tmpaxy", "tmpazy"), "tmp*");
        assert_eq!(name("tmp", "tmpa"), "tmp*");
    }

    #[test]
    fn only_what_must_be_is_a_glob() {
        assert_eq!(as_glob("/w/a"), "/w/a");
        assert_eq!(as_glob("/w/[id]/*.json"), "/w/[[]id[]]/*.json");
    }
}
