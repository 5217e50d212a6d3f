//! Trials at random over a driver without processes: what is found is made small, whatever it
//! takes to show it.

use crate::driver::{Event, Evidence, Interrupt, MockDriver, Request, Timer};
use crate::explore::{Check, Fuzz, check};
use crate::fuzz::{Space, size};
use crate::model::{Ended, FileChange, FileKind, FileNode, Point, Signal, Step, Token, TrialPlan};
use crate::scenario::{Kind, Strategy};
use proptest::prelude::*;
use quietus_reports::{Code, Reproduction, Run};
use std::time::Duration;

/// What a trial goes through: every point is reached, and the agent ends by the last signal.
fn events(plan: &TrialPlan) -> Vec<Event> {
    let mut events = vec![Event::Started];
    let mut op = 0;
    for act in &plan.acts {
        for spec in &act.at {
            if spec.point != Point::Start {
                events.push(Event::Reached(op));
            }
            op += 1;
        }
        for step in act.send.steps() {
            if matches!(step, Step::Wait(_)) {
                events.push(Event::Timer(Timer::Wait));
            }
            op += 1;
        }
    }
    events.extend([Event::LeaderEnded(ended(plan)), Event::Quiet]);
    events
}

fn ended(plan: &TrialPlan) -> Ended {
    let last = plan.acts.iter().flat_map(|act| act.send.signals()).last();
    last.map_or(Ended::Exited(0), Ended::Signaled)
}

/// An agent that leaves a file whenever this holds of what is done to it.
fn agent(leaves: impl Fn(&TrialPlan) -> bool + Send + Sync + 'static) -> MockDriver {
    MockDriver::new(move |request: &Request| {
        let plan = &request.plan;
        let mut evidence = Evidence {
            ended: Some(ended(plan)),
            ended_at: Some(Duration::from_millis(20)),
            delivered: !plan.acts.is_empty(),
            injected_at: (!plan.acts.is_empty()).then_some(Duration::from_millis(10)),
            temporary: vec!["/tmp".to_owned()],
            ..Evidence::default()
        };
        if !plan.acts.is_empty() && leaves(plan) {
            let node = FileNode {
                change: FileChange::Created,
                kind: FileKind::Regular,
                size: 1,
                mode: 0o600,
                owner: 0,
                hash: None,
                content: Some(vec![b'x']),
                before: None,
                stamp: None,
            };
            evidence.files.nodes.insert("/tmp/agent.left".to_owned(), node);
        }
        (events(plan), evidence)
    })
}

fn run(driver: &MockDriver, seed: u64, trials: u64) -> Run {
    let mut wanted = Check::of_command(vec!["agent".into()], Vec::new(), "/".into());
    wanted.strategy = Strategy::Fuzz;
    wanted.kind = Some(Kind::Job);
    wanted.fuzz = Fuzz { seed, trials: Some(trials), ..Fuzz::default() };
    check(driver, &wanted, &Interrupt::new().expect("an event"), &()).expect("the mock never fails")
}

fn signals(plan: &TrialPlan) -> Vec<Signal> {
    plan.acts.iter().flat_map(|act| act.send.signals()).collect()
}

/// The trial that the one finding came down to.
fn smallest(run: &Run) -> TrialPlan {
    let [finding] = run.findings.as_slice() else { panic!("one finding: {:#?}", run.findings) };
    assert_eq!(finding.code, Code::TempFile);
    assert_eq!(finding.reproduction(), Some(Reproduction::Deterministic));
    let confirmed = finding.confirmed.expect("it was run again");
    assert_eq!((confirmed.hits(), confirmed.runs()), (20, 20));
    finding.token.parse::<Token>().expect("a token").0
}

#[test]
fn a_finding_comes_down_to_what_it_takes() {
    let two = agent(|plan| signals(plan).windows(2).any(|pair| pair == [Signal::INT, Signal::TERM]));
    assert_eq!(Token(smallest(&run(&two, 1, 200))).to_string(), "q1/at=start/send=INT,TERM/grace=5020ms");
    let any = agent(|_| true);
    assert_eq!(Token(smallest(&run(&any, 1, 40))).to_string(), "q1/at=start/send=TERM/grace=5020ms");
    let noisy = agent(|plan| plan.noise.one_cpu);
    assert_eq!(Token(smallest(&run(&noisy, 1, 200))).to_string(), "q1/at=start/send=TERM/grace=5020ms/cpus=1");
}

#[test]
fn who_leaves_nothing_is_clean_and_a_seed_is_a_row_of_trials() {
    let tokens = |seed| -> Vec<String> {
        let run = run(&agent(|_| false), seed, 100);
        assert!(run.findings.is_empty(), "{:#?}", run.findings);
        run.trials.into_iter().map(|trial| trial.token).collect()
    };
    assert_eq!(tokens(5), tokens(5));
    assert_ne!(tokens(5), tokens(6));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever it is that leaves the file: the smallest trial still does, and none of those
    /// that were drawn and do is smaller.
    #[test]
    fn what_is_made_small_still_fails_and_never_grew(seed: u64, salt: u64) {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let leaves = move |plan: &TrialPlan| {
            let mut hash = DefaultHasher::new();
            (signals(plan).len(), signals(plan).first(), salt).hash(&mut hash);
            hash.finish().is_multiple_of(3)
        };
        let run = run(&agent(leaves), seed, 60);
        let drawn: Vec<TrialPlan> =
            run.trials.iter().map(|trial| trial.token.parse::<Token>().expect("a token").0).collect();
        if drawn.iter().any(leaves) {
            let least = smallest(&run);
            prop_assert!(leaves(&least));
            let space = Space {
                places: Vec::new(),
                sends: Vec::new(),
                stalls: Vec::new(),
                after: Vec::new(),
                scale: Duration::ZERO,
                traced: false,
                base: least.clone(),
            };
            let smaller = drawn.iter().find(|plan| leaves(plan) && size(&space, plan) < size(&space, &least));
            prop_assert!(smaller.is_none(), "{:?} is smaller than {:?}", smaller, least);
        } else {
            prop_assert!(run.findings.is_empty());
        }
    }
}
