//! In what a file differs from what it was or should be, as lines of evidence. Pure.
//!
//! Content of an agent is hostile: it is escaped where it is rendered. Here it is only
//! kept short, whatever its size.

use similar::{ChangeTag, TextDiff};

/// So many lines of a difference are shown,
const MOST_LINES: usize = 12;
/// so many letters of each,
const LONGEST_LINE: usize = 100;
/// so many bytes of data,
const MOST_BYTES: usize = 16;
/// and so much is compared line by line, from shortly before the first difference.
const WINDOW: (usize, usize) = (40, 16 << 10);
/// So many equal lines stand before and after what differs.
const CONTEXT: usize = 2;

/// What is said of a content that differs from what was there before, and from what an
/// undisturbed run leaves there, if it leaves that path changed.
pub(super) fn difference(before: Option<&[u8]>, now: &[u8], committed: Option<&[u8]>) -> Vec<String> {
    let size = |content: Option<&[u8]>, none: &str| match content {
        Some(content) => format!("{} bytes", content.len()),
        None => none.to_owned(),
    };
    let mut lines = vec![format!(
        "before: {}; now: {} bytes; an undisturbed run: {}",
        size(before, "not there"),
        now.len(),
        size(committed, "as before")
    )];
    let known = [(committed, "what an undisturbed run leaves"), (before, "what was there before")];
    let filled =
        known.into_iter().filter_map(|(content, whose)| Some((content.filter(|known| !known.is_empty())?, whose)));
    // The nearer one, the first of them where both are as near.
    let nearest = filled.rev().max_by_key(|(content, _)| common(content, now));
    if let Some((known, whose)) = nearest.filter(|_| !now.is_empty()) {
        lines.extend(differs(known, now, whose));
    }
    lines
}

/// How many bytes two contents have in common from the start.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Whether it is text, which may be cut in the middle of a letter.
fn is_text(content: &[u8]) -> bool {
    let whole = std::str::from_utf8(content).map_or_else(|error| error.error_len().is_none(), |_| true);
    whole && !content.contains(&0)
}

fn differs(known: &[u8], now: &[u8], whose: &str) -> Vec<String> {
    let first = common(known, now);
    let text = is_text(known) && is_text(now);
    let line = now.iter().take(first).filter(|byte| **byte == b'\n').count() + 1;
    let place = if text { format!("byte {first} (line {line})") } else { format!("byte {first}") };
    let mut lines = vec![if first == now.len() {
        format!("it is {whose} up to {place}, where it ends")
    } else if first == known.len() {
        format!("it is {whose}, and goes on at {place}")
    } else {
        format!("it differs from {whose} at {place}")
    }];
    if text {
        lines.extend(text_diff(known, now, first, line, whose));
    } else {
        let excerpt = |content: &[u8]| {
            let bytes: Vec<String> =
                content.iter().skip(first).take(MOST_BYTES).map(|byte| format!("{byte:02x}")).collect();
            if bytes.is_empty() { "nothing".to_owned() } else { bytes.join(" ") }
        };
        lines.push(format!("from byte {first} on, {whose}: {}", excerpt(known)));
        lines.push(format!("from byte {first} on, now: {}", excerpt(now)));
    }
    lines
}

/// The lines from a byte on, as far as they are compared.
fn lines_from(content: &[u8], start: usize) -> Vec<String> {
    let window: Vec<u8> = content.iter().skip(start).take(WINDOW.1).copied().collect();
    let text = String::from_utf8_lossy(&window).into_owned();
    text.split_terminator('\n').take(WINDOW.0).map(str::to_owned).collect()
}

fn shortened(line: &str) -> String {
    let mut short: String = line.chars().take(LONGEST_LINE).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// What differs, line by line: `-` is what is missing, `+` what is there instead.
fn text_diff(known: &[u8], now: &[u8], first: usize, line: usize, whose: &str) -> Vec<String> {
    // Up to there both are the same, so the lines before start at the same byte in both.
    let equal = now.get(..first).unwrap_or_default();
    let mut starts = equal.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let skipped = CONTEXT.min(line.saturating_sub(1));
    let start = starts.nth(skipped).unwrap_or(0);
    // A very long line is shown from shortly before its difference.
    let start = start.max(first.saturating_sub(WINDOW.1 / 2));
    let (old, new) = (lines_from(known, start), lines_from(now, start));
    let (old, new): (Vec<&str>, Vec<&str>) =
        (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
    let diff = TextDiff::from_slices(&old, &new);
    let mut lines = vec![format!("--- {whose}, +++ now, from line {}", line - skipped)];
    let changes = diff.grouped_ops(CONTEXT).into_iter().flatten();
    let mut changes = changes.flat_map(|op| diff.iter_changes(&op).collect::<Vec<_>>());
    lines.extend(changes.by_ref().take(MOST_LINES).map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{sign}{}", shortened(change.value()))
    }));
    if changes.next().is_some() {
        lines.push("…".to_owned());
    }
    // Only the end of a last line differs: that has been said.
    if lines.len() > 1 { lines } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(before: Option<&str>, now: &str, committed: Option<&str>) -> Vec<String> {
        difference(before.map(str::as_bytes), now.as_bytes(), committed.map(str::as_bytes))
    }

    #[test]
    fn a_cut_text_shows_where_it_ends() {
        assert_eq!(
            told(Some("a = 1\nb = 2\n"), "a = 9\nb =", Some("a = 9\nb = 8\nc = 7\n")),
            [
                "before: 12 bytes; now: 9 bytes; an undisturbed run: 18 bytes",
                "it is what an undisturbed run leaves up to byte 9 (line 2), where it ends",
                "--- what an undisturbed run leaves, +++ now, from line 1",
                " a = 9",
                "-b = 8",
                "-c = 7",
                "+b =",
            ]
        );
    }

    #[test]
    fn what_is_nearer_is_compared() {
        let lines = told(Some("one\ntwo\nthree\n"), "one\ntwo\n3\n", Some("1\n"));
        assert_eq!(lines.get(1).map(String::as_str), Some("it differs from what was there before at byte 8 (line 3)"));
        assert_eq!(lines.get(3..), Some(&[" one", " two", "-three", "+3"].map(str::to_owned)[..]));
        let lines = told(Some("x\n"), "x\ny\n", None);
        assert_eq!(
            lines,
            [
                "before: 2 bytes; now: 4 bytes; an undisturbed run: as before",
                "it is what was there before, and goes on at byte 2 (line 2)",
                "--- what was there before, +++ now, from line 1",
                " x",
                "+y",
            ]
        );
    }

    #[test]
    fn an_empty_file_is_told_by_its_size() {
        assert_eq!(told(Some("x"), "", Some("y")), ["before: 1 bytes; now: 0 bytes; an undisturbed run: 1 bytes"]);
        assert_eq!(told(None, "x", None), ["before: not there; now: 1 bytes; an undisturbed run: as before"]);
    }

    #[test]
    fn data_is_told_by_its_bytes() {
        let lines = difference(None, b"PK\x03\x04\xff", Some(b"PK\x03\x04\x00\x01"));
        assert_eq!(
            lines.get(1..).unwrap_or_default(),
            [
                "it differs from what an undisturbed run leaves at byte 4",
                "from byte 4 on, what an undisturbed run leaves: 00 01",
                "from byte 4 on, now: ff",
            ]
        );
    }

    #[test]
    fn a_text_that_is_cut_in_a_letter_is_text() {
        let whole = "name = \u{e4}\u{f6}\n".as_bytes();
        let lines = difference(None, whole.get(..8).unwrap_or_default(), Some(whole));
        assert!(lines.iter().any(|line| line.starts_with("+name = ")), "{lines:?}");
    }

    #[test]
    fn much_that_differs_is_cut_short() {
        let text =
            |word: &str| (0..10_000).map(|line| format!("{word} {line} {}\n", "x".repeat(500))).collect::<String>();
        let lines = told(None, &text("new"), Some(&text("old")));
        assert!(lines.len() <= MOST_LINES + 4, "{lines:?}");
        let long = "x".repeat(1 << 20);
        let lines = told(None, &format!("{long}a{long}"), Some(&format!("{long}b{long}")));
        assert_eq!(
            lines.get(1).map(String::as_str),
            Some("it differs from what an undisturbed run leaves at byte 1048576 (line 1)")
        );
    }

    proptest! {
        #[test]
        fn whatever_is_compared_it_stays_short(
            before in proptest::option::of(proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..300)),
            now in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..300),
            cut in 0_usize..300,
        ) {
            let committed = now.get(cut..).map(|rest| [rest, b"x"].concat());
            let lines = difference(before.as_deref(), &now, committed.as_deref());
            prop_assert!(lines.len() <= MOST_LINES + 4);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= LONGEST_LINE + 60));
        }
    }
}
