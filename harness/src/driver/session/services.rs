//! Starts the servers that run beside the agent, and waits until they can be used.

use super::connect::connect_below;
use super::place::Place;
use super::streams;
use super::within::open_within;
use crate::driver::{DriverError, Interrupt, Request};
use crate::model::Ended;
use crate::service::{Inherits, Ready, Service, Start, unknown};
use crate::state::{Stream, postgres_answers, redis_answers};
use crate::sys::{Command, Program, Report, Role};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a server may take until it can be used.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often that is tried: a server tells nobody.
const TRY_EVERY: Duration = Duration::from_millis(10);
/// How much of a log is looked at, from its end.
const END_OF_LOG: u64 = 4096;

/// A server among the programs of a trial.
#[derive(Debug)]
struct Planned {
    name: String,
    start: Start,
    server: u32,
    /// The command that says whether it can be used.
    ready: Option<u32>,
}

/// The servers of a trial: first to be started, then at work.
#[derive(Debug, Default)]
pub(super) struct Services {
    planned: Vec<Planned>,
    /// Those that run, by pid.
    running: Vec<(i32, usize)>,
    /// Where their files are, which are none of the agent's.
    pub(super) directories: Vec<PathBuf>,
}

fn failed(name: &str, why: impl Into<String>) -> DriverError {
    let mut why = why.into();
    if why.to_lowercase().contains("address already in use") {
        why += "; network = \"private\" in [cell] gives each trial ports of its own";
    }
    DriverError::Service { name: name.to_owned(), why }
}

/// Adds the servers to the programs. The far ends must be open until the programs are with
/// the init.
pub(super) fn prepare<P: Place>(
    request: &Request,
    programs: &mut Vec<Program>,
    ends: &streams::FarEnds,
) -> Result<Services, DriverError> {
    let mut services = Services::default();
    if let (Some(first), false) = (request.services.first(), P::TRACES) {
        let why = format!("services run under the full guarantee only, and there is the service `{}`", first.name);
        return Err(DriverError::Unsupported(why));
    }
    if let Some(unknown) = unknown(request.plan.acts.iter().map(|act| &act.send), &request.services) {
        return Err(DriverError::no_service(unknown));
    }
    for service in &request.services {
        services.directories.extend(service.directory().ok().as_deref().and_then(Path::parent).map(Path::to_path_buf));
        services.planned.push(plan(service, request, programs, ends)?);
    }
    services.directories.dedup();
    Ok(services)
}

fn plan(
    service: &Service,
    request: &Request,
    programs: &mut Vec<Program>,
    ends: &streams::FarEnds,
) -> Result<Planned, DriverError> {
    let start = service.start().map_err(|why| failed(&service.name, why))?.clone();
    let path = request.environment.iter().filter(|(key, _)| key == "PATH").cloned();
    let environment: Vec<(OsString, OsString)> = match start.environment {
        Inherits::Agent => request.environment.clone(),
        Inherits::Nothing => path.chain([("LC_ALL".into(), "C".into())]).collect(),
    };
    let mut add = |command: &[OsString]| {
        let program = Program::new(command, &environment, &request.directory, Role::Helper, ends.stdio)
            .map_err(|error| failed(&service.name, error.to_string()))?;
        programs.push(program);
        Ok(programs.len() as u32 - 1)
    };
    let server = add(&start.command)?;
    let ready = match &start.ready {
        Ready::Command(command) => Some(add(command)?),
        Ready::AtOnce | Ready::Postgres(_) | Ready::Redis(_) => None,
    };
    Ok(Planned { name: service.name.clone(), start, server, ready })
}

impl Services {
    /// Starts one after the other; each may be used by the next.
    pub(super) fn start<P: Place>(
        &mut self,
        cell: &P,
        interrupt: &Interrupt,
        output: &OwnedFd,
    ) -> Result<(), DriverError> {
        for index in 0..self.planned.len() {
            self.start_one(cell, interrupt, output, index)?;
        }
        Ok(())
    }

    fn start_one<P: Place>(
        &mut self,
        cell: &P,
        interrupt: &Interrupt,
        output: &OwnedFd,
        index: usize,
    ) -> Result<(), DriverError> {
        let Some(planned) = self.planned.get(index) else { return Ok(()) };
        let (name, ready) = (planned.name.clone(), planned.start.ready.clone());
        let (server, asks) = (planned.server, planned.ready);
        let gone = |_| failed(&name, "the cell ended while it was started");
        let deadline = Instant::now() + PATIENCE;
        cell.send(Command::Run { program: server }).map_err(gone)?;
        // The command that asks: not to be run again while it runs.
        let (mut asking, mut ready_said) = (None, None);
        let mut last = "it was not asked".to_owned();
        loop {
            while let Some(report) = cell.receive().map_err(gone)? {
                match report {
                    Report::Started { program, pid } if program == server => self.running.push((pid, index)),
                    Report::Started { program, pid } if Some(program) == asks => asking = Some(pid),
                    Report::ExecFailed { errno, .. } => {
                        return Err(failed(&name, rustix::io::Errno::from_raw_os_error(errno).to_string()));
                    }
                    Report::Reaped { pid, status } if asking == Some(pid) => {
                        (asking, ready_said) = (None, Ended::from_wait_status(status));
                    }
                    report => {
                        if let Some(why) = self.ended(cell, &report) {
                            return Err(why);
                        }
                    }
                }
            }
            // What the commands write that ask: a full pipe would hold them.
            let mut chunk = [0u8; 16 * 1024];
            let _ = rustix::io::read(output, &mut chunk);
            let runs = self.running.iter().any(|(_, known)| *known == index);
            let answer = match &ready {
                _ if !runs => Err("it was not started".to_owned()),
                Ready::AtOnce => Ok(()),
                Ready::Postgres(socket) => connect(cell, socket).and_then(postgres_answers),
                Ready::Redis(socket) => connect(cell, socket).and_then(redis_answers),
                Ready::Command(_) => match (ready_said.take(), asking, asks) {
                    (Some(Ended::Exited(0)), ..) => Ok(()),
                    (said, None, Some(program)) => {
                        asking = Some(0);
                        cell.send(Command::Run { program }).map_err(gone)?;
                        Err(said
                            .map_or(last, |ended| format!("the command that says when it is ready ends with {ended}")))
                    }
                    _ => Err("the command that says when it is ready does not end".to_owned()),
                },
            };
            last = match answer {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if interrupt.is_raised() {
                return Err(failed(&name, "interrupted"));
            }
            if Instant::now() >= deadline {
                let log = self.log_of(cell, index);
                return Err(failed(&name, format!("it cannot be used after {}s: {last}{log}", PATIENCE.as_secs())));
            }
            let mut watched = [
                PollFd::from_borrowed_fd(cell.socket(), PollFlags::IN),
                PollFd::from_borrowed_fd(interrupt.event(), PollFlags::IN),
            ];
            let _ = poll(&mut watched, Timespec::try_from(TRY_EVERY).ok().as_ref());
        }
    }

    /// The pid of a service, if it has one that is known, and those of all others.
    pub(super) fn pids(&self, name: &str) -> (Option<i32>, Vec<i32>) {
        let is_it = |index: usize| self.planned.get(index).is_some_and(|planned| planned.name == name);
        let known = self.running.iter().copied().filter(|(pid, _)| *pid != 0);
        let (own, others): (Vec<_>, Vec<_>) = known.partition(|(_, index)| is_it(*index));
        (own.first().map(|(pid, _)| *pid), others.iter().map(|(pid, _)| *pid).collect())
    }

    /// The failure of a server of which this report says that it has ended. One that went
    /// into the background by itself has not.
    pub(super) fn ended<P: Place>(&mut self, cell: &P, report: &Report) -> Option<DriverError> {
        let Report::Reaped { pid, status } = *report else { return None };
        let place = self.running.iter().position(|(known, _)| *known == pid)?;
        let (_, index) = self.running.swap_remove(place);
        let planned = self.planned.get(index)?;
        let ended = Ended::from_wait_status(status)?;
        if planned.ready.is_some() && ended == Ended::Exited(0) {
            self.running.push((0, index));
            return None;
        }
        Some(failed(&planned.name, format!("it ended with {ended}{}", self.log_of(cell, index))))
    }

    /// The last lines a server wrote.
    fn log_of<P: Place>(&self, cell: &P, index: usize) -> String {
        let Some(planned) = self.planned.get(index) else { return String::new() };
        let text = read_end(cell, &planned.start.log).unwrap_or_default();
        let last: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).rev().take(4).collect();
        let last = last.iter().rev().map(|line| line.trim()).collect::<Vec<_>>().join("; ");
        if last.is_empty() { last } else { format!("; its last lines: {last}") }
    }
}

fn connect<P: Place>(cell: &P, socket: &Path) -> Result<Stream, String> {
    connect_below(cell, socket).map(Stream::Unix).map_err(|errno| format!("{}: {errno}", socket.display()))
}

fn read_end<P: Place>(cell: &P, path: &Path) -> Option<String> {
    use std::io::{Seek, SeekFrom};
    let mut file = std::fs::File::from(open_within(cell, path, OFlags::RDONLY).ok()?);
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END_OF_LOG))).ok()?;
    let mut bytes = Vec::new();
    file.take(END_OF_LOG).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
