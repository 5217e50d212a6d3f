//! Reports made by hand from the public model, to be looked at and measured.

#![allow(dead_code, reason = "each user of this module needs some of it")]

pub(crate) mod export;
pub(crate) mod filled;
pub(crate) mod large;

use quietus_reports::*;

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
        host: Host { os: "linux".into(), kernel: "6.18.1".into(), arch: "x86_64".into(), cpus: 8 },
        guarantee: Guarantee {
            level: Level::Full,
            mechanisms: ["user namespace", "pid namespace", "overlay", "seccomp", "ptrace"].map(String::from).to_vec(),
            not_audited: vec![],
        },
        shards: None,
        totals: Totals::of(&runs),
        verdict: gate.judge(&runs),
        runs,
    }
}

/// A trial that ended by TERM at once and left nothing.
pub(crate) fn trial(index: u32, point: &str, window: Option<u32>) -> Trial {
    Trial {
        index,
        label: window.map_or_else(|| point.to_owned(), |number| format!("window {number}")),
        point: point.into(),
        window,
        predicted: None,
        injection: "TERM".into(),
        informational: false,
        outcome: Outcome::Ended,
        status: Some("signal 15 (TERM)".into()),
        duration_us: 61_000 + u64::from(index % 977) * 13,
        shutdown_us: Some(2_100 + u64::from(index % 89) * 31),
        token: format!("q1:TERM@{point}"),
        findings: vec![],
        note: None,
    }
}

/// A finding of `code` about `subject`.
pub(crate) fn finding(code: Code, title: &str, subject: &str) -> Finding {
    Finding {
        code,
        severity: code.severity(),
        fingerprint: fingerprint::fingerprint(code, &[subject]),
        title: title.into(),
        subject: subject.into(),
        origin: None,
        life: None,
        points: vec![],
        hits: 1,
        tried: 54,
        confirmed: Confirmed::new(3, 3),
        cause: None,
        evidence: vec![],
        timeline: vec![],
        accepted: None,
        token: "q1:TERM@window:0".into(),
        replay: "quietus replay q1:TERM@window:0".into(),
    }
}

/// A moment of a trial.
pub(crate) fn moment(at_us: u64, since_us: Option<u64>, what: &str) -> Moment {
    Moment { at_us, since_us, what: what.into() }
}

/// Something that lives in these windows.
pub(crate) fn life(what: &str, path: Option<&str>, windows: std::ops::RangeInclusive<u32>, stays: bool) -> Life {
    Life { what: what.into(), path: path.map(String::from), first: *windows.start(), last: *windows.end(), stays }
}
