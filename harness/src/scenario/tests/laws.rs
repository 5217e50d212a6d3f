//! Laws: no text makes the parser panic, and every place it names is in the text.

use super::super::{Diagnostic, parse, schema};
use super::refused::REFUSED;
use super::valid::{FULL, VALID};
use proptest::prelude::*;
use proptest::sample::Index;
use quietus_reports::escape::is_hazard;

/// One change of a text, at places that are chosen when the text is known.
#[derive(Debug, Clone)]
enum Change {
    DeleteBytes(Index, usize),
    DuplicateBytes(Index, usize),
    ReplaceByte(Index, char),
    DeleteLine(Index),
    DuplicateLine(Index),
    SwapLines(Index, Index),
    ReplaceLine(Index, Index),
}

fn changes() -> impl Strategy<Value = Change> {
    let character = prop_oneof![
        any::<char>(),
        prop::sample::select("'\"[]{}=#.,\n\r\t\\ +@:0é\u{1b}\u{0}".chars().collect::<Vec<_>>())
    ];
    prop_oneof![
        (any::<Index>(), 1usize..8).prop_map(|(at, count)| Change::DeleteBytes(at, count)),
        (any::<Index>(), 1usize..8).prop_map(|(at, count)| Change::DuplicateBytes(at, count)),
        (any::<Index>(), character).prop_map(|(at, c)| Change::ReplaceByte(at, c)),
        any::<Index>().prop_map(Change::DeleteLine),
        any::<Index>().prop_map(Change::DuplicateLine),
        any::<(Index, Index)>().prop_map(|(a, b)| Change::SwapLines(a, b)),
        any::<(Index, Index)>().prop_map(|(a, b)| Change::ReplaceLine(a, b)),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if characters.is_empty() {
        return String::new();
    }
    match change {
        Change::DeleteBytes(at, count) => {
            let at = at.index(characters.len());
            characters.drain(at..(at + count).min(characters.len()));
        }
        Change::DuplicateBytes(at, count) => {
            let at = at.index(characters.len());
            let part = characters[at..(at + count).min(characters.len())].to_vec();
            characters.splice(at..at, part);
        }
        Change::ReplaceByte(at, c) => {
            let at = at.index(characters.len());
            characters[at] = *c;
        }
        Change::DeleteLine(at) => {
            lines.remove(at.index(lines.len()));
            return lines.concat();
        }
        Change::DuplicateLine(at) => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at]);
            return lines.concat();
        }
        Change::SwapLines(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
            return lines.concat();
        }
        Change::ReplaceLine(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines[a] = lines[b];
            return lines.concat();
        }
    }
    characters.into_iter().collect()
}

fn samples() -> impl Strategy<Value = String> {
    let texts: Vec<&str> = VALID.iter().chain(REFUSED).map(|(_, text)| *text).collect();
    (prop_oneof![3 => Just(FULL), 2 => prop::sample::select(texts)], prop::collection::vec(changes(), 1..6))
        .prop_map(|(text, changes)| changes.iter().fold(text.to_owned(), |text, change| changed(&text, change)))
}

fn lawful(text: &str) -> Result<(), TestCaseError> {
    let Err(diagnostics) = parse("agent\u{1b}.toml", text) else { return Ok(()) };
    prop_assert!(diagnostics.len() > 0);
    for Diagnostic { span, also, message, label, help, .. } in &diagnostics {
        for span in [Some(span), also.as_ref().map(|(span, _)| span)].into_iter().flatten() {
            prop_assert!(text.get(span.clone()).is_some(), "{:?} of {:?}", span, text);
        }
        for part in
            [Some(message), Some(label), help.as_ref(), also.as_ref().map(|(_, label)| label)].into_iter().flatten()
        {
            prop_assert!(!part.contains(is_hazard), "{:?}", part);
        }
    }
    let shown = diagnostics.render(false);
    prop_assert!(!shown.contains(|c| is_hazard(c) && c != '\n'), "{:?}", shown);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_or_refused_in_its_own_places(text in any::<String>()) {
        lawful(&text)?;
    }

    #[test]
    fn text_like_toml_too(text in r#"([a-z\[\]]{0,8}|[a-z]{1,6} ?= ?('[ -~é]{0,9}'|[0-9.:-]{0,12}|"[ -~\u{9b}]{0,6}"|\[.{0,4}\]|\{[a-z =']{0,9}\}))(\n|\r\n| |\n\[\[?(agent|script|allow|expect)\]\]?\n){1,2}"#) {
        lawful(&text)?;
        lawful(&format!("\u{feff}{text}{text}"))?;
    }

    #[test]
    fn changed_samples_too(text in samples()) {
        lawful(&text)?;
    }
}

#[test]
fn every_sample_keeps_the_law() {
    for (name, text) in VALID.iter().chain(REFUSED) {
        lawful(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            lawful(&text[..end]).unwrap_or_else(|error| panic!("{name} cut at {end}: {error}"));
        }
    }
}

#[test]
fn a_changed_sample_that_parses_is_accepted_by_the_schema() {
    let schema = serde_json::from_str(&schema()).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(600)
    });
    let law = |text: String| {
        if parse("x", &text).is_ok() {
            let json = super::as_json(&text).ok_or_else(|| TestCaseError::fail("no TOML"))?;
            prop_assert!(validator.is_valid(&json), "{}", text);
        }
        Ok(())
    };
    runner.run(&samples(), law).unwrap_or_else(|error| panic!("{error}"));
}
