//! Does the steps of an injection.

use super::live::TrialSession;
use super::place::Place;
use super::terminal::hang_up;
use crate::cell::{Depth, look_at};
use crate::driver::Session as _;
use crate::driver::tracer::Release;
use crate::model::{Signal, Step, Target};
use crate::sys::{Command, send_signal};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What a terminal sends for Ctrl-C, Ctrl-\ and Ctrl-D (termios(3)).
const VINTR: u8 = 0x03;
const VQUIT: u8 = 0x1c;
const VEOF: u8 = 0x04;

/// The earliest and the latest stamp that the kernel gives a file now: the time of its last
/// tick, or, since Linux 6.13 where somebody has looked at the last stamp, the time itself.
fn file_clock() -> (Duration, Duration) {
    let now = |clock| {
        let now = clock_gettime(clock);
        crate::cell::stamp(now.tv_sec, now.tv_nsec)
    };
    (now(ClockId::RealtimeCoarse), now(ClockId::Realtime))
}

impl<P: Place> TrialSession<P> {
    pub(super) fn inject(&mut self, step: &Step) {
        if step.acts() && self.evidence.injected_at.is_none() {
            // What was written before is told from what is written after.
            self.read_outputs();
            self.evidence.injected_at = Some(self.now());
            self.evidence.injected_stamps = Some(file_clock());
            self.delivered = self.evidence.ended.is_none() && self.leader_lives();
        }
        match step {
            Step::Wait(_) | Step::Delay(_) => {}
            Step::Signal(signal, target) => self.signal(*signal, *target),
            Step::StdinEof if self.terminal => self.type_key(VEOF),
            Step::StdinEof => {
                self.streams.pending.clear();
                self.streams.input = None;
            }
            Step::PtyHangup => self.close_outputs(),
            Step::ParentDeath => self.kill_host(),
            Step::Fault(fault) => {
                if let Some(tracer) = &self.tracer {
                    tracer.fail(*fault);
                }
            }
            Step::Stall(service) => self.stall(service),
        }
        // Now that it is done, whoever was held meets it.
        match step {
            Step::Wait(_) => {}
            Step::Signal(signal, _) => self.go_on = Some(Release::OnceGot(signal.number())),
            Step::Delay(span) => self.go_on = Some(Release::After(*span)),
            // A signal that was sent before is still to be got first.
            Step::Fault(_) => self.go_on = self.go_on.or(Some(Release::AtOnce)),
            Step::StdinEof | Step::PtyHangup | Step::ParentDeath | Step::Stall(_) => self.go_on = Some(Release::AtOnce),
        }
    }

    fn signal(&mut self, signal: Signal, target: Target) {
        match target {
            Target::Leader => self.signal_leader(signal),
            Target::Group if self.terminal && signal == Signal::INT => self.type_key(VINTR),
            Target::Group if self.terminal && signal == Signal::QUIT => self.type_key(VQUIT),
            Target::Group => {
                // The agent leads its group; while it is alive its pid is the group's.
                if let Some(leader) = self.leader.as_ref().filter(|_| self.evidence.ended.is_none()) {
                    let _ = self.cell.send(Command::KillGroup { group: leader.pid, signal: signal.number() });
                }
            }
            Target::All => {
                for process in self.agent_processes(crate::cell::Depth::Processes) {
                    if process.helper {
                        continue;
                    }
                    // A process that ended meanwhile needs no signal.
                    if let Some(directory) = crate::cell::open_known(self.cell.proc(), process.id) {
                        let _ = send_signal(&directory, signal.number());
                    }
                }
            }
        }
    }

    /// Whether the agent can still take a signal: one that has ended and was not
    /// waited for yet cannot, and nothing that it left was left by a termination.
    fn leader_lives(&self) -> bool {
        self.leader
            .as_ref()
            .and_then(|leader| look_at(self.cell.proc(), leader.pid, Depth::Processes))
            .is_some_and(|record| !record.is_zombie())
    }

    fn signal_leader(&mut self, signal: Signal) {
        if self.tracer.as_ref().is_some_and(|tracer| tracer.signal(signal.number())) {
            return;
        }
        // An agent that ended at this very moment needs no signal.
        if let Some(leader) = &self.leader {
            let _ = send_signal(&leader.directory, signal.number());
        }
    }

    /// A key that the terminal turns into a signal, unless the agent told it not to.
    fn type_key(&mut self, key: u8) {
        if let Some(terminal) = &self.streams.outputs[0] {
            let _ = rustix::io::write(terminal, &[key]);
        }
    }

    /// The host is gone: its ends of the pipes close and the agent's parent is another.
    fn kill_host(&mut self) {
        self.streams.input = None;
        self.close_outputs();
        if let Some(host) = &self.host {
            let _ = send_signal(&host.directory, Signal::KILL.number());
        }
    }

    /// Closes our ends of the outputs; a terminal hangs up.
    fn close_outputs(&mut self) {
        let outputs = std::mem::take(&mut self.streams.outputs);
        if self.terminal {
            outputs.into_iter().flatten().for_each(hang_up);
        }
    }

    pub(super) fn kill_leader(&mut self) {
        // Whoever comes to the point only now is not to be held there: its tracer, who waits
        // for what is to be done, would not see it end.
        self.armed = None;
        if let Some(leader) = &self.leader {
            let _ = send_signal(&leader.directory, Signal::KILL.number());
        }
        self.go_on = Some(Release::AtOnce);
    }
}
