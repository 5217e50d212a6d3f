//! A configuration that is left changed, and cases that differ from it in one fact.

use super::*;
use crate::audit::{Expected, Rules, audit, learn};
use crate::model::{
    Act, Call, Census, Deed, Evidence, FailedCall, Injection, ProcessId, Recording, Seen, SignalMasks, Stdin, TrialPlan,
};
use crate::scenario::Survivor;
use std::collections::BTreeMap;
use std::time::Duration;

const BEFORE: &str = "mode = \"normal\"\n";
const NOW: &str = "mode = \"agent\"\n";
/// The last tick before the injection, and the time of that.
const INJECTED: (Duration, Duration) = (Duration::from_millis(100_000), Duration::from_millis(100_003));

fn modified(before: &str, now: &str) -> FileNode {
    FileNode {
        change: FileChange::Modified,
        kind: FileKind::Regular,
        size: now.len() as u64,
        mode: 0o644,
        owner: 0,
        hash: None,
        content: Some(now.into()),
        before: Some(before.into()),
        stamp: Some(Duration::from_secs(99)),
    }
}

/// What a run has left.
fn left(nodes: &[(&str, FileNode)]) -> Evidence {
    let mut evidence = Evidence {
        delivered: true,
        ended: Some(Ended::Signaled(Signal::TERM)),
        injected_stamps: Some(INJECTED),
        temporary: vec!["/tmp".to_owned()],
        ..Evidence::default()
    };
    evidence.files.nodes = nodes.iter().map(|(path, node)| ((*path).to_owned(), node.clone())).collect();
    evidence
}

/// A run that writes a path, whatever it leaves there.
fn writes(path: &str) -> Evidence {
    let call = Call { name: "write".to_owned(), subjects: vec![path.to_owned()], result: Some(1), ..Call::default() };
    let seen = Seen { role: "0".to_owned(), thread: 0, began: Duration::ZERO, ended: None, what: Deed::Call(call) };
    Evidence { recording: Some(Recording { seen: vec![seen], ..Recording::default() }), ..left(&[]) }
}

/// A job that leaves nothing changed.
fn expected() -> Expected {
    learn(&[(&left(&[]), true), (&left(&[]), true)], Kind::Job, "/w")
}

fn told(evidence: &Evidence, expected: &Expected, kind: Kind, survivors: Vec<Survivor>) -> Vec<String> {
    let plan = TrialPlan {
        acts: vec![Act { at: Vec::new(), send: Injection::signal(Signal::TERM) }],
        grace: Duration::from_secs(5),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    let rules = Rules { survivors, ..Rules::of_kind(kind) };
    let found = audit(Case { plan: &plan, killed: false, evidence, expected, rules: &rules, held: &[] });
    found.iter().map(|found| format!("{} {} {:?}", found.code, found.subject, found.severity)).collect()
}

fn job(path: &str, node: FileNode) -> Vec<String> {
    told(&left(&[(path, node)]), &expected(), Kind::Job, Vec::new())
}

#[test]
fn a_configuration_that_stays_changed_is_found() {
    for path in ["/w/config.toml", "/w/.env", "/w/flags/beta", "/home/a/.config/app/settings.ini"] {
        assert_eq!(job(path, modified(BEFORE, NOW)), [format!("not-rolled-back {path} Error")]);
    }
    let link = FileNode { kind: FileKind::Symlink, ..modified("releases/1", "releases/2") };
    assert_eq!(job("/w/current", link), ["not-rolled-back /w/current Error"]);
}

#[test]
fn what_is_torn_is_told_once() {
    assert_eq!(job("/w/config.toml", modified(BEFORE, "mode = \"no")), ["torn-file /w/config.toml Error"]);
}

#[test]
fn what_is_changed_in_answer_to_the_termination_is_not_found() {
    for stamp in [None, Some(INJECTED.0), Some(INJECTED.1), Some(INJECTED.1 + Duration::from_millis(1))] {
        assert!(job("/w/state.toml", FileNode { stamp, ..modified(BEFORE, NOW) }).is_empty(), "{stamp:?}");
    }
}

#[test]
fn within_one_step_of_the_clock_a_recording_tells() {
    let stamped = |stamp| left(&[("/w/state.toml", FileNode { stamp: Some(stamp), ..modified(BEFORE, NOW) })]);
    let evidence = stamped(INJECTED.1);
    let judged = |control: Evidence| {
        told(&evidence, &learn(&[(&control, true), (&control, true)], Kind::Job, "/w"), Kind::Job, Vec::new())
    };
    assert_eq!(judged(writes("/w/state.toml")), ["not-rolled-back /w/state.toml Error"]);
    assert!(judged(writes("/w/other.toml")).is_empty());
}

#[test]
fn who_is_ended_at_once_has_written_before() {
    let node = FileNode { stamp: Some(INJECTED.1), ..modified(BEFORE, NOW) };
    let judged = |ended: Ended, processes: Vec<ProcessRecord>| {
        let census = Census { processes, ..Census::default() };
        let evidence = Evidence {
            ended: Some(ended),
            leader: Some(process(3, 0).id),
            censuses: BTreeMap::from([(Occasion::Injection, census)]),
            ..left(&[("/w/config.toml", node.clone())])
        };
        let found = told(&evidence, &expected(), Kind::Job, Vec::new());
        found.iter().any(|found| found.starts_with("not-rolled-back"))
    };
    let (by_signal, handles) = (Ended::Signaled(Signal::TERM), 1 << 14);
    assert!(judged(by_signal, vec![process(3, 0)]));
    assert!(!judged(by_signal, vec![process(3, handles)]), "its handler may have written");
    assert!(!judged(by_signal, vec![process(3, 0), process(4, 0)]), "another may have written");
    assert!(!judged(Ended::Exited(0), vec![process(3, 0)]), "it ended by itself");
    assert!(!judged(by_signal, Vec::new()));
}

fn process(pid: i32, caught: u64) -> ProcessRecord {
    ProcessRecord {
        id: ProcessId { pid, start: 7 },
        parent: 1,
        group: 3,
        session: 3,
        state: 'S',
        name: "agent".to_owned(),
        argv: vec!["agent".to_owned()],
        role: None,
        masks: SignalMasks { caught, ..SignalMasks::default() },
        ticks: 0,
        descriptors: BTreeMap::new(),
        threads: Vec::new(),
        helper: false,
    }
}

#[test]
fn what_may_change_is_not_found() {
    for path in [
        "/w/agent.log",
        "/w/logs/today",
        "/home/a/.cache/app/x",
        "/home/a/.bash_history",
        "/tmp/config.toml",
        "/w/config.toml.tmp",
        "/w/agent.lock",
        "/w/.git/config",
        "/w/app.db",
        "/dev/shm/x",
    ] {
        assert!(job(path, modified(BEFORE, NOW)).is_empty(), "{path}");
    }
    let large = FileNode { content: None, ..modified(BEFORE, NOW) };
    assert!(job("/w/config.toml", large).is_empty());
    let created = FileNode { change: FileChange::Created, before: None, ..modified(BEFORE, NOW) };
    assert!(!job("/w/config.toml", created).iter().any(|found| found.starts_with("not-rolled-back")));
}

#[test]
fn what_was_declared_or_made_to_fail_is_not_found() {
    let evidence = left(&[("/w/config.toml", modified(BEFORE, NOW))]);
    let survivor = Survivor { file: Some("config.toml".to_owned()), ..Survivor::default() };
    assert!(told(&evidence, &expected(), Kind::Job, vec![survivor]).is_empty());
    let failed =
        FailedCall { role: "0".to_owned(), name: "rename".to_owned(), subjects: vec!["/w/config.toml".to_owned()] };
    let evidence = Evidence { failed: vec![failed], ..evidence };
    assert!(told(&evidence, &expected(), Kind::Job, Vec::new()).is_empty());
}

#[test]
fn a_path_that_one_control_leaves_changed_is_not_found() {
    let changed = left(&[("/w/config.toml", modified(BEFORE, "mode = \"done\"\n"))]);
    let expected = learn(&[(&left(&[]), true), (&changed, true)], Kind::Job, "/w");
    assert!(told(&left(&[("/w/config.toml", modified(BEFORE, NOW))]), &expected, Kind::Job, Vec::new()).is_empty());
}

#[test]
fn where_a_control_could_not_be_read_nothing_is_said() {
    let trial = left(&[("/w/conf/a.toml", modified(BEFORE, NOW))]);
    let judged = |control: &Evidence| {
        told(&trial, &learn(&[(&left(&[]), true), (control, true)], Kind::Job, "/w"), Kind::Job, Vec::new()).is_empty()
    };
    let mut control = left(&[]);
    assert!(!judged(&control));
    control.files.unread = vec![("/w/con".to_owned(), String::new())];
    assert!(!judged(&control), "that is another");
    control.files.unread = vec![("/w/conf".to_owned(), String::new())];
    assert!(judged(&control));
    control.files = crate::model::FileTree { omitted: 1, ..crate::model::FileTree::default() };
    assert!(judged(&control));
}

#[test]
fn of_a_server_the_control_that_was_stopped_tells() {
    let trial = left(&[("/w/config.toml", modified(BEFORE, NOW))]);
    let at_rest = Evidence { delivered: false, ended: None, ..trial.clone() };
    let stopped = left(&[]);
    let judged = |stopped: &Evidence| {
        told(&trial, &learn(&[(&at_rest, false), (stopped, false)], Kind::Server, "/w"), Kind::Server, Vec::new())
    };
    assert_eq!(judged(&stopped), ["not-rolled-back /w/config.toml Warn"]);
    assert!(judged(&trial).is_empty(), "it does not put it back when it is stopped at rest either");
    let killed = Evidence { ended: Some(Ended::Signaled(Signal::KILL)), ..stopped.clone() };
    assert!(judged(&killed).is_empty(), "it had to be killed");
    assert!(judged(&Evidence { ended: None, ..stopped }).is_empty(), "it did not end");
}
