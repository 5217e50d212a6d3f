//! Ends that differ in one fact only.

use super::{held_locks, open_descriptors};
use crate::audit::{Case, Expected, Rules, learn};
use crate::model::{Act, Census, ProcessId, ProcessRecord, SignalMasks};
use crate::model::{
    AtExit, Call, Deed, Ended, Evidence, FileChange, FileKind, FileNode, Injection, Known, LockType, Occasion,
    Recording, Seen, Signal, Stdin, TrialPlan,
};
use crate::scenario::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const PATH: &str = "/w/counts.txt";
const PEER: &str = "127.0.0.1:5432";

fn exit(role: &str, at: u64, ended: Ended) -> AtExit {
    AtExit {
        role: role.to_owned(),
        pid: 2,
        ended,
        at: Duration::from_secs(at),
        writable: BTreeSet::new(),
        locked: BTreeSet::new(),
        connected: BTreeSet::new(),
    }
}

fn call(role: &str, name: &str, subject: &str, known: Known) -> Seen {
    let call =
        Call { name: name.to_owned(), subjects: vec![subject.to_owned()], result: Some(0), known, ..Call::default() };
    Seen { role: role.to_owned(), thread: 0, began: Duration::ZERO, ended: None, what: Deed::Call(call) }
}

fn file(size: u64) -> FileNode {
    FileNode {
        change: FileChange::Created,
        kind: FileKind::Regular,
        size,
        mode: 0o644,
        owner: 0,
        hash: Some(size),
        content: None,
        before: None,
        stamp: None,
    }
}

/// A run that opens a file, locks and writes it, connects, and gives all of it back.
fn control() -> Evidence {
    let seen = vec![
        call("0", "openat", PATH, Known::Existed(false)),
        call("0", "flock", PATH, Known::Lock(LockType::Exclusive)),
        call("0", "write", PATH, Known::Nothing),
        call("0", "connect", PEER, Known::Nothing),
    ];
    let mut evidence = Evidence {
        ended: Some(Ended::Exited(0)),
        recording: Some(Recording { seen, end: Duration::from_secs(9), ..Recording::default() }),
        at_exit: vec![exit("0", 8, Ended::Exited(0))],
        ..Evidence::default()
    };
    evidence.files.nodes.insert(PATH.to_owned(), file(46));
    evidence
}

fn process(role: &str) -> ProcessRecord {
    ProcessRecord {
        id: ProcessId { pid: 2, start: 1 },
        parent: 1,
        group: 2,
        session: 2,
        state: 'S',
        name: "agent".to_owned(),
        argv: vec!["agent".to_owned()],
        role: Some(role.to_owned()),
        masks: SignalMasks::default(),
        ticks: 0,
        descriptors: BTreeMap::new(),
        threads: Vec::new(),
        helper: false,
    }
}

/// A run that is terminated after a second, and ends a second later with all of it.
fn terminated(role: &str, ended: Ended) -> Evidence {
    let mut last = exit(role, 2, ended);
    last.writable.insert(PATH.to_owned());
    last.locked.insert(PATH.to_owned());
    last.connected.insert(PEER.to_owned());
    let census = Census { processes: vec![process("0")], ..Census::default() };
    let mut evidence = Evidence {
        ended: Some(ended),
        delivered: true,
        injected_at: Some(Duration::from_secs(1)),
        censuses: BTreeMap::from([(Occasion::Injection, census)]),
        at_exit: vec![last],
        ..Evidence::default()
    };
    evidence.files.nodes.insert(PATH.to_owned(), file(7));
    evidence
}

fn learned(control: &Evidence) -> Expected {
    learn(&[(control, true), (control, true)], Kind::Job, "/w")
}

fn titles(evidence: &Evidence, expected: &Expected) -> Vec<String> {
    let plan = TrialPlan {
        acts: vec![Act { at: Vec::new(), send: Injection::signal(Signal::TERM) }],
        grace: Duration::from_secs(5),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    let rules = Rules::of_kind(Kind::Job);
    let case = Case { plan: &plan, killed: false, evidence, expected, rules: &rules, held: &[] };
    held_locks(case).into_iter().chain(open_descriptors(case, &[])).map(|found| found.title).collect()
}

const OWN: Ended = Ended::Exited(143);

#[test]
fn what_the_control_gives_back_is_told() {
    let expected = learned(&control());
    assert_eq!(
        titles(&terminated("0", OWN), &expected),
        [
            "the agent ended with exit 143 while it held a lock on /w/counts.txt",
            "the agent ended with exit 143 and had /w/counts.txt open, which is not complete",
            "the agent ended with exit 143 and was still connected to 127.0.0.1:5432",
        ]
    );
}

#[test]
fn what_a_signal_ends_has_everything_open() {
    let ended = terminated("0", Ended::Signaled(Signal::TERM));
    assert_eq!(titles(&ended, &learned(&control())), Vec::<String>::new());
}

#[test]
fn what_the_control_keeps_to_its_end_is_expected() {
    let mut keeps = control();
    keeps.at_exit = terminated("0", OWN).at_exit;
    assert_eq!(titles(&terminated("0", OWN), &learned(&keeps)), Vec::<String>::new());
    // One control that keeps it is enough.
    let expected = learn(&[(&control(), true), (&keeps, true)], Kind::Job, "/w");
    assert_eq!(titles(&terminated("0", OWN), &expected), Vec::<String>::new());
}

#[test]
fn without_the_end_of_a_control_nothing_is_said() {
    for blind in [
        Evidence { at_exit: Vec::new(), ..control() },
        Evidence { recording: None, ..control() },
        Evidence { at_exit: vec![exit("0.0", 8, OWN)], ..control() },
    ] {
        assert_eq!(titles(&terminated("0", OWN), &learned(&blind)), Vec::<String>::new());
    }
    let untraced = Evidence { at_exit: Vec::new(), ..terminated("0", OWN) };
    assert_eq!(titles(&untraced, &learned(&control())), Vec::<String>::new());
}

#[test]
fn who_ended_before_the_termination_is_not_asked() {
    let mut evidence = terminated("0", OWN);
    evidence.injected_at = Some(Duration::from_secs(3));
    assert_eq!(titles(&evidence, &learned(&control())), Vec::<String>::new());
}

#[test]
fn what_a_child_inherits_is_not_its_own() {
    let mut forks = control();
    forks.at_exit.push(exit("0.0", 7, Ended::Exited(0)));
    let mut evidence = terminated("0.0", OWN);
    if let Some(census) = evidence.censuses.get_mut(&Occasion::Injection) {
        census.processes.push(process("0.0"));
    }
    assert_eq!(titles(&evidence, &learned(&forks)), Vec::<String>::new());
    // What it opens itself is, and it has to have been there when the signal came.
    forks
        .recording
        .iter_mut()
        .flat_map(|recording| &mut recording.seen)
        .for_each(|seen| "0.0".clone_into(&mut seen.role));
    assert_eq!(titles(&evidence, &learned(&forks)).len(), 3);
    evidence.censuses.clear();
    assert_eq!(titles(&evidence, &learned(&forks)), Vec::<String>::new());
}

#[test]
fn a_complete_file_is_none() {
    let mut evidence = terminated("0", OWN);
    evidence.files.nodes.insert(PATH.to_owned(), file(46));
    assert!(titles(&evidence, &learned(&control())).iter().all(|title| !title.contains("not complete")));
    // One that the agent only reads, or that the control removes, is none either.
    let mut reads = control();
    reads
        .recording
        .iter_mut()
        .for_each(|recording| recording.seen.retain(|seen| seen.call().is_none_or(|call| call.name != "write")));
    assert!(titles(&terminated("0", OWN), &learned(&reads)).iter().all(|title| !title.contains("not complete")));
    let mut removes = control();
    removes.files.nodes.clear();
    assert!(titles(&terminated("0", OWN), &learned(&removes)).iter().all(|title| !title.contains("not complete")));
}

#[test]
fn the_lock_of_a_database_guards_what_repairs_itself() {
    let mut database = control();
    let journal = call("0", "openat", "/w/counts.txt-journal", Known::Nothing);
    database.recording.iter_mut().for_each(|recording| recording.seen.push(journal.clone()));
    let found = titles(&terminated("0", OWN), &learned(&database));
    assert!(found.iter().all(|title| !title.contains(PATH)), "{found:?}");
}

#[test]
fn a_shared_lock_guards_nothing_that_is_half_done() {
    let mut shared = control();
    for seen in shared.recording.iter_mut().flat_map(|recording| &mut recording.seen) {
        if let Deed::Call(call) = &mut seen.what
            && call.name == "flock"
        {
            call.known = Known::Lock(LockType::Shared);
        }
    }
    assert!(titles(&terminated("0", OWN), &learned(&shared)).iter().all(|title| !title.contains("lock")));
}
