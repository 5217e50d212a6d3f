//! From a recording to windows: what is live when, where the run is cut, and how
//! each window is found again in another run. Pure.
//!
//! A window is a stretch of a run in which what is live does not change: no
//! resource comes or goes, no signal gets another meaning. Terminating the agent
//! makes the same difference anywhere in it, so one trial stands for all of it.

mod address;
mod cut;
mod facts;
mod left;
mod lives;
mod names;
mod order;
mod sockets;
#[cfg(test)]
mod tests;
mod thing;
mod waits;

pub use thing::Thing;

use crate::model::{Call, Disposition, Recording, Side, Signal, SyscallPoint};
use std::collections::BTreeSet;
use std::time::Duration;

/// The windows of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// One after the other, from the start on.
    pub windows: Vec<Window>,
    /// What is live in them.
    pub lives: Vec<Life>,
    /// What an undisturbed agent leaves.
    pub kept: BTreeSet<Thing>,
    /// When the run, or the part of it that was looked at, was over.
    pub end: Duration,
    /// How many system calls there were after the recording was full.
    pub omitted: u64,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Which it is, from 0.
    pub number: usize,
    /// What opened it; the start of the agent opens the first.
    pub opened: Option<Opening>,
    /// When it began.
    pub at: Duration,
    /// What is live in it.
    pub live: BTreeSet<Thing>,
    /// The first window in which the same that matters is live: this one, if it is
    /// the first.
    pub kind: usize,
    /// What is left a second after the agent's own process has ended here at once,
    /// as far as its children do then what they did undisturbed.
    pub left: BTreeSet<Thing>,
    /// The signals that the agent's own process blocks here, a bit each.
    pub blocked: u64,
    /// The longest wait that begins in it.
    pub wait: Option<Wait>,
}

/// What opens a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Its place in the recording.
    pub index: usize,
    /// Its address: the moment after it.
    pub point: SyscallPoint,
    /// In words: the call and what it is about.
    pub what: String,
}

/// A moment right before or after a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The place of the call in the recording.
    pub index: usize,
    /// Its address.
    pub point: SyscallPoint,
}

/// A process waits in a system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The place of the process in the tree.
    pub role: String,
    /// The system call.
    pub name: String,
    /// How long, in this window.
    pub length: Duration,
}

/// The life of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What lives.
    pub thing: Thing,
    /// The window in which it comes to be.
    pub first: usize,
    /// The last in which it is live.
    pub last: usize,
}

/// Who made a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maker<'a> {
    /// Its place in the tree.
    pub role: &'a str,
    /// What it ran then; none for the agent itself.
    pub command: Option<&'a str>,
    /// The system call.
    pub call: &'a str,
    /// Its place in the recording.
    pub index: usize,
}

/// The pattern of a name, and which of several of it this is: the second is called
/// `… (2)`.
pub(crate) fn pattern_and_number(name: &str) -> (&str, usize) {
    let number = name.rsplit_once(" (").and_then(|(pattern, number)| {
        let number = number.trim_end_matches(')').parse().ok()?;
        Some((pattern, number))
    });
    number.unwrap_or((name, 1))
}

fn pattern_of(name: &str) -> &str {
    pattern_and_number(name).0
}

/// Whether a path is one of a pattern.
fn fits(name: &str, path: &str) -> bool {
    let pattern = pattern_of(name);
    pattern == path
        || (pattern.contains('*')
            && globset::GlobBuilder::new(&crate::model::as_glob(pattern))
                .literal_separator(true)
                .build()
                .is_ok_and(|glob| glob.compile_matcher().is_match(path)))
}

/// What a termination in a window would do, as far as the control can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prediction {
    /// The agent ends at once, and these stay.
    Leaks(Vec<Thing>),
    /// A handler runs: what it cleans up is its own affair, and these are there for it.
    Handled(Vec<Thing>),
    /// The signal has no effect.
    Ignored,
    /// The signal has no effect for now.
    Blocked,
    /// The agent ends at once while it writes these files through its memory. How far it
    /// has come is not to be seen from system calls.
    Mapped(Vec<Thing>),
}

/// The windows of a run up to `until`. `other` is another run of the same agent:
/// names that differ between the two are left open.
pub fn windows(recording: &Recording, other: &Recording, until: Duration) -> Map {
    cut::cut(recording, other, &(Duration::ZERO..until)).for_signals(&lives::TERMINATING)
}

/// The windows of a run from a moment on, such as that of a termination. Their addresses
/// count from there.
pub fn windows_after(recording: &Recording, other: &Recording, from: Duration) -> Map {
    cut::cut(recording, other, &(from..Duration::MAX)).for_signals(&lives::TERMINATING)
}

/// The calls that succeeded from a moment on, each with the moment right before it,
/// which counts from there. Of those with the same address but for their number, the
/// first and the last.
pub fn calls_after<'a>(recording: &'a Recording, other: &Recording, from: Duration) -> Vec<(SyscallPoint, &'a Call)> {
    let names = names::Names::learn(recording, other);
    let made = recording.seen.iter().enumerate().filter(|(_, seen)| seen.began >= from);
    let mut calls: Vec<(SyscallPoint, &Call)> = Vec::new();
    for (index, seen) in made {
        let Some(call) = seen.call().filter(|call| call.succeeded()) else { continue };
        let Some(point) = address::address(recording, index, &names, Side::Enter, from) else { continue };
        let alike = |(other, _): &(SyscallPoint, &Call)| {
            SyscallPoint { nth: 0, ..other.clone() } == SyscallPoint { nth: 0, ..point.clone() }
        };
        let places: Vec<usize> =
            calls.iter().enumerate().filter(|(_, other)| alike(other)).map(|(place, _)| place).collect();
        if let [_, last] = places.as_slice() {
            calls.remove(*last);
        }
        calls.push((point, call));
    }
    calls
}

/// Every moment on these sides of a system call that was recorded, up to `until`; of one that
/// never returned, in which an agent rests, the moment before. Not
/// futex: threads wait for each other another number of times in every run.
pub fn every_moment(recording: &Recording, other: &Recording, until: Duration, sides: &[Side]) -> Vec<Moment> {
    let names = names::Names::learn(recording, other);
    let lives = |seen: &crate::model::Seen| seen.began < until && (seen.role != "0" || seen.call().is_some());
    let taken = recording.seen.iter().enumerate().take_while(|(_, seen)| lives(seen));
    let calls = taken.filter_map(|(index, seen)| Some((index, seen.call().filter(|call| call.name != "futex")?)));
    let is_made = |call: &Call, side: Side| call.succeeded() || side == Side::Enter && call.result.is_none();
    let of = |(index, call): (usize, &Call)| {
        let made: Vec<Side> = sides.iter().copied().filter(|side| is_made(call, *side)).collect();
        made.into_iter().map(move |side| (index, side))
    };
    let moment = |(index, side)| {
        Some(Moment { index, point: address::address(recording, index, &names, side, Duration::ZERO)? })
    };
    calls.flat_map(of).filter_map(moment).collect()
}

impl Map {
    /// The same windows, where only these signals matter: two windows that differ in
    /// what another signal would do are of the same kind.
    #[must_use]
    pub fn for_signals(mut self, signals: &[Signal]) -> Self {
        let matters = |thing: &&Thing| match thing {
            Thing::Signal { number, .. } | Thing::Blocked { number, .. } => {
                signals.iter().any(|signal| signal.number() == *number)
            }
            _ => true,
        };
        let mut known: Vec<(BTreeSet<&Thing>, usize)> = Vec::new();
        let mut kinds: Vec<usize> = Vec::new();
        for window in &self.windows {
            let live: BTreeSet<&Thing> = window.live.iter().filter(matters).collect();
            let kind = known.iter().find(|(other, _)| *other == live).map(|(_, kind)| *kind);
            kinds.push(kind.unwrap_or(window.number));
            if kind.is_none() {
                known.push((live, window.number));
            }
        }
        self.windows.iter_mut().zip(kinds).for_each(|(window, kind)| window.kind = kind);
        self
    }

    /// The same windows, where of all files an undisturbed agent leaves these only.
    #[must_use]
    pub fn leaving<'a>(mut self, paths: impl Iterator<Item = &'a String> + Clone) -> Self {
        self.kept.retain(|thing| thing.path().is_none_or(|name| paths.clone().any(|path| fits(name, path))));
        self
    }

    /// The window that a moment lies in.
    pub fn window_of(&self, moment: &Moment) -> usize {
        let before = |window: &&Window| window.opened.as_ref().is_none_or(|opening| opening.index <= moment.index);
        self.windows.iter().rev().find(before).map_or(0, |window| window.number)
    }

    /// The numbers of the windows that are worth a trial each, the most different
    /// first: one of each kind, then the last of each kind that has several.
    pub fn chosen(&self) -> Vec<usize> {
        order::chosen(self)
    }

    /// The lives of what was made at this path, in this run or another, one after the
    /// other. Names that differ from run to run can stand for several things; of several
    /// names that fit, the one that says most does.
    pub fn lives_of(&self, path: &str) -> Vec<&Life> {
        let fitting = self.lives.iter().filter(|life| life.thing.is_made() && life.thing.is_at(path));
        let literal = |name: &str| pattern_of(name).chars().filter(|one| *one != '*').count();
        let says = |life: &&Life| life.thing.path().map_or(0, literal);
        let mut lives: Vec<&Life> = fitting.collect();
        let most = lives.iter().map(says).max().unwrap_or(0);
        lives.retain(|life| says(life) == most);
        lives
    }

    /// The pattern of a path that something was made at, where that has a name which
    /// differs from run to run.
    pub fn pattern(&self, path: &str) -> Option<&str> {
        let name = self.lives_of(path).first()?.thing.path()?;
        Some(pattern_of(name)).filter(|pattern| pattern.contains('*'))
    }

    /// Who made what lives that life: its place in the tree, what it ran, and the call.
    pub fn maker(&self, life: &Life) -> Option<Maker<'_>> {
        let window = self.windows.get(life.first)?;
        let opening = window.opened.as_ref()?;
        let role = opening.point.role.as_deref()?;
        let command = window.live.iter().find_map(|thing| match thing {
            Thing::Process { role: other, command } if other == role => Some(command.as_str()),
            _ => None,
        });
        Some(Maker { role, command, call: &opening.point.name, index: opening.index })
    }

    /// What a signal to the agent's own process would do in this window.
    pub fn predict(&self, window: &Window, signal: Signal) -> Prediction {
        let counts = |thing: &&Thing| {
            // An empty file that was just made is as good as none.
            let lost = |path: &String| window.live.contains(&Thing::Changed(path.clone()));
            thing.outlives() && !self.kept.contains(thing) && !matches!(thing, Thing::Empty(path) if !lost(path))
        };
        let leaks = || -> Vec<Thing> { window.left.iter().filter(counts).cloned().collect() };
        let ends = || {
            let mapped: Vec<&Thing> = window.live.iter().filter(|thing| matches!(thing, Thing::Mapped(_))).collect();
            let is_mapped = |path: &str| mapped.iter().any(|thing| thing.path() == Some(path));
            let is_sure = |thing: &Thing| !matches!(thing, Thing::Partial(path) if is_mapped(path));
            let sure: Vec<Thing> = leaks().into_iter().filter(is_sure).collect();
            if sure.is_empty() && !mapped.is_empty() {
                return Prediction::Mapped(mapped.into_iter().cloned().collect());
            }
            Prediction::Leaks(sure)
        };
        if signal == Signal::KILL {
            return ends();
        }
        if window.blocked >> (signal.number() - 1) & 1 == 1 {
            return Prediction::Blocked;
        }
        for thing in &window.live {
            match thing {
                Thing::Signal { role, number, does, .. } if role == "0" && *number == signal.number() => {
                    return match does {
                        Disposition::Ignored => Prediction::Ignored,
                        _ => Prediction::Handled(leaks()),
                    };
                }
                _ => {}
            }
        }
        ends()
    }
}
