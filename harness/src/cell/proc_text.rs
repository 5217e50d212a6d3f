//! Reads the text forms of /proc (proc(5)). Pure; the text is hostile: a
//! program chooses its own name and arguments.

use crate::model::SignalMasks;

/// The fields of `/proc/PID/stat` that a census keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) ticks: u64,
    pub(crate) start: u64,
    /// How many threads it has, the one that made it counted even if it has ended.
    pub(crate) threads: u64,
}

/// Reads a line of `/proc/PID/stat`. The name may hold spaces and parentheses:
/// it ends at the last closing one.
pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let pid = std::str::from_utf8(text.get(..open)?).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<i64>().ok());
    Some(Stat {
        pid,
        name,
        state: fields.first()?.chars().next()?,
        parent: i32::try_from(number(1)?).ok()?,
        group: i32::try_from(number(2)?).ok()?,
        session: i32::try_from(number(3)?).ok()?,
        ticks: u64::try_from(number(11)? + number(12)?).ok()?,
        start: fields.get(19)?.parse().ok()?,
        threads: u64::try_from(number(17)?).ok()?,
    })
}

/// The value of a line `Key:\tvalue` of `/proc/PID/status`.
fn status_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// The signal masks of `/proc/PID/status`.
pub(crate) fn parse_masks(text: &str) -> SignalMasks {
    let mask = |key: &str| status_value(text, key).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    SignalMasks {
        pending: mask("SigPnd") | mask("ShdPnd"),
        blocked: mask("SigBlk"),
        ignored: mask("SigIgn"),
        caught: mask("SigCgt"),
    }
}

/// How often a thread was switched out, of its own will and not.
pub(crate) fn parse_switches(text: &str) -> u64 {
    let count = |key: &str| status_value(text, key).and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0);
    count("voluntary_ctxt_switches") + count("nonvoluntary_ctxt_switches")
}

/// The arguments of `/proc/PID/cmdline`, each ended by NUL.
pub(crate) fn parse_arguments(bytes: &[u8]) -> Vec<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// A socket of `/proc/PID/net/{tcp,tcp6,udp,udp6}`: its port and inode, if it
/// listens (TCP) or is bound without a peer (UDP).
pub(crate) fn parse_listeners(text: &str, datagrams: bool) -> Vec<(u16, u64)> {
    let wanted = if datagrams { "07" } else { "0A" };
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            (fields.get(3) == Some(&wanted)).then_some(())?;
            let port = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
            Some((port, fields.get(9)?.parse().ok()?))
        })
        .filter(|(port, _)| *port != 0)
        .collect()
}

/// A socket of `/proc/PID/net/unix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnixSocket {
    pub(crate) inode: u64,
    pub(crate) listens: bool,
    /// Its path; an abstract name starts with `@`; empty without a name.
    pub(crate) path: String,
}

/// The sockets of `/proc/PID/net/unix`.
pub(crate) fn parse_unix_sockets(text: &str) -> Vec<UnixSocket> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
            Some(UnixSocket {
                inode: fields.get(6)?.parse().ok()?,
                listens: flags & 0x1_0000 != 0,
                path: fields.get(7).copied().unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// The inode of a descriptor's link text such as `socket:[1234]`.
pub(crate) fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The system call of `/proc/PID/task/TID/syscall` by number; `None` when the thread runs.
pub(crate) fn parse_syscall(text: &str) -> Option<u32> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_name_does_not_move_the_fields() {
        let line = b"42 (a) R 1 1 (x) S 7 42 42 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 9876 1 2";
        let stat = parse_stat(line).expect("reads");
        assert_eq!(
            (stat.pid, stat.name.as_str(), stat.state, stat.parent, stat.group, stat.session),
            (42, "a) R 1 1 (x", 'S', 7, 42, 42)
        );
        assert_eq!((stat.ticks, stat.start), (7, 9876));
    }

    #[test]
    fn masks_and_switches_come_from_status() {
        let text = "Name:\tSigIgn: 1\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000004000\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001000\nSigCgt:\t0000000180000002\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t2\n";
        let masks = parse_masks(text);
        assert_eq!((masks.pending, masks.blocked, masks.ignored, masks.caught), (0x4000, 2, 0x1000, 0x1_8000_0002));
        assert_eq!(parse_switches(text), 7);
    }

    #[test]
    fn listeners_are_told_from_connections() {
        let text = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 1000 0 777 1\n   1: 0100007F:1F91 0100007F:0050 01 0:0 0:0 0 1000 0 778 1\n";
        assert_eq!(parse_listeners(text, false), [(8080, 777)]);
        let unix = "Num RefCount Protocol Flags Type St Inode Path\n0: 00000002 00000000 00010000 0001 01 31 /run/a.sock\n0: 00000003 00000000 00000000 0001 03 32\n";
        let read: Vec<_> = parse_unix_sockets(unix).into_iter().map(|s| (s.inode, s.listens, s.path)).collect();
        assert_eq!(read, [(31, true, "/run/a.sock".to_owned()), (32, false, String::new())]);
    }

    proptest! {
        #[test]
        fn nonsense_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let text = String::from_utf8_lossy(&bytes);
            let _ = (parse_stat(&bytes), parse_masks(&text), parse_arguments(&bytes), parse_listeners(&text, true), parse_unix_sockets(&text), parse_syscall(&text));
        }
    }
}
