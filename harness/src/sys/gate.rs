//! Where a program that will be traced waits, right before it is executed, until
//! its tracer has it. The kernel says who waits there, as the tracer counts pids.

use super::filter::Filter;
use rustix::fd::{AsFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType,
};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;

/// The tracer's side.
#[derive(Debug)]
pub struct Gate(OwnedFd);

/// The program's side, and what it runs under from there on.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) gate: RawFd,
    pub(super) filter: Option<Filter>,
}

impl Gate {
    /// A gate, and its far side for the program.
    ///
    /// # Errors
    /// The errno of socketpair(2) or setsockopt(2).
    pub fn new() -> Result<(Self, OwnedFd), Errno> {
        let (near, far) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::net::sockopt::set_socket_passcred(&near, true)?;
        Ok((Self(near), far))
    }

    /// Waits until somebody waits at the gate: its thread id here. `None` when
    /// nobody can any more.
    pub fn await_held(&self) -> Option<i32> {
        let mut byte = [0u8; 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        loop {
            match rustix::net::recvmsg(
                self.0.as_fd(),
                &mut [IoSliceMut::new(&mut byte)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Err(Errno::INTR) => {}
                Ok(received) if received.bytes == 1 => break,
                _ => return None,
            }
        }
        control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(credentials) => Some(credentials.pid.as_raw_pid()),
            _ => None,
        })
    }

    /// Lets it go on. One that is gone needs no gate.
    pub fn open(&self) {
        let _ = rustix::net::send(&self.0, b"g", SendFlags::NOSIGNAL);
    }
}

impl Hold {
    /// In the fork: waits for the tracer, then marks the system calls that it
    /// wants to hear of.
    pub(super) fn wait(&self) -> Result<(), Errno> {
        // SAFETY: among the descriptors kept; it closes with exec.
        let gate = unsafe { rustix::fd::BorrowedFd::borrow_raw(self.gate) };
        rustix::net::send(gate, b"h", SendFlags::NOSIGNAL)?;
        let mut byte = [0u8; 1];
        while let Err(Errno::INTR) = rustix::net::recv(gate, &mut byte, RecvFlags::empty()) {}
        self.filter.as_ref().map_or(Ok(()), Filter::install)
    }
}
