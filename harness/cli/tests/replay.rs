//! A finding of a report is seen again, in another directory, with all that led to it.

use std::path::Path;
use std::process::{Command, Output};

const AGENT: &str = "file=$(mktemp /tmp/agent-XXXXXX)
echo working
sleep 0.2
rm \"$file\"
";

fn quietus(directory: &Path, words: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_quietus")).args(words).current_dir(directory).output();
    output.expect("quietus runs")
}

fn workspace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("agent.sh"), AGENT).expect("written");
    directory
}

/// The timeline of the one finding of a report, replayed elsewhere.
fn replayed(command: &[&str]) -> String {
    let (here, elsewhere) = (workspace(), workspace());
    let report = here.path().join("report.json");
    let report = report.to_str().expect("text");
    let options = ["--quiet", "--format", "json", "--output", report, "--", "sh", "agent.sh"];
    let found = quietus(here.path(), &[command, &options].concat());
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stderr));
    let again = quietus(elsewhere.path(), &["replay", report, "--finding", "temp-file"]);
    let text = String::from_utf8(again.stdout).expect("text");
    assert_eq!(again.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&again.stderr));
    assert!(text.contains("error[temp-file]"), "{text}");
    let timeline: Vec<&str> = text.lines().take_while(|line| !line.starts_with("sh agent.sh")).collect();
    timeline.join("\n")
}

/// Whether these stand in it, in this order.
fn in_order(timeline: &str, words: &[&str]) {
    let mut rest = timeline;
    for word in words {
        let at = rest.find(word).unwrap_or_else(|| panic!("no `{word}` where it belongs in {timeline}"));
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn a_trial_at_a_system_call_tells_what_every_process_did() {
    let timeline = replayed(&["sweep"]);
    in_order(
        &timeline,
        &[
            "timeline (since the start of the agent, and since the injection)",
            "the agent runs",
            "process 0.0 is started",
            "[0.0] openat /tmp/agent-",
            "the point is reached",
            "injected TERM",
            " +",
            "[0] ended: signal 15 (TERM)",
            "no process of the agent is left",
        ],
    );
}

#[test]
fn a_trial_that_is_not_traced_is_told_by_a_second_one() {
    let timeline = replayed(&["check", "--at", "output:/working/"]);
    in_order(
        &timeline,
        &[
            "timeline of a second run that was recorded and found the same",
            "process 0.0 is started",
            "[0.0] openat /tmp/agent-",
            "the agent wrote: working",
            "injected TERM",
            "[0] ended: signal 15 (TERM)",
            "no process of the agent is left",
        ],
    );
}
