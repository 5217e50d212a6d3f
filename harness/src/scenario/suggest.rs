//! The nearest known name, for "did you mean".

/// Comparing costs the product of the lengths; no name is this long.
const LONGEST: usize = 40;

/// The known word that `word` is most likely meant to be: the same but for
/// case and `-`/`_`, at most two edits away, or one the start of the other.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let length = word.chars().count();
    if !(2..=LONGEST).contains(&length) {
        return None;
    }
    let given = plain(word);
    let distance = |name: &str| {
        let name = plain(name);
        let edits = strsim::damerau_levenshtein(&given, &name);
        if edits <= 2 && edits < length.min(name.chars().count()) {
            Some(edits)
        } else if name.starts_with(&given) || given.starts_with(&name) {
            Some(3)
        } else {
            None
        }
    };
    known
        .into_iter()
        .filter_map(|name| distance(name).map(|edits| (edits, name)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Words in code quotes with commas and an "or": for lists of what may be written.
pub(super) fn either(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["grace", "profile", "send", "settle", "max_processes", "at", "pid1"];
        for (word, expected) in [
            ("grase", Some("grace")),
            ("Grace", Some("grace")),
            ("max-processes", Some("max_processes")),
            ("prof", Some("profile")),
            ("graceful", Some("grace")),
            ("pdi1", Some("pid1")),
            ("sned", Some("send")),
            ("zz", None),
            ("x", None),
            ("", None),
            ("workspace", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(100_000), known), None);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(either(&["a"]), "`a`");
        assert_eq!(either(&["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
