//! What an agent has where a trial terminates it, and is to give back: from the windows
//! of its control. Pure.

use super::control::Learned;
use super::sweep::SURE_WAIT;
use crate::audit::Resource;
use crate::model::{Point, PointSpec, SyscallPoint, TrialPlan};
use crate::windows::{Life, Map, Moment, Thing, Window, pattern_and_number};
use std::collections::BTreeSet;
use std::time::Duration;

/// What is made and given back within this time, with no wait between, nobody says to have.
const A_MOMENT: Duration = Duration::from_millis(100);

/// What an agent has where this plan terminates it first. None where no window says it.
pub(super) fn held(learned: &Learned, plan: &TrialPlan) -> Option<Vec<Resource>> {
    let map = learned.map.as_ref()?;
    let at: Vec<&Point> = plan.acts.first()?.at.iter().map(|PointSpec { point, .. }| point).collect();
    let (window, waits) = match at.as_slice() {
        [Point::Start] => (map.windows.first()?, false),
        [Point::Blocked { .. }] => (map.windows.first()?, true),
        [Point::Syscall(point)] => (window_at(map, learned.moments.as_deref(), point)?, false),
        [Point::Syscall(point), Point::Blocked { .. }] => (window_at(map, None, point)?, true),
        _ => return None,
    };
    // The thread may be found in a later wait. What is held at the beginning of the window
    // is asked for in another trial.
    if waits && window.wait.as_ref().is_none_or(|wait| wait.length < SURE_WAIT) {
        return Some(Vec::new());
    }
    Some(held_in(map, window))
}

/// The window that begins at this point, or that the moment lies in.
fn window_at<'a>(map: &'a Map, moments: Option<&[Moment]>, point: &SyscallPoint) -> Option<&'a Window> {
    let begins = |window: &&Window| window.opened.as_ref().is_some_and(|opening| opening.point == *point);
    let in_moments = || {
        let moment = moments?.iter().find(|moment| moment.point == *point)?;
        map.windows.get(map.window_of(moment))
    };
    map.windows.iter().find(begins).or_else(in_moments).or_else(|| only_one_alike(map, point))
}

/// The only window that begins so but for the pattern of the path: where two controls had a
/// random name in part in common, a further one gives the window another address.
fn only_one_alike<'a>(map: &'a Map, point: &SyscallPoint) -> Option<&'a Window> {
    let plain = |point: &SyscallPoint| SyscallPoint { pattern: None, ..point.clone() };
    let literal = |point: &SyscallPoint| Some(point.pattern.as_ref()?.split('*').next().unwrap_or_default().to_owned());
    let (wanted, begins) = (plain(point), literal(point)?);
    let is_alike = |other: &SyscallPoint| {
        let same = literal(other).is_some_and(|other| other.starts_with(&begins) || begins.starts_with(&other));
        same && plain(other) == wanted
    };
    let mut alike =
        map.windows.iter().filter(|window| window.opened.as_ref().is_some_and(|opening| is_alike(&opening.point)));
    alike.next().filter(|_| alike.next().is_none())
}

/// What is live in a window and is given back before the end.
fn held_in(map: &Map, window: &Window) -> Vec<Resource> {
    let sure = surely(map, window.number);
    let lives = |life: &&Life| match &life.thing {
        // Whether these were there a census of the trial tells.
        Thing::Process { .. } | Thing::Bound(_) => (life.first..=life.last).contains(&window.number),
        _ => life.first <= sure.0 && sure.1 <= life.last && !is_momentary(map, life),
    };
    let lives: Vec<&Life> = map.lives.iter().filter(lives).filter(|life| !map.kept.contains(&life.thing)).collect();
    let directories: BTreeSet<&str> = lives
        .iter()
        .filter_map(|life| match &life.thing {
            Thing::Directory(path) => Some(pattern_and_number(path).0),
            _ => None,
        })
        .collect();
    let mut resources: Vec<Resource> = lives
        .iter()
        .filter(|life| !is_of_a_child(map, life, window))
        .filter_map(|life| resource(&life.thing, map))
        .filter(|resource| !matches!(resource, Resource::Path { pattern, .. } if is_in(pattern, &directories)))
        .collect();
    resources.sort();
    resources.dedup();
    resources
}

/// The windows in which something has to be live to be surely live in this one: what
/// another process than the agent's own does may come sooner or later than what that does.
fn surely(map: &Map, number: usize) -> (usize, usize) {
    let is_own = |window: &Window| {
        window.opened.as_ref().is_none_or(|opening| opening.point.role.as_deref().is_none_or(|role| role == "0"))
    };
    if map.windows.get(number).is_none_or(is_own) {
        return (number, number);
    }
    let before = map.windows.iter().take(number).rev().find(|window| is_own(window));
    let after = map.windows.iter().skip(number + 1).find(|window| is_own(window));
    let last = map.windows.len().saturating_sub(1);
    (before.map_or(0, |window| window.number), after.map_or(last, |window| window.number))
}

/// Whether a thing is made and given back at one go, in which nobody waits: a library that
/// looks whether it can write somewhere, a file that is written and moved into place.
fn is_momentary(map: &Map, life: &Life) -> bool {
    let windows = map.windows.iter().skip(life.first).take(life.last + 1 - life.first);
    let mut waits = windows.filter(|window| window.wait.is_some());
    let began = map.windows.get(life.first).map_or(Duration::ZERO, |window| window.at);
    let ended = map.windows.get(life.last + 1).map_or(map.end, |window| window.at);
    waits.next().is_none() && ended.saturating_sub(began) < A_MOMENT
}

/// Whether a child of the agent made it that still runs: it is the child's.
fn is_of_a_child(map: &Map, life: &Life, window: &Window) -> bool {
    if matches!(life.thing, Thing::Process { .. }) {
        return false;
    }
    map.maker(life).is_some_and(|maker| {
        let runs = |thing: &Thing| matches!(thing, Thing::Process { role, .. } if role == maker.role);
        maker.role != "0" && window.live.iter().any(runs)
    })
}

/// Whether a path lies in one of these directories: it goes with that.
fn is_in(path: &str, directories: &BTreeSet<&str>) -> bool {
    let above = path.rmatch_indices('/').map(|(at, _)| path.get(..at).unwrap_or_default());
    above.into_iter().any(|above| directories.contains(above))
}

/// A thing as a resource that somebody can be said to release. Locks and connections end
/// with their process; an object of System V has another number in each run.
fn resource(thing: &Thing, map: &Map) -> Option<Resource> {
    let path = |kind: &'static str, name: &str| {
        let (pattern, number) = pattern_and_number(name);
        Some(Resource::Path { kind, pattern: pattern.to_owned(), number })
    };
    match thing {
        Thing::File(name) => path("file", name),
        Thing::Directory(name) => path("directory", name),
        Thing::Fifo(name) => path("named pipe", name),
        Thing::Socket(name) => path("socket", name),
        Thing::Bound(address) if address.starts_with('@') => Some(Resource::Abstract(address.clone())),
        Thing::Bound(address) => Some(Resource::Port(address.rsplit_once(':')?.1.parse().ok()?)),
        Thing::Process { role, .. } if role.matches('.').count() == 1 => {
            Some(Resource::Child { role: role.clone(), command: runs(role, map)?.to_owned() })
        }
        _ => None,
    }
}

/// What a process runs in the end: it starts as a copy of its parent.
fn runs<'a>(role: &str, map: &'a Map) -> Option<&'a str> {
    map.lives.iter().rev().find_map(|life| match &life.thing {
        Thing::Process { role: other, command } if other == role => Some(command.as_str()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
