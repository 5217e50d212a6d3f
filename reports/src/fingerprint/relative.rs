//! Paths as seen from a directory, wherever in a text they stand.

/// The text with the directory, and the paths in it, written by a short name: `.` for the
/// working directory, `~` for the home directory. A path that only ends or goes on in other
/// letters is another one and stays.
///
/// ```
/// use quietus_reports::fingerprint::relative;
///
/// assert_eq!(relative("python3 /home/you/w/agent.py", "/home/you/w", "."), "python3 ./agent.py");
/// assert_eq!(relative("/home/you/w2/a and /srv/home/you/w/a", "/home/you/w", "."), "/home/you/w2/a and /srv/home/you/w/a");
/// ```
#[must_use]
pub fn relative(text: &str, directory: &str, name: &str) -> String {
    let directory = directory.trim_end_matches('/');
    if directory.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(directory) {
        let end = at + directory.len();
        let begins = !text[..at].ends_with(is_of_a_name) && !text[..at].ends_with('/');
        if begins && !text[end..].starts_with(is_of_a_name) && at >= done {
            out.push_str(&text[done..at]);
            out.push_str(name);
            done = end;
        }
    }
    out.push_str(&text[done..]);
    out
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '@' | '%' | '+')
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn only_whole_paths_are_shortened() {
        for (text, expected) in [
            ("/w", "."),
            ("/w/", "./"),
            ("/w/a /w/b", "./a ./b"),
            ("'/w/a'", "'./a'"),
            ("--out=/w/a", "--out=./a"),
            ("/w.tmp", "/w.tmp"),
            ("/ww/a", "/ww/a"),
            ("/v/w/a", "/v/w/a"),
            ("a/w/b", "a/w/b"),
            ("/w/w/a", "./w/a"),
            ("//w/a", "//w/a"),
        ] {
            assert_eq!(relative(text, "/w", "."), expected, "{text}");
        }
        assert_eq!(relative("/a", "/", "."), "/a");
        assert_eq!(relative("/a", "", "."), "/a");
        assert_eq!(relative("/w/a", "/w/", "."), "./a");
    }
}
