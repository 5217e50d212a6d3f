//! Signals by descriptor: a number could have become another process.

use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd};

/// Sends a signal to the process behind a pidfd or an open `/proc/PID`
/// directory (pidfd_send_signal(2) takes both).
///
/// # Errors
/// ESRCH when the process is gone, EINVAL for a wrong number, EPERM when it may not be signalled.
pub fn send_signal(process: impl AsFd, signal: i32) -> Result<(), Errno> {
    let descriptor = process.as_fd().as_raw_fd();
    // SAFETY: takes a descriptor and numbers; a null siginfo is what kill(2) sends.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    if result < 0 { Err(Errno::from_raw_os_error(super::child::errno())) } else { Ok(()) }
}

/// Sends a signal to a thread that we hold stopped as its tracer, so that its number is
/// still its own.
///
/// # Errors
/// ESRCH when the thread is gone, EPERM when it may not be signalled.
pub fn signal_tracee(process: i32, tid: i32, signal: i32) -> Result<(), Errno> {
    if process <= 1 || tid <= 1 {
        return Err(Errno::INVAL);
    }
    // SAFETY: takes numbers.
    let result = unsafe { libc::syscall(libc::SYS_tgkill, process, tid, signal) };
    if result < 0 { Err(Errno::from_raw_os_error(super::child::errno())) } else { Ok(()) }
}

/// Sends a signal to a process group of the host.
///
/// # Errors
/// ESRCH when the group is gone.
pub fn signal_group(group: i32, signal: i32) -> Result<(), Errno> {
    if group <= 1 {
        return Err(Errno::INVAL);
    }
    // SAFETY: takes numbers; 0, -1 and 1, which would reach further, are excluded.
    let result = unsafe { libc::kill(-group, signal) };
    if result < 0 { Err(Errno::from_raw_os_error(super::child::errno())) } else { Ok(()) }
}

/// Makes this process the one that inherits orphaned descendants.
///
/// # Errors
/// The errno of prctl(2).
pub fn become_subreaper() -> Result<(), Errno> {
    // SAFETY: takes numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    if result < 0 { Err(Errno::from_raw_os_error(super::child::errno())) } else { Ok(()) }
}
