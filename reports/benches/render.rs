//! What it costs to render a report, by the number of its trials, and how large it becomes.

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use criterion::{BenchmarkId, Criterion, Throughput};
use quietus_reports::{
    Gate, HumanOptions, MarkdownOptions, Report, Repository, SarifOptions, render_annotations, render_html,
    render_human, render_junit, render_markdown, render_sarif, to_json,
};
use std::time::Duration;

/// A name and the renderer: one line each.
type Renderer = (&'static str, fn(&Report) -> String);

const RENDERERS: &[Renderer] = &[
    ("json", to_json),
    ("html", render_html),
    ("junit", |report| render_junit(report, Gate::default())),
    ("sarif", |report| render_sarif(report, &SarifOptions::new(Repository::new("agent.py")))),
    ("markdown", |report| render_markdown(report, &MarkdownOptions::default())),
    ("annotations", |report| render_annotations(report, &Repository::new("agent.py"))),
    ("human", |report| render_human(report, HumanOptions::default())),
];

#[expect(clippy::print_stderr, reason = "sizes are for the person who runs it")]
fn benches(criterion: &mut Criterion) {
    for trials in [1_000, 10_000, 100_000] {
        let report = scenes::large::large(trials);
        let mut group = criterion.benchmark_group(format!("{trials} trials"));
        for (name, render) in RENDERERS {
            let bytes = render(&report).len();
            eprintln!("{trials} trials as {name}: {bytes} bytes");
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| bencher.iter(|| render(&report)));
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
