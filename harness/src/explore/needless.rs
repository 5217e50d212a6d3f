//! What of a scenario a finding does not need: arguments, variables, states and services
//! without which the same trial shows it all the same.
//!
//! An agent without `--dry-run`, or without the address of its test server, may do what
//! nobody wants. So nothing is taken away from one that can reach beyond its cell.

use super::check::Check;
use super::conclude::Course;
use super::control;
use super::parallel::in_parallel;
use super::runner::Runner;
use crate::audit::{Found, Rules};
use crate::fuzz::Sequential;
use crate::model::TrialPlan;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

/// More parts of one kind are not taken away one by one: each costs controls and trials.
const MOST_PARTS: usize = 24;

/// Something that can be taken away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// By its place among the words of the command.
    Argument(usize),
    /// One that the scenario sets.
    Variable(OsString),
    /// By their places.
    State(usize),
    Service(usize),
}

/// Whether parts may be taken away, and there are some.
pub(super) fn is_tried(course: Course<'_>) -> bool {
    has_parts(course.runner.check) && course.runner.can_trace() && course.runner.check.private_network
}

/// What is said where that is not so, though there are some.
pub(super) fn untried(course: Course<'_>) -> Option<&'static str> {
    let why = "what of its arguments, variables and services matters was not tried: without one the agent might reach \
               beyond its cell (a private network lets that be tried)";
    (has_parts(course.runner.check) && !is_tried(course)).then_some(why)
}

fn has_parts(check: &Check) -> bool {
    groups(check, None).iter().any(|kind| !kind.is_empty())
}

/// What may be taken away, kind by kind: what goes together is one group.
fn groups(check: &Check, plan: Option<&TrialPlan>) -> Vec<Vec<Vec<Part>>> {
    let is_option =
        |place: usize| check.command.get(place).is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    let places = 1..check.command.len();
    // An option and its value; then each word alone.
    let pairs =
        places.clone().filter(|place| is_option(*place) && place + 1 < check.command.len() && !is_option(place + 1));
    let mut arguments: Vec<Vec<Part>> =
        pairs.map(|place| vec![Part::Argument(place), Part::Argument(place + 1)]).collect();
    arguments.extend(places.rev().map(|place| vec![Part::Argument(place)]));
    let variables = check.own_variables.iter().map(|name| vec![Part::Variable(name.clone())]);
    let states = (0..check.states.len()).map(|place| vec![Part::State(place)]);
    let stalled: BTreeSet<&str> = plan.iter().flat_map(|plan| &plan.acts).flat_map(|act| act.send.stalls()).collect();
    let is_stalled = |place: &usize| check.services.get(*place).is_some_and(|one| stalled.contains(&*one.name));
    let services = (0..check.services.len()).filter(|place| !is_stalled(place)).map(|place| vec![Part::Service(place)]);
    vec![arguments, variables.collect(), states.collect(), services.collect()]
}

/// The check without these.
fn without(check: &Check, gone: &[Part]) -> Check {
    fn kept<T: Clone>(all: &[T], is_gone: impl Fn(usize) -> bool) -> Vec<T> {
        all.iter().enumerate().filter(|(place, _)| !is_gone(*place)).map(|(_, one)| one.clone()).collect()
    }
    let is_gone = |part: Part| gone.contains(&part);
    let mut check = check.clone();
    check.command = kept(&check.command, |place| is_gone(Part::Argument(place)));
    check.environment.retain(|(name, _)| !is_gone(Part::Variable(name.clone())));
    check.states = kept(&check.states, |place| is_gone(Part::State(place)));
    check.services = kept(&check.services, |place| is_gone(Part::Service(place)));
    check
}

/// In words, what this is.
fn text(check: &Check, part: &Part) -> String {
    match part {
        Part::Argument(place) => {
            format!("the argument `{}`", check.command.get(*place).unwrap_or(&OsString::new()).to_string_lossy())
        }
        Part::Variable(name) => format!("the variable {}", name.to_string_lossy()),
        Part::State(place) => {
            format!("the state {}", check.states.get(*place).map_or("", |state| state.name()))
        }
        Part::Service(place) => {
            format!("the service {}", check.services.get(*place).map_or("", |service| &service.name))
        }
    }
}

/// Without what this trial shows the finding about as often (`rate`, a share of 1) as with it;
/// in words, none if all of it matters. `quick` runs the trials.
pub(super) fn needless(
    course: Course<'_>,
    quick: &Runner<'_>,
    plan: &TrialPlan,
    found: &Found,
    rate: f64,
) -> Option<String> {
    let check = quick.check;
    let mut gone: Vec<Part> = Vec::new();
    for kind in groups(check, Some(plan)) {
        let all: BTreeSet<Part> = kind.iter().flatten().cloned().collect();
        let mut take = |parts: &mut dyn Iterator<Item = Part>| {
            let more: Vec<Part> = parts.filter(|part| !gone.contains(part)).collect();
            let candidate: Vec<Part> = gone.iter().cloned().chain(more.iter().cloned()).collect();
            let takes = !more.is_empty() && (course.go_on)() && shows(course, quick, &candidate, plan, found, rate);
            if takes {
                gone = candidate;
            }
            takes
        };
        if !take(&mut all.iter().cloned()) && all.len() > 1 {
            for group in kind.iter().take(MOST_PARTS) {
                take(&mut group.iter().cloned());
            }
        }
    }
    gone.sort();
    let words: Vec<String> = gone.iter().map(|part| text(check, part)).collect();
    (!words.is_empty()).then(|| format!("shows as often without {}", words.join(", ")))
}

/// Whether it shows without these: as one undisturbed run after the other tells of what is left
/// of the agent what it does by itself.
fn shows(course: Course<'_>, quick: &Runner<'_>, gone: &[Part], plan: &TrialPlan, found: &Found, rate: f64) -> bool {
    let check = without(quick.check, gone);
    let runner = Runner { check: &check, ..*quick };
    let Ok(learned) = control::observe(&runner, &()) else { return false };
    let fails = super::conclude::fails_undisturbed(&learned, &check).is_some();
    if fails || learned.kind != course.learned.kind || learned.found.iter().any(|one| one.is_like(found)) {
        return false;
    }
    let rules = Rules { kind: learned.kind, ..check.rules.clone() };
    let mut test = Sequential::keeps(rate);
    loop {
        let plans = vec![plan.clone(); course.jobs.clamp(2, 4)];
        let runs = in_parallel(&plans, course.jobs, course.go_on, &|_, plan| {
            let record = runner.alike(plan, &learned, Duration::ZERO).ok()?;
            let shown = runner.judge(plan, &record, &learned, &rules).found;
            Some(shown.iter().any(|one| found.is_like(one)))
        });
        if runs.iter().any(Option::is_none) {
            return false;
        }
        for shown in runs.into_iter().flatten() {
            if let Some(answer) = test.ran(shown == Some(true)) {
                return answer;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str]) -> Check {
        let mut check = Check::of_command(words.iter().map(OsString::from).collect(), Vec::new(), "/".into());
        check.own_variables = vec!["A".into(), "B".into()];
        check.environment = ["PATH", "A", "B"].map(|name| (name.into(), "x".into())).to_vec();
        check
    }

    #[test]
    fn an_option_goes_with_its_value() {
        let check = check(&["agent", "run", "--retries", "3", "-v"]);
        let arguments = groups(&check, None).swap_remove(0);
        let places = |group: &Vec<Part>| -> Vec<usize> {
            group.iter().map(|part| if let Part::Argument(place) = part { *place } else { 0 }).collect()
        };
        let places: Vec<Vec<usize>> = arguments.iter().map(places).collect();
        assert_eq!(places, [vec![2, 3], vec![4], vec![3], vec![2], vec![1]]);
    }

    #[test]
    fn what_is_taken_away_is_not_there() {
        let check = check(&["agent", "run", "-v"]);
        let less = without(&check, &[Part::Argument(2), Part::Variable("B".into())]);
        assert_eq!(less.command, ["agent", "run"]);
        let names: Vec<&OsString> = less.environment.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PATH", "A"]);
        assert_eq!(text(&check, &Part::Argument(2)), "the argument `-v`");
    }
}
