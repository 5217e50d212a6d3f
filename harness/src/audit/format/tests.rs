//! What is broken in its format, and what only looks so.

use super::*;
use proptest::prelude::*;

fn says(path: &str, before: Option<&[u8]>, now: &[u8], controls: [&[u8]; 2]) -> Option<String> {
    damage(path, before, now, &controls, false)
}

fn text_says(path: &str, before: Option<&str>, now: &str, control: &str) -> Option<String> {
    says(path, before.map(str::as_bytes), now.as_bytes(), [control.as_bytes(); 2])
}

const TOML: &str = "[server]\nport = 80\nname = \"one\"\n";
const YAML: &str = "server:\n  port: 80\n  name: \"one\"\n  list: [1, 2]\n";

#[test]
fn a_cut_text_says_what_it_is() {
    for (path, before, now, control, expected) in [
        ("/w/a.json", None, "{\"a\": \"b", "{\"a\": \"bc\"}", "it is broken JSON: it ends inside a string at byte 8"),
        (
            "/w/a.json",
            Some("{}"),
            "{\"a\": [1,",
            "{\"a\": [1, 2]}",
            "it is broken JSON: it ends before what it opened is closed at byte 9",
        ),
        ("/w/a.json", Some("{}"), "{\"a\": 1}9}", "{\"a\": 1}", "it is broken JSON: it is none at line 1, column 9"),
        ("/w/a.json", None, "{\"a\": 1\0\0", "{\"a\": 10}", "it is broken JSON: it is none at line 1, column 8"),
        (
            "/w/log.jsonl",
            Some("{}\n"),
            "{}\n{\"a\"",
            "{}\n{\"a\": 1}\n",
            "its last line, at byte 3, is broken JSON: it ends before what it opened is closed at byte 4",
        ),
        ("/w/a.toml", Some(TOML), "[server]\nport = 80\nname = \"o", TOML, "it is broken TOML at byte 28 (line 3)"),
        ("/w/a.yaml", Some(YAML), "server:\n  port: 80\n  name: \"on", YAML, "it is broken YAML at line 3"),
        ("/w/a.yml", None, "server:\n  list: [1, ", YAML, "it is broken YAML at line 2"),
    ] {
        assert_eq!(text_says(path, before, now, control).as_deref(), Some(expected), "{path} {now:?}");
    }
}

#[test]
fn what_may_be_whole_is_not_broken() {
    for (path, before, now, control) in [
        ("/w/a.json", Some("{} // a comment"), "{\"a\"", "{}"),
        ("/w/a.json", Some("{}"), "{\"a\"", "{} // a comment"),
        ("/w/a.json", None, "{} {\"a\"", "{} {}"),
        ("/w/a.json", Some("{}"), "", "{}"),
        ("/w/a.json", None, "{\"a\"", ""),
        ("/w/a.json", None, "{\"a\": 1}", "{\"a\": 1, \"b\": 2}"),
        ("/w/agent.log", None, "{\"a\"", "{\"a\": 1}\n"),
        ("/w/stream", None, "{\"a\"", "{\"a\": 1}"),
        ("/w/a.jsonl", None, "{}\n", "{}\n{}\n"),
        ("/w/a.jsonl", None, "{}\n{}", "{}\n{}\n"),
        ("/w/a.jsonl", None, "# by hand\n{\"a", "# by hand\n{}\n"),
        ("/w/a.jsonl", None, "{}\n{\"a", "{}\n{}"),
        ("/w/a.toml", Some(TOML), "[server]\nport = 80\n", TOML),
        ("/w/a.toml", Some(TOML), "[server]\nport = 8", TOML),
        ("/w/a.toml", Some("{{ template }}"), "[server", TOML),
        ("/w/a.yaml", Some(YAML), "server:\n  port: 80\n", YAML),
        ("/w/a.yaml", Some(YAML), "server:\n  port: 8", YAML),
        ("/w/a.yaml", Some(YAML), "server:\n  po", YAML),
        ("/w/a.yaml", Some("a: {{ b }} c\n- d"), "a: [", YAML),
        ("/w/a.yaml", None, "a: [", ""),
    ] {
        assert_eq!(text_says(path, before, now, control), None, "{path} {now:?}");
    }
}

#[test]
fn a_long_text_is_not_parsed() {
    let yaml = format!("a: [{}]\n", "1, ".repeat(MOST_TEXT));
    assert_eq!(text_says("/w/a.yaml", None, "a: [", &yaml), None);
    let deep = "[".repeat(1 << 20);
    assert!(text_says("/w/a.json", None, &deep, "[]").is_some(), "its depth costs nothing");
}

/// A database of so many pages, of which the file has some.
fn database(pages: u32, there: usize) -> Vec<u8> {
    let mut content = SQLITE.to_vec();
    content.resize(512 * there, 0);
    for (at, number) in [(24, 7), (28, pages), (92, 7)] {
        content.splice(at..at + 4, u32::to_be_bytes(number));
    }
    content.splice(16..18, u16::to_be_bytes(512));
    content
}

#[test]
fn a_database_is_cut_when_its_header_says_so() {
    let whole = database(3, 3);
    let cut = |now: &[u8]| says("/w/a.db", Some(&whole), now, [&whole, &whole]);
    assert_eq!(cut(&database(3, 2)).as_deref(), Some("it is a cut database: it has 1024 of 1536 bytes"));
    assert_eq!(cut(&database(3, 4)), None, "a page more is free");
    assert_eq!(cut(&database(0, 2)), None, "written by an old version");
    let mut old = database(3, 2);
    old.splice(92..96, u32::to_be_bytes(6));
    assert_eq!(cut(&old), None, "the number is not that of the last change");
    let mut odd = database(3, 2);
    odd.splice(16..18, u16::to_be_bytes(500));
    assert_eq!(cut(&odd), None);
    assert_eq!(cut(&SQLITE[..9]), None);
    assert_eq!(cut(SQLITE), None);
    assert_eq!(damage("/w/a.db", Some(&whole), &database(3, 2), &[&whole], true), None, "its log is beside it");
    let short = database(3, 2);
    assert_eq!(says("/w/a.db", Some(&short), &short, [&whole, &whole]), None, "it was so before");
}

#[test]
fn an_archive_without_its_end_is_cut() {
    let whole = [ZIP, &[7; 100], ZIP_END.0, &[0; 18]].concat();
    let other = [ZIP, &[8; 90], ZIP_END.0, &[0; 18]].concat();
    let cut = |now: &[u8]| says("/w/a.zip", None, now, [&whole, &other]);
    assert_eq!(
        cut(&whole[..50]).as_deref(),
        Some("it is a cut zip archive: its list of files is missing after 50 bytes")
    );
    assert!(says("/w/report.docx", Some(&whole), &whole[..50], [&whole, &other]).is_some());
    assert_eq!(cut(&whole), None);
    assert_eq!(cut(&[&whole[..], b"a comment"].concat()), None);
    assert_eq!(cut(b"PK"), None);
    assert_eq!(cut(b"other"), None);
    assert_eq!(says("/w/a.zip", None, &whole[..50], [&whole, b"other"]), None, "not all are archives");
}

proptest! {
    /// No content of an agent ends us, and whole content is never called broken.
    #[test]
    fn any_content_has_an_answer(content in proptest::collection::vec(any::<u8>(), 0..200), name in 0_usize..5) {
        let path = ["/w/a.json", "/w/a.jsonl", "/w/a.toml", "/w/a.yaml", "/w/a.zip"][name];
        let _ = says(path, None, &content, [YAML.as_bytes(); 2]);
        let _ = says(path, Some(&content), YAML.as_bytes(), [&content, &content]);
        prop_assert_eq!(says(path, Some(&content), &content, [&content, &content]), None);
    }

    #[test]
    fn any_text_like_yaml_has_an_answer(text in "[-a:?&*!|>%@`\"'{}\\[\\],# \t\n\\\\~<.]{0,120}") {
        let _ = says("/w/a.yaml", None, text.as_bytes(), [YAML.as_bytes(); 2]);
        let _ = says("/w/a.toml", None, text.as_bytes(), [TOML.as_bytes(); 2]);
    }
}
