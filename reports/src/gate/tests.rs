use super::*;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::model::{Totals, Trial};
use crate::sample;

const WARN: Gate = Gate { at: Severity::Warn };
const NOTE: Gate = Gate { at: Severity::Note };

fn good() -> Vec<Trial> {
    vec![sample::trial(0, "start"), sample::trial(1, "window:1")]
}

fn finding(code: Code) -> Vec<Finding> {
    vec![sample::finding(code, "x", &["start"])]
}

fn accepted(code: Code) -> Vec<Finding> {
    vec![Finding { accepted: Some("known".into()), ..sample::finding(code, "x", &["start"]) }]
}

/// Verdicts under the gates at error and at warn.
#[track_caller]
fn check(trials: Vec<Trial>, findings: Vec<Finding>, at_error: Verdict, at_warn: Verdict) {
    let run = sample::run(trials, findings);
    assert_eq!(Gate::default().judge_run(&run), at_error, "at error");
    assert_eq!(WARN.judge_run(&run), at_warn, "at warn");
    assert_eq!(NOTE.judge_run(&run), at_warn, "at note, which is as at warn");
}

#[test]
fn findings_count_from_the_gate_upwards() {
    use Verdict::{Clean, Findings};
    check(good(), vec![], Clean, Clean);
    check(good(), finding(Code::OrphanProcess), Findings, Findings);
    check(good(), finding(Code::ZombieProcess), Clean, Findings);
    check(good(), finding(Code::FdOpenAtExit), Clean, Clean);
    check(good(), accepted(Code::OrphanProcess), Clean, Clean);
}

#[test]
fn what_came_again_counts_and_what_never_did_does_not() {
    use Verdict::{Clean, Findings};
    let again = |hits| vec![Finding { confirmed: Confirmed::new(hits, 3), ..finding(Code::OrphanProcess).remove(0) }];
    check(good(), again(3), Findings, Findings);
    check(good(), again(1), Findings, Findings);
    // Whatever its severity.
    check(good(), again(0), Clean, Clean);
    // One that was not run again is as it was seen.
    let unconfirmed = vec![Finding { confirmed: None, ..finding(Code::OrphanProcess).remove(0) }];
    check(good(), unconfirmed, Findings, Findings);
}

#[test]
fn nothing_is_clean_because_nothing_was_looked_at() {
    use Verdict::{Clean, Findings, Inconclusive};
    let missed = || sample::missed(2, "port:8080");
    let lost = || sample::inconclusive(3, "idle", "lost");
    let informs = || Trial { informational: true, ..lost() };

    check(vec![], vec![], Inconclusive, Inconclusive);
    check(vec![missed()], vec![], Inconclusive, Inconclusive);
    check(vec![missed(), lost()], vec![], Inconclusive, Inconclusive);
    check(vec![missed(), informs()], vec![], Inconclusive, Inconclusive);
    check([good(), vec![missed()]].concat(), vec![], Clean, Clean);
    check([good(), vec![lost()]].concat(), vec![], Inconclusive, Inconclusive);
    check([good(), vec![informs()]].concat(), vec![], Clean, Clean);
    // A finding is one, however much else could not be judged.
    check(vec![lost()], finding(Code::Hang), Findings, Findings);
    check(vec![lost()], finding(Code::ZombieProcess), Inconclusive, Findings);
    check(vec![lost()], accepted(Code::Hang), Inconclusive, Inconclusive);
}

#[test]
fn the_agent_that_had_to_be_killed_did_reach_its_point() {
    let killed = Trial { outcome: Outcome::Killed, ..sample::trial(0, "start") };
    check(vec![killed], vec![], Verdict::Clean, Verdict::Clean);
}

#[test]
fn exit_codes() {
    let clean = || sample::run(good(), vec![]);
    let warned = || sample::run(good(), finding(Code::SlowTermination));
    let failed = || sample::run(good(), finding(Code::TempFile));
    let unclear = || sample::run(vec![], vec![]);
    for (runs, at_error, at_warn) in [
        (vec![], 3, 3),
        (vec![clean()], 0, 0),
        (vec![clean(), warned()], 0, 1),
        (vec![clean(), unclear()], 3, 3),
        (vec![unclear(), failed()], 1, 1),
        (vec![unclear(), warned()], 3, 1),
    ] {
        let report = sample::report(runs);
        assert_eq!(Gate::default().exit_code(&report), at_error);
        assert_eq!(WARN.exit_code(&report), at_warn);
    }
}

#[test]
fn a_stored_inconclusive_never_turns_clean() {
    let mut report = sample::report(vec![sample::run(good(), vec![])]);
    assert_eq!(Gate::default().exit_code(&report), 0);
    report.runs[0].verdict = Verdict::Inconclusive;
    assert_eq!(Gate::default().exit_code(&report), 3);
    report.runs[0].verdict = Verdict::Clean;
    report.verdict = Verdict::Inconclusive;
    assert_eq!(Gate::default().exit_code(&report), 3);
    // A stored "findings" is judged again, as the gate may be another.
    report.verdict = Verdict::Findings;
    assert_eq!(Gate::default().exit_code(&report), 0);
}

#[test]
fn totals_count_each_finding_once() {
    let report = sample::rich();
    assert_eq!(
        Totals::of(&report.runs),
        Totals {
            trials: 16,
            missed: 1,
            inconclusive: 1,
            errors: 2,
            warnings: 1,
            notes: 1,
            not_reproduced: 1,
            accepted: 1
        }
    );
    let known = Finding { accepted: Some("known".into()), ..sample::seen_once() };
    let totals = Totals::of(&[sample::run(vec![], vec![known])]);
    assert_eq!((totals.not_reproduced, totals.accepted), (0, 1));
    assert_eq!(Totals::of(&[]), Totals::default());
}
