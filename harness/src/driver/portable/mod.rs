//! The portable driver: for places where namespaces are refused.
//!
//! The agent runs on the host, in a copy of its workspace and with a temporary
//! directory of its own. A keeper process, and a cgroup where one can be had,
//! hold everything it starts. What this cannot see is told in the guarantee.
//!
//! Arguments that are absolute paths inside the workspace are rewritten to the
//! copy, and so are absolute links inside it; values of the environment are
//! not, but for PWD, TMPDIR, TMP and TEMP, which are set. Reports name every
//! path as it is in the original, and the temporary directory by its usual name.

mod cgroup;
mod copy;
mod files;
mod kin;
mod names;
mod premises;

use super::session::open_in;
use super::{Driver, DriverError, Request, Session};
use crate::sys::Program;
use premises::{Grounds, Premises};
use quietus_reports::{Guarantee, Level, NotAudited};
use std::path::PathBuf;

/// How the processes of a trial are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Containment {
    /// A cgroup of its own where that can be had, besides the keeper.
    #[default]
    Cgroup,
    /// The keeper alone, as where no cgroup can be had.
    KeeperOnly,
}

/// How the trials of one run are to be.
#[derive(Debug, Clone)]
pub struct PortableOptions {
    /// The agent's working directory: an absolute path. It is copied for each trial.
    pub directory: PathBuf,
    /// Whether the scenario asks for a network of its own, which needs the full guarantee.
    pub private_network: bool,
    /// How many processes and threads an agent may have, where that can be bounded.
    pub max_processes: u32,
    /// How its processes are held together.
    pub containment: Containment,
}

/// Runs agents on the host, in a copy of their workspace.
#[derive(Debug)]
pub struct PortableDriver {
    options: PortableOptions,
    grounds: Grounds,
    without_cgroup: Option<String>,
}

impl PortableDriver {
    /// Learns what this machine grants. There is no Linux on which it cannot run.
    pub fn new(options: PortableOptions) -> Self {
        let temporary = std::env::temp_dir();
        let temporary = std::fs::canonicalize(&temporary).unwrap_or(temporary);
        let found = match options.containment {
            Containment::Cgroup => cgroup::find_parent(&temporary),
            Containment::KeeperOnly => Err("it was not asked for".to_owned()),
        };
        let (cgroups, without_cgroup) = match found {
            Ok(parent) => (Some(parent), None),
            Err(why) => (None, Some(why)),
        };
        let gaps = gaps(without_cgroup.as_deref());
        let max_of_user = max_of_user(options.max_processes);
        let grounds = Grounds { temporary, cgroups, max_processes: options.max_processes, max_of_user, gaps };
        Self { options, grounds, without_cgroup }
    }
}

/// The bound for a user is on all its processes, so what it has now is added.
/// Root has none (setrlimit(2)).
fn max_of_user(most: u32) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::getuid();
    if user.is_root() {
        return None;
    }
    let own = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok).filter(|entry| {
        entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit)
            && entry.metadata().is_ok_and(|metadata| metadata.uid() == user.as_raw())
    });
    let threads: usize = own.map(|entry| std::fs::read_dir(entry.path().join("task")).map_or(1, Iterator::count)).sum();
    Some(most.saturating_add(u32::try_from(threads).unwrap_or(u32::MAX)))
}

/// What this driver cannot see, and why.
fn gaps(without_cgroup: Option<&str>) -> Vec<(String, String)> {
    let mut gaps = vec![
        (
            "files outside the workspace and TMPDIR",
            "the agent runs on the host: what it changes there is real, and neither seen nor undone".to_owned(),
        ),
        (
            "files that programs make in /tmp, /var/tmp or /dev/shm without asking for TMPDIR",
            "they are on the host".to_owned(),
        ),
        ("System V and POSIX IPC", "the objects are the host's, and cannot be told from those of others".to_owned()),
        ("the behaviour as PID 1", "that takes a PID namespace".to_owned()),
        (
            "processes that services of the host start for the agent",
            "systemd, cron or a container engine is their parent, not the agent".to_owned(),
        ),
        ("the host", "it is not isolated from the agent: processes, network and devices are shared".to_owned()),
    ];
    if let Some(why) = without_cgroup {
        gaps.push((
            "processes that are left when the agent kills the process that keeps it",
            format!("there is no cgroup: {why}"),
        ));
    }
    gaps.into_iter().map(|(what, why)| (what.to_owned(), why)).collect()
}

impl Driver for PortableDriver {
    fn guarantee(&self) -> Guarantee {
        let held = match &self.grounds.cgroups {
            Some(_) => "cgroup v2 of its own",
            None => "process tree without a cgroup",
        };
        let mechanisms =
            [held, "subreaper", "session and process group of its own", "private TMPDIR", "copied workspace"];
        Guarantee {
            level: Level::Portable,
            mechanisms: mechanisms.into_iter().map(str::to_owned).collect(),
            not_audited: gaps(self.without_cgroup.as_deref())
                .into_iter()
                .map(|(what, why)| NotAudited { what, why })
                .collect(),
        }
    }

    fn open(&self, request: &Request) -> Result<Box<dyn Session>, DriverError> {
        debug_assert_eq!(self.options.directory, request.directory);
        let needs_full = |what: &str| DriverError::Unsupported(format!("{what} needs the full guarantee"));
        if request.plan.pid1 {
            return Err(needs_full("an agent as PID 1"));
        }
        if self.options.private_network {
            return Err(needs_full("a private network"));
        }
        let premises = Premises::make(&self.grounds, request)?;
        let moved = premises.names.moved(request);
        let start = |programs: &[Program], terminal| premises.start(programs, terminal);
        Ok(Box::new(open_in::<Premises>(&moved, Box::new(start))?))
    }
}
