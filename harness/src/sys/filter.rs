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

/// What an argument of a system call must be like: only its lower 32 bits are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    /// Which argument, from 0.
    pub argument: u8,
    /// Some bits of it.
    pub bits: u32,
    /// Whether one of them is to be set, or all are to be clear.
    pub set: bool,
}

/// A system call at which a tracee stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// Its number.
    pub number: u32,
    /// It stops only where all of this holds.
    pub only: &'static [Bits],
    /// What the tracer hears with it.
    pub mark: u16,
}

/// A filter, ready to be installed.
#[derive(Debug, Clone)]
pub struct Filter(Vec<libc::sock_filter>);

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const ANY_SET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Offsets into `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The offset of the lower half of an argument.
fn lower_half(argument: u8) -> u32 {
    ARGUMENTS + 8 * u32::from(argument) + if cfg!(target_endian = "big") { 4 } else { 0 }
}

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
            let looks = one.only.len() as u8;
            // Over the looks at arguments, the answer, and the number that is loaded again.
            let past = if looks == 0 { 1 } else { 2 * looks + 2 };
            program.push(operation(EQUAL, one.number, 0, past));
            for (index, bits) in (0..).zip(one.only) {
                // Over what is left of these, and the answer.
                let past = 2 * (looks - index) - 1;
                let (jt, jf) = if bits.set { (0, past) } else { (past, 0) };
                program.push(operation(LOAD, lower_half(bits.argument), 0, 0));
                program.push(operation(ANY_SET, bits.bits, jt, jf));
            }
            program.push(trace(one.mark));
            if looks > 0 {
                program.push(operation(LOAD, NUMBER, 0, 0));
            }
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
        answer_to(filter, arch, number, [0; 6])
    }

    fn answer_to(filter: &Filter, arch: u32, number: u32, arguments: [u32; 6]) -> u32 {
        let (mut at, mut held) = (0usize, 0u32);
        loop {
            let step = filter.0[at];
            at += 1;
            match step.code {
                LOAD if step.k == ARCH => held = arch,
                LOAD if step.k == NUMBER => held = number,
                LOAD => held = arguments[(step.k - ARGUMENTS) as usize / 8],
                ANY_SET => at += usize::from(if held & step.k != 0 { step.jt } else { step.jf }),
                RETURN => return step.k,
                EQUAL => at += usize::from(if held == step.k { step.jt } else { step.jf }),
                code => panic!("code {code}"),
            }
        }
    }

    #[test]
    fn it_stops_at_what_is_marked_alone() {
        let filter =
            Filter::new(&[Marked { number: 257, only: &[], mark: 7 }, Marked { number: 87, only: &[], mark: 9 }]);
        let stops = |mark: u16| libc::SECCOMP_RET_TRACE | u32::from(mark);
        for (number, expected) in [(257, stops(7)), (87, stops(9)), (88, libc::SECCOMP_RET_ALLOW)] {
            assert_eq!(answer(&filter, AUDIT_ARCH, number), expected, "{number}");
        }
        assert_eq!(answer(&filter, 0x4000_0003, 87), stops(FOREIGN));
        assert_eq!(answer(&Filter::new(&[]), AUDIT_ARCH, 87), libc::SECCOMP_RET_ALLOW);
    }

    #[test]
    fn it_looks_at_arguments() {
        const ONLY: &[Bits] = &[
            Bits { argument: 2, bits: 2, set: true },
            Bits { argument: 3, bits: 1, set: true },
            Bits { argument: 3, bits: 0x20, set: false },
        ];
        let after = Marked { number: 87, only: &[], mark: 9 };
        let filter = Filter::new(&[Marked { number: 9, only: ONLY, mark: 7 }, after]);
        let answer = |second: u32, third: u32| answer_to(&filter, AUDIT_ARCH, 9, [0, 0, second, third, 0, 0]);
        let stops = |mark: u16| libc::SECCOMP_RET_TRACE | u32::from(mark);
        assert_eq!(answer(3, 1), stops(7));
        for (second, third) in [(1, 1), (3, 2), (3, 0x21), (0, 0)] {
            assert_eq!(answer(second, third), libc::SECCOMP_RET_ALLOW, "{second} {third}");
        }
        assert_eq!(answer_to(&filter, AUDIT_ARCH, 87, [0; 6]), stops(9));
        // Another mark for the same call counts where the first does not.
        let both = Filter::new(&[Marked { number: 9, only: ONLY, mark: 7 }, Marked { number: 9, only: &[], mark: 8 }]);
        assert_eq!(answer_to(&both, AUDIT_ARCH, 9, [0; 6]), stops(8));
    }
}
