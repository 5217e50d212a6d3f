//! The default set of trials: from what the control showed. Pure.

use super::control::Learned;
use crate::model::{Act, Injection, Point, PointSpec, Stdin, TrialPlan, format_span};
use crate::scenario::Kind;
use std::time::Duration;

/// One trial to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which moment this is, in a word or two.
    pub label: String,
    /// The plan.
    pub plan: TrialPlan,
    /// Whether its findings are told as information only.
    pub informational: bool,
}

/// What the default set is made for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The only injection, if one was asked for; else TERM and what else ends programs.
    pub send: Option<Injection>,
    /// From the last injection to the KILL.
    pub grace: Duration,
    /// Whether the agent has a terminal.
    pub pty: bool,
    /// Whether the agent is PID 1.
    pub pid1: bool,
    /// Where a server is ready, if that was declared.
    pub ready: Option<PointSpec>,
}

/// Plans of earlier runs, to be made again; `label` says where they come from.
pub(super) fn known<'a>(
    label: &'a str,
    plans: &'a [TrialPlan],
    learned: &'a Learned,
) -> impl Iterator<Item = Planned> + 'a {
    plans.iter().map(move |plan| Planned {
        label: label.to_owned(),
        plan: TrialPlan { stdin: learned.stdin.clone(), ..plan.clone() },
        informational: false,
    })
}

/// At most so many output lines get a trial of their own.
const LINES: usize = 4;

fn injection(text: &str) -> Injection {
    text.parse().expect("written here, and every one is used by a test")
}

fn at(point: Point) -> Vec<PointSpec> {
    vec![PointSpec { relative: false, point }]
}

/// The point of an output line: its text with numbers left open, and its ordinal
/// among the lines that match that.
fn line_point(lines: &[String], index: usize) -> Option<Point> {
    let pattern = line_pattern(lines.get(index)?)?;
    let regex = regex::Regex::new(&pattern).ok()?;
    let nth = lines.iter().take(index + 1).filter(|line| regex.is_match(line)).count();
    Some(Point::Output { pattern, nth: u32::try_from(nth).ok()? })
}

fn line_pattern(line: &str) -> Option<String> {
    let line: String = line.chars().take(60).collect();
    let plain = !line.trim().is_empty() && !line.chars().any(|letter| letter.is_control() || letter == '\u{fffd}');
    plain.then(|| {
        let mut pattern = String::from("^");
        let mut digits = false;
        for letter in line.chars() {
            if letter.is_ascii_digit() {
                if !digits {
                    pattern.push_str("[0-9]+");
                }
                digits = true;
            } else {
                digits = false;
                pattern.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
            }
        }
        pattern
    })
}

/// Up to `LINES` lines spread over the output, the first and the last among them.
pub(super) fn line_points(lines: &[String]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for index in 0..lines.len() {
        if let Some(point) = line_point(lines, index).filter(|point| !points.contains(point)) {
            points.push(point);
        }
    }
    let count = points.len();
    if count <= LINES {
        return points;
    }
    (0..LINES).filter_map(|step| points.get(step * (count - 1) / (LINES - 1)).cloned()).collect()
}

/// The default set: at the start, while it runs, at its output, at its end or at
/// rest; by TERM, Ctrl-C, Ctrl-C twice, the end of its input, the death of its
/// parent; and by KILL for information. What was asked for is the only injection.
pub fn default_set(learned: &Learned, wanted: &Wanted) -> Vec<Planned> {
    let mut set: Vec<Planned> = Vec::new();
    let mut add = |label: &str, points: Vec<PointSpec>, send: &Injection, grace: Duration, informational: bool| {
        let plan = TrialPlan {
            acts: vec![Act { at: points, send: send.clone() }],
            grace,
            stdin: learned.stdin.clone(),
            pty: wanted.pty,
            pid1: wanted.pid1,
            noise: crate::model::Noise::NONE,
        };
        if !set.iter().any(|planned| planned.plan == plan) {
            set.push(Planned { label: label.to_owned(), plan, informational });
        }
    };
    let grace = wanted.grace;
    let send = wanted.send.clone().unwrap_or_else(Injection::usual);
    let fraction = |percent: u32| Point::Time(round(learned.duration * percent / 100));
    let rest = match (&wanted.ready, learned.kind) {
        (Some(ready), _) => vec![ready.clone()],
        (None, Kind::Job) => at(fraction(50)),
        (None, _) => at(learned.rest.clone()),
    };
    let lines = line_points(&learned.lines);
    // A line is a surer place than a time: the middle one, where there is one.
    let middle = match lines.get(lines.len() / 2) {
        Some(line) if learned.kind == Kind::Job => at(line.clone()),
        _ => rest.clone(),
    };

    if learned.kind != Kind::Job {
        add("at rest", rest, &send, grace, false);
    }
    for line in &lines {
        add("at a line", at(line.clone()), &send, grace, false);
    }
    add("at the start", at(Point::Start), &send, grace, false);
    for percent in [50, 25, 75] {
        add("while it runs", at(fraction(percent)), &send, grace, false);
    }
    if learned.kind == Kind::Job {
        add("near the end", at(fraction(95)), &send, grace, false);
    }
    if wanted.send.is_some() {
        return set;
    }
    // A terminal sends it to the whole foreground group: a shell relies on its children getting it too.
    add("Ctrl-C", middle.clone(), &injection("INT@group"), grace, false);
    add("Ctrl-C twice", middle.clone(), &injection("INT@group,100ms,INT@group"), grace, false);
    // Without a signal a job may end when its work is done, so it gets the time for that.
    let patient = if learned.kind == Kind::Job { grace + round(learned.duration * 2) } else { grace };
    if learned.kind == Kind::Session {
        add("its input ends", middle.clone(), &injection("stdin-eof"), grace, false);
        add("its input ends at the start", at(Point::Start), &injection("stdin-eof"), grace, false);
    }
    if wanted.pty {
        add("its terminal closes", middle.clone(), &injection("pty-hangup"), patient, false);
    } else if !wanted.pid1 {
        add("its parent dies", middle.clone(), &injection("parent-death"), patient, false);
    }
    add("killed, for information", middle, &injection("KILL"), grace, true);
    set
}

/// To the millisecond: tokens and tables stay readable.
fn round(span: Duration) -> Duration {
    Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).max(Duration::from_millis(1))
}

/// Moves the times of a plan to the same share of a shorter run.
pub(super) fn quicken(plan: &mut TrialPlan, known: Duration, took: Duration) {
    if known.is_zero() || took >= known {
        return;
    }
    for spec in plan.acts.iter_mut().flat_map(|act| &mut act.at) {
        if let Point::Time(span) = &mut spec.point {
            *span = round(span.mul_f64(took.as_secs_f64() / known.as_secs_f64()));
        }
    }
}

/// What was not tried, and why, for the report.
pub(super) fn left_out(learned: &Learned, pty: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if learned.kind != Kind::Session {
        let why = match &learned.stdin {
            _ if pty => "on a terminal that is a key; --kind session tries it",
            Stdin::Closed => "it does not wait for input",
            _ => "it does not end with its input",
        };
        notes.push(format!("not tried: the end of its input ({why})"));
    }
    if learned.kind == Kind::Server && !learned.listens {
        notes.push(format!(
            "the agent did not end by itself{}; taken for a server",
            if learned.rest == Point::Idle {
                format!(", was at rest after {} and stayed so", format_span(round(learned.duration)))
            } else {
                " and was never at rest".to_owned()
            }
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
