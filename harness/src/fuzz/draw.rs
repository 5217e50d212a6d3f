//! Strategies of plans: fresh ones, and ones that are a step away from one that showed
//! something new. They lean to what matters: the edges of windows, the cleanup.

use super::space::Space;
use crate::model::{Act, Fault, Injection, Noise, Point, PointSpec, Side, Signal, Step, Target, TrialPlan};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::Union;
use std::time::Duration;

/// The most acts of a plan.
pub const MOST_ACTS: usize = 4;

/// The shortest time that is worth waiting for, in microseconds: what a system call takes.
const SHORTEST_US: u64 = 20;
/// The longest time between two acts, in microseconds.
const LONGEST_US: u64 = 200_000;

/// A time of any order of magnitude, to two digits, so that it is read with ease.
fn spans(longest: Duration) -> impl Strategy<Value = Duration> + Clone {
    let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(SHORTEST_US * 2);
    let magnitudes = (SHORTEST_US as f64).ln()..(longest as f64).ln();
    magnitudes.prop_map(|magnitude| {
        let micros = magnitude.exp() as u64;
        let digit = 10u64.pow(micros.max(1).ilog10().saturating_sub(1));
        Duration::from_micros(micros / digit * digit)
    })
}

fn between() -> impl Strategy<Value = Duration> + Clone {
    spans(Duration::from_micros(LONGEST_US))
}

fn relative(point: Point) -> PointSpec {
    PointSpec { relative: true, point }
}

/// The place of a first act: weighted, or any time.
fn places(space: &Space) -> BoxedStrategy<Vec<PointSpec>> {
    let listed = space.places.iter().map(|place| (place.weight.max(1), Just(place.at.clone()))).collect::<Vec<_>>();
    let listed = Union::new_weighted(listed);
    let times = spans(space.scale).prop_map(|span| vec![PointSpec { relative: false, point: Point::Time(span) }]);
    if space.traced {
        prop_oneof![7 => listed, 1 => times].boxed()
    } else {
        prop_oneof![1 => listed, 3 => times].boxed()
    }
}

/// One way to terminate it: the first of them most often, at times a stop before, or a
/// service that does not answer any more.
fn ends(space: &Space) -> BoxedStrategy<Injection> {
    let alone = ends_alone(space);
    if space.stalls.is_empty() {
        return alone;
    }
    (alone, option::weighted(0.1, (select(space.stalls.clone()), between())))
        .prop_map(|(send, stalled)| {
            let Some((stall, wait)) = stalled else { return send };
            let steps = [stall, Step::Wait(wait)].into_iter().chain(send.steps().iter().cloned());
            Injection::new(steps.collect()).unwrap_or(send)
        })
        .boxed()
}

fn ends_alone(space: &Space) -> BoxedStrategy<Injection> {
    let sends = space.sends.iter().enumerate();
    let weighted = sends.map(|(index, send)| (if index < 2 { 4 } else { 1 }, Just(send.clone()))).collect::<Vec<_>>();
    // Only the agent itself: it cannot end while it is stopped, and others would stay so if
    // it had ended by then.
    let to_agent = |signal| Step::Signal(signal, Target::Leader);
    (Union::new_weighted(weighted), option::weighted(0.06, between()))
        .prop_map(move |(send, stopped)| {
            let Some(wait) = stopped else { return send };
            let stop = [to_agent(Signal::STOP), Step::Wait(wait), to_agent(Signal::CONT)];
            let steps = stop.into_iter().chain(send.steps().iter().cloned());
            Injection::new(steps.collect()).unwrap_or(send)
        })
        .boxed()
}

/// What happens once it was terminated: more of that, at a known moment of its cleanup or
/// soon.
fn later(space: &Space, after: &[PointSpec]) -> BoxedStrategy<Act> {
    let soon = (between(), ends(space)).prop_map(|(span, send)| Act { at: vec![relative(Point::Time(span))], send });
    if after.is_empty() {
        return soon.boxed();
    }
    let moments = (select(after.to_vec()), ends(space)).prop_map(|(at, send)| Act { at: vec![at], send });
    let faults = select(after.to_vec()).prop_map(|at| fault_at(&at).map(|send| Act { at: vec![at], send }));
    let faults = faults.prop_filter_map("a call that cannot be made to fail", |act| act);
    let delays = (select(after.to_vec()), between()).prop_map(|(at, span)| Act { at: vec![at], send: delay(span) });
    let fails = after.iter().any(|at| fault_at(at).is_some());
    if fails {
        prop_oneof![6 => moments, 2 => soon, 1 => faults, 1 => delays].boxed()
    } else {
        prop_oneof![6 => moments, 2 => soon, 1 => delays].boxed()
    }
}

fn delay(span: Duration) -> Injection {
    Injection::new(vec![Step::Delay(span)]).unwrap_or_else(|_| Injection::usual())
}

/// What a call of a cleanup fails with: what storage that breaks or is full does.
fn fault_at(at: &PointSpec) -> Option<Injection> {
    let Point::Syscall(point) = &at.point else { return None };
    let error = match point.name.as_str() {
        "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2" => "EIO",
        "write" | "writev" | "pwrite64" | "ftruncate" | "mkdir" | "mkdirat" => "ENOSPC",
        _ => return None,
    };
    let fault = Fault::of(&point.name, error).filter(|_| point.side == Side::Enter)?;
    Some(Injection::fault(fault))
}

/// Whoever comes to a place before that of the plan's first act is late.
fn delayed(space: &Space, plan: TrialPlan) -> BoxedStrategy<TrialPlan> {
    let Some(first) = plan.acts.first() else { return Just(plan).boxed() };
    let until = space.position(&first.at).unwrap_or(space.places.len());
    let earlier = space.places.iter().take(until).map(|place| place.at.clone());
    let is_call = |at: &Vec<PointSpec>| at.iter().all(|spec| matches!(spec.point, Point::Syscall(_)));
    let held: Vec<Vec<PointSpec>> = earlier.filter(is_call).collect();
    if held.is_empty() || plan.acts.len() >= MOST_ACTS {
        return Just(plan).boxed();
    }
    (select(held), between())
        .prop_map(move |(at, span)| {
            let mut plan = plan.clone();
            plan.acts.insert(0, Act { at, send: delay(span) });
            plan
        })
        .boxed()
}

/// None most often: an agent that is disturbed shows less of what it does by itself.
fn noises() -> impl Strategy<Value = Noise> {
    let some = (any::<bool>(), prop_oneof![2 => Just(0u8), 1 => Just(10u8), 1 => Just(Noise::MOST_NICE)], 0u8..3);
    let some = some.prop_map(|(one_cpu, nice, neighbours)| Noise { one_cpu, nice, neighbours });
    prop_oneof![9 => Just(Noise::NONE), 1 => some]
}

/// A plan that owes nothing to others.
pub fn fresh(space: &Space) -> BoxedStrategy<TrialPlan> {
    let base = space.base.clone();
    let acts = (places(space), ends(space), vec(later(space, &[]), 0..MOST_ACTS - 1), 0..10u32, noises());
    let plans = acts.prop_map(move |(at, send, later, few, noise)| {
        // Half of the plans terminate once.
        let more = later.into_iter().take(if few < 5 { 0 } else { MOST_ACTS });
        let acts = std::iter::once(Act { at, send }).chain(more).collect();
        TrialPlan { acts, noise, ..base.clone() }
    });
    plans.boxed()
}

/// A plan that is one step away from another. `after` are moments that the other came to
/// once it was terminated.
pub fn changed(space: &Space, from: &TrialPlan, after: &[PointSpec]) -> BoxedStrategy<TrialPlan> {
    let mut steps: Vec<(u32, BoxedStrategy<TrialPlan>)> = Vec::new();
    let count = from.acts.len();
    let with = |change: fn(&mut TrialPlan, Act)| {
        let from = from.clone();
        later(space, after).prop_map(move |act| {
            let mut plan = from.clone();
            change(&mut plan, act);
            plan
        })
    };
    if count < MOST_ACTS {
        steps.push((6, with(|plan, act| plan.acts.push(act)).boxed()));
    }
    if count > 1 {
        let other = with(|plan, act| {
            plan.acts.pop();
            plan.acts.push(act);
        });
        steps.push((3, other.boxed()));
        let shorter = TrialPlan { acts: from.acts.iter().take(count - 1).cloned().collect(), ..from.clone() };
        steps.push((1, Just(shorter).boxed()));
    }
    steps.push((3, moved(space, from)));
    let other_send = {
        let from = from.clone();
        (0..count.max(1), ends(space)).prop_map(move |(index, send)| {
            let mut plan = from.clone();
            if let Some(act) = plan.acts.get_mut(index).filter(|act| act.send.steps().iter().any(|step| step.acts())) {
                act.send = send;
            }
            plan
        })
    };
    steps.push((2, other_send.boxed()));
    steps.push((1, stretched(from)));
    let from_here = from.clone();
    steps.push((1, noises().prop_map(move |noise| TrialPlan { noise, ..from_here.clone() }).boxed()));
    if space.traced {
        steps.push((1, delayed(space, from.clone())));
    }
    Union::new_weighted(steps).boxed()
}

/// The first act somewhere near.
fn moved(space: &Space, from: &TrialPlan) -> BoxedStrategy<TrialPlan> {
    let near = from.acts.first().and_then(|act| space.position(&act.at));
    let from = from.clone();
    let put = move |at: Vec<PointSpec>| {
        let mut plan = from.clone();
        if let Some(act) = plan.acts.first_mut() {
            act.at = at;
        }
        plan
    };
    match near {
        Some(place) => {
            let (low, high) = (place.saturating_sub(4), (place + 5).min(space.places.len()));
            let around: Vec<Vec<PointSpec>> =
                space.places.get(low..high).unwrap_or_default().iter().map(|place| place.at.clone()).collect();
            select(around).prop_map(put).boxed()
        }
        None => places(space).prop_map(put).boxed(),
    }
}

/// Every time of it shorter or longer.
fn stretched(from: &TrialPlan) -> BoxedStrategy<TrialPlan> {
    let from = from.clone();
    select(vec![0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
        .prop_map(move |factor: f64| {
            let stretch = |span: Duration| {
                let micros = (span.as_secs_f64() * factor * 1e6) as u64;
                Duration::from_micros(micros.clamp(SHORTEST_US, 60_000_000))
            };
            let mut plan = from.clone();
            for act in &mut plan.acts {
                for spec in &mut act.at {
                    if let Point::Time(span) = &mut spec.point {
                        *span = stretch(*span);
                    }
                }
                let steps = act.send.steps().iter().map(|step| match step {
                    Step::Wait(span) => Step::Wait(stretch(*span)),
                    Step::Delay(span) => Step::Delay(stretch(*span)),
                    other => other.clone(),
                });
                if let Ok(send) = Injection::new(steps.collect()) {
                    act.send = send;
                }
            }
            plan
        })
        .boxed()
}

#[cfg(test)]
mod tests;
