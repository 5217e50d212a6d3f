//! Which part of the work one of several machines does. Pure.
//!
//! A unit of work is a scenario and a window of it (or a trial that has none). Every machine
//! finds the same unit in the same shard, since only a stable hash and, where it is given, an
//! earlier report decide.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::fingerprint::digest;
use crate::model::Report;

/// Of how many shards which were run: of one machine one, of a merged report several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shards {
    /// How many there are.
    pub total: u32,
    /// Which of them this report holds, from 1, in order.
    pub present: Vec<u32>,
    /// By what the work was divided ([`Division::name`]): shards that were divided otherwise
    /// leave some of it to nobody. Absent in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
}

impl Shards {
    /// Those that are not in this report.
    #[must_use]
    pub fn missing(&self) -> Vec<u32> {
        let present: BTreeSet<u32> = self.present.iter().copied().collect();
        (1..=self.total).filter(|shard| !present.contains(shard)).collect()
    }
}

/// What cannot be is refused: of no shards at all none would be missing.
impl<'de> Deserialize<'de> for Shards {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Shards")]
        struct Read {
            total: u32,
            present: Vec<u32>,
            #[serde(default)]
            division: Option<String>,
        }
        let Read { total, present, division } = Read::deserialize(deserializer)?;
        if total > MOST {
            return Err(de::Error::custom(format!("{total} shards are more than {MOST}")));
        }
        if present.is_empty() {
            return Err(de::Error::custom(format!("of {total} shards there is none")));
        }
        if let Some(shard) = present.iter().find(|shard| Shard::new(**shard, total).is_none()) {
            return Err(de::Error::custom(format!("of {total} shards there is no shard {shard}")));
        }
        if !present.is_sorted_by(|one, next| one < next) {
            return Err(de::Error::custom("shards are not in order"));
        }
        Ok(Self { total, present, division })
    }
}

impl Shards {
    /// Which are missing, in words: `shard 2 of 4 is missing`. None where all are there.
    #[must_use]
    pub fn told_missing(&self) -> Option<String> {
        let missing: Vec<String> = self.missing().iter().map(ToString::to_string).collect();
        let (word, is) = match missing.len() {
            0 => return None,
            1 => ("shard", "is"),
            _ => ("shards", "are"),
        };
        Some(format!("{word} {} of {} {is} missing", missing.join(", "), self.total))
    }
}

/// One shard of several, as `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    total: u32,
}

/// More shards than that nobody runs.
const MOST: u32 = 10_000;

impl Shard {
    /// The shard with this number, from 1; none where there is no such shard.
    #[must_use]
    pub fn new(index: u32, total: u32) -> Option<Self> {
        (1 <= index && index <= total && total <= MOST).then_some(Self { index, total })
    }

    /// Which one it is, from 1.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.total
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.total)
    }
}

/// A text is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It has another form.
    #[error("a shard is written as 2/4, the second of four")]
    Form,
    /// The parts are counted from 1 to their number.
    #[error("there is no shard {index} of {total}: they are 1/{total} to {total}/{total}")]
    Index {
        /// Which.
        index: u32,
        /// Of how many.
        total: u32,
    },
    /// There are none, or too many.
    #[error("a run is cut into 1 to {MOST} shards, not into {0}")]
    Total(u32),
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // As nextest writes its partitions, too.
        let text = ["hash:", "count:", "slice:"].iter().find_map(|form| text.strip_prefix(form)).unwrap_or(text);
        let (index, total) = text.split_once('/').ok_or(ShardError::Form)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| ShardError::Form);
        let (index, total) = (number(index)?, number(total)?);
        if !(1..=MOST).contains(&total) {
            return Err(ShardError::Total(total));
        }
        Self::new(index, total).ok_or(ShardError::Index { index, total })
    }
}

/// Which units fall to which shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    shard: Shard,
    /// Units whose duration is known, and their shards.
    assigned: BTreeMap<String, u32>,
}

/// The name of a unit of work: the place is the address of a window's point, or the label of
/// a trial that was made for no window. All that is done from one point on is one unit: which
/// waits follow on it is another in each run.
#[must_use]
pub fn unit(scenario: &str, place: &str) -> String {
    let first = place.split_once(" then ").map_or(place, |(first, _)| first);
    digest([scenario, first])
}

impl Division {
    /// By hash alone.
    #[must_use]
    pub const fn by_hash(shard: Shard) -> Self {
        Self { shard, assigned: BTreeMap::new() }
    }

    /// So that every shard has about as much to do as any other, as far as an earlier report
    /// says how long units take: the longest first, each to the shard that has least. Units
    /// that are not in it are divided by hash.
    #[must_use]
    pub fn balanced(shard: Shard, before: &Report) -> Self {
        let mut durations: BTreeMap<String, u64> = BTreeMap::new();
        for run in &before.runs {
            for trial in &run.trials {
                let is_asked_for = run.strategy == "script" && trial.label != "regression";
                let place = if trial.window.is_some() || is_asked_for { &trial.point } else { &trial.label };
                let duration = durations.entry(unit(&run.scenario, place)).or_default();
                *duration = duration.saturating_add(trial.duration_us);
            }
        }
        let mut longest: Vec<(String, u64)> = durations.into_iter().collect();
        longest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let mut loads = vec![0_u64; usize::try_from(shard.total).unwrap_or(1).max(1)];
        let mut assigned = BTreeMap::new();
        for (unit, duration) in longest {
            let least = (0..loads.len()).min_by_key(|place| loads[*place]).unwrap_or(0);
            loads[least] = loads[least].saturating_add(duration.max(1));
            assigned.insert(unit, u32::try_from(least).unwrap_or(0) + 1);
        }
        Self { shard, assigned }
    }

    /// Which shard of how many.
    #[must_use]
    pub const fn shard(&self) -> Shard {
        self.shard
    }

    /// A short name that is the same for all shards of one division: of these scenarios, by the
    /// same earlier report or none.
    #[must_use]
    pub fn name<'a>(&self, scenarios: impl IntoIterator<Item = &'a str>) -> String {
        let scenarios: BTreeSet<&str> = scenarios.into_iter().collect();
        let assigned = self.assigned.iter().map(|(unit, shard)| format!("{unit}={shard}"));
        let parts = [format!("of {}", self.shard.total)].into_iter().chain(scenarios.into_iter().map(str::to_owned));
        digest(parts.chain(assigned))
    }

    /// Whether the work at this place of a scenario falls to this shard.
    #[must_use]
    pub fn takes(&self, scenario: &str, place: &str) -> bool {
        let unit = unit(scenario, place);
        match self.assigned.get(&unit) {
            Some(shard) => *shard == self.shard.index,
            None => {
                let hash = u64::from_str_radix(&unit, 16).unwrap_or(0);
                hash % u64::from(self.shard.total) == u64::from(self.shard.index - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests;
