use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::model::Finding;
use crate::sample;

fn of(hits: u32, runs: u32) -> Confirmed {
    Confirmed::new(hits, runs).expect("counts that can be")
}

/// All counts of up to `most` runs.
fn all(most: u32) -> impl Iterator<Item = Confirmed> {
    (1..=most).flat_map(|runs| (0..=runs).map(move |hits| of(hits, runs)))
}

fn width(confirmed: Confirmed) -> f64 {
    let (low, high) = confirmed.interval();
    high - low
}

#[test]
fn known_intervals() {
    // By statsmodels, proportion_confint(hits, runs, method="wilson").
    for (hits, runs, low, high) in
        [(17, 20, 0.639_58, 0.947_63), (3, 3, 0.438_50, 1.0), (1, 3, 0.061_49, 0.792_34), (0, 3, 0.0, 0.561_50)]
    {
        let (lower, upper) = of(hits, runs).interval();
        assert!((lower - low).abs() < 1e-5 && (upper - high).abs() < 1e-5, "{hits}/{runs}: {lower}–{upper}");
    }
}

#[test]
fn the_interval_holds_the_rate() {
    for confirmed in all(200) {
        let (low, high) = confirmed.interval();
        assert!(0.0 <= low && low <= confirmed.rate(), "{confirmed}");
        assert!(confirmed.rate() <= high && high <= 1.0, "{confirmed}");
        assert!(low < high, "{confirmed}: so many runs are no proof");
    }
}

#[test]
fn what_shows_it_mirrors_what_does_not() {
    for confirmed in all(200) {
        let (low, high) = confirmed.interval();
        let (other_low, other_high) = of(confirmed.runs() - confirmed.hits(), confirmed.runs()).interval();
        assert!((low + other_high - 1.0).abs() < 1e-12 && (high + other_low - 1.0).abs() < 1e-12, "{confirmed}");
    }
}

#[test]
fn more_runs_of_the_same_rate_say_more() {
    for confirmed in all(40) {
        for times in 2..=5 {
            let more = of(confirmed.hits() * times, confirmed.runs() * times);
            assert!(width(more) < width(confirmed), "{more} is no narrower than {confirmed}");
        }
    }
}

#[test]
fn classes() {
    for confirmed in all(20) {
        let class = match (confirmed.hits(), confirmed.runs()) {
            (0, _) => Reproduction::NotReproduced,
            (hits, runs) if hits == runs => Reproduction::Deterministic,
            _ => Reproduction::Racy,
        };
        assert_eq!(confirmed.class(), class, "{confirmed}");
    }
}

#[test]
fn counts_that_cannot_be_are_none() {
    assert_eq!(Confirmed::new(0, 0), None);
    assert_eq!(Confirmed::new(1, 0), None);
    assert_eq!(Confirmed::new(4, 3), None);
}

#[test]
fn words() {
    insta::assert_snapshot!(of(17, 20), @"reproduces 17/20 (95%: 0.64–0.95)");
    insta::assert_snapshot!(of(20, 20), @"deterministic, 20/20");
    insta::assert_snapshot!(of(0, 3), @"reproduces 0/3 (95%: 0.00–0.56)");
    insta::assert_snapshot!(Reproduction::NotReproduced, @"not reproduced");
}

#[test]
fn json_has_what_follows_from_the_counts() {
    let json = |confirmed| serde_json::to_string(&confirmed).expect("it is JSON");
    insta::assert_snapshot!(json(of(17, 20)), @r#"{"hits":17,"runs":20,"rate_low":0.64,"rate_high":0.95}"#);
    insta::assert_snapshot!(json(of(3, 3)), @r#"{"hits":3,"runs":3,"rate_low":0.44,"rate_high":1.0}"#);
}

#[test]
fn the_interval_is_not_read_back() {
    let read = |text| serde_json::from_str::<Confirmed>(text).map_err(|error| error.to_string());
    assert_eq!(read(r#"{"hits":2,"runs":3}"#), Ok(of(2, 3)));
    assert_eq!(read(r#"{"hits":2,"runs":3,"rate_low":0.9,"rate_high":0.1}"#), Ok(of(2, 3)));
    let refused = |text| read(text).expect_err("must not be read");
    insta::assert_snapshot!(refused(r#"{"hits":4,"runs":3}"#), @"a finding cannot come again in 4 of 3 runs");
    insta::assert_snapshot!(refused(r#"{"hits":0,"runs":0}"#), @"a finding cannot come again in 0 of 0 runs");
}

/// A finding as JSON, with other words for its class.
fn said(finding: &Finding, class: Option<&str>) -> serde_json::Value {
    let mut value = serde_json::to_value(finding).expect("a finding is JSON");
    let object = value.as_object_mut().expect("an object");
    match class {
        Some(class) => object.insert("reproduction".into(), class.into()),
        None => object.remove("reproduction"),
    };
    value
}

#[test]
fn the_class_of_a_finding_is_what_its_counts_say() {
    let mut finding = sample::finding(Code::TempFile, "a.tmp", &["start"]);
    for (confirmed, class) in [
        (None, None),
        (Confirmed::new(0, 3), Some("not-reproduced")),
        (Confirmed::new(1, 3), Some("racy")),
        (Confirmed::new(3, 3), Some("deterministic")),
    ] {
        finding.confirmed = confirmed;
        let json = serde_json::to_value(&finding).expect("a finding is JSON");
        assert_eq!(json.get("reproduction").and_then(serde_json::Value::as_str), class);
        assert_eq!(json.get("confirmed").is_some(), confirmed.is_some());
        for class in [None, Some("racy")] {
            let read: Finding = serde_json::from_value(said(&finding, class)).expect("a finding");
            assert_eq!(read, finding, "{class:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_counts_survive_and_what_is_told_is_close(runs in 1..=u32::MAX, part in 0.0..=1.0) {
        let confirmed = of(((f64::from(runs) * part) as u32).min(runs), runs);
        let (low, high) = confirmed.interval();
        prop_assert!(0.0 <= low && low <= confirmed.rate() && confirmed.rate() <= high && high <= 1.0);
        let (low_told, high_told) = confirmed.rounded();
        prop_assert!((low - low_told).abs() <= 0.005_001 && (high - high_told).abs() <= 0.005_001);
        let json = serde_json::to_string(&confirmed).expect("it is JSON");
        prop_assert_eq!(serde_json::from_str::<Confirmed>(&json).ok(), Some(confirmed));
    }
}
