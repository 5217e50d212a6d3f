//! Which lives leak: which of what comes and goes in the undisturbed run is what a finding
//! is about. Only what is certain is said: the same name, and a trial that shows the finding
//! while it was live.

use super::state::Facts;
use crate::code::{Code, Group};
use crate::map::Life;
use crate::model::{Finding, Run};

/// Place of the finding that says that `life` leaks.
pub(super) fn leak_of(life: &Life, run: &Run, facts: &Facts<'_>) -> Option<usize> {
    if life.stays {
        return None;
    }
    run.findings.iter().enumerate().position(|(place, finding)| {
        let counts = finding.accepted.is_none() && !finding.is_not_reproduced();
        let shown_there = || facts.windows_of[place].range(life.first..=life.last.max(life.first)).next().is_some();
        counts && is_about(finding, life) && shown_there()
    })
}

fn is_about(finding: &Finding, life: &Life) -> bool {
    let subject = finding.subject.as_str();
    let said = |before: &str| life.what.strip_prefix(before);
    match (finding.code, finding.code.group()) {
        (Code::OrphanProcess, _) => said("process ")
            .and_then(|rest| rest.split_once(' '))
            .and_then(|(_role, command)| command.strip_prefix('`')?.strip_suffix('`'))
            .is_some_and(|command| command == subject),
        (Code::TornFile, _) => {
            let torn = [" is not complete", " is empty"].iter().any(|end| life.what.ends_with(end));
            torn && life.path.as_deref().is_some_and(|path| fits(path, subject))
        }
        (_, Group::Files) => {
            let whole =
                ["file ", "directory ", "named pipe ", "socket "].iter().any(|kind| said(kind) == life.path.as_deref());
            whole && life.path.as_deref().is_some_and(|path| fits(path, subject))
        }
        (Code::PortHeld, _) => said("bound to ") == Some(subject),
        _ => life.what == subject,
    }
}

/// Whether `*` of the pattern can stand for what the path has there, within one name.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut names, mut patterns) = (path.split('/'), pattern.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if name_fits(pattern, name) => {}
            _ => return false,
        }
    }
}

fn name_fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
