//! What is smaller than a plan of a future: fewer polls that are changed, no second cancel, a
//! plainer and an earlier one. Pure.

use super::plan::{By, Cancel, Moment, Order, Plan, Point, Polls};

/// How large a plan is. Compared from the first part to the last.
pub(super) type Size = (usize, bool, Option<Cancel>, Option<u32>, Order);

/// More moments that come before are not tried, nor are more suspensions in place of a time.
const MOST_EARLIER: u32 = 32;

/// How large a plan is.
pub(super) fn size(plan: &Plan) -> Size {
    (plan.order.changes(), plan.second.is_some(), plan.first, plan.second, plan.order)
}

/// What may be tried in place of a plan, the greatest steps first. Each cancels, in one of the
/// ways that are asked for.
pub(super) fn smaller(plan: &Plan, how: &[By]) -> Vec<Plan> {
    let mut found = Vec::new();
    if !plan.order.is_usual() {
        found.push(Plan { order: Order::default(), ..*plan });
        found.extend(orders(plan.order).into_iter().map(|order| Plan { order, ..*plan }));
    }
    if plan.second.is_some() {
        found.push(Plan { second: None, ..*plan });
    }
    if let Some(first) = plan.first {
        found.extend(plainer(first, how).map(|first| with_first(plan, first)));
        found.extend(earlier(first).map(|first| with_first(plan, first)));
    }
    let second = plan.second.into_iter().flat_map(|nth| (1..nth).take(MOST_EARLIER as usize));
    found.extend(second.map(|nth| Plan { second: Some(nth), ..*plan }));
    found.extend(earlier_polls(plan.order).map(|order| Plan { order, ..*plan }));
    found
}

fn with_first(plan: &Plan, first: Cancel) -> Plan {
    Plan { first: Some(first), second: plan.second.filter(|_| first.by == By::Token), ..*plan }
}

/// One poll less that is changed, or all but one that may be any. A poll that is put off, or
/// that follows another, has a number: without it those that come after have one less.
fn orders(order: Order) -> Vec<Order> {
    let mut found = Vec::new();
    if order.changes() > 1 {
        found.extend((1..=MOST_EARLIER).map(|one| Order { late: Polls::of([one]), early: Polls::default() }));
    }
    let mut without = |one: u32, late: Polls, early: Polls| {
        let less = move |number: u32| if number > one { number - 1 } else { number };
        found.push(Order { late, early });
        found.push(Order { late: Polls::of(late.numbers().map(less)), early: Polls::of(early.numbers().map(less)) });
    };
    let but = |polls: Polls, one: u32| Polls::of(polls.numbers().filter(move |number| *number != one));
    for one in order.late.numbers() {
        without(one, but(order.late, one), order.early);
    }
    for one in order.early.numbers() {
        without(one, order.late, but(order.early, one));
    }
    found
}

/// The same at a suspension of the agent itself, by what is plainest.
fn plainer(first: Cancel, how: &[By]) -> impl Iterator<Item = Cancel> {
    let root = |moment, by| Cancel { at: Point { task: 0, moment }, by };
    let mut found = Vec::new();
    match first.at.moment {
        Moment::Await(nth) | Moment::Wake(nth) => {
            let ways = By::ALL.into_iter().filter(|by| *by < first.by && *by != By::Timeout);
            found.extend(ways.clone().map(|by| root(Moment::Await(nth), by)));
            found.extend(ways.map(|by| Cancel { by, ..first }));
            found.push(Cancel { at: Point { moment: Moment::Await(nth), ..first.at }, ..first });
        }
        Moment::Time(_) | Moment::Turn(_) => {
            found.extend((1..=MOST_EARLIER).map(|nth| root(Moment::Await(nth), By::Drop)));
            found.extend((1..=MOST_EARLIER).map(|nth| root(Moment::Wake(nth), By::Drop)));
        }
    }
    // A task is aborted, or dropped with everything else.
    let fits = |cancel: &Cancel| cancel.at.task == 0 || matches!(cancel.by, By::Drop | By::Abort);
    found.into_iter().filter(move |cancel| fits(cancel) && how.contains(&cancel.by))
}

/// The same at an earlier moment of its kind, the earliest first.
fn earlier(first: Cancel) -> impl Iterator<Item = Cancel> {
    let nths = |nth: u32| (1..nth).take(MOST_EARLIER as usize).chain([nth / 2, nth.saturating_sub(1)]);
    let moments: Vec<Moment> = match first.at.moment {
        Moment::Await(nth) => nths(nth).filter(|nth| *nth > 0).map(Moment::Await).collect(),
        Moment::Wake(nth) => nths(nth).filter(|nth| *nth > 0).map(Moment::Wake).collect(),
        Moment::Turn(nth) => nths(nth).filter(|nth| *nth > 0).map(Moment::Turn).collect(),
        Moment::Time(span) => [span / 8, span / 2, span * 3 / 4]
            .into_iter()
            .map(|span| std::time::Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
            .filter(|span| !span.is_zero())
            .map(Moment::Time)
            .collect(),
    };
    moments.into_iter().map(move |moment| Cancel { at: Point { moment, ..first.at }, ..first })
}

/// The same number of polls, one of them earlier.
fn earlier_polls(order: Order) -> impl Iterator<Item = Order> {
    let with = |polls: Polls, one: u32, less: u32| {
        Polls::of(polls.numbers().map(move |number| if number == one { less } else { number }))
    };
    let less = |one: u32| (1..one).take(MOST_EARLIER as usize).chain([one / 2, one - 1]).filter(|less| *less > 0);
    let late: Vec<Order> = order
        .late
        .numbers()
        .flat_map(|one| less(one).map(move |less| Order { late: with(order.late, one, less), ..order }))
        .collect();
    let early: Vec<Order> = order
        .early
        .numbers()
        .flat_map(|one| less(one).map(move |less| Order { early: with(order.early, one, less), ..order }))
        .collect();
    late.into_iter().chain(early)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{Judgement, shrink};
    use proptest::prelude::*;

    fn least(start: &str, fails: impl Fn(&Plan) -> bool) -> String {
        let start: Plan = start.parse().expect("a token");
        let judge = |plan: &Plan| if fails(plan) { Judgement::Fails } else { Judgement::Passes };
        shrink(start, &size, &|plan| smaller(plan, &By::ALL), &mut |plans| judge(&plans[0])).least.to_string()
    }

    #[test]
    fn only_ways_that_were_asked_for_are_tried() {
        let plan: Plan = LONG.parse().expect("a token");
        let by = |plan: &Plan| plan.first.map(|cancel| cancel.by);
        assert!(smaller(&plan, &[By::Token]).iter().all(|plan| by(plan) == Some(By::Token)));
        assert!(smaller(&plan, &By::ALL).iter().any(|plan| by(plan) == Some(By::Drop)));
    }

    const LONG: &str = "q1/at=wake:9/send=token/at=+await:3/send=drop/late=2,7,11/early=4";

    #[test]
    fn it_comes_down_to_what_a_person_would_write() {
        assert_eq!(least(LONG, |_| true), "q1/at=await:1/send=drop");
        let second = |plan: &Plan| plan.second.is_some();
        assert_eq!(least(LONG, second), "q1/at=await:1/send=token/at=+await:1/send=drop");
        let one_late = |plan: &Plan| plan.order.late.numbers().any(|number| number >= 5);
        assert_eq!(least(LONG, one_late), "q1/at=await:1/send=drop/late=5");
        let late_in_it = |plan: &Plan| plan.first.is_some_and(|cancel| cancel.at.moment >= Moment::Await(6));
        assert_eq!(least(LONG, late_in_it), "q1/at=await:6/send=drop");
        assert_eq!(least("q1/at=turn:7/send=drop", |_| true), "q1/at=await:1/send=drop");
        assert_eq!(least("q1/at=time:70ms/send=timeout/late=1", |_| true), "q1/at=await:1/send=drop");
        let of_task = |plan: &Plan| plan.first.is_some_and(|cancel| cancel.at.task == 2);
        assert_eq!(least("q1/at=[2]await:5/send=abort/early=3", of_task), "q1/at=[2]await:1/send=drop");
    }

    proptest! {
        /// Whatever it is that fails: shrinking ends, what comes of it still fails, it is not
        /// larger, shrinking it again changes nothing, and each candidate is a token.
        #[test]
        fn laws_of_shrinking(nth in 1u32..12, by in 0usize..3, woken: bool, second in prop::option::of(1u32..6),
                             late in prop::collection::vec(1u32..20, 0..4), early in prop::collection::vec(1u32..20, 0..3),
                             salt: u64, often in 1u64..5) {
            use std::hash::{DefaultHasher, Hash, Hasher};
            let by = By::ALL[by];
            let moment = if woken { Moment::Wake(nth) } else { Moment::Await(nth) };
            let order = Order { late: Polls::of(late), early: Polls::of(early) };
            let start = Plan { second: second.filter(|_| by == By::Token), order, ..Plan::once(0, moment, by) };
            let fails = |plan: &Plan| {
                let mut hash = DefaultHasher::new();
                (plan, salt).hash(&mut hash);
                *plan == start || hash.finish().is_multiple_of(often)
            };
            let mut judge = |plans: &[Plan]| {
                assert_eq!(plans[0].to_string().parse(), Ok(plans[0]));
                if fails(&plans[0]) { Judgement::Fails } else { Judgement::Passes }
            };
            let shrunk = shrink(start, &size, &|plan| smaller(plan, &By::ALL), &mut judge);
            prop_assert!(shrunk.whole && fails(&shrunk.least) && size(&shrunk.least) <= size(&start));
            prop_assert_eq!(shrink(shrunk.least, &size, &|plan| smaller(plan, &By::ALL), &mut judge).least, shrunk.least);
        }
    }
}
