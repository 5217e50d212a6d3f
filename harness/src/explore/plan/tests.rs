//! The default set for each kind of agent.

use super::*;
use crate::audit::Expected;

fn learned(kind: Kind, lines: &[&str]) -> Learned {
    Learned {
        kind,
        listens: kind == Kind::Server,
        uses_ports: false,
        stdin: if kind == Kind::Session { Stdin::Open } else { Stdin::Closed },
        duration: Duration::from_millis(400),
        rest: Point::Idle,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        last_line: None,
        expected: Expected::default(),
        found: Vec::new(),
        control: quietus_reports::Control { runs: 2, duration_us: 0, ended: String::new(), leaves: Vec::new() },
        map: None,
        recorded: None,
        moments: None,
        about_states: Vec::new(),
    }
}

fn shown(kind: Kind, lines: &[&str], pty: bool, pid1: bool) -> String {
    let wanted = Wanted { send: None, grace: Duration::from_secs(5), pty, pid1, ready: None };
    let set = default_set(&learned(kind, lines), &wanted);
    set.iter()
        .map(|one| {
            format!(
                "{} at {} ({}){}\n",
                one.plan.injection_text(),
                one.plan.point_text(),
                one.label,
                if one.informational { " informational" } else { "" }
            )
        })
        .collect()
}

#[test]
fn each_kind_has_its_moments() {
    let lines = ["ready", "step 1 of 3", "step 2 of 3", "", "\x1b[31mred", "done (ok)"];
    insta::assert_snapshot!("job", shown(Kind::Job, &lines, false, false));
    insta::assert_snapshot!("server", shown(Kind::Server, &["listening on 8080"], false, true));
    insta::assert_snapshot!("session_on_a_terminal", shown(Kind::Session, &[], true, false));
}

#[test]
fn what_was_asked_for_is_the_only_injection() {
    let send = injection("INT,1s,TERM");
    let wanted =
        Wanted { send: Some(send.clone()), grace: Duration::from_secs(5), pty: false, pid1: false, ready: None };
    for kind in [Kind::Job, Kind::Server, Kind::Session] {
        let set = default_set(&learned(kind, &["ready"]), &wanted);
        assert!(set.len() > 3);
        assert!(set.iter().all(|one| one.plan.acts.iter().all(|act| act.send == send) && !one.informational));
    }
}

#[test]
fn a_line_is_found_again_whatever_its_numbers() {
    let lines: Vec<String> = ["pid 17 up", "pid 4 up", "other", "pid 99 up"].map(str::to_owned).into();
    assert_eq!(line_point(&lines, 3).map(|point| point.to_string()).as_deref(), Some("output:/^pid [0-9]+ up/#3"));
    assert_eq!(line_point(&lines, 2).map(|point| point.to_string()).as_deref(), Some("output:/^other/"));
    assert_eq!(line_point(&lines, 9), None);
}

#[test]
fn no_trial_is_planned_twice() {
    let text = shown(Kind::Job, &["same", "same", "same"], false, false);
    let mut lines: Vec<&str> = text.lines().map(|line| line.split(" (").next().unwrap_or(line)).collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count, "{text}");
}
