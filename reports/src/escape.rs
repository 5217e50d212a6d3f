//! Output of agents made harmless for a terminal.
//!
//! What an agent prints, names a file or puts on a command line is hostile
//! text: it may hold escape sequences that clear the screen, bidi overrides
//! that make one path look like another, or characters that nobody sees. Every
//! renderer passes such text through this module.
//!
//! **Backslash policy**: a backslash stays as it is. All printable ASCII is
//! unchanged, so commands, patterns and paths can be copied. The result is safe
//! but not reversible: `\x1b` in it may be an escape character or four
//! characters of the agent. The JSON report holds the exact text.

use std::fmt::Write as _;

/// Whether a character must not reach a terminal as it is: it acts, reorders
/// the text around it, cannot be seen, or is none (XML and HTML take no noncharacters).
#[must_use]
pub fn is_hazard(c: char) -> bool {
    c.is_control() // C0, DEL, C1
        || u32::from(c) & 0xfffe == 0xfffe // the last two of each plane
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{34f}' // combining grapheme joiner
            | '\u{61c}' // Arabic letter mark
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
            | '\u{17b4}' | '\u{17b5}' // Khmer inherent vowels
            | '\u{180b}'..='\u{180f}' // Mongolian selectors and vowel separator
            | '\u{200b}'..='\u{200f}' // zero width, left-to-right and right-to-left marks
            | '\u{2028}'..='\u{202e}' // line and paragraph separator, bidi embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, bidi isolates
            | '\u{fdd0}'..='\u{fdef}' // noncharacters
            | '\u{feff}' // byte order mark
            | '\u{fff9}'..='\u{fffb}' // interlinear annotation
            | '\u{1bca0}'..='\u{1bca3}' // shorthand format controls
            | '\u{1d173}'..='\u{1d17a}' // musical format controls
            | '\u{e0000}'..='\u{e0fff}' // tags and supplementary variation selectors
        )
}

/// Replaces every character that [`is_hazard`] by a visible escape: `\n`, `\r`,
/// `\t`, `\x1b` below U+0100, `\u{202e}` above.
///
/// The result is one line.
///
/// ```
/// use quietus_reports::escape::escape_terminal;
///
/// assert_eq!(escape_terminal("\u{1b}[2Jok\n"), r"\x1b[2Jok\n");
/// assert_eq!(escape_terminal(r"C:\temp"), r"C:\temp");
/// ```
#[must_use]
pub fn escape_terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out
}

/// [`escape_terminal`] for bytes: what is not UTF-8 becomes `\xff`, byte by byte.
#[must_use]
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c);
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, u32::from(*byte));
        }
    }
    out
}

/// Shortens `text` to at most `max` characters by cutting out its middle, for
/// which `…` stands. The start keeps one character more than the end.
///
/// Escape first, then truncate: otherwise the escapes make it long again.
#[must_use]
pub fn truncate_middle(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let Some(kept) = max.checked_sub(1) else {
        return String::new();
    };
    let tail = kept / 2;
    let head = kept - tail;
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !is_hazard(c) => out.push(c),
        c if u32::from(c) < 0x100 => push_hex(out, u32::from(c)),
        c => {
            let _infallible = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
}

fn push_hex(out: &mut String, value: u32) {
    let _infallible = write!(out, "\\x{value:02x}");
}

#[cfg(test)]
mod tests;
