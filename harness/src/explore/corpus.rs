//! Scenario files in a directory, and what they need to be run here.

use crate::scenario::Scenario;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Directories deeper than that are not looked into.
const DEEPEST: usize = 16;
/// An `[agent]` stands near the beginning of a scenario.
const MOST: u64 = 1 << 20;

/// The scenario files below a directory, in order: [`toml_files`] with an `[agent]`.
pub fn scenario_files(directory: &Path) -> Vec<PathBuf> {
    toml_files(directory).into_iter().filter(|path| has_agent(path)).collect()
}

/// All `*.toml` below a directory, in order, `Cargo.toml` excepted. Hidden directories,
/// `target` and `node_modules` are left out, and links to directories are not followed.
pub fn toml_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(directory, &mut files, 0);
    files
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>, depth: usize) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            let others = name.starts_with('.') || name == "target" || name == "node_modules";
            if !others && !path.is_symlink() && depth < DEEPEST {
                collect(&path, files, depth + 1);
            }
        } else if path.extension().is_some_and(|end| end == "toml") && name != "Cargo.toml" {
            files.push(path);
        }
    }
}

fn has_agent(path: &Path) -> bool {
    let mut bytes = Vec::new();
    // A named pipe would be waited for.
    let is_file = path.metadata().is_ok_and(|metadata| metadata.is_file());
    let read = is_file && std::fs::File::open(path).is_ok_and(|file| file.take(MOST).read_to_end(&mut bytes).is_ok());
    // However it is written: `[agent] # who`, `agent = {…}`.
    let names_it = |line: &str| {
        let words: String = line.split_whitespace().collect();
        ["[agent", "agent.", "agent="].iter().any(|start| words.starts_with(start))
    };
    read && String::from_utf8_lossy(&bytes).lines().any(names_it)
}

/// The program of a scenario, if it is not installed here.
pub fn missing_program(scenario: &Scenario) -> Option<&str> {
    let program = scenario.agent.command.first()?;
    let own = scenario.agent.env.get("PATH").map(OsString::from);
    let search = own.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    let there =
        program.contains('/') || std::env::split_paths(&search).any(|directory| directory.join(program).is_file());
    (!there).then_some(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scenarios_are_found_and_in_order() {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in [
            ("b.toml", "name = 1\n[agent]\n"),
            ("a/c.toml", "  [agent]  \n"),
            ("d.toml", "[agent] # who\n"),
            ("Cargo.toml", "[package]\n"),
            ("e.toml", "[package]\n"),
            ("target/d.toml", "[agent]\n"),
            (".hidden/e.toml", "[agent]\n"),
            ("f.txt", "[agent]\n"),
        ] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below")).expect("writable");
            std::fs::write(path, text).expect("writable");
        }
        std::os::unix::fs::symlink(directory.path(), directory.path().join("loop")).expect("writable");
        let names: Vec<PathBuf> = scenario_files(directory.path());
        assert_eq!(toml_files(directory.path()).len(), names.len() + 1);
        assert_eq!(names, ["a/c.toml", "b.toml", "d.toml"].map(|name| directory.path().join(name)));
    }
}
