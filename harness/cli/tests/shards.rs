//! Shards and runs that are gone on with: together they are the whole run.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// One process, which does the same in each run: where it waits for another does not matter.
const AGENT: &str = ": >work.lock\necho locked\n: >part.tmp\necho begun\nexec rm work.lock part.tmp\n";

const SCENARIOS: [(&str, &str, &str); 3] = [
    ("one.toml", "one", "[explore]\nstrategy = \"sweep\"\n"),
    ("two.toml", "two", "[terminate]\nsend = \"KILL\"\n[explore]\nstrategy = \"sweep\"\n"),
    ("at-random.toml", "at random", "[explore]\nstrategy = \"fuzz\"\ntrials = 12\nseed = 3\n"),
];

fn suite() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("agent.sh"), AGENT).expect("written");
    for (file, name, rest) in SCENARIOS {
        let text = format!("name = \"{name}\"\n[agent]\ncommand = [\"sh\", \"agent.sh\"]\nkind = \"job\"\n{rest}");
        std::fs::write(directory.path().join(file), text).expect("written");
    }
    directory
}

/// The command, as a machine that is no CI runs it.
fn quietus(directory: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quietus"));
    command.args(words).current_dir(directory).env("CI", "1");
    for variable in
        ["CI_NODE_INDEX", "BUILDKITE_PARALLEL_JOB", "CIRCLE_NODE_INDEX", "JOB_COMPLETION_INDEX", "QUIETUS_SHARD"]
    {
        command.env_remove(variable);
    }
    command
}

fn ran(directory: &Path, words: &[&str]) -> Output {
    quietus(directory, words).output().expect("quietus runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn report(directory: &Path, name: &str) -> quietus_reports::Report {
    let text = std::fs::read_to_string(directory.join(name)).expect("a report");
    quietus_reports::from_json(&text).expect("it can be read")
}

/// What a sweep did, trial by trial, and what all runs have found.
fn content(report: &quietus_reports::Report) -> (BTreeSet<String>, BTreeSet<(String, String)>) {
    let swept = report.runs.iter().filter(|run| run.strategy == "sweep");
    let trials = swept.flat_map(|run| {
        run.trials
            .iter()
            .map(move |trial| format!("{} {} {} {:?}", run.scenario, trial.index, trial.token, trial.findings))
    });
    let swept = report.runs.iter().filter(|run| run.strategy == "sweep");
    let found = swept
        .flat_map(|run| run.findings.iter().map(move |finding| (run.scenario.clone(), finding.fingerprint.clone())));
    (trials.collect(), found.collect())
}

#[test]
fn all_shards_together_are_the_whole_run() {
    let suite = suite();
    let place = suite.path();
    let whole = ["run", "--quiet", "--format", "json", "--output", "whole.json"];
    assert_eq!(ran(place, &whole).status.code(), Some(1));
    let whole = report(place, "whole.json");
    let (trials, found) = content(&whole);
    assert!(trials.len() > 10 && found.len() == 4, "{trials:?} {found:?}");
    for timings in [None, Some("whole.json")] {
        let mut trials = Vec::new();
        for shard in 1..=3 {
            let (shard, name) = (format!("{shard}/3"), format!("shard-{shard}.json"));
            let mut words = vec!["run", "--quiet", "--shard", &shard, "--format", "json", "--output", &name];
            words.extend(timings.iter().flat_map(|report| ["--timings", report]));
            let output = ran(place, &words);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
            trials.push(report(place, &name).totals.trials);
        }
        assert!(trials.iter().all(|trials| *trials < whole.totals.trials), "{trials:?}");
        let merged = ["report", "merge", "shard-3.json", "shard-1.json", "shard-2.json", "--output", "merged.json"];
        let output = ran(place, &merged);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let merged = report(place, "merged.json");
        assert_eq!(content(&merged), content(&whole));
        assert_eq!((merged.verdict, &merged.shards), (whole.verdict, &None));
        // The trials at random are one machine's.
        assert_eq!(merged.totals.trials, whole.totals.trials);
        let windows = |report: &quietus_reports::Report| report.runs.iter().map(|run| run.windows).collect::<Vec<_>>();
        assert_eq!(windows(&merged)[..2], windows(&whole)[..2]);
    }
    let output = ran(place, &["report", "merge", "shard-1.json", "shard-3.json", "--output", "part.json"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("shard 2 of 3 is missing"), "{}", said(&output));
    assert!(!place.join("part.json").exists());
    let output =
        ran(place, &["report", "merge", "--allow-missing", "shard-1.json", "shard-3.json", "--output", "part.json"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(report(place, "part.json").shards.expect("said").missing(), [2]);
    let output = ran(place, &["report", "baseline", "part.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn the_shard_is_read_from_what_ci_sets() {
    let suite = suite();
    let mut command =
        quietus(suite.path(), &["run", "one.toml", "--progress", "none", "--format", "json", "--output", "r.json"]);
    let output = command.envs([("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")]).output().expect("quietus runs");
    assert!(said(&output).contains("shard 2/3, from CI_NODE_INDEX and CI_NODE_TOTAL (GitLab)"), "{}", said(&output));
    let shards = report(suite.path(), "r.json").shards.expect("a shard");
    assert_eq!((shards.total, shards.present), (3, vec![2]));
    let mut command = quietus(suite.path(), &["run", "one.toml", "--quiet"]);
    let output = command.envs([("CI_NODE_INDEX", "4"), ("CI_NODE_TOTAL", "3")]).output().expect("quietus runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("that is no shard"), "{}", said(&output));
}

/// Kills a run once so many trials were told.
fn killed_after(directory: &Path, words: &[&str], trials: usize) {
    let mut child =
        quietus(directory, words).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("quietus runs");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let told = lines.map_while(Result::ok).filter(|line| line.starts_with("trial ")).take(trials).count();
    child.kill().expect("killed");
    child.wait().expect("it ends");
    assert_eq!(told, trials, "it was over before it was killed");
}

#[test]
fn a_run_that_was_killed_is_told_and_gone_on_with() {
    let suite = suite();
    let place = suite.path();
    let run = ["run", "one.toml", "two.toml", "-j", "1", "--progress", "plain", "--journal", "run.jsonl"];
    killed_after(place, &run, 4);
    let told = ran(place, &["report", "render", "run.jsonl", "--format", "json", "--output", "so-far.json"]);
    assert_eq!(told.status.code(), Some(0), "{}", said(&told));
    let so_far = report(place, "so-far.json");
    assert!(so_far.totals.trials >= 4 && so_far.runs[0].notes.iter().any(|note| note.contains("broken off")));
    // Once more, in the middle of the second.
    let resumed = [&run[..], &["--resume"]].concat();
    let first = so_far.totals.trials as usize;
    let written = |trials: &quietus_reports::Report| trials.totals.trials;
    killed_after(place, &resumed, first + 5);
    let output = ran(place, &[&resumed[..], &["--format", "json", "--output", "resumed.json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let whole = ran(place, &["run", "one.toml", "two.toml", "--quiet", "--format", "json", "--output", "whole.json"]);
    assert_eq!(whole.status.code(), Some(1));
    let (whole, resumed_report) = (report(place, "whole.json"), report(place, "resumed.json"));
    assert_eq!(content(&resumed_report), content(&whole));
    assert_eq!(written(&resumed_report), written(&whole));
    // What is over is not run again, and a journal that is whole is the report.
    let output = ran(place, &resumed);
    assert!(!said(&output).contains("trial 1:"), "{}", said(&output));
    ran(place, &["report", "render", "run.jsonl", "--format", "json", "--output", "told.json"]);
    assert_eq!(content(&report(place, "told.json")), content(&whole));
    // Another scenario of that name is another run.
    let text = std::fs::read_to_string(place.join("one.toml")).expect("read");
    std::fs::write(place.join("one.toml"), text.replace("agent.sh\"]", "agent.sh\", \"again\"]")).expect("written");
    let output = ran(place, &resumed);
    assert!(said(&output).contains("trial 1:"), "{}", said(&output));
}

#[test]
fn what_could_not_be_told_apart_is_not_run() {
    let suite = suite();
    let place = suite.path();
    std::fs::copy(place.join("one.toml"), place.join("other.toml")).expect("copied");
    let output = ran(place, &["run", "one.toml", "other.toml", "--quiet"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("two scenarios are called `one`: one.toml and other.toml"), "{}", said(&output));
    // The same one, named twice, is run once.
    let words = ["run", "one.toml", "./one.toml", "--quiet", "--format", "json", "--output", "r.json"];
    assert_eq!(ran(place, &words).status.code(), Some(1));
    assert_eq!(report(place, "r.json").runs.len(), 1);
}

#[test]
fn a_finding_is_shown_at_its_line_wherever_in_the_repository_that_lies() {
    let suite = suite();
    let place = suite.path();
    for folder in [".git", "agents/exporter/lib"] {
        std::fs::create_dir_all(place.join(folder)).expect("made");
    }
    let sources = place.join("agents/exporter");
    std::fs::write(sources.join("main.py"), "import lib.parts\nlib.parts.make()\n").expect("written");
    // Undisturbed, it takes with it what it made.
    let parts = "import os, subprocess, time\n\n\ndef make():\n    open('part.tmp', 'w').close()\n    tool = subprocess.Popen(['sleep', '300'])\n    time.sleep(1)\n    os.unlink('part.tmp')\n    tool.kill()\n    tool.wait()\n";
    std::fs::write(sources.join("lib/parts.py"), parts).expect("written");
    let scenario = "name = \"exporter\"\n[agent]\ncommand = [\"python3\", \"main.py\"]\nkind = \"job\"\nworkspace = \"agents/exporter\"\n[terminate]\nsend = \"KILL\"\n[explore]\nstrategy = \"check\"\n";
    std::fs::write(place.join("exporter.toml"), scenario).expect("written");
    let words = ["run", "exporter.toml", "--quiet", "--format", "sarif", "--output", "r.sarif"];
    let output = ran(place, &words);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sarif = std::fs::read_to_string(place.join("r.sarif")).expect("written");
    let sarif: serde_json::Value = serde_json::from_str(&sarif).expect("JSON");
    for (code, line) in [("temp-file", 5), ("orphan-process", 6)] {
        let results = sarif["runs"][0]["results"].as_array().expect("results");
        let result = results.iter().find(|result| result["ruleId"] == code);
        let spot = &result.unwrap_or_else(|| panic!("no {code} in {sarif}"))["locations"][0]["physicalLocation"];
        assert_eq!(spot["artifactLocation"]["uri"], "agents/exporter/lib/parts.py", "{code}: {spot}");
        assert_eq!(spot["region"]["startLine"], line, "{code}: {spot}");
    }
}

/// A run of both scenarios that is killed, or told to end, while the first is tried.
fn broken_off(place: &Path, signal: rustix::process::Signal) {
    std::fs::write(place.join("agent.sh"), "echo begun\nexec sleep 30\n").expect("written");
    let words = ["run", "one.toml", "two.toml", "--progress", "plain", "--journal", "run.jsonl"];
    let words = [&words[..], &["--format", "json", "--output", "r.json"]].concat();
    let mut child = quietus(place, &words).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("quietus runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("undisturbed"))), "no control was told");
    let pid = rustix::process::Pid::from_child(&child);
    // What is planned is written down with the first control.
    rustix::process::kill_process(pid, signal).expect("it runs");
    lines.for_each(drop);
    child.wait().expect("it ends");
}

fn gated(place: &Path, report: &str) -> (Option<i32>, String) {
    let output = ran(place, &["gate", report]);
    (output.status.code(), said(&output))
}

#[test]
fn a_suite_that_was_interrupted_is_never_clean() {
    let suite = suite();
    let place = suite.path();
    broken_off(place, rustix::process::Signal::TERM);
    let report = report(place, "r.json");
    let names: Vec<&str> = report.runs.iter().map(|run| run.scenario.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert!(report.runs.iter().all(|run| run.doubt == Some(quietus_reports::Doubt::BrokenOff)), "{report:#?}");
    let (code, told) = gated(place, "r.json");
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("two: it was broken off"), "{told}");
}

#[test]
fn a_journal_tells_what_was_not_begun() {
    let suite = suite();
    let place = suite.path();
    let words = ["run", "one.toml", "two.toml", "-j", "1", "--progress", "plain", "--journal", "run.jsonl"];
    killed_after(place, &words, 2);
    let render = ["report", "render", "run.jsonl", "--format", "json", "--output", "r.json"];
    assert_eq!(ran(place, &render).status.code(), Some(0));
    let names: BTreeSet<String> = report(place, "r.json").runs.into_iter().map(|run| run.scenario).collect();
    assert_eq!(names, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
}

#[test]
fn an_agent_that_was_changed_is_run_again() {
    let suite = suite();
    let place = suite.path();
    let words = ["run", "one.toml", "--journal", "run.jsonl", "--resume", "--format", "json", "--output", "r.json"];
    assert_eq!(ran(place, &words).status.code(), Some(1));
    let output = ran(place, &words);
    assert!(said(&output).contains("trials are taken over from run.jsonl, begun on 2"), "{}", said(&output));
    // Now it leaves nothing.
    std::fs::write(place.join("agent.sh"), "echo begun\n").expect("written");
    let output = ran(place, &words);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("run.jsonl holds nothing of these scenarios as they are"), "{}", said(&output));
}

#[test]
fn nothing_is_written_over() {
    let suite = suite();
    let place = suite.path();
    for words in [
        &["run", "one.toml", "--journal", "agent.sh"][..],
        &["run", "one.toml", "--journal", "j", "--format", "json", "--output", "j"],
        &["run", "one.toml", "--format", "json", "--output", "o", "--format", "html", "--output", "o"],
    ] {
        let output = ran(place, words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
    }
    assert_eq!(std::fs::read_to_string(place.join("agent.sh")).expect("it is there"), AGENT);
    assert!(!place.join("j").exists() && !place.join("o").exists());
}

#[test]
fn one_that_cannot_be_run_takes_nothing_from_the_others() {
    let suite = suite();
    let place = suite.path();
    let scenario = "name = \"zero\"\n[agent]\ncommand = [\"no-such-interpreter\", \"x\"]\n";
    std::fs::write(place.join("zero.toml"), scenario).expect("written");
    let words = ["run", "zero.toml", "one.toml", "--quiet", "--format", "json", "--output", "r.json"];
    let output = ran(place, &words);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("cannot find the program `no-such-interpreter`"), "{}", said(&output));
    let report = report(place, "r.json");
    assert_eq!(report.runs[0].verdict, quietus_reports::Verdict::Inconclusive);
    assert_eq!(report.runs[1].verdict, quietus_reports::Verdict::Findings);
    assert_eq!(ran(place, &["run", "zero.toml", "--quiet"]).status.code(), Some(2));
}

#[test]
fn shards_of_different_divisions_are_not_one_run() {
    let suite = suite();
    let place = suite.path();
    let run = |shard: &str, more: &[&str], name: &str| {
        let words = ["run", "--quiet", "--shard", shard, "--format", "json", "--output", name];
        let output = ran(place, &[&words[..], more].concat());
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
    };
    run("1/1", &[], "all.json");
    run("1/2", &["--timings", "all.json"], "one.json");
    run("2/2", &[], "two.json");
    let output = ran(place, &["report", "merge", "one.json", "two.json", "--output", "m.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("divided in different ways"), "{}", said(&output));
    assert!(!place.join("m.json").exists());
}

#[test]
fn a_report_can_be_piped_in() {
    let suite = suite();
    let place = suite.path();
    let words = ["run", "one.toml", "--quiet", "--format", "json", "--output", "r.json"];
    assert_eq!(ran(place, &words).status.code(), Some(1));
    let line = "cat r.json | \"$0\" gate /dev/stdin; test $? = 1 && : | \"$0\" gate /dev/stdin";
    let output = Command::new("sh").args(["-c", line, env!("CARGO_BIN_EXE_quietus")]).current_dir(place).output();
    let output = output.expect("sh runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("the gate fails"), "{}", said(&output));
    let output = ran(place, &["gate", "/dev/null"]);
    assert!(said(&output).contains("it is neither a file nor a pipe"), "{}", said(&output));
}
