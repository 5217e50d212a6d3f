//! Points at system calls: an agent is held before or after exactly that call, and
//! one that is traced does what it does untraced. Each test runs as oneself and,
//! where that can be had, as an ordinary user.

use libtest_mimic::{Arguments, Failed, Trial};
use quietus::cell::CellOptions;
use quietus::driver::{FullDriver, Interrupt, Request};
use quietus::model::{Act, Ended, Evidence, FileChange, Signal, Stdin, TrialPlan};
use quietus::trial::{Limits, Outcome, run_trial};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Nothing here waits that long unless something hangs.
const AT_MOST: Duration = Duration::from_secs(240);

const NOBODY: &[&str] = &["--reuid=65534", "--regid=65534", "--clear-groups"];

type Body = fn() -> Result<(), Failed>;

const TESTS: &[(&str, Body)] = &[
    ("at_the_start_nothing_has_run", at_the_start),
    ("after_the_start_nobody_is_traced", untraced_after_the_start),
    ("before_a_call_nothing_has_happened", before),
    ("after_a_call_it_has", after),
    ("a_call_of_one_process_of_the_tree", of_one_process),
    ("the_nth_exec_of_the_tree", nth_exec),
    ("a_call_on_this_path", on_a_path),
    ("a_failed_call_is_not_counted_after_it", failed_calls),
    ("a_handler_runs_before_the_call_and_the_call_is_made", handler),
    ("inside_the_cleanup", inside_the_cleanup),
    ("two_injections_at_the_two_sides_of_one_call", both_sides),
    ("two_threads_are_held_one_right_after_the_other", two_threads),
    ("the_calls_of_a_handler_are_counted", handler_calls),
    ("a_signal_that_a_thread_waits_for_is_taken_by_it", waited_for),
    ("who_is_left_comes_to_a_point_when_the_agent_has_ended", left_at_a_point),
    ("the_call_that_it_is_held_before_fails", held_before_a_fault),
    ("the_next_call_of_any_process_fails", fault_anywhere),
    ("what_is_traced_does_what_it_does_untraced", unchanged),
    ("what_a_process_has_open_at_its_end_is_seen", open_at_the_end),
    ("a_point_that_never_comes_is_missed", missed),
];

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(4);
    let other = rustix::process::geteuid().is_root()
        && Command::new("setpriv").args(NOBODY).arg("true").status().is_ok_and(|status| status.success());
    let copy = other.then(readable_copy).and_then(Result::ok);
    let mut tests = Vec::new();
    for (name, body) in TESTS {
        tests.push(Trial::test(format!("oneself::{name}"), *body));
        let program = copy.as_ref().map(|(_, program)| program.clone());
        let ignored = program.is_none();
        let test = Trial::test(format!("nobody::{name}"), move || as_nobody(program.as_deref(), name));
        tests.push(test.with_ignored_flag(ignored));
    }
    let conclusion = libtest_mimic::run(&arguments, tests);
    drop(copy);
    conclusion.exit();
}

/// This program where everybody may run it.
fn readable_copy() -> std::io::Result<(tempfile::TempDir, PathBuf)> {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::Builder::new().prefix("traced-").tempdir_in("/tmp")?;
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
    let program = directory.path().join("traced");
    std::fs::copy(std::env::current_exe()?, &program)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    Ok((directory, program))
}

fn as_nobody(program: Option<&Path>, name: &str) -> Result<(), Failed> {
    let program = program.ok_or("no copy of this program")?;
    let own = format!("oneself::{name}");
    let output = Command::new("setpriv")
        .args(NOBODY)
        .arg(program)
        .args(["--exact", &own])
        .current_dir("/")
        .env("TMPDIR", "/tmp")
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() && said.contains("1 passed") { Ok(()) } else { Err(said.into()) }
}

struct Done {
    outcome: Outcome,
    evidence: Evidence,
    workspace: PathBuf,
}

impl Done {
    /// Whether the agent has left this file in its workspace.
    fn left(&self, name: &str) -> bool {
        let path = self.workspace.join(name);
        let node = self.evidence.files.nodes.get(path.to_str().unwrap_or_default());
        node.is_some_and(|node| node.change != FileChange::Deleted)
    }

    fn said(&self) -> Vec<&str> {
        self.evidence.output.lines.iter().map(|(_, line)| line.as_str()).collect()
    }

    fn ended_by(&self, signal: Signal) {
        assert_eq!(self.outcome, Outcome::Ended, "{:?}", self.said());
        assert_eq!(self.evidence.ended, Some(Ended::Signaled(signal)), "{:?}", self.said());
    }
}

/// Runs a shell script to these points, and does that there.
fn run(at: &[&str], send: &str, script: &str) -> Result<Done, Failed> {
    let act = Act {
        at: at.iter().map(|point| point.parse()).collect::<Result<_, _>>()?,
        send: send.parse().map_err(|_| "no injection")?,
    };
    trial(vec![act], &["sh", "-c", script])
}

fn trial(acts: Vec<Act>, command: &[&str]) -> Result<Done, Failed> {
    let directory = tempfile::Builder::new().prefix("traced-").tempdir_in("/tmp")?;
    let workspace = directory.path().canonicalize()?;
    let options =
        CellOptions { directory: workspace.clone(), likely: Vec::new(), private_network: true, max_processes: 2048 };
    let request = Request {
        command: command.iter().map(Into::into).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: workspace.clone(),
        prepare: Vec::new(),
        plan: TrialPlan {
            acts,
            grace: AT_MOST,
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: quietus::model::Noise::NONE,
        },
        keep: Vec::new(),
        record: false,
        states: Vec::new(),
        recovery: None,
        services: Vec::new(),
        interrupt: Interrupt::new()?,
    };
    let limits = Limits {
        reach: AT_MOST,
        settle: Duration::from_secs(1),
        settle_rounds: 8,
        linger: Duration::ZERO,
        horizon: AT_MOST,
        horizon_rounds: 1,
        serves_after: u32::MAX,
    };
    let record = run_trial(&FullDriver::new(options)?, &request, limits)?;
    Ok(Done { outcome: record.outcome, evidence: record.evidence, workspace })
}

/// Its descriptors are closed when it ends, and not before.
fn open_at_the_end() -> Result<(), Failed> {
    let script = "trap 'exit 7' TERM; exec 5>kept 6>gone 7>shut 8<kept; rm gone; exec 7>&-; wait";
    let done = run(&["syscall:unlinkat@exit"], "TERM", script)?;
    assert_eq!(done.evidence.ended, Some(Ended::Exited(7)), "{:?}", done.said());
    let mut ends = done.evidence.at_exit.iter();
    let own = ends.find(|end| end.role == "0").ok_or("the end of the agent was not seen")?;
    assert_eq!(own.ended, Ended::Exited(7));
    let kept = done.workspace.join("kept").display().to_string();
    // The trap runs once `rm` has ended, before the next command.
    let shut = done.workspace.join("shut").display().to_string();
    assert_eq!(own.writable, [kept, shut].into());
    assert!(own.locked.is_empty() && own.connected.is_empty());
    let rm = done.evidence.at_exit.iter().find(|end| end.role == "0.0").ok_or("the end of rm was not seen")?;
    assert_eq!(rm.ended, Ended::Exited(0));
    // Without a point at a system call nobody traces, and nothing is known of the ends.
    let untraced = run(&["file:kept"], "KILL", "exec 5>kept; while :; do :; done")?;
    assert!(untraced.evidence.at_exit.is_empty());
    Ok(())
}

fn before() -> Result<(), Failed> {
    let done = run(&["syscall:unlinkat@enter"], "KILL@all", "touch x; rm x; touch y; wait")?;
    done.ended_by(Signal::KILL);
    assert!(done.left("x") && !done.left("y"));
    Ok(())
}

fn after() -> Result<(), Failed> {
    let done = run(&["syscall:unlinkat@exit"], "KILL@all", "touch x; rm x; touch y; wait")?;
    done.ended_by(Signal::KILL);
    assert!(!done.left("x") && !done.left("y"));
    Ok(())
}

/// The agent has ended before its child goes on, and the child still does its work.
fn of_one_process() -> Result<(), Failed> {
    let done = run(&["syscall:[0.3]unlinkat@enter"], "TERM", "touch x; touch y; rm x; rm y; touch z")?;
    done.ended_by(Signal::TERM);
    assert!(!done.left("x") && !done.left("y") && !done.left("z"));
    Ok(())
}

fn nth_exec() -> Result<(), Failed> {
    let done = run(&["syscall:execve@exit#3"], "KILL@all", "/bin/true; touch x; touch y; touch z")?;
    done.ended_by(Signal::KILL);
    assert!(done.left("x") && !done.left("y"));
    Ok(())
}

fn on_a_path() -> Result<(), Failed> {
    let script = "touch one two three; mv one 1; mv two 2; mv three 3";
    let done = run(&["syscall:renameat2@exit(two)"], "KILL@all", script)?;
    done.ended_by(Signal::KILL);
    assert!(done.left("1") && done.left("2") && done.left("three"), "{:?}", done.evidence.files.nodes.keys());
    Ok(())
}

fn failed_calls() -> Result<(), Failed> {
    let script = "mkdir a; mkdir a 2>/dev/null; mkdir b; mkdir c";
    let done = run(&["syscall:mkdir@exit#2"], "KILL@all", script)?;
    done.ended_by(Signal::KILL);
    assert!(done.left("a") && done.left("b") && !done.left("c"));
    Ok(())
}

/// A shell opens its file itself, and its trap runs between two commands.
fn handler() -> Result<(), Failed> {
    let script = "trap 'echo handled; test -e x && echo there' TERM; : >x; echo after; exit 3";
    let done = run(&["syscall:openat@enter(**/x)"], "TERM", script)?;
    assert_eq!(done.evidence.ended, Some(Ended::Exited(3)));
    assert_eq!(done.said(), ["handled", "there", "after"]);
    assert!(done.left("x"));
    Ok(())
}

fn inside_the_cleanup() -> Result<(), Failed> {
    let script = "trap 'rm x; rm y; exit 0' TERM; touch x y; echo ready; while :; do sleep 0.01; done";
    let first = Act { at: vec!["syscall:[0]write@exit".parse()?], send: "TERM".parse().map_err(|_| "no injection")? };
    let second =
        Act { at: vec!["+syscall:unlinkat@exit".parse()?], send: "KILL@all".parse().map_err(|_| "no injection")? };
    let done = trial(vec![first, second], &["sh", "-c", script])?;
    done.ended_by(Signal::KILL);
    assert!(!done.left("x") && done.left("y"));
    Ok(())
}

/// The second thread stops while the first is held, and is held itself before the agent
/// has got the first signal: the kernel tells of the newest thread first.
fn two_threads() -> Result<(), Failed> {
    let script = "import os, signal, threading\n\
        signal.signal(signal.SIGTERM, lambda *_: None)\n\
        there = threading.Event()\n\
        def first():\n there.wait()\n os.mkdir('a')\n\
        def second():\n there.set()\n while not os.path.exists('a'): pass\n os.mkdir('b')\n\
        threads = [threading.Thread(target=one) for one in (first, second)]\n\
        for one in threads: one.start()\n\
        for one in threads: one.join()\n\
        os.mkdir('c')";
    let at = |point: &str| -> Result<Act, Failed> {
        Ok(Act { at: vec![point.parse()?], send: "TERM".parse().map_err(|_| "no injection")? })
    };
    for _ in 0..10 {
        let acts = vec![at("syscall:mkdir@exit(**/a)")?, at("+syscall:mkdir@enter(**/b)")?];
        let done = trial(acts, &["python3", "-c", script])?;
        assert_eq!((done.outcome.clone(), done.evidence.ended), (Outcome::Ended, Some(Ended::Exited(0))));
        assert!(done.left("a") && done.left("b") && done.left("c"));
    }
    Ok(())
}

/// One signal before a call and another after the same one.
fn both_sides() -> Result<(), Failed> {
    let script = "trap 'echo term' TERM; trap 'echo int' INT; : > x; trap - TERM INT; echo done";
    let at = |side: &str, send: &str| -> Result<Act, Failed> {
        let point = format!("syscall:[0]openat@{side}(**/x)").parse()?;
        Ok(Act { at: vec![point], send: send.parse().map_err(|_| "no injection")? })
    };
    let done = trial(vec![at("enter", "TERM")?, at("exit", "INT")?], &["sh", "-c", script])?;
    assert_eq!((done.outcome.clone(), done.evidence.ended), (Outcome::Ended, Some(Ended::Exited(0))));
    let mut said = done.said();
    said.sort_unstable();
    assert_eq!(said, ["done", "int", "term"]);
    assert!(done.left("x"));
    Ok(())
}

/// Held before one call, its handler makes another of the same kind first: that one
/// counts, and is not taken for the one that it was held before.
fn handler_calls() -> Result<(), Failed> {
    let script = r#"
use POSIX;
open my $file, ">", $_ for "x", "y", "z";
my $stop = POSIX::SigAction->new(sub { unlink "x"; unlink "y"; POSIX::_exit(0) });
POSIX::sigaction(SIGTERM, $stop); # without `safe` the handler runs at once
unlink "z";
"#;
    let first =
        Act { at: vec!["syscall:unlink@enter(**/z)".parse()?], send: "TERM".parse().map_err(|_| "no injection")? };
    let second =
        Act { at: vec!["+syscall:unlink@enter".parse()?], send: "KILL@all".parse().map_err(|_| "no injection")? };
    let done = trial(vec![first, second], &["perl", "-e", script])?;
    done.ended_by(Signal::KILL);
    assert!(done.left("x") && done.left("y") && done.left("z"), "{:?}", done.evidence.files.nodes.keys());
    Ok(())
}

/// One thread takes the signal by sigtimedwait(2), in which it sleeps, is woken all the
/// time, or is not at all; the other, which is held meanwhile, goes on.
fn waited_for() -> Result<(), Failed> {
    for waits in ["10", "0.0001", "0"] {
        let script = format!(
            "
import os, signal, threading
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
over = threading.Event()
def work():
    while not over.is_set():
        os.mkdir('d')
        os.rmdir('d')
worker = threading.Thread(target=work)
worker.start()
while not signal.sigtimedwait({{signal.SIGTERM}}, {waits}): pass
over.set()
worker.join()
"
        );
        for _ in 0..30 {
            let act =
                Act { at: vec!["syscall:mkdir@exit#9".parse()?], send: "TERM".parse().map_err(|_| "no injection")? };
            let done = trial(vec![act], &["/usr/bin/python3", "-c", &script])?;
            assert_eq!(done.evidence.ended, Some(Ended::Exited(0)), "{:?}", done.outcome);
        }
    }
    Ok(())
}

/// The agent ends at about the time at which its child comes to the second point.
fn left_at_a_point() -> Result<(), Failed> {
    let script = "
if (!fork) { for (1..400) { mkdir 'd'; rmdir 'd'; } exit }
select undef, undef, undef, 0.003;
";
    for nth in (20..400).step_by(40) {
        let first = Act { at: vec!["start".parse()?], send: "stdin-eof".parse().map_err(|_| "no injection")? };
        let point = format!("+syscall:mkdir@exit#{nth}").parse()?;
        let second = Act { at: vec![point], send: "TERM".parse().map_err(|_| "no injection")? };
        let done = trial(vec![first, second], &["perl", "-e", script])?;
        assert_eq!(done.outcome, Outcome::Ended, "{nth}");
    }
    Ok(())
}

fn fault(at: &[&str], send: &str, script: &str) -> Result<Done, Failed> {
    let done = run(at, send, script)?;
    assert_eq!(done.outcome, Outcome::Ended, "{:?}", done.said());
    Ok(done)
}

/// Others remove files at the same time; this call alone is the one.
fn held_before_a_fault() -> Result<(), Failed> {
    let script = "touch a b c; rm a & rm b 2>&1 & wait; rm c; test -e b && echo still there";
    let done = fault(&["syscall:unlinkat@enter(**/b)"], "fault:unlink=EIO", script)?;
    assert_eq!(done.said(), ["rm: cannot remove 'b': Input/output error", "still there"]);
    assert!(!done.left("a") && done.left("b") && !done.left("c"));
    let failed: Vec<_> = done.evidence.failed.iter().map(|call| (call.name.as_str(), call.subjects.len())).collect();
    assert_eq!(failed, [("unlinkat", 1)]);
    Ok(())
}

/// From its start on two calls fail, each once, whoever makes them.
fn fault_anywhere() -> Result<(), Failed> {
    let script = "mkdir a 2>&1; mkdir a && mkdir b && echo made; rm -d a b 2>&1; ls";
    let done = fault(&["start"], "fault:mkdir=ENOSPC,fault:unlink=EROFS", script)?;
    let said = [
        "mkdir: cannot create directory 'a': No space left on device",
        "made",
        "rm: cannot remove 'a': Read-only file system",
        "a",
    ];
    let plain: Vec<String> = done.said().iter().map(|line| line.replace(['‘', '’'], "'")).collect();
    assert_eq!(plain, said);
    Ok(())
}

/// The point never comes, so that the agent runs to its end with a filter and a tracer.
fn unchanged() -> Result<(), Failed> {
    let never = || -> Result<Act, Failed> {
        Ok(Act {
            at: vec!["syscall:openat@exit(/no/such/place/at/all)".parse()?],
            send: "KILL".parse().map_err(|_| "no injection")?,
        })
    };
    for script in [
        "seq 20000 | sort -R | sort -n | tail -1; exit 7",
        "seq 99 >a; cp a b; ln b c; mv c d; sed -i s/9/x/ d; cat d | md5sum; tar cf t a b; tar tf t; rm a",
        "sleep 100 & kill -STOP $!; kill -CONT $!; kill $!; { wait $!; } 2>/dev/null; echo $?; (exit 5); echo $?",
        "(sleep 0.05; kill -CONT $$) & kill -STOP $$; wait; echo on",
        "trap 'echo got' USR1; kill -USR1 $$; sh -c 'kill -KILL $$'; echo $?; kill -SEGV $$",
        "exec 3>out; for i in 1 2 3; do echo $i >&3; done; (flock -n 3 && echo locked) 3>>out; cat out",
    ] {
        let plain = trial(Vec::new(), &["sh", "-c", script])?;
        let traced = trial(vec![never()?], &["sh", "-c", script])?;
        assert_eq!(traced.outcome, Outcome::Missed, "{script}");
        assert_eq!(traced.evidence.ended, plain.evidence.ended, "{script}");
        // The two streams have no order between them.
        let sorted = |done: &Done| {
            let mut lines: Vec<String> = done.said().into_iter().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&traced), sorted(&plain), "{script}");
        let files = |done: &Done| -> Vec<(String, u64)> {
            let below = done.evidence.files.nodes.iter();
            below
                .map(|(path, node)| (path.replace(done.workspace.to_str().unwrap_or_default(), ""), node.size))
                .filter(|(path, _)| !path.starts_with("/tmp"))
                .collect()
        };
        assert_eq!(files(&traced), files(&plain), "{script}");
    }
    Ok(())
}

fn missed() -> Result<(), Failed> {
    let done = run(&["syscall:[0.7]unlinkat@enter"], "KILL", "touch x; rm x")?;
    assert_eq!(done.outcome, Outcome::Missed);
    assert_eq!(done.evidence.ended, Some(Ended::Exited(0)));
    Ok(())
}

/// It is terminated before its first instruction, whatever the machine is busy with.
fn at_the_start() -> Result<(), Failed> {
    for _ in 0..10 {
        let done = run(&["start"], "TERM", "touch x; echo ran")?;
        done.ended_by(Signal::TERM);
        assert!(!done.left("x") && done.said().is_empty());
    }
    Ok(())
}

/// What goes on from its start is traced by nobody, so that it can trace others.
fn untraced_after_the_start() -> Result<(), Failed> {
    let done = run(&["start"], "stdin-eof", "sleep 0.05; grep TracerPid /proc/self/status")?;
    assert_eq!(done.said(), ["TracerPid:\t0"]);
    Ok(())
}
