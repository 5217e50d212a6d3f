//! Where and how a future is cancelled, as data that prints as a token and is read
//! back from one. Pure.

use crate::model::{format_span, parse_span};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A moment in the life of a future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    /// It has just been suspended, for the how manieth time, from 1.
    Await(u32),
    /// It has been suspended so often and is about to be polled again: what it waited for
    /// may be there, and it has not seen it.
    Wake(u32),
    /// So long after its start, by tokio's clock.
    Time(Duration),
    /// The runtime has polled so many tasks since its start, whoever started them.
    Turn(u32),
}

/// A moment of one of the agent's futures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    /// 0 is the agent's own future, 1 the first task that [`Trial::spawn`](super::Trial::spawn)
    /// started.
    pub task: u32,
    /// When.
    pub moment: Moment,
}

/// How a future is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    /// It is dropped. Of a task: everything is, as when a runtime is shut down.
    Drop,
    /// It runs as a task, which is aborted.
    Abort,
    /// The agent's cancellation token is cancelled, and the future goes on to its end.
    Token,
    /// It runs within `tokio::time::timeout`.
    Timeout,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Drop, Self::Abort, Self::Token, Self::Timeout];
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "drop",
            Self::Abort => "abort",
            Self::Token => "token",
            Self::Timeout => "timeout",
        })
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|by| by.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no way to cancel a future: drop, abort, token, timeout"))
    }
}

/// One cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cancel {
    /// Where.
    pub at: Point,
    /// How.
    pub by: By,
}

/// In which other order than the runtime's futures are polled. Polls are counted from 1, those
/// of the agent's own future and those of all tasks that were started through its trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Order {
    /// Polls that are put off until all others who can go on have been polled. The poll that
    /// is made then has a number of its own.
    pub late: Polls,
    /// Polls after which the future, if it is suspended, is polled again though nothing has
    /// woken it.
    pub early: Polls,
}

/// So many polls are put off at most in one trial, and so many are followed by another.
pub(super) const MOST_POLLS: usize = 4;

/// Numbers of polls, up to four, ascending, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Polls([u32; MOST_POLLS]);

impl Polls {
    /// The first four of these; 0 is the number of no poll.
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let numbers: BTreeSet<u32> = numbers.into_iter().filter(|number| *number > 0).collect();
        let mut polls = Self::default();
        for (place, number) in polls.0.iter_mut().zip(numbers) {
            *place = number;
        }
        polls
    }

    /// Their numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied().filter(|number| *number > 0)
    }
}

impl Order {
    /// Whether it is that of the runtime.
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// How many polls it changes.
    pub(super) fn changes(&self) -> usize {
        self.late.numbers().chain(self.early.numbers()).count()
    }
}

/// What is done in one trial of a future. Nothing, in a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Plan {
    /// The cancel.
    pub first: Option<Cancel>,
    /// After a token was cancelled, the how manieth suspension of the cleanup is the one
    /// at which the future is dropped.
    pub second: Option<u32>,
    /// In which order futures are polled.
    pub order: Order,
}

const FORM: &str = "a token of a future is like q1/at=await:7/send=drop";

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.task > 0 {
            write!(f, "[{}]", self.task)?;
        }
        match self.moment {
            Moment::Await(nth) => write!(f, "await:{nth}"),
            Moment::Wake(nth) => write!(f, "wake:{nth}"),
            Moment::Time(after) => write!(f, "time:{}", format_span(after)),
            Moment::Turn(nth) => write!(f, "turn:{nth}"),
        }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (task, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((task, rest)) => (task.parse().ok().filter(|task| *task > 0).ok_or(FORM)?, rest),
            None => (0, text),
        };
        let nth = |text: &str| text.parse().ok().filter(|nth| *nth > 0).ok_or(FORM);
        let moment = match rest.split_once(':') {
            Some(("await", text)) => Moment::Await(nth(text)?),
            Some(("wake", text)) => Moment::Wake(nth(text)?),
            Some(("turn", text)) if task == 0 => Moment::Turn(nth(text)?),
            Some(("time", text)) if task == 0 => Moment::Time(parse_span(text).map_err(|error| error.to_string())?),
            _ => return Err(format!("`{text}` is no point of a future; {FORM}")),
        };
        Ok(Self { task, moment })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("q1")?;
        if let Some(Cancel { at, by }) = self.first {
            write!(f, "/at={at}/send={by}")?;
        }
        if let Some(nth) = self.second {
            write!(f, "/at=+await:{nth}/send=drop")?;
        }
        write!(f, "{}", self.order)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, polls) in [("late", self.late), ("early", self.early)] {
            let numbers: Vec<String> = polls.numbers().map(|number| number.to_string()).collect();
            if !numbers.is_empty() {
                write!(f, "/{key}={}", numbers.join(","))?;
            }
        }
        Ok(())
    }
}

/// Takes `/early=…` and then `/late=…` from the end of a token.
fn split_order(text: &str) -> Result<(&str, Order), String> {
    let split = |text, key: &str| match str::rsplit_once(text, key) {
        None => Ok((text, Polls::default())),
        Some((rest, numbers)) => {
            let read: Result<Vec<u32>, _> = numbers.split(',').map(str::parse).collect();
            let read = read.map_err(|_| format!("`{key}{numbers}` names no polls: write {key}3,9"))?;
            let polls = Polls::of(read.iter().copied());
            if polls.numbers().ne(read.iter().copied()) {
                return Err(format!("`{key}{numbers}`: up to {MOST_POLLS} polls, ascending, the first is 1"));
            }
            Ok((rest, polls))
        }
    };
    let (text, early) = split(text, "/early=")?;
    let (text, late) = split(text, "/late=")?;
    Ok((text, Order { late, early }))
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, order) = split_order(text.strip_prefix("q1/at=").ok_or(FORM)?)?;
        let (first, second) = match rest.split_once("/at=+await:") {
            Some((first, second)) => (first, Some(second)),
            None => (rest, None),
        };
        let (at, by) = first.split_once("/send=").ok_or(FORM)?;
        let (at, by): (Point, By) = (at.parse()?, by.parse()?);
        if matches!(at.moment, Moment::Time(_)) != (by == By::Timeout) {
            return Err(format!("a timeout has a time, and only it has one; {FORM}"));
        }
        if matches!(at.moment, Moment::Turn(_)) && by != By::Drop {
            return Err(format!("between turns of the runtime everything is dropped; {FORM}"));
        }
        if at.task > 0 && !matches!(by, By::Drop | By::Abort) {
            return Err(format!("a task is aborted, or dropped with everything else; {FORM}"));
        }
        let second = match second {
            None => None,
            Some(_) if by != By::Token => return Err(format!("only a token has a cleanup to be cancelled in; {FORM}")),
            Some(text) => {
                let nth = text.strip_suffix("/send=drop").and_then(|nth| nth.parse().ok()).filter(|nth| *nth > 0);
                Some(nth.ok_or(FORM)?)
            }
        };
        Ok(Self { first: Some(Cancel { at, by }), second, order })
    }
}

impl Plan {
    /// Cancels once.
    pub(super) fn once(task: u32, moment: Moment, by: By) -> Self {
        Self { first: Some(Cancel { at: Point { task, moment }, by }), ..Self::default() }
    }

    /// Whether it takes a runtime whose turns are taken one at a time.
    pub(super) fn is_of_turns(&self) -> bool {
        self.first.is_some_and(|cancel| matches!(cancel.at.moment, Moment::Turn(_)))
    }

    /// Whether everything is dropped, the runtime too.
    pub(super) fn shuts_down(&self) -> bool {
        self.is_of_turns() || self.first.is_some_and(|cancel| cancel.at.task > 0 && cancel.by == By::Drop)
    }

    /// Where, for a person.
    pub(super) fn place_text(&self) -> String {
        let first = self.first.map(|cancel| cancel.at.to_string()).unwrap_or_default();
        let mut text = first;
        if let Some(nth) = self.second {
            text.push_str(&format!(" then +await:{nth}"));
        }
        let told = |(what, polls): (&str, Polls)| {
            let numbers: Vec<String> = polls.numbers().map(|number| number.to_string()).collect();
            (!numbers.is_empty()).then(|| format!("{what} {}", numbers.join(" ")))
        };
        let order: Vec<String> =
            [("late", self.order.late), ("early", self.order.early)].into_iter().filter_map(told).collect();
        if order.is_empty() { text } else { format!("{text} ({})", order.join("; ")) }
    }

    /// How, for a person.
    pub(super) fn by_text(&self) -> String {
        let first = self.first.map(|cancel| cancel.by.to_string()).unwrap_or_default();
        if self.second.is_some() { format!("{first}, drop") } else { first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_reads() {
        for text in [
            "q1/at=await:7/send=drop",
            "q1/at=wake:1/send=abort",
            "q1/at=[2]await:3/send=abort",
            "q1/at=await:2/send=token/at=+await:4/send=drop",
            "q1/at=time:250ms/send=timeout",
            "q1/at=turn:12/send=drop",
            "q1/at=await:7/send=drop/late=3,9",
            "q1/at=wake:2/send=token/at=+await:4/send=drop/late=1/early=2,3,4,5",
            "q1/at=time:5ms/send=timeout/early=6",
        ] {
            assert_eq!(text.parse::<Plan>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "",
            "q1",
            "q2/at=await:1/send=drop",
            "q1/at=await:0/send=drop",
            "q1/at=await:1/send=kill",
            "q1/at=time:1s/send=drop",
            "q1/at=await:1/send=timeout",
            "q1/at=[0]await:1/send=drop",
            "q1/at=[1]await:1/send=token",
            "q1/at=[1]time:1s/send=timeout",
            "q1/at=turn:1/send=abort",
            "q1/at=turn:0/send=drop",
            "q1/at=[1]turn:1/send=drop",
            "q1/at=await:1/send=drop/at=+await:1/send=drop",
            "q1/at=await:1/send=token/at=+await:0/send=drop",
            "q1/at=await:1/send=token/at=+await:1/send=abort",
            "q1/at=await:1/send=drop/late=",
            "q1/at=await:1/send=drop/late=0",
            "q1/at=await:1/send=drop/late=2,1",
            "q1/at=await:1/send=drop/late=1,2,3,4,5",
            "q1/at=await:1/send=drop/early=1/late=2",
            "q1/late=1",
        ] {
            assert!(text.parse::<Plan>().is_err(), "{text}");
        }
    }
}
