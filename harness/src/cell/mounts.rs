//! Reads `/proc/self/mountinfo` (proc_pid_mountinfo(5)). Pure.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountEntry {
    pub(crate) point: PathBuf,
    pub(crate) kind: String,
    pub(crate) read_only: bool,
}

/// File systems that hold no files of programs: the kernel's views of itself.
const KERNEL: [&str; 20] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "mqueue",
    "debugfs",
    "tracefs",
    "securityfs",
    "pstore",
    "efivarfs",
    "bpf",
    "configfs",
    "fusectl",
    "hugetlbfs",
    "binfmt_misc",
    "rpc_pipefs",
    "autofs",
    "nsfs",
];

impl MountEntry {
    /// Whether it holds files, as opposed to a view of the kernel.
    pub(crate) fn holds_files(&self) -> bool {
        !KERNEL.contains(&self.kind.as_str())
    }
}

/// Undoes the octal escapes of mountinfo (`\040` is a space).
pub(crate) fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\').then(|| tail.get(..3)).flatten().and_then(|digits| {
            digits
                .iter()
                .try_fold(0u32, |sum, digit| (b'0'..=b'7').contains(digit).then(|| sum * 8 + u32::from(digit - b'0')))
        });
        if let Some(byte) = octal.and_then(|value| u8::try_from(value).ok()) {
            bytes.push(byte);
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The mounts that can be seen, in the order in which they were mounted. Where
/// one covers another at the same place, only the upper one is listed.
pub(crate) fn parse_mounts(text: &[u8]) -> Vec<MountEntry> {
    let mut mounts: Vec<MountEntry> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let Some(dash) = fields.iter().position(|field| *field == b"-") else { continue };
        let (Some(point), Some(options), Some(kind)) = (fields.get(4), fields.get(5), fields.get(dash + 1)) else {
            continue;
        };
        let point = unescape(point);
        // A later mount at the same place, or above it, covers the earlier ones.
        mounts.retain(|mount| !mount.point.starts_with(&point) || point == Path::new("/"));
        mounts.push(MountEntry {
            point,
            kind: String::from_utf8_lossy(kind).into_owned(),
            read_only: options.split(|byte| *byte == b',').any(|option| option == b"ro"),
        });
    }
    mounts
}

/// Whether one of the mounts lies strictly below this directory.
pub(crate) fn has_mounts_below(mounts: &[MountEntry], directory: &Path) -> bool {
    mounts.iter().any(|mount| mount.point != directory && mount.point.starts_with(directory))
}

/// A path as part of an overlay's options, where `,` `:` and `\` have a meaning.
pub(crate) fn overlay_escape(path: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b',' | b':' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_points_kinds_and_covered_mounts() {
        let text = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            23 22 0:5 / /proc rw,nosuid - proc proc rw\n\
            24 22 0:30 / /mnt/with\\040space ro - tmpfs t rw\n\
            25 22 0:31 / /dev/shm rw - tmpfs a rw\n\
            26 22 0:32 / /dev/shm rw - tmpfs b rw\n\
            27 22 0:33 / /dev rw - devtmpfs d rw\n\
            broken line\n";
        let mounts = parse_mounts(text);
        let shown: Vec<_> = mounts
            .iter()
            .map(|m| (m.point.to_str().unwrap_or_default(), m.kind.as_str(), m.read_only, m.holds_files()))
            .collect();
        assert_eq!(
            shown,
            [
                ("/", "ext4", false, true),
                ("/proc", "proc", false, false),
                ("/mnt/with space", "tmpfs", true, true),
                ("/dev", "devtmpfs", false, false)
            ]
        );
        assert!(has_mounts_below(&mounts, Path::new("/mnt")));
        assert!(!has_mounts_below(&mounts, Path::new("/proc")));
    }

    #[test]
    fn overlay_options_escape_their_own_syntax() {
        assert_eq!(overlay_escape(Path::new("/a,b:c\\d")), b"/a\\,b\\:c\\\\d");
    }
}
