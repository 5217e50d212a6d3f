//! What a cell is built from: facts of this host, read once for each run.

use super::mounts::{MountEntry, parse_mounts};
use rustix::fs::{Access, AtFlags, CWD};
use std::collections::BTreeMap;
use std::fs::FileType;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What an entry of a directory is, as far as a cell must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Directory(Attributes),
    Link(PathBuf),
    Other,
}

/// The attributes a directory of the cell takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// What this user may do there: read 4, write 2, enter 1.
    pub(crate) access: u32,
}

/// Facts of the host.
#[derive(Debug, Clone)]
pub(crate) struct HostFacts {
    pub(crate) user: u32,
    pub(crate) group: u32,
    /// Whether mounts need no user namespace.
    pub(crate) privileged: bool,
    pub(crate) mounts: Vec<MountEntry>,
    /// Entries of `/` and of every directory that has mounts below it.
    pub(crate) listings: BTreeMap<PathBuf, Vec<(PathBuf, Entry)>>,
    /// Attributes of mount points and of directories the agent is likely to write.
    pub(crate) attributes: BTreeMap<PathBuf, Attributes>,
    /// Device files of /dev that every program may expect.
    pub(crate) devices: Vec<PathBuf>,
    /// How many bytes of changed files one cell may hold in memory, so that as
    /// many cells as there are processors leave the host half of what is free.
    pub(crate) space: Option<u64>,
}

const DEVICES: [&str; 12] =
    ["null", "zero", "full", "random", "urandom", "tty", "kvm", "fuse", "dri", "nvidia0", "nvidiactl", "nvidia-uvm"];

fn attributes(path: &Path) -> Option<Attributes> {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_dir)?;
    let may = |access| rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok();
    let access =
        u32::from(may(Access::READ_OK)) * 4 + u32::from(may(Access::WRITE_OK)) * 2 + u32::from(may(Access::EXEC_OK));
    Some(Attributes { mode: metadata.mode() & 0o7777, owner: (metadata.uid(), metadata.gid()), access })
}

fn list(directory: &Path) -> Vec<(PathBuf, Entry)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut listed: Vec<(PathBuf, Entry)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let (path, kind) = (entry.path(), entry.file_type().ok()?);
            let entry = if kind.is_symlink() {
                Entry::Link(std::fs::read_link(&path).ok()?)
            } else if kind.is_dir() {
                Entry::Directory(attributes(&path)?)
            } else if is_special(kind) {
                return None;
            } else {
                Entry::Other
            };
            Some((path, entry))
        })
        .collect();
    listed.sort_by(|a, b| a.0.cmp(&b.0));
    listed
}

fn is_special(kind: FileType) -> bool {
    kind.is_block_device() || kind.is_char_device()
}

/// Whether this process may mount without a user namespace. The root of a user
/// namespace (a rootless container) may, but like an ordinary user it cannot
/// overlay a directory with mounts below, or own what belongs to others.
fn may_mount() -> bool {
    let whole = std::fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_ascii_whitespace().eq(["0", "0", "4294967295"]));
    whole
        && rustix::thread::capabilities(None)
            .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN))
}

fn space(meminfo: &str, cells: u64) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kilobytes * 1024 / 2 / cells.max(1)).max(LEAST_SPACE))
}

/// Less than this is no room to work in.
const LEAST_SPACE: u64 = 64 << 20;

impl HostFacts {
    /// Reads the facts. `likely` are the directories that the agent is likely to
    /// write: its working directory, home, temporary and cache directories.
    pub(crate) fn read(likely: &[PathBuf]) -> std::io::Result<Self> {
        let mounts = parse_mounts(&std::fs::read("/proc/self/mountinfo")?);
        let user = rustix::process::geteuid().as_raw();
        let mut listings = BTreeMap::new();
        let mut known = BTreeMap::new();
        let root = Path::new("/");
        let mut parents: Vec<PathBuf> =
            mounts.iter().flat_map(|mount| mount.point.ancestors().skip(1).map(Path::to_path_buf)).collect();
        parents.push(root.to_path_buf());
        for parent in parents {
            listings.entry(parent.clone()).or_insert_with(|| list(&parent));
        }
        let ancestors = likely.iter().flat_map(|path| path.ancestors());
        for path in mounts.iter().map(|mount| mount.point.as_path()).chain(ancestors).chain([root]) {
            if let Some(found) = attributes(path) {
                known.insert(path.to_path_buf(), found);
            }
        }
        let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name)).filter(|path| path.exists()).collect();
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        Ok(Self {
            user,
            group: rustix::process::getegid().as_raw(),
            privileged: may_mount(),
            mounts,
            listings,
            attributes: known,
            devices,
            space: std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| space(&text, processors)),
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_share_half_of_the_free_memory() {
        let text = "MemTotal:  100 kB\nMemAvailable:   16777216 kB\n";
        assert_eq!(super::space(text, 4), Some(2 << 30));
        assert_eq!(super::space("MemAvailable: 10 kB", 1), Some(64 << 20));
        assert_eq!(super::space("MemFree: 10 kB", 1), None);
    }
}
