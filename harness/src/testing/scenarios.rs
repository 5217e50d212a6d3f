//! Scenario files as tests: each file is one, found, named, filtered and listed as others
//! are.

use super::tested::Tested;
use crate::driver::Interrupt;
use crate::explore::{Check, check, missing_program, read_plans, regressions_beside, toml_files};
use crate::scenario::{GuaranteeWish, Scenario, parse};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};

/// Makes a test target of a directory of scenario files: one named test each.
///
/// The target has `harness = false` in `Cargo.toml`, and its file holds nothing else. The
/// path starts at the package.
///
/// ```no_run
/// quietus::scenarios!("scenarios");
/// ```
///
/// A file whose program is not installed here, or that asks for a guarantee which this
/// machine does not give, is an ignored test, with the reason before its name. A file that
/// cannot be read is a test that fails.
#[macro_export]
macro_rules! scenarios {
    ($directory:expr) => {
        fn main() {
            $crate::testing::run_scenarios(concat!(env!("CARGO_MANIFEST_DIR"), "/", $directory));
        }
    };
}

/// What [`scenarios!`](crate::scenarios) calls.
#[doc(hidden)]
pub fn run_scenarios(directory: &str) {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let root = Path::new(directory);
    let mut tests: Vec<Trial> = toml_files(root).into_iter().map(|file| test(root, file)).collect();
    if tests.is_empty() {
        let why = format!("there are no scenario files (*.toml) in {directory}");
        tests.push(Trial::test("scenarios", || Err(why.into())));
    }
    libtest_mimic::run(&arguments, tests).exit();
}

fn test(root: &Path, file: PathBuf) -> Trial {
    let name = file.strip_prefix(root).unwrap_or(&file).with_extension("").display().to_string();
    let missing = read(&file).ok().and_then(|scenario| missing(&scenario, &file));
    let kind = missing.clone().unwrap_or_default();
    let ignored = missing.is_some();
    Trial::test(name, move || run(&file)).with_kind(kind).with_ignored_flag(ignored)
}

fn read(file: &Path) -> Result<Scenario, Failed> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(parse(&file.display().to_string(), &text).map_err(|faults| faults.render(false))?)
}

/// What this machine lacks for it.
fn missing(scenario: &Scenario, file: &Path) -> Option<String> {
    if let Some(program) = missing_program(scenario) {
        return Some(format!("no {program} here"));
    }
    let wanted = check_of(scenario, file).ok()?;
    if scenario.cell.guarantee != GuaranteeWish::Full && !wanted.private_network {
        return None;
    }
    wanted.driver(GuaranteeWish::Full).err().map(|error| format!("no sealed cell here: {error}"))
}

fn check_of(scenario: &Scenario, file: &Path) -> Result<Check, String> {
    let today = jiff::Zoned::now().date().to_string();
    let mut check = Check::of_scenario(scenario, file, std::env::vars_os().collect(), &today)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    check.regressions = read_plans(&regressions_beside(file)).map_err(|error| error.to_string())?;
    Ok(check)
}

fn run(file: &Path) -> Result<(), Failed> {
    let scenario = read(file)?;
    let wanted = check_of(&scenario, file)?;
    let driver = wanted.driver(scenario.cell.guarantee).map_err(|error| error.to_string())?.driver;
    let run = check(&*driver, &wanted, &Interrupt::new()?, &()).map_err(|error| error.to_string())?;
    let tested = Tested::new(run, driver.guarantee());
    if tested.is_clean() { Ok(()) } else { Err(format!("\n{tested}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_here_says_why() {
        let lacks = |program: &str| {
            let text = format!("name = \"x\"\n[agent]\ncommand = [\"{program}\"]\n");
            missing(&parse("x.toml", &text).expect("a scenario"), Path::new("x.toml"))
        };
        assert_eq!(lacks("quietus-is-not-called-so").as_deref(), Some("no quietus-is-not-called-so here"));
        assert_eq!(lacks("sh"), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_its_fault() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("broken.toml");
        std::fs::write(&file, "name = 1\n").expect("writable");
        let failed = run(&file).expect_err("it is broken");
        let said = failed.message().expect("it says why");
        assert!(said.contains("broken.toml"), "{said}");
    }
}
