//! A seccomp filter that stops a tracee at marked system calls and lets all
//! others run at full speed (seccomp(2), SECCOMP_RET_TRACE).

use super::child::errno;
use rustix::io::Errno;

/// The architecture whose numbers a filter has, as in audit(7).
#[cfg(target_arch = "x86_64")]
pub const AUDIT_ARCH: u32 = 0xc000_003e;
/// The architecture whose numbers a filter has, as in audit(7).
#[cfg(target_arch = "aarch64")]
pub const AUDIT_ARCH: u32 = 0xc000_00b7;
/// The architecture whose numbers a filter has, as in audit(7).
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub const AUDIT_ARCH: u32 = 0;

/// What the filter says at a system call of another architecture.
pub const FOREIGN: u16 = u16::MAX;

/// A system call at which a tracee stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Its number.
    pub number: u32,
    /// What the tracer hears with it.
    pub mark: u16,
}

/// A filter, ready to be installed.
#[derive(Debug, Clone)]
pub struct Filter(Vec<libc::sock_filter>);

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

fn operation(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn trace(mark: u16) -> libc::sock_filter {
    operation(RETURN, libc::SECCOMP_RET_TRACE | u32::from(mark), 0, 0)
}

impl Filter {
    /// The filter that stops at these system calls. The first that fits counts.
    pub fn new(marked: &[Marked]) -> Self {
        let mut program = vec![
            operation(LOAD, ARCH, 0, 0),
            operation(EQUAL, AUDIT_ARCH, 1, 0),
            trace(FOREIGN),
            operation(LOAD, NUMBER, 0, 0),
        ];
        for one in marked {
            program.push(operation(EQUAL, one.number, 0, 1));
            program.push(trace(one.mark));
        }
        program.push(operation(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0));
        Self(program)
    }

    /// Installs it in the calling thread for good. Safe to call after fork.
    pub(super) fn install(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog { len: self.0.len() as u16, filter: self.0.as_ptr().cast_mut() };
        // Without CAP_SYS_ADMIN the kernel wants a promise that no exec grants privileges.
        // SAFETY: takes numbers.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } < 0 {
            return Err(Errno::from_raw_os_error(errno()));
        }
        // SAFETY: the program lives in `self`; the kernel copies it.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
        if result < 0 { Err(Errno::from_raw_os_error(errno())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers, worked out as the kernel does.
    fn answer(filter: &Filter, arch: u32, number: u32) -> u32 {
        let (mut at, mut held) = (0usize, 0u32);
        loop {
            let step = filter.0[at];
            at += 1;
            match step.code {
                LOAD => held = if step.k == ARCH { arch } else { number },
                RETURN => return step.k,
                EQUAL => at += usize::from(if held == step.k { step.jt } else { step.jf }),
                code => panic!("code {code}"),
            }
        }
    }

    #[test]
    fn it_stops_at_what_is_marked_alone() {
        let filter = Filter::new(&[Marked { number: 257, mark: 7 }, Marked { number: 87, mark: 9 }]);
        let stops = |mark: u16| libc::SECCOMP_RET_TRACE | u32::from(mark);
        for (number, expected) in [(257, stops(7)), (87, stops(9)), (88, libc::SECCOMP_RET_ALLOW)] {
            assert_eq!(answer(&filter, AUDIT_ARCH, number), expected, "{number}");
        }
        assert_eq!(answer(&filter, 0x4000_0003, 87), stops(FOREIGN));
        assert_eq!(answer(&Filter::new(&[]), AUDIT_ARCH, 87), libc::SECCOMP_RET_ALLOW);
    }
}
