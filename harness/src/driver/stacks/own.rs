//! Which of the places in a stack a person wants to see. Pure.

use std::path::Path;

/// A place in code, as a person knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Named {
    /// The source file; with it there is a line.
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) function: Option<String>,
    /// The program or library; empty for what an interpreter runs.
    pub(super) module: String,
}

/// Whose code it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The agent's own.
    Own,
    /// A package that was installed.
    Installed,
    /// The language's or the system's.
    System,
}

/// No name is shown longer.
const LONGEST: usize = 120;

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

impl Named {
    /// `tool.c:41 in run_tool`, or what of that is known.
    pub(super) fn text(&self) -> Option<String> {
        match (&self.file, self.line, &self.function) {
            (Some(file), Some(line), Some(function)) => {
                Some(format!("{}:{line} in {}", cut(base(file)), cut(function)))
            }
            (Some(file), Some(line), None) => Some(format!("{}:{line}", cut(base(file)))),
            (_, _, Some(function)) => Some(format!("{} in {}", cut(function), self.module)),
            (_, _, None) => None,
        }
    }
}

/// Whose code of a Python program this is.
pub(super) fn of_python(place: &Named) -> Whose {
    let file = place.file.as_deref().unwrap_or_default();
    if file.contains("/site-packages/") || file.contains("/dist-packages/") {
        return Whose::Installed;
    }
    // The standard library lies in `lib/python3.11` or `lib/python311.zip`.
    let library = |part: &str| {
        part.strip_prefix("python3").is_some_and(|rest| {
            let rest = rest.strip_suffix(".zip").unwrap_or(rest).trim_start_matches('.').trim_end_matches('t');
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let parts: Vec<&str> = file.split('/').collect();
    let standard =
        parts.windows(2).any(|pair| matches!(pair, [above, part] if above.starts_with("lib") && library(part)));
    if standard || file.starts_with("<frozen ") {
        return Whose::System;
    }
    // The script that starts an installed program does nothing itself.
    let starts_another = parts.iter().rev().nth(1) == Some(&"bin") && place.function.as_deref() == Some("<module>");
    if starts_another { Whose::Installed } else { Whose::Own }
}

/// Programs that run others, by how their names begin.
const INTERPRETERS: [&str; 15] = [
    "node", "deno", "bun", "python", "pypy", "perl", "ruby", "php", "lua", "java", "bash", "dash", "zsh", "ksh",
    "busybox",
];

/// Whether a program runs what is written in another language: its own source is not
/// where the agent is to be mended.
pub(super) fn is_interpreter(program: &Path) -> bool {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_one = |known: &&str| {
        name.strip_prefix(*known)
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || b".-_".contains(&byte)))
    };
    name == "sh" || name == "nodejs" || INTERPRETERS.iter().any(is_one)
}

/// Whose code of a compiled program this is. `own` says whether it is in the program
/// itself or a library of its own.
pub(super) fn of_native(place: &Named, own: bool) -> Whose {
    let Some(file) = place.file.as_deref().filter(|_| own) else {
        // A name with two underscores before it is the C library's.
        let of_library =
            place.function.as_deref().is_none_or(|name| name.starts_with("__") || name.starts_with("_IO_"));
        return if own && !of_library { Whose::Own } else { Whose::System };
    };
    // As the debug information of Rust, C, C++ and Go says where their libraries were.
    let system = file.starts_with("/rustc/")
        || file.contains("/rustlib/src/rust/")
        || file.contains("/.cargo/registry/")
        || file.contains("/.cargo/git/")
        || file.starts_with("/usr/include/")
        || file.starts_with("/usr/lib/")
        || file.contains("/go/src/")
        || file.contains("/go/pkg/mod/")
        || !file.contains('/') && file.ends_with(".s")
        || is_go_library(place);
    if system { Whose::System } else { Whose::Own }
}

/// Go that was built with `-trimpath` shows its own library as `os/file.go`.
fn is_go_library(place: &Named) -> bool {
    let file = place.file.as_deref().unwrap_or_default();
    let function = place.function.as_deref().unwrap_or_default();
    let package = function.rsplit_once('/').map_or(function, |(package, _)| package);
    file.ends_with(".go") && !file.starts_with('/') && !function.starts_with("main.") && !package.contains('.')
        || file.ends_with(".go") && !file.starts_with('/') && !function.contains('/') && !function.starts_with("main.")
}

/// The place where the agent did it: the innermost in its own code that has a line;
/// then one of what is installed; then the innermost in its own code at all.
pub(super) fn own(stack: &[(Named, Whose)]) -> Option<&Named> {
    let with_line = |wanted: Whose| stack.iter().find(|(place, whose)| *whose == wanted && place.line.is_some());
    let any = || stack.iter().find(|(place, whose)| *whose == Whose::Own && place.function.is_some());
    with_line(Whose::Own).or_else(|| with_line(Whose::Installed)).or_else(any).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, line: u32, function: &str) -> Named {
        let file = Some(file.to_owned());
        Named { file, line: Some(line), function: Some(function.to_owned()), module: String::new() }
    }

    fn python(stack: &[(&str, u32, &str)]) -> Option<String> {
        let named = stack.iter().map(|(file, line, function)| place(file, *line, function));
        let judged: Vec<(Named, Whose)> = named.map(|named| (named.clone(), of_python(&named))).collect();
        own(&judged)?.text()
    }

    #[test]
    fn of_a_python_stack_the_agents_own_line_is_shown() {
        let library = ("/usr/lib/python3.11/tempfile.py", 256, "_mkstemp_inner");
        let installed = ("/opt/venv/lib/python3.12/site-packages/tool/core.py", 9, "work");
        let starts = ("/opt/venv/bin/tool", 8, "<module>");
        let own = ("/home/me/lib/agent.py", 41, "run_tool");
        assert_eq!(python(&[library, installed, own, starts]).as_deref(), Some("agent.py:41 in run_tool"));
        assert_eq!(python(&[library, installed, starts]).as_deref(), Some("core.py:9 in work"));
        assert_eq!(python(&[library, starts]).as_deref(), Some("tool:8 in <module>"));
        assert_eq!(python(&[library, ("<frozen runpy>", 88, "_run_code")]), None);
        assert_eq!(python(&[library, ("<string>", 1, "<module>")]).as_deref(), Some("<string>:1 in <module>"));
        assert_eq!(python(&[("/usr/lib/python311.zip/os.py", 1, "f")]), None);
    }

    fn native(stack: &[(Named, bool)]) -> Option<String> {
        let judged: Vec<(Named, Whose)> =
            stack.iter().map(|(named, own)| (named.clone(), of_native(named, *own))).collect();
        own(&judged)?.text()
    }

    #[test]
    fn of_a_native_stack_the_programs_own_line_is_shown() {
        let symbol = |name: &str, module: &str| Named {
            function: Some(name.to_owned()),
            module: module.to_owned(),
            ..Named::default()
        };
        let libc = (symbol("open64", "/lib/libc.so.6"), false);
        let std = (place("/rustc/0123/library/std/src/fs.rs", 9, "std::fs::File::create"), true);
        let own = (place("/src/agent/src/main.rs", 41, "agent::run_tool"), true);
        let bare = (symbol("run_tool", "/usr/bin/tool"), true);
        assert_eq!(native(&[libc.clone(), std.clone(), own.clone()]).as_deref(), Some("main.rs:41 in agent::run_tool"));
        assert_eq!(native(&[libc.clone(), bare.clone(), own]).as_deref(), Some("main.rs:41 in agent::run_tool"));
        assert_eq!(native(&[libc.clone(), std.clone(), bare]).as_deref(), Some("run_tool in /usr/bin/tool"));
        assert_eq!(native(&[libc, (symbol("__open", "/usr/bin/tool"), true)]), None);
        let go = |file: &str, line, function: &str| (place(file, line, function), true);
        let main = go("example.org/agent/main.go", 41, "main.runTool");
        assert_eq!(
            native(&[go("os/file.go", 390, "os.OpenFile"), main]).as_deref(),
            Some("main.go:41 in main.runTool")
        );
        let package = go("example.org/agent/x.go", 4, "example.org/agent.Run");
        assert_eq!(native(&[package]).as_deref(), Some("x.go:4 in example.org/agent.Run"));
    }

    #[test]
    fn interpreters_are_known_by_their_names() {
        for program in ["/usr/bin/node", "/usr/bin/perl5.36", "/bin/sh", "/usr/bin/ruby3.1", "/usr/bin/python3.11"] {
            assert!(is_interpreter(Path::new(program)), "{program}");
        }
        for program in ["/usr/bin/git", "/opt/agent/noder", "/x/shell", "/x/perl-agent", "/x/javac"] {
            assert!(!is_interpreter(Path::new(program)), "{program}");
        }
    }

    #[test]
    fn long_names_are_cut() {
        let long = "x".repeat(500);
        let text = place("/a.c", 1, &long).text().expect("text");
        assert!(text.chars().count() < 140 && text.ends_with('…'), "{text}");
    }
}
