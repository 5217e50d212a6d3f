use insta::assert_snapshot;
use proptest::prelude::*;
use serde_sarif::sarif;

use super::*;
use crate::escape::is_hazard;
use crate::model::NotAudited;
use crate::{Code, Origin, Severity, Totals, explain, sample};

fn options() -> SarifOptions {
    let files = [("agent.py".to_owned(), "agent.py".to_owned())].into();
    SarifOptions::new(Repository {
        root: "/home/you/agent".into(),
        files,
        fallback: "scenarios/nightly export.toml".into(),
    })
}

/// A log as one reads it, without the long texts of the rules.
fn shown(report: &Report) -> String {
    let mut log: Value = serde_json::from_str(&render_sarif(report, &options())).expect("JSON");
    for rule in log.pointer_mut("/runs/0/tool/driver/rules").and_then(Value::as_array_mut).expect("rules") {
        for kind in ["text", "markdown"] {
            let help = rule["help"][kind].take();
            let code: Code = rule["id"].as_str().expect("an id").parse().expect("a code");
            assert_eq!(help, json!(explain(code)));
        }
    }
    serde_json::to_string_pretty(&log).expect("JSON")
}

/// Reads the log into types that are made from the schema of the format. What is written out
/// again is all that they know: a key that the format does not have would be missing, one of
/// the wrong type would not be read.
fn check(text: &str) -> sarif::Sarif {
    let log: sarif::Sarif = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let again = serde_json::to_value(&log).expect("JSON");
    let before: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(again, before);
    let run = &log.runs[0];
    let rules = run.tool.driver.rules.as_ref().expect("rules");
    for result in run.results.as_ref().expect("results") {
        let index = usize::try_from(result.rule_index.expect("an index")).expect("not negative");
        assert_eq!(Some(&rules[index].id), result.rule_id.as_ref());
        let locations = result.locations.as_ref().expect("locations");
        assert!(!locations.is_empty(), "GitHub drops results without a location");
        for location in locations {
            let physical = location.physical_location.as_ref().expect("a file");
            let uri = physical.artifact_location.as_ref().and_then(|it| it.uri.as_ref()).expect("a path");
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
            assert!(uri.chars().all(allowed) && !uri.starts_with('/'), "{uri}");
            assert!(physical.region.as_ref().and_then(|it| it.start_line).is_some_and(|line| line > 0));
        }
        assert!(result.message.text.as_ref().is_some_and(|text| !text.is_empty()));
    }
    log
}

#[test]
fn findings() {
    assert_snapshot!(shown(&sample::rich()));
}

#[test]
fn clean() {
    assert_snapshot!(shown(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![])])));
}

#[test]
fn nothing_run() {
    let mut report = sample::report(vec![]);
    report.guarantee.not_audited = vec![NotAudited { what: "System V shared memory".into(), why: "no IPC".into() }];
    assert_snapshot!(shown(&report));
}

#[test]
fn hostile_strings() {
    let report = sample::hostile("\u{1b}[2J[x](https://e.example) {0} \"\\ \u{202e}\r\n /a b:1 in <f>");
    assert_snapshot!(shown(&report));
}

#[test]
fn logs_are_of_the_format() {
    let orphan = sample::finding(Code::OrphanProcess, "sleep 300", &["start"]);
    for report in [
        sample::rich(),
        sample::report(vec![]),
        sample::report(vec![sample::run(vec![], vec![])]),
        sample::report(vec![sample::run(vec![], vec![orphan.clone()]), sample::run(vec![], vec![orphan])]),
        sample::hostile("{}[](\u{0}"),
        sample::hostile(""),
    ] {
        check(&render_sarif(&report, &options()));
    }
}

/// The level of each result of a report with this one finding.
fn level_of(change: impl FnOnce(&mut Finding)) -> String {
    let mut finding = sample::finding(Code::TempFile, "/tmp/a", &["start"]);
    change(&mut finding);
    let report = sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![finding])]);
    let log = check(&render_sarif(&report, &options()));
    let level = log.runs[0].results.as_ref().expect("results")[0].level;
    serde_json::to_value(level).expect("JSON").as_str().expect("a level").to_owned()
}

#[test]
fn what_fails_nothing_is_a_note() {
    assert_eq!(level_of(|_| {}), "error");
    assert_eq!(level_of(|finding| finding.severity = Severity::Warn), "warning");
    assert_eq!(level_of(|finding| finding.severity = Severity::Note), "note");
    assert_eq!(level_of(|finding| finding.accepted = Some("known".into())), "note");
    assert_eq!(level_of(|finding| finding.confirmed = crate::Confirmed::new(0, 3)), "note");
    assert_eq!(level_of(|finding| finding.confirmed = crate::Confirmed::new(1, 3)), "error");
}

#[test]
fn two_scenarios_with_the_same_finding_are_two_results() {
    let run = sample::run(vec![], vec![sample::finding(Code::OrphanProcess, "sleep 300", &["start"])]);
    let mut other = run.clone();
    other.scenario = "daily import".into();
    let log = check(&render_sarif(&sample::report(vec![run, other]), &options()));
    let results = log.runs[0].results.as_ref().expect("results");
    let prints: Vec<_> = results.iter().map(|result| result.partial_fingerprints.clone().expect("prints")).collect();
    assert_eq!(prints.len(), 2);
    assert_ne!(prints[0], prints[1]);
}

#[test]
fn several_places_are_several_locations() {
    let mut finding = sample::finding(Code::TempFile, "/tmp/a", &["start"]);
    finding.origin = Some(Origin {
        role: "0.1".into(),
        command: "cc".into(),
        source: None,
        line: Some("/home/you/agent/src/a b.c:1 in f or src/é#?.c:2 in g".into()),
    });
    let log = check(&render_sarif(&sample::report(vec![sample::run(vec![], vec![finding])]), &options()));
    let locations = log.runs[0].results.as_ref().expect("results")[0].locations.clone().expect("locations");
    let uris: Vec<_> = locations
        .iter()
        .map(|it| {
            it.physical_location.clone().and_then(|it| it.artifact_location).and_then(|it| it.uri).expect("a path")
        })
        .collect();
    assert_eq!(uris, ["src/a%20b.c", "src/%C3%A9%23%3F.c"]);
}

#[test]
fn what_does_not_fit_is_left_out_from_the_least_severe_and_said() {
    let mut findings: Vec<_> =
        (0..100).map(|i| sample::finding(Code::TempFile, &format!("/a/{i}"), &["start"])).collect();
    for finding in &mut findings[..90] {
        finding.severity = Severity::Note;
    }
    let report = sample::report(vec![sample::run(vec![sample::trial(0, "start")], findings)]);
    for (most_results, most_bytes) in [(10, usize::MAX), (usize::MAX, 30_000)] {
        let text = bounded(&report, &options(), most_results, most_bytes);
        assert!(text.len() <= most_bytes);
        let log = check(&text);
        let results = log.runs[0].results.as_ref().expect("results");
        assert!(results.len() < 100 && results.len() >= 10, "{}", results.len());
        assert!(results[..10].iter().all(|it| it.level == Some(sarif::ResultLevel::Error)));
        assert!(text.contains(&format!("{} of 100 findings did not fit", 100 - results.len())));
    }
    assert!(!render_sarif(&report, &options()).contains("did not fit"));
}

#[test]
fn an_inconclusive_report_is_no_success() {
    let mut report = sample::rich();
    for (verdict, success) in [(Verdict::Clean, true), (Verdict::Findings, true), (Verdict::Inconclusive, false)] {
        report.verdict = verdict;
        report.totals = Totals::of(&report.runs);
        let log = check(&render_sarif(&report, &options()));
        let invocations = log.runs[0].invocations.as_ref().expect("one");
        assert_eq!(invocations[0].execution_successful, success);
    }
}

proptest! {
    #[test]
    fn hostile_text_is_only_ever_text(text in "(?s).*|[\\[\\](){}0-9:/a.\"\\\\\u{0}\u{1b}\u{202e} ]*") {
        let out = render_sarif(&sample::hostile(&text), &options());
        prop_assert!(!out.contains(|c: char| c != '\n' && is_hazard(c)));
        let log = check(&out);
        for result in log.runs[0].results.as_ref().expect("results") {
            let said = result.message.text.as_ref().expect("a text").replace("{{", "<").replace("}}", ">");
            prop_assert!(!said.contains(['{', '}']), "no placeholder: {said}");
            prop_assert!(!said.contains("]("), "no link: {said}");
        }
    }
}
