//! What real programs leave behind when they are terminated, and that Quietus
//! says that and nothing else.
//!
//! Each truth was established without Quietus first (`strace`, `ps`, `ls`, a
//! signal by hand, several times) and is written beside the program. `exact`
//! tests terminate at one point; `whole` tests run the default set of trials. A
//! program that is not installed makes its tests ignored, under a name that says
//! which one is missing: never passed.

#![expect(clippy::print_stderr, reason = "what is skipped is said")]

use libtest_mimic::{Arguments, Failed, Trial};
use quietus::audit::Rules;
use quietus::driver::Interrupt;
use quietus::explore::{Check, Planned, check};
use quietus::model::{Act, Stdin, StdinThen, TrialPlan};
use quietus::scenario::{GuaranteeWish, Kind};
use quietus_reports::{Finding, Outcome, Run, Severity};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

mod real_programs;

/// A program and how it is run.
pub(crate) struct Real {
    /// What the tests are called.
    pub(crate) name: &'static str,
    /// What must be on `PATH`.
    pub(crate) needs: &'static [&'static str],
    /// Makes its directory.
    pub(crate) files: fn(&Path) -> std::io::Result<()>,
    /// Commands before it, in the cell.
    pub(crate) prepare: &'static [&'static [&'static str]],
    /// The program and its arguments.
    pub(crate) command: &'static [&'static str],
    /// How it lives.
    pub(crate) kind: Kind,
    /// What it can read, if not nothing; the input stays open.
    pub(crate) stdin: Option<&'static str>,
    /// Whether it has a terminal.
    pub(crate) pty: bool,
    /// What it truly does, at which point, by which signal.
    pub(crate) truths: &'static [Truth],
    /// What the default set shows above a note, where that is tested too.
    pub(crate) whole: Option<Whole>,
}

/// What is left when it is terminated once, at one point.
pub(crate) struct Truth {
    pub(crate) at: &'static str,
    pub(crate) send: &'static str,
    /// One sentence.
    pub(crate) does: &'static str,
    /// Each finding above a note: its code, and a part of its subject. `~` before
    /// the code: only a warning.
    pub(crate) leaves: &'static [(&'static str, &'static str)],
    /// What depends on timing: it may be there.
    pub(crate) may: &'static [&'static str],
}

/// What the default set shows.
pub(crate) struct Whole {
    pub(crate) does: &'static str,
    pub(crate) codes: &'static [&'static str],
    pub(crate) may: &'static [&'static str],
}

pub(crate) const PLAIN: Real = Real {
    name: "",
    needs: &[],
    files: |_| Ok(()),
    prepare: &[],
    command: &[],
    kind: Kind::Job,
    stdin: None,
    pty: false,
    truths: &[],
    whole: None,
};

fn main() {
    let mut arguments = Arguments::from_args();
    // They mostly wait.
    arguments.test_threads.get_or_insert(8);
    let mut tests = Vec::new();
    for real in real_programs::all() {
        let missing: Vec<&str> = real.needs.iter().copied().filter(|program| !is_on_path(program)).collect();
        let kind = if missing.is_empty() { String::new() } else { format!("no {}", missing.join(", no ")) };
        if !missing.is_empty() {
            eprintln!("skipped: {} needs {}", real.name, missing.join(" and "));
        }
        let mut add = |name: String, body: Box<dyn FnOnce() -> Result<(), Failed> + Send>| {
            tests.push(Trial::test(name, body).with_kind(kind.clone()).with_ignored_flag(!missing.is_empty()));
        };
        for truth in real.truths {
            let name = format!("exact::{}::{}_at_{}", real.name, truth.send, truth.at.replace([' ', '/'], "_"));
            add(name, Box::new(move || exact(real, truth)));
        }
        if let Some(whole) = &real.whole {
            add(format!("whole::{}", real.name), Box::new(move || default_set(real, whole)));
        }
    }
    libtest_mimic::run(&arguments, tests).exit();
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// The check of one program, with what is the same in all of them.
fn wanted(real: &Real, directory: &Path) -> Check {
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let stdin = match (real.stdin, real.kind) {
        (Some(text), _) => Stdin::Text { text: text.to_owned(), then: StdinThen::Open },
        (None, Kind::Session) => Stdin::Open,
        (None, _) => Stdin::Closed,
    };
    let mut environment: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(key, _)| key != "TMPDIR" && key != "TERM").collect();
    environment.push(("TERM".into(), "xterm".into()));
    Check {
        name: real.name.to_owned(),
        prepare: real.prepare.iter().map(|command| words(command)).collect(),
        stdin: Some(stdin),
        kind: Some(real.kind),
        pty: real.pty,
        grace: Duration::from_secs(3),
        horizon: Duration::from_secs(4),
        confirm: 1,
        jobs: 2,
        rules: Rules::of_kind(real.kind),
        private_network: true,
        ..Check::of_command(words(real.command), environment, directory.to_path_buf())
    }
}

/// Runs a check in a directory of its own.
fn run(real: &Real, change: impl FnOnce(&mut Check)) -> Result<Run, Failed> {
    let directory = tempfile::Builder::new().prefix("real-").tempdir()?;
    (real.files)(directory.path())?;
    let mut wanted = wanted(real, directory.path());
    change(&mut wanted);
    let driver = wanted.driver(GuaranteeWish::Full).map_err(|error| Failed::from(error.to_string()))?.driver;
    check(&*driver, &wanted, &Interrupt::new()?, &()).map_err(|error| Failed::from(error.to_string()))
}

fn exact(real: &Real, truth: &Truth) -> Result<(), Failed> {
    let run = run(real, |wanted| {
        let act = Act { at: vec![truth.at.parse().expect("a point")], send: truth.send.parse().expect("an injection") };
        let plan = TrialPlan {
            acts: vec![act],
            grace: wanted.grace,
            stdin: Stdin::Closed,
            pty: real.pty,
            pid1: false,
            noise: quietus::model::Noise::NONE,
        };
        wanted.trials = vec![Planned { label: "as asked".to_owned(), plan, informational: false }];
    })?;
    if let Some(trial) = run.trials.iter().find(|trial| !matches!(trial.outcome, Outcome::Ended | Outcome::Killed)) {
        return Err(format!("the point was not reached: {trial:#?}").into());
    }
    let mut wrong = Vec::new();
    let is = |found: &Finding, (code, part): (&str, &str)| {
        let (code, mild) = code.strip_prefix('~').map_or((code, false), |code| (code, true));
        let severe = found.severity == Severity::Error;
        found.code.to_string() == code && found.subject.contains(part) && !(mild && severe)
    };
    for truth in truth.leaves.iter().filter(|truth| !told(&run).any(|found| is(found, **truth))) {
        wrong.push(format!("not found: {} of {}", truth.0, truth.1));
    }
    for found in told(&run) {
        let code = found.code.to_string();
        if !truth.leaves.iter().any(|truth| is(found, *truth)) && !truth.may.contains(&code.as_str()) {
            wrong.push(format!("not true: {:?} {code} of {}", found.severity, found.subject));
        }
    }
    verdict(&wrong, truth.does, &run)
}

fn default_set(real: &Real, whole: &Whole) -> Result<(), Failed> {
    let run = run(real, |_| ())?;
    let codes: BTreeSet<String> = told(&run).map(|found| found.code.to_string()).collect();
    let mut wrong: Vec<String> = Vec::new();
    wrong.extend(whole.codes.iter().filter(|code| !codes.contains(**code)).map(|code| format!("not found: {code}")));
    let known = |code: &String| whole.codes.contains(&code.as_str()) || whole.may.contains(&code.as_str());
    wrong.extend(codes.iter().filter(|code| !known(code)).map(|code| format!("not true: {code}")));
    if !run.trials.iter().any(|trial| matches!(trial.outcome, Outcome::Ended | Outcome::Killed)) {
        wrong.push("no trial reached its point".to_owned());
    }
    if let Some(trial) = run.trials.iter().find(|trial| trial.outcome == Outcome::Inconclusive) {
        wrong.push(format!("inconclusive: {:?}", trial.note));
    }
    verdict(&wrong, whole.does, &run)
}

/// The findings above a note.
fn told(run: &Run) -> impl Iterator<Item = &Finding> {
    run.findings.iter().filter(|found| found.severity > Severity::Note)
}

fn verdict(wrong: &[String], does: &str, run: &Run) -> Result<(), Failed> {
    if wrong.is_empty() {
        return Ok(());
    }
    let findings: Vec<String> = run
        .findings
        .iter()
        .map(|one| {
            format!("  {:?} {} {} ({}) {:?}", one.severity, one.code, one.title, one.points.join(", "), one.evidence)
        })
        .collect();
    let trials: Vec<String> = run
        .trials
        .iter()
        .map(|one| format!("  {} at {}: {:?} {:?} {:?}", one.injection, one.point, one.outcome, one.status, one.note))
        .collect();
    Err(format!(
        "the truth: {does}\n{}\nfindings:\n{}\ntrials:\n{}",
        wrong.join("\n"),
        findings.join("\n"),
        trials.join("\n")
    )
    .into())
}
