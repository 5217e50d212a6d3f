//! Names that are the same in every run and on every machine.
//!
//! A baseline compares findings of different runs, so a fingerprint must not
//! hold pids, random file names or time stamps. [`normalise`] takes them out;
//! [`fingerprint`] hashes what is left.
//!
//! It errs on one side: taking a real word for a random name merges two
//! findings, leaving a random name in place makes an old finding look new. The
//! known shapes (Python `tmp` + 8, `mktemp`, UUIDs, hex, numbers) are exact.
//! Other names are judged by their letters (see `looks_random`), which is right
//! about 97 times in 100.
//!
//! **Format-stable**: baselines hold fingerprints, so a change to any rule here
//! changes the report format.

mod letters;
mod relative;

use crate::code::Code;
use letters::looks_random;
pub use relative::relative;

/// Stands for random characters.
const RANDOM: char = '*';
/// Stands for a number of three digits or more.
const NUMBER: char = '#';

/// `code:` and 16 hex digits over the normalised parts.
///
/// Parts are the things that make a finding the one it is: the role of the
/// process, the subject, the cause. Their order matters.
///
/// ```
/// use quietus_reports::{Code, fingerprint::fingerprint};
///
/// let monday = fingerprint(Code::TempFile, &["0.1", "/tmp/sort8hGk2Q"]);
/// let friday = fingerprint(Code::TempFile, &["0.1", "/tmp/sortXb91Ka"]);
/// assert_eq!(monday, friday);
/// assert!(monday.starts_with("temp-file:"));
/// ```
#[must_use]
pub fn fingerprint(code: Code, parts: &[&str]) -> String {
    let mut hash = Fnv1a::new();
    for part in parts {
        // A hex name that happens to have no letter is a number in one run and
        // random in the next, so both placeholders hash alike.
        for byte in normalise(part).bytes() {
            hash.byte(if byte == NUMBER as u8 { RANDOM as u8 } else { byte });
        }
        hash.byte(0); // "a", "bc" is not "ab", "c"
    }
    format!("{code}:{:016x}", hash.0)
}

/// 16 hex digits over these parts as they are: the same ones in every release.
///
/// ```
/// use quietus_reports::fingerprint::digest;
///
/// assert_eq!(digest([b"python3", b"agent.py".as_slice()]), digest(["python3", "agent.py"]));
/// assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
/// ```
#[must_use]
pub fn digest<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hash = Fnv1a::new();
    for part in parts {
        part.as_ref().iter().for_each(|byte| hash.byte(*byte));
        hash.byte(0);
    }
    format!("{:016x}", hash.0)
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo). Not `std`'s hasher, which may change
/// with any release.
struct Fnv1a(u64);

impl Fnv1a {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn byte(&mut self, byte: u8) {
        self.0 ^= byte as u64;
        self.0 = self.0.wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// Replaces what differs from run to run: random name parts become `*`, numbers
/// of three digits or more become `#`.
///
/// ```
/// use quietus_reports::fingerprint::normalise;
///
/// assert_eq!(normalise("/tmp/tmp3k_0q9xz/out.txt"), "/tmp/tmp*/out.txt");
/// assert_eq!(normalise("worker-12345.sock"), "worker-#.sock");
/// assert_eq!(normalise("python3.11 part-1"), "python3.11 part-1");
/// ```
#[must_use]
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = strip_uuid(rest) {
            out.push(RANDOM);
            rest = after;
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let before = &text[..text.len() - rest.len()];
            push_word(&mut out, before, &rest[..end]);
            rest = &rest[end..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What follows a UUID at the start of `text`, if there is one.
fn strip_uuid(text: &str) -> Option<&str> {
    let (uuid, after) = text.split_at_checked(36)?;
    let shaped = uuid.bytes().enumerate().all(|(i, byte)| match i {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (shaped && !after.starts_with(is_word)).then_some(after)
}

/// Handles a maximal run of letters, digits and `_`.
fn push_word(out: &mut String, before: &str, word: &str) {
    // Python's tempfile, and prefixes that users give `mktemp` with 6 to 10.
    if let Some(name) = word.strip_prefix("tmp") {
        let python = name.len() == 8 && name.bytes().all(is_python);
        let tempfile_crate = name.len() == 6 && before.ends_with('.') && !name.contains('_');
        if python || tempfile_crate || (name.len() >= 6 && !name.contains('_') && looks_random(name)) {
            out.push_str("tmp*");
            return;
        }
    }
    // `mktemp` without a template: `tmp.` and ten characters.
    if before.ends_with("tmp.") && word.len() == 10 && !word.contains('_') {
        out.push(RANDOM);
        return;
    }
    // Python's tempfile after a prefix of the user: `_` is one of its letters.
    if let Some(at) = word.len().checked_sub(8) {
        let (prefix, name) = word.split_at(at);
        let starts = if at == 0 { ends_in_separator(before) } else { prefix.ends_with('_') };
        let python = name.contains('_') && name.bytes().all(is_python);
        if starts && python && looks_random(&name.replace('_', "")) {
            push_pieces(out, before, prefix);
            out.push(RANDOM);
            return;
        }
    }
    push_pieces(out, before, word);
}

const fn is_python(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

fn ends_in_separator(before: &str) -> bool {
    before.ends_with(['-', '.', '_'])
}

/// Handles the parts of a word between its `_`.
fn push_pieces(out: &mut String, before: &str, word: &str) {
    for (i, piece) in word.split('_').enumerate() {
        if i > 0 {
            out.push('_');
        }
        push_piece(out, i > 0 || ends_in_separator(before), piece);
    }
}

fn push_piece(out: &mut String, after_separator: bool, piece: &str) {
    if is_hex_name(piece) {
        out.push(RANDOM);
        return;
    }
    if piece.strip_prefix("0x").is_some_and(|hex| hex.len() >= 4 && is_hex(hex)) {
        out.push_str("0x*");
        return;
    }
    let template_length = matches!(piece.len(), 6 | 8 | 10 | 12);
    if after_separator && template_length && looks_random(piece) {
        out.push(RANDOM);
        return;
    }
    // A plain word is random only where a template would put it (above):
    // a file called `mysqld` is not, `agent-qxvkzwpj` is.
    if piece.len() >= 6 && !is_plain(piece) && looks_random(piece) {
        // mkstemp(3): a lower-case prefix and six characters.
        let (prefix, _) = piece.split_at(piece.len() - 6);
        if prefix.len() >= 2 && prefix.bytes().all(|byte| byte.is_ascii_lowercase()) {
            out.push_str(prefix);
        }
        out.push(RANDOM);
        return;
    }
    push_numbers(out, piece);
}

fn is_hex(piece: &str) -> bool {
    let digits_and = |range: fn(&u8) -> bool| piece.bytes().all(|byte| byte.is_ascii_digit() || range(&byte));
    digits_and(|byte| matches!(byte, b'a'..=b'f')) || digits_and(|byte| matches!(byte, b'A'..=b'F'))
}

/// Hex of eight characters or more, with both a digit and a letter.
fn is_hex_name(piece: &str) -> bool {
    piece.len() >= 8
        && is_hex(piece)
        && piece.bytes().any(|byte| byte.is_ascii_digit())
        && piece.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Letters only, and of one case but for the first.
fn is_plain(piece: &str) -> bool {
    let tail = piece.get(1..).unwrap_or_default().as_bytes();
    piece.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (tail.iter().all(u8::is_ascii_lowercase) || piece.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn push_numbers(out: &mut String, piece: &str) {
    let mut rest = piece;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits >= 3 {
            out.push(NUMBER);
        } else {
            out.push_str(&rest[..digits]);
        }
        rest = &rest[digits..];
        let other = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        out.push_str(&rest[..other]);
        rest = &rest[other..];
    }
}

#[cfg(test)]
mod tests;
