//! What the trials say: of each window, of each finding. Pure counting; draws nothing.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Finding, Outcome, Run, Severity, Trial};

/// What was left when the agent was terminated in a window, or at a point. Ordered: of
/// several trials the last one here is told. A trial that cannot be judged comes before a
/// clean one and before a note, so that it never looks clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum State {
    /// No trial was made there.
    #[default]
    Untried,
    /// No trial reached it.
    Missed,
    /// Nothing was left.
    Clean,
    /// Only what is accepted, or never came again.
    Apart,
    /// Notes alone.
    Note,
    /// A trial there cannot be judged.
    Inconclusive,
    /// Warnings, and nothing worse.
    Warn,
    /// Errors.
    Error,
}

impl State {
    /// All, worst first.
    pub(super) const ALL: [Self; 8] = [
        Self::Error,
        Self::Warn,
        Self::Inconclusive,
        Self::Note,
        Self::Apart,
        Self::Clean,
        Self::Missed,
        Self::Untried,
    ];

    /// The word for it, which is its class in the page as well.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Untried => "untried",
            Self::Missed => "missed",
            Self::Clean => "clean",
            Self::Apart => "apart",
            Self::Note => "note",
            Self::Inconclusive => "inconclusive",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// What it means, for a reader.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Untried => "not tried",
            Self::Missed => "missed: no trial reached it",
            Self::Clean => "clean",
            Self::Apart => "only accepted, or not reproduced",
            Self::Note => "note",
            Self::Inconclusive => "inconclusive",
            Self::Warn => "warning",
            Self::Error => "error",
        }
    }

    /// What a finding makes of the window in which it is seen.
    fn of(finding: &Finding) -> Self {
        match finding.severity {
            _ if finding.accepted.is_some() || finding.is_not_reproduced() => Self::Apart,
            Severity::Error => Self::Error,
            Severity::Warn => Self::Warn,
            Severity::Note => Self::Note,
        }
    }
}

/// What several trials say together.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The worst of them.
    pub(super) state: State,
    /// How many there are.
    pub(super) trials: u32,
    /// Those of them that did not reach their point.
    pub(super) missed: u32,
    /// Those that cannot be judged.
    pub(super) inconclusive: u32,
    /// Places of their findings in [`Run::findings`].
    pub(super) findings: BTreeSet<usize>,
    /// The longest time from the injection to the end, in microseconds.
    pub(super) slowest_us: Option<u64>,
}

/// What the trials of a run say.
pub(super) struct Facts<'a> {
    places: HashMap<&'a str, usize>,
    states: Vec<State>,
    /// Of each window of the map, what trials there say, or in the one like it.
    pub(super) windows: Vec<Seen>,
    /// Of each finding, the windows for which the trials that show it were made.
    pub(super) windows_of: Vec<BTreeSet<u32>>,
    /// What the trials made for no window of the map say, by point, in the order in which
    /// they were made.
    pub(super) points: Vec<(&'a str, Seen)>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let places = run.findings.iter().enumerate().map(|(place, it)| (it.fingerprint.as_str(), place)).collect();
        let states = run.findings.iter().map(State::of).collect();
        let mapped = run.map.as_ref().map_or(&[][..], |map| &map.windows);
        let mut facts = Self {
            places,
            states,
            windows: vec![Seen::default(); mapped.len()],
            windows_of: vec![BTreeSet::new(); run.findings.len()],
            points: Vec::new(),
        };
        let mut known: HashMap<&str, usize> = HashMap::new();
        for trial in &run.trials {
            for place in trial.findings.iter().filter_map(|it| facts.places.get(it.as_str())) {
                facts.windows_of[*place].extend(trial.window);
            }
            let window = trial.window.and_then(|number| usize::try_from(number).ok()).filter(|it| *it < mapped.len());
            let seen = match window {
                Some(window) => &mut facts.windows[window],
                None => {
                    let next = facts.points.len();
                    let place = *known.entry(&trial.point).or_insert(next);
                    if place == next {
                        facts.points.push((&trial.point, Seen::default()));
                    }
                    &mut facts.points[place].1
                }
            };
            add(seen, trial, &facts.places, &facts.states);
        }
        facts.tell_those_alike(mapped.iter().map(|window| window.like));
        facts
    }

    /// A trial in a window tells of all like it.
    fn tell_those_alike(&mut self, like: impl Iterator<Item = u32>) {
        for (window, like) in like.enumerate() {
            let Some(first) = usize::try_from(like).ok().filter(|it| *it < window) else { continue };
            let (before, after) = self.windows.split_at_mut(window);
            let (first, own) = (&before[first], &mut after[0]);
            own.state = own.state.max(first.state);
            own.findings.extend(&first.findings);
        }
    }
}

fn add(seen: &mut Seen, trial: &Trial, places: &HashMap<&str, usize>, states: &[State]) {
    let how = match trial.outcome {
        Outcome::Ended | Outcome::Killed => State::Clean,
        Outcome::Missed => State::Missed,
        Outcome::Inconclusive => State::Inconclusive,
    };
    seen.state = seen.state.max(how);
    seen.trials += 1;
    seen.missed += u32::from(trial.outcome == Outcome::Missed);
    seen.inconclusive += u32::from(trial.outcome == Outcome::Inconclusive);
    seen.slowest_us = seen.slowest_us.max(trial.shutdown_us);
    for fingerprint in &trial.findings {
        // A finding that the run does not have may be anything, so it is an error.
        let place = places.get(fingerprint.as_str());
        seen.state = seen.state.max(place.map_or(State::Error, |place| states[*place]));
        seen.findings.extend(place);
    }
}

#[cfg(test)]
mod tests;
