//! Sweeps of real programs: being recorded changes nothing of what they do, and one
//! trial for each window finds what one after every system call finds. A program
//! that is not installed makes its tests ignored, under a name that says so.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is skipped, and the table, are said")]

use libtest_mimic::{Arguments, Failed, Trial};
use quietus::cell::CellOptions;
use quietus::driver::{Evidence, FullDriver, Interrupt, Request};
use quietus::explore::{Check, Planned, check};
use quietus::model::{Stdin, TrialPlan};
use quietus::scenario::{Kind, Second, Strategy};
use quietus::trial::{Limits, run_trial};
use quietus_reports::fingerprint::normalise;
use quietus_reports::{Confirmed, Outcome, Run, Severity};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// A program in a directory that a shell script makes.
struct Real {
    name: &'static str,
    needs: &'static str,
    makes: &'static str,
    command: &'static [&'static str],
    /// Whether it is swept after every system call too: small programs only.
    exhaustive: bool,
}

const AGENT: &str = "cat > agent.py <<'END'
import json, os, shutil, sqlite3, subprocess, tempfile
d = tempfile.mkdtemp(prefix='agent-')
try:
    db = sqlite3.connect('state.db')
    db.execute('create table t(x)')
    db.commit()
    subprocess.run(['sort', '-o', os.path.join(d, 'sorted'), 'n.txt'], check=True)
    with open('result.json', 'w') as f:
        json.dump({'ok': True}, f)
    print('done')
finally:
    shutil.rmtree(d)
END
seq 1000 > n.txt";

const NODE_AGENT: &str = "cat > agent.js <<'END'
const fs = require('fs'), os = require('os'), path = require('path');
const d = fs.mkdtempSync(path.join(os.tmpdir(), 'agent-'));
fs.writeFileSync(path.join(d, 'x'), '1');
require('child_process').execFileSync('true');
fs.writeFileSync('out.json', '{}');
fs.rmSync(d, { recursive: true });
console.log('done');
END";

const GIT: &str = "git init -q . && git config user.email a@b.c && git config user.name n && echo x > f && git add f";

#[rustfmt::skip]
const REAL: &[Real] = &[
    Real { name: "true", needs: "true", makes: "true", command: &["true"], exhaustive: true },
    Real { name: "gzip", needs: "gzip", makes: "seq 100000 > n.txt", command: &["gzip", "n.txt"], exhaustive: true },
    Real { name: "sqlite3", needs: "sqlite3", makes: "true",
        command: &["sqlite3", "t.db", "create table t(x); insert into t values(1);"], exhaustive: true },
    Real { name: "git_commit", needs: "git", makes: GIT, command: &["git", "commit", "-qm", "x"], exhaustive: true },
    // Compares device and inode across link(2).
    Real { name: "git_clone", needs: "git", makes: "mkdir d && cd d && git init -q . && git -c user.email=a@b.c -c user.name=n commit -q --allow-empty -m x",
        command: &["git", "clone", "-q", "d", "e"], exhaustive: false },
    // The second child is the first that lives when its wait is looked for.
    Real { name: "two_sleeps", needs: "bash", makes: "true", command: &["bash", "-c", "sleep 0.1; sleep 0.1; :"], exhaustive: false },
    Real { name: "cp", needs: "cp", makes: "seq 9 > a", command: &["cp", "a", "b"], exhaustive: true },
    Real { name: "sed", needs: "sed", makes: "seq 9 > a", command: &["sed", "-i", "s/1/2/", "a"], exhaustive: false },
    Real { name: "sort", needs: "sort", makes: "seq 100000 > n.txt", command: &["sort", "-o", "n.txt", "n.txt"], exhaustive: false },
    Real { name: "tar", needs: "tar", makes: "mkdir d; seq 9 > d/a; seq 9 > d/b", command: &["tar", "-czf", "d.tgz", "d"], exhaustive: false },
    Real { name: "gcc", needs: "gcc", makes: "echo 'int main(void){return 0;}' > a.c", command: &["gcc", "a.c", "-o", "a"], exhaustive: false },
    Real { name: "make", needs: "make",
        makes: "printf 'all: a b\\na:\\n\\tseq 9 > a.tmp; mv a.tmp a\\nb:\\n\\tseq 9 > b\\n' > Makefile", command: &["make", "-j2"], exhaustive: false },
    Real { name: "python3", needs: "python3", makes: AGENT, command: &["python3", "agent.py"], exhaustive: false },
    Real { name: "node", needs: "node", makes: NODE_AGENT, command: &["node", "agent.js"], exhaustive: false },
];

/// Agents that Quietus cannot see all of, and what the report says of them.
fn hidden() -> [(Real, &'static str); 3] {
    // A filter of one rule, which allows all.
    let script = format!(
        r#"my $rule = pack("SCCL", 6, 0, 0, 0x7fff0000);
           my $program = pack("Sx6P", 1, $rule);
           syscall({}, {}, 1, 0, 0, 0) == 0 or die "prctl: $!";
           syscall({}, {}, 0, $program) == 0 or die "seccomp: $!";"#,
        libc::SYS_prctl,
        libc::PR_SET_NO_NEW_PRIVS,
        libc::SYS_seccomp,
        libc::SECCOMP_SET_MODE_FILTER
    );
    let filters: &'static [&'static str] = Box::leak(Box::new(["perl", "-e", script.leak()]));
    // Root becomes another user by it, and another user root.
    let (makes, becomes): (_, &[&str]) = if rustix::process::geteuid().is_root() {
        ("cp /bin/true t; chown 65534 t; chmod u+s t", &["./t"])
    } else {
        ("true", &["su", "--version"])
    };
    let real = |name, needs, makes, command| Real { name, needs, makes, command, exhaustive: false };
    [
        (real("traces", "strace", "true", &["strace", "-o", "log", "true"]), "ptrace(2), which is refused"),
        (real("filters", "perl", "true", filters), "filters its system calls"),
        (real("becomes_another", "su", makes, becomes), "gains rights by its file"),
    ]
}

fn is_told_of(real: &Real, note: &str) -> Result<(), Failed> {
    let directory = workspace(real)?;
    let run = sweep(real, directory.path(), "KILL", false)?;
    assert!(run.notes.iter().any(|told| told.contains(note)), "{:?}", run.notes);
    Ok(())
}

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(4);
    let mut tests = Vec::new();
    for real in REAL {
        let there = is_on_path(real.needs);
        if !there {
            eprintln!("skipped: {} needs {}", real.name, real.needs);
        }
        let mut add = |group: &str, body: fn(&Real) -> Result<(), Failed>| {
            let test = Trial::test(format!("{group}::{}", real.name), move || body(real));
            tests.push(test.with_ignored_flag(!there));
        };
        add("recorded_as_unrecorded", recorded_as_unrecorded);
        add("every_window_is_covered", every_window_is_covered);
        if real.exhaustive {
            add("windows_find_what_every_call_finds", windows_find_what_every_call_finds);
        }
    }
    for (name, body) in CLEANUPS {
        let there = Path::new("/usr/bin/python3").exists();
        if !there {
            eprintln!("skipped: {name} needs /usr/bin/python3");
        }
        tests.push(Trial::test(format!("cleanup::{name}"), *body).with_ignored_flag(!there));
    }
    for (real, note) in hidden() {
        let there = is_on_path(real.needs);
        if !there {
            eprintln!("skipped: is_told_of::{} needs {}", real.name, real.needs);
        }
        let name = format!("is_told_of::{}", real.name);
        tests.push(Trial::test(name, move || is_told_of(&real, note)).with_ignored_flag(!there));
    }
    libtest_mimic::run(&arguments, tests).exit();
}

fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// A directory for one program, gone with the test.
fn workspace(real: &Real) -> Result<tempfile::TempDir, Failed> {
    let directory = tempfile::Builder::new().prefix("sweep-").tempdir()?;
    let made = std::process::Command::new("sh").args(["-ec", real.makes]).current_dir(directory.path()).output()?;
    if made.status.success() { Ok(directory) } else { Err(String::from_utf8_lossy(&made.stderr).into_owned().into()) }
}

fn driver(directory: &Path) -> Result<FullDriver, Failed> {
    let environment: Vec<_> = std::env::vars_os().collect();
    let options = CellOptions { private_network: true, ..CellOptions::around(directory.to_path_buf(), &environment) };
    FullDriver::new(options).map_err(|error| Failed::from(error.to_string()))
}

fn words(real: &Real) -> Vec<OsString> {
    real.command.iter().map(OsString::from).collect()
}

/// One undisturbed run.
fn undisturbed(real: &Real, directory: &Path, record: bool) -> Result<Evidence, Failed> {
    let long = Duration::from_secs(120);
    let request = Request {
        command: words(real),
        environment: std::env::vars_os().collect(),
        directory: directory.to_path_buf(),
        prepare: Vec::new(),
        plan: TrialPlan {
            acts: Vec::new(),
            grace: long,
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: quietus::model::Noise::NONE,
        },
        keep: Vec::new(),
        record,
        states: Vec::new(),
        recovery: None,
        services: Vec::new(),
        interrupt: Interrupt::new()?,
    };
    let limits = Limits {
        reach: long,
        settle: Duration::from_secs(1),
        settle_rounds: 8,
        linger: Duration::ZERO,
        horizon: long,
        horizon_rounds: 1,
        serves_after: u32::MAX,
    };
    let record = run_trial(&driver(directory)?, &request, limits).map_err(|error| Failed::from(error.to_string()))?;
    Ok(record.evidence)
}

/// What it has done, as far as two runs of it can be compared.
fn done(evidence: &Evidence) -> (Vec<String>, String, String) {
    let files = evidence.files.nodes.iter().map(|(path, node)| {
        // Names and sizes, not contents: archives and indexes hold times.
        let size = if path.contains(".git/") || path.ends_with(".tgz") { 0 } else { node.size };
        let path = if path.contains(".git/objects/") { "an object" } else { path };
        format!("{} {:?} {:?} {size} {:o}", normalise(path), node.change, node.kind, node.mode)
    });
    (files.collect(), format!("{:?}", evidence.ended), String::from_utf8_lossy(&evidence.output.tail).into_owned())
}

fn recorded_as_unrecorded(real: &Real) -> Result<(), Failed> {
    let directory = workspace(real)?;
    let (plain, recorded) = (undisturbed(real, directory.path(), false)?, undisturbed(real, directory.path(), true)?);
    assert_eq!(done(&plain), done(&recorded));
    assert!(plain.recording.is_none());
    assert!(recorded.recording.is_some_and(|recording| !recording.seen.is_empty() && recording.omitted == 0));
    Ok(())
}

fn sweep(real: &Real, directory: &Path, send: &str, exhaustive: bool) -> Result<Run, Failed> {
    run(&Check { exhaustive, ..wanted(real, directory, send) })
}

fn run(wanted: &Check) -> Result<Run, Failed> {
    check(&driver(&wanted.directory)?, wanted, &Interrupt::new()?, &()).map_err(|error| Failed::from(error.to_string()))
}

fn wanted(real: &Real, directory: &Path, send: &str) -> Check {
    Check {
        name: real.name.to_owned(),
        kind: Some(Kind::Job),
        send: Some(send.parse().expect("an injection")),
        // git hangs when TERM comes while it installs its handler for that.
        grace: Duration::from_secs(2),
        horizon: Duration::from_secs(20),
        confirm: 0,
        jobs: 2,
        strategy: Strategy::Sweep,
        private_network: true,
        ..Check::of_command(words(real), std::env::vars_os().collect(), directory.to_path_buf())
    }
}

fn every_window_is_covered(real: &Real) -> Result<(), Failed> {
    let directory = workspace(real)?;
    let run = sweep(real, directory.path(), "KILL", false)?;
    let windows = run.windows.ok_or("no windows")?;
    assert_eq!(windows.covered + windows.missed, windows.total, "{:#?}", run.trials);
    // A process beside the agent may come to its call after the agent's end: git's
    // maintenance does.
    let own = |point: &str| point == "start" || point.starts_with("syscall:[0]");
    let found_again = |trial: &&quietus_reports::Trial| own(&trial.point) && !trial.label.contains("waiting");
    // git names objects by their content, and that holds the second of the commit.
    let renamed = |trial: &&quietus_reports::Trial| real.name == "git_commit" && trial.point.contains("/objects/");
    let mut missed =
        run.trials.iter().filter(found_again).filter(|trial| trial.outcome == Outcome::Missed && !renamed(trial));
    assert_eq!(missed.next(), None);
    assert!(real.name == "true" || windows.total > 2, "{windows:?}");
    let missed = run.trials.iter().filter(|trial| trial.outcome == Outcome::Missed).count();
    assert!(missed == 0 || real.name != "two_sleeps", "{:#?}", run.trials);
    let failed = run.notes.iter().find(|note| note.contains("is the command right"));
    assert!(failed.is_none(), "{failed:?}");
    let unjudged = run.trials.iter().find(|trial| trial.outcome == Outcome::Inconclusive);
    assert!(unjudged.is_none(), "{unjudged:?}");
    Ok(())
}

/// What was found, without what differs from run to run.
fn found(run: &Run) -> BTreeSet<String> {
    let worse = run.findings.iter().filter(|finding| finding.severity > Severity::Note);
    worse
        .map(|finding| {
            // git names the directories of its objects by their content, which holds the time.
            let subject = match finding.subject.split_once("/objects/") {
                Some((before, _)) => format!("{before}/objects/…"),
                None => normalise(&finding.subject),
            };
            format!("{} {subject}", finding.code)
        })
        .collect()
}

fn windows_find_what_every_call_finds(real: &Real) -> Result<(), Failed> {
    let directory = workspace(real)?;
    for send in ["TERM", "KILL"] {
        let windows = sweep(real, directory.path(), send, false)?;
        let all = sweep(real, directory.path(), send, true)?;
        println!("{} {send}: {} trials for windows, {} for all", real.name, windows.trials.len(), all.trials.len());
        assert_eq!(found(&windows), found(&all), "{send}");
        assert!(windows.trials.len() < all.trials.len() || real.name == "true");
        let reached = |run: &Run| run.trials.iter().filter(|trial| trial.outcome.reached()).count();
        // git's time stamps are in names; of everything else each call is found again.
        assert!(reached(&all) == all.trials.len() || real.name == "git_commit", "{:#?}", all.trials);
    }
    Ok(())
}

type Body = fn() -> Result<(), Failed>;

const CLEANUPS: &[(&str, Body)] = &[
    ("a_second_signal_breaks_it", a_second_signal_breaks_it),
    ("a_second_signal_is_ignored", a_second_signal_is_ignored),
    ("a_call_that_fails_breaks_it", a_call_that_fails_breaks_it),
    ("what_could_not_be_removed_is_no_finding", what_could_not_be_removed_is_no_finding),
    ("a_call_that_is_not_made_is_missed", a_call_that_is_not_made_is_missed),
    ("who_has_none_says_so", who_has_none_says_so),
];

/// Two files and a handler that removes them; `stops` is what it does first.
fn cleaner(stops: &str, removes: &str) -> String {
    format!(
        "
import os, signal, sys, time
made = []
def stop(*_):
    {stops}
    for name in made:
        {removes}
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
for name in ('/tmp/one', '/tmp/two'):
    open(name, 'w').close()
    made.append(name)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {{signal.SIGTERM}})
print('ready', flush=True)
time.sleep(0.05)
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
stop()
"
    )
}

fn cleaning(script: &str, second: Second) -> Result<Run, Failed> {
    let directory = tempfile::Builder::new().prefix("sweep-").tempdir()?;
    let command = ["/usr/bin/python3", "-c", script].map(OsString::from).to_vec();
    let real = Real { name: "cleanup", needs: "python3", makes: "true", command: &[], exhaustive: false };
    run(&Check { command, second: Some(second), confirm: 1, ..wanted(&real, directory.path(), "TERM") })
}

/// The trials of the cleanup that left something, by their last injection.
fn broken_by(run: &Run) -> BTreeSet<&str> {
    let cleanups = run.trials.iter().filter(|trial| trial.label.starts_with("cleanup"));
    let broken = cleanups.filter(|trial| trial.findings.iter().any(|found| found.starts_with("temp-file")));
    broken.map(|trial| trial.injection.rsplit(' ').next().unwrap_or_default()).collect()
}

/// Python turns the second signal into an exception, and the handler is left.
fn a_second_signal_breaks_it() -> Result<(), Failed> {
    let run = cleaning(&cleaner("signal.signal(signal.SIGTERM, signal.SIG_DFL)", "os.unlink(name)"), Second::Cleanup)?;
    assert_eq!(broken_by(&run), BTreeSet::from(["TERM", "INT", "KILL"]), "{:#?}", run.trials);
    // The token tells both points, and the finding was seen again with it.
    let left = run.findings.iter().find(|finding| finding.subject == "/tmp/two").ok_or("/tmp/two was not left")?;
    let token: quietus::model::Token = left.token.parse()?;
    assert!(token.0.acts.len() == 2 && token.0.acts[1].at.iter().all(|point| point.relative), "{token}");
    assert_eq!(left.confirmed, Confirmed::new(1, 1), "{left:#?}");
    Ok(())
}

fn a_second_signal_is_ignored() -> Result<(), Failed> {
    let ignores = "[signal.signal(one, signal.SIG_IGN) for one in (signal.SIGTERM, signal.SIGINT)]";
    let run = cleaning(&cleaner(ignores, "os.unlink(name)"), Second::Cleanup)?;
    let broken = run.trials.iter().filter(|trial| trial.label.starts_with("cleanup") && !trial.findings.is_empty());
    // Only KILL, and INT before it is ignored, which ends it by default.
    let others: Vec<_> = broken
        .filter(|trial| !trial.injection.ends_with("KILL") && !trial.label.ends_with(" 0"))
        .filter(|trial| !(trial.injection.ends_with("INT") && trial.label.ends_with(" 1")))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(broken_by(&run).contains("KILL"));
    Ok(())
}

/// The first file cannot be removed, and so the second is not tried.
fn a_call_that_fails_breaks_it() -> Result<(), Failed> {
    let run = cleaning(&cleaner("pass", "os.unlink(name)"), Second::Faults)?;
    assert_eq!(broken_by(&run), BTreeSet::from(["fault:unlink=EIO"]), "{:#?}", run.trials);
    let subjects: BTreeSet<&str> = run.findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, BTreeSet::from(["/tmp/two"]));
    Ok(())
}

fn what_could_not_be_removed_is_no_finding() -> Result<(), Failed> {
    let patient = "\n        try: os.unlink(name)\n        except OSError: pass";
    let run = cleaning(&cleaner("pass", patient.trim_start()), Second::Faults)?;
    let faults = run.trials.iter().filter(|trial| trial.injection.contains("fault:unlink=EIO")).count();
    assert!(faults == 2 && run.findings.is_empty(), "{:#?}", run.findings);
    Ok(())
}

/// A point that comes, and a call after it that never does, are no clean trial.
fn a_call_that_is_not_made_is_missed() -> Result<(), Failed> {
    let directory = tempfile::Builder::new().prefix("sweep-").tempdir()?;
    let real = Real { name: "touch", needs: "touch", makes: "true", command: &["touch", "a"], exhaustive: false };
    let plan: quietus::model::Token =
        "q1/at=start/send=fault:close%3DEIO/at=+syscall:unlink@enter/send=TERM/grace=5s".parse()?;
    let unmade: quietus::model::Token =
        "q1/at=start/send=fault:close%3DEIO/at=+syscall:close@exit/send=fault:rename%3DEIO/grace=5s".parse()?;
    let trials = [plan, unmade].map(|token| Planned { label: "one".to_owned(), plan: token.0, informational: false });
    let wanted = wanted(&real, directory.path(), "TERM");
    let run = run(&Check { trials: trials.to_vec(), strategy: Strategy::Script, ..wanted })?;
    let told: Vec<_> =
        run.trials.iter().map(|trial| (trial.outcome, trial.note.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        told,
        [
            (Outcome::Missed, "the agent ended before the last point"),
            (Outcome::Missed, "the call that was to fail was not made")
        ]
    );
    Ok(())
}

fn who_has_none_says_so() -> Result<(), Failed> {
    let directory = tempfile::Builder::new().prefix("sweep-").tempdir()?;
    let real =
        Real { name: "sort", needs: "sort", makes: "true", command: &["sort", "/etc/passwd"], exhaustive: false };
    let run = run(&Check { second: Some(Second::Both), ..wanted(&real, directory.path(), "KILL") })?;
    assert!(run.notes.iter().any(|note| note.contains("there is no cleanup to sweep")), "{:?}", run.notes);
    Ok(())
}
