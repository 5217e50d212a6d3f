//! A line of output as a person sees it: without the sequences that steer a terminal.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';

/// The text without escape sequences (ECMA-48): colours, titles, moves of the cursor.
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        shown.push_str(before);
        rest = after_sequence(after);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// What follows a sequence whose ESC has been read. One that does not end takes nothing
/// but its first character with it.
fn after_sequence(text: &str) -> &str {
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
        // A string for the terminal ends with BEL or ESC \.
        Some(']' | 'P' | '^' | '_' | 'X') => {
            let (bell, string_end) = (rest.find('\u{7}'), rest.find("\u{1b}\\"));
            match (bell, string_end) {
                (Some(bell), end) if end.is_none_or(|end| bell < end) => &rest[bell + 1..],
                (_, Some(end)) => &rest[end + 2..],
                _ => rest,
            }
        }
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
            ("\u{1b}[é", "é"),
            ("\u{1b}\u{1b}[mé", "é"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }
}
