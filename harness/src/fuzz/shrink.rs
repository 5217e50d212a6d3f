//! From something that fails to the smallest that still does. Pure: who judges a
//! candidate, and how, is an argument.

use std::collections::HashSet;
use std::hash::Hash;

/// What is said of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It still fails.
    Fails,
    /// It does not fail, or not often enough.
    Passes,
    /// There is no time left for more candidates.
    Stop,
}

/// What came of shrinking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk<P> {
    /// The smallest that still fails.
    pub least: P,
    /// How many candidates were judged.
    pub judged: usize,
    /// Whether nothing smaller is left to try.
    pub whole: bool,
}

/// Goes down to a smaller one that still fails until none of `smaller` does. What `smaller`
/// gives comes in the order in which it is tried; what is not smaller by `size` is passed
/// over, so this ends. No candidate is judged twice. `judge` is given all that are left to
/// try and says something of the first: it may begin with the others meanwhile.
pub fn shrink<P: Clone + Eq + Hash, S: Ord>(
    start: P,
    size: &dyn Fn(&P) -> S,
    smaller: &dyn Fn(&P) -> Vec<P>,
    judge: &mut dyn FnMut(&[P]) -> Judgement,
) -> Shrunk<P> {
    let mut least = start;
    let mut known: HashSet<P> = HashSet::from([least.clone()]);
    let mut judged = 0;
    'down: loop {
        let bound = size(&least);
        let mut listed = HashSet::new();
        let mut candidates = smaller(&least);
        candidates.retain(|one| size(one) < bound && !known.contains(one) && listed.insert(one.clone()));
        for (index, candidate) in candidates.iter().enumerate() {
            known.insert(candidate.clone());
            judged += 1;
            match judge(candidates.get(index..).unwrap_or_default()) {
                Judgement::Fails => {
                    least = candidate.clone();
                    continue 'down;
                }
                Judgement::Passes => {}
                Judgement::Stop => return Shrunk { least, judged, whole: false },
            }
        }
        return Shrunk { least, judged, whole: true };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest number that is at least 17 and odd, from its half and its predecessor.
    #[test]
    fn goes_down_to_the_least_and_says_when_it_was_stopped() {
        let smaller = |number: &u32| vec![number / 2, number.saturating_sub(2), number.saturating_sub(1)];
        let fails = |number: &u32| if *number >= 17 && number % 2 == 1 { Judgement::Fails } else { Judgement::Passes };
        let mut tried = Vec::new();
        let shrunk = shrink(201, &|number| *number, &smaller, &mut |left| {
            tried.push(left[0]);
            fails(&left[0])
        });
        assert_eq!((shrunk.least, shrunk.whole, shrunk.judged), (17, true, tried.len()));
        tried.sort_unstable();
        assert!(tried.is_sorted_by(|one, other| one < other), "none is judged twice: {tried:?}");
        let mut left = 3;
        let stopped = shrink(201, &|number| *number, &smaller, &mut |numbers| {
            left -= 1;
            if left == 0 { Judgement::Stop } else { fails(&numbers[0]) }
        });
        assert!(!stopped.whole && stopped.least > 17 && stopped.judged == 3, "{stopped:?}");
    }
}
