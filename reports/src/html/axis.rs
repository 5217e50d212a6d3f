//! Where windows lie along the strip of a run: by time, or each as wide as the next.

use super::markup::Share;
use crate::map::WindowMap;
use crate::phrases::duration;

/// How the strip is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// By time; what is too short to be seen is drawn wider than it was.
    Time,
    /// In the order of events, each window as wide as the next.
    Order,
}

/// Part of the width, in hundredths of a percent, that goes to the least widths of windows
/// when there are many of them.
const FOR_LEAST: u32 = 4_500;
/// The least width of one window when there are few.
const LEAST: u32 = 100;
/// Ticks nearer to each other than this would write over each other.
const APART: u32 = 850;
/// From here on words end at their tick, so that they stay within the picture.
pub(super) const NEAR_END: Share = Share(9_300);

/// The edges of the windows: one more than there are windows.
pub(super) fn edges(map: &WindowMap, layout: Layout) -> Vec<Share> {
    let count = u32::try_from(map.windows.len()).unwrap_or(u32::MAX).max(1);
    let edge = |number: u32, spent: u64| {
        let (number, count) = (u64::from(number), u64::from(count));
        match layout {
            Layout::Order => Share::of(number, count),
            Layout::Time => {
                let least = (u64::from(LEAST) * count).min(u64::from(FOR_LEAST));
                let by_time = u64::from(Share::WHOLE.0) - least;
                let time = Share::of(spent, length(map));
                let share = least * number / count + by_time * u64::from(time.0) / u64::from(Share::WHOLE.0);
                Share(u32::try_from(share).unwrap_or(Share::WHOLE.0))
            }
        }
    };
    let mut edges = Vec::with_capacity(map.windows.len() + 1);
    let mut latest = 0;
    for (number, window) in (0..).zip(&map.windows) {
        latest = window.at_us.clamp(latest, length(map));
        edges.push(edge(number, if number == 0 { 0 } else { latest }));
    }
    edges.push(Share::WHOLE);
    edges
}

/// How long the run was; never nothing.
fn length(map: &WindowMap) -> u64 {
    map.windows.iter().map(|window| window.at_us).chain([map.duration_us, 1]).max().unwrap_or(1)
}

/// Where the axis has words, and which.
pub(super) fn ticks(map: &WindowMap, layout: Layout, edges: &[Share]) -> Vec<(Share, String)> {
    let mut ticks: Vec<(Share, String)> = Vec::new();
    let mut add = |at: Share, word: String| {
        let apart = if at > NEAR_END { 2 * APART } else { APART };
        let free = ticks.last().is_none_or(|(last, _)| last.to(at).0 >= apart);
        if free {
            ticks.push((at, word));
        }
    };
    match layout {
        Layout::Order => {
            let step = round_step(u64::try_from(map.windows.len()).unwrap_or(u64::MAX));
            for (number, at) in (0_u64..).zip(&edges[..map.windows.len()]) {
                if number % step == 0 {
                    add(*at, number.to_string());
                }
            }
        }
        Layout::Time => {
            let step = round_step(length(map));
            let times = std::iter::successors(Some(0_u64), |time| time.checked_add(step));
            for time in times.take_while(|time| *time <= length(map)) {
                add(place(map, edges, time), if time == 0 { "0".to_owned() } else { duration(time) });
            }
        }
    }
    ticks
}

/// 1, 2 or 5 times a power of ten, so that some ten steps are the whole.
fn round_step(whole: u64) -> u64 {
    let mut step = 1;
    loop {
        for times in [1, 2, 5] {
            if whole / (step * times) <= 10 {
                return step * times;
            }
        }
        step *= 10;
    }
}

/// Where a time lies, within its window.
fn place(map: &WindowMap, edges: &[Share], time: u64) -> Share {
    let after = map.windows.partition_point(|window| window.at_us <= time).max(1);
    let (from, to) = (edges[after - 1], edges.get(after).copied().unwrap_or(Share::WHOLE));
    let begins = if after == 1 { 0 } else { map.windows[after - 1].at_us };
    let ends = map.windows.get(after).map_or(length(map), |next| next.at_us);
    let part = Share::of(time.saturating_sub(begins), ends.saturating_sub(begins));
    let inside = u64::from(from.to(to).0) * u64::from(part.0) / u64::from(Share::WHOLE.0);
    Share(from.0 + u32::try_from(inside).unwrap_or_default())
}

#[cfg(test)]
mod tests;
