//! Services that have stopped answering, until the agent has ended.

use super::live::TrialSession;
use super::place::Place;
use crate::cell::{Depth, open_known};
use crate::model::{ProcessId, ProcessRecord, Signal};
use crate::sys::send_signal;
use std::collections::BTreeSet;

/// How often it is looked whether all of them have stopped: one that waits for a disk may take
/// a while.
const LOOKS: u32 = 1000;

impl<P: Place> TrialSession<P> {
    /// Stops every process of a service, also those that it starts meanwhile. Nobody who goes
    /// on after that is answered.
    pub(super) fn stall(&mut self, service: &str) {
        for _ in 0..LOOKS {
            let of_service = self.of_service(service);
            let is_known = |process: &ProcessRecord| self.stalled.contains(&process.id);
            if of_service.iter().all(|process| is_known(process) && process.state == 'T') {
                break;
            }
            let new: Vec<ProcessId> =
                of_service.iter().filter(|process| !is_known(process)).map(|process| process.id).collect();
            self.signal_each(&new, Signal::STOP);
            self.stalled.extend(new);
        }
    }

    /// Lets them go on: what the agent has left on them is looked at, and may be put right by
    /// them.
    pub(super) fn end_stalls(&mut self) {
        let stalled = std::mem::take(&mut self.stalled);
        self.signal_each(&Vec::from_iter(stalled), Signal::CONT);
    }

    fn signal_each(&self, processes: &[ProcessId], signal: Signal) {
        for process in processes {
            // One that has ended meanwhile answers nobody.
            if let Some(directory) = open_known(self.cell.proc(), *process) {
                let _ = send_signal(&directory, signal.number());
            }
        }
    }

    /// The living processes of a service. Those of one that went into the background cannot be
    /// told from others that did: so they are all who belong to no service whose process is
    /// known.
    fn of_service(&self, service: &str) -> Vec<ProcessRecord> {
        let mut processes = self.agent_processes(Depth::Processes);
        processes.retain(|process| process.helper && !process.is_zombie());
        let (own, others) = self.services.pids(service);
        match own {
            Some(own) => {
                let own = below(&processes, &[own]);
                processes.retain(|process| own.contains(&process.id.pid));
            }
            None => {
                let others = below(&processes, &others);
                processes.retain(|process| !others.contains(&process.id.pid));
            }
        }
        processes
    }
}

/// These processes and all that they have started.
fn below(processes: &[ProcessRecord], roots: &[i32]) -> BTreeSet<i32> {
    let mut known: BTreeSet<i32> = roots.iter().copied().collect();
    loop {
        let before = known.len();
        known.extend(
            processes
                .iter()
                .filter(|process| known.contains(&process.parent))
                .map(|process| process.id.pid)
                .collect::<Vec<_>>(),
        );
        if known.len() == before {
            return known;
        }
    }
}
