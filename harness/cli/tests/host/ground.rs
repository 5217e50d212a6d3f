//! The machine as a test finds it, and as it must find it again.

use libtest_mimic::Failed;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Nothing here waits that long unless something hangs.
const AT_MOST: Timespec = Timespec { tv_sec: 120, tv_nsec: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    Oneself,
    Nobody,
}

impl Person {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oneself => "oneself",
            Self::Nobody => "nobody",
        }
    }

    /// Signals that this test ignores, as after `&` in a script, are heard all the same.
    fn prefix(self) -> &'static [&'static str] {
        match self {
            Self::Oneself => &["env", "--default-signal"],
            Self::Nobody => &["env", "--default-signal", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        }
    }

    pub(crate) fn is_here(self) -> bool {
        self == Self::Oneself
            || rustix::process::geteuid().is_root()
                && Command::new(self.prefix()[0])
                    .args(&self.prefix()[1..])
                    .arg("true")
                    .status()
                    .is_ok_and(|status| status.success())
    }

    /// A command in this person.
    pub(crate) fn command(self, words: &[&str]) -> Command {
        let mut command = Command::new(self.prefix()[0]);
        command.args(&self.prefix()[1..]).args(words).env("HOME", "/tmp").env_remove("TMPDIR");
        command
    }
}

static COPY: LazyLock<Mutex<Option<tempfile::TempDir>>> = LazyLock::new(Mutex::default);

/// The program where everybody may run it.
pub(crate) fn quietus() -> String {
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = copy.get_or_insert_with(|| {
        let directory = tempfile::Builder::new().prefix("host-").tempdir_in("/tmp").expect("a directory");
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("chmod");
        let program = directory.path().join("quietus");
        std::fs::copy(env!("CARGO_BIN_EXE_quietus"), &program).expect("a copy");
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("chmod");
        directory
    });
    directory.path().join("quietus").to_string_lossy().into_owned()
}

pub(crate) fn clean_up() {
    *COPY.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// A directory for one agent, and what the machine was like before.
pub(crate) struct Ground {
    directory: tempfile::TempDir,
    pub(crate) mark: String,
    mounts: BTreeSet<String>,
}

fn mounts() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    text.lines()
        .filter(|line| ["overlay", "mqueue", "/proc"].iter().any(|word| line.contains(word)))
        .map(str::to_owned)
        .collect()
}

impl Ground {
    pub(crate) fn new(person: Person) -> Result<Self, Failed> {
        Self::below(person, Path::new("/tmp"))
    }

    pub(crate) fn below(person: Person, parent: &Path) -> Result<Self, Failed> {
        let directory = tempfile::Builder::new().prefix("host-").tempdir_in(parent)?;
        if person == Person::Nobody {
            std::os::unix::fs::chown(directory.path(), Some(65534), Some(65534))?;
        }
        let mark = format!("mark-{}", directory.path().file_name().unwrap_or_default().to_string_lossy());
        Ok(Self { directory, mark, mounts: mounts() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// An agent that leaves a process and two files wherever it is terminated.
    pub(crate) fn leaky(&self) -> Vec<String> {
        let program = "echo $$ > /tmp/left-$0; true > left-$0; sleep 1000 & echo ready; sleep 0.3; kill $!; rm -f /tmp/left-$0 left-$0";
        ["sh", "-c", program, &self.mark].map(str::to_owned).to_vec()
    }

    /// `quietus check` with these options on the leaky agent.
    pub(crate) fn check(&self, person: Person, options: &[&str]) -> Command {
        self.run(person, "check", options)
    }

    /// The same with another command.
    pub(crate) fn run(&self, person: Person, command: &str, options: &[&str]) -> Command {
        let agent = self.leaky();
        let quietus = quietus();
        let mut words = vec![quietus.as_str(), command, "--kind", "job", "--progress", "plain"];
        words.extend(options);
        words.push("--");
        words.extend(agent.iter().map(String::as_str));
        let mut command = person.command(&words);
        command.current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Waits for every process with the mark to end, and says that nothing else is left.
    pub(crate) fn assert_as_it_was(&self) {
        loop {
            let left = marked(&self.mark);
            let Some((pid, command)) = left.first() else { break };
            // It may have ended since; then there is nothing to wait for.
            let Some(process) = Pid::from_raw(*pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
                continue;
            };
            let ready = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&AT_MOST));
            assert_eq!(ready, Ok(1), "process {pid} goes on: {command}");
            // Ended, and waited for by its parent in a moment.
            if marked(&self.mark).iter().any(|(other, _)| other == pid) {
                std::thread::yield_now();
            }
        }
        let left: Vec<String> = mounts().difference(&self.mounts).cloned().collect();
        assert!(left.is_empty(), "mounts are left: {left:?}");
        for directory in [Path::new("/tmp"), Path::new("/var/tmp"), Path::new("/dev/shm"), self.path()] {
            for entry in std::fs::read_dir(directory).expect("listed").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let left = name.contains(&format!("left-{}", self.mark))
                    || name.starts_with(".quietus")
                    || name.contains("quietus-part");
                assert!(!left, "{} is left", entry.path().display());
            }
        }
    }
}

/// The processes whose command line or environment carries the mark.
fn marked(mark: &str) -> Vec<(i32, String)> {
    let own = std::process::id().cast_signed();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if pid != own && command.windows(mark.len()).any(|part| part == mark.as_bytes()) {
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

/// Runs to the end, and looks whether anything is left.
pub(crate) fn ended(ground: &Ground, command: &mut Command) -> Result<Output, Failed> {
    let output = command.output()?;
    ground.assert_as_it_was();
    no_panic(&output);
    Ok(output)
}

pub(crate) fn no_panic(output: &Output) {
    let text = shown(output);
    assert!(!text.contains("panicked") && !text.contains("internal bug"), "{text}");
    assert_ne!(output.status.code(), Some(70), "{text}");
}

pub(crate) fn shown(output: &Output) -> String {
    format!(
        "{:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A shell command line of words that may hold anything.
pub(crate) fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ")
}
