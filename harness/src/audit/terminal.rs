//! The terminal as the agent leaves it to the shell.

use super::processes::leader;
use super::{Case, Found};
use quietus_reports::Code;

pub(super) fn left_modes(case: Case<'_>) -> Option<Found> {
    let state = case.evidence.terminal.as_ref()?;
    let known = &case.expected.terminal;
    let left: Vec<&String> = state
        .modes
        .iter()
        .filter(|mode| !known.modes.contains(mode))
        .chain(state.screen.iter().filter(|mode| !known.screen.contains(mode)))
        .collect();
    if left.is_empty() {
        return None;
    }
    let names: Vec<&str> = left.iter().map(|mode| mode.split(':').next().unwrap_or(mode)).collect();
    let subject = names.join(", ");
    Some(
        Found::new(Code::TerminalNotRestored, subject.clone(), format!("the terminal is left with {subject}"), &[])
            .with_origin(leader(case.evidence))
            .with_evidence(left.into_iter().cloned()),
    )
}
