//! Starts a test again in a process of its own, in a cell where there is one to be had,
//! and says what came of it.

use super::future_agent::replay_of_test;
use super::isolated::{DIRECTORY, INSIDE};
use super::message::Message;
use super::tested::Tested;
use crate::cell::{CellOptions, MOST_PROCESSES};
use crate::driver::{Containment, Driver, FullDriver, Interrupt, PortableDriver, PortableOptions, Request};
use crate::model::{Stdin, TrialPlan};
use crate::trial::{Limits, run_trial};
use quietus_reports::escape::escape_terminal;
use quietus_reports::{Guarantee, Run};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Cells of this test binary; they are all alike.
static CELLS: OnceLock<Result<FullDriver, String>> = OnceLock::new();

/// How the process ended, and the last that it printed.
struct Ended {
    how: String,
    output: String,
}

/// Runs the test and prints what it prints. One trial takes less than `stuck`.
///
/// # Errors
/// What was found, or why nothing could be judged, as text for a person.
pub(super) fn run(path: &str, stuck: Duration) -> Result<(), String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let socket = format!("quietus-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let listener = SocketAddr::from_abstract_name(&socket)
        .and_then(|address| UnixListener::bind_addr(&address))
        .map_err(|error| format!("cannot listen for the test's own process: {error}"))?;
    let interrupt = Interrupt::new().map_err(|error| format!("cannot start the test in its own process: {error}"))?;
    let (ended, heard) = std::thread::scope(|scope| {
        let hears = scope.spawn(|| hear(&listener, &interrupt, stuck));
        let ended = start(path, &socket, &interrupt);
        // If it never came, nobody else will.
        let _unblocked = SocketAddr::from_abstract_name(&socket).and_then(|address| UnixStream::connect_addr(&address));
        (ended, hears.join().unwrap_or_default())
    });
    let ended = ended?;
    show(&ended.output);
    let run = match heard {
        Heard { last: Some(Message::Done(run)), .. } => *run,
        Heard { last: Some(Message::Failed(why)), .. } => return Err(why),
        Heard { stuck: true, at, .. } => {
            return Err(format!(
                "nothing happened for {} s, and its process was killed: the agent blocks its thread, where it should wait \
                 with .await. It ran: {}",
                stuck.as_secs(),
                last_run(at, path)
            ));
        }
        Heard { at, .. } => {
            return Err(format!("its own process {} before it was done; it ran: {}", ended.how, last_run(at, path)));
        }
    };
    judge(run)
}

/// What it ran last, and how to run that again.
fn last_run(at: Option<String>, path: &str) -> String {
    match at {
        None => "nothing yet".to_owned(),
        Some(token) if token.starts_with("q1/") => {
            format!("{token}\nto see that again: {}", replay_of_test(&token, path))
        }
        Some(what) => what,
    }
}

/// Prints what the test printed, where its runner shows or keeps what tests print.
#[expect(clippy::print_stdout, reason = "a test prints where its runner looks for it")]
fn show(output: &str) {
    print!("{output}");
}

/// What was heard from the test.
#[derive(Default)]
struct Heard {
    last: Option<Message>,
    /// What it ran last.
    at: Option<String>,
    stuck: bool,
}

/// Whether somebody connects.
fn comes(listener: &UnixListener, within: Duration) -> bool {
    let Ok(within) = Timespec::try_from(within) else { return true };
    loop {
        match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&within)) {
            Ok(ready) => return ready > 0,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}

fn hear(listener: &UnixListener, interrupt: &Interrupt, stuck: Duration) -> Heard {
    let mut heard = Heard::default();
    if !comes(listener, stuck) {
        heard.stuck = true;
        interrupt.raise();
        return heard;
    }
    let Ok((stream, _)) = listener.accept() else { return heard };
    if stream.set_read_timeout(Some(stuck)).is_err() {
        return heard;
    }
    let mut lines = BufReader::new(stream).lines();
    loop {
        match lines.next() {
            None => return heard,
            Some(Err(error)) => {
                heard.stuck = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                interrupt.raise();
                return heard;
            }
            Some(Ok(line)) => match Message::read(&line) {
                Some(Message::Runs(what)) => heard.at = Some(what),
                Some(last) => heard.last = Some(last),
                None => {}
            },
        }
    }
}

fn start(path: &str, socket: &str, interrupt: &Interrupt) -> Result<Ended, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find the test binary: {error}"))?;
    let words = [path, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"];
    let directory = std::env::current_dir().map_err(|error| format!("cannot find the working directory: {error}"))?;
    let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    environment.push((INSIDE.into(), socket.into()));
    environment.push((DIRECTORY.into(), directory.clone().into()));
    let mut request = Request {
        command: std::iter::once(own.into_os_string()).chain(words.map(OsString::from)).collect(),
        environment,
        directory,
        prepare: Vec::new(),
        plan: TrialPlan {
            acts: Vec::new(),
            grace: Duration::ZERO,
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: crate::model::Noise::NONE,
        },
        keep: Vec::new(),
        record: false,
        services: Vec::new(),
        states: Vec::new(),
        recovery: None,
        interrupt: interrupt.clone(),
    };
    if let Ok(cells) = cells(&request) {
        // What others do in the directory of this machine is not the agent's.
        let temporary = std::env::temp_dir().join(socket);
        request.environment.retain(|(key, _)| key != "TMPDIR");
        request.environment.push(("TMPDIR".into(), temporary.into()));
        return run_whole(cells, &request, path);
    }
    // What it starts is held together all the same. The directory of the package stays where
    // it is: the test goes there itself.
    let (directory, _open) = empty().map_err(|error| format!("cannot make a directory for the test: {error}"))?;
    request.directory = directory;
    run_whole(&held(&request.directory), &request, path)
}

/// An empty directory that is removed already, and there as long as it is open: should this
/// process be killed, nothing of it stays.
fn empty() -> std::io::Result<(PathBuf, File)> {
    let directory = tempfile::tempdir()?;
    let open = File::open(directory.path())?;
    directory.close()?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())), open))
}

fn cells(request: &Request) -> &'static Result<FullDriver, String> {
    CELLS.get_or_init(|| {
        let options = CellOptions::around(request.directory.clone(), &request.environment);
        FullDriver::new(options).map_err(|error| error.to_string())
    })
}

/// Processes that are held together, with a directory of their own for temporary files.
fn held(directory: &Path) -> PortableDriver {
    PortableDriver::new(PortableOptions {
        directory: directory.to_path_buf(),
        private_network: false,
        max_processes: MOST_PROCESSES,
        containment: Containment::Cgroup,
    })
}

fn run_whole(driver: &dyn Driver, request: &Request, path: &str) -> Result<Ended, String> {
    // It says itself how far it is.
    let never = Duration::from_secs(24 * 3600);
    let limits = Limits {
        reach: never,
        settle: Duration::ZERO,
        settle_rounds: 1,
        linger: Duration::ZERO,
        horizon: never,
        horizon_rounds: 1,
        serves_after: u32::MAX,
    };
    let record = run_trial(driver, request, limits).map_err(|error| error.to_string())?;
    let how = record.evidence.ended.map_or_else(|| "was lost".to_owned(), |ended| format!("ended ({ended})"));
    Ok(Ended { how, output: printed(&record.evidence.output.tail, path) })
}

/// What it printed, without what the test runner itself prints before it.
fn printed(bytes: &[u8], path: &str) -> String {
    let text = String::from_utf8_lossy(bytes);
    let before = format!("\nrunning 1 test\ntest {path}");
    // It goes on with what else is known of the test: `- should panic`.
    let after = text.strip_prefix(before.as_str()).and_then(|rest| rest.split_once(" ... "));
    let text = after.map_or(&*text, |(_, printed)| printed);
    text.lines().map(|line| format!("{}\n", escape_terminal(line))).collect()
}

fn judge(run: Run) -> Result<(), String> {
    let tested = Tested::new(run, guarantee());
    let run = tested.run();
    let text = format!("\n{tested}");
    if tested.is_clean() {
        if !run.findings.is_empty() || !run.notes.is_empty() {
            // Warnings and notes fail no test.
            show(&text);
        }
        return Ok(());
    }
    Err(text)
}

fn guarantee() -> Guarantee {
    match CELLS.get() {
        Some(Ok(cells)) => cells.guarantee(),
        _ => {
            Guarantee { mechanisms: vec!["a process of its own".to_owned()], ..held(&std::env::temp_dir()).guarantee() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_agent_printed_is_shown() {
        assert_eq!(printed(b"\nrunning 1 test\ntest a::b ... hello\n\x1b[2Jworld\n", "a::b"), "hello\n\\x1b[2Jworld\n");
        assert_eq!(printed(b"\nrunning 1 test\ntest a::b - should panic ... ", "a::b"), "");
    }
}
