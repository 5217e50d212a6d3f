//! Why a termination left what it left, as far as the windows tell. Pure.

use crate::model::{Injection, Pattern, Signal, Step, Target};
use crate::windows::{Map, Prediction, Window};
use quietus_reports::{Code, Finding, Group, Severity};
use std::collections::BTreeSet;

/// Says of what was left that the signal ended the agent by its default action: since
/// it has no handler, not yet, or no more. `seen` are the windows in which it was left.
/// The same of a line that was not written (`lines` are those demanded): that nobody can
/// write it before there is a handler is a warning.
pub(super) fn blame(finding: &mut Finding, map: &Map, send: &Injection, seen: &BTreeSet<usize>, lines: &[Pattern]) {
    let [Step::Signal(signal, Target::Leader | Target::Group)] = send.steps() else { return };
    let is_silent = finding.code == Code::CleanupNotLogged;
    let about_ending = matches!(finding.code.group(), Group::Ending | Group::Descriptors);
    if !is_silent && (finding.cause.is_some() || about_ending) || *signal == Signal::KILL {
        return;
    }
    let ends = |window: &Window| matches!(map.predict(window, *signal), Prediction::Leaks(_) | Prediction::Mapped(_));
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return };
    if !seen.iter().all(|number| map.windows.get(*number).is_some_and(ends)) {
        return;
    }
    let handles = |window: &&Window| matches!(map.predict(window, *signal), Prediction::Handled(_));
    let before = map.windows.iter().take(*first).rev().find(handles);
    let after = map.windows.iter().skip(last + 1).find(handles);
    if is_silent && before.is_none() && after.is_some() && lines.iter().any(|line| line.as_str() == finding.subject) {
        finding.severity = finding.severity.min(Severity::Warn);
    }
    let cause = match (before, after) {
        (None, None) if !map.windows.iter().any(|window| handles(&window)) => {
            Some(format!("SIG{signal} has its default action all the time: the agent ends without cleaning up"))
        }
        (None, Some(set)) => Some(format!(
            "SIG{signal} has its default action until window {}, in which the agent handles it: this is there before",
            set.number
        )),
        (Some(unset), None) => Some(format!(
            "SIG{signal} has its default action again after window {}: this is still there then",
            unset.number
        )),
        _ => None,
    };
    finding.cause = cause.or(finding.cause.take());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Disposition;
    use crate::windows::{Life, Thing};
    use quietus_reports::{Code, Severity};
    use std::time::Duration;

    /// Windows in which TERM is handled (`h`), blocked (`b`), ignored (`i`) or neither.
    fn map(windows: &str) -> Map {
        let window = |(number, what): (usize, char)| {
            let signal = |does| Thing::Signal { role: "0".to_owned(), number: Signal::TERM.number(), does, version: 0 };
            let live = match what {
                'h' => BTreeSet::from([signal(Disposition::Handled)]),
                'i' => BTreeSet::from([signal(Disposition::Ignored)]),
                _ => BTreeSet::new(),
            };
            let blocked = if what == 'b' { 1 << (Signal::TERM.number() - 1) } else { 0 };
            let at = Duration::ZERO;
            Window { number, opened: None, at, live, kind: number, left: BTreeSet::new(), blocked, wait: None }
        };
        let lives: Vec<Life> = Vec::new();
        let windows = windows.chars().enumerate().map(window).collect();
        Map { windows, lives, kept: BTreeSet::new(), end: Duration::ZERO, omitted: 0 }
    }

    fn cause(windows: &str, seen: &[usize], send: &str) -> Option<String> {
        let mut finding = Finding {
            code: Code::TempFile,
            severity: Severity::Error,
            fingerprint: String::new(),
            title: String::new(),
            subject: "/tmp/x".to_owned(),
            origin: None,
            life: None,
            points: Vec::new(),
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
        blame(&mut finding, &map(windows), &send.parse().expect("an injection"), &seen.iter().copied().collect(), &[]);
        finding.cause
    }

    #[test]
    fn a_handler_that_is_missing_late_or_gone() {
        assert!(cause("....", &[1, 2], "TERM").expect("a cause").contains("all the time"));
        assert!(cause("...hh.", &[1, 2], "TERM").expect("a cause").contains("until window 3"));
        assert!(cause(".hh..", &[3, 4], "TERM").expect("a cause").contains("after window 2"));
    }

    #[test]
    fn where_it_is_not_the_default_action_nothing_is_said() {
        for (windows, seen) in [
            ("..hh.", &[2][..]),
            ("..hh.", &[1, 2]),
            (".h.h.", &[2]),
            ("..bb.", &[2]),
            ("..ii.", &[3]),
            ("....", &[]),
            ("....", &[9]),
        ] {
            assert_eq!(cause(windows, seen, "TERM"), None, "{windows} {seen:?}");
        }
        for send in ["KILL", "stdin-eof", "TERM,1s,INT", "TERM@all"] {
            assert_eq!(cause("....", &[1], send), None, "{send}");
        }
    }
}
