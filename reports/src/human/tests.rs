use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::escape::is_hazard;
use crate::model::{NotAudited, Severity, Windows};
use crate::sample;

fn plain(report: &Report) -> String {
    render_human(report, HumanOptions::default())
}

#[test]
fn clean() {
    let trials = (0..4).map(|i| sample::trial(i, &format!("window:{i}"))).collect();
    let mut run = sample::run(trials, vec![]);
    run.windows = Some(Windows { total: 4, covered: 4, missed: 0 });
    assert_snapshot!(plain(&sample::report(vec![run])));
}

#[test]
fn findings() {
    assert_snapshot!(plain(&sample::rich()));
}

#[test]
fn findings_verbose_in_60_columns() {
    let options = HumanOptions { width: 60, verbose: true, ..HumanOptions::default() };
    assert_snapshot!(render_human(&sample::rich(), options));
}

#[test]
fn colours() {
    let mut report = sample::rich();
    report.runs[0].trials.drain(4..12);
    let text = render_human(&report, HumanOptions { color: true, ..HumanOptions::default() });
    assert_snapshot!(text.replace('\u{1b}', "^"));
    assert!(!plain(&report).contains('\u{1b}'));
}

#[test]
fn missed_and_inconclusive() {
    let mut never_ready =
        sample::run(vec![sample::missed(0, "output:/ready/#2"), sample::missed(1, "port:8080")], vec![]);
    never_ready.windows = None;
    let lost = sample::run(
        vec![
            sample::trial(0, "start"),
            sample::inconclusive(1, "blocked:epoll_wait#3", "the tracee was lost: ESRCH in PTRACE_CONT"),
        ],
        vec![],
    );
    let untried = sample::run(vec![], vec![]);
    assert_snapshot!(plain(&sample::report(vec![never_ready, lost, untried])));
    assert_snapshot!("nothing_run", plain(&sample::report(vec![])));
}

#[test]
fn accepted_findings_alone_are_clean() {
    let mut lock = sample::finding(Code::LockFile, "state/session.lock", &["window:3"]);
    lock.accepted = Some("tracked as #812, until 2026-12-01".into());
    let mut trial = sample::trial(0, "window:3");
    trial.findings.push(lock.fingerprint.clone());
    assert_snapshot!(plain(&sample::report(vec![sample::run(vec![trial], vec![lock])])));
}

#[test]
fn what_never_came_again_stands_apart() {
    let mut racy = sample::finding(Code::TempFile, "a.tmp", &["window:3"]);
    racy.confirmed = Confirmed::new(1, 3);
    let open = sample::finding(Code::FdOpenAtExit, "out/run.log", &["window:3"]);
    let once = sample::seen_once();
    let mut twice = sample::finding(Code::OrphanProcess, "sleep 300", &["window:3", "window:19"]);
    (twice.severity, twice.confirmed) = (Severity::Note, Confirmed::new(0, 20));
    let mut known = sample::finding(Code::LockFile, "agent.lock", &["window:3"]);
    (known.accepted, known.confirmed) = (Some("tracked as #812".into()), Confirmed::new(0, 3));
    let trials = vec![sample::trial(0, "window:3"), sample::trial(1, "window:19")];
    let run = |findings| sample::report(vec![sample::run(trials.clone(), findings)]);
    assert_snapshot!(plain(&run(vec![once.clone(), racy, open, twice, known])));
    assert_snapshot!("not_reproduced_alone_is_clean", plain(&run(vec![once])));
}

#[test]
fn portable_says_what_was_not_audited() {
    let mut report = sample::report(vec![sample::run(vec![sample::trial(0, "time:250ms")], vec![])]);
    report.guarantee.level = Level::Portable;
    report.guarantee.mechanisms = vec!["subreaper".into(), "process scan".into()];
    let without_reasons = plain(&report);
    assert!(without_reasons.contains("not audited (portable guarantee)"), "{without_reasons}");
    report.guarantee.not_audited = vec![
        NotAudited {
            what: "files outside the workspace and TMPDIR".into(),
            why: "no mount namespace: user namespaces are disabled (kernel.unprivileged_userns_clone = 0)".into(),
        },
        NotAudited { what: "System V shared memory".into(), why: "no IPC namespace".into() },
    ];
    assert_snapshot!(plain(&report));
}

#[test]
fn hostile_strings() {
    assert_snapshot!(plain(&sample::hostile("\u{1b}[2J\u{1b}]0;owned\u{7}\r\nclean: \u{202e}txt.exe\u{200b} é 漢\t")));
}

#[test]
fn many_trials_are_drawn_together() {
    let mut trials: Vec<_> = (0..60).map(|i| sample::trial(i, &format!("window:{i}"))).collect();
    let orphan = sample::finding(Code::OrphanProcess, "sleep 300", &["window:20", "window:21"]);
    for trial in &mut trials[20..22] {
        trial.findings.push(orphan.fingerprint.clone());
    }
    trials[40] = sample::missed(40, "window:40");
    let text = plain(&sample::report(vec![sample::run(trials, vec![orphan])]));
    let table: Vec<&str> = text.lines().filter(|line| line.contains(" @ ")).collect();
    assert_snapshot!(table.join("\n"));
}

#[test]
fn lines_fit_unless_they_are_commands() {
    let text = plain(&sample::rich());
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
}

proptest! {
    #[test]
    fn nothing_hostile_gets_through(text in any::<String>(), width in 0_usize..200, verbose: bool) {
        let out = render_human(&sample::hostile(&text), HumanOptions { color: false, width, verbose });
        prop_assert!(!out.contains(|c: char| c != '\n' && is_hazard(c)));
    }
}
