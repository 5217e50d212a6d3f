//! What /proc tells of a tracee.

use crate::model::{Signal, path_text};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// Whether the signal, delivered to this thread, ends its process.
pub(super) fn ends(tid: i32, signal: i32) -> bool {
    let caught = mask(tid, "SigCgt:").unwrap_or(0) | mask(tid, "SigIgn:").unwrap_or(0);
    // A PID 1 has no default action (pid_namespaces(7)).
    let is_pid1 = line(tid, "NSpid:").is_some_and(|pids| pids.split_ascii_whitespace().next_back() == Some("1"));
    !is_pid1 && !has(caught, signal) && Signal::from_number(signal).is_some_and(Signal::ends_by_default)
}

pub(super) fn has(mask: u64, signal: i32) -> bool {
    mask >> (signal - 1) & 1 == 1
}

/// A line of `/proc/TID/status` that holds a signal mask.
pub(super) fn mask(tid: i32, name: &str) -> Option<u64> {
    u64::from_str_radix(&line(tid, name)?, 16).ok()
}

/// A line of `/proc/TID/status`. `None` when the thread is gone.
fn line(tid: i32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

/// The program and arguments of a process.
pub(super) fn command_line(tid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{tid}/cmdline")).unwrap_or_default();
    let words = bytes.strip_suffix(b"\0").unwrap_or(&bytes).split(|byte| *byte == 0);
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The program that a thread has just executed, if that would have gained rights by its
/// file, which whoever is traced here does not (PR_SET_NO_NEW_PRIVS).
pub(super) fn is_without_rights(tid: i32) -> Option<String> {
    let program = format!("/proc/{tid}/exe");
    let file = std::fs::metadata(&program).ok()?;
    let effective = |name: &str| -> Option<u32> { line(tid, name)?.split_ascii_whitespace().nth(1)?.parse().ok() };
    let (user, group) = (effective("Uid:")?, effective("Gid:")?);
    let sets_user = file.mode() & libc::S_ISUID != 0 && file.uid() != user;
    let sets_group = file.mode() & libc::S_ISGID != 0 && file.gid() != group;
    let is_capable = || user != 0 && rustix::fs::getxattr(&program, "security.capability", &mut [0u8; 64][..]).is_ok();
    let path = std::fs::read_link(&program).ok()?;
    (sets_user || sets_group || is_capable()).then(|| path_text(path.as_os_str().as_bytes()))
}

/// The parent of a new process, or the process of a new thread.
pub(super) fn parent_of(tid: i32) -> Option<i32> {
    let process = process_of(tid)?;
    if process == tid { line(tid, "PPid:")?.parse().ok() } else { Some(process) }
}

/// The pid of a process as those around it know it.
pub(super) fn inner_pid(pid: i32) -> i32 {
    let pids = line(pid, "NSpid:");
    pids.and_then(|pids| pids.split_ascii_whitespace().next_back()?.parse().ok()).unwrap_or(pid)
}

/// The process of a thread of this machine.
pub(super) fn process_of(tid: i32) -> Option<i32> {
    line(tid, "Tgid:")?.parse().ok()
}
