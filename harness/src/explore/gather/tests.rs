use super::*;

fn plan(token: &str) -> TrialPlan {
    token.parse::<Token>().expect("a token").0
}

fn early() -> TrialPlan {
    plan("q1/at=start/send=TERM/grace=1s")
}

fn late() -> TrialPlan {
    plan("q1/at=idle/send=TERM/grace=1s")
}

fn left() -> Vec<Found> {
    vec![Found::new(Code::LockFile, "agent.lock", "the lock file agent.lock is left behind", &[])]
}

/// What is known once trials of these plans have shown it.
fn seen(plans: &[TrialPlan], informational: bool) -> Gatherer {
    let mut gatherer = Gatherer::default();
    for plan in plans {
        gatherer.trial(&Planned { label: String::new(), plan: plan.clone(), informational }, left());
    }
    gatherer
}

/// Further runs, of which each shows it or does not.
fn runs(shows: &[bool]) -> Vec<Vec<Found>> {
    shows.iter().map(|shows| if *shows { left() } else { Vec::new() }).collect()
}

/// The only finding: its class, its counts and its severity.
fn told(gatherer: Gatherer) -> (Option<Reproduction>, Option<(u32, u32)>, Severity) {
    let [finding] = &gatherer.finish(1, &[], "2026-07-28", &ToString::to_string)[..] else { panic!("one finding") };
    (finding.reproduction(), finding.confirmed.map(|counts| (counts.hits(), counts.runs())), finding.severity)
}

#[track_caller]
fn check(shows: &[bool], class: Option<Reproduction>, counts: Option<(u32, u32)>, severity: Severity) {
    let mut gatherer = seen(&[early()], false);
    gatherer.confirm(&early(), &runs(shows));
    assert_eq!(told(gatherer), (class, counts, severity));
}

#[test]
fn further_runs_give_each_finding_its_class() {
    use Reproduction::{Deterministic, NotReproduced, Racy};
    check(&[true, true, true], Some(Deterministic), Some((3, 3)), Severity::Error);
    check(&[true, false, false], Some(Racy), Some((1, 3)), Severity::Error);
    check(&[false, false, false], Some(NotReproduced), Some((0, 3)), Severity::Note);
}

#[test]
fn runs_that_did_not_reach_their_point_say_nothing() {
    check(&[], None, None, Severity::Error);
}

#[test]
fn what_never_came_again_is_told_with_where_it_was_seen() {
    let mut gatherer = seen(&[early()], false);
    gatherer.confirm(&early(), &runs(&[false]));
    let findings = gatherer.finish(1, &[], "2026-07-28", &|token| format!("quietus replay {token}"));
    assert_eq!(findings[0].points, ["TERM at start"]);
    assert_eq!(findings[0].replay, "quietus replay q1/at=start/send=TERM/grace=1s");
}

#[test]
fn what_only_informs_is_not_run_again() {
    let gatherer = seen(&[early()], true);
    assert_eq!(gatherer.to_confirm(0), []);
    assert_eq!(told(gatherer), (None, None, Severity::Note));
}

#[test]
fn of_two_points_the_one_that_shows_it_more_often_is_told() {
    for (at_early, at_late, counts, token) in [
        ([false, false], [true, false], (1, 2), late()),
        ([true, false], [true, true], (2, 2), late()),
        ([true, false], [false, false], (1, 2), early()),
        ([false, false], [false, false], (0, 2), early()),
    ] {
        let mut gatherer = seen(&[early(), late()], false);
        gatherer.confirm(&early(), &runs(&at_early));
        assert_eq!(gatherer.to_confirm(1), [late()]);
        gatherer.confirm(&late(), &runs(&at_late));
        let findings = gatherer.finish(2, &[], "2026-07-28", &ToString::to_string);
        let told = findings[0].confirmed.map(|counts| (counts.hits(), counts.runs()));
        assert_eq!((told, &findings[0].token), (Some(counts), &Token(token).to_string()));
    }
}

#[test]
fn what_came_each_time_is_not_tried_elsewhere() {
    let mut gatherer = seen(&[early(), late()], false);
    gatherer.confirm(&early(), &runs(&[true, true]));
    assert_eq!(gatherer.to_confirm(1), []);
}
