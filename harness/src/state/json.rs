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
        let state = |value: String| State::of([(what.to_owned(), value)]);
        Ok(match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(document) => match document.pointer(&self.pointer) {
                Some(value) => state(text_of(format!("{value:#}").as_bytes())),
                None => state("(no such value)".to_owned()).because(format!("has no value at {what}")),
            },
            Err(error) => state(format!("(no JSON: {error})")).because("is no JSON"),
        })
    }
}
