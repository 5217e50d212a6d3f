//! Whether something still shows, said as soon as it is sure: Wald's sequential
//! probability ratio test (A. Wald, Sequential Tests of Statistical Hypotheses, Annals of
//! Mathematical Statistics 16, 1945).

/// How often either answer may be wrong.
const ERROR: f64 = 0.05;

/// So many runs without an answer are an answer: it does not show often enough.
const MOST_RUNS: u32 = 80;

/// A test that is told of one run after another, and stops when it is sure.
///
/// ```
/// let mut test = quietus::fuzz::Sequential::keeps(1.0);
/// let mut answers = std::iter::repeat_with(|| test.ran(true));
/// // Something that always showed, and shows 15 times in a row, still does.
/// assert_eq!(answers.position(|answer| answer == Some(true)), Some(14));
/// ```
#[derive(Debug, Clone)]
pub struct Sequential {
    /// What one run that shows it adds to the evidence, and one that does not.
    shows: f64,
    fails: f64,
    evidence: f64,
    runs: u32,
}

impl Sequential {
    /// Tests whether something shows about as often as before (`rate`, a share of 1), not a
    /// quarter as often. What always showed must not fail one time in five.
    pub fn keeps(rate: f64) -> Self {
        let (often, rare) = if rate >= 1.0 { (0.98, 0.8) } else { (rate.max(0.04), rate.max(0.04) / 4.0) };
        Self { shows: (often / rare).ln(), fails: ((1.0 - often) / (1.0 - rare)).ln(), evidence: 0.0, runs: 0 }
    }

    /// Takes the next run; says whether it still shows, once that is sure.
    pub fn ran(&mut self, shows: bool) -> Option<bool> {
        self.runs += 1;
        self.evidence += if shows { self.shows } else { self.fails };
        let bound = ((1.0 - ERROR) / ERROR).ln();
        if self.evidence >= bound {
            Some(true)
        } else if self.evidence <= -bound || self.runs >= MOST_RUNS {
            Some(false)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How the test answers a row of runs, and after how many.
    fn answer(rate: f64, mut row: impl FnMut() -> bool) -> (bool, u32) {
        let mut test = Sequential::keeps(rate);
        for runs in 1.. {
            if let Some(answer) = test.ran(row()) {
                return (answer, runs);
            }
        }
        unreachable!("it stops after {MOST_RUNS} runs")
    }

    #[test]
    fn what_is_certain_is_said_soon() {
        assert_eq!(answer(1.0, || true), (true, 15));
        assert_eq!(answer(1.0, || false), (false, 2));
        let (still, runs) = answer(0.5, || false);
        assert!(!still && runs < 10, "{runs}");
    }

    proptest! {
        /// It errs about as seldom as it promises, in both directions.
        #[test]
        fn it_is_mostly_right(seed: u64) {
            let mut state = seed | 1;
            let mut chance = |rate: f64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1u64 << 53) as f64 <= rate
            };
            for rate in [0.2, 0.5, 0.8] {
                let kept = (0..200).filter(|_| answer(rate, || chance(rate)).0).count();
                prop_assert!(kept >= 170, "{rate}: {kept} of 200 still show");
                let lost = (0..200).filter(|_| answer(rate, || chance(rate / 8.0)).0).count();
                prop_assert!(lost <= 30, "{rate}: {lost} of 200 do not show any more");
            }
        }

        #[test]
        fn it_ends(rate in 0.0f64..=1.0, row in prop::collection::vec(any::<bool>(), 1..9)) {
            let mut runs = row.iter().cycle();
            let (_, count) = answer(rate, || *runs.next().expect("endless"));
            prop_assert!(count <= MOST_RUNS);
        }
    }
}
