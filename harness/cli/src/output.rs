//! Prints and writes. A reader that has gone away is no error.

use crate::args::{ColorArgument, FormatArgument, OutputArguments};
use crate::exit::Failure;
use crate::rendering::render;
use quietus_reports::{HumanOptions, Report};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Prints to standard output. A reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    printed(write!(out, "{text}{newline}").and_then(|()| out.flush()))
}

fn printed(outcome: std::io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Reads a text file, or what is piped in. What else there is is refused: a device has no end.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String, Failure> {
    let failed = |why: String| Failure::usage(format!("cannot read {}: {why}", path.display()));
    // Without waiting: a named pipe to which nobody writes could block for ever.
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| failed(std::io::Error::from(errno).to_string()))?;
    let file = std::fs::File::from(file);
    let metadata = file.metadata().map_err(|error| failed(error.to_string()))?;
    if metadata.file_type().is_fifo() {
        // Whoever writes to it is waited for.
        rustix::fs::fcntl_setfl(&file, OFlags::RDONLY)
            .map_err(|errno| failed(std::io::Error::from(errno).to_string()))?;
    } else if !metadata.is_file() {
        let what = if metadata.is_dir() { "it is a directory" } else { "it is neither a file nor a pipe" };
        return Err(failed(what.to_owned()));
    }
    let mut text = String::new();
    let read = file.take(most + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if read as u64 > most {
        return Err(failed(format!("it is larger than {} MiB", most >> 20)));
    }
    Ok(text)
}

/// What is written in which form, and where; none is standard output.
pub(crate) type Plan = Vec<(FormatArgument, Option<PathBuf>)>;

/// Checks before anything runs that every report has a place to go.
pub(crate) fn plan(arguments: &OutputArguments) -> Result<Plan, Failure> {
    let plan = places(&arguments.format, &arguments.output)?;
    let is_taken = |journal: &&PathBuf| plan.iter().any(|(_, path)| path.as_ref() == Some(journal));
    if let Some(journal) = arguments.journal.as_ref().filter(is_taken) {
        return Err(Failure::usage(format!("{} cannot be a report and the journal", journal.display())));
    }
    Ok(plan)
}

/// The form that the end of a name says.
fn guess(path: &Path) -> FormatArgument {
    match path.extension().and_then(|end| end.to_str()) {
        Some("json") => FormatArgument::Json,
        Some("xml") => FormatArgument::Junit,
        Some("sarif") => FormatArgument::Sarif,
        Some("md") => FormatArgument::Markdown,
        Some("html") => FormatArgument::Html,
        _ => FormatArgument::Human,
    }
}

/// Which of the forms goes where.
pub(crate) fn places(formats: &[FormatArgument], paths: &[PathBuf]) -> Result<Plan, Failure> {
    let plan: Vec<(FormatArgument, Option<PathBuf>)> = if formats.is_empty() && paths.is_empty() {
        vec![(FormatArgument::Human, None)]
    } else {
        (0..formats.len().max(paths.len()))
            .map(|index| {
                let path = paths.get(index).filter(|path| path.as_os_str() != "-").cloned();
                let format =
                    formats.get(index).copied().or_else(|| path.as_deref().map(guess)).unwrap_or(FormatArgument::Human);
                (format, path)
            })
            .collect()
    };
    if formats.len() > paths.len() && !paths.is_empty() {
        return Err(Failure::usage("it is not clear which of the reports goes where").with_help(
            "give each --format its own --output: --format human --output - --format json --output report.json",
        ));
    }
    if plan.iter().filter(|(_, path)| path.is_none()).count() > 1 {
        return Err(Failure::usage("two reports cannot both go to standard output")
            .with_help("give each --format its own --output, such as --format json --output report.json"));
    }
    let mut files = BTreeSet::new();
    for path in plan.iter().filter_map(|(_, path)| path.as_deref()) {
        has_place(path)?;
        // A device takes as much as one likes.
        if !files.insert(path) && (!path.exists() || path.is_file()) {
            return Err(Failure::usage(format!("two reports cannot both go to {}", path.display())));
        }
    }
    Ok(plan)
}

/// Whether a file could be written there, as far as that can be told before.
pub(crate) fn has_place(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| !parent.is_dir()) {
        return Err(Failure::usage(format!("cannot write {}: its directory does not exist", path.display())));
    }
    if path.is_dir() {
        return Err(Failure::usage(format!("cannot write {}: it is a directory", path.display())));
    }
    Ok(())
}

/// Whether a report is kept in a form of which other tools make pages.
pub(crate) fn is_kept(arguments: &OutputArguments) -> bool {
    plan(arguments).is_ok_and(|plan| plan.iter().any(|(format, _)| *format != FormatArgument::Human))
}

fn wants_color(choice: ColorArgument) -> bool {
    match choice {
        ColorArgument::Always => true,
        ColorArgument::Never => false,
        ColorArgument::Auto => {
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)).clamp(60, 120)
}

/// Writes every report that was asked for. The report is complete before any
/// part of a file is replaced.
pub(crate) fn write(report: &Report, arguments: &OutputArguments) -> Result<(), Failure> {
    let looks = Looks { color: arguments.color, verbose: arguments.verbose };
    write_all(plan(arguments)?, looks, &|format, human| render(report, None, format, human))
}

/// How text for a person looks.
#[derive(Clone, Copy)]
pub(crate) struct Looks {
    pub(crate) color: ColorArgument,
    pub(crate) verbose: bool,
}

/// Writes each form to its place.
pub(crate) fn write_all(
    plan: Plan,
    looks: Looks,
    render: &dyn Fn(FormatArgument, HumanOptions) -> String,
) -> Result<(), Failure> {
    for (format, path) in plan {
        let color = path.is_none() && format == FormatArgument::Human && wants_color(looks.color);
        let text = render(format, HumanOptions { color, width: width(), verbose: looks.verbose });
        match path {
            None if color => {
                let mut out = std::io::stdout().lock();
                printed(writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()))?;
            }
            None => print(&text)?,
            Some(path) => write_file(&path, &text)?,
        }
    }
    Ok(())
}

/// Writes a text into a file, whole or not at all.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, format!("{}\n", text.trim_end()).as_bytes())
        .map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())))
}

/// Puts a report in its place, whole or not at all. It gets a name only when it
/// is complete, so that nothing is left if Quietus is killed meanwhile.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A link is followed, and a device, a pipe or /dev/fd/3 is written to: none is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return match std::fs::OpenOptions::new().write(true).open(&path)?.write_all(bytes) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        };
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let Ok(unnamed) = rustix::fs::open(directory, flags, Mode::from_raw_mode(0o666)) else {
        // Not every file system has files without a name.
        return std::fs::write(&path, bytes);
    };
    let mut file = std::fs::File::from(unnamed);
    file.write_all(bytes)?;
    let link = |to: &Path| {
        let from = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)
    };
    match link(&path) {
        Err(rustix::io::Errno::EXIST) => {
            if let Ok(before) = path.metadata() {
                file.set_permissions(before.permissions())?;
            }
            let beside = directory.join(format!(".quietus-{}", std::process::id()));
            link(&beside)?;
            std::fs::rename(&beside, &path)
        }
        Err(_) => std::fs::write(&path, bytes),
        Ok(()) => Ok(()),
    }
}
