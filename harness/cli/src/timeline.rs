//! What happened in one trial, line by line.

use quietus::explore::{Replayed, moments};
use quietus_reports::escape::escape_terminal;
use std::fmt::Write as _;

/// More of what the agent did than this, before the injection and after it, is left out.
const MOST: usize = 100;

/// The trial, line by line: since the start of the agent, and since the injection.
pub(crate) fn timeline(replayed: &Replayed) -> String {
    let (record, which) = match &replayed.recorded {
        Some(recorded) => (recorded, " of a second run that was recorded and found the same"),
        None => (&replayed.record, ""),
    };
    let mut text = format!("timeline{which} (since the start of the agent, and since the injection)\n");
    for moment in moments(record, MOST) {
        let since = moment.since_us.map(|since| format!("+{}", milliseconds(since))).unwrap_or_default();
        let _ = writeln!(text, "  {:>10} {since:>11}  {}", milliseconds(moment.at_us), escape_terminal(&moment.what));
    }
    text
}

fn milliseconds(micros: u64) -> String {
    format!("{:.1}ms", micros as f64 / 1e3)
}
