//! What one trial has on the host: a directory, perhaps a cgroup, and a keeper
//! that removes both should Quietus be killed.

use super::cgroup::{Cgroup, c_path, fresh_name};
use super::files::{self, Root};
use super::names::Names;
use super::{copy, kin};
use crate::cell::{Depth, FileWatch, listeners, open_process};
use crate::driver::session::Place;
use crate::driver::{DriverError, Request};
use crate::model::{FileSize, FileTree, IpcObject, Listener, ProcessRecord};
use crate::sys::{self, Command, Guarded, Keep, KeepError, Keeper, Program, Report};
use rustix::event::{Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What premises are made from; the same for all trials of a run.
#[derive(Debug)]
pub(super) struct Grounds {
    /// Where directories of trials are made.
    pub(super) temporary: PathBuf,
    /// Where cgroups of trials are made.
    pub(super) cgroups: Option<PathBuf>,
    /// A bound on processes for the cgroup, and one for this user.
    pub(super) max_processes: u32,
    pub(super) max_of_user: Option<u32>,
    /// What is not audited, and why.
    pub(super) gaps: Vec<(String, String)>,
}

/// What one trial has on the host. Dropping it ends its processes and removes the rest.
#[derive(Debug)]
pub(super) struct Premises {
    pub(super) names: Names,
    guarded: Guarded,
    keeper: Option<Keeper>,
    cgroup: Option<Cgroup>,
    workspace: Option<Root>,
    temporary: Option<Root>,
    proc: OwnedFd,
    host: OwnedFd,
    terminal: Option<OwnedFd>,
    limits: (u32, Option<u32>),
    prepared: bool,
    gaps: Vec<(String, String)>,
    unread: Vec<(String, String)>,
}

const OPEN_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn open_directory(path: &Path) -> Result<OwnedFd, DriverError> {
    rustix::fs::open(path, OPEN_DIRECTORY, Mode::empty())
        .map_err(|errno| DriverError::System { what: "open a directory", why: format!("{}: {errno}", path.display()) })
}

fn kept(error: KeepError) -> DriverError {
    DriverError::System { what: error.what, why: error.errno.to_string() }
}

fn bug(text: String) -> DriverError {
    DriverError::System { what: "make the place of the trial", why: text }
}

impl Premises {
    /// Makes the directory of a trial, its copy of the workspace and its cgroup.
    pub(super) fn make(grounds: &Grounds, request: &Request) -> Result<Self, DriverError> {
        let name = fresh_name();
        let directory = grounds.temporary.join(&name);
        let group = grounds.cgroups.as_ref().map(|parent| parent.join(&name));
        let guarded = Guarded {
            directory: c_path(&directory).map_err(bug)?,
            cgroup: group.as_deref().map(c_path).transpose().map_err(bug)?,
        };
        let original = rustix::fs::open(&request.directory, OPEN_DIRECTORY, Mode::empty()).map_err(|errno| {
            DriverError::Command {
                what: format!("the workspace {}", request.directory.display()),
                why: errno.to_string(),
            }
        })?;
        let (proc, host) = (open_directory(Path::new("/proc"))?, open_directory(Path::new("/"))?);
        // Before anything is made there is somebody to remove it.
        let keeper = Keeper::start(&Keep {
            programs: &[],
            directory: c"/",
            terminal: None,
            enter: None,
            max_processes: None,
            guarded: &guarded,
        })
        .map_err(kept)?;
        let mut premises = Self {
            names: Names::new(request, directory.join("workspace"), directory.join("tmp")),
            guarded,
            keeper: Some(keeper),
            cgroup: None,
            workspace: None,
            temporary: None,
            proc,
            host,
            terminal: None,
            limits: (grounds.max_processes, grounds.max_of_user),
            prepared: !request.prepare.is_empty() || !request.states.is_empty(),
            gaps: grounds.gaps.clone(),
            unread: Vec::new(),
        };
        premises.directories(&directory, original, &grounds.temporary)?;
        if let Some(path) = group {
            let cgroup = Cgroup::make(&path).map_err(|why| DriverError::System { what: "make a cgroup", why })?;
            cgroup.limit(grounds.max_processes);
            premises.cgroup = Some(cgroup);
        }
        Ok(premises)
    }

    fn directories(&mut self, directory: &Path, original: OwnedFd, trials: &Path) -> Result<(), DriverError> {
        // An agent of root may give its rights up; it must still find its way in.
        let root = rustix::process::geteuid().is_root();
        for (path, mode) in [
            (directory, if root { 0o711 } else { 0o700 }),
            (self.names.copy.as_path(), 0o700),
            (self.names.temporary.as_path(), 0o1777),
        ] {
            let mode = Mode::from_raw_mode(mode);
            rustix::fs::mkdir(path, mode).and_then(|()| rustix::fs::chmod(path, mode)).map_err(|errno| {
                DriverError::System {
                    what: "make the directory of the trial",
                    why: format!("{}: {errno} (TMPDIR says where)", path.display()),
                }
            })?;
        }
        let copy = open_directory(&self.names.copy)?;
        let copied = copy::workspace(&self.names, &original, &copy, trials)?;
        self.unread = copied.unread;
        self.workspace = Some(Root {
            directory: copy,
            shown: self.names.original.clone(),
            before: copied.stamps,
            original: Some(original),
        });
        self.temporary = Some(Root {
            directory: open_directory(&self.names.temporary)?,
            shown: self.names.shown_temporary.clone(),
            before: files::Stamps::new(),
            original: None,
        });
        Ok(())
    }

    /// Starts the keeper of the programs, which takes over from the first one.
    pub(super) fn start(mut self, programs: &[Program], terminal: bool) -> Result<Self, DriverError> {
        let agent_side = if terminal { Some(self.open_terminal()?) } else { None };
        let directory = c_path(&self.names.copy).map_err(bug)?;
        let keeper = Keeper::start(&Keep {
            programs,
            directory: &directory,
            terminal: agent_side.as_ref().map(AsFd::as_fd),
            enter: self.cgroup.as_ref().map(Cgroup::directory),
            max_processes: self.limits.1,
            guarded: &self.guarded,
        })
        .map_err(kept)?;
        if let Some(first) = self.keeper.replace(keeper) {
            first.dismiss();
        }
        Ok(self)
    }

    /// Makes a terminal of the host; the agent's side is given back.
    fn open_terminal(&mut self) -> Result<OwnedFd, DriverError> {
        let refused = |errno: Errno| {
            DriverError::Unsupported(format!(
                "the agent needs a terminal, and /dev/ptmx gives none here ({errno}): mount devpts with ptmxmode=666, or use the full guarantee"
            ))
        };
        let control =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).map_err(refused)?;
        rustix::pty::grantpt(&control).map_err(refused)?;
        rustix::pty::unlockpt(&control).map_err(refused)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let agent_side = rustix::pty::ioctl_tiocgptpeer(&control, flags).map_err(refused)?;
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&agent_side, size).map_err(refused)?;
        let high = |fd: OwnedFd| rustix::io::fcntl_dupfd_cloexec(&fd, 3).map_err(refused);
        self.terminal = Some(high(control)?);
        high(agent_side)
    }

    fn keeper_pid(&self) -> i32 {
        self.keeper.as_ref().map_or(-1, Keeper::pid)
    }

    fn shown(&self, mut records: Vec<ProcessRecord>) -> Vec<ProcessRecord> {
        for record in &mut records {
            for text in record.argv.iter_mut().chain(record.descriptors.values_mut()) {
                *text = self.names.shown(text);
            }
        }
        records
    }

    /// Ends what a keeper that was killed has left: everything in the cgroup, and
    /// every process that has this trial's directory in its environment, which no
    /// other can have by chance. Each is held by its directory in /proc before it
    /// is looked at.
    fn sweep(&self) {
        let marker = self.guarded.directory.as_bytes();
        for _ in 0..SWEEPS {
            let mut found = false;
            let inside = match &self.cgroup {
                Some(cgroup) => {
                    cgroup.kill();
                    cgroup.pids()
                }
                None => Default::default(),
            };
            let own = rustix::process::getpid().as_raw_nonzero().get();
            for pid in numbers_in_proc().filter(|pid| *pid != own && *pid != self.keeper_pid()) {
                let Ok(process) = open_process(&self.proc, pid) else { continue };
                if inside.contains(&pid) || belongs(&process, marker) {
                    // One that may not be signalled stays; waiting would not help.
                    found |= sys::send_signal(&process, rustix::process::Signal::KILL.as_raw()) != Err(Errno::PERM);
                }
            }
            if !found {
                return;
            }
            // Killed, but not gone yet: nobody tells a process that is not its parent.
            let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 2_000_000 }));
        }
    }

    /// Ends every process, and notes which could not be ended.
    fn end_processes(&mut self) {
        let left = self.keeper.as_ref().and_then(Keeper::end_all);
        let why = match left {
            Some(0) => return,
            Some(left) => format!("{left} of another user may not be ended; they run on"),
            None => {
                self.sweep();
                "the keeper of the trial was killed, by the agent or for want of memory".to_owned()
            }
        };
        self.gaps.push(("processes of this trial".to_owned(), why));
    }
}

/// How often a sweep looks again, every 2 ms.
const SWEEPS: u32 = 2_500;

fn numbers_in_proc() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process has the marker in its environment.
fn belongs(process: &OwnedFd, marker: &[u8]) -> bool {
    crate::cell::read_process(process, "environ")
        .is_some_and(|text| text.windows(marker.len()).any(|part| part == marker))
}

impl Drop for Premises {
    fn drop(&mut self) {
        if self.keeper.take().is_some_and(Keeper::close) {
            return;
        }
        // The keeper was killed, or could not remove everything: once more from here.
        self.sweep();
        // Nobody is left to tell; what stays is named like every trial's directory.
        let _ = sys::remove_tree(&self.guarded.directory);
        let _ = self.guarded.cgroup.as_deref().map(sys::remove_groups);
    }
}

impl Place for Premises {
    fn proc(&self) -> BorrowedFd<'_> {
        self.proc.as_fd()
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.keeper.as_ref().map_or(self.proc.as_fd(), Keeper::socket)
    }

    fn receive(&self) -> Result<Option<Report>, Errno> {
        self.keeper.as_ref().map_or(Err(Errno::PIPE), Keeper::receive)
    }

    fn send(&self, command: Command) -> Result<(), Errno> {
        self.keeper.as_ref().map_or(Err(Errno::PIPE), |keeper| keeper.send(command))
    }

    fn emptied(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref().map(Cgroup::events)
    }

    fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    fn processes(&self, depth: Depth) -> Vec<ProcessRecord> {
        self.shown(kin::processes(&self.proc, self.keeper_pid(), self.cgroup.as_ref(), depth, false))
    }

    fn census(&self, depth: Depth) -> Vec<ProcessRecord> {
        self.shown(kin::processes(&self.proc, self.keeper_pid(), self.cgroup.as_ref(), depth, true))
    }

    fn listeners(&self, records: &[ProcessRecord]) -> Vec<Listener> {
        listeners(&self.proc, records)
    }

    fn ipc(&self) -> Vec<IpcObject> {
        Vec::new()
    }

    fn watch(&self, _directory: &Path, glob: &str, size: Option<FileSize>) -> std::io::Result<FileWatch> {
        let pattern = Path::new(glob);
        fn root(place: &Option<Root>) -> Option<BorrowedFd<'_>> {
            place.as_ref().map(|root| root.directory.as_fd())
        }
        let inside = [(&self.workspace, &self.names.original), (&self.temporary, &self.names.shown_temporary)]
            .into_iter()
            .find_map(|(place, shown)| Some((root(place)?, pattern.strip_prefix(shown).ok()?)));
        let relative = || Some((root(&self.workspace)?, pattern)).filter(|_| pattern.is_relative());
        let (root, pattern) = inside.or_else(relative).unwrap_or((self.host.as_fd(), pattern));
        FileWatch::new(root, Path::new("/"), &pattern.to_string_lossy(), size)
    }

    fn temporary(&self, _environment: &[(OsString, OsString)]) -> Vec<String> {
        let mut temporary = vec!["/tmp".to_owned()];
        let shown = self.names.shown_temporary.to_string_lossy().into_owned();
        if !temporary.contains(&shown) {
            temporary.push(shown);
        }
        temporary
    }

    fn root(&self) -> BorrowedFd<'_> {
        self.host.as_fd()
    }

    fn actual(&self, path: &Path) -> PathBuf {
        PathBuf::from(self.names.to_copy(path.as_os_str()))
    }

    fn shown(&self, text: &str) -> String {
        self.names.shown(text)
    }

    fn note_before(&mut self) {
        if self.prepared {
            let mut room = crate::cell::KEPT_TOTAL;
            for root in [&mut self.workspace, &mut self.temporary].into_iter().flatten() {
                root.note(&mut room);
            }
        }
    }

    fn look_at_files(&mut self) -> FileTree {
        let roots: Vec<&Root> = [&self.workspace, &self.temporary].into_iter().flatten().collect();
        files::changes(&roots, &self.names)
    }

    fn end(&mut self) -> FileTree {
        self.end_processes();
        let mut tree = self.look_at_files();
        tree.unread.append(&mut self.unread);
        tree
    }

    fn gaps(&self) -> Vec<(String, String)> {
        self.gaps.clone()
    }
}
