use insta::assert_snapshot;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::*;
use crate::escape::is_hazard;

/// The texts of `markdown` and which of them are code, if it is nothing but one paragraph of these.
fn pieces(markdown: &str) -> Vec<(bool, String)> {
    let mut pieces: Vec<(bool, String)> = Vec::new();
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Event::Text(text) => pieces.push((false, text.into_string())),
            Event::Code(text) => pieces.push((true, text.into_string())),
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
            other => panic!("{other:?} in {markdown:?}"),
        }
    }
    pieces
}

/// Whether a host makes something of text that is not code.
fn is_live(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let reference = |word: &str| {
        let (key, number) = word.rsplit_once('-').unwrap_or_default();
        key.contains(char::is_alphabetic) && number.starts_with(|c: char| c.is_ascii_digit())
    };
    text.contains(['@', '#', '<', '>', '&', '!', '$', '~', '%', '^', '*', '_', '[', ']', '|', '\\', '{', '}'])
        || text.contains("://")
        || text.contains("www.")
        || text.split_whitespace().any(reference)
}

#[test]
fn sentences() {
    for (text, expected) in [
        ("`sleep 300` still runs after the agent ended", "`sleep 300` still runs after the agent ended"),
        ("killed by @octocat, see #12 and GH-3", "killed by `@octocat`, see `#12` and `GH-3`"),
        ("<img src=x onerror=alert(1)> [a](http://b) ![c](d)", "`<img src=x onerror=alert(1)> [a](http://b) ![c](d)`"),
        ("at https://a.example or www.a.example", "at `https://a.example` or `www.a.example`"),
        ("an open ` and a_b *c*", "an open `` ` `` and `a_b *c*`"),
        ("commit 0123abcd of agent.py", "commit `0123abcd` of agent.py"),
        ("as #812, until 2026-12-01", "as `#812`, until 2026-12-01"),
        ("``a`` ,", "``` ``a`` ``` ,"),
        ("", ""),
    ] {
        assert_eq!(prose(text), expected);
    }
}

#[test]
fn code_of_backticks_and_spaces() {
    assert_snapshot!(code("a"), @"`a`");
    assert_snapshot!(code("`a``b`"), @"``` `a``b` ```");
    assert_snapshot!(code(" a"), @"`  a `");
    assert_snapshot!(code("\u{1b}[2J\n"), @r"`\x1b[2J\n`");
    assert_snapshot!(code(" "), @"(empty)");
    assert_snapshot!(cell("a|b\\|c"), @r"`a\x7cb\\x7cc`");
}

#[test]
fn a_fence_is_longer_than_what_it_holds() {
    assert_snapshot!(block("text", ["````", "/close", "a\nb"]), @r"
    `````text
    ````
     /close
    a\nb
    `````
    ");
}

const HOSTILE: &str = "(?s).*|[`<>&@#!\\[\\](){}*_~|\\\\$%^+:;/.,'\"=\\-\n\r\t \u{0}\u{202e}0-9a-gw]*|(www\\.|https://|GH-|@a|#1|`| |\\|){0,30}";

proptest! {
    #[test]
    fn a_sentence_is_text_and_code(text in HOSTILE) {
        let shown = prose(&text);
        prop_assert!(!shown.contains(is_hazard));
        for (is_code, text) in pieces(&format!("Cause: {shown}")).iter().skip(1) {
            prop_assert!(*is_code || !is_live(text), "{text:?}");
        }
    }

    #[test]
    fn code_is_the_text_itself(text in HOSTILE) {
        let escaped = truncate_middle(&escape_terminal(&text), LONGEST_CODE);
        let pieces = pieces(&format!("x {}", code(&text)));
        if escaped.trim().is_empty() {
            prop_assert_eq!(pieces.len(), 1);
        } else {
            prop_assert_eq!(pieces.last(), Some(&(true, escaped)));
        }
    }

    #[test]
    fn a_block_is_one_block(text in HOSTILE, other in HOSTILE) {
        let shown = block("text", [text.as_str(), other.as_str()]);
        let events: Vec<_> = Parser::new_ext(&shown, Options::all()).collect();
        let is_text = |event: &Event<'_>| matches!(event, Event::Text(_));
        prop_assert!(matches!(events.first(), Some(Event::Start(Tag::CodeBlock(_)))));
        prop_assert!(events[1..events.len() - 1].iter().all(is_text), "{events:?}");
        prop_assert!(!shown.lines().any(|line| line.starts_with('/')));
    }

    #[test]
    fn a_cell_stays_in_its_table(text in HOSTILE) {
        let table = format!("| a | b |\n|---|---|\n| {} | x |\n", cell(&text));
        let events: Vec<_> = Parser::new_ext(&table, Options::all()).collect();
        let cells = events.iter().filter(|event| matches!(event, Event::Start(Tag::TableCell))).count();
        prop_assert_eq!(cells, 4);
        prop_assert!(matches!(&events[events.len() - 4], Event::Text(text) if text.as_ref() == "x"), "{:?}", events);
    }
}
