//! Which trials a sweep of a future makes, from what an undisturbed run has shown. Pure.

use super::once::Seen;
use super::plan::{By, Moment, Plan};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// One trial for each suspension and each way to cancel, in an order that `seed` decides:
/// should the budget end before them, those that were made are from everywhere. `turns`, of
/// the runtime, if the agent starts tasks of which no suspensions are known.
pub(super) fn plans(control: &Seen, how: &[By], turns: u32, seed: u64) -> Vec<Plan> {
    let mut plans: Vec<Plan> = how.iter().flat_map(|by| of(control, *by, turns)).collect();
    plans.sort_by_cached_key(|plan| {
        let mut hasher = DefaultHasher::new();
        (seed, plan).hash(&mut hasher);
        hasher.finish()
    });
    plans
}

fn of(control: &Seen, by: By, turns: u32) -> Vec<Plan> {
    let mut plans = Vec::new();
    match by {
        By::Timeout => {
            plans.extend(deadlines(&control.polls).into_iter().map(|at| Plan::once(0, Moment::Time(at), by)))
        }
        // Before it has asked for its token nobody listens.
        By::Token if control.token_asked.is_none() => {}
        By::Token | By::Abort | By::Drop => {
            let first = if by == By::Token { control.token_asked.unwrap_or(0) + 1 } else { 1 };
            for nth in first..=control.awaits {
                plans.push(Plan::once(0, Moment::Await(nth), by));
                if by != By::Token {
                    plans.push(Plan::once(0, Moment::Wake(nth), by));
                }
            }
        }
    }
    if by == By::Drop && turns > 0 {
        // The suspensions of all tasks are among them.
        plans.extend((1..=turns).map(|nth| Plan::once(0, Moment::Turn(nth), by)));
    } else if matches!(by, By::Abort | By::Drop) {
        for (task, number) in control.tasks.iter().zip(1..) {
            plans.extend((1..=task.awaits).map(|nth| Plan::once(number, Moment::Await(nth), by)));
        }
    }
    plans
}

/// Between two polls of the agent, of which something waits by the clock, one deadline.
fn deadlines(polls: &[Duration]) -> Vec<Duration> {
    let ends = polls.iter().skip(1);
    let between = |(one, other): (&Duration, &Duration)| {
        let gap = other.checked_sub(*one).filter(|gap| *gap >= Duration::from_millis(2))?;
        let middle = *one + gap / 2;
        // Timers count whole milliseconds.
        Some(Duration::from_millis(u64::try_from(middle.as_millis()).unwrap_or(u64::MAX)))
    };
    polls.iter().zip(ends).filter_map(between).collect()
}

/// Most cleanups in which the second cancel is tried.
const MOST_CLEANUPS: usize = 32;

/// For runs whose token was cancelled, and how often each was suspended after that: a
/// second cancel at each suspension of the cleanup, for one of each length.
pub(super) fn second(cleanups: &[(Plan, u32)]) -> Vec<Plan> {
    let mut lengths: Vec<u32> = Vec::new();
    let mut plans = Vec::new();
    for (plan, length) in cleanups {
        if *length > 0 && !lengths.contains(length) && lengths.len() < MOST_CLEANUPS {
            lengths.push(*length);
            plans.extend((1..=*length).map(|nth| Plan { second: Some(nth), ..*plan }));
        }
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_stands_between_two_polls() {
        let polls = [0, 0, 1, 100, 100, 105].map(Duration::from_millis);
        assert_eq!(deadlines(&polls), [50, 102].map(Duration::from_millis));
        assert_eq!(deadlines(&[]), []);
    }

    #[test]
    fn one_cleanup_of_each_length_is_cancelled_again() {
        let at = |nth| Plan::once(0, Moment::Await(nth), By::Token);
        let plans = second(&[(at(1), 0), (at(2), 2), (at(3), 2), (at(4), 1)]);
        let texts: Vec<String> = plans.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "q1/at=await:2/send=token/at=+await:1/send=drop",
                "q1/at=await:2/send=token/at=+await:2/send=drop",
                "q1/at=await:4/send=token/at=+await:1/send=drop",
            ]
        );
    }
}
