//! The windows of an agent as the report has them.

use crate::windows::Map;
use quietus_reports::{Life, MappedWindow, WindowMap};
use std::time::Duration;

/// The windows of an agent as the report has them.
pub(super) fn told_map(map: &Map) -> WindowMap {
    let last = map.windows.len().saturating_sub(1);
    WindowMap {
        duration_us: micros(map.end),
        windows: map
            .windows
            .iter()
            .map(|window| MappedWindow {
                at_us: micros(window.at),
                opened: window.opened.as_ref().map_or_else(|| "start".to_owned(), |opening| opening.what.clone()),
                like: number(window.kind),
            })
            .collect(),
        lives: map
            .lives
            .iter()
            .map(|life| Life {
                what: life.thing.to_string(),
                path: life.thing.path().map(str::to_owned),
                first: number(life.first),
                last: number(life.last),
                stays: life.last == last && map.kept.contains(&life.thing),
            })
            .collect(),
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
