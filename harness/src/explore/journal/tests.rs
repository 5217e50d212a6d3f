use super::*;
use quietus_reports::{AgentKind, Code, Guarantee, Host, Level, Outcome, Severity, Verdict, json_line};

fn report() -> Report {
    Report {
        format: Format::CURRENT,
        quietus: "0".to_owned(),
        started: "2026-01-01T00:00:00+00:00".to_owned(),
        host: Host { os: "linux".to_owned(), kernel: "6".to_owned(), arch: "x".to_owned(), cpus: 1 },
        guarantee: Guarantee { level: Level::Full, mechanisms: Vec::new(), not_audited: Vec::new() },
        shards: None,
        runs: Vec::new(),
        totals: Totals::default(),
        verdict: Verdict::Inconclusive,
    }
}

fn run(name: &str) -> Run {
    Run {
        scenario: name.to_owned(),
        file: None,
        agent: vec!["true".to_owned()],
        kind: AgentKind::Job,
        strategy: "sweep".to_owned(),
        control: None,
        windows: None,
        map: None,
        elsewhere: 0,
        doubt: None,
        trials: Vec::new(),
        findings: Vec::new(),
        notes: Vec::new(),
        verdict: Verdict::Inconclusive,
    }
}

fn trial(index: u32) -> Trial {
    Trial {
        index,
        label: "window".to_owned(),
        point: "start".to_owned(),
        window: None,
        predicted: None,
        injection: "TERM".to_owned(),
        informational: false,
        outcome: Outcome::Ended,
        status: None,
        duration_us: 1,
        shutdown_us: None,
        token: format!("q1/at=time:{index}ms/send=TERM/grace=5s"),
        findings: Vec::new(),
        note: None,
    }
}

fn found() -> Found {
    Found::new(Code::TempFile, "/tmp/a", "the temporary file /tmp/a is left behind", &["0"])
}

fn begin(key: Option<&str>, name: &str) -> String {
    let (report, run) = (Cow::Owned(report()), Cow::Owned(run(name)));
    let replay = ("quietus replay ".to_owned(), " --scenario a.toml".to_owned());
    json_line(&Entry::Begin { key: key.map(str::to_owned), report, run, replay })
}

fn ended(index: u32, found: Vec<Found>) -> String {
    json_line(&Entry::Trial { trial: Cow::Owned(trial(index)), found: Cow::Owned(found) })
}

#[test]
fn a_run_that_was_broken_off_is_told_as_far_as_it_came() {
    let text = [begin(None, "one"), ended(1, vec![found()]), ended(0, vec![])].concat();
    let cut = format!("{text}{}", &ended(2, vec![found()])[..40]);
    for text in [&text, &cut] {
        let runs = read_journal(text).expect("a journal");
        let report = journaled_report(runs).expect("a report");
        let run = &report.runs[0];
        assert_eq!(run.trials.iter().map(|trial| trial.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(run.findings.len(), 1);
        assert_eq!(run.trials[1].findings, [run.findings[0].fingerprint.clone()]);
        assert_eq!((run.findings[0].severity, run.findings[0].confirmed), (Severity::Error, None));
        let replay = "quietus replay q1/at=time:1ms/send=TERM/grace=5s --scenario a.toml";
        assert_eq!(run.findings[0].replay, replay);
        assert!(run.notes[0].contains("broken off after 2 trials"), "{:?}", run.notes);
        assert_eq!(report.verdict, Verdict::Findings);
    }
}

#[test]
fn what_was_broken_off_is_never_clean() {
    let runs = read_journal(&[begin(None, "one"), ended(0, vec![])].concat()).expect("a journal");
    assert_eq!(journaled_report(runs).expect("a report").verdict, Verdict::Inconclusive);
    assert!(journaled_report(read_journal("").expect("nothing")).is_none());
}

#[test]
fn a_run_that_is_over_is_whole() {
    let mut whole = run("one");
    (whole.trials, whole.verdict) = (vec![trial(0)], Verdict::Clean);
    let end = json_line(&Entry::End { run: Cow::Owned(whole.clone()) });
    let text = [begin(Some("a"), "one"), ended(0, vec![]), end, begin(Some("b"), "two"), ended(0, vec![])].concat();
    let runs = read_journal(&text).expect("a journal");
    assert_eq!((runs[0].is_over, &runs[0].run, runs[0].trials.len()), (true, &whole, 0));
    assert_eq!((runs[1].is_over, runs[1].trials.len()), (false, 1));
}

#[test]
fn one_that_goes_on_has_all_that_was_done() {
    let first = [begin(Some("a"), "one"), ended(0, vec![]), ended(1, vec![found()])].concat();
    let second = [begin(Some("a"), "one"), ended(0, vec![]), ended(2, vec![])].concat();
    let runs = read_journal(&[first, second].concat()).expect("a journal");
    assert_eq!(runs.len(), 1);
    let mut done: Vec<(u32, usize)> = runs[0].trials.iter().map(|(trial, found)| (trial.index, found.len())).collect();
    done.sort_unstable();
    assert_eq!(done, [(0, 0), (1, 1), (2, 0)]);
}

#[test]
fn what_is_no_journal_is_said_line_by_line() {
    let wrong = |text: &str| read_journal(text).expect_err("no journal").to_string();
    insta::assert_snapshot!(wrong(&ended(0, vec![])), @"line 1 is not one of a journal: a trial outside of a run");
    let end = json_line(&Entry::End { run: Cow::Owned(run("one")) });
    insta::assert_snapshot!(wrong(&end), @"line 1 is not one of a journal: an end without a beginning");
    let text = format!("{}\u{1b}[2J\n{}", begin(None, "one"), ended(0, vec![]));
    insta::assert_snapshot!(wrong(&text), @"line 2 is not one of a journal: expected value at line 1 column 1");
    let other = begin(None, "one").replace("\"format\":1", "\"format\":7");
    insta::assert_snapshot!(wrong(&other), @"line 1 is not one of a journal: it is of format 7, and this version reads 1");
}

#[test]
fn what_was_found_is_the_same_when_it_is_read_again() {
    let places = crate::audit::Places::from([("/home/you/w".to_owned(), ".")]);
    let mut one = Found::new(Code::TempFile, "/home/you/w/a.tmp", "left", &["0", "/home/you/w/agent.py"]);
    one.seen_from(&places);
    let text = [begin(None, "one"), ended(0, vec![one.clone()])].concat();
    let runs = read_journal(&text).expect("a journal");
    let again = runs[0].trials[0].1[0].clone().written_down(&places);
    assert_eq!(again, one);
    let mut elsewhere = Found::new(Code::TempFile, "/srv/b/a.tmp", "left", &["0", "/srv/b/agent.py"]);
    elsewhere.seen_from(&crate::audit::Places::from([("/srv/b".to_owned(), ".")]));
    assert_eq!(elsewhere.fingerprint, one.fingerprint);
}
