//! Runs single trials of a check, and has them judged.

use super::check::Check;
use super::control::Learned;
use super::held::held;
use crate::audit::{Case, Found, Places, Rules, audit, unheard};
use crate::driver::{Driver, DriverError, Interrupt, Recovery, Request};
use crate::model::{Act, Injection, Noise, Point, PointSpec, Recording, TrialPlan};
use crate::scenario::{Kind, Strategy};
use crate::trial::{Limits, Outcome, TrialRecord, run_trial};
use std::ffi::OsString;
use std::time::Duration;

/// Runs trials of one check.
pub(super) struct Runner<'a> {
    pub(super) driver: &'a dyn Driver,
    pub(super) check: &'a Check,
    pub(super) interrupt: &'a Interrupt,
    /// Whether a trial is traced, so that its controls have to be.
    pub(super) traces: bool,
}

impl Runner<'_> {
    fn request(&self, plan: &TrialPlan) -> Request {
        Request {
            command: self.check.command.clone(),
            environment: self.check.environment.clone(),
            directory: self.check.directory.clone(),
            prepare: self.check.prepare.clone(),
            plan: plan.clone(),
            keep: self.check.rules.log.iter().chain(&self.check.rules.released).cloned().collect(),
            record: false,
            services: self.check.services.clone(),
            states: self.check.states.clone(),
            recovery: None,
            interrupt: self.interrupt.clone(),
        }
    }

    /// Directories that have other paths on another machine.
    pub(super) fn places(&self) -> Places {
        let home = self.check.environment.iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.clone());
        let directory = Some(self.check.directory.clone().into_os_string());
        let named = [(directory, "."), (home, "~")];
        let told = |(path, name): (Option<OsString>, _)| Some((path?.into_string().ok()?, name));
        named.into_iter().filter_map(told).filter(|(path, _)| path.len() > 1).collect()
    }

    fn limits(&self, reach: Duration, linger: Duration, horizon: Option<Duration>) -> Limits {
        Limits {
            reach,
            settle: self.check.settle,
            settle_rounds: 8,
            linger,
            horizon: horizon.unwrap_or(self.check.horizon),
            horizon_rounds: 5,
            serves_after: if self.check.kind == Some(Kind::Job) { u32::MAX } else { 8 },
        }
    }

    /// Whether this driver can trace.
    pub(super) fn can_trace(&self) -> bool {
        self.driver.guarantee().level == quietus_reports::Level::Full
    }

    /// Whether the trials are chosen by the windows of the agent.
    pub(super) fn maps(&self) -> bool {
        match self.check.chosen_by() {
            Strategy::Sweep => true,
            Strategy::Fuzz => self.can_trace(),
            Strategy::Check | Strategy::Script => false,
        }
    }

    /// Whether what the controls do is recorded.
    pub(super) fn records(&self) -> bool {
        self.maps() || self.traces
    }

    pub(super) fn control(&self, plan: &TrialPlan, horizon: Option<Duration>) -> Result<TrialRecord, DriverError> {
        let reach = self.check.horizon * 6;
        let request = Request { record: self.records(), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(reach, Duration::ZERO, horizon))
    }

    /// What an undisturbed agent does until it ends or, if it does not, rests; none where that
    /// cannot be told.
    pub(super) fn undisturbed(&self, learned: &Learned) -> Option<Recording> {
        let at = vec![PointSpec { relative: false, point: learned.rest.clone() }];
        let stop = Act { at, send: Injection::usual() };
        let acts = if learned.kind == Kind::Job { Vec::new() } else { vec![stop] };
        let plan = TrialPlan {
            acts,
            grace: self.check.grace,
            stdin: learned.stdin.clone(),
            pty: self.check.pty,
            pid1: self.check.pid1,
            noise: Noise::NONE,
        };
        let request = Request { record: true, ..self.request(&plan) };
        let limits = self.limits(self.check.horizon * 6, Duration::ZERO, None);
        run_trial(self.driver, &request, limits).ok()?.evidence.recording
    }

    /// A control that is started again over what it leaves.
    pub(super) fn control_with_recovery(
        &self,
        plan: &TrialPlan,
        learned: &Learned,
    ) -> Result<TrialRecord, DriverError> {
        let request = Request { recovery: self.recovery(learned), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(self.check.horizon * 6, Duration::ZERO, None))
    }

    fn recovery(&self, learned: &Learned) -> Option<Recovery> {
        let (recover, expected) = (self.check.recover.as_ref()?, learned.expected.recovery.as_ref()?);
        let command = recover.command.as_ref().map(|words| words.iter().map(OsString::from).collect());
        Some(Recovery {
            command: command.unwrap_or_else(|| self.check.command.clone()),
            plan: expected.plan.clone(),
            within: expected.within,
        })
    }

    pub(super) fn trial(
        &self,
        plan: &TrialPlan,
        learned: &Learned,
        linger: Duration,
    ) -> Result<TrialRecord, DriverError> {
        let request = Request { recovery: self.recovery(learned), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(reach(learned), linger, None))
    }

    /// A trial of which all is recorded that the agent does.
    pub(super) fn watch(
        &self,
        plan: &TrialPlan,
        learned: &Learned,
        linger: Duration,
    ) -> Result<TrialRecord, DriverError> {
        let request = Request { record: true, recovery: self.recovery(learned), ..self.request(plan) };
        run_trial(self.driver, &request, self.limits(reach(learned), linger, None))
    }

    /// A trial as those at random are run, where they are: what takes time to be recorded may
    /// show only there what it showed.
    pub(super) fn alike(
        &self,
        plan: &TrialPlan,
        learned: &Learned,
        linger: Duration,
    ) -> Result<TrialRecord, DriverError> {
        if self.check.chosen_by() == Strategy::Fuzz && self.can_trace() {
            self.watch(plan, learned, linger)
        } else {
            self.trial(plan, learned, linger)
        }
    }

    pub(super) fn judge(&self, plan: &TrialPlan, record: &TrialRecord, learned: &Learned, rules: &Rules) -> Judged {
        let killed = match record.outcome {
            Outcome::Killed => true,
            Outcome::Ended if record.evidence.delivered => false,
            _ => return Judged::default(),
        };
        let expected = &learned.expected;
        let held = rules.released.as_ref().map(|_| held(learned, plan));
        let unknown = held == Some(None);
        let held = held.flatten().unwrap_or_default();
        let case = Case { plan, killed, evidence: &record.evidence, expected, rules, held: &held };
        let mut found = audit(case);
        // What was recorded knows a random name better than one look at it.
        let places = self.places();
        for one in &mut found {
            one.seen_from(&places);
            if let Some(pattern) = learned.map.as_ref().and_then(|map| map.pattern(&one.subject)) {
                one.identify_by(pattern);
            }
        }
        let unasked = || "what the agent was to release here no window of the control says".to_owned();
        Judged { found, unclear: unheard(case).or_else(|| unknown.then(unasked)) }
    }
}

/// What is said of a trial.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) found: Vec<Found>,
    /// What could not be looked at, so that nothing found is not clean.
    pub(super) unclear: Option<String>,
}

/// How long a point is waited for: a loaded machine is slower than the control was.
fn reach(learned: &Learned) -> Duration {
    learned.duration * 10 + Duration::from_secs(20)
}

/// Whether this driver traces the agent in this trial until it ends.
pub(super) fn is_traced(driver: &dyn Driver, plan: &TrialPlan) -> bool {
    driver.guarantee().level == quietus_reports::Level::Full
        && plan.acts.iter().flat_map(|act| &act.at).any(|spec| matches!(spec.point, Point::Syscall(_)))
}

/// How long a confirmation waits for a survivor to end by itself.
pub(super) const LINGER: Duration = Duration::from_secs(2);
