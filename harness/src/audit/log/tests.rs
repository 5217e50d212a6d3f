//! What an agent writes, and what is said of it.

use super::*;
use crate::audit::{Expected, Resource, Rules, audit, learn};
use crate::model::{
    Act, AtExit, Census, Evidence, FailedCall, Listener, OutputTail, ProcessId, ProcessRecord, SignalMasks, Stdin,
    TrialPlan,
};
use crate::scenario::{ExpectedExit, Kind, Survivor};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const LEADER: ProcessId = ProcessId { pid: 2, start: 1 };

/// Lines with their times in seconds; those that begin with `!` are of standard error.
fn output(lines: &[(u64, &str)]) -> OutputTail {
    let line = |(at, text): &(u64, &str)| Line {
        at: Duration::from_secs(*at),
        stream: if text.starts_with('!') { Stream::Error } else { Stream::Output },
        text: text.trim_start_matches('!').to_owned(),
    };
    OutputTail { kept: lines.iter().map(line).collect(), ..OutputTail::default() }
}

fn process(id: ProcessId, role: &str, words: &[&str]) -> ProcessRecord {
    ProcessRecord {
        id,
        parent: 1,
        group: 2,
        session: 2,
        state: 'S',
        name: words[0].rsplit('/').next().unwrap_or_default().to_owned(),
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        role: Some(role.to_owned()),
        masks: SignalMasks { caught: 1 << 14, ..SignalMasks::default() },
        ticks: 0,
        descriptors: BTreeMap::new(),
        threads: Vec::new(),
        helper: false,
    }
}

/// An agent that is terminated after ten seconds and ends by itself.
struct Agent {
    evidence: Evidence,
    expected: Expected,
    rules: Rules,
    held: Vec<Resource>,
    send: &'static str,
}

impl Agent {
    fn that_writes(lines: &[(u64, &str)]) -> Self {
        let census = Census { processes: vec![process(LEADER, "0", &["agent"])], ..Census::default() };
        let evidence = Evidence {
            leader: Some(LEADER),
            ended: Some(Ended::Exited(143)),
            delivered: true,
            injected_at: Some(Duration::from_secs(10)),
            output: output(lines),
            censuses: BTreeMap::from([(Occasion::Injection, census)]),
            ..Evidence::default()
        };
        let exit =
            Some(vec![ExpectedExit::Code(143), ExpectedExit::Signal(Signal::TERM), ExpectedExit::Signal(Signal::KILL)]);
        let rules = Rules { exit, ..Rules::of_kind(Kind::Job) };
        Self { evidence, expected: Expected::default(), rules, held: Vec::new(), send: "TERM" }
    }

    fn must_write(mut self, patterns: &[&str]) -> Self {
        self.rules.log = patterns.iter().map(|pattern| pattern.parse().expect("a pattern")).collect();
        self
    }

    fn has(mut self, held: &[Resource]) -> Self {
        self.rules.released = Some(r"^released (?<resource>\S+)".parse().expect("a pattern"));
        self.held = held.to_vec();
        self
    }

    fn writes_undisturbed(mut self, lines: &[(u64, &str)]) -> Self {
        let control = Evidence { output: output(lines), ..Evidence::default() };
        self.expected = learn(&[(&control, true), (&control, true)], self.rules.kind, "/w");
        self
    }

    fn judged<T>(&self, judge: impl FnOnce(Case<'_>) -> T) -> T {
        let act = Act { at: Vec::new(), send: self.send.parse().expect("an injection") };
        let (grace, stdin) = (Duration::from_secs(5), Stdin::Closed);
        let plan =
            TrialPlan { acts: vec![act], grace, stdin, pty: false, pid1: false, noise: crate::model::Noise::NONE };
        judge(Case {
            plan: &plan,
            killed: false,
            evidence: &self.evidence,
            expected: &self.expected,
            rules: &self.rules,
            held: &self.held,
        })
    }

    fn titles(&self) -> Vec<String> {
        self.judged(audit).into_iter().map(|found| found.title).collect()
    }
}

fn path(kind: &'static str, pattern: &str, number: usize) -> Resource {
    Resource::Path { kind, pattern: pattern.to_owned(), number }
}

fn nothing() -> Vec<String> {
    Vec::new()
}

#[test]
fn lines_in_their_order_are_right() {
    let patterns = ["^stopping$", r"closed \d files", "complete"];
    let lines = [(11, "stopping"), (11, "noise"), (12, "closed 3 files"), (12, "cleanup complete")];
    assert_eq!(Agent::that_writes(&lines).must_write(&patterns).titles(), nothing());
}

#[test]
fn each_line_that_is_missing_is_one_finding() {
    let agent = Agent::that_writes(&[(11, "stopped")]).must_write(&["^stopping$", "stopped", "complete"]);
    assert_eq!(agent.titles(), ["the line `^stopping$` was not written", "the line `complete` was not written"]);
    let found = agent.judged(audit);
    assert_eq!(
        (found[0].code, found[0].subject.as_str(), &found[0].cause),
        (Code::CleanupNotLogged, "^stopping$", &None)
    );
}

#[test]
fn another_order_is_told_as_such() {
    let agent = Agent::that_writes(&[(11, "complete"), (12, "stopping")]).must_write(&["stopping", "complete"]);
    assert_eq!(agent.titles(), ["the line `complete` was not written after the line `stopping`"]);
}

#[test]
fn one_line_does_not_stand_for_two() {
    let once = Agent::that_writes(&[(11, "closed a and b")]).must_write(&["closed", "closed"]);
    assert_eq!(once.titles(), ["the line `closed` was not written after the line `closed`"]);
    let twice = Agent::that_writes(&[(11, "closed a"), (11, "closed b")]).must_write(&["closed", "closed"]);
    assert_eq!(twice.titles(), nothing());
}

#[test]
fn nobody_knows_which_stream_came_first() {
    let agent = |lines| Agent::that_writes(lines).must_write(&["a", "b", "c"]);
    assert_eq!(agent(&[(11, "b"), (11, "!a"), (11, "!c")]).titles(), nothing());
    assert_eq!(agent(&[(11, "c"), (11, "!a"), (11, "!b")]).titles(), nothing());
    // In each of them the order is that of the writes.
    assert_eq!(
        agent(&[(11, "!b"), (11, "!a"), (11, "c")]).titles(),
        ["the line `b` was not written after the line `a`"]
    );
    // The first `a` is followed by too little, the other is not.
    assert_eq!(agent(&[(11, "a"), (11, "!b"), (11, "!a"), (11, "c")]).titles(), nothing());
}

#[test]
fn what_came_before_the_termination_is_not_said_after_it() {
    let agent = Agent::that_writes(&[(9, "complete")]).must_write(&["complete"]);
    assert_eq!(agent.titles(), ["the line `complete` was not written"]);
    let evidence = &agent.judged(audit)[0].evidence;
    assert!(evidence.contains(&"before the termination it wrote: complete".to_owned()), "{evidence:?}");
}

#[test]
fn a_job_may_have_begun_to_end_by_itself() {
    let lines = [(8, "task complete"), (9, "task complete"), (9, "stopping"), (11, "done")];
    let patterns = ["complete", "stopping", "done"];
    let agent =
        |undisturbed: &[(u64, &str)]| Agent::that_writes(&lines).must_write(&patterns).writes_undisturbed(undisturbed);
    assert_eq!(agent(&lines).titles(), nothing());
    // One more task was to come.
    let all = [(8, "task complete"), (9, "task complete"), (10, "task complete"), (11, "stopping"), (11, "done")];
    assert_eq!(agent(&all).titles(), ["the line `complete` was not written"]);
    // A server has no end of its own.
    let mut server = Agent::that_writes(&lines).must_write(&patterns);
    server.rules.kind = Kind::Server;
    assert_eq!(server.writes_undisturbed(&lines).titles().len(), 2);
}

#[test]
fn who_cannot_speak_is_not_asked() {
    let silent = || Agent::that_writes(&[]).must_write(&["complete"]).has(&[path("file", "/tmp/a", 1)]);
    assert_eq!(silent().titles().len(), 2);
    for send in ["KILL", "KILL@all", "pty-hangup"] {
        assert_eq!(Agent { send, ..silent() }.titles(), nothing(), "{send}");
    }
    let mut killed = Agent { send: "TERM,1s,KILL", ..silent() };
    assert_eq!(killed.titles().len(), 2, "it ended by its own exit");
    killed.evidence.ended = Some(Ended::Signaled(Signal::KILL));
    assert_eq!(killed.titles(), nothing());
    let mut failed = silent();
    failed.evidence.failed.push(FailedCall { role: "0".to_owned(), name: "write".to_owned(), subjects: Vec::new() });
    assert_eq!(failed.titles(), nothing());
}

#[test]
fn a_default_action_is_the_cause() {
    let mut agent = Agent::that_writes(&[]).must_write(&["complete"]);
    agent.evidence.ended = Some(Ended::Signaled(Signal::TERM));
    let handled = agent.judged(audit);
    assert_eq!(handled[0].cause, None, "it had a handler, and ended by the signal itself");
    let census = agent.evidence.censuses.get_mut(&Occasion::Injection).expect("a census");
    census.processes[0].masks = SignalMasks::default();
    let unhandled = agent.judged(audit);
    assert_eq!(
        unhandled[0].cause.as_deref(),
        Some("SIGTERM had its default action when it came: the agent ended at once")
    );
    assert_ne!(handled[0].fingerprint, unhandled[0].fingerprint);
    assert!(unhandled[0].is_unhandled() && !handled[0].is_unhandled());
}

#[test]
fn where_not_all_was_read_nothing_is_missing() {
    let mut agent = Agent::that_writes(&[(11, "one")]).must_write(&["one", "two"]);
    assert_eq!((agent.titles().len(), agent.judged(unheard)), (1, None));
    agent.evidence.output.unkept = 3;
    assert_eq!(agent.titles(), nothing());
    assert!(agent.judged(unheard).is_some_and(|why| why.starts_with("3 lines of its output are too many or too long")));
    let all = agent.must_write(&["one"]);
    assert_eq!((all.titles(), all.judged(unheard)), (nothing(), None));
}

#[test]
fn each_resource_needs_a_line() {
    let held = [path("directory", "/tmp/tool-*", 1), path("file", "/w/agent.lock", 1), path("socket", "/w/a.sock", 1)];
    let lines = [(11, "released /tmp/tool-x1"), (11, "released agent.lock"), (12, "released /w/a.sock")];
    assert_eq!(Agent::that_writes(&lines).has(&held).titles(), nothing());
    let agent = Agent::that_writes(&lines[..2]).has(&held);
    assert_eq!(agent.titles(), ["no line says that socket /w/a.sock was released"]);
    let found = &agent.judged(audit)[0];
    assert_eq!(found.subject, "/w/a.sock");
    assert!(found.evidence.contains(&"named as released: /tmp/tool-x1, agent.lock".to_owned()), "{:?}", found.evidence);
    assert_eq!(Agent::that_writes(&[]).has(&[]).titles(), nothing());
}

#[test]
fn several_of_one_name_need_several_lines() {
    let held = [path("file", "/tmp/tmp*", 1), path("file", "/tmp/tmp*", 2), path("file", "/tmp/tmp-a", 1)];
    let agent = |lines| Agent::that_writes(lines).has(&held);
    let all = [(11, "released /tmp/tmp-a"), (11, "released /tmp/tmpq1"), (11, "released /tmp/tmpq2")];
    assert_eq!(agent(&all).titles(), nothing());
    let again = [(11, "released /tmp/tmp-a"), (11, "released /tmp/tmpq1"), (11, "released /tmp/tmpq1")];
    assert_eq!(agent(&again).titles(), ["no line says that file /tmp/tmp* was released"]);
}

#[test]
fn a_release_before_the_termination_is_an_older_one() {
    let held = [path("file", "/w/a", 1)];
    let before = [(9, "released /w/a")];
    assert_eq!(Agent::that_writes(&before).has(&held).titles().len(), 1);
    // A job that says so before it does so.
    assert_eq!(Agent::that_writes(&before).has(&held).writes_undisturbed(&before).titles(), nothing());
    let twice = [(9, "released /w/a"), (10, "released /w/a")];
    assert_eq!(Agent::that_writes(&before).has(&held).writes_undisturbed(&twice).titles().len(), 1);
}

#[test]
fn ports_and_children_are_those_that_were_there() {
    let child = |role: &str| Resource::Child { role: role.to_owned(), command: "/bin/sleep *".to_owned() };
    let held = [Resource::Port(8080), Resource::Port(9090), child("0.0"), child("0.1"), child("0.2")];
    let with = |lines: &[(u64, &str)]| {
        let mut agent = Agent::that_writes(lines).has(&held);
        let census = agent.evidence.censuses.get_mut(&Occasion::Injection).expect("a census");
        for (pid, role) in [(7, "0.0"), (8, "0.1")] {
            census.processes.push(process(ProcessId { pid, start: 5 }, role, &["/bin/sleep", "300"]));
        }
        census.listeners = vec![Listener { protocol: "tcp".to_owned(), port: 8080, holders: Vec::new() }];
        agent
    };
    for lines in [
        [(11, "released 8080"), (11, "released 7"), (11, "released 8")],
        [(11, "released 127.0.0.1:8080"), (11, "released sleep"), (11, "released sleep")],
        [(11, "released 8080"), (11, "released sleep"), (11, "released 7")],
    ] {
        assert_eq!(with(&lines).titles(), nothing());
    }
    assert_eq!(
        with(&[(11, "released 80"), (11, "released 7"), (11, "released 7")]).titles(),
        ["no line says that port 8080 was released", "no line says that process `/bin/sleep *` was released"]
    );
    let mut ends = with(&[(11, "released 8080"), (11, "released 7")]);
    ends.evidence.at_exit.push(AtExit {
        role: "0.1".to_owned(),
        pid: 8,
        ended: Ended::Exited(1),
        at: Duration::from_secs(11),
        writable: BTreeSet::new(),
        locked: BTreeSet::new(),
        connected: BTreeSet::new(),
    });
    assert_eq!(ends.titles(), nothing(), "a tool that came to its own end");
    let mut stays = with(&[(11, "released 8080")]);
    stays.rules.survivors.push(Survivor { process: Some("sleep".to_owned()), ..Survivor::default() });
    assert_eq!(stays.titles(), nothing());
}

#[test]
fn what_may_stay_is_not_to_be_released() {
    let mut agent = Agent::that_writes(&[]).has(&[path("file", "/w/out/a", 1), Resource::Abstract("@bus".to_owned())]);
    agent.expected.directory = "/w".to_owned();
    agent.rules.survivors.push(Survivor { file: Some("out".to_owned()), ..Survivor::default() });
    assert_eq!(agent.titles(), ["no line says that socket @bus was released"]);
}
