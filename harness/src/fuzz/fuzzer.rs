//! From one plan to the next.

use super::guide::Guide;
use super::random::Chances;
use proptest::strategy::BoxedStrategy;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::hash::Hash;

/// What the plans for one agent are made of, a program or a future.
pub trait Choices {
    /// What is done in one trial.
    type Plan: Clone + Eq + Hash + fmt::Debug;
    /// A moment that an agent comes to once it was terminated.
    type Moment: Clone + fmt::Debug;

    /// A plan that does nothing.
    fn nothing(&self) -> Self::Plan;
    /// Whether a plan terminates the agent.
    fn terminates(&self, plan: &Self::Plan) -> bool;
    /// Plans that owe nothing to others.
    fn fresh(&self) -> BoxedStrategy<Self::Plan>;
    /// Plans that are one step away from another. `after` are moments that the other came to.
    fn changed(&self, from: &Self::Plan, after: &[Self::Moment]) -> BoxedStrategy<Self::Plan>;
    /// Takes moments that a trial came to.
    fn meet(&mut self, after: &[Self::Moment]);
}

/// What a trial has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned<M> {
    /// In words that are the same for trials which are alike.
    pub shows: BTreeSet<String>,
    /// Moments that the agent came to once it was terminated.
    pub after: Vec<M>,
}

impl<M> Default for Learned<M> {
    fn default() -> Self {
        Self { shows: BTreeSet::new(), after: Vec::new() }
    }
}

/// A plan that showed something new, and the moments that it came to.
type Kept<C> = (<C as Choices>::Plan, Vec<<C as Choices>::Moment>);

/// Gives one plan after another. The same seed gives the same plans in the same order, as
/// long as the same is learned between them.
#[derive(Debug)]
pub struct Fuzzer<C: Choices> {
    space: C,
    seed: u64,
    guided: bool,
    /// How many plans were given.
    given: u64,
    guide: Guide<Kept<C>>,
    /// Every plan that was given, so that none is given twice.
    known: HashSet<C::Plan>,
}

/// Of so many plans one owes nothing to those before.
const FRESH: u64 = 4;

/// How often a plan is drawn again that was given already.
const REDRAWS: u32 = 8;

impl<C: Choices> Fuzzer<C> {
    /// Plans of this space. Without `guided` nothing that is learned changes them.
    pub fn new(space: C, seed: u64, guided: bool) -> Self {
        Self { space, seed, guided, given: 0, guide: Guide::default(), known: HashSet::new() }
    }

    /// What the plans are made of, and the moments of cleanups that were met.
    pub fn space(&self) -> &C {
        &self.space
    }

    /// How many plans showed something new.
    pub fn kept(&self) -> usize {
        self.guide.len()
    }

    /// The plans that showed something new, in the order in which they came.
    pub fn corpus(&self) -> impl Iterator<Item = &C::Plan> {
        self.guide.kept().map(|(plan, _)| plan)
    }

    /// The next plan.
    pub fn next_plan(&mut self) -> C::Plan {
        let mut chances = Chances::of(self.seed, self.given);
        self.given += 1;
        let mut plan = self.drawn(&mut chances);
        for _ in 0..REDRAWS {
            if self.space.terminates(&plan) && !self.known.contains(&plan) {
                break;
            }
            plan = self.drawn(&mut chances);
        }
        self.known.insert(plan.clone());
        plan
    }

    fn drawn(&mut self, chances: &mut Chances) -> C::Plan {
        let chance = chances.draw(&proptest::prelude::any::<u64>()).unwrap_or_default();
        let goes_on = self.guided && !chance.is_multiple_of(FRESH);
        let parent = if goes_on { self.guide.pick(chance / FRESH).cloned() } else { None };
        let plan = match parent {
            Some((plan, after)) => chances.draw(&self.space.changed(&plan, &after)),
            None => chances.draw(&self.space.fresh()),
        };
        plan.unwrap_or_else(|| self.space.nothing())
    }

    /// Takes what the trial of a plan has shown; says what of it is new.
    pub fn learn(&mut self, plan: &C::Plan, learned: Learned<C::Moment>) -> Option<String> {
        let Learned { shows, after } = learned;
        self.space.meet(&after);
        self.guide.learn(shows, || (plan.clone(), after))
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::{Place, Space};
    use super::*;
    use crate::model::{Point, PointSpec, Stdin, Token, TrialPlan};
    use std::time::Duration;

    fn space() -> Space {
        let at = |text: &str| Place { at: vec![text.parse().expect("a point")], weight: 3, window: None };
        Space {
            places: vec![at("start"), at("syscall:mkdir@exit"), at("syscall:openat@exit#7"), at("syscall:rmdir@enter")],
            sends: ["TERM", "INT", "TERM@all"].map(|send| send.parse().expect("an injection")).to_vec(),
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

    /// What a trial shows, here: its first point and how many acts it has.
    fn learned(plan: &TrialPlan) -> Learned<PointSpec> {
        let first = plan.acts.first().and_then(|act| act.at.first()).map_or(String::new(), ToString::to_string);
        let shows = BTreeSet::from([first, plan.acts.len().to_string()]);
        Learned { shows, after: vec!["+syscall:unlink@enter".parse().expect("a point")] }
    }

    fn row(seed: u64, guided: bool) -> Vec<String> {
        let mut fuzzer = Fuzzer::new(space(), seed, guided);
        let mut next = || {
            let plan = fuzzer.next_plan();
            fuzzer.learn(&plan, learned(&plan));
            Token(plan).to_string()
        };
        (0..200).map(|_| next()).collect()
    }

    #[test]
    fn a_seed_is_a_row_of_plans_and_what_is_learned_changes_it() {
        assert_eq!(row(1, true), row(1, true));
        assert_ne!(row(1, true), row(2, true));
        assert_ne!(row(1, true), row(1, false));
        let cleanups = |row: &[String]| row.iter().filter(|token| token.contains("+syscall:unlink")).count();
        assert!(cleanups(&row(1, true)) > 20, "{}", cleanups(&row(1, true)));
        assert_eq!(cleanups(&row(1, false)), 0);
    }

    #[test]
    fn few_plans_come_twice_and_each_can_be_replayed() {
        let row = row(3, true);
        assert_eq!(row.iter().collect::<HashSet<_>>().len(), row.len());
        for token in &row {
            let Token(plan) = token.parse().expect("a token");
            assert!(plan.terminates(), "{token}");
            let first = plan.acts.first().and_then(|act| act.at.first()).expect("a first point");
            assert!(!first.relative && !matches!(first.point, Point::When(_)), "{token}");
        }
    }
}
