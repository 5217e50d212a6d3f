use proptest::prelude::*;

use super::*;
use crate::sample;

#[test]
fn a_report_survives_the_round_trip() {
    for report in [sample::rich(), sample::report(vec![]), sample::report(vec![sample::run(vec![], vec![])])] {
        assert_eq!(from_json(&to_json(&report)), Ok(report));
    }
}

#[test]
fn absent_options_are_left_out() {
    let mut run = sample::run(vec![sample::missed(0, "start")], vec![]);
    run.control = None;
    run.windows = None;
    let json = to_json(&sample::report(vec![run]));
    assert!(!json.contains("null"), "{json}");
}

#[test]
fn errors_say_what_is_wrong() {
    let good = to_json(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![])]));
    let message = |text: &str| from_json(text).expect_err("must not be read").to_string();
    insta::assert_snapshot!(message(""), @"the report is not JSON: EOF while parsing a value at line 1, column 0");
    insta::assert_snapshot!(message(&good[..good.len() / 2]), @"the report is not JSON: EOF while parsing an object at line 40, column 15");
    insta::assert_snapshot!(message("[1, 2]"), @"this is JSON but not a report of quietus: it has no `format`");
    insta::assert_snapshot!(message("{\"name\": \"x\"}"), @"this is JSON but not a report of quietus: it has no `format`");
    insta::assert_snapshot!(message(&good.replace("\"format\": 1", "\"format\": 2")), @"the report has format 2, and this version of quietus reads format 1; use the version that wrote it (key `quietus`)");
    insta::assert_snapshot!(message(&good.replace("\"format\": 1", "\"format\": \"one\"")), @r#"the report has format "one", and this version of quietus reads format 1; use the version that wrote it (key `quietus`)"#);
    insta::assert_snapshot!(message(&good.replace("\"cpus\": 2,", "").replace("\"cpus\": 2", "\"c\": 2")), @"the report is damaged: missing field `cpus` at line 10, column 3");
    insta::assert_snapshot!(message(&good.replace("\"ended\",", "\"\\u001b[2J\",")), @r"the report is damaged: unknown variant `\x1b[2J`, expected one of `ended`, `killed`, `missed`, `inconclusive` at line 52, column 32");
}

#[test]
fn a_report_of_before_there_were_classes_is_read() {
    let mut report: serde_json::Value = serde_json::from_str(&to_json(&sample::rich())).expect("JSON");
    let mut drop = |pointer: &str, key: &str| {
        let object = report.pointer_mut(pointer).and_then(serde_json::Value::as_object_mut).expect("an object");
        assert!(object.remove(key).is_some(), "{pointer} has no {key}");
    };
    let mut expected = sample::rich();
    for index in 0..expected.runs[0].findings.len() {
        drop(&format!("/runs/0/findings/{index}"), "reproduction");
        drop(&format!("/runs/0/findings/{index}/confirmed"), "rate_low");
        drop(&format!("/runs/0/findings/{index}/confirmed"), "rate_high");
    }
    drop("/totals", "not_reproduced");
    expected.totals.not_reproduced = 0;
    assert_eq!(from_json(&report.to_string()), Ok(expected));
}

#[test]
fn an_unknown_key_is_no_error() {
    let report = sample::rich();
    let json = to_json(&report).replacen('{', "{\"added-later\": [1],", 1);
    assert_eq!(from_json(&json), Ok(report));
}

proptest! {
    #[test]
    fn any_text_in_a_report_survives_and_is_harmless(text in any::<String>(), number in any::<u64>()) {
        let mut report = sample::rich();
        report.runs[0].findings[0].subject.clone_from(&text);
        report.runs[0].trials[0].note = Some(text);
        report.runs[0].trials[0].duration_us = number;
        let json = to_json(&report);
        prop_assert!(!json.contains(|c: char| c != '\n' && is_hazard(c)));
        prop_assert_eq!(from_json(&json), Ok(report));
    }
}
