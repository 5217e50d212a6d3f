//! Traces an agent from its first instruction on and holds it at a system call.
//!
//! ptrace(2) binds tracees to one thread, so each trial has a thread of its own
//! for that. The session tells it what to wait for, hears over a descriptor that
//! it holds somebody, does what is to be done there, and lets it go.

mod asked;
mod ends;
mod letterbox;
mod recorder;
mod status;
mod subject;
mod table;
mod thread;
mod tree;

use crate::driver::DriverError;
use crate::model::{AtExit, FailedCall, Fault, Recording, SyscallPoint};
use crate::sys::{Filter, Gate, Program, signal_tracee};
use asked::Asked;
use letterbox::Letterbox;
use recorder::Recorder;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
pub(super) use table::Extent;
use thread::Traced;

/// What a tracer has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// The agent's program is executed and held before its first instruction.
    Executed,
    /// Somebody is held at the point of this operation.
    Held(usize),
    /// Tracing is lost, and why.
    Lost(String),
}

/// A point at which somebody may be held.
#[derive(Debug, Clone)]
pub(super) struct Aim {
    pub(super) point: SyscallPoint,
    /// Whether only calls count that are made once it is waited for.
    pub(super) relative: bool,
}

/// Which aim is waited for, and for which operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    op: usize,
    aim: usize,
}

/// When the one who is held goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Release {
    /// At once.
    AtOnce,
    /// Once the agent has got this signal.
    OnceGot(i32),
    /// So much later; whoever else comes by goes on meanwhile.
    After(Duration),
}

/// What the session and the thread share.
#[derive(Debug)]
struct Shared {
    news: Letterbox<News>,
    wanted: Mutex<Option<Wanted>>,
    /// Calls that are to fail, in their order.
    faults: Mutex<Vec<Fault>>,
    /// Calls that did.
    failed: Mutex<Vec<FailedCall>>,
    /// The places in the tree of the processes, by their pids in the cell.
    roles: Mutex<BTreeMap<i32, String>>,
    stacks: Asked,
    /// The first thread of the agent, while it is the one that is held; otherwise 0.
    held: AtomicI32,
}

impl Shared {
    fn say(&self, news: News) {
        self.news.put(news);
    }
}

/// A tracer at work. Dropping it lets everybody go.
#[derive(Debug)]
pub(super) struct Tracer {
    shared: Arc<Shared>,
    orders: Option<Sender<Release>>,
    thread: Option<JoinHandle<Option<Traced>>>,
    /// Whether somebody is held.
    holding: bool,
    /// Whether the agent's program was executed.
    executed: bool,
    /// Whether points depend on it.
    needed: bool,
}

/// The far side of a tracer's gate; to be dropped once the program is launched.
#[derive(Debug)]
pub(super) struct FarSide(#[expect(dead_code, reason = "held open until then")] OwnedFd);

impl Tracer {
    /// A tracer for this program, which must not run yet, and is started in this directory.
    pub(super) fn of(
        program: &mut Program,
        directory: &str,
        aims: Vec<Aim>,
        faults: &[Fault],
        extent: Extent,
    ) -> Result<(Self, FarSide), DriverError> {
        let (gate, far) = Gate::new().map_err(DriverError::system("make the gate of a tracer"))?;
        // Above the standard streams, which the program gets first.
        let far = rustix::io::fcntl_dupfd_cloexec(&far, 3).map_err(DriverError::system("duplicate a descriptor"))?;
        let record = extent != Extent::Nothing;
        let needed = record || !aims.is_empty() || !faults.is_empty();
        let failing = faults.iter().flat_map(|fault| fault.system_calls()).copied();
        let wanted = aims.iter().map(|aim| aim.point.name.as_str()).chain(failing);
        let marked = table::marked(wanted, table::recorded(extent));
        // Without a filter the agent keeps its right to gain privileges by exec.
        program.trace_by(far.as_raw_fd(), (!marked.is_empty()).then(|| Filter::new(&marked)));
        let news = Letterbox::new().map_err(DriverError::system("make an event"))?;
        let shared = Arc::new(Shared {
            news,
            wanted: Mutex::default(),
            faults: Mutex::default(),
            failed: Mutex::default(),
            roles: Mutex::default(),
            stacks: Asked::default(),
            held: AtomicI32::new(0),
        });
        let (orders, obeyed) = channel();
        let recorder = record.then(|| Recorder::of(extent, directory.to_owned()));
        let (theirs, untraced) = (Arc::clone(&shared), !needed);
        let thread = std::thread::Builder::new()
            .name("quietus-tracer".to_owned())
            .spawn(move || thread::run(&gate, aims, recorder, untraced, &theirs, &obeyed))
            .map_err(|error| DriverError::System { what: "start a tracer", why: error.to_string() })?;
        Ok((
            Self { shared, orders: Some(orders), thread: Some(thread), holding: false, executed: false, needed },
            FarSide(far),
        ))
    }

    /// Readable when there is news.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.shared.news.events()
    }

    /// What it has to say.
    pub(super) fn news(&mut self) -> Vec<News> {
        let news = self.shared.news.take();
        for one in &news {
            match one {
                News::Executed => (self.holding, self.executed) = (true, true),
                News::Held(_) => self.holding = true,
                News::Lost(_) => {}
            }
        }
        news
    }

    /// The place in the tree of a process, by its pid in the cell. Who looks at the
    /// processes only now and then misses some; a tracer has seen each be born.
    pub(super) fn role(&self, pid: i32) -> Option<String> {
        self.shared.roles.lock().unwrap_or_else(PoisonError::into_inner).get(&pid).cloned()
    }

    /// The stacks of the agent's threads, by their ids on this machine, as far as they
    /// could be had by then. `ask` sends the agent SIGSTOP, which its tracer takes for
    /// the question. `None` when nobody is traced any more.
    pub(super) fn stacks(&self, ask: impl FnOnce(), patience: Duration) -> Option<BTreeMap<i32, Vec<String>>> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return None;
        }
        Some(self.shared.stacks.ask(ask, patience))
    }

    /// Whether a point cannot be reached without it.
    pub(super) fn is_needed(&self) -> bool {
        self.needed
    }

    /// Whether the agent's program is known to be executed.
    pub(super) fn has_executed(&self) -> bool {
        self.executed
    }

    /// Holds whoever comes to this aim, and says so with this operation.
    pub(super) fn want(&self, op: usize, aim: usize) {
        *self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Wanted { op, aim });
    }

    /// Lets the next call of a kind fail: that of the one who is held, if it is before
    /// such a call.
    pub(super) fn fail(&self, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// The calls that were made to fail.
    pub(super) fn failed(&self) -> Vec<FailedCall> {
        self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the agent a signal by its first thread, if that is held and takes it: who is
    /// stopped by a tracer is passed over by the kernel, which gives the signal to another
    /// thread, though it would have given it to this one (signal(7)).
    pub(super) fn signal(&self, signal: i32) -> bool {
        let held = self.shared.held.load(Ordering::SeqCst);
        let takes = || status::mask(held, "SigBlk:").is_some_and(|mask| !status::has(mask, signal));
        self.holding && held > 0 && takes() && signal_tracee(held, held, signal).is_ok()
    }

    /// Lets the one who is held go on.
    pub(super) fn release(&mut self, how: Release) {
        if std::mem::replace(&mut self.holding, false)
            && let Some(orders) = &self.orders
        {
            let _ = orders.send(how);
        }
    }

    /// Lets everybody go and holds nobody any more.
    pub(super) fn let_go(&mut self) {
        *self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.holding = false;
        self.orders = None;
    }
}

impl Tracer {
    /// Waits until everybody has ended, once their cell is gone. Hands over what was
    /// recorded, and what each process had open at its end, in the time of a run that
    /// started then and took so long.
    pub(super) fn join(mut self, started: Option<Instant>, end: Duration) -> (Option<Recording>, Vec<AtExit>) {
        self.let_go();
        let traced = self.thread.take().and_then(|thread| thread.join().ok()?).unwrap_or_default();
        let Some(started) = started else { return (None, Vec::new()) };
        let ends = traced.ends.into_iter().filter_map(|one| one.finish(started, end)).collect();
        (traced.recorder.map(|recorder| recorder.finish(started, end)), ends)
    }
}

impl Drop for Tracer {
    /// Without waiting: the thread ends when the last tracee has, which may need
    /// the cell to be gone first.
    fn drop(&mut self) {
        self.let_go();
    }
}
