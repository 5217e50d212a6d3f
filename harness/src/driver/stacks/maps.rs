//! What is mapped where in a stopped process.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// No more of `/proc/PID/maps` is read: a process can make it as long as it likes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// A part of a file that is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where in the file it begins.
    pub(super) offset: u64,
    pub(super) inode: u64,
    pub(super) path: PathBuf,
    /// Whether the file is no longer at its path.
    pub(super) deleted: bool,
}

impl Mapping {
    /// Whether both are parts of one file.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.inode == other.inode && self.path == other.path
    }
}

/// The files that a thread's process has mapped, by address. Empty when it is gone.
pub(super) fn of(tid: i32) -> Vec<Mapping> {
    let mut text = Vec::new();
    if let Ok(maps) = File::open(format!("/proc/{tid}/maps")) {
        let _ = maps.take(LONGEST).read_to_end(&mut text);
    }
    text.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

/// The file whose mapping begins at this address, unless it was removed.
pub(in crate::driver) fn file_at(tid: i32, start: u64) -> Option<PathBuf> {
    of(tid).into_iter().find(|mapping| mapping.start == start && !mapping.deleted).map(|mapping| mapping.path)
}

/// One line, if it is about a file.
fn parse(line: &[u8]) -> Option<Mapping> {
    let slash = line.iter().position(|byte| *byte == b'/')?;
    let (fields, path) = line.split_at_checked(slash)?;
    let mut fields = std::str::from_utf8(fields).ok()?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let offset = number(fields.nth(1)?)?;
    let inode = fields.nth(1)?.parse().ok()?;
    let kept = path.strip_suffix(b" (deleted)");
    let path = PathBuf::from(OsString::from_vec(kept.unwrap_or(path).to_vec()));
    Some(Mapping { start, end, offset, inode, path, deleted: kept.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_part_of_a_file() {
        let one = parse(b"55d0c000-55d0e000 r-xp 00002000 fe:01 1234   /usr/bin/a tool (deleted)").expect("a file");
        let path = PathBuf::from("/usr/bin/a tool");
        let wanted = Mapping { start: 0x55d0_c000, end: 0x55d0_e000, offset: 0x2000, inode: 1234, path, deleted: true };
        assert_eq!(one, wanted);
        assert_eq!(parse(b"7ffc1000-7ffc2000 rw-p 00000000 00:00 0     [stack]"), None);
        assert_eq!(parse(b"7ffc1000 /"), None);
    }
}
