use insta::assert_snapshot;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;
use crate::escape::is_hazard;
use crate::model::NotAudited;
use crate::{Code, sample};

fn markdown(report: &Report) -> String {
    render_markdown(report, &MarkdownOptions::default())
}

fn known(code: Code, subject: &str, title: &str) -> Known {
    let finding = sample::finding(code, subject, &["start"]);
    Known { scenario: "nightly export".into(), fingerprint: finding.fingerprint, code, title: title.into() }
}

#[test]
fn findings() {
    assert_snapshot!(markdown(&sample::rich()));
}

#[test]
fn clean() {
    assert_snapshot!(markdown(&sample::report(vec![sample::run(vec![sample::trial(0, "start")], vec![])])));
}

#[test]
fn nothing_run() {
    assert_snapshot!(markdown(&sample::report(vec![])));
}

#[test]
fn inconclusive_and_portable() {
    let trials = vec![sample::trial(0, "start"), sample::inconclusive(1, "window:3", "the tracee was lost")];
    let mut report = sample::report(vec![sample::run(trials, vec![])]);
    report.guarantee.level = Level::Portable;
    report.guarantee.not_audited =
        vec![NotAudited { what: "System V shared memory".into(), why: "no IPC namespace (kernel.x = 0)".into() }];
    assert_snapshot!(markdown(&report));
}

#[test]
fn against_a_baseline() {
    let compared = Compared {
        new: vec![known(Code::TempFile, "/tmp/tmpk3x9x2ab/part.json", "`/tmp/tmpk3x9x2ab` was not removed")],
        known: vec![known(Code::OrphanProcess, "sleep 300", "`sleep 300` still runs after the agent ended")],
        fixed: vec![known(Code::PortHeld, "8080", "port 8080 is still bound")],
    };
    let options = MarkdownOptions { compared: Some(compared), ..MarkdownOptions::default() };
    assert_snapshot!(render_markdown(&sample::rich(), &options));
}

#[test]
fn hostile_strings() {
    let text = "@octocat #1 <b> [a](http://b) ```\n</details> | \u{1b}[2J\u{202e} GH-1";
    assert_snapshot!(markdown(&sample::hostile(text)));
}

#[test]
fn what_does_not_fit_is_left_out_whole_and_counted() {
    let findings = (0..40).map(|i| sample::finding(Code::TempFile, &format!("/a/{i}"), &["start"])).collect();
    let report = sample::report(vec![sample::run(vec![sample::trial(0, "start")], findings)]);
    let options = MarkdownOptions { most_bytes: 6_000, ..MarkdownOptions::default() };
    let text = render_markdown(&report, &options);
    let shown = text.matches("\n### ").count();
    assert!((3..40).contains(&shown), "{shown}");
    assert!(text.ends_with(&format!("\nand {} more: see the HTML report\n", 40 - shown)), "{text}");
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
}

/// What a reader of Markdown finds, but for the texts themselves.
fn shape(text: &str) -> Vec<String> {
    let mut shape = Vec::new();
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            // How many words stand in code, and how many do not, is no matter of structure.
            Event::Text(_) | Event::Code(_) => {}
            Event::Html(html) => {
                let ours = html.starts_with("<details><summary>") || html.as_ref() == "</details>\n";
                assert!(ours, "{html:?}");
                shape.push("html".to_owned());
            }
            Event::Start(Tag::CodeBlock(_)) => shape.push("block".to_owned()),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::InlineHtml(_) => panic!("{event:?} in {text}"),
            other => shape.push(format!("{other:?}")),
        }
    }
    shape
}

fn compared(text: &str) -> Compared {
    let known =
        || vec![Known { scenario: text.into(), fingerprint: text.into(), code: Code::TempFile, title: text.into() }];
    Compared { new: known(), known: known(), fixed: known() }
}

const HOSTILE: &str = "(?s).*|[`<>&@#!\\[\\](){}*_~|\\\\$%^+:;/.,'\"=\\-\n\r\t \u{0}\u{202e}0-9a-gw]*|(</details>|<summary>|www\\.|https://|GH-|@a|#1|`| |\\||\n){0,30}";

proptest! {
    #[test]
    fn hostile_text_is_only_ever_text(text in HOSTILE, against: bool) {
        let render = |text: &str| {
            let compared = against.then(|| compared(text));
            render_markdown(&sample::hostile(text), &MarkdownOptions { compared, ..MarkdownOptions::default() })
        };
        let out = render(&text);
        prop_assert!(!out.contains(|c: char| c != '\n' && is_hazard(c)));
        prop_assert_eq!(shape(&out), shape(&render("x")), "{}", out);
    }

    #[test]
    fn the_bound_holds(text in HOSTILE, most_bytes in 0_usize..20_000, times in 1_usize..20) {
        let mut report = sample::hostile(&text);
        let findings = report.runs[0].findings.clone();
        report.runs[0].findings = findings.into_iter().cycle().take(3 * times).collect();
        let options = MarkdownOptions { most_bytes, compared: Some(compared(&text)), judgement: None };
        let out = render_markdown(&report, &options);
        prop_assert!(out.len() <= most_bytes);
        prop_assert_eq!(shape(&out).iter().filter(|it| *it == "html").count() % 2, 0);
    }
}

#[test]
fn what_a_gate_said_stands_on_top() {
    let mut report = sample::rich();
    report.runs[0].scenario = "@team [x](y)".to_owned();
    let policy = crate::Policy::read(
        "min_coverage = 1.0\n[[allow]]\ncode = \"temp-file\"\nreason = \"see #12\"\nexpires = \"2026-01-02\"\n",
    )
    .expect("a policy");
    let baseline = crate::Baseline::default();
    let judgement = crate::judge(&report, &policy, Some(&baseline), jiff::civil::date(2026, 1, 1));
    let compared = judgement.compared.clone();
    let options = MarkdownOptions { compared, judgement: Some(judgement), ..MarkdownOptions::default() };
    let text = render_markdown(&report, &options);
    let top: Vec<&str> = text.lines().take(16).collect();
    insta::assert_snapshot!(top.join("\n"));
}
