//! One scenario file, one named test: its first line says what it must show.

#![expect(clippy::print_stderr, reason = "what is skipped is said")]

use libtest_mimic::{Arguments, Failed, Trial};
use quietus::driver::Interrupt;
use quietus::explore::{Check, check, missing_program, toml_files};
use quietus::scenario::{GuaranteeWish, parse};
use quietus_reports::{Outcome, Severity};
use std::collections::BTreeSet;
use std::path::Path;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(4);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = toml_files(root);
    assert!(!files.is_empty(), "the corpus was found");
    let tests = files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap_or(&path).with_extension("").display().to_string();
            let missing = missing(&path);
            if let Some(program) = &missing {
                eprintln!("skipped: scenario {name}: no {program} in PATH");
            }
            Trial::test(name, move || run(&path)).with_ignored_flag(missing.is_some())
        })
        .collect();
    libtest_mimic::run(&arguments, tests).exit();
}

/// The program of a scenario, if it is not installed.
fn missing(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    missing_program(&parse("scenario", &text).ok()?).map(str::to_owned)
}

fn run(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let expected = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("# expect: "))
        .ok_or("its first line must be `# expect: …`")?;
    let expected: BTreeSet<String> = expected.split(", ").filter(|code| *code != "clean").map(str::to_owned).collect();
    let scenario = parse(&path.display().to_string(), &text).map_err(|faults| faults.render(false))?;
    let mut wanted = Check::of_scenario(&scenario, path, std::env::vars_os().collect(), "2026-01-01")?;
    wanted.jobs = 4;
    let driver = wanted.driver(GuaranteeWish::Full).map_err(|error| error.to_string())?.driver;
    let run = check(&*driver, &wanted, &Interrupt::new()?, &()).map_err(|error| error.to_string())?;
    let reached = run.trials.iter().any(|trial| matches!(trial.outcome, Outcome::Ended | Outcome::Killed));
    if !reached {
        return Err(format!("no trial reached its point: {:#?}", run.trials).into());
    }
    let gating =
        run.findings.iter().filter(|finding| finding.severity == Severity::Error && finding.accepted.is_none());
    let found: BTreeSet<String> = gating.clone().map(|finding| finding.code.to_string()).collect();
    if found == expected {
        return Ok(());
    }
    let told: Vec<String> =
        gating.map(|finding| format!("{}: {} {:?}", finding.code, finding.title, finding.evidence)).collect();
    Err(format!("expected {expected:?}, found {found:?}\n{}", told.join("\n")).into())
}
