use super::*;
use crate::confirmed::Confirmed;
use crate::map::{MappedWindow, WindowMap};
use crate::sample;

fn life(what: &str, path: Option<&str>, first: u32, last: u32) -> Life {
    Life { what: what.into(), path: path.map(String::from), first, last, stays: false }
}

/// Whether the life leaks, when a trial in window 5 shows a finding about `subject`.
fn leaks(life: &Life, code: Code, subject: &str) -> bool {
    leaks_by(life, sample::finding(code, subject, &["window:5"]))
}

fn leaks_by(life: &Life, finding: Finding) -> bool {
    let mut trial = sample::trial(0, "window:5");
    trial.findings = vec![finding.fingerprint.clone()];
    let mut run = sample::run(vec![trial], vec![finding]);
    let window = |number: u32| MappedWindow { at_us: 0, opened: String::new(), like: number };
    run.map = Some(WindowMap { duration_us: 9, windows: (0..9).map(window).collect(), lives: vec![] });
    leak_of(life, &run, &Facts::of(&run)) == Some(0)
}

#[test]
fn a_file_leaks_when_its_name_is_that_of_the_finding() {
    let part = life("file /tmp/tmp*/part", Some("/tmp/tmp*/part"), 2, 6);
    assert!(leaks(&part, Code::TempFile, "/tmp/tmpk3x9x2ab/part"));
    assert!(!leaks(&part, Code::TempFile, "/tmp/tmpk3x9x2ab/part.json"));
    assert!(!leaks(&part, Code::TempFile, "/tmp/a/tmpk3/part"));
    assert!(!leaks(&part, Code::FdOpenAtExit, "/tmp/tmpk3x9x2ab/part"));
    assert!(leaks(&life("socket a.sock", Some("a.sock"), 0, 8), Code::SocketFile, "a.sock"));
    assert!(!leaks(&life("lock of process 0 on a", Some("a"), 0, 8), Code::LockFile, "a"));
}

#[test]
fn a_file_that_is_torn_is_the_content_and_not_the_file() {
    let content = life("out/a is not complete", Some("out/a"), 2, 6);
    assert!(leaks(&content, Code::TornFile, "out/a"));
    assert!(!leaks(&content, Code::StrayFile, "out/a"));
    assert!(!leaks(&life("file out/a", Some("out/a"), 2, 6), Code::TornFile, "out/a"));
}

#[test]
fn a_process_leaks_when_its_command_is_that_of_the_finding() {
    let child = life("process 0.1 `sleep 300`", None, 5, 5);
    assert!(leaks(&child, Code::OrphanProcess, "sleep 300"));
    assert!(!leaks(&child, Code::OrphanProcess, "sleep 30"));
    assert!(!leaks(&life("process 0.1 has ended", None, 5, 5), Code::OrphanProcess, "has ended"));
}

#[test]
fn what_was_not_live_then_does_not_leak() {
    assert!(!leaks(&life("file a", Some("a"), 6, 8), Code::StrayFile, "a"));
    assert!(!leaks(&life("file a", Some("a"), 0, 4), Code::StrayFile, "a"));
    assert!(!leaks(&life("file a", Some("a"), 8, 2), Code::StrayFile, "a"));
    assert!(leaks(&life("file a", Some("a"), 0, u32::MAX), Code::StrayFile, "a"));
}

#[test]
fn what_stays_or_is_accepted_or_never_came_again_does_not_leak() {
    let file = life("file a", Some("a"), 0, 8);
    assert!(!leaks(&Life { stays: true, ..file.clone() }, Code::StrayFile, "a"));
    let finding = sample::finding(Code::StrayFile, "a", &["window:5"]);
    assert!(!leaks_by(&file, Finding { accepted: Some("known".into()), ..finding.clone() }));
    assert!(!leaks_by(&file, Finding { confirmed: Confirmed::new(0, 3), ..finding }));
}

#[test]
fn a_star_stands_for_a_part_of_one_name() {
    for (pattern, path, is) in [
        ("a", "a", true),
        ("*", "anything", true),
        ("*", "a/b", false),
        ("a*c*e", "abcde", true),
        ("a*c*e", "ace", true),
        ("a*c*e", "aec", false),
        ("ab*ba", "aba", false),
        ("", "", true),
        ("/tmp/*", "/tmp/", true),
        ("/tmp/*", "/tmp", false),
    ] {
        assert_eq!(fits(pattern, path), is, "{pattern} {path}");
    }
}
