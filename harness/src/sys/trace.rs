//! ptrace(2) behind types: a tracee is told what to do only while it is stopped,
//! and telling it consumes the stop.
//!
//! Everything here must be called by one thread, the tracer: the kernel binds a
//! tracee to the thread that seized it. [`wait`] hears of this thread's tracees
//! alone, so that no child of a caller is ever waited for by mistake.

use super::child::errno;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// The options that every tracee has: its children and threads are traced too,
/// and all of them end when the tracer does.
const OPTIONS: libc::c_int = libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEEXIT
    | libc::PTRACE_O_TRACESECCOMP;

/// How a new task came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// fork(2), or clone(2) with SIGCHLD.
    Fork,
    /// vfork(2): the parent waits until the child execs or ends.
    Vfork,
    /// Any other clone: most often a thread.
    Clone,
}

/// Why a tracee has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// A system call that the filter marks is about to be made.
    Entry {
        /// What the filter said with it.
        mark: u16,
    },
    /// A system call has been made.
    Exit,
    /// A signal is about to be delivered; resuming decides whether it is.
    Signal(i32),
    /// A stopping signal has stopped its whole process.
    GroupStop,
    /// A new task is traced and has not run yet.
    Attached,
    /// It has made a new task, which is traced too.
    Born {
        /// Its id here.
        tid: i32,
        /// How.
        birth: Birth,
    },
    /// It has executed a program; not one of its instructions ran.
    Executed {
        /// Which thread of the process did; the others are gone.
        former: i32,
    },
    /// It is about to end: its descriptors are still open.
    Exiting {
        /// The wait status it will have.
        status: i32,
    },
}

/// A tracee that is stopped.
#[derive(Debug)]
#[must_use = "a stopped tracee waits for ever"]
pub struct Stopped {
    tid: i32,
}

/// How a stopped tracee goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// To its next marked system call, signal or event.
    NextStop,
    /// The same, and it stops after the system call that it is in or makes next.
    SyscallExit,
}

/// What was waited for.
#[derive(Debug)]
pub enum Waited {
    /// A tracee has stopped.
    Stopped(Stopped, Stop),
    /// A tracee has ended.
    Ended {
        /// Which.
        tid: i32,
        /// Its wait status.
        status: i32,
    },
    /// This thread traces nobody.
    Nobody,
}

/// The system call that a tracee is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Syscall {
    /// As in audit(7): which architecture's numbers these are.
    pub arch: u32,
    /// Its number.
    pub number: u64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// Where its stack is: a handler makes its calls further down.
    pub stack: u64,
    /// Its result, or a negative errno; only after it was made.
    pub result: i64,
}

/// Where a stopped thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Registers {
    /// Its next instruction.
    pub instruction: u64,
    /// The end of its stack.
    pub stack: u64,
    /// What its frame pointer would be, where its program has one.
    pub frame: u64,
    /// Where it returns to, on machines that have a register for that; else 0.
    pub link: u64,
    /// What tells its thread-local memory from that of other threads: on x86-64 with
    /// glibc or musl the value of pthread_self(3). Zero where it is not known.
    pub thread: u64,
}

/// What names a request; C libraries do not agree on its sign.
#[cfg(target_env = "musl")]
type Request = libc::c_int;
/// What names a request; C libraries do not agree on its sign.
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

fn request(request: Request, tid: i32, address: usize, data: usize) -> Result<libc::c_long, Errno> {
    // SAFETY: callers pass a request whose address and data are numbers, or point
    // to what the kernel reads or fills; a tid that is no tracee of ours is refused.
    let result = unsafe {
        libc::ptrace(
            request,
            tid,
            std::ptr::without_provenance_mut::<u8>(address),
            std::ptr::without_provenance_mut::<u8>(data),
        )
    };
    if result < 0 { Err(Errno::from_raw_os_error(errno())) } else { Ok(result) }
}

/// Starts to trace a thread and all it will make. It goes on running.
///
/// # Errors
/// PERM where the kernel's policy forbids it (ptrace(2), Yama), SRCH when it is gone.
pub fn seize(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, 0, OPTIONS as usize).map(drop)
}

/// Starts to trace a thread and nothing that it makes; it goes on running, and so it
/// does when the tracer ends.
///
/// # Errors
/// PERM where the kernel's policy forbids it or somebody else traces it, SRCH when it
/// is gone.
pub fn seize_alone(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_SEIZE, tid, 0, 0).map(drop)
}

/// Asks a tracee of this thread to stop. That it has is heard by [`wait`], or by
/// [`await_stop`]; a thread that cannot be interrupted stops only later.
///
/// # Errors
/// SRCH when it is gone or no tracee of this thread.
pub fn interrupt(tid: i32) -> Result<(), Errno> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

/// How often it is looked whether a tracee has stopped.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Waits until this tracee has stopped for whatever reason, but not longer than that.
/// `None` when it has not, or has ended.
pub fn await_stop(tid: i32, patience: Duration) -> Option<(Stopped, Stop)> {
    let deadline = Instant::now() + patience;
    loop {
        match wait_for(tid, libc::WNOHANG)? {
            Some(Waited::Stopped(stopped, stop)) => return Some((stopped, stop)),
            Some(_) => return None,
            None if Instant::now() >= deadline => return None,
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// Waits for this thread's tracees.
pub fn wait() -> Waited {
    wait_with(0).unwrap_or(Waited::Nobody)
}

/// What [`wait`] would tell without waiting. `None` when nothing has happened.
pub fn look() -> Option<Waited> {
    wait_with(libc::WNOHANG)
}

fn wait_with(flags: libc::c_int) -> Option<Waited> {
    wait_for(-1, flags).unwrap_or(Some(Waited::Nobody))
}

/// `None` when there is nobody to wait for, `Some(None)` when nothing has happened.
fn wait_for(whom: i32, flags: libc::c_int) -> Option<Option<Waited>> {
    let mut status = 0;
    loop {
        // SAFETY: the status is ours. WNOTHREAD leaves the children of other threads alone.
        let tid = unsafe { libc::waitpid(whom, &raw mut status, libc::__WALL | libc::__WNOTHREAD | flags) };
        match tid {
            0 => return Some(None),
            1.. => return Some(Some(heard(tid, status))),
            _ if errno() != libc::EINTR => return None,
            _ => {}
        }
    }
}

/// Whether a tracee is stopped because this signal is about to be delivered to it.
/// [`wait`] will tell of that all the same.
pub fn is_stopped_for(tid: i32, signal: i32) -> bool {
    // SAFETY: plain data.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WSTOPPED | libc::WNOWAIT | libc::WNOHANG | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: the kernel fills what is ours.
    let result = unsafe { libc::waitid(libc::P_PID, tid.cast_unsigned(), &raw mut info, flags) };
    // SAFETY: waitid(2) fills this field, or leaves it 0.
    let found = unsafe { info.si_pid() };
    // SAFETY: and this one with it.
    let status = unsafe { info.si_status() };
    result == 0 && found == tid && status == signal
}

fn heard(tid: i32, status: i32) -> Waited {
    if !libc::WIFSTOPPED(status) {
        return Waited::Ended { tid, status };
    }
    let stopped = Stopped { tid };
    let signal = libc::WSTOPSIG(status);
    let stop = match (status >> 16, signal) {
        (0, signal) if signal == libc::SIGTRAP | 0x80 => Stop::Exit,
        (0, signal) => Stop::Signal(signal),
        (libc::PTRACE_EVENT_SECCOMP, _) => Stop::Entry { mark: stopped.message() as u16 },
        (libc::PTRACE_EVENT_FORK, _) => Stop::Born { tid: stopped.message() as i32, birth: Birth::Fork },
        (libc::PTRACE_EVENT_VFORK, _) => Stop::Born { tid: stopped.message() as i32, birth: Birth::Vfork },
        (libc::PTRACE_EVENT_CLONE, _) => Stop::Born { tid: stopped.message() as i32, birth: Birth::Clone },
        (libc::PTRACE_EVENT_EXEC, _) => Stop::Executed { former: stopped.message() as i32 },
        (libc::PTRACE_EVENT_EXIT, _) => Stop::Exiting { status: stopped.message() as i32 },
        // A group stop shows the signal that made it; the first stop of a new task shows TRAP.
        (libc::PTRACE_EVENT_STOP, libc::SIGTRAP) => Stop::Attached,
        (libc::PTRACE_EVENT_STOP, _) => Stop::GroupStop,
        _ => Stop::Signal(0),
    };
    Waited::Stopped(stopped, stop)
}

impl Stopped {
    /// Which thread this is, as this namespace counts.
    pub fn tid(&self) -> i32 {
        self.tid
    }

    /// Lets it go on, with a signal or 0. One that was killed meanwhile is gone;
    /// that is heard by [`wait`].
    pub fn resume(self, until: Until, signal: i32) {
        let how = match until {
            Until::NextStop => libc::PTRACE_CONT,
            Until::SyscallExit => libc::PTRACE_SYSCALL,
        };
        let _ = request(how, self.tid, 0, signal.cast_unsigned() as usize);
    }

    /// Lets it go on untraced: it and what it makes from then on are nobody's tracees.
    pub fn detach(self) {
        let _ = request(libc::PTRACE_DETACH, self.tid, 0, 0);
    }

    /// Keeps it stopped as its group is, until the group goes on.
    pub fn listen(self) {
        let _ = request(libc::PTRACE_LISTEN, self.tid, 0, 0);
    }

    fn message(&self) -> u64 {
        let mut message: libc::c_ulong = 0;
        let _ = request(libc::PTRACE_GETEVENTMSG, self.tid, 0, (&raw mut message).expose_provenance());
        message
    }

    /// The system call at an entry or an exit. `None` when the tracee was killed.
    pub fn syscall(&self) -> Option<Syscall> {
        let mut info = Info::default();
        let length =
            request(GET_SYSCALL_INFO, self.tid, size_of::<Info>(), (&raw mut info).expose_provenance()).ok()?;
        let known = Syscall { arch: info.arch, stack: info.stack_pointer, ..Syscall::default() };
        match info.op {
            OP_EXIT if length >= 33 => Some(Syscall { result: info.body[0].cast_signed(), ..known }),
            OP_ENTRY | OP_SECCOMP => {
                let mut arguments = [0; 6];
                arguments.copy_from_slice(&info.body[1..7]);
                Some(Syscall { number: info.body[0], arguments, ..known })
            }
            _ => None,
        }
    }

    /// At an entry: the system call is not made. Its exit stop comes all the same.
    ///
    /// # Errors
    /// When the tracee was killed, or this architecture is not known.
    pub fn skip(&self) -> Result<(), Errno> {
        registers::set_number(self.tid, -1)
    }

    /// At the exit of a system call that was skipped: this is its result.
    ///
    /// # Errors
    /// When the tracee was killed, or this architecture is not known.
    pub fn set_result(&self, result: i64) -> Result<(), Errno> {
        registers::set_result(self.tid, result)
    }

    /// At the exit of a system call that was skipped: it will be made again, from
    /// its entry on, once signals that are pending have been handled.
    ///
    /// # Errors
    /// When the tracee was killed, or this architecture is not known.
    pub fn repeat(&self, syscall: &Syscall) -> Result<(), Errno> {
        registers::rewind(self.tid, syscall)
    }

    /// Where it is. `None` when it was killed, or this architecture is not known.
    pub fn registers(&self) -> Option<Registers> {
        registers::place(self.tid).ok()
    }

    /// Copies memory of the tracee, up to the first page that cannot be read.
    pub fn read_memory(&self, address: u64, buffer: &mut [u8]) -> usize {
        let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let remote =
            libc::iovec { iov_base: std::ptr::without_provenance_mut(address as usize), iov_len: buffer.len() };
        // SAFETY: the local vector is the buffer; the remote one is checked by the kernel.
        let count = unsafe { libc::process_vm_readv(self.tid, &raw const local, 1, &raw const remote, 1, 0) };
        usize::try_from(count).unwrap_or(0)
    }
}

const GET_SYSCALL_INFO: Request = 0x420e;
const OP_ENTRY: u8 = 1;
const OP_EXIT: u8 = 2;
const OP_SECCOMP: u8 = 3;

/// `struct ptrace_syscall_info` of linux/ptrace.h (Linux 5.3).
#[repr(C)]
#[derive(Debug, Default)]
struct Info {
    op: u8,
    pad: [u8; 3],
    arch: u32,
    instruction_pointer: u64,
    stack_pointer: u64,
    body: [u64; 8],
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::{Errno, Registers, Syscall, request};

    fn get(tid: i32) -> Result<libc::user_regs_struct, Errno> {
        // SAFETY: plain data.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        request(libc::PTRACE_GETREGS, tid, 0, (&raw mut registers).expose_provenance())?;
        Ok(registers)
    }

    fn set(tid: i32, registers: &libc::user_regs_struct) -> Result<(), Errno> {
        request(libc::PTRACE_SETREGS, tid, 0, std::ptr::from_ref(registers).expose_provenance()).map(drop)
    }

    pub(super) fn place(tid: i32) -> Result<Registers, Errno> {
        let registers = get(tid)?;
        Ok(Registers {
            instruction: registers.rip,
            stack: registers.rsp,
            frame: registers.rbp,
            link: 0,
            thread: registers.fs_base,
        })
    }

    pub(super) fn set_number(tid: i32, number: i64) -> Result<(), Errno> {
        let mut registers = get(tid)?;
        registers.orig_rax = number.cast_unsigned();
        set(tid, &registers)
    }

    pub(super) fn set_result(tid: i32, result: i64) -> Result<(), Errno> {
        let mut registers = get(tid)?;
        registers.rax = result.cast_unsigned();
        set(tid, &registers)
    }

    /// `syscall` is two bytes long.
    pub(super) fn rewind(tid: i32, syscall: &Syscall) -> Result<(), Errno> {
        let mut registers = get(tid)?;
        registers.rip = registers.rip.wrapping_sub(2);
        registers.rax = syscall.number;
        registers.orig_rax = u64::MAX;
        set(tid, &registers)
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    use super::{Errno, Registers, Syscall, request};

    const NT_PRSTATUS: usize = 1;
    const NT_ARM_SYSTEM_CALL: usize = 0x404;

    fn vector<T>(value: &mut T) -> libc::iovec {
        libc::iovec { iov_base: std::ptr::from_mut(value).cast(), iov_len: size_of::<T>() }
    }

    fn get(tid: i32) -> Result<libc::user_regs_struct, Errno> {
        // SAFETY: plain data.
        let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
        let mut vector = vector(&mut registers);
        request(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, (&raw mut vector).expose_provenance())?;
        Ok(registers)
    }

    fn set(tid: i32, mut registers: libc::user_regs_struct) -> Result<(), Errno> {
        let mut vector = vector(&mut registers);
        request(libc::PTRACE_SETREGSET, tid, NT_PRSTATUS, (&raw mut vector).expose_provenance()).map(drop)
    }

    pub(super) fn place(tid: i32) -> Result<Registers, Errno> {
        let registers = get(tid)?;
        let [.., frame, link] = registers.regs;
        Ok(Registers { instruction: registers.pc, stack: registers.sp, frame, link, thread: 0 })
    }

    pub(super) fn set_number(tid: i32, number: i64) -> Result<(), Errno> {
        let mut number = number as i32;
        let mut vector = vector(&mut number);
        request(libc::PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, (&raw mut vector).expose_provenance()).map(drop)
    }

    pub(super) fn set_result(tid: i32, result: i64) -> Result<(), Errno> {
        let mut registers = get(tid)?;
        registers.regs[0] = result.cast_unsigned();
        set(tid, registers)
    }

    /// `svc #0` is four bytes long; its first argument shares a register with its result.
    pub(super) fn rewind(tid: i32, syscall: &Syscall) -> Result<(), Errno> {
        let mut registers = get(tid)?;
        registers.pc = registers.pc.wrapping_sub(4);
        registers.regs[0] = syscall.arguments[0];
        registers.regs[8] = syscall.number;
        set(tid, registers)
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers {
    use super::{Errno, Registers, Syscall};

    pub(super) fn place(_: i32) -> Result<Registers, Errno> {
        Err(Errno::NOSYS)
    }

    pub(super) fn set_number(_: i32, _: i64) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    pub(super) fn set_result(_: i32, _: i64) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    pub(super) fn rewind(_: i32, _: &Syscall) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}
