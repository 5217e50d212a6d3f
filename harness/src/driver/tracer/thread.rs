//! The thread that traces: one loop over the stops of everybody in the tree.

use super::ends::{End, look};
use super::recorder::{Begun, Recorder};
use super::status::{command_line, ends, has, inner_pid, mask, parent_of, process_of};
use super::subject::subjects;
use super::table::{name_of, number};
use super::tree::Tree;
use super::{Aim, News, Release, Shared, Wanted};
use crate::driver::stacks::{MOST_PLACES, MOST_THREADS, Stacks};
use crate::model::{FailedCall, Fits, Known, Side, succeeded};
use crate::sys::{self, AUDIT_ARCH, Birth, FOREIGN, Gate, Stop, Stopped, Syscall, Until, Waited};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// An aim, ready to be compared with calls.
struct Sight {
    aim: Aim,
    number: Option<u32>,
    fits: Fits,
    /// How many calls have counted.
    seen: u32,
}

/// What a thread is in the middle of.
enum Doing {
    /// A call that counts for these aims if it succeeds, and is recorded.
    Watched(Syscall, Vec<usize>, Option<Box<Begun>>),
    /// A call that was skipped, to be made again once the thread is let go; and
    /// the operation whose point it is.
    Skipped(Syscall, usize),
    /// A call that was skipped and fails with this error, which is recorded.
    Failing(i32, Option<Box<Begun>>),
}

/// Somebody is held until the agent has got a signal.
struct Kept {
    held: Stopped,
    signal: i32,
    /// Whether it has got it, and ends by it.
    ends: bool,
}

struct Tracing<'a> {
    shared: &'a Shared,
    orders: &'a Receiver<Release>,
    tree: Tree,
    sights: Vec<Sight>,
    doing: BTreeMap<i32, Doing>,
    /// The call that a thread was held before, and will make again.
    again: BTreeMap<i32, Syscall>,
    /// Tasks that stopped before their parent told of them.
    early: BTreeMap<i32, Stopped>,
    known: BTreeSet<i32>,
    executed: bool,
    /// Notes what is done, where that is wanted.
    recorder: Option<Recorder>,
    /// What processes had open at their ends.
    ends: Vec<End>,
    /// Those who go on once the agent has got a signal: while one waits for that,
    /// another thread may come to the next point.
    kept: Vec<Kept>,
    /// Those who go on later, and when.
    delayed: Vec<(Stopped, Instant)>,
    /// Whose next call fails, and with which error.
    failing: BTreeMap<i32, i32>,
    /// Whether the agent is let go of once it has started.
    untraced: bool,
    /// The threads whose stacks are still to be taken.
    unread: BTreeSet<i32>,
    stacks: Stacks,
}

/// What a tracer has seen once nobody is left.
#[derive(Debug, Default)]
pub(super) struct Traced {
    pub(super) recorder: Option<Recorder>,
    pub(super) ends: Vec<End>,
}

/// Waits at the gate, then traces until nobody is left. Hands over what it has seen.
pub(super) fn run(
    gate: &Gate,
    aims: Vec<Aim>,
    recorder: Option<Recorder>,
    untraced: bool,
    shared: &Shared,
    orders: &Receiver<Release>,
) -> Option<Traced> {
    // Nobody comes when the program cannot be started; that is told elsewhere.
    let tid = gate.await_held()?;
    if let Err(errno) = sys::seize(tid) {
        shared.say(News::Lost(format!("the agent cannot be traced: {errno}")));
        gate.open();
        return None;
    }
    gate.open();
    let sights = aims.into_iter().map(|aim| {
        let (number, fits) = (number(&aim.point.name), aim.point.fits());
        Sight { aim, number, fits, seen: 0 }
    });
    let mut tracing = Tracing {
        shared,
        orders,
        tree: Tree::default(),
        sights: sights.collect(),
        doing: BTreeMap::new(),
        again: BTreeMap::new(),
        early: BTreeMap::new(),
        known: BTreeSet::from([tid]),
        executed: false,
        recorder,
        ends: Vec::new(),
        kept: Vec::new(),
        delayed: Vec::new(),
        failing: BTreeMap::new(),
        untraced,
        unread: BTreeSet::new(),
        stacks: Stacks::default(),
    };
    tracing.tree.root(tid);
    loop {
        match tracing.wait() {
            Waited::Nobody => return Some(Traced { recorder: tracing.recorder, ends: tracing.ends }),
            Waited::Ended { tid, status } => tracing.ended(tid, status),
            Waited::Stopped(stopped, stop) => tracing.stopped(stopped, stop),
        }
    }
}

/// At most the ends of so many processes are kept.
const MOST_ENDS: usize = 10_000;

/// How often it is looked whether a signal still waits to be taken.
const LOOK_EVERY: Duration = Duration::from_micros(100);

impl Tracing<'_> {
    /// Waits for the next thing to happen. A signal that is taken in silence is no event.
    fn wait(&mut self) -> Waited {
        loop {
            if self.kept.iter().all(|kept| kept.ends) && self.delayed.is_empty() {
                return sys::wait();
            }
            if let Some(happened) = sys::look() {
                return happened;
            }
            let waits = |kept: &Kept| kept.ends || self.another_will_get(kept.held.tid(), kept.signal);
            let in_vain: Vec<i32> = self.kept.iter().filter(|kept| !waits(kept)).map(|kept| kept.held.tid()).collect();
            self.release_kept(|kept| in_vain.contains(&kept.held.tid()));
            let now = Instant::now();
            let due = self.delayed.extract_if(.., |(_, until)| *until <= now);
            let untraced = self.untraced;
            due.for_each(|(stopped, _)| if untraced { stopped.detach() } else { stopped.resume(Until::NextStop, 0) });
            if !self.kept.is_empty() || !self.delayed.is_empty() {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    fn ended(&mut self, tid: i32, status: i32) {
        // A process is gone with the thread that gave it its id, which ends last.
        self.kept.retain(|kept| kept.held.tid() != tid);
        if self.tree.agent() == Some(tid) {
            self.release_kept(|_| true);
        }
        self.delayed.retain(|(stopped, _)| stopped.tid() != tid);
        let doing = self.doing.remove(&tid);
        if let Some(recorder) = &mut self.recorder {
            if let Some(Doing::Watched(_, _, Some(begun)) | Doing::Failing(_, Some(begun))) = doing {
                recorder.never_left(*begun);
            }
            if self.tree.is_process(tid) {
                recorder.ended(self.tree.role(tid), status);
            }
        }
        self.again.remove(&tid);
        self.failing.remove(&tid);
        self.early.remove(&tid);
        self.known.remove(&tid);
        if self.unread.remove(&tid) && self.unread.is_empty() {
            self.shared.stacks.over();
        }
        self.tree.ended(tid);
        self.adopt();
    }

    /// A parent that is killed while it makes a process tells of it no more: who has
    /// stopped before its parent told of it, and has lost that parent, goes on.
    fn adopt(&mut self) {
        let lost = |tid: &i32| parent_of(*tid).is_none_or(|parent| !self.tree.has(parent));
        let orphans: Vec<i32> = self.early.keys().copied().filter(lost).collect();
        for tid in orphans {
            self.known.insert(tid);
            self.tree.adopted(tid);
            if let Some(stopped) = self.early.remove(&tid) {
                stopped.resume(Until::NextStop, 0);
            }
        }
    }

    /// What is asked by a signal that does nothing else: the stacks of the agent's
    /// threads. Each is taken at the thread's next stop, whatever that is.
    fn is_asked(&mut self, tid: i32, stop: Stop) -> bool {
        let asked = stop == Stop::Signal(libc::SIGSTOP)
            && self.tree.is_agent(tid)
            && self.shared.stacks.asked.swap(false, Ordering::SeqCst);
        if asked {
            let others = self.tree.agent_threads().filter(|other| *other != tid).take(MOST_THREADS - 1);
            self.unread = others.filter(|other| sys::interrupt(*other).is_ok()).chain([tid]).collect();
        }
        asked
    }

    fn read_stack(&mut self, stopped: &Stopped) {
        if self.unread.remove(&stopped.tid()) {
            let taken = self.stacks.take(stopped);
            let lines = self.stacks.lines(&taken, MOST_PLACES);
            self.shared.stacks.tell(stopped.tid(), lines, self.unread.is_empty());
        }
    }

    fn stopped(&mut self, stopped: Stopped, stop: Stop) {
        let tid = stopped.tid();
        // One who was to go on later and stops again was killed.
        self.delayed.retain(|(delayed, _)| delayed.tid() != tid);
        self.kept.retain(|kept| kept.held.tid() != tid);
        let asked = self.is_asked(tid, stop);
        self.read_stack(&stopped);
        match stop {
            Stop::Signal(_) if asked => stopped.resume(Until::NextStop, 0),
            Stop::Attached if !self.known.contains(&tid) => {
                self.early.insert(tid, stopped);
                self.adopt();
            }
            Stop::Attached => stopped.resume(Until::NextStop, 0),
            Stop::Exiting { status } => {
                self.exiting(tid, status);
                stopped.resume(Until::NextStop, 0);
            }
            Stop::Born { tid: child, birth } => {
                self.born(tid, child, birth);
                // It is still in its call; the end of that may be waited for.
                let until = if self.doing.contains_key(&tid) { Until::SyscallExit } else { Until::NextStop };
                stopped.resume(until, 0);
            }
            Stop::Executed { former } => {
                self.tree.executed(tid, former);
                let watched = self.doing.remove(&former).or_else(|| self.doing.remove(&tid));
                self.again.remove(&tid);
                if let Some(recorder) = &mut self.recorder {
                    recorder.executed(tid);
                }
                if !std::mem::replace(&mut self.executed, true) {
                    self.hold(stopped, News::Executed);
                } else if let Some(Doing::Watched(_, aims, begun)) = watched {
                    if let (Some(recorder), Some(begun)) = (&mut self.recorder, begun) {
                        recorder.leaves(*begun, 0, Some(Known::Program(command_line(tid))));
                    }
                    // An exec that succeeds never returns: this is its end.
                    self.succeeded(stopped, aims);
                } else {
                    stopped.resume(Until::NextStop, 0);
                }
            }
            Stop::Signal(signal) => {
                let agent = self.tree.is_agent(tid);
                // A signal that ends the agent has done so only once it has ended.
                let ending = ends(tid, signal);
                stopped.resume(Until::NextStop, signal);
                let got = |kept: &Kept| agent && kept.signal == signal;
                if ending {
                    self.kept.iter_mut().filter(|kept| got(kept)).for_each(|kept| kept.ends = true);
                } else {
                    self.release_kept(got);
                }
            }
            Stop::GroupStop => stopped.listen(),
            Stop::Entry { mark: FOREIGN } => {
                self.shared.say(News::Lost("a process makes system calls of another architecture".to_owned()));
                stopped.resume(Until::NextStop, 0);
            }
            Stop::Entry { .. } => self.entry(stopped),
            Stop::Exit => self.exit(stopped),
        }
    }

    /// A thread is about to end. With the last of a process its descriptors are closed.
    fn exiting(&mut self, tid: i32, status: i32) {
        if self.tree.ends_process(tid) && self.ends.len() < MOST_ENDS {
            let at = Instant::now();
            let (role, pid) = (self.tree.role(tid).to_owned(), inner_pid(self.tree.process(tid)));
            self.ends.extend(look(tid).map(|open| End { role, pid, status, at, open }));
        }
    }

    fn born(&mut self, parent: i32, child: i32, birth: Birth) {
        let process = if birth == Birth::Clone { process_of(child).unwrap_or(child) } else { child };
        self.tree.born(parent, child, process, birth == Birth::Vfork);
        if process == child
            && let Some(recorder) = &mut self.recorder
            && let Some(Doing::Watched(_, _, begun)) = self.doing.get_mut(&parent)
            && let Some(begun) = begun.take()
        {
            // Noted now, so that nothing the child does is noted before it.
            let (role, borrowed) = (self.tree.role(child).to_owned(), birth == Birth::Vfork);
            recorder.leaves(*begun, inner_pid(child).into(), Some(Known::Born { role, borrowed }));
        }
        if process == child {
            let role = self.tree.role(child).to_owned();
            self.shared.roles.lock().unwrap_or_else(PoisonError::into_inner).insert(inner_pid(child), role);
        }
        self.known.insert(child);
        if let Some(waiting) = self.early.remove(&child) {
            waiting.resume(Until::NextStop, 0);
        }
    }

    fn wanted(&self) -> Option<Wanted> {
        *self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The aims that a call fits and that count it now.
    fn counting(&self, stopped: &Stopped, call: &Syscall, wanted: Option<Wanted>) -> Vec<usize> {
        let role = self.tree.role(stopped.tid());
        let mut known: Option<Vec<String>> = None;
        let mut fits = |sight: &Sight| {
            let point = &sight.aim.point;
            sight.number.is_some_and(|number| u64::from(number) == call.number)
                && point.role.as_ref().is_none_or(|wanted| wanted == role)
                && (matches!(sight.fits, Fits::Anything)
                    || known
                        .get_or_insert_with(|| subjects(stopped, &point.name, call))
                        .iter()
                        .any(|subject| sight.fits.holds(Some(subject))))
        };
        let counts =
            |index: usize, sight: &Sight| !sight.aim.relative || wanted.is_some_and(|wanted| wanted.aim == index);
        (0..).zip(&self.sights).filter(|(index, sight)| counts(*index, sight) && fits(sight)).map(|(i, _)| i).collect()
    }

    /// Counts a call for an aim: the operation that it was waited for, if this is it.
    fn count(&mut self, index: usize, wanted: Option<Wanted>) -> Option<usize> {
        let sight = self.sights.get_mut(index)?;
        sight.seen = sight.seen.saturating_add(1);
        let reached = sight.seen == sight.aim.point.nth;
        wanted.filter(|wanted| reached && wanted.aim == index).map(|wanted| wanted.op)
    }

    fn entry(&mut self, stopped: Stopped) {
        let tid = stopped.tid();
        let Some(call) = stopped.syscall().filter(|call| call.arch == AUDIT_ARCH) else {
            return stopped.resume(Until::NextStop, 0);
        };
        // A handler may have come in between, with calls of its own.
        let again = self.again.get(&tid) == Some(&call);
        if again {
            self.again.remove(&tid);
        }
        let wanted = self.wanted();
        let (before, after): (Vec<usize>, Vec<usize>) = self
            .counting(&stopped, &call, wanted)
            .into_iter()
            .partition(|index| self.sights.get(*index).is_some_and(|sight| sight.aim.point.side == Side::Enter));
        let mut reached = None;
        for index in before.into_iter().filter(|_| !again) {
            reached = self.count(index, wanted).or(reached);
        }
        if let Some(op) = reached.filter(|_| stopped.skip().is_ok()) {
            self.doing.insert(tid, Doing::Skipped(call, op));
            return stopped.resume(Until::SyscallExit, 0);
        }
        let who = (self.tree.role(tid), self.tree.number(tid));
        let begun = self.recorder.as_mut().and_then(|recorder| recorder.enters(&stopped, who, &call));
        let fails = self.failing.remove(&tid).filter(|_| again).or_else(|| self.fault(call.number));
        if let Some(errno) = fails.filter(|_| stopped.skip().is_ok()) {
            self.note_failure(&stopped, &call);
            self.doing.insert(tid, Doing::Failing(errno, begun.map(Box::new)));
            return stopped.resume(Until::SyscallExit, 0);
        }
        if after.is_empty() && begun.is_none() {
            return stopped.resume(Until::NextStop, 0);
        }
        self.doing.insert(tid, Doing::Watched(call, after, begun.map(Box::new)));
        stopped.resume(Until::SyscallExit, 0);
    }

    fn exit(&mut self, stopped: Stopped) {
        let tid = stopped.tid();
        match self.doing.remove(&tid) {
            None => stopped.resume(Until::NextStop, 0),
            Some(Doing::Skipped(call, op)) => {
                // The thread has not moved: once it goes on it makes the call again.
                let _ = stopped.repeat(&call);
                self.again.insert(tid, call);
                self.hold(stopped, News::Held(op));
            }
            Some(Doing::Failing(errno, begun)) => {
                let result = -i64::from(errno);
                let _ = stopped.set_result(result);
                if let (Some(recorder), Some(begun)) = (&mut self.recorder, begun) {
                    recorder.leaves(*begun, result, None);
                }
                stopped.resume(Until::NextStop, 0);
            }
            Some(Doing::Watched(call, aims, begun)) => {
                let result = stopped.syscall().map(|made| outcome(&stopped, &call, made.result));
                if let (Some(recorder), Some(begun), Some(result)) = (&mut self.recorder, begun, result) {
                    let known = begun.after(&stopped);
                    recorder.leaves(*begun, result, known);
                }
                let made = |index: &usize| {
                    let name = self.sights.get(*index).map_or("", |sight| sight.aim.point.name.as_str());
                    result.is_some_and(|result| succeeded(name, result))
                };
                let aims: Vec<usize> = aims.into_iter().filter(made).collect();
                if !aims.is_empty() {
                    self.succeeded(stopped, aims);
                } else {
                    stopped.resume(Until::NextStop, 0);
                }
            }
        }
    }

    /// A watched call has succeeded.
    fn succeeded(&mut self, stopped: Stopped, aims: Vec<usize>) {
        let wanted = self.wanted();
        let mut reached = None;
        for index in aims {
            reached = self.count(index, wanted).or(reached);
        }
        match reached {
            Some(op) => self.hold(stopped, News::Held(op)),
            None => stopped.resume(Until::NextStop, 0),
        }
    }

    /// Keeps one stopped until the session has done what is to be done meanwhile.
    /// Nobody else is served then: the world waits.
    fn hold(&mut self, stopped: Stopped, news: News) {
        let first = self.tree.agent().filter(|first| *first == stopped.tid());
        self.shared.held.store(first.unwrap_or(0), Ordering::SeqCst);
        self.shared.say(news);
        match self.orders.recv() {
            // Were it let go at once, it would run on while another thread or process
            // is only about to get the signal.
            Ok(Release::OnceGot(signal)) if self.another_will_get(stopped.tid(), signal) => {
                self.kept.push(Kept { held: stopped, signal, ends: false });
            }
            Ok(Release::After(span)) => self.delayed.push((stopped, Instant::now() + span)),
            // It was held at its start alone: from here on nothing is to be seen.
            _ if self.untraced => stopped.detach(),
            _ => {
                self.fail_held(stopped.tid());
                stopped.resume(Until::NextStop, 0);
            }
        }
    }

    /// Who is held before a call that is to fail is the one whom it fails.
    fn fail_held(&mut self, tid: i32) {
        if let Some(call) = self.again.get(&tid)
            && let Some(errno) = self.fault(call.number)
        {
            self.failing.insert(tid, errno);
        }
    }

    fn note_failure(&self, stopped: &Stopped, call: &Syscall) {
        let name = name_of(call.number).unwrap_or_default();
        let role = self.tree.role(stopped.tid()).to_owned();
        let failed = FailedCall { role, name: name.to_owned(), subjects: subjects(stopped, name, call) };
        self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).push(failed);
    }

    /// The error that a call is to fail with, if it is; that is then done.
    fn fault(&self, number: u64) -> Option<i32> {
        let mut faults = self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name_of(number)?;
        let place = faults.iter().position(|fault| fault.system_calls().contains(&name))?;
        Some(faults.remove(place).errno())
    }

    fn release_kept(&mut self, which: impl Fn(&Kept) -> bool) {
        let released = self.kept.extract_if(.., |kept| which(kept));
        released.for_each(|kept| kept.held.resume(Until::NextStop, 0));
    }

    /// Whether another thread of the agent will get the signal that was sent to it, and
    /// has not got it yet. In sigtimedwait(2), where the signal counts as unblocked, a
    /// thread takes it without being stopped for it: then it waits for nobody any more.
    fn another_will_get(&self, held: i32, signal: i32) -> bool {
        // The parent of such a process takes no signal before it goes on.
        if self.tree.is_borrowed(held) {
            return false;
        }
        let unblocks = |tid: &i32| mask(*tid, "SigBlk:").is_some_and(|mask| !has(mask, signal));
        let pending = |tid: i32| mask(tid, "ShdPnd:").is_some_and(|pending| has(pending, signal));
        // Who is kept stopped gets nothing; were they to wait for each other, none would go on.
        let stopped = |tid: &i32| *tid == held || self.kept.iter().any(|kept| kept.held.tid() == *tid);
        let others: Vec<i32> = self.tree.agent_threads().filter(|tid| !stopped(tid)).collect();
        (others.iter().any(unblocks) && self.tree.agent().is_some_and(pending))
            || others.iter().any(|tid| sys::is_stopped_for(*tid, signal))
    }
}

/// The result of a call, as far as it tells whether there was one: waitid(2) returns 0,
/// too, when it was not to wait and nobody had ended. How often an agent asks in vain
/// differs from run to run.
fn outcome(stopped: &Stopped, call: &Syscall, result: i64) -> i64 {
    let [_, _, found, ..] = call.arguments;
    if result != 0 || found == 0 || name_of(call.number) != Some("waitid") {
        return result;
    }
    // The signal's number, which comes first, is 0 when nobody is told of.
    let mut signal = [0u8; 4];
    let read = stopped.read_memory(found, &mut signal);
    if read == signal.len() && signal == [0; 4] { -i64::from(libc::EAGAIN) } else { result }
}
