//! The stacks of a process that nobody traces: it is stopped for a moment, thread by
//! thread, and goes on as if nothing had been.

use super::{MOST_PLACES, MOST_THREADS, Stacks};
use crate::sys;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

/// The stacks of threads by their ids, or why one cannot be read.
pub(in crate::driver) type Told = BTreeMap<i32, Result<Vec<String>, String>>;

/// A thread stops as soon as it leaves the kernel, or is woken there. One that waits
/// for a disk does neither.
const PATIENCE: Duration = Duration::from_millis(200);

/// A process of a cell, as this machine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::driver) struct Placed {
    pid: i32,
    /// How many namespaces its pids here have before those of its cell.
    above: usize,
}

/// The pids of a thread, from the outermost namespace that can be seen to its own.
fn pids(status: &str) -> Vec<i32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.into_iter().flat_map(str::split_ascii_whitespace).filter_map(|pid| pid.parse().ok()).collect()
}

/// A pid namespace, by its file.
fn namespace(process: impl AsFd) -> Option<(u64, u64)> {
    let about = statat(process, "ns/pid", AtFlags::empty()).ok()?;
    Some((about.st_dev, about.st_ino))
}

fn open(path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

impl Placed {
    /// Where this machine has the process behind an open `/proc/PID` directory of a cell.
    pub(in crate::driver) fn find(directory: impl AsFd) -> Option<Self> {
        let status = openat(&directory, "status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(status).read_to_string(&mut text).ok()?;
        let (inside, wanted) = (pids(&text), namespace(&directory)?);
        let here = |pid: &i32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let all = pids(&status);
            let above = all.len().checked_sub(inside.len())?;
            let same = all.ends_with(&inside) && namespace(open(&format!("/proc/{pid}")).ok()?)? == wanted;
            (same && !inside.is_empty()).then_some(Self { pid: *pid, above })
        };
        let entries = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
        let mut numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        numbers.find_map(|pid| here(&pid))
    }

    /// Its threads by their ids here, with those that its cell knows.
    pub(in crate::driver) fn threads(&self) -> BTreeMap<i32, i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
        let tids = tasks.into_iter().flatten().filter_map(|task| task.ok()?.file_name().to_str()?.parse::<i32>().ok());
        let known = tids.filter_map(|tid| {
            let status = std::fs::read_to_string(format!("/proc/{}/task/{tid}/status", self.pid)).ok()?;
            Some((tid, *pids(&status).get(self.above)?))
        });
        known.collect()
    }
}

/// The stacks of a process by its cell's thread ids. Whoever is stopped for that goes on
/// before this returns: at the latest when the thread that stopped it ends.
pub(in crate::driver) fn of_process(placed: &Placed) -> Told {
    let threads = placed.threads();
    let read = move || -> Told {
        let mut stacks = Stacks::default();
        let first = threads.into_iter().take(MOST_THREADS);
        first.map(|(tid, inside)| (inside, of_thread(&mut stacks, tid))).collect()
    };
    let thread = std::thread::Builder::new().name("quietus-stacks".to_owned()).spawn(read);
    thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
}

fn of_thread(stacks: &mut Stacks, tid: i32) -> Result<Vec<String>, String> {
    let said = |what: &'static str| move |errno: Errno| format!("{what}: {errno}");
    sys::seize_alone(tid).map_err(said("it may not be stopped"))?;
    sys::interrupt(tid).map_err(said("it could not be stopped"))?;
    let (stopped, _) = sys::await_stop(tid, PATIENCE).ok_or("it did not stop")?;
    let taken = stacks.take(&stopped);
    stopped.detach();
    Ok(stacks.lines(&taken, MOST_PLACES))
}
