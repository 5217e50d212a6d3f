//! A program with everything exec needs, prepared before the fork.

use super::filter::Filter;
use super::gate::Hold;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What a program is to the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The agent itself.
    Agent {
        /// In a PID namespace of its own, as its PID 1.
        pid1: bool,
        /// Started by a stub process that can be killed (parent death).
        hosted: bool,
        /// With a controlling terminal.
        terminal: bool,
    },
    /// A command of the scenario or a predicate of a point.
    Helper,
}

/// The standard streams of a program, as descriptors of the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stdio {
    /// Standard input.
    pub stdin: RawFd,
    /// Standard output.
    pub stdout: RawFd,
    /// Standard error.
    pub stderr: RawFd,
}

/// A program that can be executed with no further allocation.
#[derive(Debug)]
pub struct Program {
    /// What it is to the trial.
    pub role: Role,
    /// Its streams; unused when it has a terminal.
    pub stdio: Stdio,
    /// A file to open as standard input, in the cell.
    pub(super) input: Option<CString>,
    /// Where it waits for its tracer.
    pub(super) hold: Option<Hold>,
    /// The only CPU that it may use.
    pub(super) cpu: Option<usize>,
    /// How much it gives way to others (nice(1)).
    pub(super) nice: i32,
    path: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
    argv_pointers: Pointers,
    environment_pointers: Pointers,
}

/// A NULL-terminated array of pointers into strings that live beside it.
#[derive(Debug)]
struct Pointers(Vec<*const c_char>);

impl Pointers {
    fn to(strings: &[CString]) -> Self {
        // A CString's bytes are on the heap: moving the CString does not move them.
        Self(strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect())
    }
}

/// Why a command cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There is no word at all.
    #[error("the command is empty")]
    Empty,
    /// No such file, here or in PATH.
    #[error("cannot find the program `{program}`{}", if *searched { " in PATH" } else { "" })]
    NotFound {
        /// As it was written.
        program: String,
        /// Whether PATH was searched.
        searched: bool,
    },
    /// There is a file that cannot be executed.
    #[error("`{path}` is not executable{why}")]
    NotExecutable {
        /// The file.
        path: String,
        /// A hint, or nothing.
        why: &'static str,
    },
    /// A script whose first line names a program that is not there.
    #[error("`{path}` needs `{interpreter}`, as its first line says, and there is no such program{hint}")]
    NoInterpreter {
        /// The script.
        path: String,
        /// What it names.
        interpreter: String,
        /// A hint, or nothing.
        hint: &'static str,
    },
    /// A NUL byte in an argument or a variable.
    #[error("the argument `{0}` has a NUL byte, which no program can be given")]
    Nul(String),
}

fn c_string(text: &OsStr) -> Result<CString, ProgramError> {
    CString::new(text.as_bytes()).map_err(|_| ProgramError::Nul(text.to_string_lossy().replace('\0', "\\0")))
}

fn executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() && path.is_file()
}

/// Finds the file of a command as execvp(3) does, and says why it cannot be run.
fn find(program: &OsStr, search: Option<&OsStr>, directory: &Path) -> Result<PathBuf, ProgramError> {
    if program.is_empty() {
        return Err(ProgramError::Empty);
    }
    let name = || program.to_string_lossy().into_owned();
    if program.as_bytes().contains(&b'/') {
        let path = directory.join(program);
        return match path.symlink_metadata() {
            Err(_) => Err(ProgramError::NotFound { program: name(), searched: false }),
            Ok(_) if executable(&path) => Ok(path),
            Ok(_) if path.is_dir() => Err(ProgramError::NotExecutable { path: name(), why: ": it is a directory" }),
            Ok(_) if !path.exists() => Err(ProgramError::NotFound { program: name(), searched: false }),
            Ok(_) => Err(ProgramError::NotExecutable {
                path: name(),
                why: ": set its x bit, or name its interpreter first (python3 agent.py)",
            }),
        };
    }
    let default = OsStr::new("/usr/local/bin:/usr/bin:/bin");
    let mut refused = None;
    for part in search.unwrap_or(default).as_bytes().split(|byte| *byte == b':') {
        let part = if part.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(part) };
        let path = directory.join(part).join(program);
        if executable(&path) {
            return Ok(path);
        }
        if path.is_file() {
            refused = Some(path);
        }
    }
    Err(match refused {
        Some(path) => ProgramError::NotExecutable { path: path.to_string_lossy().into_owned(), why: "" },
        None => ProgramError::NotFound { program: name(), searched: true },
    })
}

/// The kernel says only that something is missing; a person wants to know what.
fn check_interpreter(path: &Path) -> Result<(), ProgramError> {
    use std::io::Read;
    let mut start = Vec::new();
    // What cannot be read is for the kernel to judge.
    let Ok(file) = std::fs::File::open(path) else { return Ok(()) };
    if file.take(256).read_to_end(&mut start).is_err() || !start.starts_with(b"#!") {
        return Ok(());
    }
    let line = start.get(2..).unwrap_or_default().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.trim_ascii_start();
    let name = line.split(|byte| *byte == b' ' || *byte == b'\t').next().unwrap_or_default();
    let interpreter = Path::new(OsStr::from_bytes(name));
    if name.is_empty() || !interpreter.is_absolute() || interpreter.exists() {
        return Ok(());
    }
    Err(ProgramError::NoInterpreter {
        path: path.to_string_lossy().into_owned(),
        interpreter: String::from_utf8_lossy(name.trim_ascii_end()).into_owned(),
        hint: if name.ends_with(b"\r") { ": the line ends with a carriage return (CRLF)" } else { "" },
    })
}

impl Program {
    /// Prepares a command. The file is looked up now, in the PATH of the
    /// environment given, with relative names starting at `directory`.
    ///
    /// # Errors
    /// When the program cannot be found or executed, or a string holds a NUL byte.
    pub fn new(
        command: &[OsString],
        environment: &[(OsString, OsString)],
        directory: &Path,
        role: Role,
        stdio: Stdio,
    ) -> Result<Self, ProgramError> {
        let first = command.first().ok_or(ProgramError::Empty)?;
        let search = environment.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_os_str());
        let found = find(first, search, directory)?;
        check_interpreter(&found)?;
        let path = c_string(found.as_os_str())?;
        let argv = command.iter().map(|word| c_string(word)).collect::<Result<Vec<_>, _>>()?;
        let environment = environment
            .iter()
            .map(|(key, value)| {
                let mut pair = key.clone().into_vec();
                pair.push(b'=');
                pair.extend_from_slice(value.as_bytes());
                c_string(OsStr::from_bytes(&pair))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (argv_pointers, environment_pointers) = (Pointers::to(&argv), Pointers::to(&environment));
        Ok(Self {
            role,
            stdio,
            input: None,
            hold: None,
            cpu: None,
            nice: 0,
            path,
            argv,
            environment,
            argv_pointers,
            environment_pointers,
        })
    }

    /// Has it read this file, opened where it runs.
    ///
    /// # Errors
    /// When the path holds a NUL byte.
    pub fn read_input_from(&mut self, path: &Path) -> Result<(), ProgramError> {
        self.input = Some(c_string(path.as_os_str())?);
        Ok(())
    }

    /// Has it wait at this gate, and stop at what the filter marks. The far side of
    /// the gate must lie above descriptor 2 and stay open until the program is started.
    pub fn trace_by(&mut self, gate: RawFd, filter: Option<Filter>) {
        self.hold = Some(Hold { gate, filter });
    }

    /// Has it run on one CPU only, and give way to others as nice(1) says.
    pub fn disturb(&mut self, cpu: Option<usize>, nice: u8) {
        (self.cpu, self.nice) = (cpu, nice.into());
    }

    /// Replaces the calling process; returns the errno when that fails.
    ///
    /// Safe to call after fork: it only makes the system call.
    pub(super) fn exec(&self) -> i32 {
        debug_assert_eq!(
            (self.argv.len() + 1, self.environment.len() + 1),
            (self.argv_pointers.0.len(), self.environment_pointers.0.len())
        );
        // SAFETY: the path is NUL-terminated, and both arrays are NULL-terminated
        // and point into strings that `self` keeps alive.
        unsafe {
            libc::execve(self.path.as_ptr(), self.argv_pointers.0.as_ptr(), self.environment_pointers.0.as_ptr())
        };
        super::child::errno()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(command: &[&str]) -> Result<Program, ProgramError> {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        let streams = Stdio { stdin: 0, stdout: 1, stderr: 2 };
        Program::new(&command, &[("PATH".into(), "/usr/bin:/bin".into())], Path::new("/"), Role::Helper, streams)
    }

    #[test]
    fn finds_programs_by_path_and_by_name() {
        for command in [&["sh"][..], &["/bin/sh", "-c", "true"], &["bin/sh"], &["./bin/sh"]] {
            assert!(prepare(command).is_ok(), "{command:?}");
        }
    }

    #[test]
    fn says_which_interpreter_is_missing() {
        let directory = tempfile::tempdir().expect("a directory");
        let why = |text: &str| {
            let path = directory.path().join("script");
            std::fs::write(&path, text).expect("written");
            check_interpreter(&path)
                .err()
                .map(|error| error.to_string().replace(path.to_str().expect("text"), "SCRIPT"))
        };
        assert_eq!(why("#!/bin/sh\n"), None);
        assert_eq!(why("#! /usr/bin/env python3\n"), None);
        assert_eq!(why("\x7fELF"), None);
        let shown = [why("#!/no/such -x\n"), why("#!/bin/sh\r\ntrue\r\n")].map(Option::unwrap_or_default).join("\n");
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn says_why_a_command_cannot_be_run() {
        let shown: Vec<String> =
            [&[][..], &[""], &["no-such-program"], &["/no/such"], &["/etc/passwd"], &["/etc"], &["sh", "a\0b"]]
                .iter()
                .map(|command| prepare(command).expect_err("cannot be run").to_string())
                .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
