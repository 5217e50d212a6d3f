//! Agents that write too much, or what must not reach a terminal.

use crate::bench::{Bench, said};
use libtest_mimic::Failed;
use quietus::driver::{Driver, Interrupt};
use quietus::explore::{Check, Planned, check};
use quietus::model::{Ended, Signal};
use quietus::scenario::Kind;
use quietus::trial::Outcome;
use quietus_reports::{Format, Gate, Host, HumanOptions, Report, Totals, from_json, render_human, to_json};
use std::time::Duration;

pub(crate) fn flood(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os
block = (b'x' * 4095 + b'\\n') * 256
for _ in range(1024):
    rest = block
    while rest: rest = rest[os.write(1, rest):]
os.write(1, b'the end')
";
    let record = bench.python(program).run();
    assert_eq!(record.outcome, Outcome::Ended);
    let output = &record.evidence.output;
    assert_eq!(output.total, (1 << 30) + 7);
    assert!(output.tail.len() <= 64 * 1024 && output.tail.ends_with(b"the end"));
    assert!(output.lines.len() <= 256 && output.lines.iter().all(|(_, line)| line.len() <= 16 * 1024));
    Ok(())
}

pub(crate) fn endless(bench: &Bench) -> Result<(), Failed> {
    let record = bench.agent(["/usr/bin/yes", &bench.mark]).at("output:/mark/#1000", "TERM").run();
    assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Signaled(Signal::TERM))));
    assert!(said(&record).contains(&bench.mark));
    Ok(())
}

/// Everything that acts on a terminal, in output, arguments, file and process names.
const CONTROLS: &str = r#"
import ctypes, os, sys
nasty = b'\x1b[2J\x1b]0;title\x07\x00\x08\x7f\xc2\x9b31m\xe2\x80\xae\xff\xfe<b>&amp;|`**\r'
os.write(1, nasty + b'\n'); os.write(2, nasty + b'\n')
name = nasty.replace(b'\x00', b'')
places = [b'/tmp/', os.getcwdb() + b'/']
made = []
for place in places:
    for kind in (b'a\n', b'b\x1b[31m', b'c\xff'):
        path = place + kind + name.replace(b'/', b'_')
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY)); made.append(path)
    os.mkfifo(place + b'fifo\x1b' + name); made.append(place + b'fifo\x1b' + name)
ctypes.CDLL(None).prctl(15, b'\x1b[2J\n', 0, 0, 0)
child = os.fork()
if child == 0:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True: signal.pause()
os.write(1, b'ready\n')
import time
time.sleep(0.2)
os.kill(child, 9); os.wait()
for path in made: os.unlink(path)
"#;

pub(crate) fn controls(bench: &Bench) -> Result<(), Failed> {
    let agent = bench.python(CONTROLS).at("output:/ready/", "TERM");
    let driver = agent.driver();
    let mut command = agent.command.clone();
    command.push("\u{1b}[31m\u{202e}red\n\u{7f}".into());
    let wanted = Check {
        name: "controls \u{1b}[2J".to_owned(),
        kind: Some(Kind::Job),
        grace: Duration::from_secs(60),
        horizon: Duration::from_secs(60),
        trials: vec![Planned { label: "as asked".to_owned(), plan: agent.plan(), informational: false }],
        confirm: 1,
        jobs: 1,
        ..Check::of_command(command, vec![("PATH".into(), "/usr/bin:/bin".into())], bench.directory().to_path_buf())
    };
    let run = check(&driver, &wanted, &Interrupt::new()?, &()).map_err(|error| error.to_string())?;
    bench.assert_gone();
    let found: Vec<&str> = run.findings.iter().map(|finding| finding.code.as_str()).collect();
    for code in ["orphan-process", "temp-file", "stray-file", "fifo-file"] {
        assert!(found.contains(&code), "no {code} among {found:?}");
    }
    let (totals, verdict) = (Totals::of(std::slice::from_ref(&run)), Gate::default().judge(std::slice::from_ref(&run)));
    let report = Report {
        format: Format::CURRENT,
        quietus: "0".to_owned(),
        started: "2026-01-01T00:00:00+00:00".to_owned(),
        host: Host { os: "linux".to_owned(), kernel: "6".to_owned(), arch: "x".to_owned(), cpus: 1 },
        guarantee: driver.guarantee(),
        shards: None,
        runs: vec![run],
        totals,
        verdict,
    };
    for verbose in [false, true] {
        let text = render_human(&report, HumanOptions { color: false, width: 80, verbose });
        let hazard = text.chars().find(|c| *c != '\n' && quietus_reports::escape::is_hazard(*c));
        assert_eq!(hazard, None, "{text}");
    }
    let json = to_json(&report);
    assert!(!json.chars().any(|c| c.is_control() && c != '\n'), "a control character in the JSON");
    assert_eq!(from_json(&json).map_err(|error| error.to_string())?, report);
    Ok(())
}
