//! One value in a JSON file.

use super::{Oracle, Place, read_all, text_of};
use crate::model::State;
use std::path::PathBuf;

/// Reads the value that a JSON pointer (RFC 6901) names in a file.
#[derive(Debug)]
pub struct JsonOracle {
    /// What it is called.
    pub name: String,
    /// The file; a relative path starts in the agent's directory.
    pub path: PathBuf,
    /// The pointer; empty for the whole document.
    pub pointer: String,
}

impl Oracle for JsonOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let Some(file) = place.open(&self.path)? else { return Ok(State::absent()) };
        let bytes = read_all(file, &self.path)?;
        let what = if self.pointer.is_empty() { "the document" } else { self.pointer.as_str() };
        let value = match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(document) => document
                .pointer(&self.pointer)
                .map_or_else(|| "(no such value)".to_owned(), |value| text_of(format!("{value:#}").as_bytes())),
            Err(error) => format!("(no JSON: {error})"),
        };
        Ok(State::of([(what.to_owned(), value)]))
    }
}
