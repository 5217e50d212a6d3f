//! The undisturbed run as windows, and what is live in each: what a picture of the run is drawn
//! from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The undisturbed run, cut into windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowMap {
    /// When it was over, in microseconds from its start.
    pub duration_us: u64,
    /// One after the other; a [`Trial::window`](crate::Trial::window) is a place in here.
    pub windows: Vec<MappedWindow>,
    /// What comes and goes in them.
    pub lives: Vec<Life>,
}

/// One window: a stretch of the run in which nothing comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MappedWindow {
    /// When it began, in microseconds from the start of the run.
    pub at_us: u64,
    /// What opened it, in words: the call and what that is about; `start` of the first.
    pub opened: String,
    /// The first window in which the same is live: its own number, if it is the first. A trial
    /// there tells of all like it.
    pub like: u32,
}

/// From when to when something lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Life {
    /// What lives, in words: `file /tmp/*/part`.
    pub what: String,
    /// The path at which it lies, as a pattern; absent where it lies at none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The window in which it comes to be.
    pub first: u32,
    /// The last window in which it is live.
    pub last: u32,
    /// It is still there when the undisturbed run is over, and so is expected.
    pub stays: bool,
}
