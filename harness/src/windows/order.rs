//! In which order windows are tried: the most different first.

use super::{Map, Window};

/// How much differs between two windows.
fn distance(one: &Window, other: &Window) -> usize {
    one.live.symmetric_difference(&other.live).count()
}

/// One window of each kind, each as different as can be from those before it; then
/// the last of each kind that has several.
pub(super) fn chosen(map: &Map) -> Vec<usize> {
    let mut left: Vec<&Window> = map.windows.iter().filter(|window| window.kind == window.number).collect();
    // Where the most is live, the most can be left.
    left.sort_by_key(|window| std::cmp::Reverse(window.live.iter().filter(|thing| thing.outlives()).count()));
    let mut nearest: Vec<usize> = vec![usize::MAX; map.windows.len()];
    let mut order: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let furthest = left.iter().map(|window| nearest.get(window.number).copied().unwrap_or(0)).max().unwrap_or(0);
        let next = left.iter().position(|window| nearest.get(window.number) == Some(&furthest)).unwrap_or(0);
        let window = left.remove(next);
        order.push(window.number);
        for other in &left {
            if let Some(near) = nearest.get_mut(other.number) {
                *near = distance(window, other).min(*near);
            }
        }
    }
    let last_of = |kind: usize| map.windows.iter().rev().find(|window| window.kind == kind).map(|window| window.number);
    let again: Vec<usize> = order.iter().filter_map(|kind| last_of(*kind).filter(|last| last != kind)).collect();
    order.extend(again);
    order
}
