//! The parent's side of a cell: fork its init and hear whether it stands.

use super::init::{self, Orders};
use super::program::Program;
use super::step::SetupStep;
use super::wire::{Command, Report, SLOTS};
use super::{Slot, child};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, SocketFlags,
    SocketType,
};
use std::cell::RefCell;
use std::ffi::CStr;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};

/// Files of /proc that a root agent could change for the whole host.
pub(super) const SEALED_PROC: &[&CStr] =
    &[c"/proc/sys", c"/proc/sysrq-trigger", c"/proc/irq", c"/proc/bus", c"/proc/fs"];

/// Which namespaces a cell has of its own, besides PID, mount and IPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces {
    /// A user namespace: what lets an ordinary user have the others.
    pub user: bool,
    /// A network with nothing but loopback.
    pub network: bool,
}

/// What is launched.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The namespaces.
    pub namespaces: Namespaces,
    /// How the cell is built.
    pub steps: &'a [SetupStep],
    /// What can be run in it. Streams must lie above descriptor 2.
    pub programs: &'a [Program],
    /// Whether the agent gets a terminal.
    pub terminal: bool,
    /// How many processes there may be.
    pub max_processes: u32,
}

/// Why a cell does not stand.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Namespaces were refused.
    #[error("cannot make the namespaces of the cell: {0}")]
    Namespaces(#[source] Errno),
    /// A step of the set-up failed.
    #[error("cannot build the cell: {what}: {errno}")]
    Step {
        /// Index into the steps; `usize::MAX` for the terminal.
        index: usize,
        /// What the step does.
        what: String,
        /// What the kernel said.
        #[source]
        errno: Errno,
    },
    /// A socket or pipe could not be made or used.
    #[error("cannot talk to the init of the cell: {what}: {errno}")]
    Channel {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        #[source]
        errno: Errno,
    },
    /// The init ended without a word.
    #[error("the init of the cell ended while it was built (was it killed?)")]
    Gone,
}

/// A cell that stands. Dropping it ends every process in it and waits for that.
#[derive(Debug)]
pub struct LaunchedCell {
    socket: OwnedFd,
    init: OwnedFd,
    init_pid: i32,
    ended: bool,
    descriptors: [Option<OwnedFd>; SLOTS],
    /// The socket that came with the last [`Report::Connected`].
    connected: RefCell<Option<OwnedFd>>,
    /// Optional steps that the kernel refused: index and errno.
    pub skipped: Vec<(usize, Errno)>,
}

impl LaunchedCell {
    /// What the init handed over for this slot.
    pub fn descriptor(&self, slot: Slot) -> Option<BorrowedFd<'_>> {
        self.descriptors.get(slot as usize)?.as_ref().map(AsFd::as_fd)
    }

    /// Takes what the init handed over for this slot.
    pub fn take(&mut self, slot: Slot) -> Option<OwnedFd> {
        self.descriptors.get_mut(slot as usize)?.take()
    }

    /// Readable when the init has something to say, or is gone.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Asks something of the init.
    ///
    /// # Errors
    /// When the init is gone.
    pub fn send(&self, command: Command) -> Result<(), Errno> {
        rustix::net::send(&self.socket, &command.to_packet(), SendFlags::NOSIGNAL).map(drop)
    }

    /// The next report, if there is one now. `Err` when the init is gone.
    ///
    /// # Errors
    /// `PIPE` when the init is gone.
    pub fn receive(&self) -> Result<Option<Report>, Errno> {
        let mut packet = [0u8; 16];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        match rustix::net::recvmsg(&self.socket, &mut [IoSliceMut::new(&mut packet)], &mut control, flags) {
            Ok(received) if received.bytes == 0 => Err(Errno::PIPE),
            Ok(received) => {
                let sent = control.drain().find_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                    _ => None,
                });
                if sent.is_some() {
                    *self.connected.borrow_mut() = sent;
                }
                Ok(packet.get(..received.bytes).and_then(Report::from_packet))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Takes the socket that came with the last [`Report::Connected`].
    pub fn take_connected(&self) -> Option<OwnedFd> {
        self.connected.borrow_mut().take()
    }

    /// Ends every process of the cell and waits until none is left.
    ///
    /// A second call does nothing: the pid may have become another process.
    pub fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let _ = super::send_signal(&self.init, libc::SIGKILL);
        let mut status = 0;
        loop {
            // The init is waited for once; by then the kernel has reaped its namespace (pid_namespaces(7)).
            // SAFETY: our own child, waited for by nobody else; the pid stays ours until then.
            let result = unsafe { libc::waitpid(self.init_pid, &raw mut status, libc::__WALL) };
            if result >= 0 || child::errno() != libc::EINTR {
                break;
            }
        }
    }
}

impl Drop for LaunchedCell {
    fn drop(&mut self) {
        self.end();
    }
}

/// Forks the init of a cell and waits until the cell stands.
///
/// # Errors
/// When namespaces are refused or a required step fails; nothing is left then.
pub fn launch(launch: &Launch<'_>) -> Result<LaunchedCell, LaunchError> {
    let channel = |what: &'static str| move |errno: Errno| LaunchError::Channel { what, errno };
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map_err(channel("socketpair"))?;
    let mut keep: Vec<RawFd> =
        launch.programs.iter().flat_map(|p| [p.stdio.stdin, p.stdio.stdout, p.stdio.stderr]).collect();
    debug_assert!(keep.iter().all(|fd| *fd > 2 || *fd == -1), "[quietus internal bug] a stream below 3");
    keep.extend(launch.programs.iter().filter_map(|program| program.hold.as_ref()).map(|hold| hold.gate));
    keep.push(theirs.as_raw_fd());
    keep.retain(|fd| *fd >= 0);
    keep.sort_unstable();
    let orders = Orders {
        socket: theirs.as_raw_fd(),
        keep: &keep,
        steps: launch.steps,
        programs: launch.programs,
        seal: rustix::process::geteuid().is_root(),
        terminal: launch.terminal,
        max_processes: launch.namespaces.user.then_some(launch.max_processes),
        enter: None,
        guarded: None,
        quietus: None,
    };
    let (init_pid, init) = fork_init(launch.namespaces, &orders).map_err(LaunchError::Namespaces)?;
    drop(theirs);
    let mut cell = LaunchedCell {
        socket: ours,
        init,
        init_pid,
        ended: false,
        descriptors: [const { None }; SLOTS],
        connected: RefCell::new(None),
        skipped: Vec::new(),
    };
    await_ready(&mut cell, launch.steps)?;
    Ok(cell)
}

/// clone3(2) with a pidfd; in the child, the init never returns.
fn fork_init(namespaces: Namespaces, orders: &Orders<'_>) -> Result<(i32, OwnedFd), Errno> {
    use std::os::fd::FromRawFd;
    let mut flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_PIDFD;
    if namespaces.user {
        flags |= libc::CLONE_NEWUSER;
    }
    if namespaces.network {
        flags |= libc::CLONE_NEWNET;
    }
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain data.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = u64::from(flags.cast_unsigned());
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child works on a copy of this memory and of
    // this stack, and calls nothing but `init::run`, which keeps the rules of this room.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    match pid {
        0 => init::run(orders),
        pid if pid > 0 => {
            // SAFETY: the kernel has just opened it for us.
            Ok((pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
        _ => Err(Errno::from_raw_os_error(child::errno())),
    }
}

fn await_ready(cell: &mut LaunchedCell, steps: &[SetupStep]) -> Result<(), LaunchError> {
    loop {
        let mut packet = [0u8; 16];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SLOTS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match rustix::net::recvmsg(
                &cell.socket,
                &mut [IoSliceMut::new(&mut packet)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Err(Errno::INTR) => {}
                other => break other.map_err(|errno| LaunchError::Channel { what: "recvmsg", errno })?,
            }
        };
        if received.bytes == 0 || received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(LaunchError::Gone);
        }
        match Report::from_packet(&packet) {
            Some(Report::StepSkipped { step, errno }) => {
                cell.skipped.push((step as usize, Errno::from_raw_os_error(errno)))
            }
            Some(Report::SetupFailed { step, errno }) => {
                let what = steps.get(step as usize).map_or_else(
                    || "open a terminal for the agent, or give up capabilities".to_owned(),
                    ToString::to_string,
                );
                return Err(LaunchError::Step { index: step as usize, what, errno: Errno::from_raw_os_error(errno) });
            }
            Some(Report::Ready { slots }) => {
                let mut sent = control.drain().flat_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
                    _ => Vec::new(),
                });
                for (slot, place) in cell.descriptors.iter_mut().enumerate() {
                    if slots >> slot & 1 == 1 {
                        *place = sent.next();
                    }
                }
                return Ok(());
            }
            _ => return Err(LaunchError::Gone),
        }
    }
}
