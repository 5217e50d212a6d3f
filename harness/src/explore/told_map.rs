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
                opened: window
                    .opened
                    .as_ref()
                    .map_or_else(|| "start".to_owned(), |opening| without_numbers(&opening.what)),
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

/// The kernel numbers pipes and sockets anew in each run.
fn without_numbers(what: &str) -> String {
    let mut words: Vec<&str> = what.split(' ').collect();
    for word in &mut words {
        let kind = word.strip_suffix(']').and_then(|rest| rest.split_once(":["));
        if let Some((kind @ ("pipe" | "socket"), number)) = kind
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            *word = kind;
        }
    }
    words.join(" ")
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_number_in_each_run_is_told_without_it() {
        assert_eq!(without_numbers("close pipe:[4711]"), "close pipe");
        assert_eq!(without_numbers("dup2 socket:[8] pipe:[9]"), "dup2 socket pipe");
        assert_eq!(without_numbers("openat /tmp/a  pipe:[x]"), "openat /tmp/a  pipe:[x]");
    }
}
