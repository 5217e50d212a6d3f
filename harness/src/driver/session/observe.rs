//! Takes censuses, and looks for what the kernel has no event for.

use super::live::TrialSession;
use super::place::Place;
use crate::cell::{Depth, activity, locked_files, unix_sockets};
use crate::driver::{Event, Look, Occasion, Session as _};
use crate::model::{Census, Ended, Listener, Point, PointSpec, ProcessId, ProcessRecord};
use crate::sys::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long all threads must have been blocked, with nothing having run in between.
const IDLE_FOR: Duration = Duration::from_millis(60);

/// Marks what helpers have started, also later: a server forks for each client. Orphans of the
/// agent are children of the init, which is none of them.
fn mark_descendants(records: &mut [ProcessRecord]) {
    let mut known: BTreeSet<i32> = records.iter().filter(|record| record.helper).map(|record| record.id.pid).collect();
    let mut before = 0;
    while before < known.len() {
        before = known.len();
        for record in records.iter_mut().filter(|record| !record.helper && known.contains(&record.parent)) {
            record.helper = true;
        }
        known.extend(records.iter().filter(|record| record.helper).map(|record| record.id.pid));
    }
}

/// What earlier looks have shown.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// Activity at the last look, and since when it is the same.
    still: Option<(u64, Instant)>,
    /// Processes of the wanted name seen so far.
    seen: BTreeSet<ProcessId>,
    /// Threads that were in the wanted call at the last look, and whether each counted.
    waiting: BTreeMap<(ProcessId, i32), bool>,
    /// How many have counted.
    waits: u32,
    /// Whether the first look was made; a relative point counts from there.
    looked: bool,
    /// Whether the predicate has exited with 0.
    pub(super) holds: bool,
}

impl<P: Place> TrialSession<P> {
    /// Every process of the cell that is not ours; helpers are marked.
    pub(super) fn agent_processes(&self, depth: Depth) -> Vec<ProcessRecord> {
        self.without_ours(self.cell.processes(depth))
    }

    fn without_ours(&self, mut records: Vec<ProcessRecord>) -> Vec<ProcessRecord> {
        for record in &mut records {
            record.helper = self.helpers.contains(&record.id);
        }
        mark_descendants(&mut records);
        let host = self.host.as_ref().map(|host| host.pid);
        records.retain(|record| Some(record.id.pid) != host && Some(record.id.pid) != self.predicate_pid);
        records
    }

    /// Gives every process its place in the tree.
    fn assign_roles(&mut self, processes: &mut [ProcessRecord]) {
        self.roles.assign(processes);
        let Some(tracer) = &self.tracer else { return };
        for process in processes {
            process.role = tracer.role(process.id.pid).or(process.role.take());
        }
    }

    pub(super) fn census(&mut self, occasion: Occasion) {
        let depth = match occasion {
            Occasion::GraceEnd | Occasion::Settled | Occasion::Lingered => Depth::Threads,
            Occasion::Idle | Occasion::Injection => Depth::Descriptors,
        };
        let mut processes = self.without_ours(self.cell.census(depth));
        let nobody = !processes.iter().any(|process| !process.helper && !process.is_zombie());
        if nobody && matches!(occasion, Occasion::Settled | Occasion::Lingered) && self.stop_what_is_elusive() {
            processes = self.without_ours(self.cell.census(depth));
            self.continue_all();
        }
        // Nobody is seen, and the init has not said that nobody is there: it has
        // still to report who has ended, or somebody is too quick to be seen.
        let unseen = nobody && self.is_not_known_to_be_empty();
        self.assign_roles(&mut processes);
        if occasion == Occasion::GraceEnd {
            self.add_stacks(&mut processes);
        }
        let listeners = self.cell.listeners(&processes);
        let shares_network = !listeners.is_empty() || unix_sockets(self.cell.proc(), &processes).abstract_name;
        let agents: Vec<&ProcessRecord> =
            processes.iter().filter(|process| !process.helper && !process.is_zombie()).collect();
        let pids: Vec<i32> = agents.iter().map(|process| process.id.pid).collect();
        let mut rests = false;
        if matches!(occasion, Occasion::Idle | Occasion::Settled) {
            // At rest it was looked at for longer: who is stopped there stays so.
            let traced = self.tracer.is_some() && occasion == Occasion::Settled;
            let halted =
                traced && agents.iter().any(|process| process.threads.iter().any(|thread| thread.state == 't'));
            let busy = halted || unseen || !activity(self.cell.proc(), &pids, traced).0;
            rests = !busy;
            // That a helper listens does not make the agent a server.
            let own: Vec<ProcessRecord> = processes.iter().filter(|process| !process.helper).cloned().collect();
            let holds = |listener: &Listener| own.iter().any(|process| listener.holders.contains(&process.id));
            let listens = listeners.iter().any(holds) || unix_sockets(self.cell.proc(), &own).listening;
            self.say(Event::Looked(Look { alive: pids.len().max(usize::from(unseen)), busy, listens }));
        }
        if matches!(occasion, Occasion::Idle | Occasion::Injection) {
            self.evidence.locked.extend(locked_files(self.cell.proc(), &processes));
        }
        let mut census = Census { at: self.now(), processes, listeners, shares_network };
        if occasion == Occasion::Idle
            && let Some(first) = self.evidence.censuses.get(&occasion)
        {
            // Later ones are timed by the first rest. What it is like at rest the last one
            // says: on a busy machine an agent that starts waits long enough for a disk.
            census.at = first.at;
            if !rests {
                return;
            }
        }
        self.evidence.censuses.insert(occasion, census);
    }

    /// Whether a polled point is reached.
    pub(super) fn look_for(&mut self, spec: &PointSpec, looking: &mut Looking) -> bool {
        match &spec.point {
            Point::Idle => self.is_idle(looking),
            Point::Port(port) => {
                let processes: Vec<ProcessRecord> =
                    self.agent_processes(Depth::Descriptors).into_iter().filter(|process| !process.helper).collect();
                self.cell.listeners(&processes).iter().any(|listener| listener.port == *port)
            }
            Point::Process { name, nth } => self.sees_process(name, *nth, spec.relative, looking),
            Point::Blocked { role, name, nth } => self.sees_wait(role.as_deref(), name, looking) >= *nth,
            Point::When(text) => {
                if looking.holds {
                    return true;
                }
                self.ask(text);
                false
            }
            _ => false,
        }
    }

    fn is_idle(&mut self, looking: &mut Looking) -> bool {
        let mut processes = self.agent_processes(Depth::Processes);
        self.assign_roles(&mut processes);
        let agents = processes.iter().filter(|process| !process.helper && !process.is_zombie());
        let pids: Vec<i32> = agents.map(|process| process.id.pid).collect();
        let (blocked, sum) = activity(self.cell.proc(), &pids, false);
        let now = Instant::now();
        if !blocked || pids.is_empty() {
            looking.still = None;
            return false;
        }
        match looking.still {
            Some((before, since)) if before == sum => now.duration_since(since) >= IDLE_FOR,
            _ => {
                looking.still = Some((sum, now));
                false
            }
        }
    }

    fn sees_process(&mut self, name: &str, nth: u32, relative: bool, looking: &mut Looking) -> bool {
        let mut processes = self.agent_processes(Depth::Processes);
        self.assign_roles(&mut processes);
        let named = |process: &&ProcessRecord| {
            let argument =
                process.argv.first().map(|word| word.rsplit('/').next().unwrap_or(word).trim_start_matches('-'));
            process.name == name || argument == Some(name)
        };
        let found: Vec<ProcessId> = processes
            .iter()
            .filter(|process| !process.helper && !process.is_zombie())
            .filter(named)
            .map(|process| process.id)
            .collect();
        if relative && !looking.looked {
            // What was there before does not count, so it must not be counted later.
            looking.still = Some((found.len() as u64, Instant::now()));
        }
        looking.looked = true;
        looking.seen.extend(found);
        let before = looking.still.filter(|_| relative).map_or(0, |(count, _)| count);
        looking.seen.len() as u64 >= u64::from(nth) + before
    }

    /// How often a thread was found waiting in a call: there at two looks in a row.
    fn sees_wait(&mut self, role: Option<&str>, name: &str, looking: &mut Looking) -> u32 {
        let mut processes = self.agent_processes(Depth::Threads);
        self.assign_roles(&mut processes);
        let fits = |process: &&ProcessRecord| {
            !process.helper && !process.is_zombie() && role.is_none_or(|role| process.role.as_deref() == Some(role))
        };
        let mut waiting = BTreeMap::new();
        for process in processes.iter().filter(fits) {
            let there = process.threads.iter().filter(|thread| thread.syscall.as_deref() == Some(name));
            for thread in there.filter(|thread| matches!(thread.state, 'S' | 'D')) {
                let key = (process.id, thread.tid);
                let counted = looking.waiting.get(&key).copied();
                if counted == Some(false) {
                    looking.waits += 1;
                }
                waiting.insert(key, counted.is_some());
            }
        }
        looking.waiting = waiting;
        looking.waits
    }

    /// Runs the predicate, unless it runs already.
    fn ask(&mut self, text: &str) {
        if self.predicate_pid.is_some() {
            return;
        }
        if let Some((_, program)) = self.predicates.iter().find(|(known, _)| known == text) {
            // Until its pid is known it must not be asked for twice.
            self.predicate_pid = Some(0);
            let _ = self.cell.send(Command::Run { program: *program });
        }
    }

    pub(super) fn predicate_ended(&mut self, ended: Ended) {
        if let Some(super::live::Armed { wait: super::live::Waiting::Looks(looking), .. }) = &mut self.armed {
            looking.holds = ended == Ended::Exited(0);
        }
    }
}
