use super::super::random::Chances;
use super::super::space::Place;
use super::*;
use crate::model::{Stdin, Token};
use std::collections::BTreeMap;

fn point(text: &str) -> PointSpec {
    text.parse().expect("a point")
}

fn space(traced: bool) -> Space {
    let place = |at: &str, weight| Place { at: vec![point(at)], weight, window: None };
    Space {
        places: vec![place("start", 1), place("syscall:mkdir@exit", 8), place("syscall:close@exit#7", 1)],
        sends: ["TERM", "INT", "parent-death"].map(|send| send.parse().expect("an injection")).to_vec(),
        stalls: Vec::new(),
        after: Vec::new(),
        scale: Duration::from_millis(16),
        traced,
        base: TrialPlan {
            acts: Vec::new(),
            grace: Duration::from_secs(2),
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: crate::model::Noise::NONE,
        },
    }
}

fn row(strategy: &BoxedStrategy<TrialPlan>, count: u64) -> Vec<TrialPlan> {
    (0..count).map(|number| Chances::of(1, number).draw(strategy).expect("a plan")).collect()
}

#[test]
fn fresh_plans_lean_to_what_weighs_more() {
    let mut first: BTreeMap<String, u32> = BTreeMap::new();
    for plan in row(&fresh(&space(true)), 400) {
        *first.entry(plan.acts[0].at[0].to_string().split(':').take(2).collect::<Vec<_>>().join(":")).or_default() += 1;
    }
    assert!(first["syscall:mkdir@exit"] > 200, "{first:?}");
    assert!(first["start"] > 5 && first["syscall:close@exit#7"] > 5, "{first:?}");
    let timed = row(&fresh(&space(false)), 400).iter().filter(|plan| plan.point_text().starts_with("time:")).count();
    assert!(timed > 200, "who cannot be held is met by time: {timed}");
}

#[test]
fn a_service_stalls_only_before_the_agent_is_terminated() {
    let with = Space { stalls: vec![Step::Stall("db".to_owned())], ..space(true) };
    let plans = row(&fresh(&with), 400);
    let stalls = plans.iter().filter(|plan| plan.injection_text().contains("stall:db,")).count();
    assert!((10..200).contains(&stalls), "{stalls}");
    assert!(plans.iter().all(TrialPlan::terminates));
    let none = row(&fresh(&space(true)), 400);
    assert!(!none.iter().any(|plan| plan.injection_text().contains("stall")));
    let Token(alone) = "q1/at=start/send=stall:db/grace=2s".parse().expect("a token");
    assert!(!alone.terminates());
}

#[test]
fn a_change_is_a_step_and_goes_on_in_the_cleanup() {
    let space = space(true);
    let Token(from) = "q1/at=syscall:mkdir@exit/send=TERM/grace=2s".parse().expect("a token");
    let after = [point("+syscall:unlink@enter"), point("+syscall:rmdir@enter")];
    let plans = row(&changed(&space, &from, &after), 300);
    let count = |holds: &dyn Fn(&TrialPlan) -> bool| plans.iter().filter(|plan| holds(plan)).count();
    let second = count(&|plan| plan.acts.len() == 2 && plan.acts[1].at.iter().any(|at| after.contains(at)));
    assert!(second > 60, "{second}");
    assert!(count(&|plan| plan.injection_text().contains("fault:")) > 3);
    assert!(count(&|plan| plan.injection_text().contains("delay:")) > 3);
    assert!(count(&|plan| plan.acts.len() == 1 && plan.acts[0].at != from.acts[0].at) > 20);
    assert!(plans.iter().all(|plan| plan.acts.len() <= MOST_ACTS && plan.grace == from.grace));
}

#[test]
fn times_are_short_to_read_and_of_every_magnitude() {
    let mut chances: Vec<Duration> = Vec::new();
    for number in 0..300 {
        chances.extend(Chances::of(5, number).draw(&spans(Duration::from_secs(1))));
    }
    assert!(chances.iter().all(|span| (20..=1_000_000).contains(&span.as_micros())));
    let digits = |span: &Duration| span.as_micros().to_string().trim_end_matches('0').len() <= 2;
    assert!(chances.iter().all(digits));
    let below = |limit| chances.iter().filter(|span| span.as_micros() < limit).count();
    assert!(below(200) > 30 && below(20_000) > 120 && below(20_000) < 280);
}
