//! The agent's second start, over what it left.

use super::live::TrialSession;
use super::output::OutputFollower;
use super::place::Place;
use super::roles::Roles;
use super::streams::Streams;
use crate::cell::Depth;
use crate::driver::DriverError;
use crate::driver::tracer::Tracer;
use crate::model::{Came, Evidence, Recovered, TrialPlan};
use std::time::{Duration, Instant};

/// What is prepared for the second start.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) program: u32,
    pub(super) streams: Streams,
    pub(super) plan: TrialPlan,
}

/// What was seen before it.
#[derive(Debug)]
pub(super) struct Earlier {
    evidence: Evidence,
    /// Those it left may still be traced.
    tracer: Option<Tracer>,
    started: Option<Instant>,
    end: Duration,
    /// Those it left may write and read on: nobody closes that to them.
    streams: Streams,
}

impl Earlier {
    /// Lets those it left write on.
    pub(super) fn drain(&self) {
        let mut chunk = [0u8; 64 * 1024];
        for output in self.streams.outputs.iter().flatten() {
            let _ = rustix::io::read(output, &mut chunk);
        }
    }

    /// All that was seen, once the cell is over.
    pub(super) fn with(self, recovery: Evidence) -> Evidence {
        let mut evidence = self.evidence;
        if let Some(tracer) = self.tracer {
            (evidence.recording, evidence.at_exit) = tracer.join(self.started, self.end);
        }
        evidence.gaps.clone_from(&recovery.gaps);
        let came = Came::Lost("it was not run to its end".to_owned());
        evidence.recovered = Some(Box::new(Recovered { came, evidence: recovery }));
        evidence
    }
}

impl<P: Place> TrialSession<P> {
    /// Takes down what was seen and makes everything as it was before the first start,
    /// but for what the agent left.
    pub(super) fn start_over(&mut self) -> Result<(), DriverError> {
        let second = self
            .second
            .take()
            .ok_or(DriverError::System { what: "start the agent again", why: "it was not prepared".to_owned() })?;
        self.conclude();
        let end = crate::driver::Session::now(self);
        // Before anybody reads states: commands may write files.
        self.evidence.files = self.cell.look_at_files();
        self.evidence.after = self.read_states();
        let follower = std::mem::replace(&mut self.follower, OutputFollower::new(&second.plan, &[]));
        self.evidence.output = follower.into_tail();
        let streams = std::mem::replace(&mut self.streams, second.streams);
        let fresh = Evidence {
            output_pipes: self.streams.names.clone(),
            pid1: self.evidence.pid1,
            temporary: self.evidence.temporary.clone(),
            ..Evidence::default()
        };
        let evidence = std::mem::replace(&mut self.evidence, fresh);
        let (tracer, started) = (self.tracer.take(), self.started());
        self.earlier = Some(Earlier { evidence, tracer, started, end, streams });
        self.agent = second.program;
        self.terminal = false;
        self.modes = None;
        self.roles = Roles::default();
        self.forget(second.plan.acts.is_empty());
        // Who is left is none of the second start's.
        self.helpers = self.cell.processes(Depth::Processes).iter().map(|process| process.id).collect();
        Ok(())
    }
}
