//! Where in its code an agent is that does not end.

use super::live::TrialSession;
use super::place::Place;
use crate::driver::stacks::{MOST_THREADS, Placed, of_process};
use crate::model::ProcessRecord;
use crate::sys::send_signal;
use std::collections::BTreeMap;
use std::time::Duration;

/// The answer takes as long as the threads need to stop, and their programs to be read.
const PATIENCE: Duration = Duration::from_secs(2);

impl<P: Place> TrialSession<P> {
    /// Adds the stacks of the agent's threads, right before it is killed. Whoever traces
    /// it reads them; where nobody does, it is stopped for that.
    pub(super) fn add_stacks(&self, processes: &mut [ProcessRecord]) {
        let Some(leader) = &self.leader else { return };
        let agent = processes.iter_mut().find(|process| Some(process.id) == self.evidence.leader);
        let Some(agent) = agent.filter(|agent| !agent.is_zombie()) else { return };
        let Some(placed) = Placed::find(&leader.directory) else { return };
        // Of one that has just ended nothing is told.
        let ask = || {
            let _ = send_signal(&leader.directory, libc::SIGSTOP);
        };
        let told = self.tracer.as_ref().and_then(|tracer| tracer.stacks(ask, PATIENCE));
        let stacks: BTreeMap<i32, Result<Vec<String>, String>> = match told {
            Some(mut told) => {
                let mut stack = |tid| told.remove(&tid).ok_or_else(|| "it did not stop".to_owned());
                placed.threads().into_iter().take(MOST_THREADS).map(|(tid, inside)| (inside, stack(tid))).collect()
            }
            None => of_process(&placed),
        };
        for (tid, stack) in stacks {
            if let Some(thread) = agent.threads.iter_mut().find(|thread| thread.tid == tid) {
                thread.stack = Some(stack);
            }
        }
    }
}
