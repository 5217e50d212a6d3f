//! Spans of time as people write them: `250ms`, `5s`, `1.5s`, `2m`.

use std::time::Duration;

/// Text that is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a span of time: write a number and a unit, such as 250ms, 5s or 2m")]
pub struct SpanError {
    text: String,
}

/// The longest span accepted: a week. It keeps every deadline representable.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads a span such as `250ms`, `5s`, `1.5s`, `2m` or `1h`.
///
/// # Errors
/// When the number or the unit is missing or unknown, or the span is longer than a week.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(quietus::model::parse_span("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(quietus::model::parse_span("5").is_err());
/// ```
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let error = || SpanError { text: text.to_owned() };
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(error)?;
    let (number, unit) = text.split_at(unit_at);
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(error());
    }
    let number: f64 = number.parse().map_err(|_| error())?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(error()),
    };
    let span = Duration::try_from_secs_f64(seconds).map_err(|_| error())?;
    if span > LONGEST { Err(error()) } else { Ok(span) }
}

/// Writes a span in the shortest form that [`parse_span`] reads back, to the microsecond.
pub fn format_span(span: Duration) -> String {
    let micros = span.as_micros();
    if micros == 0 {
        "0s".to_owned()
    } else if micros.is_multiple_of(1_000_000) {
        format!("{}s", micros / 1_000_000)
    } else if micros.is_multiple_of(1_000) {
        format!("{}ms", micros / 1_000)
    } else {
        format!("{micros}us")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_usual_forms() {
        for (text, micros) in
            [("250ms", 250_000), ("5s", 5_000_000), ("1.5s", 1_500_000), ("2m", 120_000_000), ("0s", 0)]
        {
            assert_eq!(parse_span(text).map(|d| d.as_micros()), Ok(micros), "{text}");
        }
    }

    #[test]
    fn refuses_what_has_no_unit_or_no_number() {
        for text in ["", "5", "ms", "-5s", "5 s", "5sec", "1e3s", "..s", "999999h", "٣s"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in 0u64..600_000_000_000) {
            let span = Duration::from_micros(micros);
            prop_assert_eq!(parse_span(&format_span(span)), Ok(span));
        }
    }
}
