//! Reports for the tests of this crate.

use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::fingerprint::fingerprint;
use crate::gate::Gate;
use crate::map::{Life, MappedWindow, WindowMap};
use crate::model::*;

/// A report over `runs`, judged by the default gate, with a full guarantee.
pub(crate) fn report(mut runs: Vec<Run>) -> Report {
    let gate = Gate::default();
    for run in &mut runs {
        run.verdict = gate.judge_run(run);
    }
    Report {
        format: Format::CURRENT,
        quietus: "0.1.0".into(),
        started: "2026-07-28T09:30:00+02:00".into(),
        host: Host { os: "linux".into(), kernel: "6.18.1".into(), arch: "x86_64".into(), cpus: 2 },
        guarantee: Guarantee {
            level: Level::Full,
            mechanisms: ["pid namespace", "overlay", "ptrace"].map(String::from).to_vec(),
            not_audited: vec![],
        },
        shards: None,
        totals: Totals::of(&runs),
        verdict: gate.judge(&runs),
        runs,
    }
}

/// A run of a small job with these trials and findings.
pub(crate) fn run(trials: Vec<Trial>, findings: Vec<Finding>) -> Run {
    Run {
        scenario: "nightly export".into(),
        file: None,
        agent: ["python3", "agent.py", "--out", "result dir"].map(String::from).to_vec(),
        kind: AgentKind::Job,
        strategy: "sweep".into(),
        control: Some(Control {
            runs: 2,
            duration_us: 412_300,
            ended: "exit 0".into(),
            leaves: vec!["out/result.json".into(), "out/run.log".into()],
        }),
        windows: Some(Windows { total: 36, covered: 34, missed: 2 }),
        map: None,
        elsewhere: 0,
        doubt: None,
        trials,
        findings,
        notes: vec![],
        verdict: Verdict::Clean,
    }
}

/// Thirty-six windows in which three things come and go.
fn map() -> WindowMap {
    let window = |number: u32| MappedWindow {
        at_us: u64::from(number) * 11_000,
        opened: if number == 0 { "start".into() } else { format!("openat /tmp/part-{number}") },
        like: if number == 30 { 20 } else { number },
    };
    let life = |what: &str, path: Option<&str>, (first, last), stays| Life {
        what: what.into(),
        path: path.map(String::from),
        first,
        last,
        stays,
    };
    WindowMap {
        duration_us: 412_300,
        windows: (0..36).map(window).collect(),
        lives: vec![
            life("process 0.1 `sleep 300`", None, (12, 17), false),
            life("directory /tmp/tmp*", Some("/tmp/tmp*"), (2, 30), false),
            life("file out/result.json", Some("out/result.json"), (31, 35), true),
        ],
    }
}

/// A trial that ended by TERM at once and left nothing.
pub(crate) fn trial(index: u32, point: &str) -> Trial {
    Trial {
        index,
        label: point.replace(':', " "),
        window: point.strip_prefix("window:").and_then(|number| number.parse().ok()),
        predicted: None,
        point: point.into(),
        injection: "TERM".into(),
        informational: false,
        outcome: Outcome::Ended,
        status: Some("signal 15 (TERM)".into()),
        duration_us: 61_000 + u64::from(index),
        shutdown_us: Some(2_900),
        token: format!("q1:TERM@{point}"),
        findings: vec![],
        note: None,
    }
}

/// A trial that did not reach its point.
pub(crate) fn missed(index: u32, point: &str) -> Trial {
    Trial { outcome: Outcome::Missed, status: Some("exit 0".into()), shutdown_us: None, ..trial(index, point) }
}

/// A trial that cannot be judged.
pub(crate) fn inconclusive(index: u32, point: &str, note: &str) -> Trial {
    Trial {
        outcome: Outcome::Inconclusive,
        status: None,
        shutdown_us: None,
        note: Some(note.into()),
        ..trial(index, point)
    }
}

/// A finding of `code`, seen at `points`.
pub(crate) fn finding(code: Code, subject: &str, points: &[&str]) -> Finding {
    let token = format!("q1:TERM@{}", points.first().unwrap_or(&"start"));
    Finding {
        code,
        severity: code.severity(),
        fingerprint: fingerprint(code, &[subject]),
        title: code.summary().into(),
        subject: subject.into(),
        origin: None,
        life: None,
        points: points.iter().map(ToString::to_string).collect(),
        hits: u32::try_from(points.len()).expect("few points"),
        tried: 14,
        confirmed: Confirmed::new(3, 3),
        cause: None,
        evidence: vec![],
        timeline: vec![],
        accepted: None,
        replay: format!("quietus replay {token}"),
        token,
    }
}

/// A finding that was seen once, and not again in three further runs.
pub(crate) fn seen_once() -> Finding {
    let mut finding = finding(Code::SocketFile, "/tmp/agent.sock", &["window:19"]);
    finding.severity = Severity::Note;
    finding.title = "the socket /tmp/agent.sock is left behind".into();
    finding.confirmed = Confirmed::new(0, 3);
    finding.evidence = ["0 B, mode 0755, owner 0", "bound by pid 3", "nobody listens on it", "made in window 18"]
        .map(String::from)
        .to_vec();
    finding
}

/// A report in which every optional field is present and every kind of trial,
/// severity and further run occurs.
pub(crate) fn rich() -> Report {
    let mut orphan = finding(
        Code::OrphanProcess,
        "sleep 300",
        &["window:12", "window:13", "window:14", "window:15", "window:16", "window:17"],
    );
    orphan.title = "`sleep 300` still runs after the agent ended".into();
    orphan.origin = Some(Origin {
        role: "0.1".into(),
        command: "sleep 300".into(),
        source: Some("clone".into()),
        line: Some("agent.py:41 in run_tool".into()),
    });
    orphan.life = Some("created at event 214; leaks when terminated in windows 12..17".into());
    orphan.cause = Some(
        "process 0.1 is in its own session (setsid at event 216), so the signal to the \
         group of the agent did not reach it"
            .into(),
    );
    let moment = |at_us, since_us, what: &str| Moment { at_us, since_us, what: what.into() };
    orphan.timeline = vec![
        moment(0, None, "the agent runs"),
        moment(131_200, None, "[0] process 0.1 is started (agent.py:41 in run_tool)"),
        moment(140_000, Some(0), "injected TERM"),
        moment(143_100, Some(3_100), "the agent ended: signal 15 (TERM)"),
        moment(1_143_100, Some(1_003_100), "1 process is alive"),
    ];
    orphan.evidence = (1..=11).map(|i| format!("fd {i} -> pipe:[4{i:03}]")).collect();

    let mut temp = finding(Code::TempFile, "/tmp/tmpk3x9x2ab/part.json", &["window:3"]);
    temp.title = "`/tmp/tmpk3x9x2ab` was not removed".into();
    temp.origin = Some(Origin {
        role: "0".into(),
        command: "python3 agent.py --out 'result dir'".into(),
        source: None,
        line: None,
    });
    temp.cause = Some("SIGTERM had its default action until event 214".into());
    temp.confirmed = Confirmed::new(2, 3);

    let slow = finding(Code::SlowTermination, "4.2 s of 5 s grace", &["window:20", "window:21"]);
    let open = finding(Code::FdOpenAtExit, "out/run.log", &["window:20"]);
    let mut lock = finding(Code::LockFile, "state/session.lock", &["window:13"]);
    lock.accepted = Some("tracked as #812, until 2026-12-01".into());
    let once = seen_once();

    let mut trials: Vec<_> = (10..24).map(|i| trial(i - 10, &format!("window:{i}"))).collect();
    for trial in &mut trials {
        for finding in [&orphan, &temp, &slow, &open, &lock, &once] {
            if finding.points.contains(&trial.point) {
                trial.findings.push(finding.fingerprint.clone());
            }
        }
    }
    trials[10].outcome = Outcome::Killed;
    trials[10].status = Some("signal 9 (KILL)".into());
    trials[10].shutdown_us = Some(5_000_400);
    trials[11].shutdown_us = Some(4_200_000);
    trials[11].status = Some("exit 0".into());
    trials[0].point = "window:3".into();
    trials[0].findings.push(temp.fingerprint.clone());
    trials.push(missed(14, "output:/ready/#2"));
    trials.push(inconclusive(15, "blocked:epoll_wait#3", "the tracee was lost"));
    trials[15].informational = true;
    let mut run = run(trials, vec![open, slow, once, temp, orphan, lock]);
    run.map = Some(map());
    run.notes.push("two control runs differ in 3 events; those windows were merged".into());
    report(vec![run])
}

/// A report with `text` in every place that an agent can fill.
pub(crate) fn hostile(text: &str) -> Report {
    let mut finding = finding(Code::TempFile, text, &[text]);
    finding.title = text.into();
    finding.cause = Some(text.into());
    finding.life = Some(text.into());
    finding.evidence = vec![text.into()];
    finding.timeline = vec![Moment { at_us: 0, since_us: None, what: text.into() }];
    finding.token = text.into();
    finding.replay = text.into();
    finding.origin =
        Some(Origin { role: text.into(), command: text.into(), source: Some(text.into()), line: Some(text.into()) });
    let mut accepted = finding.clone();
    accepted.accepted = Some(text.into());
    let mut never_again = finding.clone();
    never_again.confirmed = Confirmed::new(0, 3);
    let mut trial = trial(0, text);
    trial.injection = text.into();
    trial.status = Some(text.into());
    trial.note = Some(text.into());
    trial.token = text.into();
    let mut run = run(vec![trial, missed(1, text)], vec![finding, accepted, never_again]);
    run.scenario = text.into();
    run.strategy = text.into();
    run.agent = vec![text.into(), text.into()];
    run.file = Some(text.into());
    run.notes = vec![text.into()];
    let control = run.control.as_mut().expect("the sample has one");
    control.ended = text.into();
    control.leaves = vec![text.into()];
    let mut report = report(vec![run]);
    report.guarantee.mechanisms = vec![text.into()];
    report.guarantee.not_audited = vec![NotAudited { what: text.into(), why: text.into() }];
    report
}
