//! Text of an agent inside Markdown, as nothing but text.
//!
//! A backslash is not enough: hosts make mentions, references and links of what is left
//! after the Markdown was read (`\@user` still is a mention on GitHub). They leave code
//! alone. So whatever is not a plain word stands in a code span, whose only way out is a run
//! of backticks of its own length.

use crate::escape::{escape_terminal, truncate_middle};

/// A text in code is cut to so many characters.
const LONGEST_CODE: usize = 400;
/// A sentence is cut to so many characters.
const LONGEST_PROSE: usize = 600;
/// A line of a block is cut to so many characters.
const LONGEST_LINE: usize = 200;

/// A name, a path, a command: a code span.
pub(super) fn code(text: &str) -> String {
    span(&truncate_middle(&escape_terminal(text), LONGEST_CODE))
}

/// [`code`] in a cell of a table, which ends at a `|` even inside of a code span.
pub(super) fn cell(text: &str) -> String {
    code(text).replace('|', r"\x7c")
}

/// A sentence: plain words as they are, everything else in code. What stands between
/// backticks in it is in code already.
///
/// It never stands at the start of a line, where a number would begin a list.
pub(super) fn prose(text: &str) -> String {
    let text = truncate_middle(&escape_terminal(text), LONGEST_PROSE);
    let pieces: Vec<&str> = text.split('`').collect();
    let balanced = pieces.len() % 2 == 1 && pieces.iter().skip(1).step_by(2).all(|piece| !piece.trim().is_empty());
    let mut out = Vec::new();
    if balanced {
        for (i, piece) in pieces.iter().enumerate() {
            if i % 2 == 0 { words(&mut out, piece) } else { out.push(Piece::Quoted((*piece).to_owned())) }
        }
    } else {
        words(&mut out, &text);
    }
    let shown: Vec<String> = out.iter().map(Piece::shown).collect();
    shown.join(" ")
}

/// Lines that are shown as they are, in a fence that none of them can end, ended by a newline.
pub(super) fn block<'a>(language: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    fence(language, lines.into_iter().map(|line| truncate_middle(&escape_terminal(line), LONGEST_LINE)))
}

/// A command to copy, which is never cut.
pub(super) fn command(escaped: &str) -> String {
    fence("sh", [escaped.to_owned()])
}

fn fence(language: &str, lines: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        // GitLab looks for commands such as `/close` at the starts of lines, and does not
        // know of fences of more than three backticks.
        if line.starts_with('/') {
            text.push(' ');
        }
        text.push_str(&line);
        text.push('\n');
    }
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}{language}\n{text}{fence}\n")
}

enum Piece {
    /// Plain words.
    Words(String),
    /// Words that are not plain.
    Code(String),
    /// What stood between backticks.
    Quoted(String),
}

impl Piece {
    fn shown(&self) -> String {
        match self {
            Self::Words(words) => words.clone(),
            Self::Code(words) => {
                // A comma belongs to the sentence.
                let code = words.trim_end_matches([',', ';', ':', ' ']);
                if code.is_empty() { span(words) } else { format!("{}{}", span(code), &words[code.len()..]) }
            }
            Self::Quoted(code) => span(code),
        }
    }
}

/// Takes `text` apart, neighbours of one sort together.
fn words(out: &mut Vec<Piece>, text: &str) {
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let plain = is_plain(word);
        match out.last_mut() {
            Some(Piece::Words(before)) if plain => *before = format!("{before} {word}"),
            Some(Piece::Code(before)) if !plain => *before = format!("{before} {word}"),
            _ if plain => out.push(Piece::Words(word.to_owned())),
            _ => out.push(Piece::Code(word.to_owned())),
        }
    }
}

/// Whether no reader of Markdown, and no host after it, makes anything of the word.
fn is_plain(word: &str) -> bool {
    let core = word.trim_start_matches(['(', '"', '\'']).trim_end_matches([',', '.', ';', ':', ')', '"', '\'', '?']);
    let inside = |c: char| c.is_alphanumeric() || "'./,-".contains(c);
    if !core.starts_with(char::is_alphanumeric) || !core.chars().all(inside) {
        return false;
    }
    // `www.` is a link, `GH-1` and `ABC-1` are references, and so may be the hash of a commit.
    let reference = core
        .match_indices('-')
        .any(|(at, _)| core[..at].contains(char::is_alphabetic) && core[at + 1..].starts_with(char::is_numeric));
    let hash = |part: &str| part.len() >= 7 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let any_hash = core.split(|c: char| !c.is_ascii_alphanumeric()).any(hash);
    !word.to_ascii_lowercase().contains("www.") && !reference && !any_hash
}

/// A code span with exactly this text.
fn span(text: &str) -> String {
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    // One space at both ends is not part of the text, if there is one at both.
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
