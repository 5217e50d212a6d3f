//! What the judgement of a trial costs, by the number of changed files. Pure: no
//! cell, no process.

use criterion::{BenchmarkId, Criterion};
use quietus::audit::{Case, Rules, audit, learn};
use quietus::model::{Act, Evidence, FileChange, FileKind, FileNode, Injection, Signal, Stdin, TrialPlan};
use quietus::scenario::Kind;
use std::time::Duration;

/// A trial that changed so many files, and left them where the control does not.
fn evidence(files: usize, prefix: &str) -> Evidence {
    let mut evidence = Evidence { delivered: true, temporary: vec!["/tmp".to_owned()], ..Evidence::default() };
    for index in 0..files {
        let node = FileNode {
            change: FileChange::Created,
            kind: FileKind::Regular,
            size: 4,
            mode: 0o644,
            owner: 0,
            hash: None,
            content: Some(b"done".to_vec()),
            before: None,
            stamp: None,
        };
        evidence.files.nodes.insert(format!("/w/d{}/{prefix}{index}.txt", index % 50), node);
    }
    evidence
}

fn benches(criterion: &mut Criterion) {
    let act = Act { at: vec!["start".parse().expect("a point")], send: Injection::signal(Signal::TERM) };
    let plan = TrialPlan {
        acts: vec![act],
        grace: Duration::from_secs(5),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: quietus::model::Noise::NONE,
    };
    let rules = Rules::of_kind(Kind::Job);
    for (group, prefix) in [("audit, files the control leaves too", "f"), ("audit, files it does not", "g")] {
        let mut group = criterion.benchmark_group(group);
        for files in [0, 100, 10_000] {
            let control = evidence(files, "f");
            let expected = learn(&[(&control, true), (&control, true)], Kind::Job, "/w");
            let trial = evidence(files, prefix);
            let case =
                Case { plan: &plan, killed: false, evidence: &trial, expected: &expected, rules: &rules, held: &[] };
            group.bench_function(BenchmarkId::from_parameter(files), |bencher| bencher.iter(|| audit(case)));
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
}
