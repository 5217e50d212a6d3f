//! How a process ended.

use super::Signal;
use std::fmt;

/// How a process ended, from the wait status the kernel gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It called exit with this status (0 to 255).
    Exited(i32),
    /// A signal ended it.
    Signaled(Signal),
}

impl Ended {
    /// Decodes a wait(2) status. Real-time signals decode too. A status that
    /// says "stopped" or "continued" is no end and gives `None`.
    pub fn from_wait_status(status: i32) -> Option<Self> {
        let low = status & 0x7f;
        if low == 0 {
            Some(Self::Exited((status >> 8) & 0xff))
        } else if low == 0x7f {
            None
        } else {
            Signal::from_number(low).map(Self::Signaled)
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit {code}"),
            Self::Signaled(signal) => write!(f, "signal {} ({signal})", signal.number()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_the_kernel_writes() {
        assert_eq!(Ended::from_wait_status(0), Some(Ended::Exited(0)));
        assert_eq!(Ended::from_wait_status(3 << 8), Some(Ended::Exited(3)));
        assert_eq!(Ended::from_wait_status(15), Some(Ended::Signaled(Signal::TERM)));
        assert_eq!(Ended::from_wait_status(0x80 | 11), Signal::from_number(11).map(Ended::Signaled));
        assert_eq!(Ended::from_wait_status(40), Signal::from_number(40).map(Ended::Signaled));
        assert_eq!(Ended::from_wait_status(0x137f), None);
    }
}
