//! Notes what an undisturbed agent does.

use super::status;
use super::subject::{self, subjects};
use super::table::{self, Extent};
use crate::cell::ScreenScanner;
use crate::driver::stacks::{Stacks, Taken};
use crate::model::{Call, Deed, Disposition, Ended, Known, LockType, Recording, Seen};
use crate::sys::{Stopped, Syscall, give_back_memory};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// At most so much is kept of one run.
const MOST: usize = 200_000;

/// So many stacks are taken of one run: those of its first calls that make something.
const MOST_STACKS: usize = 500;

/// No more of one write to a terminal is looked at.
const MOST_DRAWN: usize = 64 * 1024;

fn is_terminal(path: &str) -> bool {
    path.starts_with("/dev/pts/") || path == "/dev/tty"
}

/// A call that has been entered.
#[derive(Debug)]
pub(super) struct Begun {
    role: String,
    thread: u32,
    began: Instant,
    call: Call,
    /// Of a call that makes something.
    stack: Option<Taken>,
}

impl Begun {
    /// What has to be looked up once the call was made.
    pub(super) fn after(&self, stopped: &Stopped) -> Option<Known> {
        let argument = |index: usize| self.call.arguments.get(index).copied().unwrap_or(0);
        match self.call.name.as_str() {
            "rt_sigprocmask" => status::mask(stopped.tid(), "SigBlk:").map(Known::Blocked),
            "ioctl" if argument(1) == libc::TCGETS => modes(stopped, argument(2)),
            _ => None,
        }
    }
}

/// Everything seen so far.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    seen: Vec<(Begun, Option<Instant>, Option<Ended>)>,
    screen: ScreenScanner,
    omitted: u64,
    stacks: Stacks,
    /// How many stacks were taken.
    taken: usize,
    /// Programs that did not gain the rights that their files give.
    without_rights: BTreeSet<String>,
    /// Where in memory processes have mapped files.
    mapped: BTreeSet<u64>,
    /// Whether what is sent to others is recorded.
    messages: bool,
    /// Where the agent is started.
    directory: String,
}

impl Recorder {
    /// A recorder of this, of an agent that is started there.
    pub(super) fn of(extent: Extent, directory: String) -> Self {
        Self { messages: extent == Extent::CallsAndMessages, directory, ..Self::default() }
    }

    /// A call is about to be made by a process and one of its threads.
    pub(super) fn enters(&mut self, stopped: &Stopped, who: (&str, u32), call: &Syscall) -> Option<Begun> {
        let name = table::name(call.number)?;
        if name == "munmap" && !call.arguments.first().is_some_and(|address| self.mapped.contains(address)) {
            return None;
        }
        let subjects = subjects(stopped, name, call);
        let addresses = matches!(name, "bind" | "connect");
        let number = call.arguments.first().copied().filter(|_| addresses);
        let socket = number.and_then(|number| subject::descriptor(stopped.tid(), number as u32));
        let to_terminal = name == "write" && subjects.iter().any(|subject| is_terminal(subject));
        let known = if to_terminal { self.draws(stopped, call) } else { before(stopped, name, call, &subjects) };
        let call = Call {
            name: name.to_owned(),
            arguments: call.arguments,
            subjects,
            socket,
            result: None,
            known,
            line: None,
        };
        let began = Instant::now();
        let wanted = call.makes() && self.taken < MOST_STACKS && !makes_a_thread(stopped, &call);
        let stack = wanted.then(|| self.stacks.take(stopped));
        self.taken += usize::from(wanted);
        Some(Begun { role: who.0.to_owned(), thread: who.1, began, call, stack })
    }

    /// Something is about to be written to a terminal.
    fn draws(&mut self, stopped: &Stopped, call: &Syscall) -> Known {
        let [_, address, length, ..] = call.arguments;
        let mut bytes = vec![0u8; usize::try_from(length).unwrap_or(usize::MAX).min(MOST_DRAWN)];
        let count = stopped.read_memory(address, &mut bytes);
        self.screen.feed(bytes.get(..count).unwrap_or_default());
        Known::Screen(!self.screen.left_on().is_empty())
    }

    /// A program has been executed by a process.
    pub(super) fn executed(&mut self, tid: i32) {
        self.without_rights.extend(status::is_without_rights(tid));
    }

    /// It has returned.
    pub(super) fn leaves(&mut self, mut begun: Begun, result: i64, known: Option<Known>) {
        begun.call.result = Some(result);
        if begun.call.name == "mmap" && begun.call.succeeded() {
            self.mapped.insert(result.cast_unsigned());
        }
        if let Some(known) = known {
            begun.call.known = known;
        }
        self.keep(begun, Some(Instant::now()), None);
    }

    /// Its thread has ended in it.
    pub(super) fn never_left(&mut self, begun: Begun) {
        self.keep(begun, None, None);
    }

    /// A process has ended.
    pub(super) fn ended(&mut self, role: &str, status: i32) {
        let Some(ended) = Ended::from_wait_status(status) else { return };
        let now = Instant::now();
        let begun = Begun { role: role.to_owned(), thread: 0, began: now, call: Call::default(), stack: None };
        self.keep(begun, Some(now), Some(ended));
    }

    fn keep(&mut self, begun: Begun, until: Option<Instant>, ended: Option<Ended>) {
        if self.seen.len() < MOST {
            self.seen.push((begun, until, ended));
        } else {
            self.omitted += 1;
        }
    }

    /// All of it, in the time of a run that started then and took so long. Who was
    /// ended after that was ended with the run.
    pub(super) fn finish(mut self, started: Instant, end: Duration) -> Recording {
        for (begun, ..) in &mut self.seen {
            begun.call.line = begun.stack.take().and_then(|stack| self.stacks.own_line(&stack));
        }
        drop(self.stacks);
        give_back_memory();
        let since = |at: Instant| at.checked_duration_since(started).unwrap_or(Duration::ZERO);
        let seen = self.seen.into_iter().map(|(begun, until, ended)| Seen {
            role: begun.role,
            thread: begun.thread,
            began: since(begun.began),
            ended: until.map(since),
            what: ended.map_or(Deed::Call(begun.call), Deed::Ended),
        });
        let seen = seen.filter(|seen| seen.began < end).collect();
        Recording {
            seen,
            omitted: self.omitted,
            without_rights: self.without_rights,
            messages: self.messages,
            directory: self.directory,
            end,
        }
    }
}

/// The flags of clone3(2) stand in memory.
fn makes_a_thread(stopped: &Stopped, call: &Call) -> bool {
    let mut flags = [0u8; 8];
    let [address, ..] = call.arguments;
    call.name == "clone3"
        && stopped.read_memory(address, &mut flags) == flags.len()
        && u64::from_ne_bytes(flags) & libc::CLONE_THREAD as u64 != 0
}

/// The modes of a terminal, as the kernel's `struct termios` has them.
fn modes(stopped: &Stopped, address: u64) -> Option<Known> {
    let mut bytes = [0u8; 36];
    (stopped.read_memory(address, &mut bytes) == bytes.len()).then(|| Known::Modes(bytes.to_vec()))
}

/// What has to be looked up before the call is made.
fn before(stopped: &Stopped, name: &str, call: &Syscall, subjects: &[String]) -> Known {
    let argument = |index: usize| call.arguments.get(index).copied().unwrap_or(0);
    let existed = |path: Option<&String>| match path {
        Some(path) if path.starts_with('/') => {
            let seen_by_it = format!("/proc/{}/root{path}", stopped.tid());
            Known::Existed(std::fs::symlink_metadata(seen_by_it).is_ok())
        }
        _ => Known::Nothing,
    };
    match name {
        "open" | "openat" | "openat2" | "creat" => existed(subjects.first()),
        "rename" | "renameat" | "renameat2" => existed(subjects.get(1)),
        "rt_sigaction" => {
            let mut handler = [0u8; 8];
            if argument(1) == 0 || stopped.read_memory(argument(1), &mut handler) != handler.len() {
                return Known::Nothing;
            }
            let does = match usize::from_ne_bytes(handler) {
                libc::SIG_DFL => Disposition::Default,
                libc::SIG_IGN => Disposition::Ignored,
                _ => Disposition::Handled,
            };
            Known::Disposition(does, u64::from_ne_bytes(handler))
        }
        "ioctl" if [libc::TCSETS, libc::TCSETSW, libc::TCSETSF].contains(&argument(1)) => {
            modes(stopped, argument(2)).unwrap_or_default()
        }
        "flock" => {
            let operation = argument(1) as i32;
            match operation & !libc::LOCK_NB {
                libc::LOCK_SH => Known::Lock(LockType::Shared),
                libc::LOCK_EX => Known::Lock(LockType::Exclusive),
                libc::LOCK_UN => Known::Lock(LockType::None),
                _ => Known::Nothing,
            }
        }
        "fcntl"
            if matches!(
                argument(1) as i32,
                libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW
            ) =>
        {
            let mut kind = [0u8; 2];
            if stopped.read_memory(argument(2), &mut kind) != kind.len() {
                return Known::Nothing;
            }
            match i32::from(i16::from_ne_bytes(kind)) {
                libc::F_RDLCK => Known::Lock(LockType::Shared),
                libc::F_WRLCK => Known::Lock(LockType::Exclusive),
                libc::F_UNLCK => Known::Lock(LockType::None),
                _ => Known::Nothing,
            }
        }
        _ => Known::Nothing,
    }
}
