//! Holds the walls between the rooms of `harness/src`: who may use whom, what
//! the pure rooms may not touch, and where `unsafe` may stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use: only those below it.
const EDGES: [(&str, &[&str]); 15] = [
    ("guide", &[]),
    (
        "testing",
        &["explore", "fuzz", "trial", "driver", "state", "cell", "future", "audit", "scenario", "model", "sys"],
    ),
    ("future", &["fuzz", "cell", "audit", "model", "sys"]),
    ("explore", &["fuzz", "trial", "driver", "service", "state", "cell", "windows", "audit", "scenario", "model"]),
    ("fuzz", &["model"]),
    ("trial", &["driver", "model"]),
    ("driver", &["service", "state", "cell", "model", "sys"]),
    ("service", &["state", "scenario", "model", "sys"]),
    ("state", &["scenario", "model", "sys"]),
    ("cell", &["model", "sys"]),
    ("windows", &["model"]),
    ("audit", &["scenario", "model"]),
    ("scenario", &["model"]),
    ("model", &[]),
    ("sys", &[]),
];

/// What reads a clock, the file system, the environment, the network or a process.
const EFFECTS: [&str; 9] =
    ["std::fs", "std::env", "std::net", "std::process", "std::io", "std::thread", "Instant", "SystemTime", "rustix::"];

/// Rooms and files that may have none of that.
const PURE: [&str; 19] = [
    "model",
    "fuzz",
    "scenario",
    "audit",
    "windows",
    "trial/machine.rs",
    "explore/plan.rs",
    "explore/showing.rs",
    "explore/space.rs",
    "explore/gather.rs",
    "explore/held.rs",
    "explore/origin.rs",
    "explore/sweep.rs",
    "explore/swept.rs",
    "future/judge.rs",
    "future/plan.rs",
    "future/plans.rs",
    "future/smaller.rs",
    "future/space.rs",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the sources are there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src`, and its code without comments and tests.
fn code() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    rust_files(&source(), &mut files);
    assert!(files.len() > 40, "the sources were found");
    files
        .into_iter()
        .filter(|path| !path.ends_with("tests.rs") && !path.components().any(|part| part.as_os_str() == "tests"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("readable");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (path.strip_prefix(source()).expect("below src").display().to_string(), lines.join("\n"))
        })
        .collect()
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for (file, code) in code() {
        let Some(room) = file.split('/').next().filter(|room| !room.ends_with(".rs")) else { continue };
        let allowed = EDGES
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("the room `{room}` has no edges in this test"))
            .1;
        for used in code.split("crate::").skip(1) {
            let name: String =
                used.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
            if name != room && EDGES.iter().any(|(known, _)| *known == name) && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{file} uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "edges that go up or sideways:\n{}", wrong.join("\n"));
}

/// Where findings are made.
fn judges(file: &str) -> bool {
    file.starts_with("audit/") || file.starts_with("state/") || file == "future/judge.rs" || file == "future/sweep.rs"
}

#[test]
fn a_code_is_looked_for_where_it_says_so() {
    let audit: String = code().iter().filter(|(file, _)| judges(file)).map(|(_, code)| code.as_str()).collect();
    for code in quietus_reports::Code::ALL {
        let used = audit.contains(&format!("Code::{code:?}"));
        assert_eq!(used, code.is_reported(), "{code}: Code::is_reported does not say what the audit does");
    }
}

#[test]
fn the_edges_have_one_direction() {
    for (index, (room, uses)) in EDGES.iter().enumerate() {
        for used in *uses {
            let below = EDGES.iter().position(|(name, _)| name == used).expect("a room");
            assert!(below > index, "{room} uses {used}, which stands above it");
        }
    }
}

#[test]
fn pure_rooms_touch_nothing() {
    let mut wrong = Vec::new();
    for (file, code) in code() {
        if PURE.iter().any(|pure| file == *pure || file.starts_with(&format!("{pure}/"))) {
            wrong.extend(
                EFFECTS.iter().filter(|effect| code.contains(**effect)).map(|effect| format!("{file}: {effect}")),
            );
        }
    }
    assert!(wrong.is_empty(), "effects in pure rooms:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_in_sys_and_says_why() {
    let mut seen = 0;
    for (file, code) in code() {
        if !file.starts_with("sys/") {
            assert!(!code.contains("unsafe {") && !code.contains("expect(unsafe_code"), "unsafe in {file}");
            continue;
        }
        seen += code.matches("unsafe {").count();
        let text = std::fs::read_to_string(source().join(&file)).expect("readable");
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.contains("unsafe {") && !line.trim_start().starts_with("//"))
        {
            let before = lines[index.saturating_sub(6)..index].iter().any(|line| line.contains("// SAFETY:"));
            assert!(before, "{file}:{}: unsafe without a SAFETY comment: {line}", index + 1);
        }
    }
    assert!(seen > 10, "the search finds unsafe blocks where they are");
}

#[test]
fn no_file_holds_two_ideas() {
    for (file, code) in code() {
        let lines = code.lines().count();
        assert!(lines <= 800, "{file} has {lines} lines of code");
    }
}
