//! A PostgreSQL server: its directory of data is made once, on the host, and every trial has
//! its own changes to it.

use super::account::Account;
use super::{Inherits, LOG, Ready, Start, logged, make, search};
use crate::model::Ended;
use crate::sys::{Command, Guarded, Keep, Keeper, Program, Report, Role, Stdio};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use std::ffi::{CString, OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long making the directory of data may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn prepare(directory: &Path, path: Option<&OsStr>) -> Result<Start, String> {
    let installed = search::postgres(path, Path::new("/usr/lib/postgresql"))
        .ok_or("PostgreSQL's server is not installed (Debian's package is postgresql)")?;
    let account = Account::for_root("postgres")?;
    make(directory)?;
    if let Some(account) = account {
        account.owns(directory)?;
    }
    let run_as = |command: Vec<OsString>| match account {
        Some(account) => account.runs(command, path),
        None => Ok(command),
    };
    let data = directory.join("data");
    let mut first: Vec<OsString> = vec![installed.join("initdb").into(), "-D".into(), data.clone().into()];
    let options = ["--no-sync", "--no-instructions", "-A", "trust", "--no-locale", "-E", "UTF8", "-U", "postgres"];
    first.extend(options.map(OsString::from));
    initialise(&run_as(first)?, directory)?;
    let mut server: Vec<OsString> = vec![installed.join("postgres").into(), "-D".into(), data.into()];
    server.extend(["-k".into(), directory.into()]);
    // Nothing has to survive a crash of the machine, and nothing may go on by itself.
    let settings = [
        "listen_addresses=",
        "fsync=off",
        "full_page_writes=off",
        "dynamic_shared_memory_type=mmap",
        "max_prepared_transactions=16",
        "autovacuum=off",
    ];
    server.extend(settings.iter().flat_map(|setting| ["-c".into(), setting.into()]));
    let log = directory.join(LOG);
    let ready = Ready::Postgres(directory.join(".s.PGSQL.5432"));
    Ok(Start { command: logged(&log, run_as(server)?), environment: Inherits::Nothing, ready, log })
}

/// Runs initdb under a keeper, so that it ends when Quietus does, however that ends.
fn initialise(command: &[OsString], directory: &Path) -> Result<(), String> {
    let failed = |why: String| format!("initdb cannot be run: {why}");
    let log = directory.join("initdb.log");
    let high = |file: std::fs::File| {
        rustix::io::fcntl_dupfd_cloexec(OwnedFd::from(file), 3).map_err(|errno| failed(errno.to_string()))
    };
    let input = high(std::fs::File::open("/dev/null").map_err(|error| failed(error.to_string()))?)?;
    let output = high(std::fs::File::create(&log).map_err(|error| failed(error.to_string()))?)?;
    let stdio = Stdio { stdin: input.as_raw_fd(), stdout: output.as_raw_fd(), stderr: output.as_raw_fd() };
    let environment = [("PATH".into(), "/usr/bin:/bin".into()), ("LC_ALL".into(), "C".into())];
    let program = Program::new(command, &environment, Path::new("/"), Role::Helper, stdio)
        .map_err(|error| failed(error.to_string()))?;
    let guarded = CString::new(directory.as_os_str().as_encoded_bytes()).map_err(|error| failed(error.to_string()))?;
    let keeper = Keeper::start(&Keep {
        programs: &[program],
        directory: c"/",
        terminal: None,
        enter: None,
        max_processes: None,
        guarded: &Guarded { directory: guarded, cgroup: None },
    })
    .map_err(|error| failed(error.to_string()))?;
    let ended = run(&keeper);
    keeper.end_all();
    keeper.dismiss();
    match ended.map_err(failed)? {
        Ended::Exited(0) => Ok(()),
        ended => {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            let last = last.iter().rev().map(|line| line.trim()).collect::<Vec<_>>().join("; ");
            Err(format!("initdb ended with {ended}; its last lines: {last}"))
        }
    }
}

fn run(keeper: &Keeper) -> Result<Ended, String> {
    let gone = |_| "its keeper is gone".to_owned();
    let deadline = Instant::now() + PATIENCE;
    keeper.send(Command::Run { program: 0 }).map_err(gone)?;
    let mut started = None;
    loop {
        while let Some(report) = keeper.receive().map_err(gone)? {
            match report {
                Report::Started { pid, .. } => started = Some(pid),
                Report::ExecFailed { errno, .. } => {
                    return Err(rustix::io::Errno::from_raw_os_error(errno).to_string());
                }
                Report::Reaped { pid, status } if started == Some(pid) => {
                    return Ended::from_wait_status(status).ok_or_else(|| "it was stopped".to_owned());
                }
                _ => {}
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(format!("it did not end within {}s", PATIENCE.as_secs()));
        }
        let mut watched = [PollFd::from_borrowed_fd(keeper.socket(), PollFlags::IN)];
        let _ = poll(&mut watched, Timespec::try_from(left).ok().as_ref());
    }
}
