//! From what the controls showed to what plans at random are made of. Pure.

use super::check::Check;
use super::control::Learned;
use super::plan::line_points;
use crate::fuzz::{Place, Space};
use crate::model::{Injection, Point, PointSpec, Side, Step, TrialPlan, WAITS};
use crate::scenario::Kind;
use std::collections::BTreeSet;
use std::time::Duration;

/// How much more often the moment right after something came or went is chosen than any
/// other, the one right before that, the one right before a wait, in which what was looked at
/// may have changed, and the first and last places that always are.
const EDGE: u32 = 24;
const BEFORE: u32 = 8;
const WAIT: u32 = 6;
const ANY: u32 = 1;
const KNOWN: u32 = 6;

/// No more places than that: of those that are no edges as many as fit.
const MOST_PLACES: usize = 4096;

/// An agent that runs longer is not left to notice that its parent is gone: each such trial
/// would take as long as its work.
const SHORT: Duration = Duration::from_secs(4);

/// What the plans for this agent are made of.
pub(super) fn space(check: &Check, learned: &Learned, traced: bool) -> Space {
    let scale = Space::scale_of(learned.duration);
    let single = |point: Point, weight| Place { at: vec![PointSpec { relative: false, point }], weight, window: None };
    let mut places = vec![Place { window: learned.map.as_ref().map(|_| 0), ..single(Point::Start, KNOWN) }];
    places.extend(of_calls(learned));
    if places.len() == 1 {
        places.extend(line_points(&learned.lines).into_iter().map(|point| single(point, KNOWN)));
    }
    if learned.kind != Kind::Job {
        let rest = check.ready.clone().unwrap_or(PointSpec { relative: false, point: learned.rest.clone() });
        places.push(Place { at: vec![rest], weight: EDGE * 2, window: None });
    }
    let grace = check.grace + if learned.kind == Kind::Job { scale.min(SHORT) } else { Duration::ZERO };
    let base = TrialPlan {
        acts: Vec::new(),
        grace,
        stdin: learned.stdin.clone(),
        pty: check.pty,
        pid1: check.pid1,
        noise: crate::model::Noise::NONE,
    };
    let stalls = check.services.iter().map(|service| Step::Stall(service.name.clone())).collect();
    Space { places, sends: sends(check, learned, scale), stalls, after: Vec::new(), scale, traced, base }
}

/// The moments before and after each call that was recorded, the edges of windows above all.
fn of_calls(learned: &Learned) -> Vec<Place> {
    let (Some(map), Some(moments)) = (&learned.map, &learned.moments) else { return Vec::new() };
    let edges: BTreeSet<usize> =
        map.windows.iter().filter_map(|window| window.opened.as_ref()).map(|opening| opening.index).collect();
    let is_edge = |index: usize| edges.contains(&index);
    let others = moments.iter().filter(|moment| !is_edge(moment.index)).count();
    let room = MOST_PLACES.saturating_sub(moments.len() - others).max(1);
    let each = others.div_ceil(room).max(1);
    // All others together are chosen no more often than the edges.
    let more = u32::try_from(others / each / (edges.len().max(1) * (EDGE + BEFORE) as usize)).unwrap_or(0).max(1);
    let chosen = moments.iter().enumerate().filter(|(place, moment)| is_edge(moment.index) || place % each == 0);
    let place = |(_, moment): (usize, &crate::windows::Moment)| Place {
        at: vec![PointSpec { relative: false, point: Point::Syscall(moment.point.clone()) }],
        weight: match (is_edge(moment.index), moment.point.side) {
            (true, Side::Exit) => EDGE * more,
            (true, Side::Enter) => BEFORE * more,
            (false, Side::Enter) if waits(&moment.point.name) => WAIT,
            (false, _) => ANY,
        },
        window: Some(map.window_of(moment)),
    };
    // How the calls of several processes follow each other differs from run to run.
    let mut places: Vec<(Option<String>, Place)> =
        chosen.map(|(nth, moment)| (moment.point.role.clone(), place((nth, moment)))).collect();
    places.sort_by(|(one, _), (other, _)| one.cmp(other));
    places.into_iter().map(|(_, place)| place).collect()
}

/// Whether one may wait for another in it. Reads are mostly of files, and there are many.
fn waits(name: &str) -> bool {
    WAITS.contains(&name) && !name.starts_with("read") && name != "fcntl"
}

/// What may be done to it: what was asked for, and the steps of that; or what ends programs.
fn sends(check: &Check, learned: &Learned, scale: Duration) -> Vec<Injection> {
    let single = |step: Step| Injection::new(vec![step]).ok();
    let mut sends: Vec<Injection> = match &check.send {
        Some(send) => {
            let steps = send.steps().iter().filter(|step| step.acts()).cloned();
            steps.filter_map(single).chain([send.clone()]).collect()
        }
        None => {
            let mut words = vec!["TERM", "INT", "INT@group", "TERM@all"];
            if learned.kind == Kind::Session {
                words.push("stdin-eof");
            }
            if check.pty {
                words.push("pty-hangup");
            } else if !check.pid1 && (scale <= SHORT || learned.kind != Kind::Job) {
                words.push("parent-death");
            }
            words.into_iter().filter_map(|word| word.parse().ok()).collect()
        }
    };
    let mut known = Vec::new();
    sends.retain(|send| {
        let is_new = !known.contains(send);
        known.push(send.clone());
        is_new
    });
    sends
}
