//! A sweep of an agent that is a future: undisturbed runs, a trial for each suspension and
//! each way to cancel, and each finding once more. Trials at random begin and end like it.

use super::agent::Startable;
use super::cancelling::Course;
use super::fuzz::fuzz;
use super::judge::{Expected, growth, judge, learn, varies};
use super::once::{Ask, Seen, Setup, once};
use super::plan::{By, Moment, Plan};
use super::plans::{plans, second};
use super::smaller::size;
use crate::audit::Found;
use quietus_reports::{
    AgentKind, Code, Confirmed, Control, Finding, Gate, Outcome, Reproduction, Run, Severity, Trial, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How often a trial that did not reach its point is made again.
const RETRIES: usize = 3;

/// How many more undisturbed runs are looked at before a result is held against an agent.
const MORE_CONTROLS: usize = 8;

/// What is asked of a sweep.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The name of the test or the agent.
    pub(crate) name: String,
    pub(crate) setup: Setup,
    pub(crate) how: Vec<By>,
    pub(crate) seed: u64,
    pub(crate) budget: Option<Duration>,
    /// So many trials at random, in place of one for each suspension.
    pub(crate) random: Option<u32>,
    /// The only trial, if one is replayed.
    pub(crate) only: Option<Plan>,
    /// How often each finding is tried again.
    pub(crate) confirm: u32,
    /// What is written before a token to replay it, and after it.
    pub(crate) replay: (String, String),
}

/// A finding, with where it was seen.
pub(super) struct Gathered {
    pub(super) found: Found,
    pub(super) plans: Vec<Plan>,
    pub(super) confirmed: Option<Confirmed>,
    pub(super) line: Option<String>,
}

/// Everything that one sweep has come to.
pub(super) struct Sweep<'a> {
    agent: &'a dyn Startable,
    pub(super) wanted: &'a Wanted,
    /// Hears before each run which it is.
    tell: &'a mut dyn FnMut(&str),
    expected: Expected,
    /// The same where the turns of the runtime are taken one at a time.
    of_turns: Expected,
    pub(super) trials: Vec<Trial>,
    pub(super) gathered: Vec<Gathered>,
    /// Whether a token that was cancelled has ever changed what the agent did.
    obeyed: Option<bool>,
    /// Commands of child processes that have outlived a whole grace.
    outlive: BTreeSet<String>,
    /// Whether the agent has work done on threads for blocking work.
    blocks: bool,
    probes: BTreeMap<u32, String>,
}

/// Sweeps an agent.
///
/// # Errors
/// When its undisturbed run gives no ground to judge by, with what to do about it.
pub(crate) fn sweep(agent: &dyn Startable, wanted: &Wanted, tell: &mut dyn FnMut(&str)) -> Result<Run, String> {
    let began = Instant::now();
    if wanted.setup.paused && wanted.setup.workers.is_some() {
        return Err("on several threads tokio's clock cannot be paused: leave one of the two out".to_owned());
    }
    let mut sweep = Sweep {
        agent,
        wanted,
        tell,
        expected: Expected::default(),
        of_turns: Expected::default(),
        trials: Vec::new(),
        gathered: Vec::new(),
        obeyed: None,
        outlive: BTreeSet::new(),
        blocks: false,
        probes: BTreeMap::new(),
    };
    let control = sweep.undisturbed(Ask { times: true, ..Ask::default() })?;
    let other = sweep.undisturbed(Ask::default())?;
    let mut notes = Vec::new();
    if control.course != other.course {
        notes.push("two undisturbed runs come to different results, so results are not compared".to_owned());
    }
    if control.awaits != other.awaits {
        notes.push(format!(
            "undisturbed it is suspended {} times, or {}: it is not the same moment in each run",
            control.awaits, other.awaits
        ));
    }
    sweep.probes.clone_from(&control.probes);
    sweep.expected = learn(&control, &other);
    let turns = sweep.turns(&control)?;
    if wanted.only.is_none() && wanted.how.contains(&By::Token) && control.token_asked.is_none() {
        notes.push("the agent never asks for its token, so that was not cancelled".to_owned());
    }
    match wanted.random.filter(|_| wanted.only.is_none()) {
        Some(trials) => fuzz(&mut sweep, &control, turns, trials, &mut notes)?,
        None => sweep.each(&control, turns, began, &mut notes)?,
    }
    if control.awaits == 0 {
        notes.push("it is never suspended, so there is nowhere to cancel it".to_owned());
    }
    notes.extend(sweep.drop_what_varies(&control)?);
    Ok(sweep.report(&control, notes))
}

/// Whether there is something to judge by.
fn ends_well(control: &Seen, setup: &Setup) -> Result<(), String> {
    match &control.course {
        Course::Panicked(said) => Err(format!("undisturbed, the agent panics: {said}")),
        Course::OutOfTime if setup.paused => Err(
            "undisturbed, the agent waits for ever, or for something outside: with paused time that cannot be told \
             apart. Agents that wait for children, files or sockets need time = \"real\""
                .to_owned(),
        ),
        Course::OutOfTime => Err(format!(
            "undisturbed, the agent does not end within {}: a test needs an agent that ends",
            crate::model::format_span(setup.horizon())
        )),
        Course::Finished(_) | Course::Cancelled => Ok(()),
    }
}

impl Sweep<'_> {
    /// One run.
    pub(super) fn once(&mut self, plan: Plan, ask: Ask<'_>) -> Result<Seen, String> {
        (self.tell)(&if plan == Plan::default() { "undisturbed".to_owned() } else { plan.to_string() });
        let seen = once(
            self.agent,
            &self.wanted.setup,
            plan,
            Ask { outlive: Some(&self.outlive), blocks: self.blocks, ..ask },
        )?;
        self.blocks |= seen.blocks;
        let running = seen.left.children.iter().filter(|child| !child.ended);
        self.outlive.extend(running.map(|child| child.command.clone()));
        Ok(seen)
    }

    /// One trial for each suspension and each way to cancel, or the only one; each finding
    /// once more.
    fn each(&mut self, control: &Seen, turns: u32, began: Instant, notes: &mut Vec<String>) -> Result<(), String> {
        let wanted = self.wanted;
        let all = wanted.only.map_or_else(|| plans(control, &wanted.how, turns, wanted.seed), |plan| vec![plan]);
        let in_time = || wanted.budget.is_none_or(|budget| began.elapsed() < budget);
        let mut cleanups = Vec::new();
        let mut left = all.len();
        for plan in all.iter().take_while(|_| in_time()) {
            let seen = self.trial(*plan)?;
            left -= 1;
            let of_token =
                plan.first.filter(|cancel| cancel.by == By::Token && plan.second.is_none() && seen.cancelled);
            if let Some(Moment::Await(at)) = of_token.map(|cancel| cancel.at.moment) {
                cleanups.push((*plan, seen.awaits.saturating_sub(at)));
                self.note_token(&seen, control);
            }
        }
        cleanups.sort();
        let seconds = if wanted.only.is_none() { second(&cleanups) } else { Vec::new() };
        let whole = left == 0 && wanted.only.is_none();
        left += seconds.len();
        // What goes on to its end whatever its token says has no cleanup.
        if self.obeyed == Some(true) {
            for plan in seconds.iter().take_while(|_| in_time()) {
                self.trial(*plan)?;
                left -= 1;
            }
        } else {
            left -= seconds.len();
            match wanted.only {
                // One that was late for it is none that ignores it.
                None if whole => self.ignored(&cleanups),
                Some(_) if self.obeyed == Some(false) => notes.push(
                    "its token was cancelled, and it went on to its end: whether it ever obeys, only all trials show"
                        .to_owned(),
                ),
                _ => {}
            }
        }
        if left > 0 {
            notes.push(format!("{left} trials were not made: the budget was used up"));
        }
        self.confirm()
    }

    fn undisturbed(&mut self, ask: Ask<'_>) -> Result<Seen, String> {
        let seen = self.once(Plan::default(), ask)?;
        ends_well(&seen, &self.wanted.setup)?;
        Ok(seen)
    }

    /// How many turns the runtime takes, if the agent starts tasks of which nothing else is
    /// known. Learns what undisturbed runs leave whose turns are taken one at a time.
    fn turns(&mut self, control: &Seen) -> Result<u32, String> {
        let wanted = self.wanted;
        let may = control.starts_others && wanted.how.contains(&By::Drop);
        let asked_for = wanted.only.map_or(may, |plan| plan.is_of_turns());
        if wanted.setup.workers.is_some() || !asked_for {
            return Ok(0);
        }
        let ask = Ask { turns: true, ..Ask::default() };
        let control = self.undisturbed(ask)?;
        let (unknown, all) = control.turns;
        if unknown == 0 && wanted.only.is_none() {
            return Ok(0);
        }
        self.of_turns = learn(&control, &self.undisturbed(ask)?);
        Ok(all)
    }

    pub(super) fn trial(&mut self, plan: Plan) -> Result<Seen, String> {
        let (mut seen, mut found) = self.look(plan, Ask::default())?;
        // On several threads the same moment is not there in each run.
        for _ in 0..RETRIES {
            if seen.cancelled {
                break;
            }
            (seen, found) = self.look(plan, Ask::default())?;
        }
        let reached = seen.cancelled;
        let found = if reached { found } else { Vec::new() };
        let fingerprints = found.into_iter().map(|one| self.gather(plan, one)).collect();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.trials.push(Trial {
            index: u32::try_from(self.trials.len()).unwrap_or(u32::MAX),
            label: self.label(plan),
            point: plan.place_text(),
            window: None,
            predicted: None,
            injection: plan.by_text(),
            informational: false,
            outcome: if !reached {
                Outcome::Missed
            } else if seen.course == Course::OutOfTime {
                Outcome::Killed
            } else {
                Outcome::Ended
            },
            status: Some(status(&seen.course)),
            duration_us: micros(seen.took),
            shutdown_us: None,
            token: plan.to_string(),
            findings: fingerprints,
            note: (!reached).then(|| {
                let by_token = plan.first.is_some_and(|cancel| cancel.by == By::Token);
                let unasked = by_token && seen.token_asked.is_none();
                if unasked { "the agent never asked for its token" } else { "the agent ended before the point" }
                    .to_owned()
            }),
        });
        Ok(seen)
    }

    /// The point with the name that the agent gave it.
    fn label(&self, plan: Plan) -> String {
        let named = plan.first.and_then(|cancel| match cancel.at.moment {
            Moment::Await(nth) | Moment::Wake(nth) if cancel.at.task == 0 => self.probes.get(&nth),
            _ => None,
        });
        let place = plan.place_text();
        named.map_or_else(|| place.clone(), |name| format!("probe {name} ({place})"))
    }

    /// One run, and what it shows. What may have grown is what has grown three times.
    pub(super) fn look(&mut self, plan: Plan, ask: Ask<'_>) -> Result<(Seen, Vec<Found>), String> {
        let seen = self.once(plan, ask)?;
        let mut found = judge(plan, &seen, self.expected(plan));
        let mut grown = growth(&seen, self.expected(plan));
        for _ in 0..2 {
            if grown.is_empty() {
                break;
            }
            let again = self.once(plan, Ask::default())?;
            let again = growth(&again, self.expected(plan));
            grown.retain(|one| again.iter().any(|other| other.fingerprint == one.fingerprint));
        }
        found.extend(grown);
        Ok((seen, found))
    }

    pub(super) fn expected(&self, plan: Plan) -> &Expected {
        if plan.is_of_turns() { &self.of_turns } else { &self.expected }
    }

    /// Puts it to what is known; says which that is.
    fn gather(&mut self, plan: Plan, mut found: Found) -> String {
        for known in &mut self.gathered {
            if known.found.unify(&mut found) {
                known.plans.push(plan);
                return known.found.fingerprint.clone();
            }
        }
        let fingerprint = found.fingerprint.clone();
        self.gathered.push(Gathered { found, plans: vec![plan], confirmed: None, line: None });
        fingerprint
    }

    /// Whether a run was another because its token was cancelled.
    fn note_token(&mut self, seen: &Seen, control: &Seen) {
        let same = !seen.heard && seen.course == control.course && seen.awaits >= control.awaits;
        let changed = self.obeyed.unwrap_or(false);
        self.obeyed = Some(changed || !same);
    }

    /// The agent asked for its token, and went on to its end whenever that was cancelled.
    fn ignored(&mut self, cleanups: &[(Plan, u32)]) {
        let plans: Vec<Plan> = cleanups.iter().filter(|(_, left)| *left > 0).map(|(plan, _)| *plan).collect();
        if plans.is_empty() {
            return;
        }
        let title = "the agent asked for its token, and goes on to its end when that is cancelled";
        let found = Found::new(Code::CancelIgnored, "the token", title, &[]);
        for trial in self.trials.iter_mut().filter(|trial| plans.iter().any(|plan| plan.to_string() == trial.token)) {
            trial.findings.push(found.fingerprint.clone());
        }
        self.gathered.push(Gathered { found, plans, confirmed: None, line: None });
    }

    /// Tries each finding again, and learns in which line the agent was cancelled.
    fn confirm(&mut self) -> Result<(), String> {
        for index in 0..self.gathered.len() {
            let Some((plan, found)) =
                self.gathered.get_mut(index).and_then(|known| Some((smallest(&known.plans)?, known.found.clone())))
            else {
                continue;
            };
            if found.code == Code::CancelIgnored {
                // Of all trials together; one tells where it was when it was asked.
                let (seen, _) = self.look(plan, Ask { waits: true, ..Ask::default() })?;
                self.gathered.get_mut(index).into_iter().for_each(|known| known.line.clone_from(&seen.line));
                continue;
            }
            let (mut hits, mut runs, mut line) = (0, 0, None);
            for _ in 0..self.wanted.confirm {
                let (seen, again) = self.look(plan, Ask { waits: true, ..Ask::default() })?;
                // One that did not reach its point could not show it.
                if !seen.cancelled {
                    continue;
                }
                runs += 1;
                hits += u32::from(again.into_iter().any(|mut one| found.clone().unify(&mut one)));
                line = line.or(seen.line);
            }
            if let Some(known) = self.gathered.get_mut(index) {
                known.confirmed = Confirmed::new(hits, runs);
                known.line = line;
            }
        }
        Ok(())
    }

    /// Before the result of a run is held against the agent, it is looked whether it is the same
    /// in more undisturbed runs than two. Drops what is found in what is not; says so.
    fn drop_what_varies(&mut self, control: &Seen) -> Result<Option<String>, String> {
        if !self.gathered.iter().any(is_of_results) {
            return Ok(None);
        }
        let mut varying = BTreeSet::new();
        for _ in 0..MORE_CONTROLS {
            varying.extend(varies(control, &self.undisturbed(Ask::default())?));
        }
        let dropped = self.drop_results(&varying);
        let names = dropped.into_iter().collect::<Vec<_>>().join(", ");
        Ok((!names.is_empty()).then(|| format!("not the same in each undisturbed run, so not compared: {names}")))
    }

    /// Drops what was found in results of these names; says in which.
    pub(super) fn drop_results(&mut self, varying: &BTreeSet<String>) -> BTreeSet<String> {
        let by_chance = |known: &Gathered| is_of_results(known) && varying.contains(&known.found.subject);
        let (dropped, kept) = std::mem::take(&mut self.gathered).into_iter().partition(by_chance);
        self.gathered = kept;
        let dropped: Vec<Gathered> = dropped;
        for known in &dropped {
            self.forget(&known.found.fingerprint);
        }
        dropped.into_iter().map(|known| known.found.subject).collect()
    }

    /// No trial shows this any more.
    pub(super) fn forget(&mut self, fingerprint: &str) {
        for trial in &mut self.trials {
            trial.findings.retain(|one| one != fingerprint);
        }
    }

    fn report(self, control: &Seen, notes: Vec<String>) -> Run {
        let reached = |trial: &&Trial| trial.outcome.reached();
        let tried = u32::try_from(self.trials.iter().filter(reached).count()).unwrap_or(u32::MAX);
        let mut findings: Vec<Finding> =
            self.gathered.into_iter().map(|known| finding(known, tried, &self.wanted.replay)).collect();
        findings.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject))
        });
        let mut run = Run {
            scenario: self.wanted.name.clone(),
            file: None,
            agent: vec![self.wanted.name.clone()],
            kind: AgentKind::Job,
            strategy: match self.wanted {
                Wanted { only: Some(_), .. } => "replay",
                Wanted { random: Some(_), .. } => "fuzz",
                _ => "sweep",
            }
            .to_owned(),
            control: Some(Control {
                runs: 2,
                duration_us: u64::try_from(control.took.as_micros()).unwrap_or(u64::MAX),
                ended: status(&control.course),
                leaves: control.left.files.keys().cloned().collect(),
            }),
            windows: None,
            map: None,
            elsewhere: 0,
            doubt: None,
            trials: self.trials,
            findings,
            notes,
            verdict: Verdict::Inconclusive,
        };
        run.verdict = Gate::default().judge_run(&run);
        run
    }
}

fn status(course: &Course<String>) -> String {
    match course {
        Course::Finished(_) => "finished",
        Course::Cancelled => "cancelled",
        Course::OutOfTime => "out of time",
        Course::Panicked(_) => "panicked",
    }
    .to_owned()
}

/// What a run comes to, not what it leaves behind.
fn is_of_results(known: &Gathered) -> bool {
    matches!(known.found.code, Code::RecoveryDiverged | Code::NotRolledBack)
}

/// Of the trials that show the same, the one with the least in it.
pub(super) fn smallest(plans: &[Plan]) -> Option<Plan> {
    plans.iter().min_by_key(|plan| size(plan)).copied()
}

fn finding(known: Gathered, tried: u32, replay: &(String, String)) -> Finding {
    let plan = smallest(&known.plans).unwrap_or_default();
    let (found, mut plans) = (known.found, known.plans);
    plans.sort();
    let mut evidence = found.evidence;
    if let Some(line) = known.line {
        let what = if found.code == Code::Hang { "it waits" } else { "cancelled" };
        evidence.insert(0, format!("{what} at {line}"));
    } else if found.code == Code::Hang {
        evidence.push("it waits for what never wakes it, such as std::future::pending: where is not known".to_owned());
    }
    let never_again = known.confirmed.is_some_and(|confirmed| confirmed.class() == Reproduction::NotReproduced);
    Finding {
        code: found.code,
        severity: if never_again { Severity::Note } else { found.severity },
        fingerprint: found.fingerprint,
        title: found.title,
        subject: found.subject,
        origin: found.origin,
        life: None,
        points: plans.iter().map(|plan| format!("{} at {}", plan.by_text(), plan.place_text())).collect(),
        hits: u32::try_from(plans.len()).unwrap_or(u32::MAX),
        tried,
        confirmed: known.confirmed,
        cause: found.cause,
        evidence,
        timeline: Vec::new(),
        accepted: None,
        token: plan.to_string(),
        replay: format!("{}{plan}{}", replay.0, replay.1),
    }
}

#[cfg(test)]
mod tests;
