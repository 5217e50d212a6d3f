//! Follows what is live through a run.

use super::facts::{Facts, is_kept, unmapped, written};
use super::names::Names;
use super::thing::Thing;
use crate::model::{Call, Deed, Disposition, Known, LockType, Seen, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Signals that terminate agents: what they do decides what a termination does.
pub(super) const TERMINATING: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// What is live, kept up to date with what is seen.
#[derive(Debug, Clone)]
pub(super) struct Lives<'a> {
    facts: &'a Facts<'a>,
    pub(super) names: &'a Names,
    /// What is live now.
    pub(super) live: BTreeSet<Thing>,
    /// The signals that the first thread of each process blocks, a bit each.
    blocked: BTreeMap<String, u64>,
    /// The handlers that a signal of a process had, in their order.
    handlers: BTreeMap<(String, i32), Vec<u64>>,
    /// How the terminal worked before the agent changed that.
    terminal: Option<Vec<u8>>,
    /// The things that a descriptor or an address of a process stands for.
    pub(super) held: BTreeMap<(String, String), Thing>,
    /// How many messages each peer was sent.
    pub(super) sent: BTreeMap<String, usize>,
    /// Processes by the id that their parent knows.
    children: BTreeMap<(String, i64), String>,
    ended: BTreeSet<String>,
    /// The names of the paths that the agent has made: patterns, numbered where
    /// several of one pattern are there at once.
    made: BTreeMap<String, String>,
}

/// The name of a mapping at this address.
fn mapping(address: Option<i64>) -> String {
    format!("mapping {}", address.unwrap_or_default())
}

/// Whether an open empties a file that is there. openat2(2), whose flags stand in
/// memory, is not asked.
fn empties(call: &Call) -> bool {
    let index = match call.name.as_str() {
        "creat" => return true,
        "open" => 1,
        "openat" => 2,
        _ => return false,
    };
    call.arguments.get(index).is_some_and(|flags| *flags as i32 & libc::O_TRUNC != 0)
}

impl<'a> Lives<'a> {
    /// Before anything was done.
    pub(super) fn of(facts: &'a Facts<'a>) -> Self {
        Self {
            facts,
            names: facts.names,
            live: BTreeSet::new(),
            blocked: BTreeMap::new(),
            handlers: BTreeMap::new(),
            terminal: None,
            held: BTreeMap::new(),
            sent: BTreeMap::new(),
            children: BTreeMap::new(),
            ended: BTreeSet::new(),
            made: BTreeMap::new(),
        }
    }

    /// The signals that the agent's own process blocks now, a bit each.
    pub(super) fn blocked(&self) -> u64 {
        self.blocked.get("0").copied().unwrap_or(0)
    }

    /// Whether a process of the tree, the agent's own excepted, is there.
    pub(super) fn has(&self, role: &str) -> bool {
        self.live.iter().any(|thing| matches!(thing, Thing::Process { role: known, .. } if known == role))
    }

    /// Takes in what is seen next, at this place of the recording.
    pub(super) fn see(&mut self, index: usize, seen: &Seen) {
        match &seen.what {
            Deed::Ended(_) => {
                let held: Vec<(String, String)> = self.held_by(&seen.role);
                held.iter().for_each(|key| self.is_written(index, key));
                self.end_process(&seen.role);
            }
            Deed::Call(call) if call.succeeded() => {
                // A process that borrows its parent's memory shows itself by its first call.
                if seen.role != "0" && !self.has(&seen.role) && !self.ended.contains(&seen.role) {
                    self.appears(&seen.role);
                }
                self.files(index, &seen.role, call);
                self.processes(index, seen, call);
                self.sockets(&seen.role, call);
                if self.facts.messages {
                    self.messages(call);
                }
                self.objects(call);
                self.terminal(call);
            }
            // The kernel goes on with it, while the agent does something else.
            Deed::Call(call) if call.is_connecting() => self.sockets(&seen.role, call),
            Deed::Call(_) => {}
        }
    }

    /// A process is there, and runs what its parent runs.
    fn appears(&mut self, role: &str) {
        let parent = role.rsplit_once('.').map_or("0", |(parent, _)| parent);
        let inherited: Vec<Thing> = self.live.iter().filter_map(|thing| inherited(thing, parent, role)).collect();
        self.live.extend(inherited);
        if let Some(blocked) = self.blocked.get(parent).copied() {
            self.blocked.insert(role.to_owned(), blocked);
        }
        self.live.insert(Thing::Process { role: role.to_owned(), command: "a copy of its parent".to_owned() });
    }

    /// A process has ended.
    pub(super) fn end_process(&mut self, role: &str) {
        self.ended.insert(role.to_owned());
        let below = format!("{role}.");
        // Who has no parent any more is waited for by the init.
        self.live.retain(|thing| {
            thing.owner() != Some(role) && !matches!(thing, Thing::Ended { role: child } if child.starts_with(&below))
        });
        let parent = role.rsplit_once('.').map(|(parent, _)| parent);
        if parent.is_some_and(|parent| !self.ended.contains(parent)) {
            self.live.insert(Thing::Ended { role: role.to_owned() });
        }
        for key in self.held_by(role) {
            self.let_go(&key);
        }
    }

    fn held_by(&self, role: &str) -> Vec<(String, String)> {
        self.held.keys().filter(|(owner, _)| owner == role).cloned().collect()
    }

    /// A mapping is given up: if that is the last write to its file, all is in it.
    fn is_written(&mut self, index: usize, key: &(String, String)) {
        if let Some(Thing::Mapped(name)) = self.held.get(key)
            && self.facts.last_writes.contains(&index)
        {
            self.live.remove(&Thing::Empty(name.clone()));
            self.live.remove(&Thing::Partial(name.clone()));
        }
    }

    /// A descriptor is closed: its thing ends if nobody else has it.
    fn let_go(&mut self, key: &(String, String)) {
        if let Some(thing) = self.held.remove(key)
            && !self.held.values().any(|other| *other == thing)
        {
            self.live.remove(&thing);
        }
    }

    /// What a path is called here.
    fn name(&self, path: &str) -> String {
        self.made.get(path).cloned().unwrap_or_else(|| self.names.pattern(path))
    }

    pub(super) fn make(&mut self, path: &str, thing: impl FnOnce(String) -> Thing) {
        if !is_kept(path) {
            return;
        }
        if !self.made.contains_key(path) {
            let pattern = self.names.pattern(path);
            let free = |name: &String| !self.made.values().any(|other| other == name);
            let name = (1..).map(|number| numbered(&pattern, number)).find(free).unwrap_or(pattern);
            self.made.insert(path.to_owned(), name);
        }
        self.live.insert(thing(self.name(path)));
    }

    /// A path is gone.
    fn unmake(&mut self, path: &str) {
        if !is_kept(path) {
            return;
        }
        let name = self.name(path);
        self.live.retain(|thing| {
            thing.path() != Some(name.as_str())
                || matches!(thing, Thing::Lock { .. } | Thing::Changed(_) | Thing::Mapped(_))
        });
        if self.made.remove(path).is_none() {
            self.live.insert(Thing::Changed(name));
        }
    }

    fn files(&mut self, index: usize, role: &str, call: &Call) {
        let (first, second) = (call.subjects.first().map(String::as_str), call.subjects.get(1).map(String::as_str));
        match (call.name.as_str(), first) {
            (_, Some(path)) if call.is_open() => {
                // What was not there and can be opened was made.
                if call.known == Known::Existed(false) {
                    self.make(path, Thing::File);
                    if self.facts.filled.contains(&index) && is_kept(path) {
                        self.live.insert(Thing::Empty(self.name(path)));
                    }
                } else if empties(call) && is_kept(path) {
                    self.change(path);
                    if self.facts.filled.contains(&index) {
                        self.live.insert(Thing::Empty(self.name(path)));
                    }
                }
            }
            ("truncate" | "ftruncate", Some(path)) if call.arguments.get(1) == Some(&0) && is_kept(path) => {
                self.change(path);
                self.live.remove(&Thing::Partial(self.name(path)));
                if self.facts.filled.contains(&index) {
                    self.live.insert(Thing::Empty(self.name(path)));
                }
            }
            ("mkdir" | "mkdirat", Some(path)) => self.make(path, Thing::Directory),
            ("mknod" | "mknodat", Some(path)) => {
                let mode = call.arguments.get(if call.name == "mknod" { 1 } else { 2 }).map_or(0, |mode| *mode as u32);
                let fifo = mode & libc::S_IFMT == libc::S_IFIFO;
                self.make(path, if fifo { Thing::Fifo } else { Thing::File });
            }
            ("symlink" | "symlinkat", Some(path)) => self.make(path, Thing::File),
            ("link" | "linkat", _) => {
                if let Some(path) = second {
                    self.make(path, Thing::File);
                }
            }
            ("unlink" | "unlinkat" | "rmdir", Some(path)) => {
                // What is written to it from now on nobody finds.
                let mapped = Thing::Mapped(self.name(path));
                self.held.retain(|_, thing| *thing != mapped);
                self.live.remove(&mapped);
                self.unmake(path);
            }
            ("rename" | "renameat" | "renameat2", Some(from)) => {
                if let Some(to) = second {
                    self.rename(from, to, call.known == Known::Existed(true));
                }
            }
            ("mmap", Some(path)) if is_kept(path) => {
                let thing = Thing::Mapped(self.name(path));
                self.live.insert(thing.clone());
                self.held.insert((role.to_owned(), mapping(call.result)), thing);
            }
            ("munmap", _) => {
                let key = (role.to_owned(), mapping(unmapped(call)));
                self.is_written(index, &key);
                self.let_go(&key);
            }
            ("flock" | "fcntl", Some(path)) => {
                let lock = Thing::Lock { role: role.to_owned(), path: self.name(path) };
                let key = (role.to_owned(), path.to_owned());
                match call.known {
                    Known::Lock(LockType::None) => self.let_go(&key),
                    Known::Lock(_) => {
                        self.live.insert(lock.clone());
                        self.held.insert(key, lock);
                    }
                    _ => {}
                }
            }
            ("close", Some(what)) => {
                self.let_go(&(role.to_owned(), what.to_owned()));
            }
            _ => {}
        }
        if let Some(path) = written(call) {
            if !self.made.contains_key(path) {
                self.change(path);
            }
            self.live.remove(&Thing::Empty(self.name(path)));
            let partial = Thing::Partial(self.name(path));
            if self.facts.last_writes.contains(&index) {
                self.live.remove(&partial);
            } else {
                self.live.insert(partial);
            }
        }
    }

    fn change(&mut self, path: &str) {
        if !self.made.contains_key(path) {
            self.live.insert(Thing::Changed(self.names.pattern(path)));
        }
    }

    fn rename(&mut self, from: &str, to: &str, replaces: bool) {
        if !is_kept(from) || !is_kept(to) {
            return;
        }
        let before = self.name(from);
        self.moves(from, to, replaces);
        let (before, after) = (Thing::Mapped(before), Thing::Mapped(self.name(to)));
        self.held.values_mut().filter(|thing| **thing == before).for_each(|thing| *thing = after.clone());
        if self.live.remove(&before) {
            self.live.insert(after);
        }
    }

    fn moves(&mut self, from: &str, to: &str, replaces: bool) {
        let below = format!("{from}/");
        let moved: Vec<String> =
            self.made.keys().filter(|path| *path == from || path.starts_with(&below)).cloned().collect();
        if moved.is_empty() {
            self.live.insert(Thing::Changed(self.names.pattern(from)));
        }
        // What was made becomes what it is made for; the kind of each stays.
        let kinds: Vec<(String, Vec<Thing>)> = moved
            .iter()
            .map(|path| {
                let pattern = self.name(path);
                let stays = |thing: &Thing| matches!(thing, Thing::Changed(_) | Thing::Mapped(_));
                let at = |thing: &&Thing| thing.path() == Some(&pattern) && !stays(thing);
                (path.clone(), self.live.iter().filter(at).cloned().collect())
            })
            .collect();
        for path in &moved {
            self.unmake(path);
        }
        if replaces && !self.made.contains_key(to) {
            self.live.insert(Thing::Changed(self.names.pattern(to)));
            return;
        }
        for (path, things) in kinds {
            let new = format!("{to}{}", path.get(from.len()..).unwrap_or_default());
            for thing in things {
                match thing {
                    Thing::Directory(_) => self.make(&new, Thing::Directory),
                    Thing::Fifo(_) => self.make(&new, Thing::Fifo),
                    Thing::Socket(_) => self.make(&new, Thing::Socket),
                    Thing::Empty(_) => drop(self.live.insert(Thing::Empty(self.name(&new)))),
                    Thing::Partial(_) => drop(self.live.insert(Thing::Partial(self.name(&new)))),
                    _ => self.make(&new, Thing::File),
                }
            }
        }
        if moved.is_empty() {
            self.make(to, Thing::File);
        }
    }

    fn processes(&mut self, index: usize, seen: &Seen, call: &Call) {
        let role = &seen.role;
        match (call.name.as_str(), &call.known) {
            ("fork" | "vfork" | "clone" | "clone3", Known::Born { role: child, borrowed }) => {
                if let Some(pid) = call.result {
                    self.children.insert((role.clone(), pid), child.clone());
                }
                if !*borrowed && !self.has(child) && !self.ended.contains(child) {
                    self.appears(child);
                }
            }
            ("execve" | "execveat", Known::Program(words)) => {
                let command = self.names.command(words);
                self.live.retain(|thing| match thing {
                    Thing::Process { role: other, .. } => other != role,
                    Thing::Signal { role: other, does: Disposition::Handled, .. } => other != role,
                    _ => true,
                });
                self.live.insert(Thing::Process { role: role.clone(), command });
            }
            ("wait4", _) => {
                if let Some(child) = call.result.and_then(|pid| self.children.remove(&(role.clone(), pid))) {
                    self.live.remove(&Thing::Ended { role: child });
                }
            }
            // Whom it was for stands in memory: all who had ended by then.
            ("waitid", _) if call.arguments[3] as i32 & libc::WNOWAIT == 0 => {
                let below = format!("{role}.");
                self.live.retain(|thing| {
                    !matches!(thing, Thing::Ended { role: child }
                        if child.strip_prefix(&below).is_some_and(|rest| !rest.contains('.')))
                });
            }
            ("setsid" | "setpgid", _) => {
                self.live.insert(Thing::Apart { role: role.clone() });
            }
            ("rt_sigaction", Known::Disposition(does, handler)) => {
                let number = call.arguments.first().map_or(0, |number| *number as i32);
                if TERMINATING.iter().any(|signal| signal.number() == number) {
                    self.live.retain(|thing| {
                        !matches!(thing, Thing::Signal { role: other, number: n, .. } if other == role && *n == number)
                    });
                    if *does != Disposition::Default {
                        let version = self.version(role, number, *does, *handler);
                        self.live.insert(Thing::Signal { role: role.clone(), number, does: *does, version });
                    }
                }
            }
            ("rt_sigprocmask", Known::Blocked(mask)) if seen.thread == 0 => {
                self.blocked.insert(role.clone(), *mask);
                self.live.retain(|thing| !matches!(thing, Thing::Blocked { role: other, .. } if other == role));
                if self.facts.lasting.contains(&index) {
                    let blocked = TERMINATING.iter().map(|signal| signal.number());
                    let blocked = blocked.filter(|number| mask >> (number - 1) & 1 == 1);
                    self.live.extend(blocked.map(|number| Thing::Blocked { role: role.clone(), number }));
                }
            }
            _ => {}
        }
    }

    /// Which of the handlers that a signal had this is.
    fn version(&mut self, role: &str, number: i32, does: Disposition, handler: u64) -> usize {
        if does != Disposition::Handled {
            return 0;
        }
        let known = self.handlers.entry((role.to_owned(), number)).or_default();
        known.iter().position(|other| *other == handler).unwrap_or_else(|| {
            known.push(handler);
            known.len() - 1
        })
    }

    fn terminal(&mut self, call: &Call) {
        match call.known {
            Known::Screen(true) => drop(self.live.insert(Thing::Screen)),
            Known::Screen(false) => drop(self.live.remove(&Thing::Screen)),
            _ => {}
        }
        let (Known::Modes(modes), "ioctl") = (&call.known, call.name.as_str()) else { return };
        let sets = call.arguments.get(1) != Some(&libc::TCGETS);
        match &self.terminal {
            None if !sets => self.terminal = Some(modes.clone()),
            Some(before) if sets && before == modes => drop(self.live.remove(&Thing::Terminal)),
            _ if sets => drop(self.live.insert(Thing::Terminal)),
            _ => {}
        }
    }

    fn objects(&mut self, call: &Call) {
        let argument = |index: usize| call.arguments.get(index).copied().unwrap_or(0) as i32;
        let what = |kind: &str, id: i64| Thing::Ipc(format!("{kind} {id}"));
        let kind = match call.name.get(..3) {
            Some("shm") => "shared memory",
            Some("sem") => "semaphores",
            _ => "message queue",
        };
        match call.name.as_str() {
            "shmget" | "semget" | "msgget" => {
                let flags = argument(if call.name == "msgget" { 1 } else { 2 });
                if flags & libc::IPC_CREAT != 0 || argument(0) == libc::IPC_PRIVATE {
                    self.live.extend(call.result.map(|id| what(kind, id)));
                }
            }
            "shmctl" | "semctl" | "msgctl" => {
                let command = argument(if call.name == "semctl" { 2 } else { 1 });
                // Since Linux 5.1 with no flag for the version of the interface; older ones set it.
                if command & 0xff == libc::IPC_RMID {
                    self.live.remove(&what(kind, argument(0).into()));
                }
            }
            "mq_open" if argument(1) & libc::O_CREAT != 0 => {
                self.live.extend(call.subjects.first().map(|name| Thing::Ipc(format!("message queue /{name}"))));
            }
            "mq_unlink" => {
                if let Some(name) = call.subjects.first() {
                    self.live.remove(&Thing::Ipc(format!("message queue /{name}")));
                }
            }
            _ => {}
        }
    }
}

/// The name of the nth of those that a pattern stands for.
fn numbered(pattern: &str, number: usize) -> String {
    if number == 1 { pattern.to_owned() } else { format!("{pattern} ({number})") }
}

/// What a new process has of its parent's signal set-up.
fn inherited(thing: &Thing, parent: &str, child: &str) -> Option<Thing> {
    match thing {
        Thing::Signal { role, number, does, version } if role == parent => {
            Some(Thing::Signal { role: child.to_owned(), number: *number, does: *does, version: *version })
        }
        _ => None,
    }
}
