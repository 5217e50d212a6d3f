//! One trial in its place: a single loop over everything that can happen.

use super::neighbours::Neighbours;
use super::open::AGENT;
use super::output::OutputFollower;
use super::place::Place;
use super::recover::{Earlier, Second};
use super::roles::Roles;
use super::services::Services;
use super::states::{Asked, Running};
use super::streams::Streams;
use crate::cell::{FileWatch, Modes, ScreenScanner};
use crate::driver::tracer::{News, Release, Tracer};
use crate::driver::{Action, DriverError, Event, Evidence, Interrupt, Reaped, Request, Session, Timer};
use crate::model::{Ended, IpcObject, Point, PointSpec, ProcessId, Step};
use crate::sys::{Command, Report};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often what the kernel has no event for is looked at: ports, process
/// names, predicates, idleness.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How many reports of the init are taken before timers and streams have their
/// turn: an agent can make more of them than can be read.
const REPORTS_AT_ONCE: usize = 256;
/// How many ended processes are remembered.
const REAPED: usize = 50_000;

/// The point that is waited for.
#[derive(Debug)]
pub(super) struct Armed {
    pub(super) op: usize,
    pub(super) spec: PointSpec,
    pub(super) wait: Waiting,
}

/// What waiting for it takes.
#[derive(Debug)]
pub(super) enum Waiting {
    Until(Instant),
    Lines {
        pattern: String,
        count: u32,
    },
    Files(FileWatch),
    Looks(super::observe::Looking),
    /// The tracer says when.
    Tracer,
}

/// A process that Quietus started, by a descriptor that stays its own.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: i32,
    pub(super) directory: OwnedFd,
}

pub(in crate::driver) struct TrialSession<P> {
    /// Before the cell: whoever is held must be let go before the cell can end.
    pub(super) tracer: Option<Tracer>,
    /// How many of the tracer's aims were waited for.
    aimed: usize,
    /// When whoever is held goes on, once something was done.
    pub(super) go_on: Option<Release>,
    /// The agent runs, but the tracer has not yet got hold of it.
    unheld: bool,
    /// Whether nothing is to be done to the agent.
    undisturbed: bool,
    pub(super) cell: P,
    pub(super) streams: Streams,
    pub(super) terminal: bool,
    pub(super) predicates: Vec<(String, u32)>,
    pub(super) predicate_pid: Option<i32>,
    /// The agent's pid, from its start on.
    pub(super) leader_pid: Option<i32>,
    /// The agent by its descriptor; none if it ended before it could be opened.
    pub(super) leader: Option<Started>,
    pub(super) host: Option<Started>,
    /// Whether it has or had a host.
    hosted: bool,
    pub(super) helpers: BTreeSet<ProcessId>,
    pub(super) roles: Roles,
    pub(super) evidence: Evidence,
    pub(super) armed: Option<Armed>,
    pub(super) follower: OutputFollower,
    pub(super) screen: ScreenScanner,
    pub(super) modes: Option<Modes>,
    pub(super) directory: PathBuf,
    pub(super) delivered: bool,
    /// Whether its standard input is a file, opened in the cell.
    input_file: bool,
    /// What helpers write; none once nobody can write to it.
    helper_output: Option<OwnedFd>,
    ipc_before: Vec<IpcObject>,
    started: Option<Instant>,
    queue: VecDeque<Event>,
    timers: BTreeMap<Timer, Instant>,
    await_quiet: bool,
    /// Whether the init has said that nobody but itself is left.
    empty: bool,
    interrupt: Interrupt,
    failed: Option<DriverError>,
    /// Which of the programs is the agent: its first start, or its second.
    pub(super) agent: u32,
    /// The servers that run beside the agent.
    pub(super) services: Services,
    /// Those of their processes that are stopped.
    pub(super) stalled: BTreeSet<ProcessId>,
    /// Who reads the states.
    pub(super) asked: Vec<Asked>,
    /// A command of theirs.
    pub(super) running: Option<Running>,
    /// A connection of theirs that the init is to make, and what became of it: an errno.
    pub(super) connecting: Option<Option<i32>>,
    /// The agent's second start, while that is to come.
    pub(super) second: Option<Second>,
    /// What was seen before its second start.
    pub(super) earlier: Option<Earlier>,
    /// Who takes time from it, where its timing is to be disturbed.
    pub(super) neighbours: Option<Neighbours>,
}

impl<P: Place> TrialSession<P> {
    pub(super) fn new(
        cell: P,
        request: &Request,
        streams: Streams,
        predicates: Vec<(String, u32)>,
        helper_output: OwnedFd,
        terminal: bool,
    ) -> Self {
        let modes = if terminal { streams.outputs[0].as_ref().and_then(Modes::of) } else { None };
        let evidence = Evidence {
            output_pipes: streams.names.clone(),
            pid1: request.plan.pid1,
            temporary: cell.temporary(&request.environment),
            gaps: cell.gaps(),
            ..Evidence::default()
        };
        Self {
            tracer: None,
            aimed: 0,
            go_on: None,
            unheld: false,
            undisturbed: request.plan.acts.is_empty(),
            cell,
            streams,
            terminal,
            predicates,
            predicate_pid: None,
            leader_pid: None,
            leader: None,
            host: None,
            hosted: request.plan.acts.iter().any(|act| act.send.has(&Step::ParentDeath)),
            helpers: BTreeSet::new(),
            roles: Roles::default(),
            evidence,
            armed: None,
            neighbours: None,
            follower: OutputFollower::new(&request.plan, &request.keep),
            screen: ScreenScanner::default(),
            modes,
            directory: request.directory.clone(),
            delivered: false,
            input_file: matches!(request.plan.stdin, crate::model::Stdin::File(_)),
            helper_output: Some(helper_output),
            ipc_before: Vec::new(),
            started: None,
            queue: VecDeque::new(),
            timers: BTreeMap::new(),
            await_quiet: false,
            empty: false,
            interrupt: request.interrupt.clone(),
            failed: None,
            agent: AGENT,
            services: Services::default(),
            stalled: BTreeSet::new(),
            asked: Vec::new(),
            running: None,
            connecting: None,
            second: None,
            earlier: None,
        }
    }

    pub(super) fn say(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    fn arm(&mut self, op: usize, spec: &PointSpec) -> Result<(), DriverError> {
        let now = Instant::now();
        let wait = match &spec.point {
            // `start` is over by the time anything can be armed.
            Point::Start => Waiting::Until(now),
            Point::Time(span) => {
                let from = if spec.relative { now } else { self.started.unwrap_or(now) };
                Waiting::Until(from + *span)
            }
            Point::Output { pattern, nth } => {
                let before = if spec.relative { self.follower.seen(pattern) } else { 0 };
                Waiting::Lines { pattern: pattern.clone(), count: before.saturating_add(*nth) }
            }
            Point::File { glob, size } => {
                let watch = self
                    .cell
                    .watch(&self.directory, glob, *size)
                    .map_err(|error| DriverError::System { what: "watch for a file", why: error.to_string() })?;
                Waiting::Files(watch)
            }
            Point::Syscall(_) => {
                if let Some(tracer) = &mut self.tracer {
                    tracer.want(op, self.aimed);
                }
                self.aimed += 1;
                Waiting::Tracer
            }
            Point::Port(_) | Point::Process { .. } | Point::When(_) | Point::Idle | Point::Blocked { .. } => {
                Waiting::Looks(super::observe::Looking::default())
            }
        };
        self.armed = Some(Armed { op, spec: spec.clone(), wait });
        Ok(())
    }

    /// The agent ended before the point was armed, and its end waits in the
    /// queue: only what it wrote or made can still count, and that came first.
    fn arm_late(&mut self) {
        if matches!(self.armed, Some(Armed { wait: Waiting::Lines { .. } | Waiting::Files(_), .. })) {
            let before = self.queue.len();
            self.check_armed();
            if self.queue.len() > before {
                self.queue.rotate_right(1);
            }
        }
        self.armed = None;
    }

    /// Whether the armed point is reached now.
    fn check_armed(&mut self) {
        if self.leader_pid.is_none() {
            return;
        }
        let Some(mut armed) = self.armed.take() else { return };
        let reached = match &mut armed.wait {
            Waiting::Until(deadline) => Instant::now() >= *deadline,
            Waiting::Lines { pattern, count } => self.follower.seen(pattern) >= *count,
            Waiting::Files(watch) => watch.matches(),
            Waiting::Looks(looking) => self.look_for(&armed.spec, looking),
            Waiting::Tracer => false,
        };
        if reached {
            self.say(Event::Reached(armed.op));
        } else {
            self.armed = Some(armed);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let now = Instant::now();
        let timers = self.timers.values().copied();
        let armed = self.armed.as_ref().filter(|_| self.leader_pid.is_some()).and_then(|armed| match &armed.wait {
            Waiting::Until(deadline) => Some(*deadline),
            Waiting::Looks(_) => Some(now + LOOK_EVERY),
            _ => None,
        });
        timers.chain(armed).min().map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Waits until something can be read or a deadline passes.
    fn wait(&self) -> [bool; 2] {
        let emptied = self.cell.emptied().filter(|_| self.await_quiet);
        let mut watched = vec![
            PollFd::from_borrowed_fd(self.cell.socket(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.interrupt.event(), PollFlags::IN),
        ];
        for output in self.streams.outputs.iter().flatten() {
            watched.push(PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN));
        }
        if let Some(output) = &self.helper_output {
            watched.push(PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN));
        }
        if let Some(input) = self.streams.input.as_ref().filter(|_| !self.streams.pending.is_empty()) {
            watched.push(PollFd::from_borrowed_fd(input.as_fd(), PollFlags::OUT));
        }
        if let Some(Armed { wait: Waiting::Files(files), .. }) = &self.armed {
            watched.push(PollFd::from_borrowed_fd(files.events(), PollFlags::IN));
        }
        if let Some(tracer) = &self.tracer {
            watched.push(PollFd::from_borrowed_fd(tracer.events(), PollFlags::IN));
        }
        let emptied = emptied.map(|fd| {
            watched.push(PollFd::from_borrowed_fd(fd, PollFlags::PRI));
            (fd, watched.len() - 1)
        });
        // Rounded up, so that a deadline has passed when the wait is over.
        let timeout =
            self.timeout().map(|span| span + Duration::from_micros(50)).and_then(|span| Timespec::try_from(span).ok());
        let _ = poll(&mut watched, timeout.as_ref());
        let emptied = emptied.is_some_and(|(fd, index)| {
            let told = watched.get(index).is_some_and(|fd| !fd.revents().is_empty());
            // Reading it takes the news.
            told && rustix::io::pread(fd, &mut [0u8; 128], 0).is_ok()
        });
        [!watched[0].revents().is_empty(), emptied]
    }

    /// Lets everything that is due become events.
    fn gather(&mut self) {
        if self.interrupt.is_raised() {
            self.say(Event::Interrupted);
            return;
        }
        let [socket, emptied] = self.wait();
        self.read_outputs();
        self.write_input();
        self.drain_helpers();
        if let Some(earlier) = &self.earlier {
            earlier.drain();
        }
        self.hear_tracer();
        if socket {
            self.hear();
        }
        if emptied {
            self.check_quiet();
        }
        self.check_armed();
        let now = Instant::now();
        let due: Vec<Timer> =
            self.timers.iter().filter(|(_, deadline)| **deadline <= now).map(|(timer, _)| *timer).collect();
        for timer in due {
            self.timers.remove(&timer);
            self.say(Event::Timer(timer));
        }
    }

    fn hear_tracer(&mut self) {
        for news in self.tracer.as_mut().map(Tracer::news).unwrap_or_default() {
            match news {
                News::Executed => {
                    // Nobody waits for a point of an undisturbed agent.
                    if self.undisturbed {
                        self.go_on = Some(Release::AtOnce);
                    }
                    if std::mem::take(&mut self.unheld) {
                        self.say(Event::Started);
                    }
                }
                News::Held(op) => {
                    if self.armed.take().is_some() {
                        self.say(Event::Reached(op));
                    } else {
                        // The agent ended first, or was killed, and somebody came to the point.
                        // No event follows from that, so it is let go here.
                        self.go_on = Some(Release::AtOnce);
                        self.release();
                    }
                }
                // Not held at its start, an agent is terminated a moment later.
                News::Lost(_) if self.tracer.as_ref().is_some_and(|tracer| !tracer.is_needed()) => {
                    self.tracer = None;
                    if std::mem::take(&mut self.unheld) {
                        self.say(Event::Started);
                    }
                }
                News::Lost(why) => self.say(Event::Lost(why)),
            }
        }
    }

    /// Lets the one who is held go on, now that all is done and the next point is
    /// waited for; after a signal, once the agent has got it.
    fn release(&mut self) {
        if let (Some(how), Some(tracer)) = (self.go_on.take(), &mut self.tracer) {
            tracer.release(how);
        }
    }

    fn drain_helpers(&mut self) {
        let mut chunk = [0u8; 4096];
        while let Some(output) = &self.helper_output {
            match rustix::io::read(output, &mut chunk) {
                Ok(1..) => {}
                // At its end a pipe is always readable: watching it further would be a busy loop.
                Ok(0) => self.helper_output = None,
                Err(_) => return,
            }
        }
    }

    pub(super) fn read_outputs(&mut self) {
        let at = self.now();
        let mut chunk = vec![0u8; 64 * 1024];
        for stream in 0..2 {
            // Bounded, so that an agent that never stops writing cannot keep the loop here.
            for _ in 0..16 {
                let Some(output) = self.streams.outputs.get(stream).and_then(Option::as_ref) else { break };
                match rustix::io::read(output, &mut chunk) {
                    Ok(count @ 1..) => {
                        let bytes = chunk.get(..count).unwrap_or_default();
                        self.follower.feed(stream, bytes, at);
                        if self.terminal {
                            self.screen.feed(bytes);
                        }
                    }
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(_) if !self.terminal => {
                        // Nobody can write to it any more, and at its end a pipe is always readable.
                        if let Some(place) = self.streams.outputs.get_mut(stream) {
                            *place = None;
                        }
                        break;
                    }
                    _ => break,
                }
            }
        }
    }

    fn write_input(&mut self) {
        let Some(input) = &self.streams.input else { return };
        match rustix::io::write(input, &self.streams.pending) {
            Ok(count) => {
                self.streams.pending.drain(..count);
            }
            Err(rustix::io::Errno::PIPE) => self.streams.pending.clear(),
            Err(_) => {}
        }
        if self.streams.pending.is_empty() && self.streams.close_after {
            self.streams.input = None;
        }
    }

    /// Takes what the init says.
    fn hear(&mut self) {
        if self.hear_reports() {
            self.say(Event::Lost(
                "the init of the trial ended: was it killed by the system for want of memory?".to_owned(),
            ));
            return;
        }
        self.check_quiet();
    }

    /// Takes what the init says; says whether it is gone.
    pub(super) fn hear_reports(&mut self) -> bool {
        for _ in 0..REPORTS_AT_ONCE {
            match self.cell.receive() {
                Ok(None) => break,
                Ok(Some(report)) => self.heard(report),
                Err(_) => return true,
            }
        }
        false
    }

    fn heard(&mut self, report: Report) {
        self.empty = match report {
            Report::Empty => true,
            Report::Started { .. } | Report::HostStarted { .. } => false,
            _ => self.empty,
        };
        if let Some(why) = self.services.ended(&self.cell, &report) {
            self.say(Event::Lost(why.to_string()));
            return;
        }
        if self.is_of_oracle(&report) || self.is_of_connection(&report) {
            return;
        }
        match report {
            Report::Started { program, pid } if program == self.agent => self.agent_started(pid),
            Report::Started { pid, .. } => {
                self.predicate_pid = Some(pid);
                if let Some(record) =
                    self.cell.processes(crate::cell::Depth::Processes).into_iter().find(|record| record.id.pid == pid)
                {
                    self.helpers.insert(record.id);
                }
            }
            Report::HostStarted { pid, .. } => {
                self.host =
                    crate::cell::open_process(self.cell.proc(), pid).ok().map(|directory| Started { pid, directory });
            }
            Report::ExecFailed { program, errno } if program == self.agent && self.earlier.is_some() => {
                // It cannot be started again: it may have removed what it is run from.
                let why = rustix::io::Errno::from_raw_os_error(errno);
                self.follower.feed(1, format!("it cannot be executed: {why}\n").as_bytes(), Duration::ZERO);
                self.evidence.ended = Some(Ended::Exited(127));
                self.say(Event::Started);
                self.say(Event::LeaderEnded(Ended::Exited(127)));
            }
            Report::ExecFailed { program, errno } if program == self.agent => {
                let why = match rustix::io::Errno::from_raw_os_error(errno) {
                    rustix::io::Errno::NOEXEC => {
                        "it is no program the kernel can run: a script needs a first line such as #!/bin/sh".to_owned()
                    }
                    errno => errno.to_string(),
                };
                let what = if self.input_file {
                    "the agent cannot be executed, or its standard input not be opened"
                } else {
                    "the agent cannot be executed"
                };
                self.failed = Some(DriverError::Command { what: what.to_owned(), why });
            }
            Report::Reaped { pid, status } => self.reaped(pid, status),
            _ => {}
        }
    }

    fn agent_started(&mut self, pid: i32) {
        self.started = Some(Instant::now());
        self.leader_pid = Some(pid);
        // An agent can have ended by now; that it was reaped is the next message then.
        if let Ok(directory) = crate::cell::open_process(self.cell.proc(), pid) {
            if let Some(record) = crate::cell::look_at(self.cell.proc(), pid, crate::cell::Depth::Processes) {
                self.roles.leader(record.id);
                self.evidence.leader = Some(record.id);
            }
            self.leader = Some(Started { pid, directory });
        }
        // From here on its pid may be free again.
        let _ = self.cell.send(Command::Noted);
        if self.tracer.as_ref().is_some_and(|tracer| !tracer.has_executed()) {
            self.unheld = true;
        } else {
            self.say(Event::Started);
        }
    }

    fn reaped(&mut self, pid: i32, status: i32) {
        let Some(ended) = Ended::from_wait_status(status) else { return };
        let at = self.now();
        if self.leader_pid == Some(pid) && self.evidence.ended.is_none() {
            self.read_outputs();
            // What it wrote before it ended may hold the line that is waited for.
            self.check_armed();
            self.armed = None;
            if std::mem::take(&mut self.unheld) {
                self.say(Event::Started);
            }
            (self.evidence.ended, self.evidence.ended_at) = (Some(ended), Some(at));
            self.end_stalls();
            self.say(Event::LeaderEnded(ended));
        } else if self.leader_pid == Some(pid) && self.hosted {
            // Its host was killed before it could wait for it: the init tells again.
        } else if self.predicate_pid == Some(pid) {
            self.predicate_pid = None;
            self.predicate_ended(ended);
        } else if self.host.as_ref().is_some_and(|host| host.pid == pid) {
            self.host = None;
        } else if self.started.is_some() && self.evidence.reaped.len() < REAPED {
            self.evidence.reaped.push(Reaped { pid, ended, at });
        }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_raised()
    }

    pub(super) fn interrupt_event(&self) -> BorrowedFd<'_> {
        self.interrupt.event()
    }

    pub(super) fn started(&self) -> Option<Instant> {
        self.started
    }

    /// Forgets the course of the first start.
    pub(super) fn forget(&mut self, undisturbed: bool) {
        (self.aimed, self.go_on, self.unheld, self.undisturbed) = (0, None, false, undisturbed);
        (self.predicate_pid, self.leader_pid, self.leader, self.host) = (None, None, None, None);
        (self.hosted, self.delivered, self.await_quiet, self.empty) = (false, false, false, false);
        (self.armed, self.started) = (None, None);
        // That the place is gone stays true.
        self.queue.retain(|event| matches!(event, Event::Lost(_)));
        self.timers.clear();
    }

    /// Takes down all that is not read from files and states.
    pub(super) fn conclude(&mut self) {
        self.end_stalls();
        self.read_outputs();
        self.evidence.ipc = self.cell.ipc().into_iter().filter(|object| !self.ipc_before.contains(object)).collect();
        if let Some(terminal) = self.streams.outputs[0].as_ref().filter(|_| self.terminal) {
            self.evidence.terminal = Some(crate::cell::terminal_state(self.modes.as_ref(), terminal, &self.screen));
        }
        self.evidence.delivered = self.delivered;
        if let Some(tracer) = &mut self.tracer {
            tracer.let_go();
            self.evidence.failed = tracer.failed();
        }
    }

    /// Whether processes of ours are in the cell too, so that it is never empty.
    fn has_company(&self) -> bool {
        self.host.is_some() || self.predicate_pid.is_some() || !self.helpers.is_empty()
    }

    fn sees_agent(&self) -> bool {
        self.agent_processes(crate::cell::Depth::Processes)
            .iter()
            .any(|process| !process.is_zombie() && !process.helper)
    }

    /// No listing can say for sure that nobody is there: a process that forks and
    /// ends, again and again, is in none. The init can, as long as it is alone.
    fn check_quiet(&mut self) {
        if self.await_quiet
            && self.evidence.ended.is_some()
            && (self.empty || ((self.has_company() || !self.cell.tells_when_empty()) && !self.sees_agent()))
        {
            self.await_quiet = false;
            self.say(Event::Quiet);
        }
    }

    /// Whether the init would say that nobody else is left, and has not.
    pub(super) fn is_not_known_to_be_empty(&self) -> bool {
        let told = self.empty || !self.cell.tells_when_empty();
        !told && self.evidence.ended.is_some() && !self.has_company()
    }

    /// Stops everything in the cell if somebody is there whom the listing just
    /// made does not show. What was stopped must be continued.
    pub(super) fn stop_what_is_elusive(&mut self) -> bool {
        if !self.is_not_known_to_be_empty() {
            return false;
        }
        let _ = self.cell.send(Command::KillAll { signal: libc::SIGSTOP });
        for _ in 0..ELUSIVE_LOOKS {
            let mut watched = [PollFd::from_borrowed_fd(self.cell.socket(), PollFlags::IN)];
            let _ = poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
            self.hear();
            let alive: Vec<char> = self
                .agent_processes(crate::cell::Depth::Processes)
                .iter()
                .filter(|process| !process.is_zombie())
                .map(|process| process.state)
                .collect();
            if self.empty || (!alive.is_empty() && alive.iter().all(|state| matches!(state, 'T' | 't'))) {
                break;
            }
        }
        true
    }

    pub(super) fn continue_all(&self) {
        let _ = self.cell.send(Command::KillAll { signal: libc::SIGCONT });
    }
}

/// How often one who is stopped is looked for: the signal takes effect when a
/// process next leaves the kernel.
const ELUSIVE_LOOKS: u32 = 500;

impl<P: Place> Session for TrialSession<P> {
    fn perform(&mut self, action: &Action) -> Result<(), DriverError> {
        match action {
            Action::Start => {
                self.helpers =
                    self.cell.processes(crate::cell::Depth::Processes).iter().map(|process| process.id).collect();
                self.ipc_before = self.cell.ipc();
                self.cell.send(Command::Run { program: self.agent }).map_err(DriverError::system("start the agent"))?;
            }
            Action::Arm { op, spec } => {
                self.arm(*op, spec)?;
                // Who is held, at the start or at the point before, goes on to this one.
                self.go_on.get_or_insert(Release::AtOnce);
                if self.evidence.ended.is_some() {
                    self.arm_late();
                } else {
                    self.check_armed();
                }
            }
            Action::SetTimer(timer, span) => {
                self.timers.insert(*timer, Instant::now() + *span);
            }
            Action::Inject(step) => self.inject(step),
            Action::KillLeader => self.kill_leader(),
            Action::Census(occasion) => self.census(*occasion),
            Action::AwaitQuiet => {
                self.await_quiet = true;
                self.check_quiet();
            }
        }
        Ok(())
    }

    fn next_event(&mut self) -> Result<Event, DriverError> {
        self.release();
        loop {
            if let Some(failed) = self.failed.take() {
                return Err(failed);
            }
            if let Some(event) = self.queue.pop_front() {
                return Ok(event);
            }
            self.gather();
        }
    }

    fn now(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }

    fn again(&mut self) -> Result<(), DriverError> {
        self.start_over()
    }

    fn finish(mut self: Box<Self>) -> Result<Evidence, DriverError> {
        self.conclude();
        let end = self.now();
        // Before anybody reads states: commands may write files.
        let listed = (!self.asked.is_empty()).then(|| self.cell.look_at_files());
        self.evidence.after = self.read_states();
        let files = self.cell.end();
        self.evidence.files = match listed {
            Some(mut listed) => {
                listed.unread.extend(
                    files.unread.into_iter().filter(|unread| !listed.unread.contains(unread)).collect::<Vec<_>>(),
                );
                listed
            }
            None => files,
        };
        self.evidence.gaps = self.cell.gaps();
        if let Some(tracer) = self.tracer.take() {
            (self.evidence.recording, self.evidence.at_exit) = tracer.join(self.started, end);
        }
        self.evidence.output = self.follower.into_tail();
        Ok(match self.earlier {
            Some(earlier) => earlier.with(self.evidence),
            None => self.evidence,
        })
    }
}
