//! Which plans are worth going on from: those that showed something new, the more the
//! rarer it is.

use std::collections::{BTreeMap, BTreeSet};

/// What a kept plan has shown, and how often it was gone on from.
#[derive(Debug, Clone)]
struct Kept<P> {
    what: P,
    shows: BTreeSet<String>,
    picked: u32,
}

/// The plans that showed something new. What a trial shows is a set of words: which window
/// and phase it came to and how it ended, what followed what, what was left.
#[derive(Debug, Clone)]
pub struct Guide<P> {
    kept: Vec<Kept<P>>,
    /// How many trials have shown each word.
    counts: BTreeMap<String, u32>,
}

impl<P> Default for Guide<P> {
    fn default() -> Self {
        Self { kept: Vec::new(), counts: BTreeMap::new() }
    }
}

/// No more words are counted than that: an agent may show something else each time.
const MOST_WORDS: usize = 100_000;

/// No more plans are kept than that.
const MOST_KEPT: usize = 10_000;

impl<P> Guide<P> {
    /// Takes what a trial has shown; keeps `what` if some of it is new, and says what.
    pub fn learn(&mut self, shows: BTreeSet<String>, what: impl FnOnce() -> P) -> Option<String> {
        let mut new = None;
        for word in &shows {
            if let Some(count) = self.counts.get_mut(word) {
                *count = count.saturating_add(1);
            } else if self.counts.len() < MOST_WORDS {
                self.counts.insert(word.clone(), 1);
                new.get_or_insert_with(|| word.clone());
            }
        }
        if new.is_some() && self.kept.len() < MOST_KEPT {
            self.kept.push(Kept { what: what(), shows, picked: 0 });
        }
        new
    }

    /// How many plans are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Every plan that is kept, in the order in which they came.
    pub fn kept(&self) -> impl Iterator<Item = &P> {
        self.kept.iter().map(|kept| &kept.what)
    }

    /// How much one is worth: the rarer the rarest of what it shows, and the less often it
    /// was gone on from, the more.
    fn energy(&self, kept: &Kept<P>) -> u64 {
        let rarest = kept.shows.iter().filter_map(|word| self.counts.get(word)).min().copied().unwrap_or(1);
        1 + 1_000_000 / (u64::from(rarest) * u64::from(kept.picked + 1))
    }

    /// One to go on from; `chance` is any number.
    pub fn pick(&mut self, chance: u64) -> Option<&P> {
        let energies: Vec<u64> = self.kept.iter().map(|kept| self.energy(kept)).collect();
        let all: u64 = energies.iter().sum();
        let mut left = chance.checked_rem(all)?;
        let index = energies.iter().position(|energy| match left.checked_sub(*energy) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })?;
        let kept = self.kept.get_mut(index)?;
        kept.picked = kept.picked.saturating_add(1);
        Some(&kept.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_new_is_kept_and_what_is_rare_is_picked() {
        let mut guide = Guide::default();
        assert_eq!(guide.pick(3), None);
        assert_eq!(guide.learn(words(&["a"]), || "first"), Some("a".to_owned()));
        for _ in 0..999 {
            assert_eq!(guide.learn(words(&["a"]), || "again"), None);
        }
        assert_eq!(guide.learn(words(&["a", "b"]), || "rare"), Some("b".to_owned()));
        assert_eq!(guide.len(), 2);
        let picks = (0..100).filter(|step: &u64| guide.pick(step.wrapping_mul(0x9E37_79B9_7F4A_7C15)) == Some(&"rare"));
        // What was picked often is worth less, so the usual one has its turn too.
        let rare = picks.count();
        assert!((60..100).contains(&rare), "{rare} of 100");
    }

    proptest! {
        #[test]
        fn somebody_is_always_picked(shows in prop::collection::vec(prop::collection::btree_set("[a-e]", 1..4), 1..9), chances: Vec<u64>) {
            let mut guide = Guide::default();
            for (index, shows) in shows.into_iter().enumerate() {
                guide.learn(shows, || index);
            }
            for chance in chances {
                prop_assert!(guide.pick(chance).is_some());
            }
        }
    }
}
