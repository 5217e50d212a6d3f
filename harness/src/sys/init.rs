//! The init of a cell: PID 1 of its namespaces. It builds the cell, starts
//! programs, reaps, reports, and takes everything with it when Quietus is gone.

use super::child;
use super::keeper::{self, Guarded};
use super::program::{Program, Role};
use super::step::SetupStep;
use super::wire::{Command, Report, SLOTS};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;

/// Everything the init works from; made before the fork.
pub(super) struct Orders<'a> {
    pub(super) socket: RawFd,
    /// Descriptors to keep, sorted, the socket among them.
    pub(super) keep: &'a [RawFd],
    pub(super) steps: &'a [SetupStep],
    pub(super) programs: &'a [Program],
    /// Whether the agent may be the host's root, so that what the host's root
    /// may write in a new /proc must be sealed.
    pub(super) seal: bool,
    /// Whether to make a terminal for the agent.
    pub(super) terminal: bool,
    /// How many processes its user may have; root is bound by pid_max instead.
    pub(super) max_processes: Option<u32>,
    /// The directory of the cgroup that programs are put into.
    pub(super) enter: Option<RawFd>,
    /// What a keeper removes when Quietus is gone.
    pub(super) guarded: Option<&'a Guarded>,
    /// A pidfd of Quietus: its end is seen even where a stray copy of its end of
    /// the socket lives on.
    pub(super) quietus: Option<RawFd>,
}

/// Why an init or a keeper serves no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// It was told to leave.
    Told,
    /// Quietus is gone.
    Alone,
    /// A system call failed that should not have.
    Failed,
}

/// Runs the init. Never returns.
pub(super) fn run(orders: &Orders<'_>) -> ! {
    child::die_with_parent();
    child::close_all_but(orders.keep);
    occupy_standard_streams();
    child::set_name(c"quietus-init");
    child::reset_signals();
    child::set_mask(&[libc::SIGCHLD]);
    // SAFETY: the socket is among the descriptors kept and stays open for good.
    let socket = unsafe { BorrowedFd::borrow_raw(orders.socket) };
    let mut kept: [RawFd; SLOTS] = [-1; SLOTS];
    let mut shown = true;
    for (index, step) in orders.steps.iter().enumerate() {
        let outcome = step.run(&mut kept);
        // What could not be shown need not be sealed; what is shown must be.
        let optional = step.is_optional() || (matches!(step, SetupStep::ReadOnly { .. }) && !shown);
        shown = outcome.is_ok();
        if let Err(errno) = outcome {
            let (step_index, errno) = (index as u32, errno.raw_os_error());
            if optional {
                say(socket, Report::StepSkipped { step: step_index, errno });
            } else {
                say(socket, Report::SetupFailed { step: step_index, errno });
                child::leave(1);
            }
        }
    }
    let terminal = if orders.terminal {
        match open_terminal(&mut kept) {
            Ok(fd) => Some(fd),
            Err(errno) => {
                say(socket, Report::SetupFailed { step: u32::MAX, errno: errno.raw_os_error() });
                child::leave(1);
            }
        }
    } else {
        None
    };
    child::new_session_keyring();
    if let Err(errno) = child::withhold_capabilities() {
        say(socket, Report::SetupFailed { step: u32::MAX, errno: errno.raw_os_error() });
        child::leave(1);
    }
    if let Some(most) = orders.max_processes {
        child::limit_processes(most);
    }
    hand_over(socket, &mut kept);
    // As PID 1 its end is the end of the cell.
    child::leave(i32::from(serve(socket, orders, terminal) == Served::Failed))
}

/// Takes the numbers 0 to 2, so that no pipe of ours is overwritten when a
/// program gets its streams.
fn occupy_standard_streams() {
    use std::os::fd::IntoRawFd;
    while let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let number = null.into_raw_fd();
        if number > 2 {
            // SAFETY: just opened, and known to nobody else.
            unsafe { libc::close(number) };
            return;
        }
    }
}

/// Makes a terminal in the cell's own devpts; Quietus gets the controlling side.
fn open_terminal(kept: &mut [RawFd; SLOTS]) -> Result<RawFd, Errno> {
    use std::os::fd::IntoRawFd;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let control = rustix::fs::open(c"/dev/ptmx", flags, Mode::empty())?;
    rustix::pty::unlockpt(&control)?;
    // The instance is new, so its first terminal is number 0.
    let agent_side = rustix::fs::open(c"/dev/pts/0", flags, Mode::empty())?;
    rustix::termios::tcsetwinsize(
        &agent_side,
        rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 },
    )?;
    if let Some(place) = kept.get_mut(super::Slot::Terminal as usize) {
        *place = control.into_raw_fd();
    }
    Ok(agent_side.into_raw_fd())
}

pub(super) fn say(socket: BorrowedFd<'_>, report: Report) {
    // A reader that is gone shows as a hang-up of the socket in `serve`.
    let _ = rustix::net::send(socket, &report.to_packet(), SendFlags::NOSIGNAL);
}

/// Sends the kept descriptors and closes them here.
fn hand_over(socket: BorrowedFd<'_>, kept: &mut [RawFd; SLOTS]) {
    let mut mask = 0;
    let mut sent: [MaybeUninit<BorrowedFd<'_>>; SLOTS] = [MaybeUninit::uninit(); SLOTS];
    let mut count = 0;
    for (slot, fd) in kept.iter().enumerate() {
        if *fd >= 0 {
            mask |= 1 << slot;
            // SAFETY: the descriptor was opened by a step and is closed only below.
            sent[count] = MaybeUninit::new(unsafe { BorrowedFd::borrow_raw(*fd) });
            count += 1;
        }
    }
    // SAFETY: the first `count` elements were written above.
    let sent: &[BorrowedFd<'_>] = unsafe { std::slice::from_raw_parts(sent.as_ptr().cast(), count) };
    let packet = Report::Ready { slots: mask }.to_packet();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SLOTS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(sent));
    if rustix::net::sendmsg(socket, &[IoSlice::new(&packet)], &mut control, SendFlags::NOSIGNAL).is_err() {
        child::leave(1);
    }
    for fd in kept.iter_mut().filter(|fd| **fd >= 0) {
        // SAFETY: the descriptor is ours and is not used again.
        unsafe { libc::close(*fd) };
        *fd = -1;
    }
}

/// Reaps and obeys until Quietus is gone or says so.
pub(super) fn serve(socket: BorrowedFd<'_>, orders: &Orders<'_>, terminal: Option<RawFd>) -> Served {
    let Ok(children) = child::child_events() else { return Served::Failed };
    // SAFETY: just opened, never closed.
    let children = unsafe { BorrowedFd::borrow_raw(children) };
    // SAFETY: among the descriptors kept; where there is none the socket stands in for it.
    let quietus = orders.quietus.map_or(socket, |fd| unsafe { BorrowedFd::borrow_raw(fd) });
    loop {
        let mut watched = [
            PollFd::from_borrowed_fd(socket, PollFlags::IN),
            PollFd::from_borrowed_fd(children, PollFlags::IN),
            PollFd::from_borrowed_fd(quietus, PollFlags::IN),
        ];
        match poll(&mut watched, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return Served::Failed,
        }
        let heard = watched[0].revents();
        if orders.quietus.is_some() && !watched[2].revents().is_empty() {
            return Served::Alone;
        }
        if watched[1].revents().contains(PollFlags::IN) {
            // Whoever loses its parent becomes a child of PID 1: no child, no process.
            if drain_and_reap(socket, children) {
                say(socket, Report::Empty);
            }
        }
        if heard.contains(PollFlags::IN) {
            let mut packet = [0u8; 16];
            match rustix::net::recv(socket, &mut packet, RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Served::Alone,
                Ok((length, _)) => match packet.get(..length).and_then(Command::from_packet) {
                    Some(Command::Leave) => return Served::Told,
                    Some(command) => obey(socket, orders, terminal, command),
                    None => {}
                },
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Served::Alone,
                Err(_) => return Served::Failed,
            }
        } else if heard.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Served::Alone;
        }
    }
}

/// Reports every child that has ended; says whether none is left.
fn drain_and_reap(socket: BorrowedFd<'_>, children: BorrowedFd<'_>) -> bool {
    let mut events = [0u8; 1024];
    let _ = rustix::io::read(children, &mut events);
    loop {
        match child::reap() {
            child::Waited::For(pid, status) => say(socket, Report::Reaped { pid, status }),
            child::Waited::Nothing => return false,
            child::Waited::Childless => return true,
        }
    }
}

fn obey(socket: BorrowedFd<'_>, orders: &Orders<'_>, terminal: Option<RawFd>, command: Command) {
    match command {
        // A leader that was waited for leads no group, and its number may be another's.
        Command::KillGroup { group, signal } => {
            let hosted = orders.programs.iter().any(|program| matches!(program.role, Role::Agent { hosted: true, .. }));
            if hosted || child::is_own_child(group) {
                child::kill_group(group, signal);
            }
        }
        Command::EndAll => keeper::end_all(socket, orders.guarded),
        // `serve` leaves by itself, and what is noted is waited for in `start`.
        Command::Noted | Command::Leave => {}
        Command::KillAll { signal } => child::kill_all(signal),
        Command::Connect { port, six } => connect(socket, port, six),
        Command::Run { program: index } => {
            let Some(program) = orders.programs.get(index as usize) else { return };
            match program.role {
                Role::Agent { pid1, hosted: true, terminal: has_terminal } => {
                    start_hosted(socket, orders, index, program, pid1, terminal.filter(|_| has_terminal))
                }
                Role::Agent { pid1, hosted: false, terminal: has_terminal } => {
                    start(socket, orders, index, program, pid1, terminal.filter(|_| has_terminal))
                }
                Role::Helper => start(socket, orders, index, program, false, None),
            }
        }
    }
}

/// Begins a connection to the loopback interface, and hands it over. Who asked waits for
/// it to stand: the init waits for nobody.
fn connect(socket: BorrowedFd<'_>, port: u16, six: bool) {
    let errno = match begin_to_connect(port, six) {
        Ok(made) => match hand_over_one(socket, made.as_fd()) {
            Ok(()) => return,
            Err(errno) => errno,
        },
        Err(errno) => errno,
    };
    say(socket, Report::Connected { errno: errno.raw_os_error() });
}

fn begin_to_connect(port: u16, six: bool) -> Result<OwnedFd, Errno> {
    let family = if six { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let made = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    let begun = if six {
        rustix::net::connect(&made, &SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0))
    } else {
        rustix::net::connect(&made, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    };
    match begun {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(made),
        Err(errno) => Err(errno),
    }
}

fn hand_over_one(socket: BorrowedFd<'_>, made: BorrowedFd<'_>) -> Result<(), Errno> {
    let packet = Report::Connected { errno: 0 }.to_packet();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sent = [made];
    control.push(SendAncillaryMessage::ScmRights(&sent));
    rustix::net::sendmsg(socket, &[IoSlice::new(&packet)], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// Forks, executes, and says how that went.
fn start(
    socket: BorrowedFd<'_>,
    orders: &Orders<'_>,
    index: u32,
    program: &Program,
    pid1: bool,
    terminal: Option<RawFd>,
) {
    let failed = |errno: i32| say(socket, Report::ExecFailed { program: index, errno });
    if let Role::Agent { hosted: false, .. } = program.role {
        // A hosted agent comes after its stub. With the same pids in every trial, what
        // an agent writes of them is the same too.
        child::use_up_pid();
    }
    let (reader, writer) = match rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) {
        Ok(pipe) => pipe,
        Err(errno) => return failed(errno.raw_os_error()),
    };
    match fork_program(orders, pid1) {
        Err(errno) => failed(errno.raw_os_error()),
        Ok(Forked::Program { inside }) => become_or_tell(orders, program, pid1, inside, terminal, &writer),
        Ok(Forked::Parent { pid }) => {
            drop(writer);
            match read_number(&reader) {
                Some(errno) => failed(errno),
                None => {
                    say(socket, Report::Started { program: index, pid });
                    if let Role::Agent { .. } = program.role {
                        await_note(socket, orders);
                    }
                }
            }
        }
    }
}

/// Where a fork returns.
enum Forked {
    /// In the new process, which is inside its cgroup already or not.
    Program {
        inside: bool,
    },
    Parent {
        pid: i32,
    },
}

fn fork_program(orders: &Orders<'_>, pid1: bool) -> Result<Forked, Errno> {
    let inside = orders.enter.map(child::fork_into).and_then(Result::ok);
    let flags = if pid1 { libc::CLONE_NEWPID | libc::CLONE_NEWNS } else { 0 };
    Ok(match inside.map_or_else(|| child::fork(flags), Ok)? {
        0 => Forked::Program { inside: inside.is_some() },
        pid => Forked::Parent { pid },
    })
}

/// In the fork: becomes the program, or says through the pipe why not.
fn become_or_tell(
    orders: &Orders<'_>,
    program: &Program,
    pid1: bool,
    inside: bool,
    terminal: Option<RawFd>,
    writer: &OwnedFd,
) -> ! {
    let ready = if pid1 { mount_own_proc(orders.seal) } else { Ok(()) };
    let enter = orders.enter.filter(|_| !inside);
    let errno = match ready.and_then(|()| enter.map_or(Ok(()), keeper::enter_cgroup)) {
        Ok(()) => child::become_program(program, terminal),
        Err(errno) => errno.raw_os_error(),
    };
    tell(writer, errno);
    child::leave(127)
}

fn tell(writer: &OwnedFd, number: i32) {
    // A reader that is gone has no use for it.
    let _ = rustix::io::write(writer, &number.to_ne_bytes());
}

fn read_number(reader: &OwnedFd) -> Option<i32> {
    let mut bytes = [0u8; 4];
    matches!(rustix::io::read(reader, &mut bytes), Ok(4)).then(|| i32::from_ne_bytes(bytes))
}

/// A PID namespace below the cell's needs its own view of the processes.
fn mount_own_proc(seal: bool) -> Result<(), Errno> {
    rustix::mount::mount(
        c"proc",
        c"/proc",
        c"proc",
        rustix::mount::MountFlags::NOSUID | rustix::mount::MountFlags::NOEXEC | rustix::mount::MountFlags::NODEV,
        None,
    )?;
    if seal {
        for path in super::launch::SEALED_PROC {
            if rustix::mount::mount_bind(*path, *path).is_ok() {
                child::make_read_only(path)?;
            }
        }
    }
    Ok(())
}

/// Starts the program under a stub that is its parent and can be killed: by the
/// program too, and at once. So the init reports, and the program does not run
/// before the init was told its pid.
fn start_hosted(
    socket: BorrowedFd<'_>,
    orders: &Orders<'_>,
    index: u32,
    program: &Program,
    pid1: bool,
    terminal: Option<RawFd>,
) {
    let failed = |errno: i32| say(socket, Report::ExecFailed { program: index, errno });
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC);
    let ((reader, writer), (gate, hold)) = match pipe().and_then(|first| Ok((first, pipe()?))) {
        Ok(pipes) => pipes,
        Err(errno) => return failed(errno.raw_os_error()),
    };
    match child::fork(0) {
        Err(errno) => failed(errno.raw_os_error()),
        Ok(0) => {
            drop(reader);
            drop(hold);
            child::set_name(c"quietus-host");
            host(socket, orders, program, pid1, terminal, writer, &gate)
        }
        Ok(host) => {
            drop(writer);
            drop(gate);
            // Who the host is must be said before the agent runs.
            say(socket, Report::HostStarted { program: index, pid: host });
            tell(&hold, 0);
            // The pid, and after it an errno if the program could not be executed.
            match (read_number(&reader), read_number(&reader)) {
                (Some(pid), None) => {
                    say(socket, Report::Started { program: index, pid });
                    await_note(socket, orders);
                }
                (_, Some(errno)) => failed(errno),
                (None, None) => failed(libc::ESRCH),
            }
        }
    }
}

/// The stub: starts the program, then reaps until it is killed.
fn host(
    socket: BorrowedFd<'_>,
    orders: &Orders<'_>,
    program: &Program,
    pid1: bool,
    terminal: Option<RawFd>,
    writer: OwnedFd,
    gate: &OwnedFd,
) -> ! {
    let Ok((go, hold)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else { child::leave(1) };
    read_number(gate);
    match fork_program(orders, pid1) {
        Err(errno) => {
            tell(&writer, 0);
            tell(&writer, errno.raw_os_error());
            child::leave(1)
        }
        Ok(Forked::Program { inside }) => {
            drop(hold);
            // Its end: the init was told the pid.
            read_number(&go);
            become_or_tell(orders, program, pid1, inside, terminal, &writer)
        }
        Ok(Forked::Parent { pid }) => {
            tell(&writer, pid);
            // Nothing of ours may keep the pipe open when the program runs.
            drop(writer);
            drop(hold);
        }
    }
    let Ok(children) = child::child_events() else { child::leave(1) };
    // SAFETY: just opened, never closed.
    let children = unsafe { BorrowedFd::borrow_raw(children) };
    // Its end: the agent was looked at and may be waited for.
    read_number(gate);
    loop {
        let mut watched = [PollFd::from_borrowed_fd(children, PollFlags::IN)];
        let _ = poll(&mut watched, None);
        tell_and_reap(socket, children);
    }
}

/// Reports every child that has ended, and only then waits for it: a host can be
/// killed in between, and an end that was waited for but not reported would be lost.
/// One that was reported and not waited for is reported by the init again.
fn tell_and_reap(socket: BorrowedFd<'_>, children: BorrowedFd<'_>) {
    let mut events = [0u8; 1024];
    let _ = rustix::io::read(children, &mut events);
    while let Some((pid, status)) = child::look_at_ended() {
        say(socket, Report::Reaped { pid, status });
        child::wait_for(pid);
    }
}

/// Waits until Quietus has looked at the agent it was told of. An agent that
/// ends at once would otherwise be reaped, and its pid free, before that.
fn await_note(socket: BorrowedFd<'_>, orders: &Orders<'_>) {
    // SAFETY: as in `serve`.
    let quietus = orders.quietus.map_or(socket, |fd| unsafe { BorrowedFd::borrow_raw(fd) });
    let mut watched =
        [PollFd::from_borrowed_fd(socket, PollFlags::IN), PollFd::from_borrowed_fd(quietus, PollFlags::IN)];
    while let Err(Errno::INTR) = poll(&mut watched, None) {}
    let mut packet = [0u8; 16];
    let peeked = rustix::net::recv(socket, &mut packet, RecvFlags::DONTWAIT | RecvFlags::PEEK);
    // Anything else is for `serve`: Quietus has given up on this agent.
    if peeked.is_ok_and(|(length, _)| packet.get(..length).and_then(Command::from_packet) == Some(Command::Noted)) {
        let _ = rustix::net::recv(socket, &mut packet, RecvFlags::DONTWAIT);
    }
}
