//! A line of output as a person sees it: without the sequences that steer a terminal.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// The text without escape sequences (ECMA-48): colours, titles, moves of the cursor.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let (mut rest, mut strings) = (text, Strings::MayEnd);
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        shown.push_str(before);
        rest = after_sequence(after, &mut strings);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Whether a string for the terminal that begins here can end: not when one before it did not.
#[derive(PartialEq)]
enum Strings {
    MayEnd,
    DoNotEnd,
}

/// Where a string for the terminal is over: after BEL or ESC \.
fn end_of_string(text: &str) -> Option<usize> {
    text.match_indices(['\u{7}', ESCAPE]).find_map(|(at, one)| match one {
        "\u{7}" => Some(at + 1),
        _ => text.get(at + 1..).is_some_and(|rest| rest.starts_with('\\')).then_some(at + 2),
    })
}

/// What follows a sequence whose ESC has been read. One that does not end takes nothing
/// but its first character with it.
fn after_sequence<'a>(text: &'a str, strings: &mut Strings) -> &'a str {
    let mut characters = text.chars();
    let first = characters.next();
    let rest = characters.as_str();
    match first {
        Some(ESCAPE) => text,
        // A control sequence ends with a letter or another of 0x40 to 0x7e.
        Some('[') => {
            let end = rest.find(|one: char| !matches!(one, ' '..='?'));
            match end.and_then(|end| rest.get(end..)) {
                Some(ending) if ending.starts_with(|one: char| matches!(one, '@'..='~')) => &ending[1..],
                _ => rest,
            }
        }
        Some(']' | 'P' | '^' | '_' | 'X') if *strings == Strings::MayEnd => match end_of_string(rest) {
            Some(end) => &rest[end..],
            None => {
                *strings = Strings::DoNotEnd;
                rest
            }
        },
        // Such as the choice of a character set: ESC ( B.
        Some(' '..='/') => {
            let mut left = rest.chars();
            left.next();
            left.as_str()
        }
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_steers_a_terminal_is_left_out() {
        for (text, shown) in [
            ("done", "done"),
            ("\u{1b}[1;32mdone\u{1b}[0m", "done"),
            ("\u{1b}]0;title\u{7}done\u{1b}]8;;file:///a\u{1b}\\ link", "done link"),
            ("\u{1b}(Bdone\u{1b}=", "done"),
            // What does not end.
            ("done\u{1b}", "done"),
            ("done\u{1b}[", "done"),
            ("\u{1b}[12", "12"),
            ("\u{1b}]done", "done"),
            ("\u{1b}]\u{1b}]a\u{1b}[m\u{1b}]b", "ab"),
            ("\u{1b}]a\u{1b}[mb\u{7}c\u{1b}]d", "cd"),
            ("\u{1b}[é", "é"),
            ("\u{1b}\u{1b}[mé", "é"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }
}
