//! The messages between Quietus and the init of a cell: 16 bytes each on a
//! SOCK_SEQPACKET pair, so that a message is never split or merged.

/// How many descriptors the init hands over, at most.
pub const SLOTS: usize = 8;

/// What the init says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// This step of the set-up failed; the init is gone.
    SetupFailed {
        /// Index into the steps.
        step: u32,
        /// What the kernel said.
        errno: i32,
    },
    /// This optional step failed and was left out.
    StepSkipped {
        /// Index into the steps.
        step: u32,
        /// What the kernel said.
        errno: i32,
    },
    /// The cell stands. The descriptors come with it, one for each bit of the mask.
    Ready {
        /// Bit n is set when slot n was sent.
        slots: u32,
    },
    /// The program runs: its exec succeeded.
    Started {
        /// Index into the programs.
        program: u32,
        /// Its pid in the cell.
        pid: i32,
    },
    /// The program could not be executed.
    ExecFailed {
        /// Index into the programs.
        program: u32,
        /// What the kernel said.
        errno: i32,
    },
    /// The host stub of a program runs: the process that will be its parent.
    HostStarted {
        /// Index into the programs.
        program: u32,
        /// The stub's pid in the cell.
        pid: i32,
    },
    /// A process was waited for.
    Reaped {
        /// Its pid in the cell.
        pid: i32,
        /// Its wait status.
        status: i32,
    },
    /// Every process is ended and waited for, but for these.
    AllEnded {
        /// How many could not be signalled.
        left: u32,
    },
    /// Nobody but the init is left.
    Empty,
    /// A connection was begun; its socket comes with it, or there is none for this reason.
    Connected {
        /// What the kernel said; 0 where there is a socket.
        errno: i32,
    },
}

/// What Quietus asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Run this program.
    Run {
        /// Index into the programs.
        program: u32,
    },
    /// Send a signal to a process group, at once to all members.
    KillGroup {
        /// The group.
        group: i32,
        /// The signal number.
        signal: i32,
    },
    /// The agent was looked at: it may be waited for now.
    Noted,
    /// End every process. Only a keeper is asked: a cell ends with its init.
    EndAll,
    /// Leave without another word, and without cleaning up.
    Leave,
    /// Send a signal to every process of the cell, at once.
    KillAll {
        /// The signal number.
        signal: i32,
    },
    /// Connect to a port of the loopback interface, in the network of the cell.
    Connect {
        /// The port, TCP.
        port: u16,
        /// By IPv6.
        six: bool,
    },
}

/// One message as bytes.
pub(super) type Packet = [u8; 16];

fn pack(kind: u32, first: u32, second: i32) -> Packet {
    let mut packet = [0; 16];
    let words = [kind.to_ne_bytes(), first.to_ne_bytes(), second.to_ne_bytes()];
    let mut index = 0;
    while index < 12 {
        packet[index] = words[index / 4][index % 4];
        index += 1;
    }
    packet
}

fn unpack(packet: &[u8]) -> Option<(u32, u32, i32)> {
    let word = |at: usize| packet.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    if packet.len() != 16 {
        return None;
    }
    Some((u32::from_ne_bytes(word(0)?), u32::from_ne_bytes(word(4)?), i32::from_ne_bytes(word(8)?)))
}

impl Report {
    pub(super) fn to_packet(self) -> Packet {
        match self {
            Self::SetupFailed { step, errno } => pack(1, step, errno),
            Self::StepSkipped { step, errno } => pack(2, step, errno),
            Self::Ready { slots } => pack(3, slots, 0),
            Self::Started { program, pid } => pack(4, program, pid),
            Self::ExecFailed { program, errno } => pack(5, program, errno),
            Self::HostStarted { program, pid } => pack(6, program, pid),
            Self::Reaped { pid, status } => pack(7, pid.cast_unsigned(), status),
            Self::AllEnded { left } => pack(8, left, 0),
            Self::Empty => pack(9, 0, 0),
            Self::Connected { errno } => pack(10, 0, errno),
        }
    }

    pub(super) fn from_packet(packet: &[u8]) -> Option<Self> {
        let (kind, first, second) = unpack(packet)?;
        Some(match kind {
            1 => Self::SetupFailed { step: first, errno: second },
            2 => Self::StepSkipped { step: first, errno: second },
            3 => Self::Ready { slots: first },
            4 => Self::Started { program: first, pid: second },
            5 => Self::ExecFailed { program: first, errno: second },
            6 => Self::HostStarted { program: first, pid: second },
            7 => Self::Reaped { pid: first.cast_signed(), status: second },
            8 => Self::AllEnded { left: first },
            9 => Self::Empty,
            10 => Self::Connected { errno: second },
            _ => return None,
        })
    }
}

impl Command {
    pub(super) fn to_packet(self) -> Packet {
        match self {
            Self::Run { program } => pack(1, program, 0),
            Self::KillGroup { group, signal } => pack(2, group.cast_unsigned(), signal),
            Self::Noted => pack(3, 0, 0),
            Self::EndAll => pack(4, 0, 0),
            Self::Leave => pack(5, 0, 0),
            Self::KillAll { signal } => pack(6, 0, signal),
            Self::Connect { port, six } => pack(7, port as u32, six as i32),
        }
    }

    pub(super) fn from_packet(packet: &[u8]) -> Option<Self> {
        let (kind, first, second) = unpack(packet)?;
        match kind {
            1 => Some(Self::Run { program: first }),
            2 => Some(Self::KillGroup { group: first.cast_signed(), signal: second }),
            3 => Some(Self::Noted),
            4 => Some(Self::EndAll),
            5 => Some(Self::Leave),
            6 => Some(Self::KillAll { signal: second }),
            7 => Some(Self::Connect { port: first as u16, six: second != 0 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire() {
        for report in [
            Report::SetupFailed { step: 3, errno: 22 },
            Report::StepSkipped { step: 9, errno: 1 },
            Report::Ready { slots: 0b1011 },
            Report::Started { program: 1, pid: 7 },
            Report::ExecFailed { program: 0, errno: 13 },
            Report::HostStarted { program: 0, pid: 2 },
            Report::Reaped { pid: 42, status: 15 },
            Report::AllEnded { left: 2 },
            Report::Empty,
            Report::Connected { errno: 111 },
        ] {
            assert_eq!(Report::from_packet(&report.to_packet()), Some(report));
        }
        for command in [
            Command::Run { program: 2 },
            Command::KillGroup { group: 5, signal: 64 },
            Command::Noted,
            Command::EndAll,
            Command::Leave,
            Command::KillAll { signal: 19 },
            Command::Connect { port: 65535, six: true },
        ] {
            assert_eq!(Command::from_packet(&command.to_packet()), Some(command));
        }
        assert_eq!(Report::from_packet(&[0; 16]), None);
        assert_eq!(Command::from_packet(&[1; 3]), None);
    }
}
