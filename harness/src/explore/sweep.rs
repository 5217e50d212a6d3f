//! The trials of a sweep: from the windows of the control to plans. Pure.

use super::plan::Planned;
use crate::model::{Act, Injection, Point, PointSpec, Signal, Stdin, Step, SyscallPoint, Target, TrialPlan};
use crate::windows::{Map, Moment, Prediction, Window};
use std::cmp::Reverse;
use std::time::Duration;

/// What is the same in all trials of a sweep.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// What is done in each window.
    pub send: Injection,
    /// From the last injection to the KILL.
    pub grace: Duration,
    /// The agent's standard input.
    pub stdin: Stdin,
    /// Whether the agent has a terminal.
    pub pty: bool,
    /// Whether the agent is PID 1.
    pub pid1: bool,
}

/// A trial of a sweep.
#[derive(Debug, Clone)]
pub(super) struct Aimed {
    /// The trial.
    pub(super) planned: Planned,
    /// The window that it is for; that of the first injection, where there are two.
    pub(super) window: Option<usize>,
    /// What it will leave, as far as the control can say.
    pub(super) predicted: Option<Vec<String>>,
    /// Its place among all, where only a part of them is run.
    pub(super) index: Option<usize>,
}

/// So long a wait is not over, in another run, before its thread is found in it.
pub(super) const SURE_WAIT: Duration = Duration::from_millis(200);

/// The signals whose meaning matters to an injection.
pub(super) fn signals(send: &Injection) -> Vec<Signal> {
    let of = |step: &Step| match step {
        Step::Signal(signal, _) => Some(*signal),
        Step::ParentDeath | Step::PtyHangup => Some(Signal::HUP),
        Step::Wait(_) | Step::Delay(_) | Step::StdinEof | Step::Fault(_) | Step::Stall(_) => None,
    };
    send.steps().iter().filter_map(of).collect()
}

fn spec(point: Point) -> PointSpec {
    PointSpec { relative: false, point }
}

pub(super) fn moment(point: Option<SyscallPoint>) -> PointSpec {
    spec(point.map_or(Point::Start, Point::Syscall))
}

impl Sweep {
    /// A trial with these acts.
    pub(super) fn trial(&self, label: String, acts: Vec<Act>) -> Planned {
        let plan = TrialPlan {
            acts,
            grace: self.grace,
            stdin: self.stdin.clone(),
            pty: self.pty,
            pid1: self.pid1,
            noise: crate::model::Noise::NONE,
        };
        Planned { label, plan, informational: false }
    }

    fn aimed(&self, map: &Map, window: usize, label: String, at: Vec<PointSpec>) -> Aimed {
        let predicted = predicted(map, window, &self.send);
        let planned = self.trial(label, vec![Act { at, send: self.send.clone() }]);
        Aimed { planned, window: Some(window), predicted, index: None }
    }

    /// A trial at the first moment of each window, the most different windows first,
    /// and one in the longest wait of each.
    pub(super) fn of_windows(&self, map: &Map) -> Vec<Aimed> {
        let chosen: Vec<&Window> = map.chosen().into_iter().filter_map(|number| map.windows.get(number)).collect();
        let first_moment = |window: &&Window| {
            let at = moment(window.opened.as_ref().map(|opening| opening.point.clone()));
            self.aimed(map, window.number, format!("window {}", window.number), vec![at])
        };
        let wait = |window: &&Window| {
            let wait = window.wait.as_ref()?;
            let blocked = Point::Blocked { role: Some(wait.role.clone()), name: wait.name.clone(), nth: 1 };
            let at = match &window.opened {
                Some(opening) => {
                    vec![spec(Point::Syscall(opening.point.clone())), PointSpec { relative: true, point: blocked }]
                }
                None => vec![spec(blocked)],
            };
            let label = format!("window {}, waiting", window.number);
            let aimed = self.aimed(map, window.number, label, at);
            // The thread may be found in a later wait, where this one is over too soon.
            let predicted = aimed.predicted.filter(|_| wait.length >= SURE_WAIT);
            Some(Aimed { predicted, ..aimed })
        };
        let (firsts, again): (Vec<&Window>, Vec<&Window>) =
            chosen.into_iter().partition(|window| window.kind == window.number);
        let mut trials: Vec<Aimed> = firsts.iter().map(first_moment).collect();
        // Of all windows of a kind the one with the longest wait.
        let longest = firsts.iter().filter_map(|first| {
            let alike = map.windows.iter().filter(|window| window.kind == first.kind && window.wait.is_some());
            alike.max_by_key(|window| (window.wait.as_ref().map(|wait| wait.length), Reverse(window.number)))
        });
        trials.extend(longest.collect::<Vec<_>>().iter().filter_map(wait));
        trials.extend(again.iter().map(first_moment));
        trials
    }

    /// A trial after every system call.
    pub(super) fn of_moments(&self, map: &Map, moments: &[Moment]) -> Vec<Aimed> {
        let start = self.aimed(map, 0, "start".to_owned(), vec![spec(Point::Start)]);
        let rest = moments.iter().enumerate().map(|(index, made)| {
            let at = vec![moment(Some(made.point.clone()))];
            self.aimed(map, map.window_of(made), format!("call {}", index + 1), at)
        });
        std::iter::once(start).chain(rest).collect()
    }
}

/// What the control says that an injection leaves in a window. None when it cannot say:
/// more is done than to send one signal to the agent, or a handler runs.
pub(super) fn predicted(map: &Map, number: usize, send: &Injection) -> Option<Vec<String>> {
    let [Step::Signal(signal, Target::Leader)] = send.steps() else { return None };
    match map.predict(map.windows.get(number)?, *signal) {
        Prediction::Leaks(things) => Some(things.iter().map(ToString::to_string).collect()),
        Prediction::Handled(_) | Prediction::Mapped(_) | Prediction::Ignored | Prediction::Blocked => None,
    }
}
