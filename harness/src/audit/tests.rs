//! Cases that differ in one fact only.

use super::{Case, Expected, Rules, audit};
use crate::model::{Act, Census, Evidence, Occasion, ProcessId, ProcessRecord, SignalMasks, Stdin, TrialPlan};
use crate::scenario::Kind;
use quietus_reports::Code;
use std::collections::BTreeMap;
use std::time::Duration;

const LEADER: ProcessId = ProcessId { pid: 3, start: 7 };
const TERM: u64 = 1 << 14;
const INT: u64 = 1 << 1;

fn census(masks: SignalMasks) -> Census {
    let agent = ProcessRecord {
        id: LEADER,
        parent: 1,
        group: 3,
        session: 3,
        state: 'R',
        name: "agent".to_owned(),
        argv: vec!["agent".to_owned()],
        role: Some("0".to_owned()),
        masks,
        ticks: 0,
        descriptors: BTreeMap::new(),
        threads: Vec::new(),
        helper: false,
    };
    Census { processes: vec![agent], ..Census::default() }
}

/// What is said of an agent that ran on after TERM or what else was sent, by its signal
/// masks when that came and when the grace was over.
fn ran_on(before: SignalMasks, after: SignalMasks) -> Vec<Code> {
    ran_on_after("TERM", before, after)
}

fn ran_on_after(send: &str, before: SignalMasks, after: SignalMasks) -> Vec<Code> {
    let evidence = Evidence {
        leader: Some(LEADER),
        delivered: true,
        censuses: BTreeMap::from([(Occasion::Injection, census(before)), (Occasion::GraceEnd, census(after))]),
        ..Evidence::default()
    };
    let plan = TrialPlan {
        acts: vec![Act { at: Vec::new(), send: send.parse().expect("an injection") }],
        grace: Duration::from_secs(5),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    let (expected, rules) = (Expected::default(), Rules::of_kind(Kind::Job));
    let case = Case { plan: &plan, killed: true, evidence: &evidence, expected: &expected, rules: &rules, held: &[] };
    audit(case).into_iter().map(|found| found.code).collect()
}

#[test]
fn a_handler_that_does_not_return_is_no_blocked_signal() {
    let handled = SignalMasks { caught: TERM, ..SignalMasks::default() };
    let in_handler = SignalMasks { caught: TERM, blocked: TERM, ..SignalMasks::default() };
    let blocked = SignalMasks { blocked: TERM, ..SignalMasks::default() };
    assert_eq!(ran_on(handled, in_handler), [Code::Hang], "it was entered, and blocks its own signal");
    let waits = SignalMasks { pending: TERM, ..in_handler };
    assert_eq!(ran_on(in_handler, waits), [Code::SignalIgnored], "it was blocked when it came, and still is");
    assert_eq!(ran_on(in_handler, in_handler), [Code::Hang], "it was blocked when it came, and taken since");
    assert_eq!(ran_on(blocked, blocked), [Code::SignalIgnored]);
    // The handler of INT waits for a lock that the handler of TERM holds; a second TERM waits too.
    let both = SignalMasks { caught: TERM | INT, blocked: TERM | INT, ..SignalMasks::default() };
    let second = SignalMasks { pending: TERM, ..both };
    assert_eq!(ran_on_after("TERM,INT,TERM", both, second), [Code::Hang], "INT was taken since");
    let neither = SignalMasks { pending: TERM | INT, ..both };
    assert_eq!(ran_on_after("TERM,INT,TERM", both, neither), [Code::SignalIgnored], "both wait");
    assert_eq!(ran_on(handled, handled), [Code::Hang]);
}
