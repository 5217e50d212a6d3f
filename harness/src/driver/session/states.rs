//! The place of a trial as oracles see it.

use super::live::TrialSession;
use super::place::Place;
use super::streams;
use super::within::open_within;
use crate::cell::{Depth, exclusively_locked_files};
use crate::driver::DriverError;
use crate::model::{Ended, Reading};
use crate::state::{self, Address, Oracle, Ran, Stream};
use crate::sys::{Command, Report, Stdio, send_signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a command of an oracle may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is kept of its output.
const KEPT: usize = 1 << 20;

/// An oracle, and where its commands are among the programs.
#[derive(Debug)]
pub(super) struct Asked {
    oracle: Arc<dyn Oracle>,
    commands: Vec<Prepared>,
}

/// A command of an oracle.
#[derive(Debug)]
struct Prepared {
    program: u32,
    output: OwnedFd,
}

/// A command that runs, and that is waited for.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) program: u32,
    pub(super) pid: Option<i32>,
    pub(super) ended: Option<Result<Ended, String>>,
}

/// Makes a program of a command: its words, its streams, and what to call it. Gives its number.
pub(super) type Add<'a> = dyn FnMut(&[OsString], Stdio, &str) -> Result<u32, DriverError> + 'a;

/// Prepares what the oracles will want to run. The far ends must be open until the
/// programs are with the init.
pub(super) fn prepare(
    oracles: &[Arc<dyn Oracle>],
    add: &mut Add<'_>,
) -> Result<(Vec<Asked>, Vec<streams::FarEnds>), DriverError> {
    let (mut asked, mut held) = (Vec::new(), Vec::new());
    for oracle in oracles {
        let mut commands = Vec::new();
        for command in oracle.commands() {
            let (output, ends) = streams::for_helper()?;
            let program = add(&command, ends.stdio, oracle.name())?;
            commands.push(Prepared { program, output });
            held.push(ends);
        }
        asked.push(Asked { oracle: Arc::clone(oracle), commands });
    }
    Ok((asked, held))
}

impl<P: Place> TrialSession<P> {
    /// What every oracle finds now. One that could not look before the agent is not asked again.
    pub(super) fn read_states(&mut self) -> Vec<Reading> {
        let asked = std::mem::take(&mut self.asked);
        let readings = asked
            .iter()
            .map(|one| {
                let failed =
                    self.evidence.before.iter().find(|known| known.name == one.oracle.name() && known.state.is_err());
                if let Some(failed) = failed {
                    return failed.clone();
                }
                let state = one.oracle.read(&mut Seen { session: self, commands: &one.commands });
                let state = state.map(|state| self.shown_state(state)).map_err(|why| self.cell.shown(&why));
                Reading { name: one.oracle.name().to_owned(), state }
            })
            .collect();
        self.asked = asked;
        readings
    }

    /// With the paths of the original instead of those of a copy.
    fn shown_state(&self, mut state: crate::model::State) -> crate::model::State {
        for value in state.items.iter_mut().flat_map(|items| items.values_mut()) {
            *value = self.cell.shown(value);
        }
        for trouble in &mut state.troubles {
            let texts = [&mut trouble.subject, &mut trouble.title].into_iter().chain(&mut trouble.evidence);
            texts.for_each(|text| *text = self.cell.shown(text));
        }
        state
    }

    fn run_for_oracle(&mut self, command: &Prepared) -> Result<Ran, String> {
        let deadline = Instant::now() + PATIENCE;
        // What an earlier run of it that did not end in time still wrote.
        Output::default().drain(&command.output);
        let mut output = Output::default();
        self.running = Some(Running { program: command.program, pid: None, ended: None });
        self.cell.send(Command::Run { program: command.program }).map_err(|_| "the place of the trial is gone")?;
        let ended = loop {
            if let Some(ended) = self.running.as_mut().and_then(|running| running.ended.take()) {
                break ended;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Err(format!("it did not end within {}s", PATIENCE.as_secs()));
            }
            if self.is_interrupted() {
                break Err("interrupted".to_owned());
            }
            self.wait_for_oracle(&command.output, left);
            output.drain(&command.output);
            if self.hear_reports() {
                break Err("the place of the trial is gone".to_owned());
            }
        };
        if let Some(pid) = self.running.take().and_then(|running| running.pid).filter(|_| ended.is_err())
            && let Ok(process) = crate::cell::open_process(self.cell.proc(), pid)
        {
            // It would write on into what is read next.
            let _ = send_signal(&process, crate::model::Signal::KILL.number());
        }
        output.drain(&command.output);
        Ok(Ran { ended: ended?, output: output.kept, cut: output.cut })
    }

    fn wait_for_oracle(&self, output: &OwnedFd, left: Duration) {
        let mut watched = [
            PollFd::from_borrowed_fd(self.cell.socket(), PollFlags::IN),
            PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.interrupt_event(), PollFlags::IN),
        ];
        let _ = poll(&mut watched, Timespec::try_from(left).ok().as_ref());
    }
}

impl<P: Place> TrialSession<P> {
    /// Takes a report that is about a command of an oracle.
    pub(super) fn is_of_oracle(&mut self, report: &Report) -> bool {
        let Some(running) = &mut self.running else { return false };
        match *report {
            Report::Started { program, pid } if program == running.program => {
                running.pid = Some(pid);
                true
            }
            Report::ExecFailed { program, errno } if program == running.program => {
                running.ended = Some(Err(rustix::io::Errno::from_raw_os_error(errno).to_string()));
                true
            }
            Report::Reaped { pid, status } if running.pid == Some(pid) => {
                running.ended = Some(Ended::from_wait_status(status).ok_or_else(|| "it was stopped".to_owned()));
                true
            }
            _ => false,
        }
    }
}

/// What a command writes, up to a bound.
#[derive(Debug, Default)]
struct Output {
    kept: Vec<u8>,
    cut: bool,
}

/// How often a pipe is read in a row: who writes without end must not keep us here.
const READS: u32 = 64;

impl Output {
    fn drain(&mut self, pipe: &OwnedFd) {
        let mut chunk = [0u8; 64 * 1024];
        for _ in 0..READS {
            let Ok(count @ 1..) = rustix::io::read(pipe, &mut chunk) else { return };
            let room = KEPT.saturating_sub(self.kept.len());
            self.cut |= count > room;
            self.kept.extend_from_slice(chunk.get(..count.min(room)).unwrap_or_default());
        }
    }
}

/// The place for one oracle.
struct Seen<'a, P> {
    session: &'a mut TrialSession<P>,
    commands: &'a [Prepared],
}

impl<P: Place> state::Place for Seen<'_, P> {
    fn open(&self, path: &Path) -> Result<Option<OwnedFd>, String> {
        let path = self.session.cell.actual(&self.session.directory.join(path));
        match open_within(&self.session.cell, &path, OFlags::RDONLY) {
            Ok(file) => Ok(Some(file)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(format!("cannot open {}: {errno}", self.session.cell.shown(&path.to_string_lossy()))),
        }
    }

    fn shown(&self, path: &Path) -> String {
        let whole = self.session.cell.actual(&self.session.directory.join(path));
        self.session.cell.shown(&crate::model::path_text(whole.as_os_str().as_encoded_bytes()))
    }

    fn run(&mut self, command: usize) -> Result<Ran, String> {
        let command = self.commands.get(command).ok_or("[quietus internal bug] the oracle has no such command")?;
        self.session.run_for_oracle(command)
    }

    fn connect(&mut self, address: &Address) -> Result<Stream, String> {
        match address {
            Address::Unix(path) => self.session.connect_to_file(path),
            Address::Tcp { host, port } => self.session.connect_to_port(host, *port),
        }
    }

    fn locked(&self) -> BTreeSet<String> {
        // Before the agent runs there is nobody of it.
        if self.session.started().is_none() {
            return BTreeSet::new();
        }
        let mut processes = self.session.agent_processes(Depth::Descriptors);
        processes.retain(|process| !process.helper);
        exclusively_locked_files(self.session.cell.proc(), &processes)
    }
}
