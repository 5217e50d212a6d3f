//! The transition table of a trial. No IO, no clock: events in, actions out.

use crate::driver::{Action, Event, Look, Occasion, Timer};
use crate::model::{Point, PointSpec, Step, TrialPlan, format_span};
use std::time::Duration;

/// How long things may take. Spans, not points in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To reach all points.
    pub reach: Duration,
    /// For what is on its way out after the agent has ended.
    pub settle: Duration,
    /// How often `settle` is granted again while something is still busy.
    pub settle_rounds: u32,
    /// For survivors that may end by themselves; zero to not wait for them.
    pub linger: Duration,
    /// How long an idle control is waited for.
    pub horizon: Duration,
    /// At how many looks in a row an agent must be at rest and listen to count as a server.
    pub serves_after: u32,
    /// How often `horizon` is granted again to a control that is busy.
    pub horizon_rounds: u32,
}

/// How a trial ended, as far as its course is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The agent ended by itself, or by what was sent.
    Ended,
    /// The grace ran out, and KILL ended it.
    Killed,
    /// The agent ended before the point.
    Missed,
    /// The agent ran on, but the point did not come in time.
    Unreached,
    /// A control that runs on and is blocked.
    Idle {
        /// Whether it listens on a socket.
        listens: bool,
    },
    /// A control that neither ended nor came to rest.
    Busy,
    /// Nothing can be said; the text says why.
    Lost(String),
    /// A person asked to stop.
    Interrupted,
}

/// Where a trial is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing runs yet.
    Ready,
    /// The agent is being started.
    Starting {
        /// How often the time for that was granted.
        round: u32,
    },
    /// Waiting for a point.
    Reaching {
        /// Index of the operation.
        op: usize,
    },
    /// Waiting between two steps of an injection.
    Pausing {
        /// Index of the operation.
        op: usize,
    },
    /// All is sent; the agent may end.
    Grace,
    /// KILL was sent.
    Killing,
    /// The agent has ended; the rest may.
    Settling {
        /// Whether KILL was needed.
        killed: bool,
        /// How often the time was granted.
        round: u32,
    },
    /// Survivors are given more time.
    Lingering {
        /// Whether KILL was needed.
        killed: bool,
    },
    /// A control runs.
    Controlling {
        /// Whether it was blocked when last looked at, and listened.
        idle: Option<bool>,
        /// How often the horizon was granted.
        round: u32,
        /// At how many looks in a row it was at rest and listened.
        rests: u32,
    },
    /// Over.
    Done(Outcome),
}

/// An event that cannot happen in this state: a bug of a driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[quietus internal bug] the event {event:?} cannot follow in the state {state:?}")]
pub struct IllegalTransition {
    state: State,
    event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Op {
    Reach(PointSpec),
    Do(Step),
}

/// The table of one plan.
#[derive(Debug, Clone)]
pub struct Machine {
    ops: Vec<Op>,
    grace: Duration,
    limits: Limits,
}

type Next = (State, Vec<Action>);

fn done(outcome: Outcome) -> Next {
    (State::Done(outcome), Vec::new())
}

fn over(killed: bool) -> Outcome {
    if killed { Outcome::Killed } else { Outcome::Ended }
}

impl Machine {
    /// The table of a plan. A plan without acts is a control.
    pub fn new(plan: &TrialPlan, limits: Limits) -> Self {
        let ops = plan
            .acts
            .iter()
            .flat_map(|act| act.at.iter().cloned().map(Op::Reach).chain(act.send.steps().iter().cloned().map(Op::Do)))
            .collect();
        Self { ops, grace: plan.grace, limits }
    }

    /// How many operations the plan has.
    pub fn operations(&self) -> usize {
        self.ops.len()
    }

    /// The first state and what to do in it.
    pub fn begin(&self) -> Next {
        let limit = if self.ops.is_empty() {
            Action::SetTimer(Timer::Horizon, self.limits.horizon)
        } else {
            Action::SetTimer(Timer::Reach, self.limits.reach)
        };
        (State::Starting { round: 0 }, vec![limit, Action::Start])
    }

    /// What follows an event.
    ///
    /// # Errors
    /// When the event cannot happen in this state.
    pub fn step(&self, state: &State, event: &Event) -> Result<Next, IllegalTransition> {
        let illegal = || IllegalTransition { state: state.clone(), event: event.clone() };
        if let State::Done(_) | State::Ready = state {
            return Err(illegal());
        }
        Ok(match (state, event) {
            (_, Event::Lost(why)) => done(Outcome::Lost(why.clone())),
            (_, Event::Interrupted) => done(Outcome::Interrupted),

            (State::Starting { .. }, Event::Started) if self.ops.is_empty() => {
                (State::Controlling { idle: None, round: 0, rests: 0 }, vec![arm_idle()])
            }
            (State::Starting { .. }, Event::Started) => self.advance(0),

            // What counts is the time from the start on, and starting can take long.
            (State::Starting { round }, Event::Timer(timer @ (Timer::Horizon | Timer::Reach))) => {
                self.starting(*round, *timer)
            }

            (State::Reaching { op }, Event::Reached(reached)) if op == reached => self.advance(op + 1),
            (State::Reaching { op }, Event::LeaderEnded(_)) => {
                if self.acts_before(*op) {
                    self.settle(false)
                } else {
                    done(Outcome::Missed)
                }
            }
            // One that was terminated has its grace, whatever else was to be done to it.
            (State::Reaching { op }, Event::Timer(Timer::Next)) if self.terminates_before(*op) => self.kill(),
            (State::Reaching { op }, Event::Timer(Timer::Reach)) => {
                if self.acts_before(*op) {
                    self.kill()
                } else {
                    done(Outcome::Unreached)
                }
            }

            (State::Pausing { op }, Event::Timer(Timer::Wait)) => self.advance(op + 1),
            (State::Pausing { .. } | State::Grace, Event::LeaderEnded(_)) => self.settle(false),
            (State::Grace, Event::Timer(Timer::Grace)) => self.kill(),
            (State::Killing, Event::LeaderEnded(_)) => self.settle(true),
            (State::Killing, Event::Timer(Timer::Die)) => {
                done(Outcome::Lost(format!("the agent did not end within {} of SIGKILL", format_span(TO_DIE))))
            }

            (State::Settling { killed, round: 0 }, Event::Quiet) => done(over(*killed)),
            // Whoever was seen before has ended meanwhile: that must be on record.
            (State::Settling { killed, .. }, Event::Quiet) => {
                (State::Done(over(*killed)), vec![Action::Census(Occasion::Settled)])
            }
            (State::Lingering { killed }, Event::Quiet) => {
                (State::Done(over(*killed)), vec![Action::Census(Occasion::Lingered)])
            }
            (State::Settling { .. }, Event::Timer(Timer::Settle)) => {
                (state.clone(), vec![Action::Census(Occasion::Settled)])
            }
            (State::Settling { killed, round }, Event::Looked(look)) => self.settled(*killed, *round, *look),
            (State::Lingering { killed }, Event::Timer(Timer::Linger)) => {
                (State::Done(over(*killed)), vec![Action::Census(Occasion::Lingered)])
            }

            (State::Controlling { .. }, Event::LeaderEnded(_)) => self.settle(false),
            (State::Controlling { .. }, Event::Reached(usize::MAX)) => {
                (state.clone(), vec![Action::Census(Occasion::Idle)])
            }
            (State::Controlling { round, rests, .. }, Event::Looked(look)) => self.looked(*round, *rests, *look),
            (State::Controlling { .. }, Event::Timer(Timer::Recheck)) => (state.clone(), vec![arm_idle()]),
            (State::Controlling { idle: Some(listens), .. }, Event::Timer(Timer::Horizon)) => {
                done(Outcome::Idle { listens: *listens })
            }
            (State::Controlling { idle: None, round, .. }, Event::Timer(Timer::Horizon))
                if *round < self.limits.horizon_rounds =>
            {
                // A server can be busy all the time and serve all the same.
                (
                    State::Controlling { idle: None, round: round + 1, rests: 0 },
                    vec![Action::SetTimer(Timer::Horizon, self.limits.horizon), Action::Census(Occasion::Idle)],
                )
            }
            (State::Controlling { idle: None, .. }, Event::Timer(Timer::Horizon)) => done(Outcome::Busy),

            // Started comes first; only a settling trial or a control has no leader left to end;
            // a point that was armed and is not waited for any more is a driver's mistake.
            (State::Starting { .. }, _)
            | (State::Settling { .. } | State::Lingering { .. }, Event::LeaderEnded(_))
            | (_, Event::Started | Event::Quiet) => return Err(illegal()),
            (State::Controlling { .. } | State::Settling { .. }, Event::Reached(_)) => return Err(illegal()),

            // Timers that lost their meaning, and points and answers that came late.
            (_, Event::Timer(_) | Event::Reached(_) | Event::Looked(_)) => (state.clone(), Vec::new()),
            (State::Ready | State::Done(_), _) => return Err(illegal()),
        })
    }

    /// What follows when the agent has not started in time.
    fn starting(&self, round: u32, timer: Timer) -> Next {
        if round >= START_ROUNDS {
            return done(Outcome::Lost("the agent did not start in time".to_owned()));
        }
        let span = if timer == Timer::Horizon { self.limits.horizon } else { self.limits.reach };
        (State::Starting { round: round + 1 }, vec![Action::SetTimer(timer, span)])
    }

    /// What follows a look at a control that may be at rest.
    fn looked(&self, round: u32, rests: u32, look: Look) -> Next {
        let rests = if look.listens && !look.busy { rests + 1 } else { 0 };
        let restless = look.busy && look.listens && round > 0 && self.limits.serves_after < u32::MAX;
        if rests >= self.limits.serves_after || restless {
            return done(Outcome::Idle { listens: true });
        }
        let idle = (!look.busy).then_some(look.listens);
        (State::Controlling { idle, round, rests }, vec![Action::SetTimer(Timer::Recheck, RECHECK)])
    }

    fn acts_before(&self, op: usize) -> bool {
        self.ops.iter().take(op).any(|op| matches!(op, Op::Do(step) if step.acts()))
    }

    /// Whether something was done by then that is meant to end the agent.
    fn terminates_before(&self, op: usize) -> bool {
        self.ops.iter().take(op).any(|op| matches!(op, Op::Do(step) if step.ends()))
    }

    /// Does what can be done at once from an operation on.
    fn advance(&self, from: usize) -> Next {
        let mut actions = Vec::new();
        for (index, op) in self.ops.iter().enumerate().skip(from) {
            match op {
                Op::Reach(PointSpec { point: Point::Start, .. }) => {}
                Op::Reach(spec) => {
                    actions.push(Action::Arm { op: index, spec: spec.clone() });
                    if self.terminates_before(index) {
                        actions.push(Action::SetTimer(Timer::Next, self.grace));
                    }
                    return (State::Reaching { op: index }, actions);
                }
                Op::Do(Step::Wait(span)) => {
                    actions.push(Action::SetTimer(Timer::Wait, *span));
                    return (State::Pausing { op: index }, actions);
                }
                Op::Do(step) => {
                    if step.acts() && !self.acts_before(index) {
                        actions.push(Action::Census(Occasion::Injection));
                    }
                    actions.push(Action::Inject(step.clone()));
                }
            }
        }
        actions.push(Action::SetTimer(Timer::Grace, self.grace));
        (State::Grace, actions)
    }

    fn kill(&self) -> Next {
        let actions =
            vec![Action::Census(Occasion::GraceEnd), Action::KillLeader, Action::SetTimer(Timer::Die, TO_DIE)];
        (State::Killing, actions)
    }

    fn settle(&self, killed: bool) -> Next {
        (
            State::Settling { killed, round: 0 },
            vec![Action::SetTimer(Timer::Settle, self.limits.settle), Action::AwaitQuiet],
        )
    }

    fn settled(&self, killed: bool, round: u32, look: Look) -> Next {
        if look.alive == 0 {
            done(over(killed))
        } else if look.busy && round < self.limits.settle_rounds {
            (State::Settling { killed, round: round + 1 }, vec![Action::SetTimer(Timer::Settle, self.limits.settle)])
        } else if self.limits.linger > Duration::ZERO {
            (State::Lingering { killed }, vec![Action::SetTimer(Timer::Linger, self.limits.linger)])
        } else {
            done(over(killed))
        }
    }
}

/// How often an agent is given the time to start again.
const START_ROUNDS: u32 = 10;

/// How long an agent that was sent KILL is waited for: one that waits for a device in
/// the kernel does not end before that answers.
const TO_DIE: Duration = Duration::from_secs(60);

/// How soon an idle control is looked at again.
const RECHECK: Duration = Duration::from_millis(200);

fn arm_idle() -> Action {
    Action::Arm { op: usize::MAX, spec: PointSpec { relative: true, point: Point::Idle } }
}

#[cfg(test)]
mod tests;
