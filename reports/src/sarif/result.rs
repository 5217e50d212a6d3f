//! A finding as a result.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::rules::Rules;
use super::{LONGEST, message, text};
use crate::fingerprint::digest;
use crate::model::{Finding, Origin, Run, Severity};
use crate::phrases;
use crate::repository::{Repository, Spot};

/// What stands in a path of a URI as it is (RFC 3986, `unreserved`), and what parts it.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// More points than this are counted, not named.
const MOST_POINTS: usize = 20;

/// How a reader of SARIF takes a finding. Ordered: the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Error,
    Warning,
    Note,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What fails nothing here must not fail a check that goes by levels, as GitHub's does: it
/// does not know of suppressions.
pub(super) fn level(finding: &Finding) -> Level {
    match finding.severity {
        _ if finding.accepted.is_some() || finding.is_not_reproduced() => Level::Note,
        Severity::Error => Level::Error,
        Severity::Warn => Level::Warning,
        Severity::Note => Level::Note,
    }
}

pub(super) fn result(run: &Run, finding: &Finding, rules: &Rules, repository: &Repository) -> Value {
    let fingerprint = format!("{}:{}", text(&finding.fingerprint), digest([&run.scenario]));
    let locations: Vec<Value> =
        repository.spots(run, finding).iter().map(|spot| location(spot, finding.origin.as_ref())).collect();
    let suppressions: Vec<Value> = finding
        .accepted
        .iter()
        .map(|reason| json!({ "kind": "external", "status": "accepted", "justification": text(reason) }))
        .collect();
    json!({
        "ruleId": finding.code.as_str(),
        "ruleIndex": rules.index(finding.code),
        "level": level(finding).as_str(),
        "message": { "text": told(run, finding) },
        "locations": locations,
        "partialFingerprints": {
            "quietusFingerprint/v1": fingerprint,
            // The only one that GitHub goes by; without it, it takes a hash of the line, which
            // makes one alert of all findings of a rule that are shown at the same line.
            "primaryLocationLineHash": fingerprint,
        },
        "suppressions": suppressions,
        "properties": properties(run, finding),
    })
}

/// What it is, why, how sure that is, and how to see it again: a paragraph each.
fn told(run: &Run, finding: &Finding) -> String {
    let title = message(&finding.title);
    let mut paragraphs = vec![if title.is_empty() { finding.code.to_string() } else { title }];
    paragraphs.extend(finding.cause.as_ref().map(|cause| format!("Cause: {}", message(cause))));
    let mut seen = format!("Scenario {}: seen in {}", run.scenario, phrases::seen_in(finding));
    if let Some(confirmed) = finding.confirmed {
        seen = format!("{seen}; {}", phrases::confirmed(confirmed));
    }
    paragraphs.push(message(&seen));
    paragraphs.extend(finding.origin.as_ref().map(|it| format!("Made by {}", message(&phrases::origin(it)))));
    paragraphs.push(format!("Replay: {}", message(&phrases::replay(finding, LONGEST))));
    paragraphs.join("\n\n")
}

fn location(spot: &Spot, origin: Option<&Origin>) -> Value {
    let mut logical = Vec::new();
    if let Some(function) = &spot.function {
        logical.push(json!({ "name": text(function), "kind": "function" }));
    }
    if let Some(origin) = origin {
        let role = text(&origin.role);
        logical.push(json!({ "name": text(&origin.command), "fullyQualifiedName": role, "kind": "process" }));
    }
    json!({
        "physicalLocation": {
            "artifactLocation": {
                "uri": utf8_percent_encode(&spot.path, IN_PATH).to_string(),
                "uriBaseId": "%SRCROOT%",
            },
            "region": { "startLine": spot.line },
        },
        "logicalLocations": logical,
    })
}

fn properties(run: &Run, finding: &Finding) -> Value {
    let points: Vec<String> = finding.points.iter().take(MOST_POINTS).map(|point| text(point)).collect();
    let mut properties = json!({
        "scenario": text(&run.scenario),
        "subject": text(&finding.subject),
        "severity": finding.severity.to_string(),
        "hits": finding.hits,
        "tried": finding.tried,
        "points": points,
        "replay": phrases::replay(finding, LONGEST),
    });
    if let Some(confirmed) = finding.confirmed {
        let (low, high) = confirmed.interval();
        properties["reproduction"] = json!(confirmed.class().to_string());
        properties["confirmed"] = json!({
            "hits": confirmed.hits(),
            "runs": confirmed.runs(),
            "rate": confirmed.rate(),
            "rate_low": low,
            "rate_high": high,
        });
    }
    // Cut in its middle it would replay something else, or nothing.
    if finding.token.len() <= LONGEST {
        properties["token"] = json!(text(&finding.token));
    }
    if let Some(life) = &finding.life {
        properties["life"] = json!(text(life));
    }
    properties
}
