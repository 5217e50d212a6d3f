//! Follows what an agent writes: bounded in memory, whatever the agent does.

use crate::model::OutputTail;
use crate::model::{Point, TrialPlan};
use regex::bytes::Regex;
use std::time::Duration;

/// How much of the end is kept.
const TAIL: usize = 64 * 1024;
/// How many first lines are kept with their times.
const LINES: usize = 256;
/// A longer line is cut there; what follows is part of no line.
const LONGEST: usize = 16 * 1024;

/// The lines of the streams of an agent, and the points that wait for one.
#[derive(Debug)]
pub(crate) struct OutputFollower {
    tail: OutputTail,
    partial: [Vec<u8>; 2],
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    regex: Regex,
    seen: u32,
}

impl OutputFollower {
    /// Follows for the output points of a plan.
    pub(crate) fn new(plan: &TrialPlan) -> Self {
        let points = plan.acts.iter().flat_map(|act| &act.at);
        let patterns = points
            .filter_map(|spec| match &spec.point {
                Point::Output { pattern, .. } => {
                    Some(Pattern { text: pattern.clone(), regex: Regex::new(pattern).ok()?, seen: 0 })
                }
                _ => None,
            })
            .collect();
        Self { tail: OutputTail::default(), partial: [Vec::new(), Vec::new()], patterns }
    }

    /// Takes what arrived on a stream (0 is standard output, 1 standard error).
    pub(crate) fn feed(&mut self, stream: usize, bytes: &[u8], at: Duration) {
        self.tail.total += bytes.len() as u64;
        let kept = bytes.len().min(TAIL);
        self.tail.tail.extend_from_slice(bytes.get(bytes.len() - kept..).unwrap_or_default());
        if self.tail.tail.len() > 2 * TAIL {
            let cut = self.tail.tail.len() - TAIL;
            self.tail.tail.drain(..cut);
        }
        let Some(partial) = self.partial.get_mut(stream) else { return };
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(end);
            push_bounded(partial, head);
            rest = tail.get(1..).unwrap_or_default();
            let line = std::mem::take(partial);
            Self::line(&mut self.patterns, &mut self.tail, &line, at);
        }
        push_bounded(partial, rest);
    }

    fn line(patterns: &mut [Pattern], tail: &mut OutputTail, line: &[u8], at: Duration) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        for pattern in patterns.iter_mut() {
            if pattern.regex.is_match(line) {
                pattern.seen += 1;
            }
        }
        if tail.lines.len() < LINES {
            tail.lines.push((at, String::from_utf8_lossy(line).into_owned()));
        }
    }

    /// How many lines matched this pattern so far.
    pub(crate) fn seen(&self, pattern: &str) -> u32 {
        self.patterns.iter().find(|known| known.text == pattern).map_or(0, |known| known.seen)
    }

    /// What is kept.
    pub(crate) fn into_tail(mut self) -> OutputTail {
        for partial in std::mem::take(&mut self.partial) {
            if !partial.is_empty() && self.tail.lines.len() < LINES {
                let at = self.tail.lines.last().map_or(Duration::ZERO, |(at, _)| *at);
                self.tail.lines.push((at, String::from_utf8_lossy(&partial).into_owned()));
            }
        }
        let surplus = self.tail.tail.len().saturating_sub(TAIL);
        self.tail.tail.drain(..surplus);
        self.tail
    }
}

fn push_bounded(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_sub(line.len());
    line.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Act, Injection, Signal, Stdin};

    fn follower(point: &str) -> OutputFollower {
        let act = Act { at: vec![point.parse().expect("a point")], send: Injection::signal(Signal::TERM) };
        OutputFollower::new(&TrialPlan {
            acts: vec![act],
            grace: Duration::ZERO,
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
        })
    }

    #[test]
    fn lines_are_counted_across_pieces_and_streams() {
        let mut follower = follower("output:/^ready/");
        follower.feed(0, b"rea", Duration::ZERO);
        follower.feed(1, b"noise\n", Duration::ZERO);
        assert_eq!(follower.seen("^ready"), 0);
        follower.feed(0, b"dy 1\nnot ready\nready 2\r\nready without end", Duration::ZERO);
        assert_eq!(follower.seen("^ready"), 2);
        assert_eq!(follower.into_tail().lines.len(), 5);
    }

    #[test]
    fn endless_output_stays_bounded() {
        let mut follower = follower("output:/x$/");
        let block = vec![b'x'; 1 << 20];
        for _ in 0..20 {
            follower.feed(0, &block, Duration::ZERO);
        }
        assert!(follower.partial[0].len() <= LONGEST && follower.tail.tail.len() <= 2 * TAIL + block.len());
        let tail = follower.into_tail();
        assert_eq!((tail.total, tail.tail.len()), (20 << 20, TAIL));
    }
}
