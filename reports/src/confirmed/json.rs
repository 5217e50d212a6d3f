//! Further runs in JSON: the counts, and what follows from them.
//!
//! What follows is written for who reads the report with other tools, and computed from
//! the counts each time. It is not read back, so it cannot disagree with them.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Confirmed, Reproduction};

/// The keys of a finding that tell of its further runs.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Keys {
    /// What further runs make of it, as `confirmed` says; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reproduction: Option<Reproduction>,
    /// How often it came again when the trial of `token` was run again; absent when that
    /// was not. Where two of its trials were, the one that shows it more often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed: Option<Confirmed>,
}

pub(crate) fn serialize<S: Serializer>(confirmed: &Option<Confirmed>, serializer: S) -> Result<S::Ok, S::Error> {
    Keys { reproduction: confirmed.map(Confirmed::class), confirmed: *confirmed }.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Confirmed>, D::Error> {
    Keys::deserialize(deserializer).map(|keys| keys.confirmed)
}

/// Of [`Confirmed`], what is written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Confirmed")]
pub(super) struct Counts {
    /// Further runs that show it; at most `runs`.
    hits: u32,
    /// Further runs that reached their point; at least one.
    #[schemars(range(min = 1))]
    runs: u32,
    /// Lower end of the 95 % interval (Wilson) of the rate `hits / runs`, from 0 to 1,
    /// with two decimals; absent in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    rate_low: Option<f64>,
    /// Its upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    rate_high: Option<f64>,
}

impl From<Confirmed> for Counts {
    fn from(confirmed: Confirmed) -> Self {
        let (low, high) = confirmed.rounded();
        Self { hits: confirmed.hits, runs: confirmed.runs, rate_low: Some(low), rate_high: Some(high) }
    }
}

impl TryFrom<Counts> for Confirmed {
    type Error = String;

    fn try_from(counts: Counts) -> Result<Self, Self::Error> {
        let Counts { hits, runs, .. } = counts;
        Self::new(hits, runs).ok_or_else(|| format!("a finding cannot come again in {hits} of {runs} runs"))
    }
}
