//! A report without what is different in another run or on another machine: for snapshots
//! in tests.

use crate::fingerprint::normalise;
use crate::model::{Finding, Guarantee, Host, Report, Run, Totals};

impl Report {
    /// What was found and where it comes from, and nothing that the next run, or another
    /// machine, would say otherwise: no times, trials, counts, tokens, evidence and
    /// fingerprints, nothing of the host, names without what is random in them, and paths as
    /// seen from `workspace`.
    #[must_use]
    pub fn redacted(&self, workspace: &str) -> Self {
        Self {
            format: self.format,
            quietus: String::new(),
            started: String::new(),
            host: Host { os: String::new(), kernel: String::new(), arch: String::new(), cpus: 0 },
            guarantee: Guarantee { level: self.guarantee.level, mechanisms: Vec::new(), not_audited: Vec::new() },
            shards: None,
            runs: self.runs.iter().map(|one| run(one, workspace)).collect(),
            totals: Totals { trials: 0, missed: 0, inconclusive: 0, ..self.totals },
            verdict: self.verdict,
        }
    }
}

/// Text without what is random, and with paths as seen from the workspace.
#[must_use]
pub fn plain(text: &str, workspace: &str) -> String {
    if workspace.is_empty() {
        return normalise(text);
    }
    let inside = text.replace(&format!("{}/", workspace.trim_end_matches('/')), "");
    normalise(&inside.replace(workspace, "."))
}

fn run(run: &Run, workspace: &str) -> Run {
    let mut control = run.control.clone();
    if let Some(control) = &mut control {
        control.duration_us = 0;
        control.leaves.iter_mut().for_each(|name| *name = plain(name, workspace));
    }
    let mut findings: Vec<Finding> = run.findings.iter().map(|one| finding(one, workspace)).collect();
    findings.sort_by(|a, b| (a.code, &a.subject, &a.title).cmp(&(b.code, &b.subject, &b.title)));
    Run {
        scenario: run.scenario.clone(),
        file: None,
        agent: Vec::new(),
        kind: run.kind,
        strategy: run.strategy.clone(),
        control,
        windows: None,
        map: None,
        elsewhere: 0,
        doubt: None,
        trials: Vec::new(),
        findings,
        notes: Vec::new(),
        verdict: run.verdict,
    }
}

fn finding(finding: &Finding, workspace: &str) -> Finding {
    let plain = |text: &String| plain(text, workspace);
    let mut origin = finding.origin.clone();
    if let Some(origin) = &mut origin {
        let (program, rest) = origin.command.split_once(' ').unwrap_or((&origin.command, ""));
        let program = program.rsplit('/').next().unwrap_or_default();
        origin.command = plain(&format!("{program} {rest}")).trim_end().to_owned();
    }
    Finding {
        fingerprint: String::new(),
        title: plain(&finding.title),
        subject: plain(&finding.subject),
        origin,
        life: finding.life.as_ref().map(plain),
        points: Vec::new(),
        hits: 0,
        tried: 0,
        confirmed: None,
        cause: finding.cause.as_ref().map(plain),
        evidence: Vec::new(),
        timeline: Vec::new(),
        token: String::new(),
        replay: String::new(),
        ..finding.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::sample;

    #[test]
    fn paths_are_seen_from_the_workspace() {
        let title = "the temporary file /home/you/w/a.tmp is left behind in /home/you/w";
        assert_eq!(plain(title, "/home/you/w"), "the temporary file a.tmp is left behind in .");
        assert_eq!(plain("/home/you/w/tmp3k_0q9xz", ""), "/home/you/w/tmp*");
    }

    #[test]
    fn what_another_run_says_otherwise_is_gone() {
        let report = sample::rich();
        let mut other = report.clone();
        other.started = "2031-01-01T00:00:00+00:00".to_owned();
        other.host.cpus += 1;
        other.guarantee.mechanisms.push("another".to_owned());
        for run in &mut other.runs {
            run.trials.clear();
            run.findings.reverse();
            for finding in &mut run.findings {
                finding.hits += 1;
                finding.token.push('0');
                finding.evidence.push("pid 7".to_owned());
            }
        }
        assert_ne!(report, other);
        assert_eq!(report.redacted(""), other.redacted(""));
        let found = |report: &crate::Report| report.runs.iter().map(|run| run.findings.len()).sum::<usize>();
        assert!(found(&report) > 0 && found(&report) == found(&report.redacted("")));
    }
}
