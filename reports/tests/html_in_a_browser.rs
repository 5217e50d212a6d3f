//! Pages in a real browser: what a reader sees, and what he must never see.
//!
//! Each file in `tests/browser/checks` is one test; it is told where the pages are, and
//! says what is wrong. Without Node, its packages or Chromium each is named as skipped.

#![expect(clippy::print_stderr, reason = "what is skipped is named")]

mod scenes;

use libtest_mimic::{Arguments, Failed, Trial};
use quietus_reports::{Report, from_json, render_html};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names under which a browser may be installed.
const BROWSERS: [&str; 2] = ["chromium", "chromium-browser"];

fn main() {
    // For a person who wants to look at them; `tests/browser/pictures.js` makes pictures.
    if let Some(folder) = std::env::var_os("QUIETUS_PAGES") {
        write(Path::new(&folder)).expect("the pages can be written there");
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let lacks = lacks(&folder);
    let mut checks: Vec<PathBuf> = std::fs::read_dir(folder.join("checks"))
        .expect("the checks are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "js"))
        .collect();
    checks.sort();
    assert!(!checks.is_empty(), "no check is there");
    let tests = checks.into_iter().map(|check| {
        let name = format!("page::{}", check.file_stem().unwrap_or_default().to_string_lossy());
        if let Some(what) = &lacks {
            eprintln!("skipped: {name}: {what}");
        }
        let folder = folder.clone();
        Trial::test(name, move || run(&folder, &check)).with_ignored_flag(lacks.is_some())
    });
    libtest_mimic::run(&arguments, tests.collect()).exit();
}

/// What is not here, of all that is needed.
fn lacks(folder: &Path) -> Option<String> {
    let runs = |name: &str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !runs("node") {
        Some("node is not here".to_owned())
    } else if !folder.join("node_modules/playwright-core").exists() || !folder.join("node_modules/axe-core").exists() {
        Some("its packages are not installed: npm ci --ignore-scripts in reports/tests/browser".to_owned())
    } else if browser().is_none() {
        Some("chromium is not here".to_owned())
    } else {
        None
    }
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| BROWSERS.map(|name| folder.join(name)))
        .find(|program| program.exists())
}

fn run(folder: &Path, check: &Path) -> Result<(), Failed> {
    let pages = tempfile::tempdir()?;
    write(pages.path())?;
    let output = Command::new("node")
        .arg(folder.join("run.js"))
        .arg(check)
        .arg(pages.path())
        .arg(browser().expect("it was there"))
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned().into())
}

/// All pages, and the commands that stand on one of them.
fn write(folder: &Path) -> std::io::Result<()> {
    let hostile = hostile(&scenes::export::several());
    for (name, report) in [
        ("export", scenes::export::export()),
        ("several", scenes::export::several()),
        ("empty", scenes::report(vec![])),
        ("large", scenes::large::large(20_000)),
        ("hostile", hostile),
    ] {
        std::fs::write(folder.join(format!("{name}.html")), render_html(&report))?;
    }
    let export = scenes::export::export();
    let commands: Vec<&str> = export.runs[0].findings.iter().map(|finding| finding.replay.as_str()).collect();
    std::fs::write(folder.join("commands.json"), serde_json::to_string(&commands)?)?;
    Ok(())
}

/// Each string would run a script, if it could.
fn hostile(report: &Report) -> Report {
    const SCRIPT: &str = "\"'></code></title></script></style><img src=x onerror=\"window.owned=1;alert(1)\">\
        <script>window.owned=1;alert(1)</script><svg onload=window.owned=1><iframe srcdoc=x></iframe>\
        <a href=javascript:alert(1)>x</a>\u{202e}\u{0}&lt;b&gt;";
    let mut value = serde_json::to_value(report).expect("a report is JSON");
    scenes::filled::fill(&mut value, &|text| format!("{SCRIPT}{text}"));
    from_json(&value.to_string()).expect("it is a report still")
}
