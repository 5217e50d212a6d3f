use insta::assert_snapshot;
use proptest::prelude::*;
use quick_junit::NonSuccessReruns;

use super::*;
use crate::escape::is_hazard;
use crate::{Code, Confirmed, Severity, sample};

fn junit(report: &Report) -> String {
    render_junit(report, Gate::default())
}

/// What a reader of the format makes of the file.
fn read(text: &str) -> quick_junit::Report {
    quick_junit::Report::deserialize_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn case<'a>(file: &'a quick_junit::Report, name: &str) -> &'a TestCase {
    let mut cases = file.test_suites.iter().flat_map(|suite| &suite.test_cases);
    cases.find(|case| case.name.as_str().starts_with(name)).unwrap_or_else(|| panic!("no case {name}"))
}

#[test]
fn findings() {
    assert_snapshot!(junit(&sample::rich()));
}

#[test]
fn clean() {
    assert_snapshot!(junit(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![])])));
}

#[test]
fn nothing_run() {
    assert_snapshot!(junit(&sample::report(vec![])));
}

#[test]
fn inconclusive() {
    let trials = vec![sample::trial(0, "start"), sample::inconclusive(1, "window:3", "the tracee was lost")];
    let mut run = sample::run(trials, vec![]);
    run.notes.push("the machine has no ptrace".into());
    assert_snapshot!(junit(&sample::report(vec![run])));
}

#[test]
fn hostile_strings() {
    assert_snapshot!(junit(&sample::hostile(
        "]]></failure><failure type=\"x\">&amp;<!-- \u{1b}[2J\u{0}\r\n\u{202e}\u{fffe} é 漢"
    )));
}

/// What a file says of the runs and findings of `report`, as a reader of the format sees it.
fn check(report: &Report, gate: Gate) {
    let text = render_junit(report, gate);
    let file = read(&text);
    assert_eq!(file.test_suites.len(), report.runs.len());
    let stopped = report.runs.iter().flat_map(|run| &run.findings).filter(|it| gate.stops(it)).count();
    assert_eq!(file.failures, stopped, "{text}");
    let accepted = report.runs.iter().flat_map(|run| &run.findings).filter(|it| it.accepted.is_some()).count();
    let skipped: usize = file.test_suites.iter().map(|suite| suite.skipped).sum();
    assert_eq!(skipped, accepted, "{text}");
    for (suite, run) in file.test_suites.iter().zip(&report.runs) {
        assert_eq!(suite.test_cases.len(), run.findings.len() + 1);
        assert_eq!(suite.tests, suite.test_cases.len());
        let inconclusive = gate.judge(slice::from_ref(run)) == Verdict::Inconclusive;
        assert_eq!(suite.errors, usize::from(inconclusive));
        assert!(suite.test_cases.iter().all(|case| case.classname.as_ref() == Some(&suite.name)));
    }
    let cases = file.test_suites.iter().flat_map(|suite| &suite.test_cases);
    let mut names: Vec<_> = cases.map(|case| (case.classname.clone().map(String::from), case.name.as_str())).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "{text}");
}

#[test]
fn a_reader_of_the_format_sees_what_the_report_says() {
    for gate in [Gate::default(), Gate { at: Severity::Warn }] {
        for report in [
            sample::rich(),
            sample::report(vec![]),
            sample::report(vec![sample::run(vec![], vec![])]),
            sample::report(vec![sample::rich().runs[0].clone(), sample::rich().runs[0].clone()]),
            sample::hostile("<&>'\""),
        ] {
            check(&report, gate);
        }
    }
}

#[test]
fn what_further_runs_say_is_told_as_surefire_tells_it() {
    let file = read(&junit(&sample::rich()));
    let TestCaseStatus::NonSuccess { reruns: NonSuccessReruns { runs, .. }, .. } = &case(&file, "temp-file").status
    else {
        panic!("racy is a failure");
    };
    assert_eq!(runs.len(), 2, "2 of 3 further runs show it");
    let TestCaseStatus::Success { flaky_runs } = &case(&file, "socket-file").status else {
        panic!("what never came again fails nothing");
    };
    assert_eq!(flaky_runs.len(), 1);
    let TestCaseStatus::NonSuccess { reruns, .. } = &case(&file, "orphan-process").status else {
        panic!("an error is a failure");
    };
    assert!(reruns.runs.is_empty(), "it always comes");
}

#[test]
fn thousands_of_further_runs_do_not_fill_the_file() {
    let mut racy = sample::finding(Code::TempFile, "/tmp/a", &["start"]);
    racy.confirmed = Confirmed::new(1_000_000, 4_000_000_000);
    let text = junit(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![racy])]));
    assert_eq!(text.matches("<rerunFailure").count(), 10);
}

#[test]
fn names_are_the_same_in_every_run() {
    let names = |subject: &str, more: &str| -> Vec<String> {
        let mut findings = vec![
            sample::finding(Code::TempFile, subject, &["start"]),
            sample::finding(Code::TempFile, more, &["start"]),
        ];
        findings[0].fingerprint = "temp-file:0000000000000001".into();
        findings[1].fingerprint = "temp-file:ffffffffffffffff".into();
        if subject > more {
            findings.reverse();
        }
        let text = junit(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], findings)]));
        read(&text).test_suites[0].test_cases.iter().map(|case| case.name.as_str().to_owned()).collect()
    };
    let monday = names("/tmp/h8_fgab5", "/one/checkout/a.lock");
    assert_eq!(monday, names("/tmp/_abcqz", "/another/a.lock"));
    assert_eq!(monday[1..], ["temp-file:0000000000000001", "temp-file:ffffffffffffffff"]);
}

#[test]
fn a_shard_that_is_missing_is_an_error() {
    let mut part = sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![])]);
    part.shards = Some(crate::Shards { total: 4, present: vec![1, 3], division: None });
    let file = read(&junit(&part));
    let case = file.test_suites.last().and_then(|suite| suite.test_cases.first()).expect("one for the shards");
    let TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, message, .. } = &case.status else {
        panic!("{:?}", case.status)
    };
    assert_eq!(message.as_ref().map(|it| it.as_str()), Some("shards 2, 4 of 4 are missing"));
}

#[test]
fn a_name_with_a_number_of_its_own_keeps_it() {
    let subjects = ["/a", "/a", "/a (2)"];
    let findings = subjects.map(|subject| sample::finding(Code::TempFile, subject, &["start"])).to_vec();
    check(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], findings)]), Gate::default());
}

#[test]
fn a_flood_of_output_is_bounded() {
    let mut finding = sample::finding(Code::TempFile, &"x".repeat(1 << 20), &["start"]);
    finding.evidence = vec!["y".repeat(1 << 20); 100];
    let text = junit(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![finding])]));
    assert!(text.len() < 100_000, "{}", text.len());
}

/// What XML 1.0 calls a Char, but for the tab and the carriage return, which are escaped too.
fn is_allowed(c: char) -> bool {
    matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

proptest! {
    #[test]
    fn hostile_text_is_only_ever_text(text in "\\PC*|(?s).*|[<>&'\"\\]\\-!/a\u{0}\u{1b}\\[m\u{fffe}\u{ffff}]*") {
        let report = sample::hostile(&text);
        let out = junit(&report);
        prop_assert!(out.chars().all(is_allowed));
        prop_assert!(!out.contains(|c: char| c != '\n' && is_hazard(c)));
        let benign = read(&junit(&sample::hostile("x")));
        let file = read(&out);
        let shape = |file: &quick_junit::Report| -> Vec<(usize, usize, usize)> {
            file.test_suites.iter().map(|it| (it.tests, it.failures, it.properties.len())).collect()
        };
        prop_assert_eq!(shape(&benign), shape(&file));
        let expected = one_line(&text);
        prop_assert_eq!(file.test_suites[0].name.as_str(), expected.as_str());
    }
}
