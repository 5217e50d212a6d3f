//! What the controls leave: everything an audit does not report.

use super::at_exit::{GivenBack, given_back};
use super::files::is_temporary_place;
use super::names::{is_lock_name, is_manifest, is_temporary_name, pattern_of};
use super::recovery::ExpectedRecovery;
use super::rules::Rules;
use super::state::{Known, reading};
use crate::model::{
    Ended, FileChange, FileKind, FileNode, IpcObject, ProcessId, Reading, Recording, Signal, TerminalState,
};
use crate::model::{Evidence, Occasion};
use crate::scenario::{Kind, StateEnd};
use quietus_reports::fingerprint::normalise;
use std::collections::{BTreeMap, BTreeSet};

/// What the controls leave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// How the control ended, if it did by itself.
    pub ended: Option<Ended>,
    /// Paths it leaves, exactly.
    pub files: BTreeMap<String, Vec<FileNode>>,
    /// The same paths by the directory they lie in.
    directories: BTreeMap<String, Vec<String>>,
    /// The same paths with random parts taken out.
    pub patterns: BTreeSet<String>,
    /// Processes it leaves, by their command with random parts taken out.
    pub processes: BTreeSet<String>,
    /// Ports those listen on.
    pub ports: BTreeSet<u16>,
    /// IPC objects it leaves, by kind and key.
    pub ipc: Vec<IpcObject>,
    /// How it leaves a terminal.
    pub terminal: TerminalState,
    /// Paths that an agent which had to be stopped left, although it ended well.
    left_at_stop: BTreeSet<String>,
    /// Paths that are changed in a control that has come to its end, and those whose changes
    /// could not be read; none where no control has, or where one changed too many to list.
    changed_at_end: Option<BTreeSet<String>>,
    /// Paths that the controls write, as far as they were recorded.
    written: BTreeSet<String>,
    /// What each process opens and has no more at its end, by its place in the tree.
    /// Empty where the controls were not traced.
    pub(super) given_back: BTreeMap<String, GivenBack>,
    /// The lines that were asked for, of each run of a job, which ends by itself.
    pub(super) said: Vec<Vec<String>>,
    /// The agent's working directory, where relative patterns start.
    pub directory: String,
    /// The findings of dead children that it has not waited for when it is at rest for good.
    pub unwaited: BTreeSet<String>,
    /// How they leave what is kept outside the agent, by its name.
    pub(super) states: BTreeMap<String, Known>,
    /// How a second start goes.
    pub recovery: Option<ExpectedRecovery>,
}

impl Expected {
    /// Learns how a control leaves each state.
    pub fn learn_states(&mut self, control: &Evidence) {
        for reading in &control.after {
            if let Ok(state) = &reading.state {
                self.states.entry(reading.name.clone()).or_default().learn(state);
            }
        }
    }

    /// The parts of states that are not compared, in words.
    pub fn varying_states(&self) -> Vec<String> {
        let varying = self.states.iter().filter_map(|(name, known)| Some((name, known.varying()?)));
        varying
            .map(|(name, parts)| {
                format!("of the state `{name}` {parts} is not compared: it is another after each undisturbed run")
            })
            .collect()
    }

    /// States that an undisturbed run leaves as they were, in words. `before` is what a control
    /// found before the agent.
    pub fn untouched_states(&self, before: &[Reading]) -> Vec<String> {
        let untouched = self.states.iter().filter(|(name, known)| {
            let before = reading(before, name).and_then(|before| known.parts(before));
            before.is_some_and(|before| known.commits().all(|committed| committed == before))
        });
        untouched
            .map(|(name, _)| format!("an undisturbed run does not change the state `{name}`: is it the right one?"))
            .collect()
    }

    /// What cannot be judged about states, and the states that cannot be judged at all, in
    /// words. `before` is what a control found before the agent.
    pub fn doubtful_states(&self, before: &[Reading], rules: &Rules) -> Vec<String> {
        let mut doubts = Vec::new();
        for (name, known) in &self.states {
            let unclear = reading(before, name).is_none_or(|before| before.unclear.is_some());
            if let Some(why) = known.unclear().filter(|_| unclear) {
                doubts.push(format!(
                    "the state `{name}` {why}, both before and after an undisturbed run: is it named right?"
                ));
            } else if known.varies_in_all() && rules.end_of(name) != StateEnd::Any {
                doubts.push(format!(
                    "the state `{name}` is another after each undisturbed run, so it cannot be compared: name a query or a part of it that is the same, or set expect = \"any\""
                ));
            }
        }
        doubts
    }

    /// Whether a control leaves this path. Names may differ in a random part, in any
    /// directory above too, and where they tell the agent's own pid.
    pub(super) fn has_file(&self, path: &str, leader: Option<ProcessId>) -> bool {
        self.files.contains_key(path)
            || self.patterns.contains(&pattern(path, leader))
            || self.siblings(path).any(|known| pattern_of(known, path).is_some())
            || self.has_in_random_directory(path, leader)
    }

    /// Whether an agent that has no end of its own left this very path when it was
    /// stopped at rest and ended by an exit, not by the signal.
    pub(super) fn is_left_at_every_stop(&self, path: &str) -> bool {
        self.left_at_stop.contains(path)
    }

    /// Whether each control that has come to its end leaves this path as it was.
    pub(super) fn is_put_back(&self, path: &str) -> bool {
        let mut parts = std::iter::successors(Some(path), |part| Some(part.rsplit_once('/')?.0));
        self.changed_at_end.as_ref().is_some_and(|changed| !parts.any(|part| changed.contains(part)))
    }

    /// Whether a recorded control writes this path, whatever it leaves there.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.written.contains(path)
    }

    /// Whether the path lies in a directory whose name is random, and a control
    /// leaves it in its own such directory.
    fn has_in_random_directory(&self, path: &str, leader: Option<ProcessId>) -> bool {
        let mut above = path.rsplit_once('/').map(|(directory, _)| directory);
        while let Some(directory) = above.filter(|directory| !directory.is_empty()) {
            let rest = path.get(directory.len()..).unwrap_or_default();
            let mut kin = self.siblings(directory).filter(|known| pattern_of(known, directory).is_some());
            if kin.any(|known| {
                let same = format!("{known}{rest}");
                self.files.contains_key(&same) || self.patterns.contains(&pattern(&same, leader))
            }) {
                return true;
            }
            above = directory.rsplit_once('/').map(|(directory, _)| directory);
        }
        false
    }

    /// What controls leave in the same directory, or a good part of it: names with a
    /// random part are each other's kin, so any of them will do.
    fn siblings<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a str> {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.directories.get(directory).into_iter().flatten().take(300).map(String::as_str)
    }
}

/// A path without its random parts and without the agent's pid, which differs
/// between runs with and without a parent of its own (`agent.2`, `agent.3`).
fn pattern(path: &str, leader: Option<ProcessId>) -> String {
    let Some(pid) = leader.map(|leader| leader.pid.to_string()) else { return normalise(path) };
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
        let (number, after) = digits.split_at(end);
        out.push_str(before);
        // Only as a name's last part: `agent.2`, `worker-2.sock`; not `v2` or `step2`.
        let parted = out.ends_with(['.', '-', '_']) && !after.starts_with(|letter: char| letter.is_alphanumeric());
        out.push_str(if parted && number == pid { "{pid}" } else { number });
        rest = after;
    }
    out.push_str(rest);
    normalise(&out)
}

/// What remains of a control's files that may remain of any trial.
///
/// An agent that does not end by itself still uses what it has: its locks,
/// sockets and temporary files are not left, they are held. Only what is meant to
/// stay is expected then.
fn is_kept(path: &str, node: &FileNode, ended_by_itself: bool, temporary: &[String], directory: &str) -> bool {
    if node.change == FileChange::Deleted {
        return true;
    }
    ended_by_itself
        || (matches!(node.kind, FileKind::Regular | FileKind::Directory | FileKind::Symlink)
            && (!is_lock_name(path) || is_manifest(path))
            && !is_temporary_name(path)
            && !is_temporary_place(path, temporary, directory))
}

/// Whether a control has done at its end what it does there: it ended by itself, or it
/// was told to and did. One that is at rest when it is seen still uses what it has.
fn came_to_its_end(evidence: &Evidence, ended_by_itself: bool) -> bool {
    let obeyed = evidence.ended.is_some_and(|ended| ended != Ended::Signaled(Signal::KILL));
    ended_by_itself || (evidence.delivered && obeyed)
}

/// The paths that something was written to, or put in the place of.
fn written(recording: &Recording) -> impl Iterator<Item = String> {
    let calls = recording.seen.iter().filter_map(|seen| seen.call()).filter(|call| call.succeeded());
    let writing = calls.filter(|call| {
        call.written().is_some()
            || matches!(
                call.name.as_str(),
                "truncate" | "ftruncate" | "rename" | "renameat" | "renameat2" | "symlink" | "symlinkat" | "creat"
            )
    });
    writing.flat_map(|call| call.subjects.iter().cloned())
}

/// Learns from the controls. `ended_by_itself` says whether each did.
pub fn learn(controls: &[(&Evidence, bool)], kind: Kind, directory: &str) -> Expected {
    let given_back = given_back(controls.iter().map(|(evidence, _)| *evidence));
    let mut expected = Expected { directory: directory.to_owned(), given_back, ..Expected::default() };
    for (evidence, ended_by_itself) in controls {
        expected.written.extend(evidence.recording.iter().flat_map(written));
        if came_to_its_end(evidence, *ended_by_itself) {
            let unread = evidence.files.unread.iter().map(|(path, _)| path);
            let paths = evidence.files.nodes.keys().chain(unread).cloned();
            expected.changed_at_end.get_or_insert_default().extend(paths);
        }
        if *ended_by_itself && kind != Kind::Server {
            expected.ended = expected.ended.or(evidence.ended);
        }
        if *ended_by_itself && kind == Kind::Job {
            expected.said.push(evidence.output.kept.iter().map(|line| line.text.clone()).collect());
        }
        for (path, node) in &evidence.files.nodes {
            if is_kept(path, node, *ended_by_itself && kind != Kind::Server, &evidence.temporary, directory) {
                expected.patterns.insert(pattern(path, evidence.leader));
                let known = expected.files.entry(path.clone()).or_default();
                if known.is_empty() {
                    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
                    expected.directories.entry(directory.to_owned()).or_default().push(path.clone());
                }
                known.push(node.clone());
            } else if matches!(evidence.ended, Some(Ended::Exited(_))) {
                expected.left_at_stop.insert(path.clone());
            }
        }
        if !*ended_by_itself || kind == Kind::Server {
            continue;
        }
        let settled = evidence.censuses.get(&Occasion::Lingered).or_else(|| evidence.censuses.get(&Occasion::Settled));
        for process in settled.iter().flat_map(|census| census.alive()) {
            expected.processes.insert(normalise(&process.command()));
        }
        expected.ports.extend(settled.iter().flat_map(|census| &census.listeners).map(|listener| listener.port));
        expected.ipc.extend(evidence.ipc.iter().cloned());
        if let Some(terminal) = &evidence.terminal {
            expected.terminal = terminal.clone();
        }
    }
    if controls.iter().any(|(evidence, _)| evidence.files.omitted > 0) {
        expected.changed_at_end = None;
    }
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(paths: &[(&str, FileKind)]) -> Evidence {
        let mut evidence = Evidence { leader: Some(ProcessId { pid: 2, start: 0 }), ..Evidence::default() };
        for (path, kind) in paths {
            let node = FileNode {
                change: FileChange::Created,
                kind: *kind,
                size: 0,
                mode: 0o600,
                owner: 0,
                hash: None,
                content: None,
                before: None,
                stamp: None,
            };
            evidence.files.nodes.insert((*path).to_owned(), node);
        }
        evidence
    }

    #[test]
    fn names_with_random_parts_and_the_agents_pid_are_known() {
        let control = left(&[
            ("/tmp/ssh-Yzu32CzpZSJa", FileKind::Directory),
            ("/tmp/ssh-Yzu32CzpZSJa/agent.2", FileKind::Socket),
            ("/w/worker-2.sock", FileKind::Socket),
        ]);
        let expected = learn(&[(&control, true), (&control, true)], Kind::Job, "/w");
        let hosted = Some(ProcessId { pid: 3, start: 0 });
        for (path, leader, known) in [
            ("/tmp/ssh-Dt8hflhXyx6s", hosted, true),
            ("/tmp/ssh-Dt8hflhXyx6s/agent.3", hosted, true),
            ("/tmp/ssh-Dt8hflhXyx6s/agent.2", control.leader, true),
            ("/tmp/ssh-Dt8hflhXyx6s/agent.4", hosted, false),
            ("/tmp/ssh-Dt8hflhXyx6s/other", hosted, false),
            ("/tmp/other-Dt8hflhXyx6s/agent.3", hosted, false),
            ("/w/worker-3.sock", hosted, true),
            ("/w/worker-3.sock", control.leader, false),
        ] {
            assert_eq!(expected.has_file(path, leader), known, "{path} {leader:?}");
        }
    }
}
