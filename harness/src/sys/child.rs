//! What a forked child does before exec: system calls only, no allocation.

use super::program::{Program, Role};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// The errno of the last failed libc call.
pub(super) fn errno() -> i32 {
    // SAFETY: __errno_location always points at this thread's errno.
    unsafe { *libc::__errno_location() }
}

fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 { Err(Errno::from_raw_os_error(errno())) } else { Ok(result) }
}

/// Ends the calling process at once: no destructor, no atexit handler.
pub(super) fn leave(status: i32) -> ! {
    // SAFETY: _exit takes any status and does not return.
    unsafe { libc::_exit(status) }
}

/// fork(2) by the raw system call: libc's wrapper runs handlers that take locks.
pub(super) fn fork(extra_flags: libc::c_int) -> Result<i32, Errno> {
    // SAFETY: without CLONE_VM the child has its own copy of everything; a null
    // stack means that it goes on with the copy of this one.
    let result = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(extra_flags | libc::SIGCHLD), 0, 0, 0, 0) };
    check(result).map(|pid| pid as i32)
}

/// Gives every signal its default action and unblocks all: an agent must not
/// inherit what a shell's `&` or `nohup` left in Quietus.
pub(super) fn reset_signals() {
    let mut number = 1;
    while number <= 64 {
        // SAFETY: an all-zero sigaction is SIG_DFL with no flags; libc refuses
        // KILL, STOP and its own two, which cannot be changed anyway.
        let action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: the action is valid and the old one is not asked for.
        unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) };
        number += 1;
    }
    set_mask(&[]);
}

/// Blocks exactly these signals.
pub(super) fn set_mask(signals: &[i32]) {
    // SAFETY: sigset_t is plain data, initialised by sigemptyset below.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in signals {
        // SAFETY: the set is initialised; a wrong number is refused, not trusted.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    // SAFETY: the set is initialised; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
}

/// A descriptor that becomes readable when a child has ended (SIGCHLD must be blocked).
pub(super) fn child_events() -> Result<RawFd, Errno> {
    // SAFETY: as in set_mask.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut set) };
    // SAFETY: the set is initialised.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    // SAFETY: the set is initialised; -1 asks for a new descriptor.
    let result = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(result.into()).map(|fd| fd as RawFd)
}

/// Closes every descriptor but these, which must be sorted.
pub(super) fn close_all_but(keep: &[RawFd]) {
    let mut next: u32 = 0;
    for fd in keep {
        let fd = fd.cast_unsigned();
        if fd > next {
            close_range(next, fd - 1, 0);
        }
        if fd >= next {
            next = fd + 1;
        }
    }
    close_range(next, u32::MAX, 0);
}

/// Lets every descriptor from `first` on close with exec.
pub(super) fn close_on_exec_from(first: u32) {
    close_range(first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
}

fn close_range(first: u32, last: u32, flags: u32) {
    // SAFETY: only closes or marks descriptors; nothing in this process uses them.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            libc::c_ulong::from(first),
            libc::c_ulong::from(last),
            libc::c_ulong::from(flags),
        )
    };
}

/// Asks the kernel to kill this process when the thread that forked it ends.
pub(super) fn die_with_parent() {
    // SAFETY: takes a signal number.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Names this process, as `ps` shows it.
pub(super) fn set_name(name: &CStr) {
    // SAFETY: PR_SET_NAME reads up to 16 bytes of a NUL-terminated string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// What there was to wait for.
pub(super) enum Waited {
    /// A child ended: its pid and status.
    For(i32, i32),
    /// There are children, and none has ended.
    Nothing,
    /// There is no child.
    Childless,
}

/// Waits for any child without blocking.
pub(super) fn reap() -> Waited {
    let mut status = 0;
    // SAFETY: the status is ours; __WALL also waits for children made by clone.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) };
    match pid {
        1.. => Waited::For(pid, status),
        0 => Waited::Nothing,
        _ => Waited::Childless,
    }
}

/// Sends a signal to every process of the cell but its init.
pub(super) fn kill_all(signal: i32) {
    // SAFETY: takes numbers; the caller is PID 1 of the cell, so -1 reaches no further.
    unsafe { libc::kill(-1, signal) };
}

/// Sends a signal to a process group.
pub(super) fn kill_group(group: i32, signal: i32) {
    if group > 1 {
        // SAFETY: takes numbers; -1 and 0, which mean more than a group, are excluded.
        unsafe { libc::kill(-group, signal) };
    }
}

/// Makes a mount and everything mounted below it read-only.
pub(super) fn make_read_only(target: &CStr) -> Result<(), Errno> {
    // SAFETY: mount_attr is plain data.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = libc::MOUNT_ATTR_RDONLY;
    // SAFETY: the path is NUL-terminated; the struct and its size are right.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            target.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    check(result).map(drop)
}

/// Switches the loopback interface of this network namespace on.
pub(super) fn loopback_up() -> Result<(), Errno> {
    // SAFETY: takes numbers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(socket.into())?;
    // SAFETY: ifreq is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq.
    let result = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request) };
    let outcome = check(result.into()).map(drop);
    // SAFETY: the socket is ours.
    unsafe { libc::close(socket) };
    outcome
}

/// What a root agent may not do in a cell: change mounts, modules, devices,
/// clocks or the host's network, or reach into the init, which may. From
/// capabilities(7); the numbers are the kernel's.
const WITHHELD: [u32; 20] = [
    2,  // DAC_READ_SEARCH: opens files by handle, past the overlay
    9,  // LINUX_IMMUTABLE
    12, // NET_ADMIN
    16, // SYS_MODULE
    17, // SYS_RAWIO
    19, // SYS_PTRACE: the init's memory, and the host's files by its /proc/1/exe
    20, // SYS_PACCT
    21, // SYS_ADMIN
    22, // SYS_BOOT
    25, // SYS_TIME
    27, // MKNOD
    30, // AUDIT_CONTROL
    32, // MAC_OVERRIDE
    33, // MAC_ADMIN
    34, // SYSLOG
    35, // WAKE_ALARM
    36, // BLOCK_SUSPEND
    38, // PERFMON
    39, // BPF
    40, // CHECKPOINT_RESTORE
];

/// Takes the capabilities that reach beyond a cell from what exec can grant.
///
/// # Errors
/// When what Quietus itself was given to pass on cannot be taken away.
pub(super) fn withhold_capabilities() -> Result<(), Errno> {
    for capability in WITHHELD {
        // SAFETY: takes numbers; an unknown capability is refused with EINVAL.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
    }
    // Exec grants root what is inheritable even if the bounding set has lost it.
    let mut sets = rustix::thread::capabilities(None)?;
    let withheld = WITHHELD.iter().fold(0, |bits, capability| bits | 1u64 << capability);
    sets.inheritable &= !rustix::thread::CapabilitySet::from_bits_retain(withheld);
    rustix::thread::set_capabilities(None, sets)
}

/// Takes a keyring for this session, so that keys an agent adds to its own do
/// not stay in the one that Quietus was started with (session-keyring(7)).
pub(super) fn new_session_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // A kernel without keys refuses, and has none to protect.
    // SAFETY: a null name asks for an anonymous keyring.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Keeps a crash from writing a core file or waking the host's crash handler:
/// a soft limit of 1 is refused by both forms of core_pattern (core(5)).
fn no_core_dumps() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is ours.
    if unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max.min(1);
        // SAFETY: the struct is ours.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
    }
}

/// Bounds how many processes this user may have in this user namespace.
pub(super) fn limit_processes(most: u32) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is ours.
    if unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &raw mut limit) } == 0 {
        limit.rlim_cur = limit.rlim_max.min(most.into());
        limit.rlim_max = limit.rlim_cur;
        // SAFETY: the struct is ours.
        unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) };
    }
}

/// The last stretch before exec. Returns the errno of what failed.
///
/// `terminal` is the agent's side of a terminal, which becomes its streams and
/// its controlling terminal.
pub(super) fn become_program(program: &Program, terminal: Option<RawFd>) -> i32 {
    // SAFETY: a fresh fork is no group leader, so this cannot fail.
    unsafe { libc::setsid() };
    let streams = match terminal {
        Some(fd) => {
            // SAFETY: takes a descriptor; 0 means: do not steal it from another session.
            if unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) } < 0 {
                return errno();
            }
            [fd, fd, fd]
        }
        None => [program.stdio.stdin, program.stdio.stdout, program.stdio.stderr],
    };
    let mut streams = streams;
    if let (Some(path), None) = (&program.input, terminal) {
        // Without O_CLOEXEC: it may be number 0 already. Every number above 2 is marked below.
        // SAFETY: the path is NUL-terminated.
        streams[0] = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_NOCTTY) };
        if streams[0] < 0 {
            return errno();
        }
    }
    for (target, source) in streams.iter().enumerate() {
        // The streams lie above 2 (the launcher sees to it), the input perhaps not,
        // but it comes first: none is overwritten before its turn.
        // SAFETY: takes descriptors.
        if unsafe { libc::dup2(*source, target as RawFd) } < 0 {
            return errno();
        }
    }
    close_on_exec_from(3);
    no_core_dumps();
    reset_signals();
    program.exec()
}

/// Starts a program outside any cell, for the portable driver: own session,
/// signals reset, nothing inherited but its streams.
///
/// # Errors
/// The errno of the fork or of the exec.
pub(crate) fn spawn_portable(program: &Program) -> Result<i32, Errno> {
    debug_assert!(matches!(program.role, Role::Agent { pid1: false, hosted: false, .. } | Role::Helper));
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let pid = fork(0)?;
    if pid == 0 {
        let errno = become_program(program, None);
        let _ = rustix::io::write(&writer, &errno.to_ne_bytes());
        leave(127);
    }
    drop(writer);
    let mut errno = [0; 4];
    if rustix::io::read(&reader, &mut errno)? == 4 {
        // SAFETY: waits for our own child, which has ended or is about to.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        return Err(Errno::from_raw_os_error(i32::from_ne_bytes(errno)));
    }
    Ok(pid)
}
