//! From findings and trials to a verdict and an exit code.
//!
//! The rules, in this order:
//!
//! 1. A finding that nothing accepts, of at least the severity of the gate (and
//!    above note), makes the verdict [`Verdict::Findings`], unless it was run again
//!    and never came.
//! 2. A run that is in doubt ([`Run::doubt`]), a run without trials, a run in which fewer than half of the trials reached
//!    their point, and a run with an inconclusive trial that is not informational,
//!    is [`Verdict::Inconclusive`].
//!    Of a shard without trials others judge, as long as they have some.
//! 3. Everything else is [`Verdict::Clean`]. A few missed trials are no obstacle
//!    while most reached their point; renderers always show them.
//!
//! So nothing is ever clean because nothing was looked at.

use crate::model::{Finding, Outcome, Report, Run, Severity, Verdict};

/// The severity from which a finding fails a run.
///
/// ```
/// use quietus_reports::{Gate, Severity};
///
/// assert_eq!(Gate::default(), Gate { at: Severity::Error });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Findings of this severity and above fail. [`Severity::Note`] acts like
    /// [`Severity::Warn`]: a note never fails a run.
    pub at: Severity,
}

impl Default for Gate {
    fn default() -> Self {
        Self { at: Severity::Error }
    }
}

impl Gate {
    /// Whether this finding fails a run.
    #[must_use]
    pub fn stops(self, finding: &Finding) -> bool {
        let counts = finding.accepted.is_none() && !finding.is_not_reproduced();
        counts && finding.severity > Severity::Note && finding.severity >= self.at
    }

    /// The verdict of one run, from its trials and findings.
    ///
    /// Does not read [`Run::verdict`], so it can be used to fill it.
    #[must_use]
    pub fn judge_run(self, run: &Run) -> Verdict {
        if run.findings.iter().any(|finding| self.stops(finding)) {
            return Verdict::Findings;
        }
        if run.doubt.is_some() {
            return Verdict::Inconclusive;
        }
        // What there is to judge lies in other shards.
        if run.trials.is_empty() && run.elsewhere > 0 {
            return Verdict::Clean;
        }
        let reached = 2 * run.trials.iter().filter(|trial| trial.outcome.reached()).count();
        let unjudged = run.trials.iter().any(|trial| trial.outcome == Outcome::Inconclusive && !trial.informational);
        if reached > 0 && reached >= run.trials.len() && !unjudged { Verdict::Clean } else { Verdict::Inconclusive }
    }

    /// The verdict over several runs; no runs at all are inconclusive.
    ///
    /// A run whose stored [`Run::verdict`] is inconclusive never counts as
    /// clean, whatever its trials say: the engine may know more than they do.
    #[must_use]
    pub fn judge(self, runs: &[Run]) -> Verdict {
        let mut worst = if runs.is_empty() { Verdict::Inconclusive } else { Verdict::Clean };
        for run in runs {
            match self.judge_run(run) {
                Verdict::Findings => return Verdict::Findings,
                Verdict::Inconclusive => worst = Verdict::Inconclusive,
                Verdict::Clean if run.verdict == Verdict::Inconclusive => {
                    worst = Verdict::Inconclusive;
                }
                Verdict::Clean => {}
            }
        }
        worst
    }

    /// The exit code of the command line: 0 clean, 1 findings over the gate,
    /// 3 inconclusive.
    ///
    /// Judges the runs again under this gate; a stored
    /// [`Report::verdict`] of inconclusive is kept, as in [`Gate::judge`].
    #[must_use]
    pub fn exit_code(self, report: &Report) -> u8 {
        match self.judge(&report.runs) {
            Verdict::Findings => 1,
            Verdict::Inconclusive => 3,
            Verdict::Clean if report.verdict == Verdict::Inconclusive => 3,
            Verdict::Clean => 0,
        }
    }
}

#[cfg(test)]
mod tests;
