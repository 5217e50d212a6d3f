//! The committed example: one suite in every form, each made from the one `report.json`.
//!
//! `example/make` runs the suite and writes that report; this renders it and holds what is
//! committed to it. The only place that may write the forms:
//! `QUIETUS_UPDATE=1 cargo test -p quietus-reports --test example`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use quietus_reports::{
    Code, Gate, HumanOptions, Level, MarkdownOptions, Report, Repository, Reproduction, SarifOptions, Verdict,
    from_json, render_annotations, render_html, render_human, render_junit, render_markdown, render_sarif, to_json,
};

/// Where `example/make` runs the suite: what lies below it is shown as a path of the project.
const ROOT: &str = "/tmp/example";
/// Where findings without a line of source are shown, and the file that lines of `agent_leaky.py`
/// are those of.
const FALLBACK: &str = "fixtures/python/agent_leaky.py";

/// The project, as far as its sources are named.
fn repository() -> Repository {
    Repository { root: ROOT.to_owned(), ..Repository::new(FALLBACK) }
}

/// A larger one would be a burden to whoever clones the project.
const MOST_BYTES: usize = 300_000;

/// A file name, and what makes its text.
type Form = (&'static str, fn(&Report) -> String);

const FORMS: &[Form] = &[
    ("report.xml", |report| render_junit(report, Gate::default())),
    ("report.sarif", |report| render_sarif(report, &SarifOptions::new(repository()))),
    ("report.md", |report| render_markdown(report, &MarkdownOptions::default())),
    ("report.html", render_html),
    ("report.txt", |report| render_annotations(report, &repository())),
    ("report.human.txt", |report| render_human(report, HumanOptions { color: false, width: 80, verbose: false })),
];

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("example").join(name)
}

fn text() -> String {
    fs::read_to_string(example("report.json")).expect("the report is committed")
}

fn report() -> Report {
    from_json(&text()).expect("the report can be read")
}

/// As `quietus report render` writes a file: whatever a form ends with, one end of line.
fn as_a_file(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

#[test]
fn every_form_is_what_the_report_says() {
    let report = report();
    let update = env::var_os("QUIETUS_UPDATE").is_some_and(|it| it == "1");
    let mut stale = Vec::new();
    for (name, render) in FORMS {
        let (path, current) = (example(name), as_a_file(&render(&report)));
        if update {
            fs::write(&path, &current).expect("the directory is writable");
        }
        if fs::read_to_string(&path).ok().as_deref() != Some(current.as_str()) {
            stale.push(*name);
        }
    }
    assert!(stale.is_empty(), "{stale:?} are not what report.json says; set QUIETUS_UPDATE=1 to write them again");
}

#[test]
fn the_report_is_valid() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report-1.schema.json");
    let schema = fs::read_to_string(schema).expect("the schema is committed");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let value = serde_json::from_str(&text()).expect("the report is JSON");
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!(to_json(&report()), text(), "a report that is read and written again is the same");
}

#[test]
fn nothing_of_the_machine_that_made_it_is_told() {
    let report = report();
    assert_eq!(report.host.kernel, "6.12.0");
    assert_eq!(report.started, "2026-01-01T00:00:00+00:00");
    let forms = FORMS.iter().map(|(name, render)| (*name, render(&report)));
    for (name, text) in forms.chain([("report.json", text())]) {
        for home in ["/home/", "/root/", "/Users/"] {
            assert!(!text.contains(home), "{name} holds a path below {home}");
        }
    }
    assert!(text().len() < MOST_BYTES, "report.json has {} bytes", text().len());
}

#[test]
fn the_example_shows_each_sort_of_finding() {
    let report = report();
    assert_eq!((report.guarantee.level, report.verdict), (Level::Full, Verdict::Findings));
    let verdicts: Vec<Verdict> = report.runs.iter().map(|run| run.verdict).collect();
    assert_eq!(verdicts, [Verdict::Clean, Verdict::Findings, Verdict::Findings, Verdict::Findings]);
    let findings: Vec<_> = report.runs.iter().flat_map(|run| &run.findings).collect();
    for code in [Code::OrphanProcess, Code::TempFile, Code::LockFile, Code::FdInherited, Code::Hang] {
        assert!(findings.iter().any(|finding| finding.code == code), "no {code}");
    }
    assert!(findings.iter().any(|finding| finding.accepted.is_some()), "none is accepted");
    let racy = |confirmed: quietus_reports::Confirmed| confirmed.class() == Reproduction::Racy;
    assert!(findings.iter().any(|finding| finding.confirmed.is_some_and(racy)), "none is racy");
    assert!(report.runs.iter().any(|run| run.map.is_some()), "no run has a map of windows");
}
