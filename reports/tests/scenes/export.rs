//! A nightly export in Python, swept: 62 windows, 12 lives, findings of every sort. And with it
//! a server, and a run without a map.

use super::{finding, life, moment, report, trial};
use quietus_reports::*;

/// Where the agent is a process with a tool that it does not wait for, files that it does not
/// remove, and a lock that somebody has accepted.
pub(crate) fn export() -> Report {
    report(vec![swept()])
}

/// The same beside a clean server, and runs that could not be judged, seen from outside.
pub(crate) fn several() -> Report {
    let mut server = swept();
    server.scenario = "webhook receiver".into();
    server.kind = AgentKind::Server;
    server.findings.clear();
    server.trials.iter_mut().for_each(|trial| {
        trial.findings.clear();
        trial.outcome = Outcome::Ended;
    });
    let mut session = swept();
    session.scenario = "mcp session: tool call, cancelled twice".into();
    session.kind = AgentKind::Session;
    session.strategy = "script".into();
    (session.map, session.windows) = (None, None);
    session.findings.clear();
    session.trials = vec![
        trial(0, "output:/ready/#2", None),
        trial(1, "probe:after_tool_call#2", None),
        Trial { note: Some("the tracee was lost".into()), outcome: Outcome::Inconclusive, ..trial(2, "idle", None) },
        Trial { outcome: Outcome::Missed, ..trial(3, "port:8080", None) },
    ];
    let mut report = report(vec![server, swept(), session]);
    report.guarantee.level = Level::Portable;
    report.guarantee.mechanisms = vec!["subreaper".into(), "process scan".into()];
    report.guarantee.not_audited = vec![
        NotAudited {
            what: "files outside the workspace and TMPDIR".into(),
            why: "no mount namespace: user namespaces are disabled (kernel.unprivileged_userns_clone = 0)".into(),
        },
        NotAudited { what: "System V shared memory".into(), why: "no IPC namespace".into() },
    ];
    report
}

/// When each window began, in microseconds: an interpreter starts, many short steps, then long
/// waits for a tool.
fn begins(number: u32) -> u64 {
    let number = u64::from(number);
    match number {
        0 => 0,
        1..20 => 41_000 + number * 1_900,
        20..30 => 80_000 + (number - 20) * 24_000,
        30..45 => 330_000 + (number - 30) * 900,
        _ => 346_000 + (number - 45) * 21_000,
    }
}

fn map() -> WindowMap {
    let opened = [
        "openat /tmp/tmp*/part.json",
        "rt_sigaction SIGTERM",
        "clone of process 0.1",
        "rename out/result.json.tmp",
        "flock state/session.lock",
        "unlinkat /tmp/tmp*/part.json",
    ];
    WindowMap {
        duration_us: 712_300,
        windows: (0..62)
            .map(|number| MappedWindow {
                at_us: begins(number),
                opened: if number == 0 { "start".into() } else { opened[number as usize % opened.len()].into() },
                like: match number {
                    38 | 42 => 30,
                    61 => 60,
                    _ => number,
                },
            })
            .collect(),
        lives: vec![
            life("process 0 handles SIGTERM", None, 7..=61, false),
            life("directory /tmp/tmp*", Some("/tmp/tmp*"), 9..=52, false),
            life("file /tmp/tmp*/part.json", Some("/tmp/tmp*/part.json"), 11..=50, false),
            life("/tmp/tmp*/part.json is not complete", Some("/tmp/tmp*/part.json"), 11..=24, false),
            life("file state/session.lock", Some("state/session.lock"), 13..=58, false),
            life("lock of process 0 on state/session.lock", None, 14..=57, false),
            life("process 0.1 `sort --parallel=2 -T /var/tmp rows.csv`", None, 20..=29, false),
            life("process 0.1 has a session or group of its own", None, 21..=29, false),
            life("bound to 127.0.0.1:8125", None, 22..=47, false),
            life("connected to 127.0.0.1:5432", None, 26..=46, false),
            life("file out/result.json", Some("out/result.json"), 45..=61, true),
            life("file out/run.log", Some("out/run.log"), 3..=61, true),
        ],
    }
}

fn findings() -> Vec<Finding> {
    let mut orphan = finding(
        Code::OrphanProcess,
        "`sort --parallel=2 -T /var/tmp rows.csv` still runs after the agent ended",
        "sort --parallel=2 -T /var/tmp rows.csv",
    );
    orphan.origin = Some(Origin {
        role: "0.1".into(),
        command: "sort --parallel=2 -T /var/tmp rows.csv".into(),
        source: Some("clone".into()),
        line: Some("export/tools.py:118 in run_tool".into()),
    });
    orphan.life = Some("made in window 20, live to window 29 of 61".into());
    orphan.cause = Some(
        "process 0.1 is in its own session (setsid at event 216), so the signal to the group of the agent did not \
         reach it; the handler of SIGTERM ends the agent by os._exit without terminating its children"
            .into(),
    );
    orphan.points = (20..30).map(|n| format!("syscall:clone@exit#1+window:{n}")).collect();
    (orphan.hits, orphan.confirmed) = (9, Confirmed::new(20, 20));
    orphan.evidence = vec![
        "pid 7, parent 1, session 7, state S, alive 1.0 s after the agent".into(),
        "fd 1 -> pipe:[40311] (stdout of the agent)".into(),
        "fd 3 -> /tmp/tmpk3x9x2ab/part.json".into(),
        "blocked in poll".into(),
    ];
    orphan.timeline = vec![
        moment(0, None, "the agent runs: python3 -m export --out 'result dir'"),
        moment(41_200, None, "[0] handles SIGTERM (export/main.py:31 in main)"),
        moment(98_300, None, "[0] starts process 0.1 (export/tools.py:118 in run_tool)"),
        moment(104_100, None, "[0.1] has a session of its own: setsid"),
        moment(128_000, Some(0), "injected TERM to the leader"),
        moment(128_900, Some(900), "[0] the handler of SIGTERM runs"),
        moment(131_300, Some(3_300), "[0] removes state/session.lock"),
        moment(133_100, Some(5_100), "the agent ended: exit 143"),
        moment(383_100, Some(255_100), "the cell is not quiet: 1 process is alive"),
        moment(1_133_100, Some(1_005_100), "1 process is alive: 0.1 `sort --parallel=2 -T /var/tmp rows.csv`"),
    ];
    orphan.token = "q1:eyJ2IjoxLCJhdCI6InN5c2NhbGw6Y2xvbmVAZXhpdCMxIiwic2VuZCI6IlRFUk0ifQ".into();
    orphan.replay = format!("quietus replay {} -- python3 -m export --out 'result dir'", orphan.token);

    let mut temp = finding(Code::TempFile, "`/tmp/tmpk3x9x2ab` was not removed", "/tmp/tmpk3x9x2ab/part.json");
    temp.origin = Some(Origin {
        role: "0".into(),
        command: "python3 -m export --out 'result dir'".into(),
        source: Some("openat".into()),
        line: Some("export/rows.py:77 in write_part".into()),
    });
    temp.cause = Some("the KILL came while the agent waited in futex, all threads".into());
    (temp.hits, temp.confirmed) = (3, Confirmed::new(17, 20));
    temp.points = vec!["window:33".into(), "window:34".into(), "blocked:futex#3".into()];
    temp.evidence = vec!["812 B, mode 0600, owner 1000".into(), "made in window 11".into()];
    temp.timeline = vec![
        moment(0, None, "the agent runs"),
        moment(333_100, Some(0), "injected TERM to the leader"),
        moment(5_333_100, Some(5_000_000), "the grace is over: KILL"),
        moment(5_334_000, Some(5_000_900), "the agent ended: signal 9 (KILL)"),
    ];

    let mut slow = finding(Code::SlowTermination, "the agent took 4.2 s of its 5 s to end", "4.2 s of 5 s grace");
    slow.cause = Some("blocked in recvfrom of 127.0.0.1:5432 for 4.1 s".into());
    (slow.hits, slow.points) = (2, vec!["window:27".into(), "window:41".into()]);

    let mut open = finding(Code::FdOpenAtExit, "the agent ended with out/run.log open", "out/run.log");
    open.points = vec!["window:20".into(), "window:48".into()];

    let mut lock = finding(Code::LockFile, "state/session.lock remains, its owner is gone", "state/session.lock");
    (lock.accepted, lock.points) = (Some("tracked as #812, until 2026-12-01".into()), vec!["window:15".into()]);

    let mut once = finding(Code::SocketFile, "the socket /tmp/agent.sock is left behind", "/tmp/agent.sock");
    (once.confirmed, once.severity) = (Confirmed::new(0, 20), Severity::Note);
    once.points = vec!["window:19".into()];
    vec![open, slow, once, temp, orphan, lock]
}

fn swept() -> Run {
    let findings = findings();
    let by = |code: Code| {
        findings.iter().find(|it| it.code == code).map(|it| it.fingerprint.clone()).expect("it is one of them")
    };
    let untried = |window: &u32| ![5, 6, 38, 42, 55, 56, 61].contains(window);
    let mut trials = Vec::new();
    for window in (0..62).filter(untried) {
        let index = u32::try_from(trials.len()).expect("few");
        let mut one = trial(index, &format!("window:{window}"), Some(window));
        let mut shows = |code| one.findings.push(by(code));
        match window {
            15 => shows(Code::LockFile),
            19 => shows(Code::SocketFile),
            20 | 48 => shows(Code::FdOpenAtExit),
            21..=29 => shows(Code::OrphanProcess),
            _ => {}
        }
        match window {
            27 | 41 => one.findings.push(by(Code::SlowTermination)),
            30 | 33 | 34 => {
                one.findings.push(by(Code::TempFile));
                one.outcome = Outcome::Killed;
                one.shutdown_us = Some(5_000_900);
            }
            51 | 52 => one.outcome = Outcome::Missed,
            44 | 58 => {
                one.outcome = Outcome::Inconclusive;
                one.note = Some("the tracee was lost: ESRCH in PTRACE_CONT".into());
                one.informational = true;
            }
            _ => {}
        }
        trials.push(one);
    }
    let index = u32::try_from(trials.len()).expect("few");
    trials.push(Trial { outcome: Outcome::Missed, shutdown_us: None, ..trial(index, "output:/ready/#2", None) });
    Run {
        scenario: "nightly export".into(),
        file: None,
        agent: ["python3", "-m", "export", "--out", "result dir"].map(String::from).to_vec(),
        kind: AgentKind::Job,
        strategy: "sweep".into(),
        control: Some(Control {
            runs: 2,
            duration_us: 712_300,
            ended: "exit 0".into(),
            leaves: vec!["out/result.json".into(), "out/run.log".into()],
        }),
        windows: Some(Windows { total: 62, covered: 57, missed: 2 }),
        map: Some(map()),
        elsewhere: 0,
        doubt: None,
        trials,
        findings,
        notes: vec!["two control runs differ in 3 events; those windows were merged".into()],
        verdict: Verdict::Clean,
    }
}
