//! What a team lets pass, written down: the policy of `quietus gate`, from its TOML text.
//!
//! Reading is strict: a key that is not known, a value that cannot be meant and a date that
//! does not exist are errors, each with its line. Nothing here looks at a report; see
//! [`judgement`](crate::judgement).

use std::borrow::Cow;

use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de};

use crate::code::Code;
use crate::escape::{escape_terminal, truncate_middle};
use crate::model::{Level, Severity};

/// What fails, and what is let pass. Without a file, the default: errors fail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// From this severity on a finding fails. [`Severity::Note`] is refused: what must fail
    /// though it is a note is named in `codes.fail`.
    #[serde(deserialize_with = "severity")]
    pub severity: Severity,
    /// Codes that are judged otherwise.
    pub codes: Codes,
    /// So many findings that would fail are let pass; default none.
    pub max_findings: u32,
    /// The least share of the windows of each sweep that must be covered, 0 to 1.
    #[serde(deserialize_with = "share")]
    pub min_coverage: Option<f64>,
    /// The largest share of the trials of each run that may miss their points, 0 to 1.
    #[serde(deserialize_with = "share")]
    pub max_missed: Option<f64>,
    /// A racy finding that came again in no larger share of its further runs is let pass, 0
    /// to 1.
    #[serde(deserialize_with = "share")]
    pub max_racy_rate: Option<f64>,
    /// The least guarantee.
    pub guarantee: Option<Level>,
    /// Findings that are accepted for now.
    pub allow: Vec<Allowed>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            severity: Severity::Error,
            codes: Codes::default(),
            max_findings: 0,
            min_coverage: None,
            max_missed: None,
            max_racy_rate: None,
            guarantee: None,
            allow: Vec::new(),
        }
    }
}

/// Codes that are judged otherwise than by their severity.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Codes {
    /// These fail, whatever their severity is.
    pub fail: Vec<Code>,
    /// These never fail.
    pub warn: Vec<Code>,
}

/// One accepted finding, or several of a kind.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// The code.
    pub code: Code,
    /// Only with a subject that fits this pattern; `*` also fits `/`.
    #[serde(default)]
    pub subject: Option<Glob>,
    /// Only in scenarios whose name fits this pattern.
    #[serde(default)]
    pub scenario: Option<Glob>,
    /// Why, for those who read this later.
    #[serde(deserialize_with = "filled")]
    pub reason: String,
    /// The last day on which it is accepted; without it, for ever.
    #[serde(default, deserialize_with = "day")]
    pub expires: Option<Date>,
}

/// A pattern of whole texts.
#[derive(Debug, Clone)]
pub struct Glob(GlobMatcher);

/// Characters of a pattern. A much longer one cannot be compiled, and globset would panic.
const LONGEST_GLOB: usize = 1000;
/// Opening braces of a pattern, for the same reason: so many may lie in each other.
const MOST_BRACES: usize = 32;

impl Glob {
    /// Whether the whole text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.glob().glob()
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().count() > LONGEST_GLOB || text.matches('{').count() > MOST_BRACES {
            let message = format!("a pattern has at most {LONGEST_GLOB} characters, and {MOST_BRACES} `{{` among them");
            return Err(de::Error::custom(message));
        }
        // Without this, a backslash would mean something else on another system.
        let glob = GlobBuilder::new(&text).backslash_escape(true).build().map_err(|error| {
            de::Error::custom(format!("`{}` is no pattern: {}", escape_terminal(&text), error.kind()))
        })?;
        Ok(Self(glob.compile_matcher()))
    }
}

fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "error" => Ok(Severity::Error),
        "warn" => Ok(Severity::Warn),
        "note" => Err(de::Error::custom(
            "a note never fails by its severity: write \"error\" or \"warn\", and name its code in codes.fail",
        )),
        _ => Err(de::Error::custom(format!(
            "`{}` is no severity that fails: write \"error\" or \"warn\"",
            escape_terminal(&text)
        ))),
    }
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(Some(share));
    }
    Err(de::Error::custom(format!("a share is a number from 0 to 1, not {share}: nine tenths are 0.9")))
}

fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Err(de::Error::custom("a reason says why, for those who read this later; it cannot be empty"));
    }
    Ok(text)
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let wrong =
        |text: &str| de::Error::custom(format!("`{}` is no day; write it as \"2030-12-31\"", escape_terminal(text)));
    match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) if is_day(&text) => text.parse().map(Some).map_err(|_| wrong(&text)),
        toml::Value::String(text) => Err(wrong(&text)),
        toml::Value::Datetime(date) if date.time.is_none() => {
            date.to_string().parse().map(Some).map_err(|_| wrong(&date.to_string()))
        }
        other => Err(wrong(&other.to_string())),
    }
}

/// Ten characters of a date: jiff would read other forms, too.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

/// A text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.told())]
pub struct PolicyError {
    /// Line, from 1; none where the whole is meant.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// That line, as far as it can be shown.
    shown: String,
    /// Where in `shown` the column is, in characters.
    margin: usize,
}

impl PolicyError {
    fn told(&self) -> String {
        match self.line {
            Some(line) => {
                let margin = " ".repeat(self.margin);
                format!("line {line}, column {}: {}\n  {}\n  {margin}^", self.column, self.message, self.shown)
            }
            None => self.message.clone(),
        }
    }

    fn of_the_whole(message: String) -> Self {
        Self { line: None, column: 1, message, shown: String::new(), margin: 0 }
    }

    /// The error with the place that serde gives it.
    pub(crate) fn of(text: &str, error: &toml::de::Error) -> Self {
        // It quotes the text, which may be of any length.
        let message = truncate_middle(&escape_terminal(&in_plain_words(error.message().trim())), LONGEST_MESSAGE);
        let Some(span) = error.span() else { return Self::of_the_whole(message) };
        let start = text.floor_char_boundary(span.start);
        let before = &text[..start];
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let (left, right) = (&text[begin..start], text[start..end].trim_end_matches('\r'));
        let column = left.chars().count() + 1;
        let (left, margin) = last_of(&escape_terminal(left));
        let right = first_of(&escape_terminal(right));
        Self { line: Some(before.matches('\n').count() + 1), column, message, shown: left + &right, margin }
    }
}

/// What serde wanted is named in Rust's words.
fn in_plain_words(message: &str) -> Cow<'_, str> {
    let words = [
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number from 0 to 1"),
        ("expected a sequence", "expected a list"),
        ("invalid type: map, expected a sequence", "expected a list: its tables begin with two brackets, as [[allow]]"),
    ];
    let plain = words.iter().rev().find_map(|(rust, plain)| Some(format!("{}{plain}", message.strip_suffix(rust)?)));
    plain.map_or(Cow::Borrowed(message), Cow::Owned)
}

/// Characters of a message.
const LONGEST_MESSAGE: usize = 500;
/// Characters of a line that are shown on either side of an error.
const BESIDE: usize = 60;

/// The end of what stands before an error, and its length in characters.
fn last_of(text: &str) -> (String, usize) {
    match text.chars().count().checked_sub(BESIDE) {
        None | Some(0) => (text.to_owned(), text.chars().count()),
        Some(more) => (['…'].into_iter().chain(text.chars().skip(more + 1)).collect(), BESIDE),
    }
}

/// The beginning of what stands after it.
fn first_of(text: &str) -> String {
    if text.chars().count() <= BESIDE {
        return text.to_owned();
    }
    text.chars().take(BESIDE - 1).chain(['…']).collect()
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// The first thing that is wrong with the text, and its place.
    ///
    /// ```
    /// use quietus_reports::{Code, Policy};
    ///
    /// let policy = Policy::read(r#"
    /// severity = "warn"
    /// min_coverage = 0.9
    ///
    /// [[allow]]
    /// code = "orphan-process"
    /// subject = "*telemetry*"
    /// reason = "tracked as #812"
    /// expires = "2030-12-31"
    /// "#)?;
    /// assert_eq!(policy.allow[0].code, Code::OrphanProcess);
    ///
    /// let wrong = Policy::read("min_coverage = 90").unwrap_err();
    /// assert!(wrong.to_string().contains("a number from 0 to 1"));
    /// # Ok::<(), quietus_reports::PolicyError>(())
    /// ```
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let policy: Self = toml::from_str(text).map_err(|error| PolicyError::of(text, &error))?;
        if let Some(code) = policy.codes.fail.iter().find(|code| policy.codes.warn.contains(code)) {
            let message = format!("`{code}` cannot both fail and never fail: it is in codes.fail and in codes.warn");
            return Err(PolicyError::of_the_whole(message));
        }
        Ok(policy)
    }
}

#[cfg(test)]
mod tests;
