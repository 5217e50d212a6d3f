//! Words as a shell reads them back.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// One word, quoted only where a shell would change it.
pub(crate) fn quote(word: &OsStr) -> String {
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
pub(crate) fn quote_all<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
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
    }
}
