use proptest::prelude::*;

use super::*;
use crate::model::{Run, Trial};
use crate::sample;

fn shard(text: &str) -> Shard {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn divisions(total: u32) -> Vec<Division> {
    (1..=total).map(|index| Division::by_hash(Shard::new(index, total).expect("a shard"))).collect()
}

fn balanced(total: u32, before: &Report) -> Vec<Division> {
    (1..=total).map(|index| Division::balanced(Shard::new(index, total).expect("a shard"), before)).collect()
}

/// The one division that takes it.
#[track_caller]
fn taker(divisions: &[Division], scenario: &str, place: &str) -> u32 {
    let takers: Vec<u32> =
        divisions.iter().filter(|one| one.takes(scenario, place)).map(|one| one.shard().index()).collect();
    assert_eq!(takers.len(), 1, "{scenario} {place}: {takers:?}");
    takers[0]
}

/// Trials of windows (or of none) with these durations.
fn timed(durations: &[(bool, u64)]) -> Report {
    let trials = durations.iter().zip(0..).map(|((in_window, duration_us), index)| {
        let trial = sample::trial(index, &if *in_window { format!("window:{index}") } else { "idle".to_owned() });
        Trial { duration_us: *duration_us, label: format!("idle {index}"), ..trial }
    });
    sample::report(vec![sample::run(trials.collect(), vec![])])
}

fn place(trial: &Trial) -> &str {
    if trial.window.is_some() { &trial.point } else { &trial.label }
}

#[test]
fn forms() {
    for text in ["2/4", "hash:2/4", "count:2/4", "slice:2/4", " 2 / 4 "] {
        assert_eq!(Some(shard(text)), Shard::new(2, 4), "{text}");
    }
    assert_eq!(shard("hash:10000/10000").to_string(), "10000/10000");
    assert_eq!((shard("2/4").index(), shard("2/4").total()), (2, 4));
    let wrong = |text: &str| text.parse::<Shard>().expect_err(text);
    for text in
        ["", "2", "/", "2/", "/4", "-1/4", "2/4/8", "a/b", "1.0/4", "random:2/4", "hash:", "2 of 4", "\u{1b}[2J"]
    {
        assert_eq!(wrong(text), ShardError::Form, "{text}");
    }
    assert_eq!(wrong("4294967296/4294967296"), ShardError::Form);
    assert_eq!(wrong("0/0"), ShardError::Total(0));
    insta::assert_snapshot!(wrong("1/10001"), @"a run is cut into 1 to 10000 shards, not into 10001");
    insta::assert_snapshot!(wrong("0/4"), @"there is no shard 0 of 4: they are 1/4 to 4/4");
    insta::assert_snapshot!(wrong("5/4"), @"there is no shard 5 of 4: they are 1/4 to 4/4");
    insta::assert_snapshot!(wrong("x"), @"a shard is written as 2/4, the second of four");
}

#[test]
fn which_are_missing() {
    let missing = |total, present: &[u32]| Shards { total, present: present.to_vec(), division: None }.missing();
    assert_eq!(missing(4, &[1, 3]), [2, 4]);
    assert_eq!(missing(2, &[1, 2]), [0; 0]);
    assert_eq!(missing(1, &[1]), [0; 0]);
}

#[test]
fn what_cannot_be_is_not_read() {
    let read = |text: &str| serde_json::from_str::<Shards>(text).map_err(|error| error.to_string());
    let wrong = |text: &str| read(text).expect_err("must not be read");
    assert_eq!(
        read(r#"{"total": 4, "present": [1, 3]}"#),
        Ok(Shards { total: 4, present: vec![1, 3], division: None })
    );
    insta::assert_snapshot!(wrong(r#"{"total": 0, "present": []}"#), @"of 0 shards there is none");
    insta::assert_snapshot!(wrong(r#"{"total": 4, "present": []}"#), @"of 4 shards there is none");
    insta::assert_snapshot!(wrong(r#"{"total": 4, "present": [0]}"#), @"of 4 shards there is no shard 0");
    insta::assert_snapshot!(wrong(r#"{"total": 4, "present": [1, 5]}"#), @"of 4 shards there is no shard 5");
    insta::assert_snapshot!(wrong(r#"{"total": 4, "present": [2, 1]}"#), @"shards are not in order");
    insta::assert_snapshot!(wrong(r#"{"total": 4, "present": [1, 1]}"#), @"shards are not in order");
    // Of so many, the missing ones alone would not fit into memory.
    insta::assert_snapshot!(wrong(r#"{"total": 4294967295, "present": [1]}"#), @"4294967295 shards are more than 10000");
    let report = Report { shards: Some(Shards { total: 3, present: vec![2], division: None }), ..sample::rich() };
    assert_eq!(crate::from_json(&crate::to_json(&report)), Ok(report));
}

#[test]
fn all_that_follows_on_a_point_is_one_unit() {
    assert_eq!(unit("s", "window:3"), unit("s", "window:3 then blocked:read#1"));
    assert_ne!(unit("s", "window:3"), unit("s", "window:30"));
    assert_ne!(unit("s", "window:3"), unit("t", "window:3"));
    assert_ne!(unit("ab", "c"), unit("a", "bc"));
}

#[test]
fn a_hash_is_the_same_in_every_release() {
    let takers: Vec<u32> = (0..12).map(|i| taker(&divisions(4), "nightly export", &format!("window:{i}"))).collect();
    insta::assert_debug_snapshot!(takers, @"
    [
        3,
        4,
        1,
        2,
        3,
        4,
        1,
        2,
        3,
        4,
        2,
        1,
    ]
    ");
}

#[test]
fn known_durations_are_shared_out() {
    // The longest has a shard of its own.
    let report = timed(&[(true, 10), (true, 1000), (false, 10), (true, 10), (false, 10)]);
    let shards = balanced(2, &report);
    let of = |index: usize| taker(&shards, "nightly export", place(&report.runs[0].trials[index]));
    for other in [0, 2, 3, 4] {
        assert_ne!(of(other), of(1), "{other}");
    }
    // Trials without a duration count, too: forty of them are not put on one machine.
    let idle = timed(&[(true, 0); 40]);
    let shards = balanced(4, &idle);
    for index in 1..=4 {
        let its = idle.runs[0].trials.iter().filter(|trial| taker(&shards, "nightly export", &trial.point) == index);
        assert_eq!(its.count(), 10, "shard {index}");
    }
}

#[test]
fn all_trials_of_a_unit_count_together() {
    let mut report = timed(&[(true, 40), (true, 50), (true, 60), (true, 1)]);
    report.runs[0].trials[3] =
        Trial { point: "window:0 then blocked:read#1".into(), duration_us: 70, ..report.runs[0].trials[3].clone() };
    let shards = balanced(2, &report);
    let of = |place: &str| taker(&shards, "nightly export", place);
    assert_eq!(of("window:0"), of("window:0 then blocked:read#2"));
    assert_eq!(of("window:1"), of("window:2"));
    assert_ne!(of("window:0"), of("window:1"));
}

#[test]
fn unreasonable_durations_are_borne() {
    let mut report = timed(&[(true, u64::MAX), (true, u64::MAX), (true, u64::MAX)]);
    report.runs[0].trials[1].point = "window:0".into();
    let shards = balanced(2, &report);
    assert_ne!(taker(&shards, "nightly export", "window:0"), taker(&shards, "nightly export", "window:2"));
}

proptest! {
    #[test]
    fn every_unit_falls_to_one_shard(scenario in any::<String>(), place in any::<String>(), total in 1..40_u32) {
        let by_hash = taker(&divisions(total), &scenario, &place);
        // What an earlier report does not know goes by its hash.
        prop_assert_eq!(taker(&balanced(total, &sample::rich()), &scenario, &place), by_hash);
    }

    #[test]
    fn loads_differ_by_no_more_than_the_longest(
        durations in proptest::collection::vec((any::<bool>(), 1..1_000_000_u64), 1..60),
        total in 1..12_u32,
    ) {
        let report = timed(&durations);
        let shards = balanced(total, &report);
        let mut loads = vec![0; total as usize];
        for trial in &report.runs[0].trials {
            loads[taker(&shards, "nightly export", place(trial)) as usize - 1] += trial.duration_us;
        }
        let longest = durations.iter().map(|(_, duration)| *duration).max().expect("there is one");
        let (most, least) = (loads.iter().max().expect("one"), loads.iter().min().expect("one"));
        prop_assert!(most - least <= longest, "{loads:?}");
    }

    #[test]
    fn the_order_of_trials_decides_nothing(
        durations in proptest::collection::vec((any::<bool>(), 0..9_u64), 1..30),
        total in 1..6_u32,
    ) {
        let report = timed(&durations);
        let mut turned = report.clone();
        turned.runs[0].trials.reverse();
        let (one, other) = (balanced(total, &report), balanced(total, &turned));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn any_text_is_a_shard_or_none(text in any::<String>(), index in any::<u32>(), total in any::<u32>()) {
        for text in [text, format!("{index}/{total}")] {
            if let Ok(shard) = text.parse::<Shard>() {
                prop_assert!(1 <= shard.index() && shard.index() <= shard.total() && shard.total() <= MOST);
                prop_assert_eq!(shard.to_string().parse(), Ok(shard));
            }
        }
    }
}

/// Two scenarios with the same windows are no one unit.
#[test]
fn scenarios_are_divided_apart() {
    let run = |scenario: &str, duration_us| Run {
        scenario: scenario.into(),
        ..sample::run(vec![Trial { duration_us, ..sample::trial(0, "window:0") }], vec![])
    };
    let shards = balanced(2, &sample::report(vec![run("a", 5), run("b", 4)]));
    assert_ne!(taker(&shards, "a", "window:0"), taker(&shards, "b", "window:0"));
}
