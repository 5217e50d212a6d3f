//! What there is to choose from for a program.

use super::draw::{changed, fresh};
use super::fuzzer::Choices;
use crate::model::{Injection, PointSpec, Step, TrialPlan};
use proptest::strategy::BoxedStrategy;
use std::time::Duration;

/// No more moments after a termination are remembered.
const MOST_AFTER: usize = 64;

/// Somewhere an agent can be terminated the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its points, reached one after the other.
    pub at: Vec<PointSpec>,
    /// How much more often than others it is chosen.
    pub weight: u32,
    /// The window that it lies in, where there are windows.
    pub window: Option<usize>,
}

/// What plans are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// The places of its run, in their order. The first is its start.
    pub places: Vec<Place>,
    /// Single ways to terminate it, the plainest first.
    pub sends: Vec<Injection>,
    /// What else may be in its way: services that stop answering.
    pub stalls: Vec<Step>,
    /// Moments that it was seen to come to once it was terminated, in their order.
    pub after: Vec<PointSpec>,
    /// At least as long as it runs: times are drawn up to that.
    pub scale: Duration,
    /// Whether it is traced, so that it can be held at a system call.
    pub traced: bool,
    /// What all plans have in common; it has no acts.
    pub base: TrialPlan,
}

impl Space {
    /// A span up to which times are drawn that is the same in every run of an agent which
    /// takes about as long: the next of 1 ms, 5 ms, 20 ms, 100 ms, 500 ms and so on.
    pub fn scale_of(duration: Duration) -> Duration {
        let mut scale = Duration::from_millis(1);
        for factor in [5, 4, 5].into_iter().cycle() {
            if scale >= duration {
                break;
            }
            scale *= factor;
        }
        scale
    }

    /// Where these points stand among the places.
    pub fn position(&self, at: &[PointSpec]) -> Option<usize> {
        self.places.iter().position(|place| place.at == at)
    }
}

impl Choices for Space {
    type Plan = TrialPlan;
    type Moment = PointSpec;

    fn nothing(&self) -> TrialPlan {
        self.base.clone()
    }

    fn terminates(&self, plan: &TrialPlan) -> bool {
        plan.terminates()
    }

    fn fresh(&self) -> BoxedStrategy<TrialPlan> {
        fresh(self)
    }

    fn changed(&self, from: &TrialPlan, after: &[PointSpec]) -> BoxedStrategy<TrialPlan> {
        changed(self, from, after)
    }

    fn meet(&mut self, after: &[PointSpec]) {
        let room = MOST_AFTER.saturating_sub(self.after.len());
        let new: Vec<PointSpec> = after.iter().filter(|at| !self.after.contains(at)).take(room).cloned().collect();
        self.after.extend(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_does_not_change_with_a_few_milliseconds() {
        let scale = |ms| Space::scale_of(Duration::from_millis(ms)).as_millis();
        assert_eq!([scale(0), scale(1), scale(2), scale(20), scale(60), scale(70)], [1, 1, 5, 20, 100, 100]);
    }
}
