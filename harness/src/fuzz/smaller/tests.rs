use super::super::shrink::{Judgement, shrink};
use super::super::space::Place;
use super::*;
use crate::model::{Stdin, Token};
use proptest::prelude::*;
use std::collections::HashSet;

fn plan(token: &str) -> TrialPlan {
    let Token(plan) = token.parse().unwrap_or_else(|error| panic!("{token}: {error}"));
    plan
}

fn space() -> Space {
    let place = |at: &str, weight| Place { at: vec![at.parse().expect("a point")], weight, window: None };
    Space {
        places: vec![
            place("start", 1),
            place("syscall:openat@exit#3", 1),
            place("syscall:mkdir@enter", 4),
            place("syscall:mkdir@exit", 12),
            place("syscall:rmdir@exit", 12),
        ],
        sends: ["TERM", "INT"].map(|send| send.parse().expect("an injection")).to_vec(),
        stalls: Vec::new(),
        after: Vec::new(),
        scale: Duration::from_millis(64),
        traced: true,
        base: TrialPlan {
            acts: Vec::new(),
            grace: Duration::from_secs(1),
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: crate::model::Noise::NONE,
        },
    }
}

fn least(start: &str, fails: impl Fn(&TrialPlan) -> bool) -> String {
    let space = space();
    let mut judge = |plans: &[TrialPlan]| if fails(&plans[0]) { Judgement::Fails } else { Judgement::Passes };
    let shrunk = shrink(plan(start), &|plan| size(&space, plan), &|plan| smaller(&space, plan), &mut judge);
    Token(shrunk.least).to_string()
}

const LONG: &str = "q1/at=syscall:openat@exit%233/send=delay:5ms/at=time:31ms/send=STOP@all,20ms,CONT@all,INT@group/at=+syscall:unlink@enter%234/send=HUP@all,7ms,INT/at=+time:900us/send=TERM/grace=1s";

#[test]
fn it_comes_down_to_what_a_person_would_write() {
    assert_eq!(least(LONG, |_| true), "q1/at=start/send=TERM/grace=1s");
    let twice = |plan: &TrialPlan| steps(plan).filter(|step| matches!(step, Step::Signal(..))).count() >= 2;
    assert_eq!(least(LONG, twice), "q1/at=start/send=TERM,TERM/grace=1s");
    let after_mkdir =
        |plan: &TrialPlan| plan.acts.iter().any(|act| act.at.iter().any(|at| at.to_string() == "syscall:mkdir@exit"));
    let start = LONG.replace("time:31ms", "syscall:mkdir@exit");
    assert_eq!(least(&start, after_mkdir), "q1/at=syscall:mkdir@exit/send=TERM/grace=1s");
    let ends = |act: &Act| act.send.signals().any(|signal| signal != Signal::CONT && signal != Signal::STOP);
    let cleanup = |plan: &TrialPlan| {
        plan.point_text().contains("+syscall:unlink@enter") && plan.acts.len() > 1 && plan.acts.iter().all(ends)
    };
    assert_eq!(least(LONG, cleanup), "q1/at=start/send=TERM/at=+syscall:unlink@enter/send=TERM/grace=1s");
    let late = |plan: &TrialPlan| {
        steps(plan).any(|step| matches!(step, Step::Delay(span) if *span >= Duration::from_millis(1)))
    };
    assert_eq!(least(LONG, late), "q1/at=start/send=delay:1250us,TERM/grace=1s");
}

#[test]
fn no_candidate_is_without_termination_or_counts_from_nothing() {
    for candidate in smaller(&space(), &plan(LONG)) {
        assert!(candidate.terminates() && !candidate.acts[0].at[0].relative, "{}", Token(candidate));
    }
}

/// Any plan that the fuzzer could give.
fn plans() -> impl Strategy<Value = TrialPlan> {
    let first = prop::sample::select(vec![
        "start",
        "time:3ms",
        "syscall:openat@exit#3",
        "syscall:rmdir@exit",
        "blocked:read#2",
    ]);
    let send = || {
        prop::sample::select(vec![
            "TERM",
            "INT@all",
            "STOP,9ms,CONT,TERM",
            "parent-death",
            "HUP@group,30us,TERM",
            "fault:unlink=EIO",
            "delay:8ms",
        ])
    };
    let at = prop::sample::select(vec!["+time:70us", "+syscall:unlink@enter#3", "+syscall:[0.1]rename@exit"]);
    (first, send(), prop::collection::vec((at, send()), 0..3)).prop_map(|(first, send, later)| {
        let act =
            |(at, send): (&str, &str)| Act { at: vec![at.parse().expect("a point")], send: send.parse().expect("one") };
        let acts = std::iter::once((first, send)).chain(later).map(act).collect();
        TrialPlan { acts, ..space().base }
    })
}

proptest! {
    /// Whatever it is that fails: shrinking ends, what comes of it still fails, it is not
    /// larger, and shrinking it again changes nothing.
    #[test]
    fn laws_of_shrinking(start in plans().prop_filter("it terminates", TrialPlan::terminates), salt: u64, often in 1u64..5) {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let space = space();
        let fails = |plan: &TrialPlan| {
            let mut hash = DefaultHasher::new();
            (plan, salt).hash(&mut hash);
            *plan == start || hash.finish().is_multiple_of(often)
        };
        let mut judged = HashSet::new();
        let mut judge = |plans: &[TrialPlan]| {
            assert!(judged.insert(plans[0].clone()), "none is judged twice");
            if fails(&plans[0]) { Judgement::Fails } else { Judgement::Passes }
        };
        let down = |start: &TrialPlan, judge: &mut dyn FnMut(&[TrialPlan]) -> Judgement| {
            shrink(start.clone(), &|plan| size(&space, plan), &|plan| smaller(&space, plan), judge)
        };
        let shrunk = down(&start, &mut judge);
        prop_assert!(shrunk.whole && fails(&shrunk.least));
        prop_assert!(size(&space, &shrunk.least) <= size(&space, &start));
        let mut again = |plans: &[TrialPlan]| if fails(&plans[0]) { Judgement::Fails } else { Judgement::Passes };
        prop_assert_eq!(down(&shrunk.least, &mut again).least, shrunk.least);
    }
}
