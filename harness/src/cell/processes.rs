//! A census of processes through an open /proc directory: the cell's, or the host's.

use super::proc_text::{
    parse_arguments, parse_listeners, parse_masks, parse_stat, parse_switches, parse_syscall, parse_unix_sockets,
    socket_inode,
};
use crate::model::{Listener, ProcessId, ProcessRecord, ThreadRecord};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, RawDir};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::mem::MaybeUninit;

/// How much of a file of /proc is read: a hostile command line can be megabytes.
const MOST: u64 = 64 * 1024;

/// How deep the census looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Who is there.
    Processes,
    /// And what they hold open.
    Descriptors,
    /// And what every thread is doing.
    Threads,
}

/// Opens `/proc/PID`, which stands for that process even after its pid is used again.
pub(crate) fn open_process(proc: impl AsFd, pid: i32) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(proc, pid.to_string(), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens `/proc/PID` of this very process: `None` when its pid is another's by now.
pub(crate) fn open_known(proc: impl AsFd, id: ProcessId) -> Option<OwnedFd> {
    let directory = open_process(proc, id.pid).ok()?;
    (parse_stat(&read(&directory, "stat")?)?.start == id.start).then_some(directory)
}

pub(crate) fn read(directory: impl AsFd, name: &str) -> Option<Vec<u8>> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn read_text(directory: impl AsFd, name: &str) -> Option<String> {
    read(directory, name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads a whole file, such as a socket table, which has no bound of its own.
fn read_table(directory: impl AsFd, name: &str) -> Option<String> {
    let file = rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(64 * MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The names in a directory that are numbers: pids, thread ids, descriptors.
pub(super) fn numbers(directory: impl AsFd, name: &str) -> Vec<i32> {
    let Ok(directory) =
        rustix::fs::openat(directory, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    else {
        return Vec::new();
    };
    let mut space = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(&directory, &mut space);
    let mut found = Vec::new();
    while let Some(entry) = entries.next() {
        let Ok(entry) = entry else { break };
        if let Some(number) = entry.file_name().to_str().ok().and_then(|text| text.parse().ok()) {
            found.push(number);
        }
    }
    found.sort_unstable();
    found
}

/// Those whose parent is this process, as they stand in /proc.
#[cfg(feature = "test")]
pub(crate) fn children_of(proc: impl AsFd + Copy, parent: i32) -> Vec<i32> {
    let is_child = |pid: &i32| {
        let stat = open_process(proc, *pid).ok().and_then(|directory| parse_stat(&read(&directory, "stat")?));
        stat.is_some_and(|stat| stat.parent == parent)
    };
    numbers(proc, ".").into_iter().filter(is_child).collect()
}

/// The process at a pid now, or `None` if it is gone.
pub(crate) fn look_at(proc: impl AsFd, pid: i32, depth: Depth) -> Option<ProcessRecord> {
    let directory = open_process(proc, pid).ok()?;
    let stat = parse_stat(&read(&directory, "stat")?)?;
    // A first thread that has ended shows a zombie without files, however many others run on.
    let other = if stat.state == 'Z' && stat.threads > 1 { living_thread(&directory) } else { None };
    let (shown, state) = other.as_ref().map_or((&directory, stat.state), |(thread, state)| (thread, *state));
    let status = read_text(shown, "status").unwrap_or_default();
    let mut record = ProcessRecord {
        id: ProcessId { pid, start: stat.start },
        parent: stat.parent,
        group: stat.group,
        session: stat.session,
        state,
        name: stat.name,
        argv: parse_arguments(&read(shown, "cmdline").unwrap_or_default()),
        role: None,
        masks: parse_masks(&status),
        ticks: stat.ticks,
        descriptors: BTreeMap::new(),
        threads: Vec::new(),
        helper: false,
    };
    if depth != Depth::Processes && !record.is_zombie() {
        record.descriptors = descriptors(shown);
    }
    if depth == Depth::Threads {
        record.threads = threads(&directory);
    }
    Some(record)
}

/// A thread of this process that has not ended, and its state.
fn living_thread(process: &OwnedFd) -> Option<(OwnedFd, char)> {
    numbers(process, "task").into_iter().find_map(|tid| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let thread = rustix::fs::openat(process, format!("task/{tid}"), flags, Mode::empty()).ok()?;
        let state = parse_stat(&read(&thread, "stat")?)?.state;
        (!matches!(state, 'Z' | 'X')).then_some((thread, state))
    })
}

fn descriptors(process: impl AsFd + Copy) -> BTreeMap<i32, String> {
    let Ok(directory) =
        rustix::fs::openat(process, "fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    else {
        return BTreeMap::new();
    };
    numbers(process, "fd")
        .into_iter()
        .take(4096)
        .filter_map(|fd| {
            let link = rustix::fs::readlinkat(&directory, fd.to_string(), Vec::new()).ok()?;
            Some((fd, crate::model::path_text(link.to_bytes())))
        })
        .collect()
}

/// At most so many files of a process are asked about.
const MOST_LOCKED: usize = 64;

/// The files that one of these processes holds a kernel lock on.
pub(crate) fn locked_files(proc: impl AsFd + Copy, processes: &[ProcessRecord]) -> BTreeSet<String> {
    files_with_a_lock(proc, processes, |_| true)
}

/// The same of locks that nobody else can have at the same time: those for writing.
pub(crate) fn exclusively_locked_files(proc: impl AsFd + Copy, processes: &[ProcessRecord]) -> BTreeSet<String> {
    files_with_a_lock(proc, processes, |lock| lock.split_whitespace().any(|word| word == "WRITE"))
}

fn files_with_a_lock(
    proc: impl AsFd + Copy,
    processes: &[ProcessRecord],
    counts: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let mut locked = BTreeSet::new();
    for process in processes.iter().filter(|process| !process.is_zombie()) {
        let files = |link: &str| link.starts_with('/') && !link.starts_with("/dev/");
        let mut held = process.descriptors.iter().filter(|(_, link)| files(link)).take(MOST_LOCKED).peekable();
        let directory = if held.peek().is_some() { open_process(proc, process.id.pid).ok() } else { None };
        let Some(directory) = directory else { continue };
        for (fd, link) in held {
            let text = read_text(&directory, &format!("fdinfo/{fd}")).unwrap_or_default();
            if text.lines().any(|line| line.starts_with("lock:") && counts(line)) {
                locked.insert(link.clone());
            }
        }
    }
    locked
}

fn threads(process: impl AsFd + Copy) -> Vec<ThreadRecord> {
    numbers(process, "task")
        .into_iter()
        .take(256)
        .filter_map(|tid| {
            let base = format!("task/{tid}");
            let stat = parse_stat(&read(process, &format!("{base}/stat"))?)?;
            let wchan = read_text(process, &format!("{base}/wchan")).filter(|text| !text.is_empty() && text != "0");
            let number = read_text(process, &format!("{base}/syscall")).as_deref().and_then(parse_syscall);
            let syscall = number.map(super::syscall_name);
            Some(ThreadRecord { tid, name: stat.name, state: stat.state, wchan, syscall, stack: None })
        })
        .collect()
}

/// Whether every thread of these processes is blocked, and a sum that changes
/// whenever one of them ran in between. One that is stopped by a tracer is blocked,
/// unless that tracer is ours (`traced`): then it goes on in a moment. One that has
/// ended is not blocked: whoever saw it alive has to look again.
pub(crate) fn activity(proc: impl AsFd + Copy, pids: &[i32], traced: bool) -> (bool, u64) {
    let (mut blocked, mut sum) = (true, pids.len() as u64);
    for pid in pids {
        let mut alive = false;
        let Ok(directory) = open_process(proc, *pid) else {
            blocked = false;
            continue;
        };
        for tid in numbers(&directory, "task") {
            let Some(stat) = read(&directory, &format!("task/{tid}/stat")).as_deref().and_then(parse_stat) else {
                continue;
            };
            let switches = read_text(&directory, &format!("task/{tid}/status")).as_deref().map_or(0, parse_switches);
            alive |= !matches!(stat.state, 'Z' | 'X');
            blocked &= matches!(stat.state, 'S' | 'T' | 'Z' | 'X' | 'I') || (stat.state == 't' && !traced);
            sum = sum.wrapping_mul(1_000_003).wrapping_add(stat.ticks).wrapping_add(switches).wrapping_add(tid as u64);
        }
        blocked &= alive;
    }
    (blocked, sum)
}

/// What these processes listen on. Their socket tables are those of their
/// network namespace, so a socket counts only where one of them holds it.
pub(crate) fn listeners(proc: impl AsFd + Copy, processes: &[ProcessRecord]) -> Vec<Listener> {
    let mut holders: BTreeMap<u64, Vec<ProcessId>> = BTreeMap::new();
    for process in processes {
        for inode in process.descriptors.values().filter_map(|link| socket_inode(link)) {
            let held = holders.entry(inode).or_default();
            if !held.contains(&process.id) {
                held.push(process.id);
            }
        }
    }
    let mut found: Vec<Listener> = Vec::new();
    if holders.is_empty() {
        return found;
    }
    let Some(table) = processes.iter().filter(|p| !p.is_zombie()).find_map(|p| open_process(proc, p.id.pid).ok())
    else {
        return found;
    };
    for (protocol, datagrams) in [("tcp", false), ("tcp6", false), ("udp", true), ("udp6", true)] {
        let text = read_table(&table, &format!("net/{protocol}")).unwrap_or_default();
        for (port, inode) in parse_listeners(&text, datagrams) {
            if let Some(holders) = holders.get(&inode) {
                found.push(Listener { protocol: protocol.to_owned(), port, holders: holders.clone() });
            }
        }
    }
    found.sort();
    found
}

/// The Unix sockets that these processes have bound or listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct UnixSockets {
    /// One of them listens.
    pub(crate) listening: bool,
    /// One of them has an abstract name, which belongs to the network namespace.
    pub(crate) abstract_name: bool,
}

/// Looks for Unix sockets of these processes.
pub(crate) fn unix_sockets(proc: impl AsFd + Copy, processes: &[ProcessRecord]) -> UnixSockets {
    let held: Vec<u64> = processes
        .iter()
        .flat_map(|process| process.descriptors.values())
        .filter_map(|link| socket_inode(link))
        .collect();
    if held.is_empty() {
        return UnixSockets::default();
    }
    let Some(table) = processes.iter().filter(|p| !p.is_zombie()).find_map(|p| open_process(proc, p.id.pid).ok())
    else {
        return UnixSockets::default();
    };
    let known = parse_unix_sockets(&read_table(&table, "net/unix").unwrap_or_default());
    let own = || known.iter().filter(|socket| held.contains(&socket.inode));
    UnixSockets {
        listening: own().any(|socket| socket.listens),
        abstract_name: own().any(|socket| socket.path.starts_with('@')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_has_ended_is_not_blocked() {
        let proc = std::fs::File::open("/proc").unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pids = [i32::try_from(child.id()).unwrap()];
        while !activity(&proc, &pids, true).0 {
            std::thread::yield_now();
        }
        drop(child.stdin.take());
        let ended = rustix::process::Pid::from_child(&child);
        let unreaped = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(ended), unreaped).unwrap();
        assert!(!activity(&proc, &pids, true).0, "a zombie");
        child.wait().unwrap();
        assert!(!activity(&proc, &pids, true).0, "nothing");
    }
}
