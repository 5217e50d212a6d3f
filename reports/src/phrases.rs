//! What several renderers say in the same words: sums, times, who made a thing, how often
//! it came.
//!
//! Every string of a report passes through [`escape_terminal`] here, so each phrase is one
//! line in which nothing acts. What a format needs beyond that is for its renderer.

use crate::confirmed::{Confirmed, Reproduction};
use crate::escape::escape_terminal;
use crate::model::{AgentKind, Doubt, Finding, Guarantee, Level, Origin, Report, Run, Totals, Verdict};

/// `1 trial`, `2 trials`.
pub(crate) fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first `most` items, escaped, and how many more there are.
pub(crate) fn listed(items: &[String], most: usize) -> String {
    let shown: Vec<_> = items.iter().take(most).map(|item| escape_terminal(item)).collect();
    let shown = shown.join(", ");
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}, …\u{a0}{more}\u{a0}more"), // not broken at the end of a line,
    }
}

/// A time of `us` microseconds with two digits or so.
pub(crate) fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => tenths(us / 100, "ms"),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..10_000_000 => tenths(us / 100_000, "s"),
        10_000_000..120_000_000 => format!("{} s", us / 1_000_000),
        _ => format!("{} min", us / 60_000_000),
    }
}

fn tenths(tenths: u64, unit: &str) -> String {
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// The command as one would type it, unless it holds control characters.
pub(crate) fn command(agent: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted: Vec<String> = agent
        .iter()
        .map(|argument| {
            let argument = escape_terminal(argument);
            if !argument.is_empty() && argument.chars().all(plain) {
                argument
            } else {
                format!("'{}'", argument.replace('\'', r"'\''"))
            }
        })
        .collect();
    quoted.join(" ")
}

pub(crate) const fn kind(kind: AgentKind) -> &'static str {
    match kind {
        AgentKind::Job => "job",
        AgentKind::Server => "server",
        AgentKind::Session => "session",
    }
}

pub(crate) const fn level(guarantee: &Guarantee) -> &'static str {
    match guarantee.level {
        Level::Full => "full guarantee",
        Level::Portable => "portable guarantee",
    }
}

/// Who made what was found, by which call and on which line.
pub(crate) fn origin(origin: &Origin) -> String {
    let role = escape_terminal(&origin.role);
    let command = escape_terminal(&origin.command);
    let who = if role == "0" { "the agent".to_owned() } else { format!("process {role} of its tree") };
    match (origin.source.as_deref().map(escape_terminal), origin.line.as_deref().map(escape_terminal)) {
        (Some(source), Some(line)) => format!("{who}: {command} ({source}, {line})"),
        (Some(known), None) | (None, Some(known)) => format!("{who}: {command} ({known})"),
        (None, None) => format!("{who}: {command}"),
    }
}

/// In how many trials it was seen: `6 of 14 trials`.
pub(crate) fn seen_in(finding: &Finding) -> String {
    format!("{} of {}", finding.hits, counted(finding.tried, "trial", "trials"))
}

/// The same, and at which points; of those at most `most` by name.
pub(crate) fn seen_at(finding: &Finding, most: usize) -> String {
    let seen = seen_in(finding);
    let points = listed(&finding.points, most);
    if points.is_empty() { seen } else { format!("{seen}: {points}") }
}

/// The command that replays it. A longer one than `most` characters is not cut, since what
/// is left of it would replay something else.
pub(crate) fn replay(finding: &Finding, most: usize) -> String {
    let command = escape_terminal(&finding.replay);
    if command.chars().count() <= most { command } else { "(long: see the JSON report)".to_owned() }
}

/// `deterministic, 3/3`, or `racy, 2/3 (95%: 0.21–0.94)`.
pub(crate) fn confirmed(confirmed: Confirmed) -> String {
    match confirmed.class() {
        Reproduction::Deterministic => confirmed.to_string(),
        class @ (Reproduction::Racy | Reproduction::NotReproduced) => format!("{class}, {}", confirmed.share()),
    }
}

/// What a report comes to, why, and what was found: `clean: no findings in 4 trials`.
pub(crate) fn verdict(report: &Report) -> String {
    let verdict = report.verdict;
    let sum = sum_of(report);
    match verdict {
        Verdict::Inconclusive => format!("{verdict} ({}): {sum}", why_inconclusive(report)),
        Verdict::Clean if report.guarantee.level == Level::Portable => {
            format!("{verdict} ({}): {sum}", level(&report.guarantee))
        }
        Verdict::Clean | Verdict::Findings => format!("{verdict}: {sum}"),
    }
}

/// What was found, and of which part of the work, where the report is of a part.
pub(crate) fn sum_of(report: &Report) -> String {
    let sum = sum(&report.totals);
    let Some(shards) = &report.shards else { return sum };
    if let [one] = shards.present.as_slice() {
        return format!("{sum}; shard {one} of {} only", shards.total);
    }
    shards.told_missing().map_or(sum.clone(), |missing| format!("{sum}; {missing}"))
}

/// Why a report is inconclusive.
pub(crate) fn why_inconclusive(report: &Report) -> &'static str {
    let totals = &report.totals;
    let is_judged = totals.trials > 0 && totals.inconclusive == 0 && 2 * totals.missed <= totals.trials;
    if report.runs.is_empty() {
        "nothing was run"
    } else if report.runs.iter().any(|run| run.doubt == Some(Doubt::BrokenOff)) {
        "it was broken off"
    } else if is_judged && report.runs.iter().all(|run| run.verdict != Verdict::Inconclusive) && report.shards.is_some()
    {
        "shards are missing"
    } else {
        let doubted = || report.runs.iter().find(|run| run.verdict == Verdict::Inconclusive).map(why_run_inconclusive);
        why_not_judged(totals).or_else(doubted).unwrap_or("see the notes")
    }
}

/// Why a run is inconclusive.
pub(crate) fn why_run_inconclusive(run: &Run) -> &'static str {
    match run.doubt {
        Some(Doubt::BrokenOff) => "it was broken off",
        Some(Doubt::FailsUndisturbed) => "undisturbed, the agent fails: see the note",
        Some(Doubt::Refused) => "the agent is refused what it does by itself: see the note",
        None => why_not_judged(&Totals::of(std::slice::from_ref(run))).unwrap_or("see the note"),
    }
}

/// Why trials with these totals cannot be judged; none where they can.
const fn why_not_judged(totals: &Totals) -> Option<&'static str> {
    if totals.trials == 0 {
        Some("no trial was made")
    } else if totals.missed + totals.inconclusive == totals.trials {
        Some("no trial reached its point")
    } else if totals.inconclusive > 0 {
        Some("not every trial could be judged")
    } else if 2 * totals.missed > totals.trials {
        Some("fewer than half of the trials reached their point")
    } else {
        None
    }
}

/// `2 errors, 1 warning`, or `no findings`.
pub(crate) fn found(totals: &Totals) -> String {
    let mut found = Vec::new();
    for (count, one, many) in [
        (totals.errors, "error", "errors"),
        (totals.warnings, "warning", "warnings"),
        (totals.notes, "note", "notes"),
        (totals.not_reproduced, "not reproduced", "not reproduced"),
        (totals.accepted, "accepted", "accepted"),
    ] {
        if count > 0 {
            found.push(counted(count, one, many));
        }
    }
    if found.is_empty() { "no findings".to_owned() } else { found.join(", ") }
}

/// `14 trials (1 missed)`.
pub(crate) fn trials(totals: &Totals) -> String {
    let mut not_judged = Vec::new();
    for (count, word) in [(totals.missed, "missed"), (totals.inconclusive, "inconclusive")] {
        if count > 0 {
            not_judged.push(counted(count, word, word));
        }
    }
    let trials = counted(totals.trials, "trial", "trials");
    if not_judged.is_empty() { trials } else { format!("{trials} ({})", not_judged.join(", ")) }
}

/// `2 errors, 1 warning in 14 trials (1 missed)`.
pub(crate) fn sum(totals: &Totals) -> String {
    format!("{} in {}", found(totals), trials(totals))
}
