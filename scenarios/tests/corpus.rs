//! One scenario file, one named test: its first line says what it must show.

#![expect(clippy::print_stderr, reason = "what is skipped is said")]

use libtest_mimic::{Arguments, Failed, Trial};
use quietus::cell::CellOptions;
use quietus::driver::{FullDriver, Interrupt};
use quietus::explore::{Check, check};
use quietus::scenario::{Network, parse};
use quietus_reports::{Outcome, Severity};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(4);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &mut files);
    assert!(!files.is_empty(), "the corpus was found");
    let tests = files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root).unwrap_or(&path).with_extension("").display().to_string();
            let missing = missing_program(&path);
            if let Some(program) = &missing {
                eprintln!("skipped: scenario {name}: no {program} in PATH");
            }
            Trial::test(name, move || run(&path)).with_ignored_flag(missing.is_some())
        })
        .collect();
    libtest_mimic::run(&arguments, tests).exit();
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "toml")
            && path.file_name().is_some_and(|name| name != "Cargo.toml")
        {
            files.push(path);
        }
    }
    files.sort();
}

/// The program of a scenario, if it is not installed.
fn missing_program(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let program = parse("scenario", &text).ok()?.agent.command.first()?.clone();
    let search = std::env::var_os("PATH")?;
    let there =
        program.contains('/') || std::env::split_paths(&search).any(|directory| directory.join(&program).is_file());
    (!there).then_some(program)
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
    let driver = FullDriver::new(CellOptions {
        directory: wanted.directory.clone(),
        likely: std::env::var_os("HOME").map(PathBuf::from).into_iter().collect(),
        private_network: scenario.cell.network == Network::Private,
        max_processes: scenario.cell.max_processes.unwrap_or(2048),
    })
    .map_err(|error| error.to_string())?;
    let run = check(&driver, &wanted, &Interrupt::new()?, &()).map_err(|error| error.to_string())?;
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
