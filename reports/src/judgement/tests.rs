use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::escape::is_hazard;
use crate::model::Windows;
use crate::sample;
use crate::shards::Shards;

const TODAY: Date = date(2030, 6, 1);

fn policy(text: &str) -> Policy {
    Policy::read(text).unwrap_or_else(|error| panic!("{error}"))
}

fn run(findings: Vec<Finding>) -> Run {
    let trials = (0..4).map(|i| sample::trial(i, &format!("window:{i}"))).collect();
    sample::run(trials, findings)
}

fn finding(code: Code) -> Finding {
    sample::finding(code, "/tmp/part", &["window:1"])
}

fn report(findings: Vec<Finding>) -> Report {
    sample::report(vec![run(findings)])
}

/// What a policy makes of one finding, and what it says.
fn of(text: &str, finding: Finding) -> (Verdict, Vec<String>) {
    let judgement = judge(&report(vec![finding.clone()]), &policy(text), None, TODAY);
    let fails = judgement.verdict == Verdict::Findings;
    assert_eq!(judgement.failing, if fails { vec![("nightly export".to_owned(), finding)] } else { vec![] }, "{text}");
    (judgement.verdict, judgement.reasons.into_iter().chain(judgement.warnings).collect())
}

fn verdict(text: &str, finding: Finding) -> Verdict {
    of(text, finding).0
}

fn said(text: &str, finding: Finding) -> String {
    of(text, finding).1.join("\n")
}

fn shard(report: Report) -> Report {
    Report { shards: Some(Shards { total: 4, present: vec![1, 3], division: None }), ..report }
}

use Verdict::{Clean, Findings, Inconclusive};

#[test]
fn severities_and_codes() {
    let (error, warn, note) = (Code::TempFile, Code::SlowTermination, Code::FdOpenAtExit);
    for (text, code, expected) in [
        ("", error, Findings),
        ("", warn, Clean),
        ("", note, Clean),
        ("severity = \"warn\"", error, Findings),
        ("severity = \"warn\"", warn, Findings),
        ("severity = \"warn\"", note, Clean),
        ("codes.fail = [\"fd-open-at-exit\"]", note, Findings),
        ("codes.fail = [\"slow-termination\"]", warn, Findings),
        ("codes.fail = [\"slow-termination\"]", error, Findings),
        ("codes.warn = [\"temp-file\"]", error, Clean),
        ("codes.warn = [\"hang\"]", error, Findings),
        ("severity = \"warn\"\ncodes.warn = [\"slow-termination\"]", warn, Clean),
    ] {
        assert_eq!(verdict(text, finding(code)), expected, "{text} {code}");
    }
    // The severity of the finding counts, not that of its code.
    let mild = Finding { severity: Severity::Warn, ..finding(error) };
    assert_eq!(verdict("", mild), Clean);
    insta::assert_snapshot!(said("", finding(warn)), @"slow-termination: the agent stopped, but later than it should in nightly export");
    insta::assert_snapshot!(said("codes.warn = [\"temp-file\"]", finding(error)), @"temp-file: a temporary file or directory was not removed in nightly export (codes.warn)");
    assert_eq!(said("", finding(note)), "");
}

#[test]
fn what_a_scenario_accepts_or_never_came_again_passes() {
    let accepted = Finding { accepted: Some("tracked".into()), ..finding(Code::TempFile) };
    let never = Finding { confirmed: Confirmed::new(0, 3), ..finding(Code::TempFile) };
    for one in [accepted, never] {
        assert_eq!(of("codes.fail = [\"temp-file\"]", one), (Clean, vec![]));
    }
    let unconfirmed = Finding { confirmed: None, ..finding(Code::TempFile) };
    assert_eq!(verdict("max_racy_rate = 1", unconfirmed), Findings);
}

#[test]
fn so_many_findings_are_let_pass() {
    let three = report(vec![finding(Code::TempFile), finding(Code::LockFile), finding(Code::Hang)]);
    let judged = |text: &str| judge(&three, &policy(text), None, TODAY);
    assert_eq!((judged("max_findings = 2").verdict, judged("max_findings = 2").failing.len()), (Findings, 3));
    let passes = judged("max_findings = 3");
    assert_eq!((passes.verdict, passes.failing), (Clean, vec![]));
    // All of them are named.
    insta::assert_snapshot!(passes.warnings.join("\n"), @"
    temp-file: a temporary file or directory was not removed in nightly export (max_findings = 3)
    lock-file: a lock file remains although its owner is gone in nightly export (max_findings = 3)
    hang: the agent began to stop and did not finish within the grace in nightly export (max_findings = 3)
    ");
    // What passes anyway does not count, and what has expired is not meant.
    assert_eq!(judged("max_findings = 2\ncodes.warn = [\"hang\"]").verdict, Clean);
    let expired = judged("max_findings = 9\n[[allow]]\ncode = \"hang\"\nreason = \"r\"\nexpires = 2030-05-31");
    assert_eq!((expired.verdict, expired.failing.len(), expired.warnings.len()), (Findings, 1, 2));
    assert_eq!(expired.failing[0].1.code, Code::Hang);
}

#[test]
fn windows_that_were_not_covered() {
    let judged = |text: &str, windows| {
        let mut report = report(vec![]);
        report.runs[0].windows = windows;
        judge(&report, &policy(text), None, TODAY)
    };
    let nine = Some(Windows { total: 10, covered: 9, missed: 1 });
    assert_eq!(judged("min_coverage = 0.9", nine).verdict, Clean);
    assert_eq!(judged("min_coverage = 0.91", nine).verdict, Findings);
    assert_eq!(judged("min_coverage = 1", Some(Windows { total: 2, covered: 2, missed: 0 })).verdict, Clean);
    assert_eq!(judged("", Some(Windows { total: 10, covered: 0, missed: 0 })).verdict, Clean);
    // A script has none.
    assert_eq!(judged("min_coverage = 1", None).verdict, Clean);
    insta::assert_snapshot!(judged("min_coverage = 0.915", nine).reasons.join("\n"), @"nightly export: 9 of 10 windows were covered, less than 91.5 %");
}

#[test]
fn trials_that_missed_their_points() {
    let mut report = report(vec![]);
    report.runs[0].trials[3] = sample::missed(3, "idle");
    let judged = |text: &str| judge(&report, &policy(text), None, TODAY);
    assert_eq!(judged("").verdict, Clean);
    assert_eq!(judged("max_missed = 0.25").verdict, Clean);
    assert_eq!(judged("max_missed = 0.24").verdict, Findings);
    insta::assert_snapshot!(judged("max_missed = 0").reasons.join("\n"), @"nightly export: 1 of 4 trials missed their points, more than 0 %");
    // Without trials there is no share.
    let none = sample::report(vec![sample::run(vec![], vec![])]);
    assert_eq!(judge(&none, &policy("max_missed = 0"), None, TODAY).verdict, Inconclusive);
}

#[test]
fn racy_findings() {
    let came = |hits, runs| Finding { confirmed: Confirmed::new(hits, runs), ..finding(Code::TempFile) };
    assert_eq!(verdict("", came(1, 3)), Findings);
    assert_eq!(verdict("max_racy_rate = 0.5", came(1, 2)), Clean);
    assert_eq!(verdict("max_racy_rate = 0.5", came(2, 3)), Findings);
    assert_eq!(verdict("max_racy_rate = 1", came(2, 3)), Clean);
    // What always comes is not racy.
    assert_eq!(verdict("max_racy_rate = 1", came(3, 3)), Findings);
    assert_eq!(verdict("max_racy_rate = 0", came(1, 1000)), Findings);
    insta::assert_snapshot!(said("max_racy_rate = 0.5", came(1, 250)), @"temp-file: a temporary file or directory was not removed in nightly export comes in 0.4 % of its runs (max_racy_rate)");
}

#[test]
fn the_guarantee_that_was_asked_for() {
    let judged = |text: &str, level| {
        let mut report = report(vec![]);
        report.guarantee.level = level;
        judge(&report, &policy(text), None, TODAY)
    };
    for (text, level, expected) in [
        ("", Level::Portable, Clean),
        ("guarantee = \"portable\"", Level::Portable, Clean),
        ("guarantee = \"portable\"", Level::Full, Clean),
        ("guarantee = \"full\"", Level::Full, Clean),
        ("guarantee = \"full\"", Level::Portable, Findings),
    ] {
        assert_eq!(judged(text, level).verdict, expected, "{text} {level:?}");
    }
    insta::assert_snapshot!(judged("guarantee = \"full\"", Level::Portable).reasons.join("\n"), @"the guarantee was portable, and the policy asks for the full one: `quietus doctor` says how to get it");
}

fn allow(rest: &str) -> String {
    format!("[[allow]]\ncode = \"temp-file\"\nreason = \"tracked\"\n{rest}")
}

#[test]
fn what_is_accepted() {
    for (rest, expected) in [
        ("", Clean),
        ("subject = \"/tmp/*\"", Clean),
        ("subject = \"/tmp\"", Findings),
        ("scenario = \"nightly*\"", Clean),
        ("scenario = \"export\"", Findings),
        ("subject = \"*part\"\nscenario = \"* export\"", Clean),
        ("subject = \"*part\"\nscenario = \"import\"", Findings),
        ("expires = 2030-06-02", Clean),
        // The last day belongs to it.
        ("expires = 2030-06-01", Clean),
        ("expires = 2030-05-31", Findings),
    ] {
        assert_eq!(verdict(&allow(rest), finding(Code::TempFile)), expected, "{rest}");
        assert_eq!(verdict(&allow(rest), finding(Code::LockFile)), Findings, "{rest}");
    }
    insta::assert_snapshot!(said(&allow(LATE), finding(Code::TempFile)), @"temp-file: a temporary file or directory was not removed in nightly export is accepted: tracked");
    assert_eq!(verdict(&format!("codes.fail = [\"temp-file\"]\n{}", allow("")), finding(Code::TempFile)), Clean);
}

#[test]
fn what_is_no_longer_accepted_fails_and_is_named() {
    insta::assert_snapshot!(said(&allow("expires = 2030-05-31"), finding(Code::TempFile)), @"temp-file: a temporary file or directory was not removed in nightly export is no longer accepted (tracked): that ended on 2030-05-31");
    // Another entry still accepts it.
    let both = format!("{}\n{}", allow("expires = 2030-05-31"), allow("expires = 2031-01-01"));
    assert_eq!(verdict(&both, finding(Code::TempFile)), Clean);
    // Of two that ended the later is named.
    let both = format!("{}\n{}", allow("expires = 2030-05-31"), allow("expires = 2030-05-01"));
    assert!(said(&both, finding(Code::TempFile)).contains("2030-05-31"));
}

#[test]
fn what_ends_soon_is_told() {
    let told = |day: &str| said(&allow(&format!("subject = \"/tmp/*\"\nexpires = {day}")), finding(Code::TempFile));
    insta::assert_snapshot!(told("2030-06-01"), @"
    temp-file: a temporary file or directory was not removed in nightly export is accepted: tracked
    [[allow]] temp-file /tmp/* ends today, on 2030-06-01
    ");
    insta::assert_snapshot!(told("2030-06-02"), @"
    temp-file: a temporary file or directory was not removed in nightly export is accepted: tracked
    [[allow]] temp-file /tmp/* ends tomorrow, on 2030-06-02
    ");
    insta::assert_snapshot!(told("2030-06-15"), @"
    temp-file: a temporary file or directory was not removed in nightly export is accepted: tracked
    [[allow]] temp-file /tmp/* ends in 14 days, on 2030-06-15
    ");
    assert!(!told("2030-06-16").contains("ends"), "{}", told("2030-06-16"));
    assert!(!told("9999-12-31").contains("ends"), "{}", told("9999-12-31"));
}

/// Long after the day of these tests.
const LATE: &str = "expires = 2030-12-31";

#[test]
fn what_is_too_much_or_was_not_run_is_told() {
    let many = report(vec![finding(Code::TempFile), finding(Code::LockFile)]);
    let judged = judge(&many, &policy("max_findings = 1"), None, TODAY);
    assert_eq!(judged.reasons, ["2 findings are more than max_findings = 1"]);
    let mut other = report(vec![finding(Code::TempFile)]);
    other.runs[0].scenario = "another".to_owned();
    let judged = judge(&other, &policy(""), Some(&Baseline::of(&many)), TODAY);
    let expected = "2 known findings are of scenarios that were not run: nightly export";
    assert!(judged.warnings.iter().any(|told| told == expected), "{:?}", judged.warnings);
}

#[test]
fn what_accepts_nothing_is_told() {
    let told = |report: &Report, rest: &str| judge(report, &policy(&allow(rest)), None, TODAY).warnings.join("\n");
    let clean = report(vec![]);
    insta::assert_snapshot!(told(&clean, "subject = \"/tmp/*\"\nscenario = \"nightly*\""), @"[[allow]] temp-file /tmp/* in nightly* fits no finding: it may be taken out");
    insta::assert_snapshot!(told(&clean, "expires = 2030-06-02"), @"[[allow]] temp-file fits no finding: it may be taken out");
    insta::assert_snapshot!(told(&clean, "scenario = \"daily*\""), @"[[allow]] temp-file in daily* fits no scenario that was run");
    // What was not looked at may still have it.
    let part = shard(report(vec![]));
    assert!(!told(&part, "").contains("allow"), "{}", told(&part, ""));
    let mut lost = report(vec![]);
    lost.runs[0].trials.push(sample::inconclusive(4, "idle", "lost"));
    assert_eq!(told(&lost, LATE), "nightly export: not every trial could be judged");
    // It fits what was not seen again this time, what is no error, and what another entry accepts.
    let never = Finding { confirmed: Confirmed::new(0, 3), ..finding(Code::TempFile) };
    assert_eq!(told(&report(vec![never]), LATE), "");
    let mild = Finding { severity: Severity::Note, ..finding(Code::TempFile) };
    assert_eq!(told(&report(vec![mild]), LATE), "");
    assert_eq!(
        told(&report(vec![finding(Code::TempFile)]), "").lines().last(),
        Some("[[allow]] temp-file never ends: `expires` gives it a last day")
    );
    let both = told(&report(vec![finding(Code::TempFile)]), &allow("subject = \"/tmp/*\""));
    assert!(!both.contains("fits no"), "{both}");
}

#[test]
fn known_findings_pass_and_new_ones_fail() {
    let before = Baseline::of(&report(vec![finding(Code::TempFile), finding(Code::LockFile)]));
    let now = report(vec![finding(Code::Hang), finding(Code::TempFile)]);
    let judgement = judge(&now, &policy(""), Some(&before), TODAY);
    assert_eq!(judgement.verdict, Findings);
    assert_eq!(judgement.failing, [("nightly export".to_owned(), finding(Code::Hang))]);
    let compared = judgement.compared.expect("there is a baseline");
    let codes = |known: &[Known]| known.iter().map(|one| one.code).collect::<Vec<_>>();
    assert_eq!(codes(&compared.new), [Code::Hang]);
    assert_eq!(codes(&compared.known), [Code::TempFile]);
    assert_eq!(codes(&compared.fixed), [Code::LockFile]);
    // The same in another scenario is new.
    let mut elsewhere = report(vec![finding(Code::TempFile)]);
    elsewhere.runs[0].scenario = "another".into();
    assert_eq!(judge(&elsewhere, &policy(""), Some(&before), TODAY).verdict, Findings);
    let same = judge(&report(vec![finding(Code::TempFile)]), &policy(""), Some(&before), TODAY);
    assert_eq!((same.verdict, same.exit_code(), same.failing), (Clean, 0, vec![]));
    // Known, though it is no longer accepted.
    let known = report(vec![finding(Code::TempFile)]);
    assert_eq!(judge(&known, &policy(&allow("expires = 2030-05-31")), Some(&before), TODAY).verdict, Clean);
    // A baseline changes nothing of what else fails.
    let text = "guarantee = \"full\"\nmin_coverage = 1";
    assert_eq!(judge(&known, &policy(text), Some(&before), TODAY).reasons.len(), 1);
}

#[test]
fn what_could_not_be_judged_never_passes() {
    let judged = |report: &Report, baseline: Option<&Baseline>| judge(report, &policy(""), baseline, TODAY).verdict;
    let known = || vec![finding(Code::TempFile)];
    let baseline = Baseline::of(&report(known()));
    let lost = |findings| {
        let mut run = run(findings);
        run.trials.push(sample::inconclusive(4, "idle", "lost"));
        sample::report(vec![run])
    };
    let missed = |findings| {
        let mut run = run(findings);
        run.trials.extend((4..9).map(|i| sample::missed(i, "idle")));
        sample::report(vec![run])
    };
    assert_eq!(judged(&sample::report(vec![]), None), Inconclusive);
    assert_eq!(judged(&sample::report(vec![sample::run(vec![], vec![])]), None), Inconclusive);
    for of in [&lost as &dyn Fn(_) -> _, &missed] {
        assert_eq!(judged(&of(vec![]), None), Inconclusive);
        assert_eq!(judged(&of(known()), None), Findings);
        // What is known hides nothing.
        assert_eq!(judged(&of(known()), Some(&baseline)), Inconclusive);
    }
    // One run of several.
    assert_eq!(judged(&sample::report(vec![run(vec![]), sample::run(vec![], vec![])]), None), Inconclusive);
    // The engine knows more than the trials show.
    let mut failing = report(vec![]);
    failing.runs[0].verdict = Inconclusive;
    assert_eq!(judged(&failing, None), Inconclusive);
    assert_eq!(judged(&Report { verdict: Inconclusive, ..report(vec![]) }, None), Inconclusive);
}

#[test]
fn a_part_never_passes() {
    let judged = |report: Report, text: &str| judge(&shard(report), &policy(text), None, TODAY);
    let clean = judged(report(vec![]), "");
    assert_eq!((clean.verdict, clean.exit_code()), (Inconclusive, 3));
    insta::assert_snapshot!(clean.told(), @"
    warning: shards 2, 4 of 4 are missing
    the gate is inconclusive: not everything could be judged
    ");
    assert_eq!(judged(report(vec![finding(Code::TempFile)]), "").verdict, Findings);
    // How much the whole has covered is not known.
    let part = judged(report(vec![]), "min_coverage = 1\nmax_missed = 0");
    assert_eq!((part.verdict, part.reasons), (Inconclusive, vec![]));
    let whole = Report { shards: Some(Shards { total: 1, present: vec![1], division: None }), ..report(vec![]) };
    assert_eq!(judge(&whole, &policy(""), None, TODAY).verdict, Clean);
}

#[test]
fn exit_codes() {
    let code = |report: &Report| judge(report, &policy(""), None, TODAY).exit_code();
    assert_eq!(code(&report(vec![])), 0);
    assert_eq!(code(&report(vec![finding(Code::TempFile)])), 1);
    assert_eq!(code(&sample::report(vec![])), 3);
}

#[test]
fn a_failing_gate() {
    let text = format!("min_coverage = 1\n{}", allow("expires = 2030-01-31"));
    insta::assert_snapshot!(judge(&sample::rich(), &policy(&text), None, TODAY).told(), @"
    error[orphan-process] in nightly export
      title      `sleep 300` still runs after the agent ended
      made at    agent.py:41 in run_tool
      cause      process 0.1 is in its own session (setsid at event 216), so the signal to the group of the agent did not reach it
      confirmed  3/3
      replay     quietus replay q1:TERM@window:12
    error[temp-file] in nightly export
      title      `/tmp/tmpk3x9x2ab` was not removed
      cause      SIGTERM had its default action until event 214
      confirmed  2/3
      replay     quietus replay q1:TERM@window:3
    fails: temp-file: `/tmp/tmpk3x9x2ab` was not removed in nightly export is no longer accepted (tracked): that ended on 2030-01-31
    fails: nightly export: 34 of 36 windows were covered, less than 100 %
    warning: slow-termination: the agent stopped, but later than it should in nightly export
    the gate fails
    ");
}

#[test]
fn a_failing_gate_with_a_baseline() {
    let before = report(vec![finding(Code::LockFile), finding(Code::TempFile)]);
    let now = report(vec![finding(Code::TempFile), finding(Code::Hang)]);
    insta::assert_snapshot!(judge(&now, &policy(""), Some(&Baseline::of(&before)), TODAY).told(), @"
    new error[hang] in nightly export
      title      the agent began to stop and did not finish within the grace
      confirmed  3/3
      replay     quietus replay q1:TERM@window:1
    fixed: lock-file: a lock file remains although its owner is gone in nightly export
    the gate fails: 1 new, 1 known, 1 fixed
    ");
}

#[test]
fn a_passing_gate() {
    let now = report(vec![finding(Code::TempFile), finding(Code::SlowTermination)]);
    insta::assert_snapshot!(judge(&now, &policy(&allow("expires = 2030-06-10")), None, TODAY).told(), @"
    warning: temp-file: a temporary file or directory was not removed in nightly export is accepted: tracked
    warning: slow-termination: the agent stopped, but later than it should in nightly export
    warning: [[allow]] temp-file ends in 9 days, on 2030-06-10
    the gate passes
    ");
    insta::assert_snapshot!(judge(&report(vec![]), &policy(""), None, TODAY).told(), @"the gate passes");
}

#[test]
fn hostile_strings() {
    let hostile = "a\u{1b}[2J\n\u{202e}fails: x";
    let text = "[[allow]]\ncode = \"temp-file\"\nsubject = \"a\\u001b*\"\nreason = \"r\\u001b\\n\\u202e\"\n";
    let report = sample::hostile(hostile);
    insta::assert_snapshot!(judge(&report, &policy(""), None, TODAY).told(), @r#"
    error[temp-file] in a\x1b[2J\n\u{202e}fails: x
      title      a\x1b[2J\n\u{202e}fails: x
      made at    a\x1b[2J\n\u{202e}fails: x
      cause      a\x1b[2J\n\u{202e}fails: x
      confirmed  3/3
      replay     a\x1b[2J\n\u{202e}fails: x
    the gate fails
    "#);
    insta::assert_snapshot!(judge(&report, &policy(text), None, TODAY).told(), @r#"
    warning: temp-file: a\x1b[2J\n\u{202e}fails: x in a\x1b[2J\n\u{202e}fails: x is accepted: r\x1b\n\u{202e}
    warning: [[allow]] temp-file a\x1b* never ends: `expires` gives it a last day
    the gate passes
    "#);
    let expired = format!("{text}expires = 2030-05-31");
    insta::assert_snapshot!(judge(&report, &policy(&expired), None, TODAY).told(), @r#"
    error[temp-file] in a\x1b[2J\n\u{202e}fails: x
      title      a\x1b[2J\n\u{202e}fails: x
      made at    a\x1b[2J\n\u{202e}fails: x
      cause      a\x1b[2J\n\u{202e}fails: x
      confirmed  3/3
      replay     a\x1b[2J\n\u{202e}fails: x
    fails: temp-file: a\x1b[2J\n\u{202e}fails: x in a\x1b[2J\n\u{202e}fails: x is no longer accepted (r\x1b\n\u{202e}): that ended on 2030-05-31
    the gate fails
    "#);
}

proptest! {
    #[test]
    fn any_judgement_is_told_harmlessly(hostile in any::<String>(), reason in "\\PC*\\S", pass in any::<bool>()) {
        let mut report = sample::hostile(&hostile);
        report.runs[0].windows = Some(Windows { total: 2, covered: 1, missed: 1 });
        let reason = toml::Value::from(format!("{reason}\u{1b}\u{202e}"));
        let subject = toml::Value::from(if pass { "*".to_owned() } else { format!("{hostile:?}x") });
        let expires = if pass { "2030-06-02" } else { "2030-05-31" };
        let text = format!(
            "min_coverage = 1\nmax_missed = 0\n[[allow]]\ncode = \"temp-file\"\nreason = {reason}\nexpires = {expires}\n\
             [[allow]]\ncode = \"hang\"\nreason = {reason}\nsubject = {subject}\nscenario = {subject}\n"
        );
        if let Ok(policy) = Policy::read(&text) {
            let gone = Known { code: Code::Hang, title: hostile.clone(), scenario: hostile.clone(), fingerprint: "x".into() };
            for baseline in [Baseline::default(), Baseline { known: vec![gone] }] {
                let judgement = judge(&report, &policy, Some(&baseline), TODAY);
                prop_assert!(judgement.verdict == Findings);
                let told = judgement.told();
                prop_assert!(!told.contains(|c: char| c != '\n' && is_hazard(c)), "{told:?}");
                prop_assert!(told.ends_with('\n') && !told.contains("\n\n"), "{told:?}");
            }
        }
    }
}

#[test]
fn forms_that_know_only_a_report_show_what_the_gate_says() {
    let report = crate::sample::rich();
    let day = jiff::civil::date(2026, 1, 1);
    let baseline = Baseline::of(&report);
    let judgement = judge(&report, &Policy::default(), Some(&baseline), day);
    assert_eq!(judgement.verdict, Verdict::Clean);
    let judged = judgement.applied_to(&report);
    assert_eq!((judged.verdict, judged.totals.errors), (Verdict::Clean, 0));
    assert!(crate::render_junit(&judged, crate::Gate::default()).contains("known from the baseline"));
    let options = crate::Repository::new("agent.py");
    assert!(crate::render_annotations(&report, &options).contains("::error"));
    assert!(!crate::render_annotations(&judged, &options).contains("::error"));
    // What fails though it is less than an error is one there.
    let policy = Policy::read("severity = \"warn\"").expect("a policy");
    let judgement = judge(&report, &policy, None, day);
    let judged = judgement.applied_to(&report);
    assert_eq!(usize::try_from(judged.totals.errors).expect("few"), judgement.failing.len());
    assert!(judged.totals.errors > report.totals.errors && judged.verdict == Verdict::Findings);
}

#[test]
fn a_run_in_doubt_is_never_let_pass() {
    let mut report = crate::sample::rich();
    report.runs[0].doubt = Some(crate::Doubt::BrokenOff);
    let baseline = Baseline::of(&report);
    let judgement = judge(&report, &Policy::default(), Some(&baseline), jiff::civil::date(2026, 1, 1));
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
}
