//! Strategies for proptest: injections, points and whole plans, for programs and for
//! futures. They shrink to what a person would write: one TERM at the start.
//!
//! ```
//! use proptest::prelude::*;
//!
//! proptest!(|(plan in quietus::strategy::cancels(3))| {
//!     let agent = quietus::Agent::future(|_: quietus::Trial| async {
//!         for _ in 0..4 {
//!             tokio::task::yield_now().await;
//!         }
//!     });
//!     agent.only(plan).sweep().assert_clean();
//! });
//! ```

use crate::future::{self, By, Cancel, Moment, Plan};
use crate::model::{Act, Injection, Point, PointSpec, Stdin, TrialPlan};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use std::time::Duration;

/// What ends programs, the usual first.
const SIGNALS: [&str; 6] = ["TERM", "INT", "HUP", "QUIT", "USR1", "KILL"];
/// Whom it goes to.
const TARGETS: [&str; 3] = ["", "@group", "@all"];
/// The longest sequence.
const MOST_STEPS: usize = 3;
/// The longest wait in a sequence.
const LONGEST_WAIT_MS: u64 = 500;

fn signal() -> impl Strategy<Value = String> {
    (select(&SIGNALS[..]), select(&TARGETS[..])).prop_map(|(signal, target)| format!("{signal}{target}"))
}

fn read(text: &str) -> Injection {
    text.parse().expect("it is made of what is known")
}

/// One signal, to the agent, its group or all of its processes.
pub fn signals() -> impl Strategy<Value = Injection> {
    signal().prop_map(|text| read(&text))
}

/// Up to three signals, with waits between them.
pub fn injections() -> impl Strategy<Value = Injection> {
    let later = (0..=LONGEST_WAIT_MS, signal());
    (signal(), vec(later, 0..MOST_STEPS)).prop_map(|(first, later)| {
        let later = later.into_iter().map(|(wait, signal)| format!(",{wait}ms,{signal}"));
        read(&later.fold(first, |text, step| text + &step))
    })
}

/// Any moment of a program that needs nothing to be known of it: its start, a time up to
/// `within`, when it is at rest.
pub fn points(within: Duration) -> impl Strategy<Value = PointSpec> {
    let most = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
    let point = prop_oneof![
        Just(Point::Start),
        (1..=most).prop_map(|ms| Point::Time(Duration::from_millis(ms))),
        Just(Point::Idle),
    ];
    point.prop_map(|point| PointSpec { relative: false, point })
}

/// Whole trials of a program that runs about so long: an injection at a point, and at times
/// another one while it ends.
pub fn plans(within: Duration) -> impl Strategy<Value = TrialPlan> {
    let second = (1..=LONGEST_WAIT_MS, signals()).prop_map(|(wait, send)| {
        let point = Point::Time(Duration::from_millis(wait));
        Act { at: vec![PointSpec { relative: true, point }], send }
    });
    (points(within), injections(), option::of(second)).prop_map(|(point, send, second)| TrialPlan {
        acts: std::iter::once(Act { at: vec![point], send }).chain(second).collect(),
        grace: crate::explore::DEFAULT_GRACE,
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    })
}

/// Cancels of a future that is suspended so often: by drop or abort, right after a suspension
/// or right before the next poll.
///
/// # Panics
/// When `awaits` is 0: such a future cannot be cancelled.
pub fn cancels(awaits: u32) -> impl Strategy<Value = Plan> {
    assert!(awaits > 0, "a future that is never suspended cannot be cancelled");
    (select(&[By::Drop, By::Abort][..]), 1..=awaits, any::<bool>()).prop_map(|(by, nth, woken)| {
        let moment = if woken { Moment::Wake(nth) } else { Moment::Await(nth) };
        Plan { first: Some(Cancel { at: future::Point { task: 0, moment }, by }), ..Plan::default() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Signal, Token};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use proptest::test_runner::{TestError, TestRunner};

    /// The least that fails.
    fn least<V: std::fmt::Debug>(strategy: &impl Strategy<Value = V>, fails: impl Fn(&V) -> bool) -> V {
        let judge = |value| {
            if fails(&value) { Err(proptest::test_runner::TestCaseError::fail("it fails")) } else { Ok(()) }
        };
        match TestRunner::deterministic().run(strategy, judge) {
            Err(TestError::Fail(_, value)) => value,
            other => panic!("nothing fails: {other:?}"),
        }
    }

    #[test]
    fn they_shrink_to_what_a_person_would_write() {
        assert_eq!(least(&injections(), |_| true).to_string(), "TERM");
        let int = |injection: &Injection| injection.signals().any(|signal| signal == Signal::INT);
        let shrunk = least(&injections(), int);
        assert!(shrunk.signals().count() <= 2, "{shrunk}");
        let plan = least(&plans(Duration::from_secs(1)), |_| true);
        assert_eq!(Token(plan).to_string(), "q1/at=start/send=TERM/grace=5s");
        assert_eq!(least(&cancels(9), |_| true).to_string(), "q1/at=await:1/send=drop");
        let late =
            |plan: &Plan| matches!(plan.first.map(|cancel| cancel.at.moment), Some(Moment::Wake(nth)) if nth > 4);
        assert_eq!(least(&cancels(9), late).to_string(), "q1/at=wake:5/send=drop");
    }

    proptest! {
        #[test]
        fn what_is_made_prints_and_reads_back(plan in plans(Duration::from_secs(2)), cancel in cancels(5)) {
            let token = Token(plan);
            prop_assert_eq!(token.to_string().parse::<Token>().expect("a token"), token);
            prop_assert_eq!(cancel.to_string().parse::<Plan>().expect("a token"), cancel);
        }

        #[test]
        fn no_sequence_is_longer_than_said(injection in injections()) {
            prop_assert!(injection.signals().count() <= MOST_STEPS);
        }
    }
}
