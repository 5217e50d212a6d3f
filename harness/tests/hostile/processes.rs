//! Agents that fork, hide, kill and refuse to die.

use crate::bench::{Bench, codes, said};
use libtest_mimic::Failed;
use quietus::driver::Occasion;
use quietus::model::{Ended, ProcessRecord, Signal, Stdin};
use quietus::trial::{Outcome, TrialRecord};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn settled(record: &TrialRecord) -> Vec<&ProcessRecord> {
    record.evidence.censuses.get(&Occasion::Settled).map(|census| census.alive().collect()).unwrap_or_default()
}

/// Doubles twelve times: 4096 processes if nothing bounds it, and no more ever.
const BOMB: &str = "
import os, sys, signal
def bomb():
    for _ in range(12):
        try:
            os.fork()
        except OSError:
            os.write(1, b'refused\\n')
            signal.pause()
    signal.pause()
bomb()
";

pub(crate) fn fork_bomb(bench: &Bench) -> Result<(), Failed> {
    // The bound is tried on the smallest bomb first.
    let small = "import os\nprint(len([1 for _ in range(9) if os.fork() == 0 and os._exit(0) is None]), flush=True)";
    assert_eq!(bench.python(small).max_processes(400).run().outcome, Outcome::Ended);
    let record = bench.python(BOMB).max_processes(400).at("output:/refused/", "TERM").run();
    assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Signaled(Signal::TERM))));
    let left = settled(&record).len();
    assert!((100..=400).contains(&left), "{left} processes were left, at most 400 may be");
    Ok(())
}

/// One process at a time, each of which starts the next and ends.
pub(crate) fn short_lives(bench: &Bench) -> Result<(), Failed> {
    let agent = bench.python("import os\nwhile True:\n    if os.fork(): os._exit(0)");
    let record = agent.run();
    assert_eq!(record.outcome, Outcome::Ended);
    assert!(!settled(&record).is_empty(), "nobody was seen: {:?}", record.timeline);
    let found = agent.judge(&record);
    assert!(codes(&found).contains(&"orphan-process"), "{:?}", codes(&found));
    Ok(())
}

pub(crate) fn deaf(bench: &Bench) -> Result<(), Failed> {
    let program = "
import signal
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
print('deaf', flush=True)
while True: signal.sigwait({signal.SIGUSR1})
";
    let agent = bench.python(program).at("output:/deaf/", "HUP,INT,TERM,QUIT@group").grace(Duration::from_millis(300));
    let record = agent.run();
    assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Killed, Some(Ended::Signaled(Signal::KILL))));
    let found = agent.judge(&record);
    assert!(found.iter().any(|one| ["signal-ignored", "hang"].contains(&one.code.as_str())), "{:?}", codes(&found));
    Ok(())
}

pub(crate) fn kill_everything(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os, signal, subprocess
child = subprocess.Popen(['sleep', '1000'])
for s in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGCHLD):
    os.kill(1, s)
for pid in range(2, 1000):
    if pid != os.getpid():
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
os.kill(-1, signal.SIGSTOP)
os.kill(-1, signal.SIGKILL)
print('child', child.wait(), 'parent', os.getppid(), flush=True)
";
    let record = bench.python(program).run();
    assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Exited(0))));
    assert_eq!(said(&record), "child -9 parent 1\n");
    assert!(settled(&record).is_empty());
    Ok(())
}

/// Where the death of a parent is tried, the parent is a process the agent can reach.
pub(crate) fn host_gone(bench: &Bench) -> Result<(), Failed> {
    for signal in ["SIGKILL", "SIGSTOP", "SIGTERM"] {
        let program = format!(
            "
import os, signal
first = os.getppid()
os.kill(first, signal.{signal})
os.write(1, b'did it\\n')
try:
    while True: os.write(1, b'.')
except BrokenPipeError: pass
while os.getppid() != 1: os.sched_yield()
os._exit(7)
"
        );
        let record = bench.python(&program).at("output:/did it/", "parent-death").run();
        let ended = record.evidence.ended;
        assert_eq!((&record.outcome, ended), (&Outcome::Ended, Some(Ended::Exited(7))), "{signal}");
    }
    Ok(())
}

/// An agent that ends because its parent dies is waited for by either of two: its
/// dying parent, or the init. Whoever it is, the end is told.
pub(crate) fn ends_with_its_host(bench: &Bench) -> Result<(), Failed> {
    for _ in 0..100 {
        let record = bench
            .agent(["sh", "-c", "echo ready; read line; exit 7"])
            .stdin(Stdin::Open)
            .at("output:/ready/", "parent-death")
            .run();
        assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Exited(7))));
    }
    Ok(())
}

pub(crate) fn disguised(bench: &Bench) -> Result<(), Failed> {
    let program = "
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
def disguise(name, dies_too):
    os.setsid()
    if os.fork(): os._exit(0)
    os.closerange(0, 300)
    # Only then is the agent its parent, with whom it dies.
    while os.getppid() != agent: os.sched_yield()
    libc.prctl(15, name, 0, 0, 0)
    if dies_too: libc.prctl(1, signal.SIGKILL, 0, 0, 0)
    for s in (signal.SIGTERM, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
    os.write(ready, b'x')
    while True: signal.pause()
libc.prctl(36, 1, 0, 0, 0)
agent = os.getpid()
reader, pipe = os.pipe()
ready = 300
os.dup2(pipe, ready)
for name in (b'quietus-init', b'[kworker/0:0]', b') R 1 1 (', b'\\x1b[2J\\n', b'dies-too'):
    if os.fork() == 0:
        disguise(name, name == b'dies-too')
for _ in range(5): os.read(reader, 1)
print('ready', flush=True)
while True: signal.pause()
";
    let agent = bench.python(program).at("output:/ready/", "TERM");
    let record = agent.run();
    assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Signaled(Signal::TERM))));
    let mut names: Vec<&str> = settled(&record).iter().map(|process| process.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["\u{1b}[2J\n", ") R 1 1 (", "[kworker/0:0]", "quietus-init"]);
    assert!(codes(&agent.judge(&record)).contains(&"orphan-process"));
    Ok(())
}

pub(crate) fn stops_itself(bench: &Bench) -> Result<(), Failed> {
    let program = "import os, signal\nprint('ready', flush=True)\nos.kill(0, signal.SIGSTOP)";
    let record = bench.python(program).at("output:/ready/", "TERM").grace(Duration::from_millis(500)).run();
    // TERM waits until it goes on, unless it came before the stop.
    assert!(matches!(record.outcome, Outcome::Killed | Outcome::Ended), "{:?}", record.outcome);
    assert!(matches!(record.evidence.ended, Some(Ended::Signaled(Signal::KILL | Signal::TERM))));
    Ok(())
}

pub(crate) fn cannot_run(bench: &Bench) -> Result<(), Failed> {
    let place = |name: &str, content: &str, mode: u32| {
        let path = bench.directory().join(name);
        std::fs::write(&path, content).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        path.to_string_lossy().into_owned()
    };
    let (plain, odd, bad, empty) = (
        place("plain", "#!/bin/sh\n", 0o644),
        place("odd", "echo no first line\n", 0o755),
        place("bad", "#!/no/such/interpreter\n", 0o755),
        place("empty", "", 0o755),
    );
    for (command, says) in [
        ("no-such-program-here", "in PATH"),
        ("/no/such/program", "cannot find"),
        (&plain, "not executable"),
        (&odd, "#!/bin/sh"),
        (&bad, "first line"),
        (&empty, "#!/bin/sh"),
        ("/tmp", "directory"),
        ("", "empty"),
    ] {
        let error = bench.agent([command, &bench.mark]).try_run().expect_err(command).to_string();
        assert!(error.contains(says), "{command}: {error}");
    }
    bench.assert_gone();
    Ok(())
}

pub(crate) fn ends_at_once(bench: &Bench) -> Result<(), Failed> {
    for _ in 0..30 {
        let record = bench.agent(["true"]).run();
        assert_eq!((&record.outcome, record.evidence.ended), (&Outcome::Ended, Some(Ended::Exited(0))));
        let record = bench.agent(["false"]).at("start", "TERM").run();
        assert_eq!(record.outcome, Outcome::Ended);
    }
    Ok(())
}

/// Orphans that end faster than anybody could look at them.
pub(crate) fn many_ended(bench: &Bench) -> Result<(), Failed> {
    let program = "
import os
def fork():
    while True:
        try: return os.fork()
        except BlockingIOError: os.sched_yield()
for _ in range(3000):
    if fork() == 0:
        for _ in range(10):
            if fork() == 0: os._exit(3)
        os._exit(0)
    os.wait()
print('done', flush=True)
";
    let record = bench.python(program).run();
    assert_eq!((&record.outcome, said(&record).as_str()), (&Outcome::Ended, "done\n"));
    assert_eq!(record.evidence.reaped.iter().filter(|one| one.ended == Ended::Exited(3)).count(), 30_000);
    assert!(settled(&record).is_empty());
    Ok(())
}
