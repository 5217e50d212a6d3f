//! Follows what an agent writes: bounded in memory, whatever the agent does.

use crate::model::{Line, OutputTail, Pattern as Wanted, Point, Stream, TrialPlan, plain};
use regex::bytes::Regex;
use std::time::Duration;

/// How much of the end is kept.
const TAIL: usize = 64 * 1024;
/// How many first lines are kept with their times.
const LINES: usize = 256;
/// A longer line is cut there; what follows is part of no line.
const LONGEST: usize = 16 * 1024;

/// How many lines that were asked for are kept, and how much they may say.
const KEPT: usize = 10_000;
const KEPT_BYTES: usize = 1 << 20;

/// The lines of the streams of an agent, and the points that wait for one.
#[derive(Debug)]
pub(crate) struct OutputFollower {
    tail: OutputTail,
    partial: [Partial; 2],
    patterns: Vec<Pattern>,
    /// What is asked for of the lines.
    keep: Vec<Wanted>,
    kept_bytes: usize,
}

/// A line that has not ended.
#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    /// Whether it was longer.
    cut: bool,
    /// When its last bytes came.
    at: Duration,
}

#[derive(Debug)]
struct Pattern {
    text: String,
    regex: Regex,
    seen: u32,
}

impl OutputFollower {
    /// Follows for the output points of a plan, and for lines that are to be kept.
    pub(crate) fn new(plan: &TrialPlan, keep: &[Wanted]) -> Self {
        let points = plan.acts.iter().flat_map(|act| &act.at);
        let patterns = points
            .filter_map(|spec| match &spec.point {
                Point::Output { pattern, .. } => {
                    Some(Pattern { text: pattern.clone(), regex: Regex::new(pattern).ok()?, seen: 0 })
                }
                _ => None,
            })
            .collect();
        let (tail, partial) = (OutputTail::default(), <[Partial; 2]>::default());
        Self { tail, partial, patterns, keep: keep.to_vec(), kept_bytes: 0 }
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
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(end);
            rest = tail.get(1..).unwrap_or_default();
            let Some(partial) = self.partial.get_mut(stream) else { return };
            partial.push(head, at);
            let line = std::mem::take(partial);
            self.line(stream, &line);
        }
        if let Some(partial) = self.partial.get_mut(stream) {
            partial.push(rest, at);
        }
    }

    fn line(&mut self, stream: usize, line: &Partial) {
        let bytes = line.text();
        for pattern in &mut self.patterns {
            if pattern.regex.is_match(bytes) {
                pattern.seen += 1;
            }
        }
        if self.tail.lines.len() < LINES {
            self.tail.lines.push((line.at, String::from_utf8_lossy(bytes).into_owned()));
        }
        self.keep(stream, line);
    }

    /// Keeps a line that was asked for.
    fn keep(&mut self, stream: usize, line: &Partial) {
        if self.keep.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(line.text());
        let text = plain(&text);
        let room = self.tail.kept.len() < KEPT && self.kept_bytes + text.len() <= KEPT_BYTES;
        let wanted = self.keep.iter().any(|pattern| pattern.is_in(&text));
        if wanted && room {
            self.kept_bytes += text.len();
            let stream = if stream == 0 { Stream::Output } else { Stream::Error };
            self.tail.kept.push(Line { at: line.at, stream, text: text.into_owned() });
        }
        self.tail.unkept += u64::from(line.cut || (wanted && !room));
    }

    /// How many lines matched this pattern so far.
    pub(crate) fn seen(&self, pattern: &str) -> u32 {
        self.patterns.iter().find(|known| known.text == pattern).map_or(0, |known| known.seen)
    }

    /// What is kept.
    pub(crate) fn into_tail(mut self) -> OutputTail {
        for (stream, partial) in std::mem::take(&mut self.partial).into_iter().enumerate() {
            if partial.bytes.is_empty() {
                continue;
            }
            if self.tail.lines.len() < LINES {
                let at = self.tail.lines.last().map_or(Duration::ZERO, |(at, _)| *at);
                self.tail.lines.push((at, String::from_utf8_lossy(&partial.bytes).into_owned()));
            }
            self.keep(stream, &partial);
        }
        let surplus = self.tail.tail.len().saturating_sub(TAIL);
        self.tail.tail.drain(..surplus);
        self.tail
    }
}

impl Partial {
    fn push(&mut self, bytes: &[u8], at: Duration) {
        let room = LONGEST.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        self.cut |= bytes.len() > room;
        if !bytes.is_empty() || self.bytes.is_empty() {
            self.at = at;
        }
    }

    /// What it says, without the CR of a terminal's line end.
    fn text(&self) -> &[u8] {
        self.bytes.strip_suffix(b"\r").unwrap_or(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Act, Injection, Signal, Stdin};

    fn follower(point: &str) -> OutputFollower {
        let act = Act { at: vec![point.parse().expect("a point")], send: Injection::signal(Signal::TERM) };
        let (grace, stdin) = (Duration::ZERO, Stdin::Closed);
        OutputFollower::new(
            &TrialPlan { acts: vec![act], grace, stdin, pty: false, pid1: false, noise: crate::model::Noise::NONE },
            &[],
        )
    }

    fn keeper(pattern: &str) -> OutputFollower {
        let mut follower = follower("start");
        follower.keep.push(pattern.parse().expect("a pattern"));
        follower
    }

    fn texts(tail: &OutputTail) -> Vec<&str> {
        tail.kept.iter().map(|line| line.text.as_str()).collect()
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
        assert!(follower.partial[0].bytes.len() <= LONGEST && follower.tail.tail.len() <= 2 * TAIL + block.len());
        let tail = follower.into_tail();
        assert_eq!((tail.total, tail.tail.len()), (20 << 20, TAIL));
    }

    #[test]
    fn what_is_asked_for_is_kept_wherever_it_comes() {
        let mut follower = keeper("done|free");
        let noise = "noise\n".repeat(100_000);
        follower.feed(0, b"free early\n", Duration::from_secs(1));
        follower.feed(0, noise.as_bytes(), Duration::from_secs(2));
        follower.feed(1, b"\x1b[32mdone\x1b[0m and", Duration::from_secs(3));
        follower.feed(0, noise.as_bytes(), Duration::from_secs(4));
        follower.feed(1, b" done\r\nnothing\n", Duration::from_secs(5));
        follower.feed(0, noise.as_bytes(), Duration::from_secs(6));
        follower.feed(0, b"free without end\r", Duration::from_secs(7));
        let tail = follower.into_tail();
        assert_eq!(texts(&tail), ["free early", "done and done", "free without end"]);
        assert_eq!(tail.kept.iter().map(|line| line.at.as_secs()).collect::<Vec<_>>(), [1, 5, 7]);
        assert_eq!(tail.kept.iter().map(|line| line.stream == Stream::Error).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(tail.unkept, 0);
    }

    #[test]
    fn what_cannot_be_kept_is_counted() {
        let mut follower = keeper("done");
        let many = "done\n".repeat(KEPT + 3);
        follower.feed(0, many.as_bytes(), Duration::ZERO);
        let tail = follower.into_tail();
        assert_eq!((tail.kept.len(), tail.unkept), (KEPT, 3));
        // What stands behind the end of what is read of a line could be it.
        let mut follower = keeper("done");
        follower.feed(0, "x".repeat(LONGEST).as_bytes(), Duration::ZERO);
        follower.feed(0, b"done\nnext\n", Duration::ZERO);
        follower.feed(0, "x".repeat(LONGEST + 1).as_bytes(), Duration::ZERO);
        let tail = follower.into_tail();
        assert_eq!((tail.kept.len(), tail.unkept), (0, 2));
    }
}
