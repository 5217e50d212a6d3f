//! Reports of any size: half of the trials in windows of a sweep, half at points at random.

use super::{finding, life, moment, report, trial};
use quietus_reports::*;

/// Windows of the sweep.
const WINDOWS: u32 = 500;

/// A report of so many trials in two runs, with a finding for each 1,000 trials.
pub(crate) fn large(trials: u32) -> Report {
    let half = trials / 2;
    report(vec![sweep(half), fuzz(trials - half)])
}

fn findings(count: u32, points: impl Fn(u32) -> String) -> Vec<Finding> {
    let one = |number: u32| {
        let code = Code::ALL[number as usize % Code::ALL.len()];
        let mut one = finding(code, &format!("part {number} was left behind"), &format!("/tmp/name-{number}/part"));
        one.fingerprint = format!("{code}:{number:016x}");
        one.points = (0..20).map(|i| points(number * 20 + i)).collect();
        one.evidence = (0..20).map(|i| format!("fd {i} -> pipe:[4{i:03}]")).collect();
        one.timeline = (0..40).map(|i| moment(i * 9_000, i.checked_sub(20).map(|i| i * 9_000), "a step")).collect();
        one.cause = Some("SIGTERM had its default action until event 214".into());
        one
    };
    (0..count).map(one).collect()
}

fn run(name: &str, strategy: &str, trials: Vec<Trial>, findings: Vec<Finding>) -> Run {
    Run {
        scenario: name.into(),
        file: None,
        agent: vec!["./agent".into()],
        kind: AgentKind::Job,
        strategy: strategy.into(),
        control: None,
        windows: None,
        map: None,
        elsewhere: 0,
        doubt: None,
        trials,
        findings,
        notes: vec![],
        verdict: Verdict::Clean,
    }
}

fn sweep(trials: u32) -> Run {
    let findings = findings(trials.div_ceil(1_000), |i| format!("window:{}", i % WINDOWS));
    let each = |index: u32| {
        let window = index % WINDOWS;
        let mut one = trial(index, &format!("window:{window}"), Some(window));
        let shown = findings.get(window as usize % (findings.len() + 3));
        one.findings.extend(shown.map(|it| it.fingerprint.clone()));
        one
    };
    let trials = (0..trials).map(each).collect();
    let mut run = run("swept", "sweep", trials, findings);
    run.map = Some(WindowMap {
        duration_us: u64::from(WINDOWS) * 1_000,
        windows: (0..WINDOWS)
            .map(|n| MappedWindow { at_us: u64::from(n) * 1_000, opened: format!("openat /tmp/{n}"), like: n })
            .collect(),
        lives: (0..100).map(|n| life(&format!("file /tmp/{n}"), None, n * 4..=n * 4 + 50, false)).collect(),
    });
    run
}

fn fuzz(trials: u32) -> Run {
    let point = |i: u32| format!("time:{}us+syscall:openat@enter#{}", u64::from(i) * 7_919 % 1_000_003, i % 97);
    let findings = findings(trials.div_ceil(1_000), point);
    let each = |index: u32| {
        let mut one = trial(index, &point(index), None);
        let shown = findings.get(index as usize % (findings.len() * 4 + 5));
        one.findings.extend(shown.map(|it| it.fingerprint.clone()));
        one
    };
    run("at random", "fuzz", (0..trials).map(each).collect(), findings)
}
