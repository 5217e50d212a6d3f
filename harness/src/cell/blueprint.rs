//! From facts of the host to the steps that build a cell. Pure.
//!
//! The new root is staged below `/proc`, the one directory whose old content no
//! cell needs. As root one overlay covers the root file system and one each
//! further file system. In a user namespace the kernel refuses to overlay a
//! directory that has mounts below it, so the root is put together from one
//! overlay for each directory that has none.

use super::host::{Attributes, Entry, HostFacts};
use super::mounts::{has_mounts_below, overlay_escape};
use crate::sys::{SetupStep, Slot};
use rustix::mount::MountFlags;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const STAGE: &str = "/proc";
/// How many changed files a cell has room for, at least.
const LEAST_FILES: u64 = 400_000;
pub(super) const NEW_ROOT: &str = "/proc/root";

/// What a cell is to be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) directory: PathBuf,
    /// Directories that the agent is likely to write.
    pub(crate) likely: Vec<PathBuf>,
    pub(crate) private_network: bool,
    pub(crate) max_processes: u32,
    /// Mount points that cannot be overlaid, as an earlier try has shown.
    pub(crate) refused: BTreeSet<PathBuf>,
}

/// How a cell is built, and what that leaves out of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Blueprint {
    pub(crate) steps: Vec<SetupStep>,
    /// The overlays: directory of the upper layer below the stage, and what it covers.
    pub(crate) layers: Vec<Layer>,
    /// What is not audited, and why.
    pub(crate) gaps: Vec<(String, String)>,
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The name of its upper directory.
    pub(crate) upper: String,
    /// The directory it covers, as the agent sees it.
    pub(crate) covers: PathBuf,
    /// The step that mounts it.
    pub(crate) step: usize,
}

fn c(bytes: impl Into<Vec<u8>>) -> CString {
    // Paths of a file system have no NUL; a NUL would be our bug and shows as a truncated path.
    let bytes: Vec<u8> = bytes.into();
    CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).unwrap_or_default()
}

fn c_path(path: &Path) -> CString {
    c(path.as_os_str().as_bytes())
}

/// Where a path of the agent lies while the root is still staged.
fn staged(path: &Path) -> PathBuf {
    Path::new(NEW_ROOT).join(path.strip_prefix("/").unwrap_or(path))
}

struct Draft<'a> {
    facts: &'a HostFacts,
    wish: &'a Wish,
    plan: Blueprint,
}

/// Draws the plan of a cell.
pub(crate) fn draw(facts: &HostFacts, wish: &Wish) -> Blueprint {
    let mut draft = Draft { facts, wish, plan: Blueprint::default() };
    draft.identity();
    draft.stage();
    if facts.privileged {
        draft.whole_root();
    } else {
        draft.root_by_parts();
    }
    draft.devices();
    draft.kernel_views();
    draft.hand_over();
    draft.plan
}

impl Draft<'_> {
    fn push(&mut self, step: SetupStep) {
        self.plan.steps.push(step);
    }

    fn identity(&mut self) {
        if !self.facts.privileged {
            let (user, group) = (self.facts.user, self.facts.group);
            self.push(SetupStep::WriteFile { path: c("/proc/self/setgroups"), data: b"deny".to_vec(), optional: true });
            self.push(SetupStep::WriteFile {
                path: c("/proc/self/uid_map"),
                data: format!("{user} {user} 1").into_bytes(),
                optional: false,
            });
            self.push(SetupStep::WriteFile {
                path: c("/proc/self/gid_map"),
                data: format!("{group} {group} 1").into_bytes(),
                optional: false,
            });
        }
        self.push(SetupStep::MakePrivate);
        if self.wish.private_network {
            self.push(SetupStep::LoopbackUp);
        }
    }

    fn stage(&mut self) {
        let flags = MountFlags::NODEV;
        // What eats up the memory of the machine shall be the first to go.
        self.push(SetupStep::WriteFile { path: c("/proc/self/oom_score_adj"), data: b"1000".to_vec(), optional: true });
        let size = self.facts.space.map_or_else(
            || "size=50%".to_owned(),
            |space| format!("size={space},nr_inodes={}", (space / 4096).max(LEAST_FILES)),
        );
        self.push(SetupStep::Mount {
            kind: c("tmpfs"),
            target: c(STAGE),
            data: c(format!("mode=0755,{size}")),
            flags,
            optional: false,
        });
        for name in ["root", "upper", "work"] {
            self.directory(&Path::new(STAGE).join(name), 0o755, None);
        }
    }

    fn directory(&mut self, path: &Path, mode: u32, owner: Option<(u32, u32)>) {
        self.push(SetupStep::MakeDirectory { path: c_path(path), mode, owner });
    }

    /// Mounts an overlay of a directory at its place in the new root.
    fn overlay(&mut self, directory: &Path, attributes: Attributes) {
        let name = self.plan.layers.len().to_string();
        let (upper, work) = (Path::new(STAGE).join("upper").join(&name), Path::new(STAGE).join("work").join(&name));
        // The root of an overlay takes its attributes from the upper directory.
        // In a user namespace everything there is this user's, so the mode alone
        // has to say what the user may do.
        let (mode, owner) = if self.facts.privileged {
            (attributes.mode, Some(attributes.owner))
        } else if attributes.owner.0 == self.facts.user || attributes.mode & 0o1000 != 0 {
            (attributes.mode, None)
        } else {
            (attributes.access * 0o111, None)
        };
        self.directory(&upper, mode, owner);
        self.directory(&work, 0o755, None);
        let mut data = b"lowerdir=".to_vec();
        data.extend(overlay_escape(directory));
        data.extend(format!(",upperdir={},workdir={}", upper.display(), work.display()).into_bytes());
        // So that a file keeps its device and inode when it is copied up: `git clone`
        // compares them across link(2), and refuses to go on when they change.
        data.extend(b",xino=on");
        if !self.facts.privileged {
            data.extend(b",userxattr");
        }
        let step = self.plan.steps.len();
        self.plan.layers.push(Layer { upper: name, covers: directory.to_path_buf(), step });
        self.push(SetupStep::Mount {
            kind: c("overlay"),
            target: c_path(&staged(directory)),
            data: c(data),
            // The devices of a cell are those of its /dev, not the nodes of a chroot somewhere on the disk.
            flags: MountFlags::NODEV,
            optional: false,
        });
    }

    /// Shows a directory or file of the host read-only.
    fn read_only(&mut self, path: &Path) {
        let target = c_path(&staged(path));
        self.push(SetupStep::Bind { source: c_path(path), target: target.clone(), recursive: true, optional: true });
        self.push(SetupStep::ReadOnly { target });
    }

    fn gap(&mut self, path: &Path, why: &str) {
        self.plan.gaps.push((format!("changes below {}", path.display()), why.to_owned()));
    }

    /// The mounts besides the root that hold files, outside /proc, /sys and /dev.
    fn further_mounts(&self) -> Vec<(PathBuf, bool, Option<Attributes>)> {
        let special = ["/proc", "/sys", "/dev"];
        self.facts
            .mounts
            .iter()
            .filter(|mount| {
                mount.point != Path::new("/")
                    && mount.holds_files()
                    && !special.iter().any(|s| mount.point.starts_with(s))
            })
            .map(|mount| (mount.point.clone(), mount.read_only, self.facts.attributes.get(&mount.point).copied()))
            .collect()
    }

    /// An overlay where that can be, else a read-only view and a gap in the audit.
    fn overlay_or_view(&mut self, path: &Path, read_only: bool, attributes: Option<Attributes>) {
        match attributes {
            Some(attributes) if !read_only && !self.wish.refused.contains(path) => self.overlay(path, attributes),
            _ => {
                self.read_only(path);
                if !read_only {
                    let why = if attributes.is_none() {
                        "it is a mounted file, shown read-only"
                    } else {
                        "the kernel refuses an overlay of it; it is read-only in the cell"
                    };
                    self.gap(path, why);
                }
            }
        }
    }

    fn whole_root(&mut self) {
        let root = Path::new("/");
        let attributes =
            self.facts.attributes.get(root).copied().unwrap_or(Attributes { mode: 0o755, owner: (0, 0), access: 7 });
        self.overlay(root, attributes);
        for (point, read_only, attributes) in self.further_mounts() {
            self.overlay_or_view(&point, read_only, attributes);
        }
    }

    fn root_by_parts(&mut self) {
        // pivot_root needs a mount point of its own.
        self.push(SetupStep::Bind { source: c(NEW_ROOT), target: c(NEW_ROOT), recursive: false, optional: false });
        self.parts_of(Path::new("/"));
        for directory in self.islands() {
            let attributes = self.facts.attributes.get(&directory).copied();
            if let Some(attributes) = attributes {
                self.overlay(&directory, attributes);
            }
        }
    }

    fn parts_of(&mut self, directory: &Path) {
        let Some(entries) = self.facts.listings.get(directory).cloned() else { return };
        if entries.len() > 400 {
            self.gap(directory, "it has mounts below and more than 400 entries; it is read-only in the cell");
            self.read_only(directory);
            return;
        }
        let special = ["/proc", "/sys", "/dev"].map(Path::new);
        for (path, entry) in entries {
            let target = staged(&path);
            match entry {
                Entry::Link(to) => self.push(SetupStep::Symlink { target: c_path(&to), path: c_path(&target) }),
                Entry::Other => {
                    self.push(SetupStep::MakeFile { path: c_path(&target) });
                    self.push(SetupStep::Bind {
                        source: c_path(&path),
                        target: c_path(&target),
                        recursive: false,
                        optional: true,
                    });
                    self.push(SetupStep::ReadOnly { target: c_path(&target) });
                }
                Entry::Directory(attributes) => {
                    self.directory(&target, 0o755, None);
                    if special.contains(&path.as_path()) {
                        continue;
                    }
                    let mount = self.facts.mounts.iter().find(|mount| mount.point == path).cloned();
                    if mount.as_ref().is_some_and(|mount| !mount.holds_files()) {
                        self.read_only(&path);
                    } else if has_mounts_below(&self.facts.mounts, &path) {
                        if attributes.access & 2 != 0 {
                            self.gap(&path, "it has mounts below, so only what lies deeper is audited");
                        }
                        self.parts_of(&path);
                    } else {
                        self.overlay_or_view(&path, mount.is_some_and(|mount| mount.read_only), Some(attributes));
                    }
                }
            }
        }
    }

    /// Directories this user may write that lie below one of another owner: an
    /// overlay cannot copy that owner up into a user namespace, so they get an
    /// overlay of their own.
    fn islands(&self) -> Vec<PathBuf> {
        let mut islands = BTreeSet::new();
        let own = |attributes: &Attributes| attributes.owner.0 == self.facts.user || attributes.access & 2 != 0;
        for path in &self.wish.likely {
            let mut chain: Vec<&Path> = path.ancestors().collect();
            chain.reverse();
            let covered = self
                .plan
                .layers
                .iter()
                .map(|layer| layer.covers.as_path())
                .filter(|covers| path.starts_with(covers))
                .max_by_key(|covers| covers.components().count());
            let Some(covered) = covered else { continue };
            let below = chain.into_iter().filter(|part| part.starts_with(covered) && *part != covered);
            let mut foreign = false;
            for part in below {
                let Some(attributes) = self.facts.attributes.get(part) else { break };
                if own(attributes) {
                    if foreign || attributes.owner.0 != self.facts.user {
                        islands.insert(part.to_path_buf());
                    }
                    break;
                }
                foreign = true;
            }
        }
        islands.into_iter().collect()
    }

    fn devices(&mut self) {
        let dev = staged(Path::new("/dev"));
        let private = MountFlags::NOSUID;
        self.push(SetupStep::Mount {
            kind: c("tmpfs"),
            target: c_path(&dev),
            data: c("mode=0755,size=64k,nr_inodes=4k"),
            flags: private,
            optional: false,
        });
        for (name, mode) in [("pts", 0o755), ("shm", 0o1777), ("mqueue", 0o1777)] {
            self.directory(&dev.join(name), mode, None);
        }
        for device in &self.facts.devices.clone() {
            let target = staged(device);
            if device.is_dir() {
                self.directory(&target, 0o755, None);
            } else {
                self.push(SetupStep::MakeFile { path: c_path(&target) });
            }
            self.push(SetupStep::Bind {
                source: c_path(device),
                target: c_path(&target),
                recursive: true,
                optional: true,
            });
            // It can be written to all the same; what cannot be changed is the host's node.
            self.push(SetupStep::ReadOnly { target: c_path(&target) });
        }
        for (name, to) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            self.push(SetupStep::Symlink { target: c(to), path: c_path(&dev.join(name)) });
        }
        let pts = c_path(&dev.join("pts"));
        self.push(SetupStep::Mount {
            kind: c("devpts"),
            target: pts,
            data: c("newinstance,ptmxmode=0666,mode=0620"),
            flags: MountFlags::NOSUID | MountFlags::NOEXEC,
            optional: false,
        });
        let shared = Path::new("/dev/shm");
        match self.facts.attributes.get(shared).copied() {
            Some(attributes) if !self.wish.refused.contains(shared) => self.overlay(shared, attributes),
            _ => {
                let target = c_path(&staged(shared));
                self.push(SetupStep::Mount {
                    kind: c("tmpfs"),
                    target,
                    data: c("mode=1777"),
                    flags: MountFlags::NOSUID | MountFlags::NODEV,
                    optional: false,
                });
                self.gap(shared, "the host's /dev/shm cannot be overlaid; the cell has an empty one");
            }
        }
        let queues = c_path(&dev.join("mqueue"));
        self.push(SetupStep::Mount {
            kind: c("mqueue"),
            target: queues,
            data: c(""),
            flags: MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
            optional: true,
        });
    }

    fn kernel_views(&mut self) {
        let sys = Path::new("/sys");
        if self.facts.mounts.iter().any(|mount| mount.point.starts_with(sys)) {
            self.read_only(sys);
        }
        let proc = staged(Path::new("/proc"));
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        self.push(SetupStep::Mount { kind: c("proc"), target: c_path(&proc), data: c(""), flags, optional: false });
        // Linux 6.14 and later: the highest pid is a property of the PID namespace.
        let most = format!("{}", self.wish.max_processes.max(400));
        self.push(SetupStep::WriteFile {
            path: c_path(&proc.join("sys/kernel/pid_max")),
            data: most.into_bytes(),
            optional: true,
        });
        // System V shared memory is memory that no file system bounds.
        if let Some(space) = self.facts.space {
            self.push(SetupStep::WriteFile {
                path: c_path(&proc.join("sys/kernel/shmall")),
                data: (space / 4096).to_string().into_bytes(),
                optional: true,
            });
        }
        // These files ask for the user alone, and root in a user namespace may be the host's.
        if self.facts.privileged || self.facts.user == 0 {
            for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
                let path = c_path(&proc.join(name));
                self.push(SetupStep::Bind {
                    source: path.clone(),
                    target: path.clone(),
                    recursive: false,
                    optional: true,
                });
                self.push(SetupStep::ReadOnly { target: path });
            }
        }
    }

    fn hand_over(&mut self) {
        let proc = staged(Path::new("/proc"));
        let queues = staged(Path::new("/dev/mqueue"));
        let mut keep =
            |slot, path: &Path, optional| self.plan.steps.push(SetupStep::Keep { slot, path: c_path(path), optional });
        keep(Slot::Upper, &Path::new(STAGE).join("upper"), false);
        keep(Slot::Proc, &proc, false);
        keep(Slot::SharedMemory, &proc.join("sysvipc/shm"), true);
        keep(Slot::Semaphores, &proc.join("sysvipc/sem"), true);
        keep(Slot::MessageQueues, &proc.join("sysvipc/msg"), true);
        keep(Slot::PosixQueues, &queues, true);
        self.push(SetupStep::PivotRoot { root: c(NEW_ROOT) });
        self.push(SetupStep::Keep { slot: Slot::Root, path: c("/"), optional: false });
        self.push(SetupStep::Enter { path: c_path(&self.wish.directory) });
    }
}
