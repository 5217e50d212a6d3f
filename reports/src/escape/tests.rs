use proptest::prelude::*;

use super::*;

#[test]
fn what_acts_or_hides_becomes_visible() {
    for (given, expected) in [
        ("\u{1b}[31mred", r"\x1b[31mred"),
        ("a\nb\r\tc\0", r"a\nb\r\tc\x00"),
        ("\u{7f}\u{9b}2J\u{85}", r"\x7f\x9b2J\x85"),
        ("a\u{202e}b\u{2066}c\u{2069}", r"a\u{202e}b\u{2066}c\u{2069}"),
        ("p\u{200b}a\u{feff}y\u{ad}", r"p\u{200b}a\u{feff}y\xad"),
        ("x\u{e0041}", r"x\u{e0041}"),
        ("été 漢字 🦀 ✓", "été 漢字 🦀 ✓"),
        (r"C:\x1b\n", r"C:\x1b\n"),
    ] {
        assert_eq!(escape_terminal(given), expected);
    }
}

#[test]
fn bytes_that_are_not_utf8_show_their_value() {
    assert_eq!(escape_bytes(b"caf\xe9\xff.txt\n"), r"caf\xe9\xff.txt\n");
    assert_eq!(escape_bytes("café\u{1b}".as_bytes()), r"café\x1b");
    assert_eq!(escape_bytes(b"cut \xe2\x82"), r"cut \xe2\x82");
}

#[test]
fn the_middle_is_cut_between_characters() {
    assert_eq!(truncate_middle("abcdefgh", 8), "abcdefgh");
    assert_eq!(truncate_middle("abcdefgh", 7), "abc…fgh");
    assert_eq!(truncate_middle("abcdefgh", 4), "ab…h");
    assert_eq!(truncate_middle("äöüßéèêë", 3), "ä…ë");
    assert_eq!(truncate_middle("abc", 1), "…");
    assert_eq!(truncate_middle("abc", 0), "");
}

proptest! {
    #[test]
    fn nothing_hostile_remains(text in any::<String>()) {
        let escaped = escape_terminal(&text);
        prop_assert!(!escaped.chars().any(is_hazard), "{escaped:?}");
        prop_assert!(!escaped.chars().any(char::is_control));
        let bidi = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        prop_assert!(!escaped.contains(bidi));
        // Once harmless, it stays as it is.
        prop_assert_eq!(escape_terminal(&escaped), escaped.clone());
        prop_assert_eq!(escape_bytes(text.as_bytes()), escaped);
    }

    #[test]
    fn printable_ascii_is_unchanged(text in "[ -~]*") {
        prop_assert_eq!(escape_terminal(&text), text);
    }

    #[test]
    fn any_bytes_become_harmless_text(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(!escape_bytes(&bytes).chars().any(is_hazard));
    }

    #[test]
    fn truncation_keeps_its_promise(text in "\\PC{0,40}", max in 0_usize..50) {
        let short = truncate_middle(&text, max);
        prop_assert_eq!(short.chars().count(), text.chars().count().min(max));
    }
}
