//! Quietus is killed, or asked to stop, at every moment of a check.

use crate::ground::{Ground, Person, ended, no_panic, quietus, quoted, shown};
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

fn send(child: &Child, signal: Signal) -> Result<(), Failed> {
    let pid = Pid::from_raw(i32::try_from(child.id())?).ok_or("no pid")?;
    Ok(kill_process(pid, signal)?)
}

/// Starts it and lets it say so many lines of progress. `None` when it had no more to say.
fn after_lines(command: &mut Command, lines: usize) -> Result<(Child, bool, String), Failed> {
    let mut child = command.spawn()?;
    let mut reader = BufReader::new(child.stderr.take().ok_or("no standard error")?);
    let mut said = String::new();
    let mut all = true;
    for _ in 0..lines {
        if reader.read_line(&mut said)? == 0 {
            all = false;
            break;
        }
    }
    // The pipe stays open, so that going on to write is no error.
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    Ok((child, all, said))
}

/// The number of kills after a line of progress, and of kills while nothing is said yet.
const LINES: usize = 16;
const INSTANTS: u64 = 26;

pub(crate) fn after_each_line(person: Person) -> Result<(), Failed> {
    let mut killed = 0;
    for lines in 1..=LINES {
        let ground = Ground::new(person)?;
        let report = ground.path().join("report.json");
        let (mut child, going, _) =
            after_lines(&mut ground.check(person, &["--confirm", "2", "--output", &report.to_string_lossy()]), lines)?;
        child.kill()?;
        child.wait()?;
        ground.assert_as_it_was();
        killed += usize::from(going);
        // A report is whole or not there.
        if let Ok(text) = std::fs::read_to_string(&report) {
            assert!(quietus_reports::from_json(&text).is_ok(), "{text}");
        }
    }
    assert!(killed >= 10, "only {killed} of {LINES} kills came before the end");
    Ok(())
}

/// Killed while agents are traced and held; and the trials that were told of are all
/// in the file of `--journal`.
pub(crate) fn in_a_sweep(person: Person) -> Result<(), Failed> {
    let mut written = 0;
    for lines in 1..=LINES {
        let ground = Ground::new(person)?;
        let journal = ground.path().join("trials.jsonl");
        let options = ["--journal", &*journal.to_string_lossy()];
        let (mut child, _, said) = after_lines(&mut ground.run(person, "sweep", &options), lines)?;
        child.kill()?;
        child.wait()?;
        ground.assert_as_it_was();
        let told = said.lines().filter(|line| line.starts_with("trial ")).count();
        let text = std::fs::read_to_string(&journal)?;
        let runs = quietus::explore::read_journal(&text)?;
        let trials: usize = runs.iter().map(|run| run.trials.len()).sum();
        assert!(trials >= told, "{told} were told: {text}");
        written += told;
    }
    assert!(written > LINES, "only {written} trials ended before a kill");
    Ok(())
}

pub(crate) fn while_it_sets_up(person: Person) -> Result<(), Failed> {
    for instant in 0..INSTANTS {
        let ground = Ground::new(person)?;
        let mut child = ground.check(person, &["--confirm", "0"]).spawn()?;
        // A stimulus at another moment each time, not a wait for anything.
        std::thread::sleep(Duration::from_micros(instant * instant * 350));
        child.kill()?;
        child.wait()?;
        ground.assert_as_it_was();
    }
    Ok(())
}

fn output_of(mut child: Child) -> Result<Output, Failed> {
    let mut stdout = Vec::new();
    child.stdout.take().ok_or("no standard output")?.read_to_end(&mut stdout)?;
    Ok(Output { status: child.wait()?, stdout, stderr: Vec::new() })
}

pub(crate) fn asked_to_stop(person: Person) -> Result<(), Failed> {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let ground = Ground::new(person)?;
        // Control, control, how many trials, and the first of them.
        let (child, _, said) = after_lines(&mut ground.check(person, &["--repeat", "50", "-j", "1"]), 4)?;
        assert!(said.contains("trial"), "{said}");
        send(&child, signal)?;
        let output = output_of(child)?;
        ground.assert_as_it_was();
        no_panic(&output);
        assert_eq!(output.status.code(), Some(130), "{signal:?}: {}", shown(&output));
        let text = shown(&output);
        assert!(text.contains("trials were not run: interrupted") && text.contains("left-mark"), "{text}");
    }
    Ok(())
}

pub(crate) fn asked_twice(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let (child, ..) = after_lines(&mut ground.check(person, &["--repeat", "50", "-j", "1"]), 4)?;
    send(&child, Signal::TERM)?;
    send(&child, Signal::INT)?;
    let output = output_of(child)?;
    ground.assert_as_it_was();
    assert_eq!(output.status.code(), Some(130), "{}", shown(&output));
    Ok(())
}

/// As after `&` in a script, and under nohup.
pub(crate) fn ignored_signals(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let line = quoted(&[quietus()]);
    let agent = quoted(&ground.leaky());
    let script = format!("trap '' INT HUP; exec {line} check --kind job --progress plain --confirm 0 -j 1 -- {agent}");
    let start = || {
        let mut command = person.command(&["sh", "-c", &script]);
        command.current_dir(ground.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        after_lines(&mut command, 4)
    };
    let (child, ..) = start()?;
    send(&child, Signal::INT)?;
    send(&child, Signal::HUP)?;
    let output = output_of(child)?;
    ground.assert_as_it_was();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let (child, ..) = start()?;
    send(&child, Signal::TERM)?;
    let output = output_of(child)?;
    ground.assert_as_it_was();
    assert_eq!(output.status.code(), Some(130), "{}", shown(&output));
    Ok(())
}

pub(crate) fn blocked_signals(person: Person) -> Result<(), Failed> {
    let ground = Ground::new(person)?;
    let program = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); os.execvp(sys.argv[1], sys.argv[1:])";
    let quietus = quietus();
    let agent = ground.leaky();
    let mut words = vec![
        "/usr/bin/python3",
        "-c",
        program,
        &quietus,
        "check",
        "--kind",
        "job",
        "--progress",
        "plain",
        "-j",
        "1",
        "--repeat",
        "50",
        "--",
    ];
    words.extend(agent.iter().map(String::as_str));
    let mut command = person.command(&words);
    command.current_dir(ground.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (child, _, said) = after_lines(&mut command, 4)?;
    assert!(said.contains("trial"), "{said}");
    send(&child, Signal::TERM)?;
    let output = output_of(child)?;
    ground.assert_as_it_was();
    assert_eq!(output.status.code(), Some(130), "{}", shown(&output));
    // And the agent has none of them blocked: TERM ends it.
    assert!(shown(&output).contains("signal 15 (TERM)"), "{}", shown(&output));
    let output = ended(&ground, &mut ground.check(person, &["--confirm", "0", "--at", "start"]))?;
    assert!(output.status.code().is_some_and(|code| code <= 3), "{}", shown(&output));
    Ok(())
}
