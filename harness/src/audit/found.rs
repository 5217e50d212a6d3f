//! A finding of one trial, before it is counted, confirmed and reported.

use super::log::AT_ONCE;
use super::names::{pattern_of, series_of};
use quietus_reports::fingerprint::{fingerprint, normalise, relative};
use quietus_reports::{Code, Origin, Severity};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Directories that have another path on another machine, each with a short name.
pub(crate) type Places = Arc<[(String, &'static str)]>;

/// A finding of one trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// From where its paths are seen.
    #[serde(skip, default = "nowhere")]
    places: Places,
}

fn nowhere() -> Places {
    Places::from([])
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
            places: nowhere(),
        }
    }

    /// The fingerprint of this subject and all parts, with paths as seen from the places.
    fn identity(&self, subject: &str) -> String {
        let from_here = |text: &str| {
            self.places.iter().fold(text.to_owned(), |text, (directory, name)| relative(&text, directory, name))
        };
        let all: Vec<String> =
            std::iter::once(subject).chain(self.parts.iter().map(String::as_str)).map(from_here).collect();
        fingerprint(self.code, &all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Makes the fingerprint one that is the same where these directories have other paths.
    pub(crate) fn seen_from(&mut self, places: &Places) {
        self.places = Arc::clone(places);
        self.fingerprint = self.identity(&self.subject);
    }

    /// The same, as it was written down in another run at these places.
    pub(crate) fn written_down(mut self, places: &Places) -> Self {
        self.places = Arc::clone(places);
        self
    }

    /// Makes the fingerprint that of a pattern which its subject is one of.
    pub(crate) fn identify_by(&mut self, pattern: &str) {
        self.fingerprint = self.identity(pattern);
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
        let known = [&*self, other]
            .into_iter()
            .find(|one| normalise(&one.subject).contains('*'))
            .map(|one| one.fingerprint.clone());
        let shared = known.unwrap_or_else(|| self.identity(&pattern));
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
