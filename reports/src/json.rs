//! The report as JSON text, and back.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::escape::is_hazard;
use crate::model::{Format, Report};

/// The report as indented JSON, ended by a newline.
///
/// Strings are exact. Characters that would act on a terminal are written as
/// `\u` escapes, so the text may be shown as it is.
#[must_use]
pub fn to_json(report: &Report) -> String {
    let mut plain = serde_json::to_string_pretty(report)
        .expect("[quietus internal bug] a report has only string keys and finite numbers");
    plain.push('\n');
    harmless(plain)
}

/// A part of a report as a line of JSON, ended by a newline: for results that are written down
/// as they come.
///
/// # Panics
/// A value that JSON cannot hold, such as a map with keys that are no strings: a bug of ours.
#[must_use]
pub fn json_line<T: Serialize>(part: &T) -> String {
    let mut plain =
        serde_json::to_string(part).expect("[quietus internal bug] a report has only string keys and finite numbers");
    plain.push('\n');
    harmless(plain)
}

/// Escapes what would act on a terminal.
fn harmless(plain: String) -> String {
    // serde_json escapes what is below U+0020, and everything else that
    // is_hazard can stand only inside a string. Its own newlines must stay.
    if !plain.contains(must_escape) {
        return plain;
    }
    let mut out = String::with_capacity(plain.len() + 64);
    for c in plain.chars() {
        if must_escape(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn must_escape(c: char) -> bool {
    c > '\u{1f}' && is_hazard(c)
}

/// Reads a report of [`Format::CURRENT`].
///
/// Keys that this version does not know are skipped: a later version may have
/// added them without a change of format.
///
/// # Errors
///
/// The text is not JSON, is not a report, is of another format, or lacks
/// something that a report has.
pub fn from_json(text: &str) -> Result<Report, JsonError> {
    // The format first: with another one, every other complaint would mislead.
    #[derive(Deserialize)]
    struct Header {
        format: Option<serde_json::Value>,
    }
    if text.trim_start().starts_with('[') {
        return Err(JsonError::NotAReport); // serde reads a struct from a list, too
    }
    let header: Header = serde_json::from_str(text)
        .map_err(|error| if error.is_data() { JsonError::NotAReport } else { JsonError::not_json(&error) })?;
    let found = header.format.ok_or(JsonError::NotAReport)?;
    if found != Format::CURRENT.0 {
        return Err(JsonError::UnsupportedFormat { found: found.to_string() });
    }
    serde_json::from_str(text).map_err(|error| JsonError::Shape {
        line: error.line(),
        column: error.column(),
        message: message_of(&error),
    })
}

/// A text is not a report that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON at all, or cut off.
    #[error("the report is not JSON: {message} at line {line}, column {column}")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// JSON, but not an object with a `format`.
    #[error("this is JSON but not a report of quietus: it has no `format`")]
    NotAReport,
    /// A report of another format.
    #[error(
        "the report has format {found}, and this version of quietus reads format {}; \
         use the version that wrote it (key `quietus`)",
        Format::CURRENT
    )]
    UnsupportedFormat {
        /// The value of `format`, as JSON.
        found: String,
    },
    /// The right format, but a key is missing or has a wrong value.
    #[error("the report is damaged: {message} at line {line}, column {column}")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
}

impl JsonError {
    fn not_json(error: &serde_json::Error) -> Self {
        Self::NotJson { line: error.line(), column: error.column(), message: message_of(error) }
    }
}

/// The message of serde_json without its own "at line …", and made harmless: it
/// quotes the text.
fn message_of(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    crate::escape::escape_terminal(full.strip_suffix(&place).unwrap_or(&full))
}

#[cfg(test)]
mod tests;
