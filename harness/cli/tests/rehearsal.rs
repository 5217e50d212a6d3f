//! The rehearsal of a pull request comes out as expected with the binary of this build, and not
//! with one that does nothing.

use libtest_mimic::{Arguments, Trial};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ci/rehearse")
}

/// What the script does with this binary, with its temporary directory in `place`.
fn rehearse(binary: impl AsRef<OsStr>, place: &Path) -> Output {
    let command = Command::new(script()).env("QUIETUS", binary).env("TMPDIR", place).output();
    command.expect("the script runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Why it cannot be rehearsed here, if it cannot.
fn missing() -> Option<&'static str> {
    let works = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    if !works(Command::new("bash").arg("--version")) {
        return Some("no bash in PATH");
    }
    let mut sealed = Command::new(env!("CARGO_BIN_EXE_quietus"));
    let sealed = sealed.args(["check", "--quiet", "--guarantee", "full", "--at", "start", "--", "true"]).output();
    (sealed.ok()?.status.code() == Some(4)).then_some("this machine grants no cells")
}

#[expect(clippy::print_stderr, reason = "what is skipped is said")]
fn main() {
    let missing = missing();
    if let Some(why) = missing {
        eprintln!("skipped: ci/rehearse: {why}");
    }
    let test = |name: &str, body: fn()| {
        let body = move || {
            body();
            Ok(())
        };
        Trial::test(name, body).with_ignored_flag(missing.is_some())
    };
    let tests = vec![
        test("a_change_is_judged_by_what_is_new", a_change_is_judged_by_what_is_new),
        test("a_binary_that_passes_everything_is_noticed", a_binary_that_passes_everything_is_noticed),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).expect("a directory").next().is_none()
}

fn a_change_is_judged_by_what_is_new() {
    let place = tempfile::tempdir().expect("a directory");
    let output = rehearse(env!("CARGO_BIN_EXE_quietus"), place.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for line in [
        "quietus gate on the change: exit 1",
        "1 × new error[",
        "it says: new error[lock-file]",
        "it says: fixed: temp-file",
        "quietus gate, accepted until 9999: exit 0",
        "quietus gate, accepted until 2020: exit 1",
        "merge and gate: exit 1",
        "it says: 0 new, 0 fixed, 1 known",
        "merge and gate: exit 3",
    ] {
        assert!(text.contains(&format!("  ok      {line}")), "`{line}` in:\n{text}");
    }
    assert!(!text.contains("FAILED"), "{text}");
    assert!(is_empty(place.path()), "the script leaves something behind");
}

fn a_binary_that_passes_everything_is_noticed() {
    let place = tempfile::tempdir().expect("a directory");
    let output = rehearse("true", place.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("FAILED  quietus gate on the change: exit 0, not 1"), "{text}");
    let output = rehearse(place.path().join("no-such-binary"), place.path());
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("QUIETUS names the binary"), "{}", said(&output));
    assert!(is_empty(place.path()), "the script leaves something behind");
}
