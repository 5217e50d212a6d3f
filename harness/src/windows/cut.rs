//! Cuts a run into windows.

use super::address::address;
use super::facts::Facts;
use super::left::left;
use super::lives::Lives;
use super::names::Names;
use super::waits::find_waits;
use super::{Life, Map, Opening, Window};
use crate::model::{Call, Recording, Side};
use std::ops::Range;
use std::time::Duration;

/// The windows of a part of a run, whose addresses count from its start. `other` is a
/// run of the same agent, from which it is learnt what names differ.
pub(super) fn cut(recording: &Recording, other: &Recording, part: &Range<Duration>) -> Map {
    let names = Names::learn(recording, other);
    let facts = Facts::of(recording, &names);
    let mut lives = Lives::of(&facts);
    let mut windows: Vec<Window> = Vec::new();
    let add = |windows: &mut Vec<Window>, next: usize, opened: Option<Opening>, at: Duration, lives: &Lives<'_>| {
        let number = windows.len();
        let left = left(recording, next, at, lives);
        let (live, blocked) = (lives.live.clone(), lives.blocked());
        windows.push(Window { number, opened, at, live, kind: number, left, blocked, wait: None });
    };
    // When the agent's own process has ended there is nobody to terminate.
    let over = recording.seen.iter().position(|seen| seen.role == "0" && seen.call().is_none());
    let ended = over.and_then(|index| recording.seen.get(index)).map_or(recording.end, |seen| seen.began);
    let (end, over) = (ended.min(part.end), over.unwrap_or(recording.seen.len()));
    let mut run = recording.seen.iter().enumerate().take(over).peekable();
    let mut first = 0;
    while let Some((index, seen)) = run.next_if(|(_, seen)| seen.began < part.start) {
        lives.see(index, seen);
        first = index + 1;
    }
    add(&mut windows, first, None, part.start, &lives);
    while let Some((index, seen)) = run.next_if(|(_, seen)| seen.began < part.end) {
        let before = lives.live.clone();
        lives.see(index, seen);
        // What ends by itself opens no window: nobody can be held there.
        let Some(call) = seen.call().filter(|call| call.succeeded() && lives.live != before) else {
            // What is unblocked in a window is not blocked in it: libraries unblock after a
            // fork what they blocked for it.
            if let Some(window) = windows.last_mut() {
                window.blocked &= lives.blocked();
            }
            continue;
        };
        if let Some(point) = address(recording, index, &names, Side::Exit, part.start) {
            let opening = Opening { index, point, what: what(call, &names) };
            add(&mut windows, index + 1, Some(opening), seen.ended.unwrap_or(seen.began), &lives);
        }
    }
    run.for_each(|(index, seen)| lives.see(index, seen));
    // Its own end, if it came to that.
    recording.seen.get(over).into_iter().for_each(|seen| lives.see(over, seen));
    let mut kept = lives.live;
    if over == recording.seen.len() {
        // It did not end: what it had then is not what it leaves, save for files.
        kept.retain(|thing| thing.path().is_some());
    }
    find_waits(recording, &mut windows, end);
    Map { lives: follow(&windows), kept, windows, end, omitted: recording.omitted }
}

/// A call in words: its name and what it is about.
fn what(call: &Call, names: &Names) -> String {
    let about: Vec<String> = call
        .subjects
        .iter()
        .map(|subject| if subject.starts_with('/') { names.pattern(subject) } else { subject.clone() })
        .collect();
    if about.is_empty() { call.name.clone() } else { format!("{} {}", call.name, about.join(" → ")) }
}

/// The life of each thing: in which windows it is live.
fn follow(windows: &[Window]) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    for window in windows {
        for thing in &window.live {
            let open = lives.iter_mut().find(|life| life.thing == *thing && life.last + 1 == window.number);
            match open {
                Some(life) => life.last = window.number,
                None => lives.push(Life { thing: thing.clone(), first: window.number, last: window.number }),
            }
        }
    }
    lives
}
