use proptest::prelude::*;

use super::*;

fn places(text: &str) -> Vec<String> {
    let shown = |place: &Place| match &place.function {
        Some(function) => format!("[{}] {} ({function})", place.file, place.line),
        None => format!("[{}] {}", place.file, place.line),
    };
    Place::all(text).iter().map(shown).collect()
}

#[test]
fn what_origins_say() {
    for (text, expected) in [
        ("agent.py:41 in run_tool", vec!["[agent.py] 41 (run_tool)"]),
        ("agent.py:41", vec!["[agent.py] 41"]),
        ("a.c:1 in f or a.c:2 in g", vec!["[a.c] 1 (f)", "[a.c] 2 (g)"]),
        ("a.c:1 or a.c:2 or a.c:1", vec!["[a.c] 1", "[a.c] 2"]),
        (
            "src/client.rs:7 in fetch, from src/lib.rs:41 in transfer",
            vec!["[src/client.rs] 7 (fetch)", "[src/lib.rs] 41 (transfer)"],
        ),
        (
            "lib.rs:7 in <T as a::B>::f::{closure#0} or b.rs:8",
            vec!["[lib.rs] 7 (<T as a::B>::f::{closure#0})", "[b.rs] 8"],
        ),
        ("agent.js:3 in Object.<anonymous>", vec!["[agent.js] 3 (Object.<anonymous>)"]),
    ] {
        assert_eq!(places(text), expected, "{text}");
    }
}

#[test]
fn paths_with_spaces_colons_and_separators() {
    assert_eq!(places("my dir/a b.py:4 in f"), ["[my dir/a b.py] 4 (f)"]);
    assert_eq!(places("C:/src/a.py:4 in f"), ["[C:/src/a.py] 4 (f)"]);
    assert_eq!(places("12:30/a.py:4"), ["[12:30/a.py] 4"]);
    assert_eq!(places("this or that/a.py:4 in f"), ["[this or that/a.py] 4 (f)"]);
    assert_eq!(places("a.py:4 in f or g"), ["[a.py] 4 (f or g)"]);
    assert_eq!(places("<frozen x>:4 in <module>"), ["[<frozen x>] 4 (<module>)"]);
}

#[test]
fn no_line_is_no_place() {
    for text in ["", "main in libagent.so", "a.py", ":4", "a.py:0", "a.py:", "a.py:4x", "a.py:99999999999", "a.py: 4"] {
        assert_eq!(Place::all(text), [], "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(text in "(?s).*|( or |, from | in |:|[0-9]|a|é){0,40}") {
        for place in Place::all(&text) {
            prop_assert!(place.line > 0 && !place.file.is_empty());
            prop_assert!(text.contains(&place.file));
            prop_assert!(place.function.is_none_or(|function| text.contains(&function)));
        }
    }

    #[test]
    fn what_is_written_is_read(file in "[a-z :/]{1,9}\\.py", line in 1_u32.., function in "[a-z_]{1,9}") {
        let place = Place { file: file.clone(), line, function: Some(function.clone()) };
        prop_assert_eq!(Place::all(&format!("{file}:{line} in {function}")), [place]);
    }
}
