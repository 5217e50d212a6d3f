//! `quietus fuzz`: what it keeps, what it adds to a scenario, what it refuses.

use std::path::Path;
use std::process::{Command, Output};

const LEAKY: &str = "file=$(mktemp agent-XXXXXX)\necho working\nsleep 0.1\nrm \"$file\"\n";

const SCENARIO: &str = "name = \"leaky\"\n\n[agent]\ncommand = [\"sh\", \"agent.sh\"]\nkind = \"job\"\n\n[explore]\nstrategy = \"fuzz\"\ntrials = 30\nseed = 1\n";

fn workspace() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("work")).expect("made");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    write("agent.sh", LEAKY);
    write("agent.toml", SCENARIO);
    directory
}

fn quietus(directory: &Path, words: &[&str], ci: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quietus"));
    command.args(words).current_dir(directory).env_remove("CI");
    if let Some(ci) = ci {
        command.env("CI", ci);
    }
    command.output().expect("quietus runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The trials of a report that bear this label.
fn labelled(directory: &Path, words: &[&str], label: &str) -> usize {
    let report = directory.join("report.json");
    let options = ["--quiet", "--format", "json", "--output", report.to_str().expect("text")];
    let ran = quietus(directory, &[words, &options].concat(), None);
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran.stderr));
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("it is JSON");
    let trials = report["runs"][0]["trials"].as_array().expect("trials").clone();
    assert!(!trials.is_empty());
    trials.iter().filter(|trial| trial["label"] == label).count()
}

#[test]
fn what_is_found_in_a_scenario_is_tried_first_from_then_on() {
    let directory = workspace();
    let found = quietus(directory.path(), &["fuzz", "agent.toml"], None);
    let said = format!("{}{}", text(&found.stdout), text(&found.stderr));
    assert_eq!(found.status.code(), Some(1), "{said}");
    assert!(said.contains("deterministic, 20/20"), "{said}");
    assert!(said.contains("added to agent.quietus-regressions: commit it"), "{said}");
    let file = std::fs::read_to_string(directory.path().join("agent.quietus-regressions")).expect("it is there");
    let lines: Vec<&str> = file.lines().filter(|line| line.starts_with("q1/")).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.contains(" # ")), "{file}");
    for command in [&["run", "agent.toml"][..], &["fuzz", "agent.toml"], &["sweep", "agent.toml"]] {
        assert_eq!(labelled(directory.path(), command, "regression"), lines.len(), "{command:?}");
    }
    let again = std::fs::read_to_string(directory.path().join("agent.quietus-regressions")).expect("still there");
    assert_eq!(again, file, "nothing is added twice");
}

/// It leaves its file only where a variable says so.
const BY_MODE: &str = "[ \"$MODE\" = leaky ] || trap 'rm -f \"$file\"; exit 143' TERM INT\nfile=$(mktemp agent-XXXXXX)\necho working\nsleep 0.1 & wait\nrm \"$file\"\n";

#[test]
fn what_does_not_matter_is_told() {
    let directory = workspace();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    write("agent.sh", BY_MODE);
    let agent =
        "command = [\"sh\", \"agent.sh\", \"--color\", \"always\"]\nenv = { MODE = \"leaky\", VERBOSE = \"1\" }";
    let scenario = SCENARIO.replace("command = [\"sh\", \"agent.sh\"]", agent);
    write("agent.toml", &format!("{scenario}\n[cell]\nnetwork = \"private\"\n"));
    let found = quietus(directory.path(), &["fuzz", "--no-corpus", "agent.toml"], None);
    let said = text(&found.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let told = "shows as often without the argument `--color`, the argument `always`, the variable VERBOSE";
    assert!(said.contains(told) && !said.contains("the variable MODE"), "{said}");
    assert!(!said.contains("was not tried"), "{said}");
    write("agent.toml", &scenario);
    let found = quietus(directory.path(), &["fuzz", "--no-corpus", "agent.toml"], None);
    let said = text(&found.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!said.contains("shows as often without"), "{said}");
    assert!(said.contains("what of its arguments, variables and services matters was not tried"), "{said}");
}

#[test]
fn run_adds_what_a_scenario_of_trials_at_random_finds() {
    let directory = workspace();
    let found = quietus(directory.path(), &["run", "agent.toml"], None);
    assert_eq!(found.status.code(), Some(1), "{}", text(&found.stderr));
    assert!(text(&found.stderr).contains("added to agent.quietus-regressions: commit it"), "{}", text(&found.stderr));
    let file = std::fs::read_to_string(directory.path().join("agent.quietus-regressions")).expect("it is there");
    // Wherever the project lies, it is the same file.
    let tokens: Vec<&str> =
        file.lines().filter_map(|line| line.split(" # ").next().filter(|_| line.contains(" # "))).collect();
    let here = directory.path().to_string_lossy();
    assert!(!tokens.is_empty() && !tokens.iter().any(|token| token.contains(&*here)), "{file}");
}

#[test]
fn in_ci_the_lines_are_printed_and_nothing_is_written() {
    let directory = workspace();
    let found = quietus(directory.path(), &["fuzz", "--quiet", "--no-corpus", "agent.toml"], Some("true"));
    assert_eq!(found.status.code(), Some(1));
    let said = text(&found.stderr);
    assert!(said.starts_with("add to agent.quietus-regressions:\nq1/"), "{said}");
    assert!(!directory.path().join("agent.quietus-regressions").exists());
    assert!(!directory.path().join(".quietus").exists(), "--no-corpus leaves nothing");
}

#[test]
fn what_showed_something_new_is_gone_on_with() {
    let directory = workspace();
    let words =
        ["fuzz", "--trials", "30", "--seed", "3", "--no-shrink", "--workspace", "work", "--", "sh", "-c", LEAKY];
    let first = quietus(directory.path(), &words, None);
    assert_eq!(first.status.code(), Some(1), "{}", text(&first.stderr));
    let entries = |path: &str| std::fs::read_dir(directory.path().join(path)).map_or(0, Iterator::count);
    assert_eq!((entries(".quietus/corpus"), entries("work")), (1, 0));
    let ignored = std::fs::read_to_string(directory.path().join(".quietus/.gitignore"));
    assert_eq!(ignored.expect("git is told"), "*\n");
    let words = &words[..words.len() - 4];
    let report = directory.path().join("report.json");
    let options = ["--quiet", "--format", "json", "--output", report.to_str().expect("text"), "--", "sh", "-c", LEAKY];
    quietus(directory.path(), &[words, &options].concat(), None);
    let report = std::fs::read_to_string(report).expect("a report");
    assert!(report.contains("\"label\": \"corpus\""), "the second run begins with what the first kept");
}

#[test]
fn a_line_that_is_no_token_is_refused_by_place() {
    let directory = workspace();
    std::fs::write(directory.path().join("agent.quietus-regressions"), "# why\nq7/at=start\n").expect("written");
    for command in ["run", "fuzz", "sweep"] {
        let refused = quietus(directory.path(), &[command, "agent.toml"], None);
        assert_eq!(refused.status.code(), Some(2));
        let said = text(&refused.stderr);
        assert!(said.contains("agent.quietus-regressions:2: this token has version q7"), "{said}");
    }
}
