//! Paths as text that is safe to keep and to show.

/// A path as text: bytes that are not UTF-8 and backslashes become `\xNN`, so
/// that two different paths never give the same text.
///
/// ```
/// assert_eq!(quietus::model::path_text(b"/tmp/\xff"), "/tmp/\\xff");
/// ```
pub fn path_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter == '\\' {
                out.push_str("\\x5c");
            } else {
                out.push(letter);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::path_text;

    #[test]
    fn different_paths_stay_different() {
        assert_eq!(path_text(b"/tmp/a"), "/tmp/a");
        assert_eq!(path_text(b"/tmp/\xff"), "/tmp/\\xff");
        assert_eq!(path_text(b"/tmp/\\xff"), "/tmp/\\x5cxff");
        assert_eq!(path_text("/tmp/é".as_bytes()), "/tmp/é");
    }
}
