use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::escape::is_hazard;
use crate::{Code, sample};

fn options() -> Repository {
    let files = [("agent.py".to_owned(), "agent.py".to_owned())].into();
    Repository { root: "/home/you/agent".into(), files, fallback: "scenarios/nightly export.toml".into() }
}

fn annotations(report: &Report) -> String {
    render_annotations(report, &options())
}

/// What the runner makes of one line: the command, its properties, its message.
fn read(line: &str) -> (String, BTreeMap<String, String>, String) {
    let (head, message) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")).expect("a command");
    let (name, properties) = head.split_once(' ').expect("properties");
    let plain = |text: &str| {
        let text = text.replace("%3A", ":").replace("%2C", ",");
        text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    };
    let properties = properties.split(',').map(|property| {
        let (key, value) = property.split_once('=').expect("a value");
        (key.to_owned(), plain(value))
    });
    (name.to_owned(), properties.collect(), plain(message))
}

#[test]
fn findings() {
    assert_snapshot!(annotations(&sample::rich()));
}

#[test]
fn a_clean_report_has_none() {
    assert_eq!(annotations(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![])])), "");
}

#[test]
fn inconclusive() {
    let trials = vec![sample::trial(0, "start"), sample::inconclusive(1, "window:3", "the tracee was lost")];
    assert_snapshot!(annotations(&sample::report(vec![sample::run(trials, vec![])])), @"::error title=Quietus%3A inconclusive::not every trial could be judged; no findings in 2 trials (1 inconclusive)");
}

#[test]
fn hostile_strings() {
    assert_snapshot!(annotations(&sample::hostile(
        "a\n::error file=b::c, 100% %0A::warning::d \u{1b}[2J\u{202e} ##[error]"
    )));
}

#[test]
fn ten_of_each_kind_and_how_many_more() {
    let severities = [Severity::Note, Severity::Warn, Severity::Error];
    let of = |counts: [usize; 3]| {
        let mut findings = Vec::new();
        for (severity, count) in severities.into_iter().zip(counts) {
            for i in 0..count {
                let mut finding = sample::finding(Code::TempFile, &format!("/a/{i}"), &["start"]);
                finding.severity = severity;
                findings.push(finding);
            }
        }
        let text = annotations(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], findings)]));
        let kinds: Vec<String> = text.lines().map(|line| read(line).0).collect();
        assert!(kinds.is_sorted_by_key(|kind| ["error", "warning", "notice"].iter().position(|it| it == kind)));
        let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
        let last = text.lines().last().map(|line| read(line).2).unwrap_or_default();
        ([count("notice"), count("warning"), count("error")], last)
    };
    let (counts, last) = of([10, 10, 10]);
    assert_eq!(counts, [10, 10, 10]);
    assert!(!last.contains("not shown"), "{last}");
    let (counts, last) = of([30, 3, 12]);
    assert_eq!(counts, [10, 3, 10]);
    assert_eq!(last, "23 more are not shown here; every report of this run has them");
    let (counts, last) = of([0, 0, 11]);
    assert_eq!(counts, [1, 0, 10]);
    assert_eq!(last, "1 more is not shown here; every report of this run has them");
}

proptest! {
    #[test]
    fn hostile_text_is_only_ever_text(text in "(?s).*|[%:,=\n\r\u{0}\u{1b}\u{202e}a0-9A-F/.]*|(::error|::|%0A|\n|##\\[){0,20}") {
        let out = annotations(&sample::hostile(&text));
        prop_assert!(!out.contains(|c: char| c != '\n' && is_hazard(c)));
        let commands: Vec<_> = out.lines().map(read).collect();
        let names: Vec<&str> = commands.iter().map(|(name, ..)| name.as_str()).collect();
        prop_assert_eq!(names, ["error", "notice"]);
        let escaped = truncate_middle(&escape_terminal(&format!("temp-file in {text}")), LONGEST);
        for (_, properties, _) in &commands {
            let keys: Vec<&str> = properties.keys().map(String::as_str).collect();
            prop_assert_eq!(keys, ["file", "line", "title"]);
            prop_assert_eq!(&properties["title"], &escaped);
        }
    }
}
