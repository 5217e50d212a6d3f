//! Words as a shell reads them back.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// One word, quoted only where a shell would change it.
fn quote(word: &OsStr) -> String {
    let bytes = word.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    if bytes.iter().any(|byte| byte.is_ascii_control()) || std::str::from_utf8(bytes).is_err() {
        let mut out = String::from("$'");
        for chunk in bytes.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\n' => out.push_str("\\n"),
                    '\t' => out.push_str("\\t"),
                    '\'' | '\\' => out.extend(['\\', letter]),
                    letter if letter.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(letter))),
                    letter => out.push(letter),
                }
            }
            chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
        }
        return out + "'";
    }
    format!("'{}'", String::from_utf8_lossy(bytes).replace('\'', "'\\''"))
}

/// A whole command.
pub fn quote_all<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// The words of a line that [`quote_all`] made. `None` when nobody could have made it.
pub fn split_quoted(line: &str) -> Option<Vec<OsString>> {
    let mut words: Vec<OsString> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut rest = line.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b' ' {
            words.extend(word.take().map(OsString::from_vec));
            rest = tail;
            continue;
        }
        let into = word.get_or_insert_default();
        rest = match (first, tail) {
            (b'\'', tail) => {
                let end = tail.iter().position(|byte| *byte == b'\'')?;
                into.extend_from_slice(tail.get(..end)?);
                tail.get(end + 1..)?
            }
            (b'$', [b'\'', tail @ ..]) => unescape(tail, into)?,
            (b'\\', [next, tail @ ..]) => {
                into.push(*next);
                tail
            }
            (b'$' | b'\\', _) => return None,
            (plain, tail) => {
                into.push(plain);
                tail
            }
        };
    }
    words.extend(word.map(OsString::from_vec));
    Some(words)
}

/// Reads `$'…'` from behind its opening; gives what follows its end.
fn unescape<'a>(mut rest: &'a [u8], into: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'\'', tail @ ..] => return Some(tail),
            [b'\\', b'x', high, low, tail @ ..] => {
                let hex = [*high, *low];
                into.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
                tail
            }
            [b'\\', letter, tail @ ..] => {
                into.push(match letter {
                    b'n' => b'\n',
                    b't' => b'\t',
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                into.push(*byte);
                tail
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let words: Vec<&OsStr> = ["plain", "", "two words", "it's", "a$b`c", "new\nline", "tab\tend\\", "é", "*"]
            .into_iter()
            .map(OsStr::new)
            .chain([OsStr::from_bytes(b"\xff\x01")])
            .collect();
        let script = format!("printf '%s\\0' {}", quote_all(words.iter().copied()));
        let output = std::process::Command::new("bash").arg("-c").arg(script).output().expect("bash runs");
        let read: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
        let meant: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).chain([&b""[..]]).collect();
        assert_eq!(read, meant);
        let own = split_quoted(&quote_all(words.iter().copied())).expect("our own line");
        assert_eq!(own, words);
        assert_eq!(split_quoted("'open"), None);
    }
}
