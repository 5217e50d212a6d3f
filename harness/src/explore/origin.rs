//! Who made what was found, and where in its code: from the recorded control. Pure.

use crate::audit::MAKER_UNKNOWN;
use crate::model::{Call, Known, Recording};
use crate::windows::{Life, Map, Thing};
use quietus_reports::fingerprint::normalise;
use quietus_reports::{Code, Finding, Origin};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Of more places than these it is not said that it was one of them.
const MOST_LINES: usize = 3;

/// Says of a finding who made what was left, when, and on which line.
pub(super) fn trace_to_maker(finding: &mut Finding, map: &Map, recording: &Recording, agent: &[OsString]) {
    match finding.code {
        Code::OrphanProcess => trace_process(finding, map, recording),
        // Those of POSIX are files.
        _ if finding.subject.starts_with("/dev/shm/") => trace_path(finding, map, recording, agent),
        Code::ShmSegment | Code::Semaphore | Code::MessageQueue => trace_object(finding, recording),
        _ => trace_path(finding, map, recording, agent),
    }
}

/// The windows in which a finding was seen, as far as its points are those of windows.
fn seen_in(finding: &Finding, map: &Map) -> BTreeSet<usize> {
    let points = finding.points.iter().filter_map(|place| Some(place.split_once(" at ")?.1));
    let window = |point: &str| {
        let opened_by =
            |text: &str| point.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with(','));
        let opening = map.windows.iter().find(|window| match &window.opened {
            Some(opening) => opened_by(&format!("syscall:{}", opening.point)),
            None => opened_by("start"),
        });
        opening.map(|window| window.number)
    };
    points.filter_map(window).collect()
}

/// Of several lives of one name those that lasted when the finding was seen; all where
/// that cannot be told.
fn lived<'a>(lives: Vec<&'a Life>, seen: &BTreeSet<usize>) -> Vec<&'a Life> {
    let then = |life: &&Life| seen.range(life.first..=life.last).next().is_some();
    let lasted: Vec<&Life> = lives.iter().copied().filter(then).collect();
    if lasted.is_empty() { lives } else { lasted }
}

/// One place, or the few that it may have been. None if one of them is not known: it
/// could be that one.
fn one_of(lines: impl Iterator<Item = Option<String>>) -> Option<String> {
    let lines: BTreeSet<String> = lines.collect::<Option<_>>()?;
    (1..=MOST_LINES).contains(&lines.len()).then(|| Vec::from_iter(lines).join(" or "))
}

/// The call by which a life began, if that is what made the path.
fn beginning<'a>(recording: &'a Recording, map: &Map, life: &Life) -> Option<&'a Call> {
    let call = recording.seen.get(map.maker(life)?.index)?.call()?;
    call.subjects.iter().any(|subject| life.thing.is_at(subject)).then_some(call)
}

/// Of several lives those whose path was of the same form in the recording, if any was.
fn alike<'a>(lives: Vec<&'a Life>, path: &str, map: &Map, recording: &Recording) -> Vec<&'a Life> {
    let form = normalise(path);
    let is_alike = |life: &&Life| {
        let call = beginning(recording, map, life);
        call.is_some_and(|call| call.subjects.iter().any(|subject| normalise(subject) == form))
    };
    let same: Vec<&Life> = lives.iter().copied().filter(is_alike).collect();
    if same.is_empty() { lives } else { same }
}

fn trace_path(finding: &mut Finding, map: &Map, recording: &Recording, agent: &[OsString]) {
    let subject = finding.subject.clone();
    let lives = alike(map.lives_of(&subject), &subject, map, recording);
    let lives = lived(lives, &seen_in(finding, map));
    let Some((life, maker)) = lives.first().and_then(|life| Some((*life, map.maker(life)?))) else { return };
    let command = match maker.command {
        Some(command) => command.to_owned(),
        None => agent.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "),
    };
    let line = one_of(lives.iter().map(|life| beginning(recording, map, life)?.line.clone()));
    finding.origin = Some(Origin { role: maker.role.to_owned(), command, source: Some(maker.call.to_owned()), line });
    finding.evidence.retain(|line| line != MAKER_UNKNOWN);
    let last = map.windows.len().saturating_sub(1);
    let until = if life.last == last { "to the end".to_owned() } else { format!("to window {}", life.last) };
    finding.life = Some(format!("made in window {}, live {until} of {last}", life.first));
}

/// Who is left has a parent already; what is added is where that started it.
fn trace_process(finding: &mut Finding, map: &Map, recording: &Recording) {
    let Some(origin) = &finding.origin else { return };
    let is_it = |thing: &Thing| match thing {
        Thing::Process { role, command } => {
            *command == finding.subject && role.rsplit_once('.').is_some_and(|(parent, _)| parent == origin.role)
        }
        _ => false,
    };
    let lives = map.lives.iter().filter(|life| is_it(&life.thing)).collect();
    let roles: Vec<&str> = lived(lives, &seen_in(finding, map))
        .iter()
        .filter_map(|life| match &life.thing {
            Thing::Process { role, .. } => Some(role.as_str()),
            _ => None,
        })
        .collect();
    let birth = |wanted: &&str| -> Option<&Call> {
        let calls = recording.seen.iter().filter_map(|seen| seen.call());
        calls.into_iter().find(|call| matches!(&call.known, Known::Born { role, .. } if role == wanted))
    };
    let births: Option<Vec<&Call>> = roles.iter().map(birth).collect();
    if let (Some(births), Some(origin)) = (births, &mut finding.origin) {
        origin.line = one_of(births.iter().map(|call| call.line.clone()));
        origin.source = births.first().map(|call| call.name.clone());
    }
}

/// An object has another number in each run: its line is known where there is one only.
fn trace_object(finding: &mut Finding, recording: &Recording) {
    let name = match finding.code {
        Code::ShmSegment => "shmget",
        Code::Semaphore => "semget",
        _ if finding.subject.starts_with("System V") => "msgget",
        _ => "mq_open",
    };
    let calls = recording.seen.iter().filter_map(|seen| Some((seen, seen.call()?)));
    let made: Vec<_> = calls.filter(|(_, call)| call.name == name && call.succeeded() && call.makes()).collect();
    let (Some((maker, _)), Some(origin)) = (made.first(), &mut finding.origin) else { return };
    // Made by another than the one who is named, it has no line here.
    if made.iter().all(|(seen, _)| seen.role == maker.role) && maker.role == origin.role {
        origin.line = one_of(made.iter().map(|(_, call)| call.line.clone()));
        origin.source = Some(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Deed, Seen};
    use crate::windows::windows;
    use quietus_reports::Severity;
    use std::time::Duration;

    fn call(name: &str, path: &str, line: Option<&str>, known: Known) -> Call {
        Call {
            name: name.to_owned(),
            arguments: [0, 0, (libc::O_CREAT | libc::O_WRONLY) as u64, 0, 0, 0],
            subjects: vec![path.to_owned()],
            socket: None,
            result: Some(3),
            known,
            line: line.map(str::to_owned),
        }
    }

    fn makes(path: &str, line: Option<&str>) -> Call {
        call("openat", path, line, Known::Existed(false))
    }

    fn unlinks(path: &str) -> Call {
        call("unlink", path, None, Known::Nothing)
    }

    fn recording(calls: Vec<Call>) -> Recording {
        let seen = calls.into_iter().zip(1..).map(|(call, at)| Seen {
            role: "0".to_owned(),
            thread: 0,
            began: Duration::from_millis(at),
            ended: Some(Duration::from_millis(at)),
            what: Deed::Call(call),
        });
        Recording { seen: seen.collect(), end: Duration::from_secs(1), ..Recording::default() }
    }

    /// What is said of a file that is left when the agent is killed at these points.
    fn line(one: Vec<Call>, other: Vec<Call>, subject: &str, points: &[&str]) -> Option<String> {
        finding(Code::TempFile, one, other, subject, points).origin?.line
    }

    fn finding(code: Code, one: Vec<Call>, other: Vec<Call>, subject: &str, points: &[&str]) -> Finding {
        let (one, other) = (recording(one), recording(other));
        let map = windows(&one, &other, Duration::MAX);
        let mut finding = Finding {
            code,
            severity: Severity::Error,
            fingerprint: String::new(),
            title: String::new(),
            subject: subject.to_owned(),
            origin: None,
            life: None,
            points: points.iter().map(|point| format!("KILL at {point}")).collect(),
            hits: 1,
            tried: 1,
            confirmed: None,
            cause: None,
            evidence: Vec::new(),
            timeline: Vec::new(),
            accepted: None,
            token: String::new(),
            replay: String::new(),
        };
        trace_to_maker(&mut finding, &map, &one, &[]);
        finding
    }

    #[test]
    fn the_line_is_that_of_the_call_that_made_it() {
        let run =
            || vec![makes("/tmp/a", Some("a.c:1 in f")), makes("/tmp/b", Some("a.c:2 in g")), makes("/tmp/c", None)];
        assert_eq!(line(run(), run(), "/tmp/b", &[]).as_deref(), Some("a.c:2 in g"));
        assert_eq!(line(run(), run(), "/tmp/c", &[]), None);
        assert_eq!(line(run(), run(), "/tmp/d", &[]), None);
    }

    #[test]
    fn of_several_of_one_name_the_one_that_lived_then_is_named() {
        let run = || {
            let (first, second) = (makes("/tmp/a", Some("a.c:1 in f")), makes("/tmp/a", Some("a.c:2 in g")));
            vec![first, unlinks("/tmp/a"), second, unlinks("/tmp/a")]
        };
        let at = |nth: &str| line(run(), run(), "/tmp/a", &[&format!("syscall:[0]openat@exit(/tmp/a){nth}")]);
        assert_eq!(at("").as_deref(), Some("a.c:1 in f"));
        assert_eq!(at("#2").as_deref(), Some("a.c:2 in g"));
        assert_eq!(at("#9").as_deref(), Some("a.c:1 in f or a.c:2 in g"));
    }

    #[test]
    fn a_posix_object_is_a_file_and_none_of_system_v() {
        let other = Call { arguments: [0; 6], ..call("shmget", "", Some("a.c:9 in h"), Known::Nothing) };
        let run = || vec![other.clone(), makes("/dev/shm/a", Some("a.c:1 in f"))];
        let finding = finding(Code::ShmSegment, run(), run(), "/dev/shm/a", &[]);
        assert_eq!(finding.origin.and_then(|origin| origin.line).as_deref(), Some("a.c:1 in f"));
        assert!(finding.life.is_some());
    }

    #[test]
    fn where_it_may_have_been_a_line_that_is_not_known_none_is_named() {
        let run = || {
            let (first, second) = (makes("/tmp/a", Some("a.c:1 in f")), makes("/tmp/a", None));
            vec![first, unlinks("/tmp/a"), second, unlinks("/tmp/a")]
        };
        assert_eq!(line(run(), run(), "/tmp/a", &[]), None);
    }
}
