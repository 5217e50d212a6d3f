//! A finding of one trial, before it is counted, confirmed and reported.

use super::log::AT_ONCE;
use super::names::{pattern_of, series_of};
use quietus_reports::fingerprint::{fingerprint, normalise};
use quietus_reports::{Code, Origin, Severity};

/// A finding of one trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What kind it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The same in every run that shows the same fault.
    pub fingerprint: String,
    /// What happened, in one line.
    pub title: String,
    /// What it is about: a path, a command, a port.
    pub subject: String,
    /// Who did it.
    pub origin: Option<Origin>,
    /// Why it happened, where that is known.
    pub cause: Option<String>,
    /// Facts that show it.
    pub evidence: Vec<String>,
    /// What besides the subject makes it the one it is.
    parts: Vec<String>,
}

impl Found {
    /// A finding with its code's own severity. The fingerprint is made from the
    /// subject and `parts`, with pids and random names taken out.
    pub(crate) fn new(code: Code, subject: impl Into<String>, title: impl Into<String>, parts: &[&str]) -> Self {
        let subject = subject.into();
        let mut all = vec![subject.as_str()];
        all.extend_from_slice(parts);
        Self {
            code,
            severity: code.severity(),
            fingerprint: fingerprint(code, &all),
            title: title.into(),
            subject,
            origin: None,
            cause: None,
            evidence: Vec::new(),
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        }
    }

    /// Makes the fingerprint that of a pattern which its subject is one of.
    pub(crate) fn identify_by(&mut self, pattern: &str) {
        let mut all = vec![pattern];
        all.extend(self.parts.iter().map(String::as_str));
        self.fingerprint = fingerprint(self.code, &all);
    }

    /// Whether it is a line that was not written since the signal ended the agent at once.
    pub(crate) fn is_unhandled(&self) -> bool {
        self.code == Code::CleanupNotLogged && self.parts == [AT_ONCE]
    }

    /// Whether both are the same fault, seen in two runs. Where the names differ
    /// in a random part that one run alone could not tell, the fingerprint becomes
    /// that of the pattern.
    pub(crate) fn unify(&mut self, other: &mut Self) -> bool {
        if self.fingerprint == other.fingerprint {
            return true;
        }
        if self.code != other.code || self.parts != other.parts {
            return false;
        }
        let is_path = matches!(self.code, Code::TornFile | Code::StrayFile | Code::TempFile);
        let series = || is_path.then(|| series_of(&self.subject, &other.subject)).flatten();
        let Some(pattern) = pattern_of(&self.subject, &other.subject).or_else(series) else { return false };
        let mut all = vec![pattern.as_str()];
        all.extend(self.parts.iter().map(String::as_str));
        let known = [&*self, other]
            .into_iter()
            .find(|one| normalise(&one.subject).contains('*'))
            .map(|one| one.fingerprint.clone());
        let shared = known.unwrap_or_else(|| fingerprint(self.code, &all));
        self.fingerprint.clone_from(&shared);
        other.fingerprint = shared;
        true
    }

    /// Whether both say the same of the same thing, after whatever was done to the agent.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.code == other.code && (self.subject == other.subject || self.clone().unify(&mut other.clone()))
    }

    pub(crate) fn with_origin(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    pub(super) fn with_cause(mut self, cause: Option<String>) -> Self {
        self.cause = cause;
        self
    }

    pub(crate) fn with_evidence(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    pub(super) fn at(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}
