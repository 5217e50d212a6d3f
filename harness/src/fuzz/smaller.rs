//! What is smaller than a plan: fewer acts, then earlier and simpler points, then shorter
//! times, then plainer signals.

use super::space::Space;
use crate::model::{Act, Injection, Noise, Point, PointSpec, Signal, Step, SyscallPoint, Target, TrialPlan};
use std::cmp::Reverse;
use std::time::Duration;

/// How large a plan is. Compared from the first field to the last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    acts: usize,
    steps: usize,
    noise: u64,
    specs: usize,
    points: u64,
    times: u64,
    signals: u64,
}

/// More candidates for one point are not tried: each costs several trials.
const MOST_PLACES: usize = 48;

/// Points that are not among the places come after them, and times after everything that
/// is an event.
const UNKNOWN: u64 = 1 << 32;
const TIMED: u64 = 1 << 48;

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(TIMED)
}

fn of_act(space: &Space, act: &Act) -> u64 {
    match space.position(&act.at) {
        Some(place) => place as u64,
        None => act.at.iter().map(|spec| of_spec(space, spec)).sum(),
    }
}

/// Moments of the cleanup come after all places.
const CLEANUP: u64 = 1 << 16;

fn of_spec(space: &Space, spec: &PointSpec) -> u64 {
    match space.after.iter().position(|after| after == spec) {
        Some(place) => CLEANUP + place as u64,
        None => of_point(spec),
    }
}

fn of_point(spec: &PointSpec) -> u64 {
    match &spec.point {
        Point::Start => 0,
        Point::Syscall(point) => UNKNOWN + u64::from(point.nth) * 4,
        Point::Output { nth, .. } | Point::Process { nth, .. } | Point::Blocked { nth, .. } => {
            UNKNOWN + u64::from(*nth) * 4 + 1
        }
        Point::Idle => UNKNOWN + 2,
        Point::File { .. } | Point::Port(_) | Point::When(_) => UNKNOWN + 3,
        Point::Time(span) => TIMED + micros(*span),
    }
}

/// Their order is that in which a person would try them.
const PLAIN: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::KILL];

fn of_step(step: &Step) -> u64 {
    let of_signal = |signal: Signal| {
        PLAIN.iter().position(|plain| *plain == signal).map_or_else(
            || PLAIN.len() as u64 + u64::try_from(signal.number()).unwrap_or_default(),
            |place| place as u64,
        )
    };
    match step {
        Step::Signal(signal, target) => of_signal(*signal) * 4 + *target as u64,
        Step::Wait(_) | Step::Delay(_) => 0,
        Step::StdinEof => 400,
        Step::PtyHangup => 401,
        Step::ParentDeath => 402,
        Step::Fault(_) => 500,
        Step::Stall(_) => 600,
    }
}

fn of_noise(noise: Noise) -> u64 {
    u64::from(noise.one_cpu) * 1000 + u64::from(noise.neighbours) * 100 + u64::from(noise.nice)
}

fn steps(plan: &TrialPlan) -> impl Iterator<Item = &Step> + '_ {
    plan.acts.iter().flat_map(|act| act.send.steps())
}

/// How large a plan is, among those of a space.
pub fn size(space: &Space, plan: &TrialPlan) -> Size {
    let span = |step: &Step| match step {
        Step::Wait(span) | Step::Delay(span) => micros(*span),
        _ => 0,
    };
    Size {
        acts: plan.acts.len(),
        steps: steps(plan).count(),
        noise: of_noise(plan.noise),
        specs: plan.acts.iter().map(|act| act.at.len()).sum(),
        points: plan.acts.iter().map(|act| of_act(space, act)).sum(),
        times: steps(plan).map(span).sum(),
        signals: steps(plan).map(of_step).sum(),
    }
}

/// What may be tried in place of a plan, the greatest steps first. Each terminates the agent.
pub fn smaller(space: &Space, plan: &TrialPlan) -> Vec<TrialPlan> {
    let mut found = Vec::new();
    fewer_acts(plan, &mut found);
    fewer_steps(plan, &mut found);
    quieter(plan, &mut found);
    earlier(space, plan, &mut found);
    shorter(plan, &mut found);
    plainer(plan, &mut found);
    found.iter_mut().for_each(ground);
    found.retain(|candidate| candidate.terminates() && candidate.acts.first().is_some_and(|act| !act.at.is_empty()));
    found
}

/// The first point of all must not count from what is not there.
fn ground(plan: &mut TrialPlan) {
    if let Some(first) = plan.acts.first_mut().and_then(|act| act.at.first_mut()) {
        first.relative = false;
    }
}

fn with_act(plan: &TrialPlan, index: usize, change: impl FnOnce(&mut Act)) -> TrialPlan {
    let mut plan = plan.clone();
    if let Some(act) = plan.acts.get_mut(index) {
        change(act);
    }
    plan
}

fn with_steps(plan: &TrialPlan, index: usize, steps: Vec<Step>) -> Option<TrialPlan> {
    let send = Injection::new(steps).ok()?;
    Some(with_act(plan, index, |act| act.send = send))
}

fn fewer_acts(plan: &TrialPlan, found: &mut Vec<TrialPlan>) {
    let only = |acts: Vec<Act>| TrialPlan { acts, ..plan.clone() };
    if plan.acts.len() > 1 {
        found.extend(plan.acts.iter().map(|act| only(vec![act.clone()])));
        let without = |left: usize| {
            let kept = plan.acts.iter().enumerate().filter(|(index, _)| *index != left);
            only(kept.map(|(_, act)| act.clone()).collect())
        };
        found.extend((0..plan.acts.len()).rev().map(without));
    }
    // An act less, where what it does is done with the one before it.
    for index in 1..plan.acts.len() {
        let Some([before, act]) = plan.acts.get(index - 1..=index) else { continue };
        let steps: Vec<Step> = before.send.steps().iter().chain(act.send.steps()).cloned().collect();
        let Ok(send) = Injection::new(steps) else { continue };
        let mut joined = only(plan.acts.clone());
        joined.acts.remove(index);
        found.push(with_act(&joined, index - 1, |act| act.send = send));
    }
}

fn fewer_steps(plan: &TrialPlan, found: &mut Vec<TrialPlan>) {
    for (index, act) in plan.acts.iter().enumerate() {
        let steps = act.send.steps();
        if steps.len() > 1 {
            found.extend(steps.iter().filter_map(|step| with_steps(plan, index, vec![step.clone()])));
            let without = |left: usize| {
                let kept = steps.iter().enumerate().filter(|(place, _)| *place != left);
                with_steps(plan, index, kept.map(|(_, step)| step.clone()).collect())
            };
            found.extend((0..steps.len()).filter_map(without));
        }
        // Of several points that are reached one after the other one less.
        for left in 0..act.at.len() {
            found.push(with_act(plan, index, |act| {
                act.at.remove(left);
            }));
        }
    }
}

fn quieter(plan: &TrialPlan, found: &mut Vec<TrialPlan>) {
    let noise = plan.noise;
    let less = [
        Noise::NONE,
        Noise { one_cpu: false, ..noise },
        Noise { neighbours: 0, ..noise },
        Noise { neighbours: noise.neighbours.saturating_sub(1), ..noise },
        Noise { nice: 0, ..noise },
    ];
    found.extend(less.into_iter().filter(|less| *less != noise).map(|noise| TrialPlan { noise, ..plan.clone() }));
}

fn earlier(space: &Space, plan: &TrialPlan, found: &mut Vec<TrialPlan>) {
    for (index, act) in plan.acts.iter().enumerate() {
        if act.at.first().is_some_and(|spec| !spec.relative) {
            // What is an event is sure to be met again; the edges of windows come first.
            let until = space.position(&act.at).unwrap_or(space.places.len());
            let mut before: Vec<(usize, _)> = space.places.iter().take(until).enumerate().collect();
            before.sort_by_key(|(_, place)| Reverse(place.weight));
            before.truncate(MOST_PLACES);
            before.sort_by_key(|(position, _)| *position);
            found.extend(before.iter().map(|(_, place)| with_act(plan, index, |act| act.at.clone_from(&place.at))));
        }
        if index > 0 {
            // The same as early as can be in the cleanup, and by an event and not by a time.
            found.extend(space.after.iter().map(|at| with_act(plan, index, |act| act.at = vec![at.clone()])));
        }
        for (place, spec) in act.at.iter().enumerate() {
            let put = |point: PointSpec| with_act(plan, index, |act| act.at[place] = point);
            let less =
                |nth: u32| [1, nth / 2, nth.saturating_sub(1)].into_iter().filter(move |less| *less < nth && *less > 0);
            match &spec.point {
                Point::Syscall(point) => found.extend(less(point.nth).map(|nth| {
                    let point = SyscallPoint { nth, ..point.clone() };
                    put(PointSpec { point: Point::Syscall(point), ..spec.clone() })
                })),
                Point::Time(span) => {
                    let spans = [Duration::ZERO, *span / 8, *span / 2, *span * 3 / 4];
                    let whole = spans.map(|span| Duration::from_micros(micros(span)));
                    found.extend(whole.map(|span| put(PointSpec { point: Point::Time(span), ..spec.clone() })));
                }
                _ => {}
            }
        }
    }
}

fn shorter(plan: &TrialPlan, found: &mut Vec<TrialPlan>) {
    for (index, act) in plan.acts.iter().enumerate() {
        for (place, step) in act.send.steps().iter().enumerate() {
            let (Step::Wait(span) | Step::Delay(span)) = step else { continue };
            for less in [Duration::ZERO, *span / 8, *span / 2, *span * 3 / 4] {
                let less = Duration::from_micros(micros(less));
                let mut steps = act.send.steps().to_vec();
                steps[place] = if matches!(step, Step::Wait(_)) { Step::Wait(less) } else { Step::Delay(less) };
                found.extend(with_steps(plan, index, steps));
            }
        }
    }
}

fn plainer(plan: &TrialPlan, found: &mut Vec<TrialPlan>) {
    let plain = Step::Signal(Signal::TERM, Target::Leader);
    // All at once: the second signal may have to be the same as the first.
    for signal in PLAIN.into_iter().take(3) {
        let same = |step: &Step| match step {
            Step::Signal(Signal::STOP | Signal::CONT, _)
            | Step::Wait(_)
            | Step::Delay(_)
            | Step::Fault(_)
            | Step::Stall(_) => step.clone(),
            _ => Step::Signal(signal, Target::Leader),
        };
        let acts = plan.acts.iter().map(|act| {
            let send = Injection::new(act.send.steps().iter().map(same).collect());
            Act { send: send.unwrap_or_else(|_| act.send.clone()), ..act.clone() }
        });
        found.push(TrialPlan { acts: acts.collect(), ..plan.clone() });
    }
    for (index, act) in plan.acts.iter().enumerate() {
        for (place, step) in act.send.steps().iter().enumerate() {
            let mut instead = Vec::new();
            match step {
                Step::Signal(signal, target) => {
                    instead.extend(PLAIN.iter().take(3).map(|plain| Step::Signal(*plain, Target::Leader)));
                    instead.extend(PLAIN.iter().take(3).map(|plain| Step::Signal(*plain, *target)));
                    instead.push(Step::Signal(*signal, Target::Leader));
                    instead.push(Step::Signal(*signal, Target::Group));
                }
                Step::StdinEof | Step::PtyHangup | Step::ParentDeath => instead.push(plain.clone()),
                Step::Wait(_) | Step::Delay(_) | Step::Fault(_) | Step::Stall(_) => {}
            }
            for other in instead {
                let mut steps = act.send.steps().to_vec();
                steps[place] = other;
                found.extend(with_steps(plan, index, steps));
            }
        }
    }
}

#[cfg(test)]
mod tests;
