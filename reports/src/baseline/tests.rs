use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::escape::is_hazard;
use crate::model::Trial;
use crate::sample;
use crate::shards::Shards;

/// A run of a scenario in which every trial reached its point.
fn run(scenario: &str, findings: Vec<Finding>) -> Run {
    let trials = vec![sample::trial(0, "start"), sample::trial(1, "window:1")];
    Run { scenario: scenario.into(), ..sample::run(trials, findings) }
}

fn finding(code: Code, subject: &str) -> Finding {
    sample::finding(code, subject, &["start"])
}

fn temp() -> Finding {
    finding(Code::TempFile, "/tmp/part")
}

fn report(findings: Vec<Finding>) -> Report {
    sample::report(vec![run("export", findings)])
}

fn names(known: &[Known]) -> Vec<String> {
    known.iter().map(|one| format!("{} {}", one.scenario, one.code)).collect()
}

/// What is new, known and fixed.
fn compared(before: &Report, now: &Report) -> [Vec<String>; 3] {
    let Compared { new, known, fixed } = Baseline::of(before).compare(now);
    [names(&new), names(&known), names(&fixed)]
}

const NONE: [Vec<String>; 3] = [vec![], vec![], vec![]];

#[test]
fn new_known_and_fixed() {
    let before = report(vec![temp(), finding(Code::LockFile, "a.lock")]);
    let now = report(vec![finding(Code::OrphanProcess, "sleep"), temp()]);
    insta::assert_debug_snapshot!(compared(&before, &now), @r#"
    [
        [
            "export orphan-process",
        ],
        [
            "export temp-file",
        ],
        [
            "export lock-file",
        ],
    ]
    "#);
    assert_eq!(compared(&report(vec![]), &report(vec![])), NONE);
    assert_eq!(compared(&before, &before)[1].len(), 2);
}

#[test]
fn another_subject_of_the_same_code_is_another_finding() {
    let (before, now) = (report(vec![temp()]), report(vec![finding(Code::TempFile, "/tmp/other")]));
    assert_eq!(compared(&before, &now), [vec!["export temp-file"], vec![], vec!["export temp-file"]]);
}

#[test]
fn what_nobody_acts_on_is_neither_new_nor_fixed() {
    let before = report(vec![temp()]);
    let accepted = Finding { accepted: Some("known".into()), ..temp() };
    let never_again = Finding { confirmed: Confirmed::new(0, 3), ..temp() };
    let note = Finding { severity: Severity::Note, ..temp() };
    for one in [accepted, never_again, note] {
        let now = report(vec![one]);
        assert_eq!(Baseline::of(&now), Baseline::default());
        assert_eq!(compared(&before, &now), NONE);
        assert_eq!(compared(&report(vec![]), &now), NONE);
    }
    let racy = report(vec![Finding { confirmed: Confirmed::new(1, 3), ..temp() }]);
    assert_eq!(compared(&before, &racy)[1], ["export temp-file"]);
}

#[test]
fn only_what_was_looked_for_is_fixed() {
    let before = report(vec![temp()]);
    let fixed = |now: Report| compared(&before, &now)[2].len();
    let missed = || vec![sample::trial(0, "start"), sample::missed(1, "idle"), sample::missed(2, "exit")];
    let lost = || vec![sample::trial(0, "start"), sample::inconclusive(1, "idle", "lost")];
    let orphan = || vec![finding(Code::OrphanProcess, "sleep")];
    let tried = |trials: Vec<Trial>, findings| sample::report(vec![Run { trials, ..run("export", findings) }]);
    assert_eq!(fixed(report(vec![])), 1);
    // Another scenario was run, or none.
    assert_eq!(fixed(sample::report(vec![run("import", vec![])])), 0);
    assert_eq!(fixed(sample::report(vec![])), 0);
    // It was not judged, also where something else was found.
    for trials in [missed(), lost(), vec![]] {
        assert_eq!(fixed(tried(trials.clone(), vec![])), 0, "{trials:?}");
        assert_eq!(fixed(tried(trials.clone(), orphan())), 0, "{trials:?}");
    }
    let mut failing = report(vec![]);
    failing.runs[0].verdict = crate::Verdict::Inconclusive;
    assert_eq!(fixed(failing), 0);
    // A part of it was run.
    let shard =
        |present: Vec<u32>| Report { shards: Some(Shards { total: 2, present, division: None }), ..report(vec![]) };
    assert_eq!(fixed(shard(vec![1])), 0);
    assert_eq!(fixed(shard(vec![1, 2])), 1);
    let mut part = report(vec![]);
    part.runs[0].elsewhere = 1;
    assert_eq!(fixed(part), 0);
    // One of two runs of that name was not judged.
    let twice = vec![run("export", vec![]), Run { trials: lost(), ..run("export", vec![]) }];
    assert_eq!(fixed(sample::report(twice)), 0);
}

#[test]
fn what_two_scenarios_show_is_two_findings() {
    let before = sample::report(vec![run("export", vec![temp()]), run("import", vec![])]);
    let now = sample::report(vec![run("export", vec![]), run("import", vec![temp()])]);
    assert_eq!(compared(&before, &now), [vec!["import temp-file"], vec![], vec!["export temp-file"]]);
    let both = sample::report(vec![run("export", vec![temp()]), run("import", vec![temp()])]);
    assert_eq!(names(&Baseline::of(&both).known), ["export temp-file", "import temp-file"]);
    // Two runs of one name show one.
    let twice = sample::report(vec![run("export", vec![temp()]), run("export", vec![temp()])]);
    assert_eq!(names(&Baseline::of(&twice).known), ["export temp-file"]);
}

#[test]
fn the_file() {
    insta::assert_snapshot!(Baseline::of(&sample::rich()).write(), @r#"
    # Findings that are known: `quietus gate --baseline` fails only on others.
    # Written by `quietus report baseline REPORT`; what was mended may be taken out.

    [[known]]
    scenario = "nightly export"
    fingerprint = "orphan-process:20ce0e4b67b4dd62"
    code = "orphan-process"
    title = "`sleep 300` still runs after the agent ended"

    [[known]]
    scenario = "nightly export"
    fingerprint = "slow-termination:9df1a7645ca5506b"
    code = "slow-termination"
    title = "the agent stopped, but later than it should"

    [[known]]
    scenario = "nightly export"
    fingerprint = "temp-file:d236891ff97c169b"
    code = "temp-file"
    title = "`/tmp/tmpk3x9x2ab` was not removed"
    "#);
    insta::assert_snapshot!(Baseline::default().write(), @"
    # Findings that are known: `quietus gate --baseline` fails only on others.
    # Written by `quietus report baseline REPORT`; what was mended may be taken out.
    ");
}

#[test]
fn the_file_shows_what_cannot_be_seen() {
    let hostile = "a\u{1b}[2J\n\"b\\\u{202e}c\u{e0041}\0\t'''";
    let one = Known { scenario: hostile.into(), fingerprint: "x".into(), code: Code::Hang, title: hostile.into() };
    let baseline = Baseline { known: vec![one] };
    let text = baseline.write();
    insta::assert_snapshot!(text.lines().skip(3).collect::<Vec<_>>().join("\n"), @r#"
    [[known]]
    scenario = "a\u001B[2J\n\"b\\\u202Ec\U000E0041\u0000\t'''"
    fingerprint = "x"
    code = "hang"
    title = "a\u001B[2J\n\"b\\\u202Ec\U000E0041\u0000\t'''"
    "#);
    assert_eq!(Baseline::read(&text), Ok(baseline));
}

#[test]
fn a_report_is_a_baseline() {
    let rich = sample::rich();
    let of = Baseline::of(&rich);
    assert!(of.known.len() > 2, "{of:?}");
    assert_eq!(Baseline::read(&crate::to_json(&rich)), Ok(of.clone()));
    assert_eq!(Baseline::read(&format!("\u{feff}\n {}", crate::to_json(&rich))), Ok(of.clone()));
    assert_eq!(Baseline::read(&format!("\u{feff}{}", of.write())), Ok(of.clone()));
    let compared = of.compare(&rich);
    assert_eq!((compared.new, compared.known, compared.fixed), (vec![], of.known, vec![]));
    assert_eq!(Baseline::read(&Baseline::default().write()), Ok(Baseline::default()));
    // Written by what was broken off, it would let everything be new, or nothing be fixed.
    assert_eq!(Baseline::read(" \n"), Err(BaselineError::Empty));
}

#[test]
fn what_is_no_baseline() {
    let wrong = |text: &str| Baseline::read(text).expect_err("must not be read").to_string();
    insta::assert_snapshot!(wrong("{}"), @"this is JSON but not a report of quietus: it has no `format`");
    insta::assert_snapshot!(wrong("{\"format\": 9}"), @"the report has format 9, and this version of quietus reads format 1; use the version that wrote it (key `quietus`)");
    insta::assert_snapshot!(wrong("[[known]]\nscenario = \"x\"\n"), @"
    line 1, column 1: missing field `fingerprint`
      [[known]]
      ^
    ");
    insta::assert_snapshot!(wrong("[[knwon]]\n"), @"
    line 1, column 3: unknown field `knwon`, expected `known`
      [[knwon]]
        ^
    ");
    insta::assert_snapshot!(wrong("[[known]]\nscenario = \"x\"\nfingerprint = \"x\"\ntitle = \"x\"\ncode = \"\\u001b[2Jhang\"\n"), @r#"
    line 5, column 8: unknown finding code `\x1b[2Jhang`; did you mean `hang`? `quietus explain --list` shows all
      code = "\u001b[2Jhang"
             ^
    "#);
}

fn any_known() -> impl Strategy<Value = Known> {
    let code = proptest::sample::select(Code::ALL.to_vec());
    (any::<String>(), any::<String>(), code, any::<String>()).prop_map(|(scenario, fingerprint, code, title)| Known {
        scenario,
        fingerprint,
        code,
        title,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_harmless(known in proptest::collection::vec(any_known(), 0..6)) {
        let baseline = Baseline { known };
        let text = baseline.write();
        prop_assert!(!text.contains(|c: char| c != '\n' && is_hazard(c)), "{text:?}");
        prop_assert_eq!(Baseline::read(&text), Ok(baseline));
    }

    #[test]
    fn a_hostile_report_is_written_and_read(text in any::<String>()) {
        let report = sample::hostile(&text);
        let baseline = Baseline::of(&report);
        prop_assert_eq!(baseline.known.len(), 1);
        prop_assert_eq!(&Baseline::read(&baseline.write()), &Ok(baseline.clone()));
        let compared = baseline.compare(&report);
        prop_assert_eq!((compared.new.len(), compared.known.len(), compared.fixed.len()), (0, 1, 0));
    }

    #[test]
    fn any_text_is_read_or_refused_harmlessly(text in any::<String>(), rest in any::<String>()) {
        for text in [text.clone(), format!("{{{text}"), format!("[[known]]\ntitle = {text}\n{rest}")] {
            if let Err(error) = Baseline::read(&text) {
                prop_assert!(!error.to_string().contains(|c: char| c != '\n' && is_hazard(c)), "{error}");
            }
        }
    }
}
