use proptest::prelude::*;

use super::*;
use crate::map::MappedWindow;

fn map(begins: &[u64], duration_us: u64) -> WindowMap {
    let window = |at_us: &u64| MappedWindow { at_us: *at_us, opened: String::new(), like: 0 };
    WindowMap { duration_us, windows: begins.iter().map(window).collect(), lives: vec![] }
}

#[test]
fn in_order_all_are_equally_wide() {
    let edges = edges(&map(&[0, 1, 900, 901], 1_000), Layout::Order);
    assert_eq!(edges, [0, 2_500, 5_000, 7_500, 10_000].map(Share));
}

#[test]
fn by_time_short_ones_are_seen() {
    let edges = edges(&map(&[0, 500, 501], 1_000), Layout::Time);
    assert_eq!(edges, [0, 4_950, 5_059, 10_000].map(Share));
}

#[test]
fn ticks_lie_where_their_time_is() {
    let map = map(&[0, 500_000], 1_000_000);
    let edges = edges(&map, Layout::Time);
    let ticks = ticks(&map, Layout::Time, &edges);
    let words: Vec<&str> = ticks.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words[..3], ["0", "100 ms", "200 ms"]);
    assert_eq!(ticks[5], (Share(5_000), "500 ms".to_owned()));
    // The one at the end would be written over the one before it.
    assert_eq!(ticks.last().map(|(_, word)| word.as_str()), Some("900 ms"));
}

proptest! {
    /// Whatever a report says, in whatever order.
    #[test]
    fn edges_and_ticks_go_from_left_to_right(
        begins in prop::collection::vec(prop_oneof![0..1_000_u64, any::<u64>()], 1..200),
        duration in prop_oneof![0..1_000_u64, any::<u64>()],
        sorted: bool,
    ) {
        let mut begins = begins;
        if sorted {
            begins.sort_unstable();
        }
        let map = map(&begins, duration);
        for layout in [Layout::Time, Layout::Order] {
            let edges = edges(&map, layout);
            prop_assert_eq!(edges.len(), begins.len() + 1);
            prop_assert_eq!((edges[0], edges[begins.len()]), (Share(0), Share::WHOLE));
            prop_assert!(edges.is_sorted(), "{:?}", edges);
            let ticks = ticks(&map, layout, &edges);
            prop_assert!(!ticks.is_empty() && ticks.len() <= 12);
            prop_assert!(ticks.iter().all(|(at, _)| *at <= Share::WHOLE));
        }
    }
}
