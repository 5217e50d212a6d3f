use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::model::{AgentKind, Level, NotAudited, Outcome, Severity, Trial};
use crate::sample;

/// The part of a run that a shard reports: these trials, and what they show.
fn part(whole: &Run, trials: Vec<Trial>) -> Run {
    let elsewhere = u32::try_from(whole.trials.len() - trials.len()).expect("few trials");
    let reached = trials.iter().filter(|trial| trial.outcome.reached()).count();
    let findings = whole.findings.iter().filter_map(|finding| {
        let own = trials.iter().filter(|trial| trial.findings.contains(&finding.fingerprint));
        let mut points: Vec<String> = Vec::new();
        let mut hits = 0;
        for trial in own {
            hits += 1;
            if !points.contains(&trial.point) {
                points.push(trial.point.clone());
            }
        }
        let tried = u32::try_from(reached).expect("few trials");
        (hits > 0).then(|| Finding { hits, points, tried, ..finding.clone() })
    });
    let findings = findings.collect();
    let mut run = Run { elsewhere, findings, trials, ..whole.clone() };
    run.windows = run.map.as_ref().map(|map| Windows::of(map, &run.trials));
    run.verdict = Gate::default().judge_run(&run);
    run
}

/// A report cut into shards; `shares` says of every trial where it is made.
fn cut(whole: &Report, total: u32, shares: &[u32]) -> Vec<Report> {
    let of = |shard: u32| {
        let mut shares = shares.iter().cycle();
        let runs: Vec<Run> = whole
            .runs
            .iter()
            .map(|run| {
                let own = run.trials.iter().zip(shares.by_ref()).filter(|(_, share)| **share % total + 1 == shard);
                part(run, own.map(|(trial, _)| trial.clone()).collect())
            })
            .collect();
        let shards = Some(Shards { total, present: vec![shard], division: None });
        Report { shards, totals: Totals::of(&runs), verdict: Gate::default().judge(&runs), runs, ..whole.clone() }
    };
    (1..=total).map(of).collect()
}

/// A whole report as shards bring it: findings are those of its trials, in their order.
fn whole(report: &Report) -> Report {
    let mut runs: Vec<Run> = report.runs.iter().map(|run| part(run, run.trials.clone())).collect();
    runs.iter_mut().for_each(|run| finish(run, true));
    Report { totals: Totals::of(&runs), verdict: Gate::default().judge(&runs), runs, ..report.clone() }
}

fn rich() -> Report {
    whole(&sample::rich())
}

fn shards_of(report: &Report, total: u32) -> Vec<Report> {
    let shares: Vec<u32> = (0..40).collect();
    cut(report, total, &shares)
}

fn clean_run(count: u32) -> Run {
    let mut run = sample::run((0..count).map(|i| sample::trial(i, &format!("window:{i}"))).collect(), vec![]);
    run.windows = None;
    run
}

fn merged(reports: Vec<Report>) -> Report {
    merge(reports).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn shards_are_the_whole_in_any_order() {
    let whole = rich();
    for total in 2..=7 {
        let mut shards = shards_of(&whole, total);
        for _ in 0..total {
            shards.rotate_left(1);
            assert_eq!(merged(shards.clone()), whole, "{total}");
        }
        shards.reverse();
        assert_eq!(merged(shards), whole, "{total}");
    }
}

#[test]
fn a_whole_report_stays_as_it_is() {
    for report in [sample::rich(), rich(), sample::report(vec![]), sample::report(vec![clean_run(2)])] {
        assert_eq!(merged(vec![report.clone()]), report);
    }
    let shards = shards_of(&rich(), 3);
    let all = merged(shards);
    assert_eq!(merged(vec![all.clone()]), all);
}

#[test]
fn missing_shards_are_told_and_never_clean() {
    let whole = sample::report(vec![clean_run(12)]);
    assert_eq!(whole.verdict, Verdict::Clean);
    for left_out in 1..=4 {
        let shards: Vec<Report> =
            shards_of(&whole, 4).into_iter().filter(|report| present(report) != [left_out]).collect();
        let part = merged(shards);
        assert_eq!(part.shards.as_ref().map(Shards::missing), Some(vec![left_out]));
        assert_eq!(part.verdict, Verdict::Inconclusive);
        assert_eq!(part.runs[0].elsewhere, 3);
        assert_eq!(part.totals.trials, 9);
    }
    let one = merged(vec![shards_of(&whole, 4).remove(0)]);
    assert_eq!((one.verdict, one.shards.map(|shards| shards.missing())), (Verdict::Inconclusive, Some(vec![2, 3, 4])));
    // What was found was found.
    let found = merged(vec![shards_of(&rich(), 2).remove(0)]);
    assert_eq!(found.verdict, Verdict::Findings);
    assert_eq!(found.shards.map(|shards| shards.missing()), Some(vec![2]));
}

fn present(report: &Report) -> Vec<u32> {
    report.shards.as_ref().map(|shards| shards.present.clone()).unwrap_or_default()
}

#[test]
fn parts_are_merged_further() {
    for report in [rich(), sample::report(vec![clean_run(12)])] {
        let mut shards = shards_of(&report, 5);
        let odd = merged(vec![shards.remove(4), shards.remove(2), shards.remove(0)]);
        assert_eq!(present(&odd), [1, 3, 5]);
        assert_eq!(merged(vec![odd.clone()]), odd);
        let even = merged(shards);
        assert_eq!(merged(vec![even, odd]), report);
    }
}

#[test]
fn runs_of_several_machines_are_put_together() {
    let named = |name: &str, run: Run| Report {
        host: crate::model::Host { cpus: 8, ..sample::rich().host },
        ..sample::report(vec![Run { scenario: name.into(), ..run }])
    };
    let mut one = named("one", clean_run(3));
    one.runs[0].verdict = Verdict::Inconclusive;
    one.verdict = Verdict::Inconclusive;
    let two = named("two", clean_run(2));
    let both = merged(vec![two.clone(), one.clone()]);
    assert_eq!(both.runs, [two.runs[0].clone(), one.runs[0].clone()]);
    assert_eq!((both.totals.trials, both.verdict, both.shards), (5, Verdict::Inconclusive, None));
    // Not even what only the report knew is lost.
    let knows_more = Report { verdict: Verdict::Inconclusive, ..named("three", clean_run(1)) };
    assert_eq!(merged(vec![two, knows_more]).verdict, Verdict::Inconclusive);
}

#[test]
fn what_cannot_be_merged() {
    let shards = shards_of(&rich(), 2);
    let wrong = |reports: &[&Report]| merge(reports.iter().map(|one| (*one).clone()).collect()).expect_err("no merge");
    let changed = |change: &dyn Fn(&mut Report)| {
        let mut report = shards[1].clone();
        change(&mut report);
        wrong(&[&shards[0], &report]).to_string()
    };
    assert_eq!(wrong(&[]), MergeError::Nothing);
    insta::assert_snapshot!(wrong(&[]), @"there is no report to merge");
    insta::assert_snapshot!(changed(&|report| report.quietus = "9\u{1b}[2J".into()), @r"they were written by different versions of quietus: 0.1.0 and 9\x1b[2J");
    insta::assert_snapshot!(changed(&|report| report.shards = Some(Shards { total: 3, present: vec![2], division: None })), @"they are shards of different divisions: of 2 and of 3");
    let divided = |report: &mut Report| report.shards.as_mut().expect("a shard").division = Some("others".into());
    let mut others = shards_of(&sample::report(vec![clean_run(6)]), 2);
    divided(&mut others[1]);
    assert!(merge(others.clone()).is_ok(), "an older version does not say how it divided");
    others[0].shards.as_mut().expect("a shard").division = Some("these".into());
    assert_eq!(merge(others), Err(MergeError::DividedOtherwise));
    insta::assert_snapshot!(changed(&|report| report.shards = None), @"some are shards and some are not: a whole run cannot be merged with a part of one");
    insta::assert_snapshot!(wrong(&[&rich(), &shards[0]]), @"some are shards and some are not: a whole run cannot be merged with a part of one");
    insta::assert_snapshot!(wrong(&[&shards[1], &shards[0], &shards[1]]), @"shard 2 of 2 is there twice");
    insta::assert_snapshot!(wrong(&[&rich(), &rich()]), @"`nightly export` is in two of them, and they are not shards of one run");
    insta::assert_snapshot!(changed(&|report| report.runs[0].agent.push("-x".into())), @"`nightly export` was not run in the same way in all of them: another command");
    insta::assert_snapshot!(changed(&|report| report.runs[0].strategy = "check".into()), @"`nightly export` was not run in the same way in all of them: another strategy");
    let hostile = sample::hostile("a\u{1b}[2J\n\u{202e}");
    insta::assert_snapshot!(wrong(&[&hostile, &hostile]), @r"`a\x1b[2J\n\u{202e}` is in two of them, and they are not shards of one run");
}

#[test]
fn a_shard_whose_control_failed_makes_the_run_inconclusive() {
    let mut shards = shards_of(&sample::report(vec![clean_run(6)]), 3);
    shards[0].runs[0] = Run {
        strategy: "check".into(),
        kind: AgentKind::Server,
        control: None,
        trials: vec![],
        elsewhere: 0,
        doubt: None,
        notes: vec!["the control gave no ground to judge by".into()],
        verdict: Verdict::Inconclusive,
        ..shards[0].runs[0].clone()
    };
    for _ in 0..3 {
        shards.rotate_left(1);
        let all = merged(shards.clone());
        assert_eq!((all.verdict, all.runs[0].verdict), (Verdict::Inconclusive, Verdict::Inconclusive));
        assert_eq!((all.runs[0].kind, all.runs[0].strategy.as_str()), (AgentKind::Job, "sweep"));
        assert_eq!(all.runs[0].notes, ["the control gave no ground to judge by"]);
        // So it is whatever is found besides, and in whatever steps they are merged.
        let mut found = shards.clone();
        for run in found.iter_mut().flat_map(|report| &mut report.runs).filter(|run| !run.trials.is_empty()) {
            run.findings.push(sample::finding(Code::TempFile, "/tmp/x", &["window:1"]));
        }
        let all = merged(found.clone());
        assert_eq!((all.verdict, all.runs[0].verdict), (Verdict::Findings, Verdict::Inconclusive));
        let last = found.pop().expect("three");
        assert_eq!(merged(vec![last, merged(found)]), all);
    }
}

#[test]
fn a_shard_that_missed_most_of_its_few_trials_is_judged_with_the_others() {
    let mut run = clean_run(7);
    run.trials.push(sample::missed(7, "window:7"));
    let whole = sample::report(vec![run]);
    assert_eq!(whole.verdict, Verdict::Clean);
    let shards = cut(&whole, 2, &[0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(shards[1].verdict, Verdict::Inconclusive);
    assert_eq!(merged(shards.clone()), whole);
    // Its control ended in another way: then it may be why.
    let mut other = shards.clone();
    other[1].runs[0].control.as_mut().expect("there is one").ended = "exit 1".into();
    assert_eq!(merged(other).verdict, Verdict::Inconclusive);
    // Most of the whole was missed.
    let mut run = clean_run(3);
    run.trials.extend((3..8).map(|i| sample::missed(i, &format!("window:{i}"))));
    let whole = sample::report(vec![run]);
    assert_eq!(whole.verdict, Verdict::Inconclusive);
    assert_eq!(merged(cut(&whole, 2, &[0, 0, 0, 1, 1, 1, 1, 1])).verdict, Verdict::Inconclusive);
    assert_eq!(merged(shards_of(&whole, 8)).verdict, Verdict::Inconclusive);
}

#[test]
fn a_scenario_that_a_shard_never_ran_is_inconclusive() {
    let other = Run { scenario: "another".into(), ..clean_run(6) };
    let mut shards = shards_of(&sample::report(vec![clean_run(6), other]), 2);
    shards[1].runs.pop();
    for _ in 0..2 {
        shards.rotate_left(1);
        let all = merged(shards.clone());
        assert_eq!(all.verdict, Verdict::Inconclusive);
        assert_eq!(all.runs[1].verdict, Verdict::Inconclusive);
        assert_eq!(all.runs[1].notes, ["not every shard that is here has run it"]);
        assert_eq!((all.runs[0].verdict, all.runs[0].notes.len()), (Verdict::Clean, 0));
    }
}

#[test]
fn scenarios_of_one_name_are_kept_apart() {
    let whole = sample::report(vec![clean_run(3), clean_run(5)]);
    assert_eq!(merged(shards_of(&whole, 2)), whole);
    assert_eq!(merged(vec![whole.clone()]), whole);
}

#[test]
fn random_trials_are_all_in_one_shard() {
    let fuzz = |trials: Vec<Trial>, elsewhere, kind| Run {
        strategy: "fuzz".into(),
        control: None,
        windows: None,
        elsewhere,
        kind,
        ..sample::run(trials, vec![])
    };
    let shard = |index, run| Report {
        shards: Some(Shards { total: 2, present: vec![index], division: None }),
        ..sample::report(vec![run])
    };
    let trials = vec![sample::trial(0, "time:1ms"), sample::trial(1, "time:2ms")];
    let all =
        merged(vec![shard(1, fuzz(vec![], 1, AgentKind::Job)), shard(2, fuzz(trials.clone(), 0, AgentKind::Session))]);
    assert_eq!(all.verdict, Verdict::Clean);
    let run = &all.runs[0];
    assert_eq!((&run.trials, run.kind, run.elsewhere), (&trials, AgentKind::Session, 0));
}

/// What is made of one finding that two shards have seen.
fn joined(change: impl Fn(&mut Finding, &mut Finding)) -> Finding {
    let mut shards = shards_of(&sample::report(vec![clean_run(4)]), 2);
    let mut one = sample::finding(Code::TempFile, "/tmp/a", &["window:2"]);
    let mut other = Finding { token: "other".into(), ..sample::finding(Code::TempFile, "/tmp/a", &["window:1"]) };
    change(&mut one, &mut other);
    shards[0].runs[0].findings.push(one);
    shards[1].runs[0].findings.push(other);
    let all = merged(shards.clone());
    shards.reverse();
    assert_eq!(merged(shards), all);
    let [finding] = &all.runs[0].findings[..] else { panic!("{:?}", all.runs[0].findings) };
    finding.clone()
}

#[test]
fn the_better_confirmed_of_two_is_told() {
    let of = |one: Option<Confirmed>, other: Option<Confirmed>| {
        let finding = joined(|first, second| {
            for (finding, confirmed) in [(first, one), (second, other)] {
                finding.confirmed = confirmed;
                if finding.is_not_reproduced() {
                    finding.severity = Severity::Note;
                }
            }
        });
        (finding.confirmed, finding.severity, finding.token == "other")
    };
    let all = Confirmed::new(3, 3);
    let some = Confirmed::new(1, 3);
    let none = Confirmed::new(0, 3);
    assert_eq!(of(some, all), (all, Severity::Error, true));
    assert_eq!(of(all, some), (all, Severity::Error, false));
    assert_eq!(of(none, some), (some, Severity::Error, true));
    assert_eq!(of(none, none), (none, Severity::Note, false));
    assert_eq!(of(None, some), (some, Severity::Error, true));
    // What was not run again is as it was seen: it is not excused by what was.
    assert_eq!(of(None, none), (None, Severity::Error, false));
    assert_eq!(of(none, None), (None, Severity::Error, true));
}

#[test]
fn counts_and_points_are_put_together() {
    let finding = joined(|_, other| other.points.push("window:2".into()));
    assert_eq!((finding.hits, finding.tried), (2, 14));
    assert_eq!(finding.points, ["window:1", "window:2"]);
    let worst = joined(|one, _| one.severity = Severity::Warn);
    assert_eq!(worst.severity, Severity::Error);
    let known = joined(|_, other| other.cause = Some("known".into()));
    assert_eq!(known.cause.as_deref(), Some("known"));
    let finding = joined(|one, other| (one.hits, other.hits) = (u32::MAX, 2));
    assert_eq!(finding.hits, u32::MAX);
}

#[test]
fn what_only_one_shard_accepts_is_not_accepted() {
    let reason = || Some("tracked".to_owned());
    assert_eq!(joined(|one, _| one.accepted = reason()).accepted, None);
    assert_eq!(joined(|_, other| other.accepted = reason()).accepted, None);
    assert_eq!(joined(|one, other| (one.accepted, other.accepted) = (reason(), reason())).accepted, reason());
}

#[test]
fn the_guarantee_is_what_held_everywhere() {
    let gap = |what: &str| NotAudited { what: what.into(), why: "no namespace".into() };
    let of = |one: Guarantee, other: Guarantee| {
        let mut shards = shards_of(&rich(), 2);
        (shards[0].guarantee, shards[1].guarantee) = (one, other);
        merged(shards).guarantee
    };
    let guarantee = |level, mechanisms: &[&str], gaps: &[&str]| Guarantee {
        level,
        mechanisms: mechanisms.iter().map(ToString::to_string).collect(),
        not_audited: gaps.iter().map(|what| gap(what)).collect(),
    };
    let full = guarantee(Level::Full, &["overlay", "ptrace"], &["a"]);
    let portable = guarantee(Level::Portable, &["subreaper"], &["b"]);
    assert_eq!(of(full.clone(), full.clone()), full);
    for weaker in [of(full.clone(), portable.clone()), of(portable.clone(), full.clone())] {
        assert_eq!(weaker, guarantee(Level::Portable, &["subreaper"], &["b", "a"]));
    }
    let less = guarantee(Level::Full, &["ptrace"], &["c", "a"]);
    assert_eq!(of(full, less), guarantee(Level::Full, &["ptrace"], &["a", "c"]));
}

#[test]
fn it_began_with_the_first() {
    let of = |one: &str, other: &str| {
        let mut shards = shards_of(&rich(), 2);
        (shards[0].started, shards[1].started) = (one.into(), other.into());
        merged(shards).started
    };
    // Offsets differ: the second is half an hour earlier.
    let (late, early) = ("2026-07-28T09:30:00+02:00", "2026-07-28T07:00:00Z");
    assert_eq!((of(late, early).as_str(), of(early, late).as_str()), (early, early));
    let (late, early) = ("2026-07-28T09:30:00Z", "2026-07-28T10:00:00+02:00");
    assert_eq!((of(late, early).as_str(), of(early, late).as_str()), (early, early));
    assert_eq!(of("b", "a"), "a");
}

#[test]
fn controls_that_were_cut_in_other_ways_are_told() {
    let mut shards = shards_of(&rich(), 2);
    shards[1].runs[0].map.as_mut().expect("there is one").windows.pop();
    let all = merged(shards);
    insta::assert_snapshot!(all.runs[0].notes.last().expect("there is one"), @"the undisturbed runs of its shards differ; its windows are those of one of them");
}

/// Runs with any trials and findings; a token names the trial.
fn any_report() -> impl Strategy<Value = Report> {
    let outcome = proptest::sample::select(vec![
        Outcome::Ended,
        Outcome::Ended,
        Outcome::Ended,
        Outcome::Killed,
        Outcome::Missed,
        Outcome::Inconclusive,
    ]);
    let codes = [Code::TempFile, Code::OrphanProcess, Code::SlowTermination, Code::FdOpenAtExit];
    let trial = (outcome, 0..36_u32, proptest::collection::btree_set(0..4_usize, 0..3), any::<bool>());
    let run = (proptest::collection::vec(trial, 1..30), any::<bool>(), 0..4_u32);
    proptest::collection::vec(run, 1..4).prop_map(move |runs| {
        let runs = runs.into_iter().enumerate().map(|(number, (trials, has_map, confirmed))| {
            let of =
                |code: Code| Finding { confirmed: Confirmed::new(confirmed, 3), ..sample::finding(code, "x", &[]) };
            let findings: Vec<Finding> = codes.iter().map(|code| of(*code)).collect();
            let trials = trials.into_iter().zip(0..).map(|((outcome, window, found, informational), index)| Trial {
                outcome,
                informational,
                token: format!("{index}"),
                findings: if outcome.reached() {
                    found.into_iter().map(|place| findings[place].fingerprint.clone()).collect()
                } else {
                    vec![]
                },
                ..sample::trial(index, &format!("window:{window}"))
            });
            let map = sample::rich().runs[0].map.clone().filter(|_| has_map);
            let (scenario, trials) = (format!("scenario {number}"), trials.collect());
            Run { scenario, map, windows: None, ..sample::run(trials, findings.clone()) }
        });
        whole(&sample::report(runs.collect()))
    })
}

/// A finding by its fingerprint, hits, trials and points.
type Seen = (String, u32, u32, BTreeSet<String>);
/// A run by its scenario, trials, windows and findings.
type Content = (String, Vec<Trial>, Option<Windows>, BTreeSet<Seen>);

/// What a merge must not change, whatever the shards could say by themselves.
fn content(report: &Report) -> Vec<Content> {
    let of = |finding: &Finding| -> Seen {
        (finding.fingerprint.clone(), finding.hits, finding.tried, finding.points.iter().cloned().collect())
    };
    let run = |run: &Run| -> Content {
        (run.scenario.clone(), run.trials.clone(), run.windows, run.findings.iter().map(of).collect())
    };
    report.runs.iter().map(run).collect()
}

proptest! {
    #[test]
    fn any_report_that_is_cut_is_merged_to_the_whole(
        report in any_report(),
        total in 1..6_u32,
        shares in proptest::collection::vec(any::<u32>(), 1..40),
        seed in any::<proptest::sample::Index>(),
    ) {
        let mut shards = cut(&report, total, &shares);
        shards.rotate_left(seed.index(total as usize));
        let all = merged(shards.clone());
        prop_assert_eq!(content(&all), content(&report));
        prop_assert_eq!(all.totals, report.totals);
        prop_assert_eq!(all.verdict, report.verdict);
        prop_assert_eq!(&all.shards, &None);
        prop_assert!(all.runs.iter().all(|run| run.elsewhere == 0));
        prop_assert_eq!(&merged(vec![all.clone()]), &all);

        // In steps it is the same, though what a part could not judge stays so.
        if total > 1 {
            let rest = shards.split_off(seed.index(total as usize - 1) + 1);
            let part = merged(shards);
            prop_assert!(part.verdict != Verdict::Clean);
            prop_assert_eq!(&merged(vec![part.clone()]), &part);
            let steps = merged(vec![merged(rest), part]);
            prop_assert_eq!(content(&steps), content(&all));
            prop_assert_eq!(steps.totals, all.totals);
            prop_assert!(steps.verdict == all.verdict || steps.verdict == Verdict::Inconclusive);
        }
    }
}
