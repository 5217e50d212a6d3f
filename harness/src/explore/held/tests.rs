//! Small runs, and what an agent has in their windows.

use super::*;
use crate::model::{Call, Deed, Known, Recording, Seen};
use crate::windows::windows;
use std::time::Duration;

fn call(role: &str, name: &str, subject: &str, result: i64, known: Known) -> (String, Call) {
    let call = Call {
        name: name.to_owned(),
        arguments: [0, 0, (libc::O_CREAT | libc::O_WRONLY) as u64, 0, 0, 0],
        subjects: vec![subject.to_owned()],
        socket: (name == "bind").then(|| format!("socket:[{subject}]")),
        result: Some(result),
        known,
        line: None,
    };
    (role.to_owned(), call)
}

fn makes(role: &str, path: &str) -> (String, Call) {
    call(role, "openat", path, 3, Known::Existed(false))
}

fn makes_directory(path: &str) -> (String, Call) {
    call("0", "mkdir", path, 0, Known::Nothing)
}

fn unlinks(role: &str, path: &str) -> (String, Call) {
    call(role, "unlink", path, 0, Known::Nothing)
}

fn forks(role: &str, child: &str) -> (String, Call) {
    call(role, "clone", "", 7, Known::Born { role: child.to_owned(), borrowed: false })
}

fn recording(calls: &[(String, Call)]) -> Recording {
    let seen = calls.iter().zip(1..).map(|((role, call), at)| Seen {
        role: role.clone(),
        thread: 0,
        began: Duration::from_millis(150 * at),
        ended: Some(Duration::from_millis(150 * at)),
        what: Deed::Call(call.clone()),
    });
    Recording { seen: seen.collect(), end: Duration::from_secs(1), ..Recording::default() }
}

/// What is to be given back in each window, in words.
fn each(calls: &[(String, Call)]) -> Vec<String> {
    let recording = recording(calls);
    let map = windows(&recording, &recording, Duration::MAX);
    let held = |window| held_in(&map, window).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    map.windows.iter().map(held).collect()
}

#[test]
fn what_is_given_back_is_asked_for_and_what_stays_is_not() {
    let held = each(&[makes("0", "/w/lock"), makes("0", "/w/result"), unlinks("0", "/w/lock")]);
    assert_eq!(held, ["", "file /w/lock", "file /w/lock", ""]);
}

#[test]
fn what_lies_in_a_directory_goes_with_it() {
    let held = each(&[
        makes_directory("/tmp/d"),
        makes("0", "/tmp/d/a"),
        unlinks("0", "/tmp/d/a"),
        call("0", "rmdir", "/tmp/d", 0, Known::Nothing),
    ]);
    assert_eq!(held, ["", "directory /tmp/d", "directory /tmp/d", "directory /tmp/d", ""]);
}

#[test]
fn ports_and_sockets_are_resources() {
    let held = each(&[
        call("0", "bind", "127.0.0.1:80", 0, Known::Nothing),
        call("0", "bind", "@bus", 0, Known::Nothing),
        call("0", "bind", "/w/a.sock", 0, Known::Nothing),
        call("0", "close", "socket:[127.0.0.1:80]", 0, Known::Nothing),
        call("0", "close", "socket:[@bus]", 0, Known::Nothing),
        unlinks("0", "/w/a.sock"),
    ]);
    let all = "socket /w/a.sock, port 80, socket @bus";
    let mut sorted: Vec<&str> = held[3].split(", ").collect();
    sorted.sort_unstable();
    assert_eq!(sorted, {
        let mut all: Vec<&str> = all.split(", ").collect();
        all.sort_unstable();
        all
    });
}

#[test]
fn what_a_child_that_runs_has_made_is_its_own() {
    let tool = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        call("0.0", "execve", "/bin/tool", 0, Known::Program(words))
    };
    let held = each(&[forks("0", "0.0"), tool(&["/bin/tool"]), makes("0.0", "/tmp/a"), unlinks("0.0", "/tmp/a")]);
    assert!(held.iter().all(|window| !window.contains("/tmp/a")), "{held:?}");
    // It is one child before and after it runs its program.
    let ends = [forks("0", "0.0"), tool(&["/bin/tool"]), makes("0", "/w/a")];
    assert_eq!(each(&ends)[1], "process `/bin/tool`");
}

#[test]
fn what_is_given_back_at_once_is_not_asked_for() {
    let mut run = recording(&[makes("0", "/tmp/probe"), unlinks("0", "/tmp/probe"), makes("0", "/w/a")]);
    let asked = |run: &Recording| {
        held_in(&windows(run, run, Duration::MAX), &windows(run, run, Duration::MAX).windows[1]).len()
    };
    assert_eq!(asked(&run), 1);
    run.seen[1].began = run.seen[0].began + Duration::from_millis(1);
    run.seen[1].ended = Some(run.seen[1].began);
    assert_eq!(asked(&run), 0);
}

#[test]
fn the_pattern_is_without_its_number() {
    let one = recording(&[
        makes("0", "/tmp/toolAb12Cd"),
        makes("0", "/tmp/toolEf34Gh"),
        unlinks("0", "/tmp/toolAb12Cd"),
        unlinks("0", "/tmp/toolEf34Gh"),
    ]);
    let other = recording(&[
        makes("0", "/tmp/toolXx11Yy"),
        makes("0", "/tmp/toolQw55Er"),
        unlinks("0", "/tmp/toolXx11Yy"),
        unlinks("0", "/tmp/toolQw55Er"),
    ]);
    let map = windows(&one, &other, Duration::MAX);
    let number = |number| Resource::Path { kind: "file", pattern: "/tmp/tool*".to_owned(), number };
    assert_eq!(held_in(&map, &map.windows[2]), [number(1), number(2)]);
}
