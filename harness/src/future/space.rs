//! What trials of a future at random are made of, from what an undisturbed run has shown. Pure.

use super::once::Seen;
use super::plan::{By, Cancel, MOST_POLLS, Moment, Order, Plan, Point, Polls};
use crate::fuzz::Choices;
use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::sample::select;
use proptest::strategy::Union;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Among so many suspensions of a cleanup the second cancel is drawn where none is known.
const CLEANUP: u32 = 4;
/// A moment is put elsewhere by so many suspensions at most.
const NEAR: u32 = 3;

/// What there is to choose from for one future.
#[derive(Debug, Clone)]
pub(super) struct FutureSpace {
    /// Ways to cancel it.
    how: Vec<By>,
    /// How often it is suspended, and of it how often before it asks for its token, if it does.
    awaits: u32,
    token_asked: Option<u32>,
    /// How often each of its tasks is suspended.
    tasks: Vec<u32>,
    /// How many turns its runtime takes, if tasks of which nothing else is known are started.
    turns: u32,
    /// How long it takes, by tokio's clock.
    span: Duration,
    /// How many polls it takes, with those of its tasks.
    polls: u32,
}

impl FutureSpace {
    /// What an undisturbed run has shown.
    pub(super) fn of(control: &Seen, how: &[By], turns: u32) -> Self {
        Self {
            how: how.to_vec(),
            awaits: control.awaits,
            token_asked: control.token_asked,
            tasks: control.tasks.iter().map(|task| task.awaits).collect(),
            turns,
            span: control.polls.last().copied().unwrap_or_default(),
            polls: u32::try_from(control.polled.len()).unwrap_or(u32::MAX).max(1),
        }
    }

    /// Whether there is anything to draw from.
    pub(super) fn is_empty(&self) -> bool {
        self.cancels().is_empty()
    }

    /// Where it can be cancelled, and how; each with its weight.
    fn cancels(&self) -> Vec<(u32, BoxedStrategy<Cancel>)> {
        let mut all = Vec::new();
        let mut add = |weight, task, moments: BoxedStrategy<Moment>, by| {
            all.push((weight, moments.prop_map(move |moment| Cancel { at: Point { task, moment }, by }).boxed()));
        };
        for by in &self.how {
            let first = if *by == By::Token { self.token_asked.map(|asked| asked + 1) } else { Some(1) };
            let Some(first) = first else { continue };
            match by {
                By::Timeout if self.span >= Duration::from_millis(1) => add(3, 0, times(self.span), *by),
                By::Timeout => {}
                By::Drop | By::Abort | By::Token if first <= self.awaits => {
                    // After the others nothing runs any more of which the order could matter.
                    let weight = if *by == By::Token { 20 } else { 4 };
                    add(weight, 0, suspensions(first..=self.awaits), *by);
                }
                By::Drop | By::Abort | By::Token => {}
            }
            if matches!(by, By::Drop | By::Abort) {
                for (task, awaits) in (1..).zip(&self.tasks).filter(|(_, awaits)| **awaits > 0) {
                    add(1, task, (1..=*awaits).prop_map(Moment::Await).boxed(), *by);
                }
            }
            if *by == By::Drop && self.turns > 0 {
                add(4, 0, (1..=self.turns).prop_map(Moment::Turn).boxed(), *by);
            }
        }
        all
    }

    /// Some polls are late, a few are followed by another, and at times none is either.
    fn orders(&self) -> BoxedStrategy<Order> {
        let polls = |few: RangeInclusive<usize>| vec(self.numbers(), few).prop_map(Polls::of).boxed();
        let late = Union::new_weighted(vec![(1, polls(0..=0)), (3, polls(1..=MOST_POLLS))]);
        let early = Union::new_weighted(vec![(3, polls(0..=0)), (1, polls(1..=2))]);
        (late, early).prop_map(|(late, early)| Order { late, early }).boxed()
    }

    /// Numbers of polls, also of those that come because others were put off.
    fn numbers(&self) -> BoxedStrategy<u32> {
        (1..=self.polls.saturating_add(MOST_POLLS as u32)).boxed()
    }
}

/// Right after a suspension, or right before the next poll.
fn suspensions(nths: RangeInclusive<u32>) -> BoxedStrategy<Moment> {
    (nths, any::<bool>()).prop_map(|(nth, woken)| if woken { Moment::Wake(nth) } else { Moment::Await(nth) }).boxed()
}

/// Timers count whole milliseconds.
fn times(span: Duration) -> BoxedStrategy<Moment> {
    let most = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    (1..=most).prop_map(|ms| Moment::Time(Duration::from_millis(ms))).boxed()
}

/// The second cancel, in a cleanup that may be so long.
fn second(by: Option<By>, longest: u32) -> BoxedStrategy<Option<u32>> {
    match by {
        Some(By::Token) => {
            let some = (1..=longest.max(1)).prop_map(Some).boxed();
            Union::new_weighted(vec![(1, Just(None).boxed()), (1, some)]).boxed()
        }
        _ => Just(None).boxed(),
    }
}

fn moved(moment: Moment) -> BoxedStrategy<Moment> {
    let near = |nth: u32| nth.saturating_sub(NEAR).max(1)..=nth.saturating_add(NEAR);
    match moment {
        Moment::Await(nth) | Moment::Wake(nth) => suspensions(near(nth)),
        Moment::Turn(nth) => near(nth).prop_map(Moment::Turn).boxed(),
        Moment::Time(span) => times(span * 2),
    }
}

impl Choices for FutureSpace {
    type Plan = Plan;
    /// How often it was suspended after its token was cancelled.
    type Moment = u32;

    fn nothing(&self) -> Plan {
        Plan::default()
    }

    fn terminates(&self, plan: &Plan) -> bool {
        plan.first.is_some()
    }

    fn fresh(&self) -> BoxedStrategy<Plan> {
        let cancels = self.cancels();
        if cancels.is_empty() {
            return Just(Plan::default()).boxed();
        }
        (Union::new_weighted(cancels), self.orders())
            .prop_flat_map(|(first, order)| {
                second(Some(first.by), CLEANUP).prop_map(move |second| Plan { first: Some(first), second, order })
            })
            .boxed()
    }

    fn changed(&self, from: &Plan, after: &[u32]) -> BoxedStrategy<Plan> {
        let from = *from;
        let Some(first) = from.first else { return self.fresh() };
        let mut steps: Vec<(u32, BoxedStrategy<Plan>)> = Vec::new();
        // A suspension of a task is known by its number only.
        let near = moved(first.at.moment).prop_map(move |moment| match moment {
            Moment::Wake(nth) if first.at.task > 0 => Moment::Await(nth),
            moment => moment,
        });
        let moved = near.prop_map(move |moment| {
            let at = Point { moment, ..first.at };
            Plan { first: Some(Cancel { at, ..first }), ..from }
        });
        steps.push((3, moved.boxed()));
        steps.push((2, self.orders().prop_map(move |order| Plan { order, ..from }).boxed()));
        let one_more = (self.numbers(), any::<bool>()).prop_map(move |(number, late)| {
            let with = |polls: Polls| Polls::of(polls.numbers().chain([number]));
            let Order { late: lates, early } = from.order;
            let order =
                if late { Order { late: with(lates), early } } else { Order { late: lates, early: with(early) } };
            Plan { order, ..from }
        });
        steps.push((4, one_more.boxed()));
        let late: Vec<u32> = from.order.late.numbers().collect();
        if !late.is_empty() {
            let other = (select(late), self.numbers()).prop_map(move |(one, other)| {
                let late = Polls::of(from.order.late.numbers().filter(|number| *number != one).chain([other]));
                Plan { order: Order { late, ..from.order }, ..from }
            });
            steps.push((2, other.boxed()));
        }
        if first.by == By::Token {
            let longest = after.iter().max().copied().unwrap_or(CLEANUP);
            let again = second(Some(first.by), longest).prop_map(move |second| Plan { second, ..from });
            steps.push((4, again.boxed()));
        }
        let cancels = self.cancels();
        if !cancels.is_empty() {
            let elsewhere = Union::new_weighted(cancels).prop_map(move |first| Plan {
                first: Some(first),
                second: from.second.filter(|_| first.by == By::Token),
                ..from
            });
            steps.push((1, elsewhere.boxed()));
        }
        Union::new_weighted(steps).boxed()
    }

    fn meet(&mut self, _: &[u32]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{Fuzzer, Learned};
    use std::collections::{BTreeSet, HashSet};

    fn space() -> FutureSpace {
        FutureSpace {
            how: By::ALL.to_vec(),
            awaits: 6,
            token_asked: Some(1),
            tasks: vec![0, 3],
            turns: 5,
            span: Duration::from_millis(40),
            polls: 12,
        }
    }

    fn row(seed: u64, guided: bool) -> Vec<Plan> {
        let mut fuzzer = Fuzzer::new(space(), seed, guided);
        let mut next = || {
            let plan = fuzzer.next_plan();
            let shows = BTreeSet::from([plan.place_text().split(':').next().unwrap_or_default().to_owned()]);
            fuzzer.learn(&plan, Learned { shows, after: vec![9] });
            plan
        };
        (0..300).map(|_| next()).collect()
    }

    #[test]
    fn a_seed_is_a_row_of_plans_of_all_kinds() {
        assert_eq!(row(1, true), row(1, true));
        assert_ne!(row(1, true), row(2, true));
        let (guided, uniform) = (row(1, true), row(1, false));
        assert_ne!(guided, uniform);
        for plans in [&guided, &uniform] {
            let count = |holds: &dyn Fn(&Plan) -> bool| plans.iter().filter(|plan| holds(plan)).count();
            let by = |by| count(&|plan| plan.first.is_some_and(|cancel| cancel.by == by));
            assert!(By::ALL.into_iter().all(|way| by(way) > 5), "{plans:?}");
            assert!(count(&|plan| plan.second.is_some()) > 20);
            assert!(count(&|plan| plan.order.is_usual()) > 20 && count(&|plan| plan.order.changes() > 1) > 60);
            assert!(count(&|plan| plan.first.is_some_and(|cancel| cancel.at.task == 2)) > 3);
            assert!(count(&|plan| plan.is_of_turns()) > 3);
            assert!(plans.iter().collect::<HashSet<_>>().len() > 280, "few come twice");
        }
        let deep = guided.iter().filter(|plan| plan.second.is_some_and(|nth| nth > CLEANUP)).count();
        assert!(deep > 0, "how long cleanups are is learned");
    }

    #[test]
    fn every_plan_is_a_token() {
        for plan in row(3, true) {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
    }

    #[test]
    fn who_never_asks_for_its_token_is_not_cancelled_by_it() {
        let space = FutureSpace { token_asked: None, how: vec![By::Token], ..space() };
        assert!(space.is_empty());
        let space = FutureSpace { awaits: 0, tasks: Vec::new(), turns: 0, span: Duration::ZERO, ..self::space() };
        assert!(space.is_empty());
    }
}
