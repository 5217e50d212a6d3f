//! Strings of a scenario as values: points, spans, patterns, dates.
//!
//! Each function takes a [`Quoted`] and gives the value, or reports why not.

use super::diagnostic::Diagnostic;
use super::fields::{Quoted, Reader};
use super::shape::Choice;
use super::spec::ExpectedExit;
use super::suggest::{either, nearest};
use crate::model::{Injection, Pattern, PointSpec, Profile, Signal, parse_span};
use quietus_reports::Code;
use std::ops::Range;
use std::time::Duration;

/// First words of points, as far as this version has them.
const POINTS: [&str; 10] = ["start", "time", "output", "file", "port", "process", "when", "idle", "syscall", "blocked"];

/// First words of injections that DESIGN.md names and this version does not have.
const LATER_INJECTIONS: [&str; 5] = ["cancel", "token", "drop", "abort", "timeout"];

impl Reader<'_> {
    /// A string that is not empty.
    pub(super) fn filled(&mut self, quoted: &Quoted<'_>) -> Option<String> {
        if quoted.text.is_empty() {
            self.report(
                Diagnostic::new("empty", quoted.span.clone(), "an empty string says nothing here").label("empty"),
            );
            return None;
        }
        Some(quoted.text.to_owned())
    }

    /// One line that is not blank.
    pub(super) fn line(&mut self, quoted: &Quoted<'_>) -> Option<String> {
        if quoted.text.trim().is_empty() {
            self.report(Diagnostic::new("empty", quoted.span.clone(), "a blank text says nothing here").label("blank"));
            return None;
        }
        if quoted.text.contains(char::is_control) {
            self.report(
                Diagnostic::new(
                    "not-one-line",
                    quoted.span.clone(),
                    "this text must be one line without control characters",
                )
                .label("not one line"),
            );
            return None;
        }
        Some(quoted.text.to_owned())
    }

    /// One of some words. The name is the table's own.
    pub(super) fn choice(&mut self, quoted: &Quoted<'_>, choices: &'static [Choice]) -> Option<&'static str> {
        match choices.iter().find(|choice| choice.name == quoted.text) {
            Some(choice) if choice.here => return Some(choice.name),
            Some(choice) => self.report(
                Diagnostic::new("not-yet", quoted.span.clone(), format!("this version cannot {} yet", choice.doc))
                    .label(format!("`{}` is not in this version", choice.name)),
            ),
            None => {
                let names: Vec<&str> = choices.iter().filter(|choice| choice.here).map(|choice| choice.name).collect();
                let help = nearest(quoted.text, names.iter().copied()).map(|name| format!("did you mean `{name}`?"));
                self.report(
                    Diagnostic::new(
                        "unknown-value",
                        quoted.span.clone(),
                        format!("this must be {}, not `{}`", either(&names), quoted.text),
                    )
                    .label("unknown value")
                    .maybe_help(help),
                );
            }
        }
        None
    }

    /// A span of time.
    pub(super) fn span_of_time(&mut self, quoted: &Quoted<'_>) -> Option<Duration> {
        match parse_span(quoted.text) {
            Ok(span) => Some(span),
            Err(error) => {
                self.report(
                    Diagnostic::new("bad-span", quoted.span.clone(), error.to_string())
                        .label("not a span of time, or more than a week"),
                );
                None
            }
        }
    }

    /// A span of time that is not zero.
    pub(super) fn some_time(&mut self, quoted: &Quoted<'_>) -> Option<Duration> {
        let span = self.span_of_time(quoted)?;
        if span.is_zero() {
            self.report(
                Diagnostic::new("out-of-range", quoted.span.clone(), "nothing can happen in no time")
                    .label("must be more than 0s"),
            );
            return None;
        }
        Some(span)
    }

    /// A point.
    pub(super) fn point(&mut self, quoted: &Quoted<'_>) -> Option<PointSpec> {
        match quoted.text.parse() {
            Ok(point) => Some(point),
            Err(error) => {
                let word = quoted.text.trim_start_matches('+').split(':').next().unwrap_or_default();
                let help =
                    nearest(word, POINTS).filter(|name| *name != word).map(|name| format!("did you mean `{name}`?"));
                self.report(
                    Diagnostic::new("bad-point", quoted.span.clone(), error.to_string())
                        .label("not a point")
                        .maybe_help(help),
                );
                None
            }
        }
    }

    /// An injection.
    pub(super) fn injection(&mut self, quoted: &Quoted<'_>) -> Option<Injection> {
        let error = match quoted.text.parse::<Injection>() {
            Ok(injection) => return Some(injection),
            Err(error) => error,
        };
        let span = self.part(quoted, &error.step);
        let word = error.step.split([':', '@']).next().unwrap_or_default();
        if LATER_INJECTIONS.contains(&word) {
            self.report(
                Diagnostic::new("not-yet", span, format!("this version cannot inject `{word}` yet"))
                    .label("not in this version"),
            );
            return None;
        }
        let signals: Vec<String> = (1..=64).filter_map(Signal::from_number).map(|signal| signal.to_string()).collect();
        let known = ["stdin-eof", "pty-hangup", "parent-death"]
            .into_iter()
            .chain(signals.iter().map(String::as_str).filter(|name| name.starts_with(char::is_alphabetic)));
        let help = if let Some(span_wanted) =
            Some(word).filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
        {
            Some(format!("a wait has a unit, such as {span_wanted}ms"))
        } else {
            nearest(word, known).filter(|name| *name != word).map(|name| format!("did you mean `{name}`?"))
        };
        self.report(Diagnostic::new("bad-injection", span, error.to_string()).label("not a step").maybe_help(help));
        None
    }

    /// A profile.
    pub(super) fn profile(&mut self, quoted: &Quoted<'_>) -> Option<Profile> {
        match quoted.text.parse() {
            Ok(profile) => Some(profile),
            Err(_) => {
                let names: Vec<&str> = Profile::all().iter().map(|profile| profile.name).collect();
                let help = match nearest(quoted.text, names.iter().copied()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("the profiles are {}", names.join(", ")),
                };
                self.report(
                    Diagnostic::new(
                        "unknown-profile",
                        quoted.span.clone(),
                        format!("there is no profile `{}`", quoted.text),
                    )
                    .label("unknown profile")
                    .help(help),
                );
                None
            }
        }
    }

    /// An ending: an exit status or a signal.
    pub(super) fn exit(&mut self, quoted: &Quoted<'_>) -> Option<ExpectedExit> {
        let text = quoted.text;
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            if let Some(code) = text.parse().ok().filter(|code| *code <= 255) {
                return Some(ExpectedExit::Code(code));
            }
        } else if let Ok(signal) = text.parse() {
            return Some(ExpectedExit::Signal(signal));
        }
        let message =
            format!("`{text}` is no ending: write an exit status from \"0\" to \"255\", or a signal such as \"TERM\"");
        self.report(Diagnostic::new("bad-exit", quoted.span.clone(), message).label("neither a status nor a signal"));
        None
    }

    /// A regular expression, as text.
    pub(super) fn pattern(&mut self, quoted: &Quoted<'_>) -> Option<String> {
        match regex::Regex::new(quoted.text) {
            Ok(_) => Some(quoted.text.to_owned()),
            Err(error) => {
                let error = error.to_string();
                let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.report(
                    Diagnostic::new(
                        "bad-pattern",
                        quoted.span.clone(),
                        format!("the regular expression is wrong: {why}"),
                    )
                    .label("cannot be read"),
                );
                None
            }
        }
    }

    /// A regular expression for lines of output.
    pub(super) fn of_lines(&mut self, quoted: &Quoted<'_>) -> Option<Pattern> {
        self.pattern(quoted)?.parse().ok()
    }

    /// A regular expression for lines of output that name a resource.
    pub(super) fn of_releases(&mut self, quoted: &Quoted<'_>) -> Option<Pattern> {
        let pattern = self.of_lines(quoted)?;
        if pattern.names_resources() {
            return Some(pattern);
        }
        self.report(
            Diagnostic::new(
                "no-resource-group",
                quoted.span.clone(),
                "the regular expression has no group `resource`, which says what was released",
            )
            .label("no group `resource`")
            .help(r"put the name of the resource into one: 'released (?<resource>\S+)'"),
        );
        None
    }

    /// A glob, as text.
    pub(super) fn glob(&mut self, quoted: &Quoted<'_>) -> Option<String> {
        let text = self.filled(quoted)?;
        match globset::Glob::new(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                self.report(
                    Diagnostic::new("bad-glob", quoted.span.clone(), format!("the pattern is wrong: {}", error.kind()))
                        .label("cannot be read"),
                );
                None
            }
        }
    }

    /// A finding's code.
    pub(super) fn code(&mut self, quoted: &Quoted<'_>) -> Option<Code> {
        match quoted.text.parse() {
            Ok(code) => Some(code),
            Err(_) => {
                let help = match nearest(quoted.text, Code::ALL.iter().map(|code| code.as_str())) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "`quietus explain --list` shows all codes".to_owned(),
                };
                self.report(
                    Diagnostic::new(
                        "unknown-code",
                        quoted.span.clone(),
                        format!("there is no finding code `{}`", quoted.text),
                    )
                    .label("unknown code")
                    .help(help),
                );
                None
            }
        }
    }

    /// A date, as text.
    pub(super) fn date(&mut self, quoted: &Quoted<'_>) -> Option<String> {
        if is_date(quoted.text) {
            return Some(quoted.text.to_owned());
        }
        let message = format!("`{}` is not a date: write YYYY-MM-DD, such as 2030-12-31", quoted.text);
        self.report(Diagnostic::new("bad-date", quoted.span.clone(), message).label("no such day"));
        None
    }

    /// Where `part` stands inside a string, if the string is written without
    /// escapes; else where the whole string stands.
    fn part(&self, quoted: &Quoted<'_>, part: &str) -> Range<usize> {
        let start = quoted.span.start + 1;
        let bare = self.text.get(start..quoted.span.end.saturating_sub(1)) == Some(quoted.text);
        match quoted.text.find(part) {
            Some(at) if bare && !part.is_empty() => start + at..start + at + part.len(),
            _ => quoted.span.clone(),
        }
    }
}

/// Whether the text is a day of the Gregorian calendar in the form YYYY-MM-DD.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return false;
    }
    let number = |range: Range<usize>| text[range].parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn only_days_that_exist_are_dates() {
        for date in ["2026-01-31", "2024-02-29", "2000-02-29", "2026-12-31", "0001-01-01"] {
            assert!(is_date(date), "{date}");
        }
        for text in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026-1-1",
            "2026/01/01",
            "",
            "２０２６-01",
            "2026-01-01T00:00",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }
}
