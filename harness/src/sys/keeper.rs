//! The keeper of a portable trial: a small process between Quietus and the
//! agent. It starts programs, inherits and reaps every orphan (it is their
//! subreaper), reports over the same wire as the init of a cell, and when
//! Quietus is gone ends every process and removes the trial's directory.
//!
//! Failed ideas: Quietus itself as the subreaper would reap the other children
//! of a caller that uses it as a library. PR_SET_PDEATHSIG, which the init of a
//! cell uses, would end the keeper before it could clean up; it looks at the
//! socket and at a pidfd of Quietus instead.

use super::child::{self, Waited};
use super::init::{Orders, Served, say, serve};
use super::program::Program;
use super::remove::{numbers_below, remove_groups, remove_tree};
use super::wire::{Command, Report};
use rustix::event::{Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use rustix::process::PidfdFlags;
use std::ffi::{CStr, CString};

/// What must not outlive Quietus. Neither has to exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// The directory of the trial.
    pub directory: CString,
    /// The cgroup of the trial.
    pub cgroup: Option<CString>,
}

/// What a keeper is to do.
#[derive(Debug)]
pub struct Keep<'a> {
    /// What can be run. Streams must lie above descriptor 2.
    pub programs: &'a [Program],
    /// Where programs run.
    pub directory: &'a CStr,
    /// The agent's side of a terminal.
    pub terminal: Option<BorrowedFd<'a>>,
    /// The directory of the cgroup of the trial.
    pub enter: Option<BorrowedFd<'a>>,
    /// How many processes and threads this user may have from then on.
    pub max_processes: Option<u32>,
    /// What it removes in the end.
    pub guarded: &'a Guarded,
}

/// Why there is no keeper.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {errno}")]
pub struct KeepError {
    /// What was tried.
    pub what: &'static str,
    /// What the kernel said.
    pub errno: Errno,
}

/// A keeper at work. Dropping it ends every process it knows, removes what it
/// guards, and waits for that.
#[derive(Debug)]
pub struct Keeper {
    socket: OwnedFd,
    pid: i32,
    ended: bool,
}

impl Keeper {
    /// Starts a keeper.
    ///
    /// # Errors
    /// When no process or socket can be had, or `directory` cannot be entered.
    pub fn start(keep: &Keep<'_>) -> Result<Self, KeepError> {
        let failed = |what: &'static str| move |errno: Errno| KeepError { what, errno };
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(failed("make a socket for the keeper of the trial"))?;
        // Where pidfds are refused the socket alone tells that Quietus is gone.
        let quietus = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok();
        let mut kept: Vec<RawFd> =
            keep.programs.iter().flat_map(|p| [p.stdio.stdin, p.stdio.stdout, p.stdio.stderr]).collect();
        kept.extend([keep.terminal, keep.enter].into_iter().flatten().map(|fd| fd.as_raw_fd()));
        kept.extend(quietus.as_ref().map(AsRawFd::as_raw_fd));
        kept.push(theirs.as_raw_fd());
        kept.retain(|fd| *fd >= 0);
        kept.sort_unstable();
        let orders = Orders {
            socket: theirs.as_raw_fd(),
            keep: &kept,
            steps: &[],
            programs: keep.programs,
            seal: false,
            terminal: false,
            max_processes: None,
            enter: keep.enter.map(|fd| fd.as_raw_fd()),
            guarded: Some(keep.guarded),
            quietus: quietus.as_ref().map(AsRawFd::as_raw_fd),
        };
        match child::fork(0) {
            Err(errno) => Err(failed("fork the keeper of the trial")(errno)),
            Ok(0) => run(&orders, keep),
            Ok(pid) => {
                drop(theirs);
                let keeper = Self { socket: ours, pid, ended: false };
                match keeper.await_report() {
                    Some(Report::Ready { .. }) => Ok(keeper),
                    Some(Report::SetupFailed { errno, .. }) => {
                        Err(failed("set up the keeper of the trial")(Errno::from_raw_os_error(errno)))
                    }
                    _ => Err(failed("start the keeper of the trial: it ended at once (was it killed?)")(Errno::PIPE)),
                }
            }
        }
    }

    /// Its pid: nobody else waits for it, so it stays its own.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when it has something to say, or is gone.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Asks something of it.
    ///
    /// # Errors
    /// When it is gone.
    pub fn send(&self, command: Command) -> Result<(), Errno> {
        rustix::net::send(&self.socket, &command.to_packet(), SendFlags::NOSIGNAL).map(drop)
    }

    /// The next report, if there is one now.
    ///
    /// # Errors
    /// `PIPE` when it is gone.
    pub fn receive(&self) -> Result<Option<Report>, Errno> {
        self.receive_with(RecvFlags::DONTWAIT)
    }

    fn receive_with(&self, flags: RecvFlags) -> Result<Option<Report>, Errno> {
        let mut packet = [0u8; 16];
        match rustix::net::recv(&self.socket, &mut packet, flags) {
            Ok((0, _)) => Err(Errno::PIPE),
            Ok((length, _)) => Ok(packet.get(..length).and_then(Report::from_packet)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn await_report(&self) -> Option<Report> {
        loop {
            match self.receive_with(RecvFlags::empty()) {
                Ok(None) => {}
                Ok(report) => return report,
                Err(_) => return None,
            }
        }
    }

    /// Ends every process of the trial and waits until none is left. Gives the
    /// number of those that may not be signalled, or `None` when the keeper
    /// itself was killed.
    pub fn end_all(&self) -> Option<u32> {
        self.send(Command::EndAll).ok()?;
        loop {
            match self.await_report()? {
                Report::AllEnded { left } => return Some(left),
                _ => continue,
            }
        }
    }

    /// Lets it go without cleaning up: another keeper has taken over.
    pub fn dismiss(self) {
        let _ = self.send(Command::Leave);
    }

    /// Lets it clean up and says whether that is complete.
    pub fn close(mut self) -> bool {
        self.wait() == Some(0)
    }

    fn wait(&mut self) -> Option<i32> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        // Not only closed: another fork of this process may hold a copy for a moment.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        child::wait_for(self.pid)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Runs the keeper. Never returns.
fn run(orders: &Orders<'_>, keep: &Keep<'_>) -> ! {
    // First of all, so that neither Ctrl-C nor a kill of the group ends what cleans up.
    child::block_signals();
    child::own_session();
    child::close_all_but(orders.keep);
    child::set_name(c"quietus-keeper");
    child::default_actions();
    // SAFETY: the socket is among the descriptors kept and stays open for good.
    let socket = unsafe { BorrowedFd::borrow_raw(orders.socket) };
    let ready = super::become_subreaper().and_then(|()| rustix::process::chdir(keep.directory));
    if let Err(errno) = ready {
        say(socket, Report::SetupFailed { step: 0, errno: errno.raw_os_error() });
        child::leave(1);
    }
    if let Some(most) = keep.max_processes {
        child::limit_processes(most);
    }
    say(socket, Report::Ready { slots: 0 });
    let served = serve(socket, orders, keep.terminal.map(|fd| fd.as_raw_fd()));
    if served == Served::Told {
        child::leave(0);
    }
    end_all(socket, orders.guarded);
    // The directory it stands in is about to go.
    let _ = rustix::process::chdir(c"/");
    let groups = keep.guarded.cgroup.as_deref().map_or(Ok(()), remove_groups);
    let tree = remove_tree(&keep.guarded.directory);
    child::leave(i32::from(groups.and(tree).is_err()));
}

/// Moves the calling process into the cgroup with this directory.
pub(super) fn enter_cgroup(directory: RawFd) -> Result<(), Errno> {
    // SAFETY: opened by the caller of the keeper and open for good.
    let directory = unsafe { BorrowedFd::borrow_raw(directory) };
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let procs = rustix::fs::openat(directory, c"cgroup.procs", flags, Mode::empty())?;
    rustix::io::write(&procs, b"0").map(drop)
}

/// Whether this user may put processes into the cgroup with this directory.
///
/// # Errors
/// What the kernel said to a child that tried.
pub fn may_enter_cgroup(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    match child::fork(0)? {
        0 => {
            let errno = enter_cgroup(directory.as_raw_fd()).map_or_else(Errno::raw_os_error, |()| 0);
            child::leave(errno & 0xff)
        }
        pid => match child::wait_for(pid) {
            Some(0) => Ok(()),
            Some(status) if status & 0x7f == 0 => Err(Errno::from_raw_os_error((status >> 8) & 0xff)),
            _ => Err(Errno::CHILD),
        },
    }
}

/// Ends every process below this one and waits for each.
///
/// Only own children that were not waited for are signalled, so no pid can have
/// become another process. When one dies its children become this process's own,
/// and are next.
pub(super) fn end_all(socket: BorrowedFd<'_>, guarded: Option<&Guarded>) {
    let left = loop {
        if let Some(cgroup) = guarded.and_then(|guarded| guarded.cgroup.as_deref()) {
            kill_cgroup(cgroup);
        }
        let (mut killed, mut refused) = (0u32, 0u32);
        each_child(&mut |pid| match child::kill_child(pid) {
            Ok(()) | Err(Errno::SRCH) => killed += 1,
            Err(_) => refused += 1,
        });
        if killed > 0 {
            if let Some((pid, status)) = child::reap_blocking() {
                say(socket, Report::Reaped { pid, status });
            }
        } else if !child::has_children() {
            break 0;
        } else if refused > 0 {
            break refused;
        } else {
            // The kernel's list of children may miss one while others end (proc_tid_children(5)).
            let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
        }
        while let Waited::For(pid, status) = child::reap() {
            say(socket, Report::Reaped { pid, status });
        }
    };
    say(socket, Report::AllEnded { left });
}

fn kill_cgroup(cgroup: &CStr) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::openat(CWD, cgroup, flags, Mode::empty()) else { return };
    // Before Linux 5.14 there is no such file; the children are signalled one by one anyway.
    if let Ok(kill) = rustix::fs::openat(&directory, c"cgroup.kill", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&kill, b"1");
    }
}

/// Calls `act` with the pid of each child of this (single-threaded) process.
fn each_child(act: &mut dyn FnMut(i32)) {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match rustix::fs::open(c"/proc/thread-self/children", flags, Mode::empty()) {
        Ok(list) => {
            let mut number = 0i32;
            let mut space = [0u8; 512];
            while let Ok(count @ 1..) = rustix::io::read(&list, &mut space) {
                for byte in space.iter().take(count) {
                    if byte.is_ascii_digit() {
                        number = number.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
                    } else if number > 0 {
                        act(number);
                        number = 0;
                    }
                }
            }
        }
        // A kernel without CONFIG_PROC_CHILDREN: ask every process for its parent.
        Err(_) => {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            numbers_below(c"/proc", &mut |directory, pid, name| {
                if parent_of(directory, name) == Some(own) {
                    act(pid);
                }
            });
        }
    }
}

/// The parent of a process, from `/proc/PID/stat`. Allocates nothing.
fn parent_of(proc: BorrowedFd<'_>, pid: &CStr) -> Option<i32> {
    let process =
        rustix::fs::openat(proc, pid, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let stat = rustix::fs::openat(&process, c"stat", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut space = [0u8; 512];
    let count = rustix::io::read(&stat, &mut space).ok()?;
    parent_in(space.get(..count)?)
}

/// The fourth field of a stat line; the second ends at the last parenthesis.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(close + 1..)?.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_hide_the_parent() {
        assert_eq!(parent_in(b"42 (a) S 1 (x) R 7 42 42 0"), Some(7));
        assert_eq!(parent_in(b"42 (a"), None);
    }

    #[test]
    fn a_parent_is_found_without_the_list_of_children() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        let mut found = None;
        numbers_below(c"/proc", &mut |directory, pid, name| {
            if pid == own {
                found = parent_of(directory, name);
            }
        });
        assert_eq!(found, Some(parent));
    }
}
