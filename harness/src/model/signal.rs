//! Signals by name and number, the real-time ones included.

use std::fmt;
use std::str::FromStr;

/// A signal number as Linux has it on x86_64 and aarch64 (1 to 64).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

/// Text that names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a signal: use a name such as TERM, INT, HUP, KILL or RTMIN+3, or a number from 1 to 64")]
pub struct SignalError {
    text: String,
}

const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The first and last real-time signals a program can use: glibc keeps 32 and 33.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

impl Signal {
    /// SIGHUP
    pub const HUP: Self = Self(1);
    /// SIGINT
    pub const INT: Self = Self(2);
    /// SIGQUIT
    pub const QUIT: Self = Self(3);
    /// SIGKILL
    pub const KILL: Self = Self(9);
    /// SIGPIPE
    pub const PIPE: Self = Self(13);
    /// SIGTERM
    pub const TERM: Self = Self(15);
    /// SIGCONT
    pub const CONT: Self = Self(18);
    /// SIGSTOP
    pub const STOP: Self = Self(19);

    /// The signal with this number, if it is between 1 and 64.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=64).contains(&number).then_some(Self(number))
    }

    /// The kernel's number.
    pub fn number(self) -> i32 {
        self.0
    }

    /// Whether the default action ends the process (see signal(7)).
    pub fn ends_by_default(self) -> bool {
        !matches!(self.0, 17..=23 | 28)
    }

    /// Whether it says that the program itself went wrong: a crash, not a termination.
    pub fn is_crash(self) -> bool {
        matches!(self.0, 4 | 5 | 6 | 7 | 8 | 11 | 31)
    }

    /// The status a shell gives for a death by this signal: 128 + number.
    pub fn shell_status(self) -> i32 {
        128 + self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMES.iter().find(|(_, number)| *number == self.0) {
            f.write_str(name)
        } else if self.0 == *REAL_TIME.start() {
            f.write_str("RTMIN")
        } else if REAL_TIME.contains(&self.0) {
            write!(f, "RTMIN+{}", self.0 - REAL_TIME.start())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl FromStr for Signal {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let error = || SignalError { text: text.to_owned() };
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self(*number));
        }
        let number = match name {
            "RTMIN" => *REAL_TIME.start(),
            "RTMAX" => *REAL_TIME.end(),
            "POLL" => 29,
            "CLD" => 17,
            "IOT" => 6,
            _ => {
                if let Some(offset) = name.strip_prefix("RTMIN+") {
                    REAL_TIME.start() + small(offset).ok_or_else(error)?
                } else if let Some(offset) = name.strip_prefix("RTMAX-") {
                    REAL_TIME.end() - small(offset).ok_or_else(error)?
                } else {
                    let number = small(text).ok_or_else(error)?;
                    return Self::from_number(number).ok_or_else(error);
                }
            }
        };
        REAL_TIME
            .contains(&number)
            .then_some(Self(number))
            .or_else(|| Self::from_number(number).filter(|_| !name.starts_with("RT")))
            .ok_or_else(error)
    }
}

fn small(digits: &str) -> Option<i32> {
    (!digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_prints_and_reads_back() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).expect("in range");
            assert_eq!(signal.to_string().parse(), Ok(signal), "{signal}");
        }
    }

    #[test]
    fn names_come_in_several_spellings() {
        for (text, number) in [
            ("term", 15),
            ("SIGTERM", 15),
            ("15", 15),
            ("RTMIN", 34),
            ("RTMIN+3", 37),
            ("RTMAX", 64),
            ("RTMAX-1", 63),
            ("IOT", 6),
        ] {
            assert_eq!(text.parse::<Signal>().map(Signal::number), Ok(number), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "0", "65", "TERMINATE", "RTMIN+99", "RTMAX-31", "-9", "SIG", "+9"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }
}
