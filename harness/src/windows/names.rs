//! Names that are the same in every run: what differs between two undisturbed
//! runs becomes `*`.

use crate::model::{Recording, path_text};
use quietus_reports::fingerprint::normalise;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the names of two runs: paths, and the addresses of peers.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names that both runs use.
    stable: BTreeSet<String>,
    /// The pattern of each name that only one of them uses.
    patterns: BTreeMap<String, String>,
}

/// The names of a run: each once, by who used it how, in their order.
fn names(recording: &Recording) -> BTreeMap<(&str, &str), Vec<String>> {
    let mut paths: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for seen in &recording.seen {
        let Some(call) = seen.call().filter(|call| call.succeeded() || call.is_connecting()) else { continue };
        let is_name = |subject: &&String| subject.starts_with('/') || call.name == "connect";
        for subject in call.subjects.iter().filter(is_name) {
            let known = paths.entry((&seen.role, &call.name)).or_default();
            let subject = by_content(subject);
            if !known.contains(&subject) {
                known.push(subject);
            }
        }
    }
    paths
}

/// Git names an object by its content, and puts it into the directory of its first two
/// digits. Two runs in one second make the same commit, and a third another.
fn by_content(path: &str) -> String {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let mut above = "";
    let parts = path.split('/').map(|part| {
        let begins = above == "objects" && part.len() == 2 && is_hex(part);
        let goes_on = above == "*" && part.len() == 38 && is_hex(part);
        above = if begins || goes_on { "*" } else { part };
        above
    });
    parts.collect::<Vec<_>>().join("/")
}

impl Names {
    /// Learns from two runs of the same agent.
    pub(super) fn learn(one: &Recording, other: &Recording) -> Self {
        let (ours, theirs) = (names(one), names(other));
        let all = |paths: &BTreeMap<(&str, &str), Vec<String>>| -> BTreeSet<String> {
            paths.values().flatten().cloned().collect()
        };
        let (known, known_there) = (all(&ours), all(&theirs));
        let stable: BTreeSet<String> = known.intersection(&known_there).cloned().collect();
        let mut patterns = BTreeMap::new();
        for (who, paths) in &ours {
            let unstable = |paths: &[String]| -> Vec<String> {
                paths.iter().filter(|path| !stable.contains(*path)).cloned().collect()
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
        let path = &by_content(path);
        if self.stable.contains(path) {
            return path.clone();
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

/// Two random names can have letters in common by chance. What they have in common
/// counts up to the last separator; of the word after it as much as leaves a random part
/// of a usual length, or what stands before a number, or a word of three small letters.
fn name(one: &str, other: &str) -> String {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let word = one.bytes().take(same).rposition(is_separator).map_or(0, |at| at + 1);
    let start = word + fixed(one.get(word..).unwrap_or_default(), other.get(word..).unwrap_or_default());
    let left = one.len().min(other.len()).saturating_sub(start);
    let same = one.bytes().rev().zip(other.bytes().rev()).take(left).take_while(|(a, b)| a == b).count();
    let tail = one.get(one.len() - same..).unwrap_or_default();
    let end = tail.bytes().position(is_separator).or_else(|| tail.find('_').filter(|at| is_suffix(&tail[at + 1..])));
    format!("{}*{}", one.get(..start).unwrap_or_default(), end.and_then(|at| tail.get(at..)).unwrap_or_default())
}

/// What random names do not hold. Python's hold `_`.
fn is_separator(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'_'
}

/// Whether this looks like a word after a `_`, which is not there by chance.
fn is_suffix(text: &str) -> bool {
    text.len() >= 3 && text.bytes().take(3).all(|byte| byte.is_ascii_lowercase())
}

/// The random parts that mkstemp(3), mktemp(1), Python's and Rust's libraries make.
const USUAL: [usize; 4] = [6, 8, 10, 12];

/// How much of the beginning of two words, which differ, is not random.
fn fixed(one: &str, other: &str) -> usize {
    let length = |text: &str| text.bytes().position(is_separator).unwrap_or(text.len());
    let (ours, theirs) = (length(one), length(other));
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let is_number = |text: &str, from: usize, to: usize| {
        text.get(from..to).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // A number that grows: `agent127` and `agent1284`.
    let digits = one.bytes().take(same).rev().take_while(u8::is_ascii_digit).count();
    let number = same - digits;
    if number > 0 && is_number(one, number, ours) && is_number(other, number, theirs) {
        return number;
    }
    let small = one.bytes().take(same).take_while(u8::is_ascii_lowercase).count();
    if small >= 3 && one.starts_with("tmp") {
        return 3;
    }
    // A word that both show to end there.
    let goes_on = |text: &str| text.as_bytes().get(small).is_some_and(u8::is_ascii_lowercase);
    if small >= 3 && !goes_on(one) && !goes_on(other) {
        return small + usize::from(same > small && one.as_bytes().get(small) == Some(&b'_'));
    }
    let usual = (0..=same).rev().find(|start| ours == theirs && USUAL.contains(&(ours - start)));
    usual.unwrap_or(if small >= 3 { small } else { 0 })
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
    fn what_is_named_by_its_content_has_no_name() {
        let commit = "/w/.git/objects/54/0123456789abcdef0123456789abcdef012345";
        let names = Names::learn(&run(&[commit, "/w/objects/5x"]), &run(&[commit, "/w/objects/5x"]));
        assert_eq!(names.pattern(commit), "/w/.git/objects/*/*");
        assert_eq!(names.pattern("/w/.git/objects/f1"), "/w/.git/objects/*");
        assert_eq!(names.pattern("/w/objects/5x"), "/w/objects/5x");
    }

    #[test]
    fn letters_that_are_the_same_by_chance_count_for_nothing() {
        assert_eq!(name("sortAb12", "sortAc34"), "sort*");
        assert_eq!(name("seAb12", "seAc34"), "*");
        // Python's, with and without a letter in common, and with a `_` at both ends.
        assert_eq!(name("cl_ab12cd3", "clx9y8z7w_"), "cl*");
        assert_eq!(name("clab12cd3_", "claz9y8z7_"), "cl*");
        assert_eq!(name("ab12cd3_", "ay9y8z7_"), "*");
        assert_eq!(name("agent_ab12cd3e", "agent_ay9y8z7w"), "agent_*");
        // mktemp's.
        assert_eq!(name("agxa7rder", "agxb9qqer"), "agx*");
        assert_eq!(name("sedCNYcnE", "sedCx7abE"), "sed*");
        // Numbers, and a word at the end.
        assert_eq!(name("agent127", "agent1284"), "agent*");
        assert_eq!(name("ab12cd_state", "x9y8z7_state"), "*_state");
        assert_eq!(name("x.Ab12.json", "x.Ac34.json"), "x.*.json");
        assert_eq!(name("a", "ab"), "*");
        assert_eq!(name("tmpaxy", "tmpazy"), "tmp*");
        assert_eq!(name("tmp", "tmpa"), "tmp*");
    }
}
