use super::*;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::map::{MappedWindow, WindowMap};
use crate::sample;

fn windows(like: &[u32]) -> WindowMap {
    let window = |(number, like): (u64, &u32)| MappedWindow { at_us: number * 10, opened: "start".into(), like: *like };
    WindowMap { duration_us: 1_000, windows: (0..).zip(like).map(window).collect(), lives: vec![] }
}

/// A run with a finding of each severity, one accepted and one that never came again.
fn run(trials: Vec<Trial>, like: &[u32]) -> Run {
    let mut findings = vec![
        sample::finding(Code::TempFile, "error", &[]),
        sample::finding(Code::SlowTermination, "warn", &[]),
        sample::finding(Code::FdOpenAtExit, "note", &[]),
        sample::finding(Code::LockFile, "accepted", &[]),
        sample::finding(Code::SocketFile, "once", &[]),
    ];
    for finding in &mut findings {
        finding.fingerprint.clone_from(&finding.subject);
    }
    findings[3].accepted = Some("known".into());
    findings[4].confirmed = Confirmed::new(0, 3);
    let mut run = sample::run(trials, findings);
    run.map = Some(windows(like));
    run
}

fn shows(window: u32, findings: &[&str]) -> Trial {
    let mut trial = sample::trial(0, &format!("window:{window}"));
    trial.findings = findings.iter().map(ToString::to_string).collect();
    trial
}

fn states(trials: Vec<Trial>, like: &[u32]) -> Vec<State> {
    Facts::of(&run(trials, like)).windows.iter().map(|seen| seen.state).collect()
}

#[test]
fn the_worst_of_a_window_is_told() {
    let trials = vec![
        shows(0, &["error", "note"]),
        shows(1, &["note", "warn"]),
        shows(2, &["note"]),
        shows(3, &["accepted", "once"]),
        shows(4, &[]),
        sample::missed(0, "window:5"),
        sample::inconclusive(0, "window:6", "lost"),
        shows(8, &["a finding that the run does not have"]),
    ];
    assert_eq!(
        states(trials, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        [
            State::Error,
            State::Warn,
            State::Note,
            State::Apart,
            State::Clean,
            State::Missed,
            State::Inconclusive,
            State::Untried,
            State::Error
        ]
    );
}

#[test]
fn what_cannot_be_judged_is_not_clean_and_what_was_reached_is_not_missed() {
    let lost = || sample::inconclusive(0, "window:0", "lost");
    assert_eq!(states(vec![lost(), shows(0, &[])], &[0]), [State::Inconclusive]);
    assert_eq!(states(vec![shows(0, &["note"]), lost()], &[0]), [State::Inconclusive]);
    assert_eq!(states(vec![lost(), shows(0, &["warn"])], &[0]), [State::Warn]);
    assert_eq!(states(vec![sample::missed(0, "window:0"), shows(0, &[])], &[0]), [State::Clean]);
}

#[test]
fn a_trial_tells_of_all_windows_like_it() {
    let run = run(vec![shows(0, &["error"]), shows(3, &[])], &[0, 1, 0, 0]);
    let facts = Facts::of(&run);
    let states: Vec<State> = facts.windows.iter().map(|seen| seen.state).collect();
    assert_eq!(states, [State::Error, State::Untried, State::Error, State::Error]);
    assert_eq!(facts.windows.iter().map(|seen| seen.trials).collect::<Vec<_>>(), [1, 0, 0, 1]);
    assert_eq!(facts.windows[2].findings, BTreeSet::from([0]));
}

#[test]
fn a_window_that_is_not_there_is_a_point_and_one_like_it_is_ignored() {
    let run = run(vec![shows(7, &["warn"]), shows(7, &[]), sample::missed(0, "idle")], &[9, u32::MAX]);
    let facts = Facts::of(&run);
    assert!(facts.windows.iter().all(|seen| seen.state == State::Untried));
    let points: Vec<(&str, State, u32, u32)> =
        facts.points.iter().map(|(point, seen)| (*point, seen.state, seen.trials, seen.missed)).collect();
    assert_eq!(points, [("window:7", State::Warn, 2, 0), ("idle", State::Missed, 1, 1)]);
}

#[test]
fn a_finding_knows_its_windows() {
    let run = run(vec![shows(1, &["note"]), shows(0, &["note", "warn"]), shows(5, &["warn"])], &[0, 1]);
    let facts = Facts::of(&run);
    assert_eq!(facts.windows_of[2], BTreeSet::from([0, 1]));
    assert_eq!(facts.windows_of[1], BTreeSet::from([0, 5]));
    assert_eq!(facts.windows_of[0], BTreeSet::new());
}
