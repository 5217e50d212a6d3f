//! What disturbs the timing of an agent, to shake races loose.

use std::fmt;

/// How an agent is scheduled otherwise than by itself. It changes when things happen, and
/// nothing else: every order that it leads to is one that a busy machine can show too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Noise {
    /// Whether all of its processes and threads share one CPU.
    pub one_cpu: bool,
    /// How much it gives way to others, as in nice(1): 0 to 19.
    pub nice: u8,
    /// How many threads that only compute run beside it, on its CPU if it has one: 0 to 4.
    pub neighbours: u8,
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let busy = match self.neighbours {
            0 => None,
            1 => Some("beside a busy thread".to_owned()),
            more => Some(format!("beside {more} busy threads")),
        };
        let parts = [
            self.one_cpu.then(|| "on one CPU".to_owned()),
            (self.nice > 0).then(|| format!("nice {}", self.nice)),
            busy,
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Noise {
    /// None at all.
    pub const NONE: Self = Self { one_cpu: false, nice: 0, neighbours: 0 };
    /// The most that nice(1) takes.
    pub const MOST_NICE: u8 = 19;
    /// The most neighbours: they take time from other trials too.
    pub const MOST_NEIGHBOURS: u8 = 4;

    /// Whether there is any.
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }
}
