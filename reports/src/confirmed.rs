//! How often a finding came again, and what that makes of it.
//!
//! A rate out of few runs says little, so it always goes with the interval in which
//! the true one may lie. Whether a finding fails a run is for the
//! [`gate`](crate::gate).

pub(crate) mod json;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often a finding came again when its trial was run again.
///
/// There was at least one further run, and no more of them show it than there were.
///
/// ```
/// use quietus_reports::{Confirmed, Reproduction};
///
/// let racy = Confirmed::new(17, 20).expect("it was run again");
/// assert_eq!(racy.class(), Reproduction::Racy);
/// assert_eq!(racy.to_string(), "reproduces 17/20 (95%: 0.64–0.95)");
/// assert_eq!(Confirmed::new(0, 0), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "json::Counts", into = "json::Counts")]
#[schemars(description = "How often a finding came again when its trial was run again.")]
pub struct Confirmed {
    hits: u32,
    runs: u32,
}

/// What further runs make of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reproduction {
    /// All further runs show it.
    Deterministic,
    /// Some further runs show it, others do not.
    Racy,
    /// No further run shows it: it depends on timing, or on something outside.
    NotReproduced,
}

/// The 97.5 % point of the normal distribution, of which 95 % lie between `-Z` and `Z`.
const Z: f64 = 1.959_964;

impl Confirmed {
    /// `hits` of `runs` further runs show it. None when there was no further run, which
    /// says nothing, and when more show it than there were.
    #[must_use]
    pub const fn new(hits: u32, runs: u32) -> Option<Self> {
        if runs == 0 || hits > runs { None } else { Some(Self { hits, runs }) }
    }

    /// Further runs that show it.
    #[must_use]
    pub const fn hits(self) -> u32 {
        self.hits
    }

    /// Further runs that reached their point; at least one.
    #[must_use]
    pub const fn runs(self) -> u32 {
        self.runs
    }

    /// The part of the further runs that shows it, from 0 to 1.
    #[must_use]
    pub fn rate(self) -> f64 {
        f64::from(self.hits) / f64::from(self.runs)
    }

    /// What these runs make of the finding. Of few runs it is a guess: see
    /// [`interval`](Self::interval).
    #[must_use]
    pub const fn class(self) -> Reproduction {
        match self.hits {
            0 => Reproduction::NotReproduced,
            hits if hits == self.runs => Reproduction::Deterministic,
            _ => Reproduction::Racy,
        }
    }

    /// Between which two rates, from 0 to 1, the true one lies with a confidence of 95 %.
    ///
    /// This is the score interval of E. B. Wilson, "Probable inference, the law of
    /// succession, and statistical inference", Journal of the American Statistical
    /// Association 22 (1927), 209–212, with z = 1.959964. It holds for few runs and at the
    /// ends: 3 of 3 is 0.44 to 1.
    #[must_use]
    pub fn interval(self) -> (f64, f64) {
        let (rate, runs) = (self.rate(), f64::from(self.runs));
        let z2 = Z * Z;
        let middle = rate + z2 / (2.0 * runs);
        let half = Z * (rate * (1.0 - rate) / runs + z2 / (4.0 * runs * runs)).sqrt();
        let whole = 1.0 + z2 / runs;
        // Rounding must not put an end beyond the rate itself, as at 0 and at 1.
        (((middle - half) / whole).clamp(0.0, rate), ((middle + half) / whole).clamp(rate, 1.0))
    }

    /// The interval as it is told, with two decimals.
    fn rounded(self) -> (f64, f64) {
        let hundredths = |rate: f64| (rate * 100.0).round() / 100.0;
        let (low, high) = self.interval();
        (hundredths(low), hundredths(high))
    }

    /// The runs and the interval: `17/20 (95%: 0.64–0.95)`.
    pub(crate) fn share(self) -> String {
        let (low, high) = self.rounded();
        format!("{}/{} (95%: {low:.2}–{high:.2})", self.hits, self.runs)
    }
}

/// `reproduces 17/20 (95%: 0.64–0.95)`, or `deterministic, 20/20`.
impl fmt::Display for Confirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class() {
            class @ Reproduction::Deterministic => write!(f, "{class}, {}/{}", self.hits, self.runs),
            Reproduction::Racy | Reproduction::NotReproduced => write!(f, "reproduces {}", self.share()),
        }
    }
}

impl fmt::Display for Reproduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deterministic => "deterministic",
            Self::Racy => "racy",
            Self::NotReproduced => "not reproduced",
        })
    }
}

#[cfg(test)]
mod tests;
