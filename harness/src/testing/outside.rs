//! Starts a test again in a process of its own, in a cell where there is one to be had,
//! and says what came of it.

use super::cells::{Wish, options};
use super::isolated::{INSIDE, REPLAY};
use super::message::Message;
use super::tested::Tested;
use crate::driver::{Driver, FullDriver, Interrupt, Request};
use crate::model::{self, Stdin, TrialPlan};
use crate::trial::{Limits, run_trial};
use quietus_reports::escape::escape_terminal;
use quietus_reports::{Guarantee, Level, NotAudited, Run};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Cells of this test binary; they are all alike.
static DRIVER: OnceLock<Result<FullDriver, String>> = OnceLock::new();

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
                at.unwrap_or_else(|| "not yet".to_owned())
            ));
        }
        Heard { at, .. } => {
            return Err(format!(
                "its own process {} before it was done; it ran: {}",
                ended.how,
                at.unwrap_or_else(|| "nothing yet".to_owned())
            ));
        }
    };
    judge(run, path)
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

fn hear(listener: &UnixListener, interrupt: &Interrupt, stuck: Duration) -> Heard {
    let mut heard = Heard::default();
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
    match driver(&directory) {
        Ok(driver) => {
            let request = Request {
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
                },
                record: false,
                interrupt: interrupt.clone(),
            };
            sealed(driver, &request, path)
        }
        Err(_) => unsealed(&own, &words, &environment, interrupt),
    }
}

fn driver(directory: &Path) -> &'static Result<FullDriver, String> {
    DRIVER.get_or_init(|| FullDriver::new(options(directory, Wish::default())).map_err(|error| error.to_string()))
}

fn sealed(driver: &FullDriver, request: &Request, path: &str) -> Result<Ended, String> {
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

/// In a process of its own all the same, with a directory of its own for temporary files.
fn unsealed(
    own: &Path,
    words: &[&str; 5],
    environment: &[(OsString, OsString)],
    interrupt: &Interrupt,
) -> Result<Ended, String> {
    let failed = |error: std::io::Error| format!("cannot start the test again: {error}");
    let temporary = tempfile::tempdir().map_err(failed)?;
    let mut output = tempfile::tempfile().map_err(failed)?;
    let mut child = Command::new(own)
        .args(words)
        .envs(environment.iter().cloned())
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output.try_clone().map_err(failed)?)
        .spawn()
        .map_err(failed)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if interrupt.is_raised() {
            child.kill().map_err(failed)?;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut bytes = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut bytes)).map_err(failed)?;
    let how =
        model::Ended::from_wait_status(status.into_raw()).map_or_else(|| status.to_string(), |ended| ended.to_string());
    Ok(Ended { how: format!("ended ({how})"), output: printed(&bytes, words[0]) })
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

fn judge(run: Run, path: &str) -> Result<(), String> {
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
    let again = run.findings.first().map_or_else(String::new, |finding| {
        format!("\nto see one trial again: {REPLAY}='{}' cargo test {path} -- --exact\n", finding.token)
    });
    Err(text + &again)
}

fn guarantee() -> Guarantee {
    match DRIVER.get() {
        Some(Ok(driver)) => driver.guarantee(),
        other => Guarantee {
            level: Level::Portable,
            mechanisms: vec!["a process of its own".to_owned()],
            not_audited: vec![NotAudited {
                what: "files outside of the trial's directory".to_owned(),
                why: other.and_then(|driver| driver.as_ref().err().cloned()).unwrap_or_default(),
            }],
        },
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
