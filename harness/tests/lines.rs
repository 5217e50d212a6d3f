//! Findings say on which line of the agent's source they were made, and a hang where
//! its threads are. Each program marks the line that it expects to be named. What
//! needs a compiler or interpreter that is not there is ignored.

#![expect(clippy::print_stderr, reason = "what is skipped is said")]

use libtest_mimic::{Arguments, Failed, Trial};
use quietus::driver::{Driver, Interrupt, Request};
use quietus::explore::{Check, check};
use quietus::model::{Act, Occasion, Stdin, TrialPlan};
use quietus::scenario::{GuaranteeWish, Kind, Strategy};
use quietus::trial::{Limits, run_trial};
use quietus_reports::{Finding, Origin};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The line that is to be named ends with this.
const MARK: &str = "MARK";

const PYTHON: &str = "import os, subprocess, tempfile
def run_tool():
    values = [
        1]
    handle, path = tempfile.mkstemp(  # MARK
        prefix='tool-')
    os.close(handle)
    return path
path = run_tool()
subprocess.run(['true'])
os.unlink(path)
";

const C: &str = "#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
__attribute__((noinline)) int run_tool(const char *name)
{
    FILE *file = fopen(name, \"w\"); // MARK
    return file ? fclose(file) : 1;
}
int main(void)
{
    int failed = run_tool(\"/tmp/tool-file\");
    chmod(\"/tmp/tool-file\", 0600);
    return failed | unlink(\"/tmp/tool-file\");
}
";

const RUST: &str = "fn run_tool(path: &str) {
    std::fs::write(path, b\"x\").unwrap(); // MARK
}
fn main() {
    run_tool(\"/tmp/tool-file\");
    std::fs::remove_file(\"/tmp/tool-file\").unwrap();
}
";

const C_HANGS: &str = "#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
static void ignore(int number) { (void)number; }
static void *work(void *argument)
{
    for (;;) pause();
    return argument;
}
__attribute__((noinline)) static void rest(void)
{
    for (;;) {
        pause(); // MARK
        __asm__ volatile(\"\");
    }
}
int main(void)
{
    signal(SIGTERM, ignore);
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    mkdir(\"/tmp/ready\", 0700);
    puts(\"ready\");
    fflush(stdout);
    rest();
}
";

const PYTHON_HANGS: &str = "import os, signal, time
signal.signal(signal.SIGTERM, lambda *what: None)
def rest():
    while True:
        time.sleep(1000)  # MARK
os.mkdir('/tmp/ready')
print('ready', flush=True)
rest()
";

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let mut tests = Vec::new();
    let mut add = |name: String, there: bool, body: Box<dyn FnOnce() -> Result<(), Failed> + Send>| {
        if !there {
            eprintln!("skipped: {name}: its compiler or interpreter is not here");
        }
        tests.push(Trial::test(name, body).with_ignored_flag(!there));
    };
    for minor in 9..=13 {
        let python = interpreter(minor);
        let there = python.is_some();
        let program = python.unwrap_or_default();
        let other = program.clone();
        add(format!("a_leaked_file_of_python::3.{minor}"), there, Box::new(move || python_names_its_line(&program)));
        add(format!("a_hang_of_python::3.{minor}"), there, Box::new(move || python_hangs(&other)));
    }
    let c = runs("cc");
    add("a_leaked_file_of_c::with_debug_info".to_owned(), c, Box::new(|| c_names(&["-g", "-O0"], true)));
    add("a_leaked_file_of_c::optimised".to_owned(), c, Box::new(|| c_names(&["-g", "-O2"], true)));
    add("a_leaked_file_of_c::compressed".to_owned(), c, Box::new(|| c_names(&["-g", "-gz"], true)));
    add("a_leaked_file_of_c::without_debug_info".to_owned(), c, Box::new(|| c_names(&["-O1"], true)));
    add("a_leaked_file_of_c::stripped".to_owned(), c, Box::new(|| c_names(&["-s"], false)));
    add("a_leaked_file_of_rust".to_owned(), runs("rustc"), Box::new(rust_names_its_line));
    add("a_hang_of_c".to_owned(), c, Box::new(c_hangs));
    libtest_mimic::run(&arguments, tests).exit();
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// An interpreter of this version itself, not what starts it.
fn interpreter(minor: u32) -> Option<String> {
    let name = format!("python3.{minor}");
    let installed = std::iter::once(name.clone()).chain(of_pyenv(&name));
    installed.filter_map(asked).next()
}

/// The versions that pyenv has installed, of which its own `python3.9` may start none.
fn of_pyenv(name: &str) -> Vec<String> {
    let home = || Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(Into::into).or_else(home);
    let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let programs = versions.into_iter().flatten().flatten().map(|version| version.path().join("bin").join(name));
    programs.filter(|program| program.exists()).map(|program| program.to_string_lossy().into_owned()).collect()
}

fn asked(python: String) -> Option<String> {
    let output = Command::new(python).args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !path.is_empty()).then_some(path)
}

fn marked(source: &str) -> usize {
    source.lines().position(|line| line.ends_with(MARK)).map_or(0, |index| index + 1)
}

fn driver(wanted: &Check) -> Result<Box<dyn Driver>, Failed> {
    Ok(wanted.driver(GuaranteeWish::Full).map_err(|error| Failed::from(error.to_string()))?.driver)
}

/// Where the leaked file of a swept agent was made.
fn swept(directory: &Path, command: &[&str]) -> Result<Origin, Failed> {
    let words = command.iter().map(OsString::from).collect();
    let wanted = Check {
        kind: Some(Kind::Job),
        send: Some("KILL".parse().map_err(|_| "no injection")?),
        horizon: Duration::from_secs(60),
        confirm: 0,
        jobs: 1,
        strategy: Strategy::Sweep,
        private_network: true,
        ..Check::of_command(words, std::env::vars_os().collect(), directory.to_path_buf())
    };
    let driver = driver(&wanted)?;
    let run = check(&*driver, &wanted, &Interrupt::new()?, &()).map_err(|error| Failed::from(error.to_string()))?;
    let leaked = |finding: &&Finding| finding.subject.contains("/tool-");
    let finding = run.findings.iter().find(leaked).ok_or_else(|| format!("nothing leaked: {run:#?}"))?;
    finding.origin.clone().ok_or_else(|| format!("no origin: {finding:#?}").into())
}

fn directory() -> Result<tempfile::TempDir, Failed> {
    Ok(tempfile::Builder::new().prefix("lines-").tempdir()?)
}

fn python_names_its_line(python: &str) -> Result<(), Failed> {
    let directory = directory()?;
    std::fs::write(directory.path().join("agent.py"), PYTHON)?;
    let origin = swept(directory.path(), &[python, "agent.py"])?;
    assert_eq!(origin.line, Some(format!("agent.py:{} in run_tool", marked(PYTHON))), "{origin:?}");
    Ok(())
}

fn compile(directory: &Path, source: &str, options: &[&str]) -> Result<(), Failed> {
    std::fs::write(directory.join("tool.c"), source)?;
    let output =
        Command::new("cc").args(options).args(["-pthread", "-o", "tool", "tool.c"]).current_dir(directory).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

fn c_names(options: &[&str], symbols: bool) -> Result<(), Failed> {
    let directory = directory()?;
    compile(directory.path(), C, options)?;
    let origin = swept(directory.path(), &["./tool"])?;
    let program = directory.path().canonicalize()?.join("tool");
    let wanted = match (symbols, options.contains(&"-g")) {
        (true, true) => Some(format!("tool.c:{} in run_tool", marked(C))),
        (true, false) => Some(format!("run_tool in {}", program.display())),
        (false, _) => None,
    };
    assert_eq!(origin.line, wanted, "{origin:?}");
    Ok(())
}

fn rust_names_its_line() -> Result<(), Failed> {
    let directory = directory()?;
    std::fs::write(directory.path().join("tool.rs"), RUST)?;
    let output = Command::new("rustc").args(["-g", "tool.rs"]).current_dir(directory.path()).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let origin = swept(directory.path(), &["./tool"])?;
    assert_eq!(origin.line, Some(format!("tool.rs:{} in tool::run_tool", marked(RUST))), "{origin:?}");
    Ok(())
}

/// The stacks of an agent that takes TERM and stays, sent to it at this point.
fn stacks(directory: &Path, command: &[&str], at: &str) -> Result<Vec<Vec<String>>, Failed> {
    let send = "TERM".parse().map_err(|_| "no injection")?;
    let act = Act { at: vec![at.parse()?], send };
    let request = Request {
        command: command.iter().map(OsString::from).collect(),
        environment: std::env::vars_os().collect(),
        directory: directory.to_path_buf(),
        prepare: Vec::new(),
        plan: TrialPlan {
            acts: vec![act],
            grace: Duration::from_millis(500),
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
    let long = Duration::from_secs(120);
    let limits = Limits {
        reach: long,
        settle: Duration::from_secs(1),
        settle_rounds: 8,
        linger: Duration::ZERO,
        horizon: long,
        horizon_rounds: 1,
        serves_after: u32::MAX,
    };
    let wanted = Check::of_command(request.command.clone(), request.environment.clone(), directory.to_path_buf());
    let driver = driver(&Check { private_network: true, ..wanted })?;
    let record = run_trial(&*driver, &request, limits).map_err(|error| Failed::from(error.to_string()))?;
    let evidence = record.evidence;
    let census = evidence.censuses.get(&Occasion::GraceEnd).ok_or("it did not hang")?;
    let agent = evidence.leader.and_then(|id| census.find(id)).ok_or("no agent")?;
    let stacks = agent.threads.iter().map(|thread| thread.stack.clone().ok_or("no stack")?.map_err(Failed::from));
    stacks.collect()
}

/// Points at which an agent is not traced, and is.
const POINTS: [&str; 2] = ["output:/ready/", "syscall:mkdir@exit(/tmp/ready)"];

fn python_hangs(python: &str) -> Result<(), Failed> {
    let directory = directory()?;
    std::fs::write(directory.path().join("agent.py"), PYTHON_HANGS)?;
    for point in POINTS {
        let stacks = stacks(directory.path(), &[python, "agent.py"], point)?;
        let rest = format!("agent.py:{} in rest", marked(PYTHON_HANGS));
        assert_eq!(stacks, [vec![rest, "agent.py:8 in <module>".to_owned()]], "{point}");
    }
    Ok(())
}

fn c_hangs() -> Result<(), Failed> {
    let directory = directory()?;
    compile(directory.path(), C_HANGS, &["-g", "-O1"])?;
    let rest = format!("tool.c:{} in rest", marked(C_HANGS));
    for point in POINTS {
        let stacks = stacks(directory.path(), &["./tool"], point)?;
        let [first, second] = stacks.as_slice() else { return Err(format!("{stacks:?}").into()) };
        assert!(first.contains(&rest) && first.contains(&"tool.c:27 in main".to_owned()), "{point}: {first:?}");
        assert!(second.contains(&"tool.c:9 in work".to_owned()), "{point}: {second:?}");
    }
    Ok(())
}
