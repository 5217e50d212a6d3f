//! A report against a baseline: what is new, what was known, what is fixed.
//!
//! This is the answer as data; [`baseline`](crate::baseline) compares.

use serde::{Deserialize, Serialize};

use crate::code::Code;

/// The findings of a report and of its baseline, set against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// In the report and not in the baseline.
    pub new: Vec<Known>,
    /// In both.
    pub known: Vec<Known>,
    /// In the baseline and not in the report.
    pub fixed: Vec<Known>,
}

/// One finding, as a baseline knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Name of the scenario that shows it.
    pub scenario: String,
    /// The same in every run; see [`Finding::fingerprint`](crate::Finding::fingerprint).
    pub fingerprint: String,
    /// What sort of finding it is.
    pub code: Code,
    /// One line for a person.
    pub title: String,
}
