//! Runs one agent and hands over what was seen.

use libtest_mimic::Failed;
use quietus::audit::{Case, Found, Rules, audit, learn};
use quietus::cell::CellOptions;
use quietus::driver::{DriverError, FullDriver, Interrupt, Request};
use quietus::model::{Act, Stdin, TrialPlan};
use quietus::scenario::Kind;
use quietus::trial::{Limits, TrialRecord, run_trial};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::time::Duration;

pub(crate) type Body = fn(&Bench) -> Result<(), Failed>;

pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Nothing here waits that long unless something hangs.
const AT_MOST: Duration = Duration::from_secs(240);

/// In whose person a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    Oneself,
    Nobody,
    BareRoot,
    Heir,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    Here,
    Missing,
}

impl Person {
    pub(crate) const ALL: [Self; 4] = [Self::Oneself, Self::Nobody, Self::BareRoot, Self::Heir];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oneself => "oneself",
            Self::Nobody => "nobody",
            Self::BareRoot => "root_without_sys_admin",
            Self::Heir => "root_with_inheritable_capabilities",
        }
    }

    /// The words before a command that is to run in this person.
    fn prefix(self) -> &'static [&'static str] {
        match self {
            Self::Oneself => &[],
            Self::Nobody => &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
            Self::BareRoot => &["setpriv", "--bounding-set=-sys_admin"],
            Self::Heir => &["setpriv", "--inh-caps=+sys_admin,+sys_ptrace,+mknod,+net_admin"],
        }
    }

    pub(crate) fn seen(self) -> Seen {
        let possible = Path::new(PYTHON).exists()
            && (self == Self::Oneself
                || rustix::process::geteuid().is_root()
                    && Command::new(self.prefix()[0])
                        .args(&self.prefix()[1..])
                        .arg("true")
                        .status()
                        .is_ok_and(|status| status.success()));
        if possible { Seen::Here } else { Seen::Missing }
    }

    pub(crate) fn run(self, name: &str, body: Body) -> Result<(), Failed> {
        if self == Self::Oneself {
            return body(&Bench::new()?);
        }
        let output = Command::new(self.prefix()[0])
            .args(&self.prefix()[1..])
            .arg(readable_copy()?)
            .args(["--exact", &format!("oneself::{name}")])
            .current_dir("/")
            .env("TMPDIR", "/tmp")
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(format!("as {}:\n{}", self.name(), String::from_utf8_lossy(&said)).into())
    }
}

static COPY: LazyLock<Mutex<Option<tempfile::TempDir>>> = LazyLock::new(Mutex::default);

/// This program where everybody may run it.
fn readable_copy() -> Result<PathBuf, Failed> {
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    if copy.is_none() {
        let directory = tempfile::Builder::new().prefix("hostile-").tempdir_in("/tmp")?;
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
        let program = directory.path().join("hostile");
        std::fs::copy(std::env::current_exe()?, &program)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        *copy = Some(directory);
    }
    copy.as_ref().map(|directory| directory.path().join("hostile")).ok_or_else(|| "no copy".into())
}

pub(crate) fn clean_up() {
    *COPY.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// One workspace of the host, gone with the test.
pub(crate) struct Bench {
    workspace: tempfile::TempDir,
    /// In the command line of every agent: nobody on the host may have it afterwards.
    pub(crate) mark: String,
}

impl Bench {
    fn new() -> Result<Self, Failed> {
        let workspace = tempfile::Builder::new().prefix("hostile-").tempdir_in("/tmp")?;
        let name = workspace.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { workspace, mark: format!("mark-{name}") })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.workspace.path()
    }

    /// A Python program, with the mark as its first argument.
    pub(crate) fn python(&self, program: &str) -> Agent<'_> {
        self.agent([PYTHON, "-c", program, &self.mark])
    }

    pub(crate) fn agent<const N: usize>(&self, words: [&str; N]) -> Agent<'_> {
        Agent {
            bench: self,
            command: words.iter().map(OsString::from).collect(),
            acts: Vec::new(),
            grace: Duration::from_secs(60),
            stdin: Stdin::Closed,
            max_processes: 2048,
            settle: Duration::from_secs(1),
        }
    }

    /// Nothing with the mark of this test is left on the host.
    pub(crate) fn assert_gone(&self) {
        let own = std::process::id().to_string();
        for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let found = command.windows(self.mark.len()).any(|part| part == self.mark.as_bytes());
            assert!(!found || name == own, "process {name} is left: {}", String::from_utf8_lossy(&command));
        }
    }
}

/// An agent, what is done to it, and within which bounds.
pub(crate) struct Agent<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) command: Vec<OsString>,
    acts: Vec<Act>,
    grace: Duration,
    stdin: Stdin,
    max_processes: u32,
    settle: Duration,
}

impl Agent<'_> {
    /// Terminates it there; without that it runs undisturbed.
    pub(crate) fn at(mut self, point: &str, send: &str) -> Self {
        self.acts = vec![Act { at: vec![point.parse().expect("a point")], send: send.parse().expect("an injection") }];
        self
    }

    pub(crate) fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    pub(crate) fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    pub(crate) fn max_processes(mut self, most: u32) -> Self {
        self.max_processes = most;
        self
    }

    pub(crate) fn plan(&self) -> TrialPlan {
        TrialPlan {
            acts: self.acts.clone(),
            grace: self.grace,
            stdin: self.stdin.clone(),
            pty: false,
            pid1: false,
            noise: quietus::model::Noise::NONE,
        }
    }

    pub(crate) fn driver(&self) -> FullDriver {
        FullDriver::new(CellOptions {
            directory: self.bench.directory().to_path_buf(),
            likely: Vec::new(),
            private_network: false,
            max_processes: self.max_processes,
        })
        .expect("a cell")
    }

    pub(crate) fn try_run(&self) -> Result<TrialRecord, DriverError> {
        let interrupt = Interrupt::new().expect("a descriptor");
        let (over, watch) = mpsc::channel::<()>();
        let watchdog = interrupt.clone();
        let guard = std::thread::spawn(move || {
            if watch.recv_timeout(AT_MOST) == Err(mpsc::RecvTimeoutError::Timeout) {
                watchdog.raise();
            }
        });
        let request = Request {
            command: self.command.clone(),
            environment: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".into())],
            directory: self.bench.directory().to_path_buf(),
            prepare: Vec::new(),
            plan: self.plan(),
            keep: Vec::new(),
            record: false,
            states: Vec::new(),
            recovery: None,
            services: Vec::new(),
            interrupt,
        };
        let limits = Limits {
            reach: AT_MOST,
            settle: self.settle,
            settle_rounds: 60,
            linger: Duration::ZERO,
            horizon: AT_MOST,
            horizon_rounds: 0,
            serves_after: u32::MAX,
        };
        let record = run_trial(&self.driver(), &request, limits);
        drop(over);
        guard.join().expect("the watchdog ends");
        record
    }

    pub(crate) fn run(&self) -> TrialRecord {
        let record = self.try_run().expect("a trial");
        self.bench.assert_gone();
        record
    }

    /// What the audit says of a trial, where undisturbed nothing is left.
    pub(crate) fn judge(&self, record: &TrialRecord) -> Vec<Found> {
        let expected = learn(&[], Kind::Job, &self.bench.directory().to_string_lossy());
        let rules = Rules::of_kind(Kind::Job);
        audit(Case {
            plan: &self.plan(),
            killed: record.outcome == quietus::trial::Outcome::Killed,
            evidence: &record.evidence,
            expected: &expected,
            rules: &rules,
            held: &[],
        })
    }
}

/// The end of what the agent wrote.
pub(crate) fn said(record: &TrialRecord) -> String {
    String::from_utf8_lossy(&record.evidence.output.tail).into_owned()
}

/// The codes of findings, for messages and comparison.
pub(crate) fn codes(found: &[Found]) -> Vec<&'static str> {
    found.iter().map(|one| one.code.as_str()).collect()
}
