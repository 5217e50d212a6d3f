//! What is kept outside the agent: as before, as an undisturbed run leaves it, or neither.

use super::{Case, Found};
use crate::model::{Evidence, Reading, State, Trouble};
use crate::scenario::StateEnd;
use quietus_reports::Code;
use quietus_reports::fingerprint::normalise;
use std::collections::{BTreeMap, BTreeSet};

/// What the controls say of one state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    /// How each of them leaves it.
    committed: Vec<State>,
    /// Parts that differ from one control to the next.
    varies: BTreeSet<String>,
}

/// The parts of a state that can be compared.
type Parts<'a> = BTreeMap<&'a str, &'a str>;

impl Known {
    /// Learns from how a control leaves it.
    pub(super) fn learn(&mut self, state: &State) {
        if let (Some(first), Some(items)) =
            (self.committed.first().and_then(|state| state.items.as_ref()), &state.items)
        {
            let keys = first.keys().chain(items.keys());
            self.varies.extend(keys.filter(|key| first.get(*key) != items.get(*key)).cloned());
        }
        self.committed.push(state.clone());
    }

    /// The parts that differ from one control to the next, if nothing else is left.
    pub(super) fn varies_in_all(&self) -> bool {
        let mut items = self.committed.iter().filter_map(|state| state.items.as_ref());
        items.next().is_some_and(|items| !items.is_empty() && items.keys().all(|key| self.varies.contains(key)))
    }

    /// The parts that differ from one control to the next, in words.
    pub(super) fn varying(&self) -> Option<String> {
        let shown: Vec<String> = self.varies.iter().take(3).map(|part| format!("`{part}`")).collect();
        let more = self.varies.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!shown.is_empty()).then(|| format!("{}{more}", shown.join(", ")))
    }

    /// Why it may be that no control found anything.
    pub(super) fn unclear(&self) -> Option<&str> {
        let all: Option<Vec<&str>> = self.committed.iter().map(|state| state.unclear.as_deref()).collect();
        all?.last().copied()
    }

    pub(super) fn parts<'a>(&self, state: &'a State) -> Option<Parts<'a>> {
        let items = state.items.as_ref()?;
        let alike: BTreeSet<String> = self.varies.iter().map(|key| normalise(key)).collect();
        // Names that are random in each run are parts that vary, too.
        let fixed = items.iter().filter(|(key, _)| !self.varies.contains(*key) && !alike.contains(&normalise(key)));
        Some(fixed.map(|(key, value)| (key.as_str(), value.as_str())).collect())
    }

    pub(super) fn commits(&self) -> impl Iterator<Item = Parts<'_>> {
        self.committed.iter().filter_map(|state| self.parts(state))
    }

    /// Whether an undisturbed run leaves it like this.
    pub(super) fn is_committed(&self, state: &State) -> bool {
        self.parts(state).is_none_or(|now| self.commits().any(|committed| committed == now))
    }

    /// How it differs from what an undisturbed run leaves.
    pub(super) fn against_committed(&self, state: &State) -> Vec<String> {
        let now = self.parts(state).unwrap_or_default();
        self.commits().next().map(|committed| differences(&committed, &now)).unwrap_or_default()
    }

    fn has(&self, trouble: &Trouble) -> bool {
        self.committed.iter().any(|state| is_among(trouble, &state.troubles))
    }
}

fn is_among(trouble: &Trouble, known: &[Trouble]) -> bool {
    known.iter().any(|known| known.code == trouble.code && normalise(&known.subject) == normalise(&trouble.subject))
}

/// The reading of a state, if there is one.
pub(super) fn reading<'a>(readings: &'a [Reading], name: &str) -> Option<&'a State> {
    readings.iter().find(|reading| reading.name == name).and_then(|reading| reading.state.as_ref().ok())
}

/// Whether somebody who knows what a file means speaks of it.
pub(super) fn is_told(path: &str, evidence: &Evidence) -> bool {
    let troubles = evidence.after.iter().filter_map(|reading| reading.state.as_ref().ok());
    troubles.flat_map(|state| &state.troubles).any(|trouble| trouble.subject == path)
}

/// Every state that could not be read, in words.
pub fn unread_states(evidence: &Evidence) -> Vec<String> {
    let recovered = evidence.recovered.iter().flat_map(|recovered| &recovered.evidence.after);
    let readings = evidence.before.iter().chain(&evidence.after).chain(recovered);
    let mut said: Vec<String> = readings
        .filter_map(|reading| Some((reading, reading.state.as_ref().err()?)))
        .map(|(reading, why)| format!("the state `{}` cannot be read: {why}", reading.name))
        .collect();
    said.dedup();
    said
}

/// Lines of a part that the other does not have, and the reverse.
const MOST_LINES: usize = 6;
/// A longer line is cut.
const LONGEST_LINE: usize = 160;

fn lines_only_in<'a>(these: &'a str, others: &str) -> Vec<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    others.lines().for_each(|line| *counts.entry(line).or_default() += 1);
    let mut only = Vec::new();
    for line in these.lines() {
        match counts.get_mut(line) {
            Some(count @ 1..) => *count -= 1,
            _ => only.push(line),
        }
    }
    only
}

fn cut(line: &str) -> String {
    let short: String = line.chars().take(LONGEST_LINE).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

/// How `now` differs from `then`, part by part.
fn differences(then: &Parts<'_>, now: &Parts<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let keys: BTreeSet<&str> = then.keys().chain(now.keys()).copied().collect();
    for key in keys {
        match (then.get(key), now.get(key)) {
            (Some(then), Some(now)) if then == now => {}
            (Some(then), Some(now)) => {
                let (gone, new) = (lines_only_in(then, now), lines_only_in(now, then));
                if gone.is_empty() && new.is_empty() {
                    said.push(format!("{key}: the same lines in another order"));
                }
                for (sign, lines) in [('-', gone), ('+', new)] {
                    said.extend(lines.iter().take(MOST_LINES).map(|line| format!("{key}: {sign} {}", cut(line))));
                    if lines.len() > MOST_LINES {
                        said.push(format!("{key}: {sign} {} more lines", lines.len() - MOST_LINES));
                    }
                }
            }
            (None, Some(now)) => said.push(format!("{key}: + {}", cut(now.lines().next().unwrap_or("(empty)")))),
            (Some(_), None) => said.push(format!("{key}: - it is not there")),
            (None, None) => {}
        }
    }
    said
}

/// States that are neither as before nor as an undisturbed run leaves them, and what is
/// wrong with them by itself.
pub(super) fn states(case: Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for reading in &case.evidence.after {
        let (Ok(now), Some(known)) = (&reading.state, case.expected.states.get(&reading.name)) else { continue };
        let before = self::reading(&case.evidence.before, &reading.name);
        // What was wrong before is not known where that could not be read.
        let wrong = now
            .troubles
            .iter()
            .filter(|trouble| !known.has(trouble) && before.is_some_and(|before| !is_among(trouble, &before.troubles)));
        found.extend(of_troubles(&reading.name, wrong));
        let end = case.rules.end_of(&reading.name);
        found.extend(not_rolled_back(&reading.name, end, before, now, known));
    }
    found
}

/// The most of one state that is told one by one.
const MOST_WRONG: usize = 100;

fn of_troubles<'a>(name: &str, mut wrong: impl Iterator<Item = &'a Trouble>) -> Vec<Found> {
    let mut found: Vec<Found> = wrong.by_ref().take(MOST_WRONG).map(|trouble| of_trouble(name, trouble)).collect();
    let more = wrong.count();
    if more > 0
        && let Some(last) = found.pop()
    {
        found.push(last.with_evidence([format!("and {more} more that are wrong with `{name}`")]));
    }
    found
}

fn of_trouble(name: &str, trouble: &Trouble) -> Found {
    Found::new(trouble.code, trouble.subject.clone(), trouble.title.clone(), &[name])
        .with_evidence(trouble.evidence.iter().cloned())
        .at(trouble.severity)
}

fn not_rolled_back(name: &str, end: StateEnd, before: Option<&State>, now: &State, known: &Known) -> Option<Found> {
    let parts = known.parts(now)?;
    let before = before.and_then(|before| known.parts(before));
    let rolled_back = before.as_ref().is_some_and(|before| *before == parts);
    let committed = known.commits().any(|committed| committed == parts);
    // Without what was there before, or with a part of it that cannot be told, nobody can
    // say that it is not as before.
    if before.is_none() && matches!(end, StateEnd::Either | StateEnd::RolledBack) {
        return None;
    }
    let (fine, says) = match end {
        StateEnd::Any => return None,
        StateEnd::RolledBack => (rolled_back, "not as before"),
        StateEnd::Committed => (committed, "not as an undisturbed run leaves it"),
        StateEnd::Either => (rolled_back || committed, "neither as before nor as an undisturbed run leaves it"),
    };
    if fine {
        return None;
    }
    let mut facts = Vec::new();
    if let Some(before) = before.filter(|_| end != StateEnd::Committed) {
        facts.extend(differences(&before, &parts).into_iter().map(|line| format!("since before: {line}")));
    }
    if end != StateEnd::RolledBack {
        let against = known.against_committed(now);
        facts.extend(against.into_iter().map(|line| format!("against an undisturbed run: {line}")));
    }
    Some(Found::new(Code::NotRolledBack, name, format!("the state `{name}` is {says}"), &[]).with_evidence(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(items: &[(&str, &str)]) -> State {
        State::of(items.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())))
    }

    fn known(controls: &[&[(&str, &str)]]) -> Known {
        let mut known = Known::default();
        controls.iter().for_each(|items| known.learn(&state(items)));
        known
    }

    #[test]
    fn the_parts_are_compared_all_together() {
        let known = known(&[&[("a", "2"), ("b", "2")], &[("a", "2"), ("b", "2")]]);
        let before = state(&[("a", "1"), ("b", "1")]);
        let judged = |end, now: &[(&str, &str)]| not_rolled_back("s", end, Some(&before), &state(now), &known);
        assert_eq!(judged(StateEnd::Either, &[("a", "1"), ("b", "1")]), None);
        assert_eq!(judged(StateEnd::Either, &[("a", "2"), ("b", "2")]), None);
        let mixed = judged(StateEnd::Either, &[("a", "2"), ("b", "1")]).expect("it is neither");
        assert_eq!(mixed.code, Code::NotRolledBack);
        assert_eq!(
            mixed.evidence,
            [
                "since before: a: - 1",
                "since before: a: + 2",
                "against an undisturbed run: b: - 2",
                "against an undisturbed run: b: + 1"
            ]
        );
        assert!(judged(StateEnd::RolledBack, &[("a", "2"), ("b", "2")]).is_some());
        assert!(judged(StateEnd::Committed, &[("a", "1"), ("b", "1")]).is_some());
        assert_eq!(judged(StateEnd::Any, &[("a", "7")]), None);
    }

    #[test]
    fn what_differs_from_control_to_control_is_not_compared() {
        let known = known(&[&[("time", "1"), ("b", "2")], &[("time", "9"), ("b", "2")]]);
        let before = state(&[("b", "1")]);
        assert_eq!(
            not_rolled_back("s", StateEnd::Either, Some(&before), &state(&[("time", "5"), ("b", "2")]), &known),
            None
        );
        assert!(!known.varies_in_all());
        assert!(self::known(&[&[("t", "1")], &[("t", "2")]]).varies_in_all());
    }

    #[test]
    fn a_thousand_things_that_are_wrong_are_not_told_one_by_one() {
        let trouble = |number: i32| Trouble::new(Code::ConnectionAbandoned, format!("session {number}"), "a session");
        let troubles: Vec<Trouble> = (0..1000).map(trouble).collect();
        let few = of_troubles("db", troubles.iter().take(100));
        assert_eq!((few.len(), few[99].evidence.len()), (100, 0));
        let many = of_troubles("db", troubles.iter());
        assert_eq!(
            (many.len(), &many[99].evidence[..]),
            (100, &["and 900 more that are wrong with `db`".to_owned()][..])
        );
    }

    #[test]
    fn lines_that_moved_are_no_difference_in_lines() {
        let (a, b) = ([("t", "x\ny\n")], [("t", "y\nx\n")]);
        let (a, b): (Parts<'_>, Parts<'_>) = (a.into(), b.into());
        assert_eq!(differences(&a, &b), ["t: the same lines in another order"]);
    }
}
