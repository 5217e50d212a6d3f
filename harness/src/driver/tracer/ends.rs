//! What a process has open when it ends, while its last thread is stopped there.

use crate::model::{AtExit, Ended, path_text};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// A process with more descriptors is not looked at: half of them would say less
/// than nothing.
const MOST: usize = 4096;

/// A process that has ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) role: String,
    pub(super) pid: i32,
    pub(super) status: i32,
    pub(super) at: Instant,
    pub(super) open: Open,
}

/// What it had open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    writable: BTreeSet<String>,
    locked: BTreeSet<String>,
    connected: BTreeSet<String>,
}

impl End {
    /// In the time of a run that started then and took so long. Who was ended after
    /// that was ended with the run, and had no end of its own.
    pub(super) fn finish(self, started: Instant, end: Duration) -> Option<AtExit> {
        let at = self.at.checked_duration_since(started).unwrap_or(Duration::ZERO);
        let ended = Ended::from_wait_status(self.status).filter(|_| at < end)?;
        let Open { writable, locked, connected } = self.open;
        Some(AtExit { role: self.role, pid: self.pid, ended, at, writable, locked, connected })
    }
}

/// What the process of a stopped thread has open. `None` when not all of it can be seen.
pub(super) fn look(tid: i32) -> Option<Open> {
    let numbers: Vec<u32> = std::fs::read_dir(format!("/proc/{tid}/fd"))
        .ok()?
        .take(MOST + 1)
        .map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect::<Option<_>>()?;
    if numbers.len() > MOST {
        return None;
    }
    let (mut open, mut sockets) = (Open::default(), BTreeSet::new());
    for number in numbers {
        let descriptor = format!("/proc/{tid}/fd/{number}");
        let link = path_text(std::fs::read_link(&descriptor).ok()?.as_os_str().as_bytes());
        if let Some(inode) = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            sockets.insert(inode.to_owned());
        } else if is_kept(&link) && std::fs::metadata(&descriptor).is_ok_and(|file| file.is_file()) {
            let info = std::fs::read_to_string(format!("/proc/{tid}/fdinfo/{number}")).ok()?;
            if number > 2 && is_writable(&info) {
                open.writable.insert(link.clone());
            }
            if is_locked(&info) {
                open.locked.insert(link);
            }
        }
    }
    if !sockets.is_empty() {
        for name in ["tcp", "tcp6"] {
            let table = std::fs::read_to_string(format!("/proc/{tid}/net/{name}")).unwrap_or_default();
            let far_ends = far_ends(&table);
            open.connected.extend(sockets.iter().filter_map(|inode| far_ends.get(inode.as_str()).cloned()));
        }
    }
    Some(open)
}

/// Whether a descriptor is of a path that keeps what is written there, under a name.
fn is_kept(link: &str) -> bool {
    let elsewhere = ["/dev/", "/proc/", "/sys/"].iter().any(|place| link.starts_with(place));
    link.starts_with('/') && !elsewhere && !link.ends_with(" (deleted)")
}

/// From the `flags:` of `/proc/TID/fdinfo/FD`, which are octal.
fn is_writable(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|digits| i32::from_str_radix(digits.trim(), 8).ok()).unwrap_or(libc::O_RDONLY);
    flags & libc::O_ACCMODE != libc::O_RDONLY
}

/// Whether one of its `lock:` lines is that of an exclusive lock. Leases are none.
fn is_locked(info: &str) -> bool {
    info.lines().filter_map(|line| line.strip_prefix("lock:")).any(|lock| {
        let words: Vec<&str> = lock.split_ascii_whitespace().collect();
        matches!(words.get(1..4), Some(["FLOCK" | "POSIX" | "OFDLCK", _, "WRITE"]))
    })
}

/// Established connections of `/proc/TID/net/tcp` and `tcp6`: their far ends by inode.
fn far_ends(table: &str) -> BTreeMap<&str, String> {
    const ESTABLISHED: &str = "01";
    let far_end = |line: &str| -> Option<String> {
        let (address, port) = line.split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        // Words of the network's bytes, shown as this machine's numbers.
        let words =
            address.as_bytes().chunks(8).map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
        let bytes: Vec<u8> = words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect();
        match <[u8; 4]>::try_from(bytes.as_slice()) {
            Ok(four) => Some(format!("{}:{port}", Ipv4Addr::from(four))),
            Err(_) => Some(format!("[{}]:{port}", Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?))),
        }
    };
    let connection = |line| {
        let fields: Vec<&str> = str::split_ascii_whitespace(line).collect();
        let (far, inode) = (*fields.get(2)?, *fields.get(9)?);
        (fields.get(3) == Some(&ESTABLISHED)).then(|| Some((inode, far_end(far)?)))?
    };
    table.lines().skip(1).filter_map(connection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_that_can_be_written() {
        assert!(is_writable("pos:\t5\nflags:\t0100001\nmnt_id:\t9\n"));
        assert!(is_writable("flags:\t02102002\n"));
        assert!(!is_writable("flags:\t0100000\n"));
        assert!(!is_writable(""));
    }

    #[test]
    fn exclusive_locks_of_three_kinds() {
        let lock = |words: &str| is_locked(&format!("pos:\t0\nlock:\t1: {words} 7 00:1b:12 0 EOF\n"));
        assert!(lock("FLOCK  ADVISORY  WRITE") && lock("POSIX  ADVISORY  WRITE") && lock("OFDLCK ADVISORY  WRITE"));
        assert!(!lock("FLOCK  ADVISORY  READ") && !lock("LEASE  ACTIVE    WRITE") && !is_locked("pos:\t0\n"));
    }

    #[test]
    fn only_what_keeps_its_content_counts() {
        assert!(is_kept("/w/state.json") && is_kept("/tmp/x"));
        for link in
            ["/dev/null", "/proc/7/mem", "/sys/power/state", "/tmp/#12 (deleted)", "pipe:[3]", "anon_inode:[eventfd]"]
        {
            assert!(!is_kept(link), "{link}");
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn connections_by_their_far_ends() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n   \
            1: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 20 4 30 10 -1\n   \
            2: 0100007F:D432 0100007F:1F90 08 00000000:00000000 00:00000000 00000000     0        0 13 1 0 20 4 30 10 -1\n";
        assert_eq!(far_ends(table), BTreeMap::from([("12", "127.0.0.1:8080".to_owned())]));
        let six = "header\n 0: 00000000000000000000000001000000:D431 00000000000000000000000001000000:0050 01 0:0 0:0 0 0 0 14 1\n";
        assert_eq!(far_ends(six), BTreeMap::from([("14", "[::1]:80".to_owned())]));
    }

    /// A shell that waits for input stands for a thread that is stopped.
    #[test]
    fn a_process_is_seen_with_what_it_has_open() {
        use std::io::BufRead;
        use std::process::{Command, Stdio};
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().canonicalize().expect("a path").join(name).display().to_string();
        let mut shell = Command::new("sh")
            .args(["-c", "exec 5>written 6>gone 7<written 2>shown; rm gone; echo ready; read line"])
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        std::io::BufReader::new(shell.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let open = look(shell.id().cast_signed()).expect("seen");
        drop(shell.stdin.take());
        shell.wait().expect("its end");
        assert_eq!(open, Open { writable: BTreeSet::from([path("written")]), ..Open::default() });
    }
}
