//! What happened in one trial, moment by moment. Pure.

use crate::driver::{Action, Event, Occasion, Timer};
use crate::model::{Deed, Disposition, Known, LockType, Recording, Seen, Signal};
use crate::trial::{TrialRecord, What};
use quietus_reports::Moment;
use std::time::Duration;

/// What happened in a trial, in order. Of what the agent did, `most` before the injection and
/// as many after it.
pub fn moments(record: &TrialRecord, most: usize) -> Vec<Moment> {
    let mut lines: Vec<(Duration, String)> =
        record.timeline.iter().filter_map(|moment| Some((moment.at, line(&moment.what)?))).collect();
    let evidence = &record.evidence;
    lines.extend(evidence.output.lines.iter().map(|(at, said)| (*at, format!("the agent wrote: {said}"))));
    match &evidence.recording {
        Some(recording) => lines.extend(deeds(recording, evidence.injected_at, most)),
        None => {
            lines.extend(evidence.reaped.iter().map(|one| (one.at, format!("pid {} ended: {}", one.pid, one.ended))))
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    let since = |at: Duration| evidence.injected_at.and_then(|injected| at.checked_sub(injected)).map(micros);
    lines.into_iter().map(|(at, what)| Moment { at_us: micros(at), since_us: since(at), what }).collect()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn line(what: &What) -> Option<String> {
    Some(match what {
        What::Happened(Event::Started) => "the agent runs".to_owned(),
        What::Happened(Event::Reached(usize::MAX)) => return None,
        What::Happened(Event::Reached(_)) => "the point is reached".to_owned(),
        What::Happened(Event::LeaderEnded(ended)) => format!("the agent ended: {ended}"),
        What::Happened(Event::Quiet) => "no process of the agent is left".to_owned(),
        What::Happened(Event::Looked(look)) => {
            let alive = match look.alive {
                1 => "1 process is alive".to_owned(),
                more => format!("{more} processes are alive"),
            };
            format!("{alive}{}", if look.busy { ", not all at rest" } else { "" })
        }
        What::Happened(Event::Timer(timer)) => over(*timer).to_owned(),
        What::Happened(Event::Lost(why)) => format!("lost: {why}"),
        What::Happened(Event::Interrupted) => "interrupted".to_owned(),
        What::Did(Action::Inject(step)) => format!("injected {step}"),
        What::Did(Action::KillLeader) => "SIGKILL: the grace is over".to_owned(),
        What::Did(Action::Arm { spec, .. }) => format!("waiting for {spec}"),
        What::Did(Action::Census(occasion)) => format!("census {}", when(*occasion)),
        What::Did(Action::Start | Action::SetTimer(..) | Action::AwaitQuiet) => return None,
    })
}

/// Which time is over.
const fn over(timer: Timer) -> &'static str {
    match timer {
        Timer::Reach => "the time to reach the point is over",
        Timer::Wait => "the wait between two steps is over",
        Timer::Grace => "the grace is over",
        Timer::Next => "the time to reach the next point is over",
        Timer::Die => "the time to die of the KILL is over",
        Timer::Settle => "the time to settle is over",
        Timer::Linger => "the time that survivors had is over",
        Timer::Horizon => "the time for an undisturbed run is over",
        Timer::Recheck => "it is looked again whether it rests",
    }
}

/// When all that is there was looked at.
const fn when(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Idle => "at rest",
        Occasion::Injection => "before the injection",
        Occasion::GraceEnd => "at the end of the grace",
        Occasion::Settled => "after the time to settle",
        Occasion::Lingered => "after the time that survivors had",
    }
}

/// glibc takes these for itself (signal(7)): the agent does not know of them.
const OF_THE_C_LIBRARY: [i32; 2] = [32, 33];

/// What the agent's processes did that makes, changes or gives up something: the last
/// before the injection, and the first after it.
fn deeds(recording: &Recording, injected: Option<Duration>, most: usize) -> Vec<(Duration, String)> {
    let told = recording.seen.iter().filter_map(|seen| Some((seen.ended.unwrap_or(seen.began), deed(seen)?)));
    let split = injected.unwrap_or(Duration::MAX);
    let (mut before, mut after): (Vec<_>, Vec<_>) = told.partition(|(at, _)| *at < split);
    if let Some(more) = before.len().checked_sub(most).filter(|more| *more > 0) {
        before.drain(..more);
        let first = before.first().map_or(split, |(at, _)| *at);
        before.insert(0, (first, format!("({more} more before this)")));
    }
    if let Some(more) = after.len().checked_sub(most).filter(|more| *more > 0) {
        after.truncate(most);
        let last = after.last().map_or(split, |(at, _)| *at);
        after.push((last, format!("({more} more after this)")));
    }
    before.append(&mut after);
    before
}

/// One of them in words: which process, which call, on what.
fn deed(seen: &Seen) -> Option<String> {
    let call = match &seen.what {
        Deed::Ended(ended) => return Some(format!("[{}] ended: {ended}", seen.role)),
        Deed::Call(call) => call,
    };
    let about = call.subjects.join(" → ");
    let what = match (call.name.as_str(), &call.known) {
        (_, Known::Born { role, .. }) => format!("process {role} is started"),
        ("execve" | "execveat", Known::Program(words)) => format!("runs {}", words.join(" ")),
        ("rt_sigaction", Known::Disposition(does, _)) => {
            let number = call.arguments[0] as i32;
            if OF_THE_C_LIBRARY.contains(&number) {
                return None;
            }
            let signal =
                Signal::from_number(number).map_or_else(|| format!("signal {number}"), |signal| signal.to_string());
            match does {
                Disposition::Handled => format!("handles {signal}"),
                Disposition::Ignored => format!("ignores {signal}"),
                Disposition::Default => format!("leaves {signal} to its default action"),
            }
        }
        (_, Known::Lock(LockType::None)) => format!("unlocks {about}"),
        (_, Known::Lock(_)) => format!("locks {about}"),
        (
            "unlink" | "unlinkat" | "rmdir" | "rename" | "renameat" | "renameat2" | "listen" | "setsid" | "setpgid",
            _,
        ) => {
            format!("{} {about}", call.name)
        }
        _ if call.makes() => format!("{} {about}", call.name),
        _ if call.written().is_some_and(|path| path.starts_with('/')) => format!("{} {about}", call.name),
        _ => return None,
    };
    let line = call.line.as_ref().map(|line| format!(" ({line})")).unwrap_or_default();
    let failed = match call.result {
        Some(result) if !call.succeeded() => {
            let errno = i32::try_from(-result).unwrap_or(0);
            let error = std::io::Error::from_raw_os_error(errno).to_string();
            format!(": {}", error.split(" (os error").next().unwrap_or_default())
        }
        Some(_) => String::new(),
        None => ": it never returned".to_owned(),
    };
    Some(format!("[{}] {}{line}{failed}", seen.role, what.trim_end()))
}
