//! What a forked child does before exec: system calls only, no allocation.

use super::program::Program;
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::RawFd;

/// The errno of the last failed libc call.
pub(super) fn errno() -> i32 {
    // SAFETY: takes nothing and cannot fail.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it always points at this thread's errno.
    unsafe { *place }
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

/// The flag of clone3(2); libc's constant is an int, too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks right into the cgroup with this directory (clone3(2), Linux 5.7), which
/// spares the wait of a move between cgroups. Sandboxes may refuse the call.
pub(super) fn fork_into(cgroup: RawFd) -> Result<i32, Errno> {
    // SAFETY: clone_args is plain data.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.cgroup = u64::try_from(cgroup).map_err(|_| Errno::BADF)?;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM the child works on a copy of this memory and of this stack.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    check(result).map(|pid| pid as i32)
}

/// Gives every signal its default action and unblocks all: an agent must not
/// inherit what a shell's `&` or `nohup` left in Quietus.
pub(super) fn reset_signals() {
    default_actions();
    set_mask(&[]);
}

/// Gives every signal its default action.
pub(super) fn default_actions() {
    let mut number = 1;
    while number <= 64 {
        // SAFETY: an all-zero sigaction is SIG_DFL with no flags; libc refuses
        // KILL, STOP and its own two, which cannot be changed anyway.
        let action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: the action is valid and the old one is not asked for.
        unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) };
        number += 1;
    }
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

/// Sends a signal to every process of the cell but its init. Only PID 1 of a
/// namespace may: from anywhere else -1 means every process of the host.
pub(super) fn kill_all(signal: i32) {
    // SAFETY: takes nothing, cannot fail.
    if unsafe { libc::getpid() } != 1 {
        return;
    }
    // SAFETY: takes numbers; the caller is PID 1 of the cell, so -1 reaches no further.
    unsafe { libc::kill(-1, signal) };
}

/// A child that has ended, and its wait status. It stays to be waited for.
pub(super) fn look_at_ended() -> Option<(i32, i32)> {
    // SAFETY: siginfo_t is plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: the struct is ours; WNOWAIT leaves the child as it is.
    if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) } != 0 {
        return None;
    }
    // SAFETY: filled by waitid, or zero when no child has ended.
    let pid = unsafe { info.si_pid() };
    // SAFETY: the same.
    let status = unsafe { info.si_status() };
    let status = match info.si_code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_DUMPED => status | 0x80,
        _ => status,
    };
    (pid > 0).then_some((pid, status))
}

/// Whether this is a child that was not waited for yet: its pid is its own.
pub(super) fn is_own_child(pid: i32) -> bool {
    // SAFETY: siginfo_t is plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: the struct is ours; WNOWAIT leaves the child as it is.
    pid > 0 && unsafe { libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, options) } == 0
}

/// Whether there is any child, dead or alive.
pub(super) fn has_children() -> bool {
    // SAFETY: siginfo_t is plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: the struct is ours; WNOWAIT leaves the children as they are.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) == 0 }
}

/// Waits until this child has ended, and gives its wait status.
pub(super) fn wait_for(pid: i32) -> Option<i32> {
    loop {
        let mut status = 0;
        // SAFETY: our own child, waited for by nobody else; the pid stays ours until then.
        let result = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        if result == pid {
            return Some(status);
        }
        if errno() != libc::EINTR {
            return None;
        }
    }
}

/// Waits until a child has ended. `None` when there is no child at all.
pub(super) fn reap_blocking() -> Option<(i32, i32)> {
    loop {
        let mut status = 0;
        // SAFETY: the status is ours.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if pid > 0 {
            return Some((pid, status));
        }
        if errno() != libc::EINTR {
            return None;
        }
    }
}

/// Has the next child of a cell's init get the pid after the next one.
pub(super) fn use_up_pid() {
    // SAFETY: takes nothing, cannot fail.
    if unsafe { libc::getpid() } != 1 {
        return;
    }
    match fork(0) {
        Ok(0) => leave(0),
        Ok(pid) => drop(wait_for(pid)),
        Err(_) => {}
    }
}

/// Sends KILL to a child that was not waited for yet.
pub(super) fn kill_child(pid: i32) -> Result<(), Errno> {
    // SAFETY: takes numbers; the pid is a child's, so it is no other process.
    check(unsafe { libc::kill(pid, libc::SIGKILL) }.into()).map(drop)
}

/// Blocks every signal that can be blocked.
pub(super) fn block_signals() {
    // SAFETY: sigset_t is plain data, initialised by sigfillset below.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigfillset(&raw mut set) };
    // SAFETY: the set is initialised; the old one is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
}

/// Puts this process into a session of its own, out of reach of terminals and groups.
pub(super) fn own_session() {
    // SAFETY: a fresh fork is no group leader, so this cannot fail.
    unsafe { libc::setsid() };
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
    own_session();
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
    disturb(program);
    if let Some(hold) = &program.hold
        && let Err(errno) = hold.wait()
    {
        return errno.raw_os_error();
    }
    program.exec()
}

/// Lets a program run on one CPU, and give way to others. That it cannot be done, where the
/// system has taken that CPU away meanwhile, changes nothing but times.
fn disturb(program: &Program) {
    if let Some(cpu) = program.cpu {
        // SAFETY: a set of CPUs is plain memory, and empty when it is all zero.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: a CPU beyond the set is passed over.
        unsafe { libc::CPU_SET(cpu, &mut set) };
        // SAFETY: the set is as large as is said.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    }
    if program.nice > 0 {
        // SAFETY: takes numbers.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, program.nice) };
    }
}
