//! Runs the agent undisturbed, finds out what kind it is, and what it leaves.

use super::check::{Check, CheckError, Progress};
use super::runner::Runner;
use super::sweep::signals;
use crate::audit::{
    Expected, ExpectedRecovery, Found, allowed_exit, audit_control, learn, lost_recovery, unread_states,
};
use crate::driver::{Event, Evidence, Occasion};
use crate::model::{
    Act, Came, FileChange, FileNode, Injection, Point, PointSpec, Recording, Side, Signal, Stdin, TrialPlan,
    format_span,
};
use crate::scenario::{Kind, Strategy};
use crate::trial::{Outcome, TrialRecord, What};
use crate::windows::{Map, Moment, every_moment, windows};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// What the controls showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// What kind the agent is.
    pub kind: Kind,
    /// Whether it listens on a socket.
    pub listens: bool,
    /// Whether it holds a port or an abstract socket, which trials side by side would share.
    pub uses_ports: bool,
    /// What its standard input is in the trials.
    pub stdin: Stdin,
    /// How long it runs by itself, or until it rests.
    pub duration: Duration,
    /// Where one that does not end by itself does what it is for.
    pub rest: Point,
    /// Its output lines, those that every control wrote.
    pub lines: Vec<String>,
    /// The last line it wrote, as it would say why it failed.
    pub last_line: Option<String>,
    /// What it leaves.
    pub expected: Expected,
    /// Findings that the control alone shows.
    pub found: Vec<Found>,
    /// For the report.
    pub control: quietus_reports::Control,
    /// Its windows, where the controls were recorded.
    pub map: Option<Map>,
    /// What they were cut from.
    pub recorded: Option<Recorded>,
    /// The moments after each of its system calls, where those were asked for; of trials at
    /// random, those before too.
    pub moments: Option<Vec<Moment>>,
    /// What cannot be said of states, in words.
    pub about_states: Vec<String>,
}

/// The control that was cut into windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// How it was run.
    pub plan: TrialPlan,
    /// What it did.
    pub recording: Recording,
    /// What it did from then on is not its own doing: it was told to end.
    pub until: Duration,
}

fn plan(check: &Check, stdin: Stdin, acts: Vec<Act>) -> TrialPlan {
    TrialPlan { acts, grace: check.grace, stdin, pty: check.pty, pid1: check.pid1, noise: crate::model::Noise::NONE }
}

fn at(point: Point, send: Injection) -> Vec<Act> {
    vec![Act { at: vec![PointSpec { relative: false, point }], send }]
}

/// Where an agent that does not end does what it is for: at rest, or, if it never
/// rests, once it listens.
fn rest(control: &Control) -> Point {
    let rested =
        control.record.timeline.iter().any(|moment| matches!(moment.what, What::Happened(Event::Reached(usize::MAX))));
    let listeners = control.evidence().censuses.values().flat_map(|census| &census.listeners);
    match listeners.map(|listener| listener.port).min() {
        Some(port) if !rested => Point::Port(port),
        // It computes for ever: any time is as good as another once it has started.
        None if !rested => Point::Time(COMPUTES_BY),
        _ => Point::Idle,
    }
}

/// By then an agent that never rests does what it is for.
const COMPUTES_BY: Duration = Duration::from_secs(1);

/// One control and what it says.
struct Control {
    record: TrialRecord,
    by_itself: bool,
}

impl Control {
    fn evidence(&self) -> &Evidence {
        &self.record.evidence
    }

    fn listens(&self) -> bool {
        matches!(self.record.outcome, Outcome::Idle { listens: true })
    }
}

fn judge(record: TrialRecord) -> Result<Control, CheckError> {
    match &record.outcome {
        Outcome::Ended => Ok(Control { by_itself: true, record }),
        Outcome::Idle { .. } => Ok(Control { by_itself: false, record }),
        Outcome::Interrupted => Err(CheckError::Interrupted),
        Outcome::Lost(why) => Err(CheckError::Control(format!("the undisturbed agent was lost: {why}"))),
        Outcome::Busy | Outcome::Killed | Outcome::Missed | Outcome::Unreached => {
            Ok(Control { by_itself: false, record })
        }
    }
}

/// Runs the controls.
pub(super) fn observe(runner: &Runner<'_>, progress: &dyn Progress) -> Result<Learned, CheckError> {
    let check = runner.check;
    let run = |stdin: Stdin, acts: Vec<Act>, horizon: Option<Duration>, what: &str| -> Result<Control, CheckError> {
        progress.control(what);
        let control = judge(runner.control(&plan(check, stdin, acts), horizon)?)?;
        match unread_states(control.evidence()).into_iter().next() {
            Some(why) => Err(CheckError::Control(why)),
            None => Ok(control),
        }
    };
    let declared = check.stdin.clone();
    let began = SystemTime::now();
    let first = run(declared.clone().unwrap_or_default(), Vec::new(), None, "undisturbed")?;
    if !check.states.is_empty() || check.recover.is_some() {
        await_another_second(began, runner);
    }
    let term = || Injection::signal(Signal::TERM);
    let (kind, stdin, second) = match (check.kind, first.by_itself) {
        (Some(Kind::Job) | None, true) if declared.is_some() => {
            (Kind::Job, declared.unwrap_or_default(), run_again(&run, check)?)
        }
        (Some(Kind::Job), true) => (Kind::Job, Stdin::Closed, run_again(&run, check)?),
        (Some(Kind::Job), false) => {
            return Err(CheckError::Control(format!(
                "declared a job, but undisturbed it did not end within {}; raise --control-timeout or declare another kind",
                format_span(check.horizon)
            )));
        }
        (Some(Kind::Session) | None, true) => {
            // It may have ended because its input had: does it wait when there is input to come?
            let horizon = first.record.duration * 2 + Duration::from_millis(1500);
            let open = run(Stdin::Open, Vec::new(), Some(horizon), "with open input")?;
            if open.by_itself && check.kind.is_none() {
                (Kind::Job, Stdin::Closed, open)
            } else {
                (
                    Kind::Session,
                    Stdin::Open,
                    run(
                        Stdin::Open,
                        at(Point::Idle, "stdin-eof".parse().expect("a known step")),
                        None,
                        "until its input ends",
                    )?,
                )
            }
        }
        (Some(Kind::Server), true) => {
            return Err(CheckError::Control(format!(
                "declared a server, but undisturbed it ended with {}",
                first.evidence().ended.map_or_else(|| "no status".to_owned(), |ended| ended.to_string())
            )));
        }
        (Some(Kind::Session), false) => {
            let stdin = declared.unwrap_or(Stdin::Open);
            (
                Kind::Session,
                stdin.clone(),
                run(stdin, at(Point::Idle, "stdin-eof".parse().expect("a known step")), None, "until its input ends")?,
            )
        }
        (Some(Kind::Server) | None, false) => {
            let stdin = declared.unwrap_or_default();
            (Kind::Server, stdin.clone(), run(stdin, at(rest(&first), term()), None, "until it is stopped at rest")?)
        }
    };
    let mut learned = conclude(check, kind, stdin.clone(), &first, &second);
    learn_states(&mut learned.expected, check, kind, &first, &second)?;
    if kind != Kind::Job && !check.states.is_empty() {
        // Of those that do not end by themselves one control alone says how they leave a state.
        let acts = match kind {
            Kind::Session => at(Point::Idle, "stdin-eof".parse().expect("a known step")),
            _ => at(rest(&first), term()),
        };
        let third = run(stdin.clone(), acts, None, "once more")?;
        learned.expected.learn_states(third.evidence());
    }
    if check.recover.is_some() {
        let acts = match kind {
            Kind::Job => Vec::new(),
            Kind::Session => at(Point::Idle, "stdin-eof".parse().expect("a known step")),
            Kind::Server => at_rest_and_serving(&first, &second),
        };
        let again = plan(check, stdin.clone(), acts);
        learn_recovery(runner, &mut learned, again, progress)?;
    }
    learned.about_states = learned.expected.varying_states();
    learned.about_states.extend(learned.expected.untouched_states(&first.evidence().before));
    if runner.records() {
        // Of a session, the first run did not have the input that the trials have.
        let acts = match kind {
            Kind::Session => at(Point::Idle, "stdin-eof".parse().expect("a known step")),
            Kind::Job | Kind::Server => Vec::new(),
        };
        let plan = plan(check, stdin.clone(), acts.clone());
        let (one, other) = match kind {
            Kind::Session => (second, run(stdin, acts, None, "to its rest, again")?),
            Kind::Job | Kind::Server => (first, second),
        };
        let until = one.evidence().injected_at.unwrap_or(Duration::MAX);
        let recordings = one.evidence().recording.as_ref().zip(other.evidence().recording.as_ref());
        let (one, other) = recordings
            .ok_or_else(|| CheckError::Control("what the undisturbed agent did was not recorded".to_owned()))?;
        let send = check.send.clone().unwrap_or_else(Injection::usual);
        let map = windows(one, other, until).leaving(learned.expected.files.keys());
        learned.map = Some(map.for_signals(&signals(&send)));
        learned.recorded = Some(Recorded { plan, recording: one.clone(), until });
        learned.moments = match check.chosen_by() {
            Strategy::Fuzz => Some(every_moment(one, other, until, &[Side::Enter, Side::Exit])),
            _ => check.exhaustive.then(|| every_moment(one, other, until, &[Side::Exit])),
        };
    }
    Ok(learned)
}

/// Waits until the clock shows another second: what an agent writes of the time of day would
/// else be the same in both controls, and another in each trial.
fn await_another_second(began: SystemTime, runner: &Runner<'_>) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let second = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (then, now) = (second(began), second(SystemTime::now()));
    if now.as_secs() > then.as_secs() {
        return;
    }
    let left = Duration::from_secs(1).saturating_sub(Duration::from_nanos(now.subsec_nanos().into()));
    let mut watched = [PollFd::from_borrowed_fd(runner.interrupt.event(), PollFlags::IN)];
    let _ = poll(&mut watched, Timespec::try_from(left).ok().as_ref());
}

/// What is done to a server that is started again: once it listens where it always does,
/// and rests, it is told to end.
fn at_rest_and_serving(first: &Control, second: &Control) -> Vec<Act> {
    let ports = |control: &Control| -> BTreeSet<u16> {
        let listeners = control.evidence().censuses.values().flat_map(|census| &census.listeners);
        listeners.map(|listener| listener.port).collect()
    };
    let rest = PointSpec { relative: false, point: rest(first) };
    // A port that is another in each run says nothing.
    let fixed = ports(first).intersection(&ports(second)).min().copied().map(Point::Port);
    let listens = fixed.filter(|port| *port != rest.point).map(|point| PointSpec { relative: false, point });
    let rest = PointSpec { relative: listens.is_some(), ..rest };
    vec![Act { at: listens.into_iter().chain([rest]).collect(), send: Injection::signal(Signal::TERM) }]
}

/// Learns how the controls leave what is kept outside the agent.
fn learn_states(
    expected: &mut Expected,
    check: &Check,
    kind: Kind,
    first: &Control,
    second: &Control,
) -> Result<(), CheckError> {
    // What a server holds while it runs is not what it leaves.
    if kind == Kind::Job {
        expected.learn_states(first.evidence());
    }
    expected.learn_states(second.evidence());
    match expected.doubtful_states(&first.evidence().before, &check.rules).into_iter().next() {
        Some(why) => Err(CheckError::Control(why)),
        None => Ok(()),
    }
}

/// Learns how a second start goes over what an undisturbed run leaves.
fn learn_recovery(
    runner: &Runner<'_>,
    learned: &mut Learned,
    plan: TrialPlan,
    progress: &dyn Progress,
) -> Result<(), CheckError> {
    progress.control("undisturbed, and started again");
    let declared = runner.check.recover.as_ref().and_then(|recover| recover.within);
    let within = declared.unwrap_or(learned.duration * 10 + RECOVERY);
    let expected = ExpectedRecovery { plan: plan.clone(), within, undisturbed: None };
    learned.expected.expect_recovery(expected.clone());
    let record = runner.control_with_recovery(&plan, learned)?;
    if record.outcome == Outcome::Interrupted {
        return Err(CheckError::Interrupted);
    }
    if let Some(why) = unread_states(&record.evidence).into_iter().next().or_else(|| lost_recovery(&record.evidence)) {
        return Err(CheckError::Control(why));
    }
    if record.evidence.recovered.is_none() {
        let why = "undisturbed, the agent did not come to where it could be started again";
        return Err(CheckError::Control(why.to_owned()));
    }
    // One more look at what an undisturbed run leaves.
    learned.expected.learn_states(&record.evidence);
    let undisturbed = record.evidence.recovered.map(|recovered| *recovered);
    let late = undisturbed.as_ref().is_some_and(|known| matches!(known.came, Came::Blocked | Came::NotInTime));
    if late && learned.kind != Kind::Server {
        let within = format_span(within);
        return Err(CheckError::Control(format!(
            "a second start after an undisturbed run does not end within {within}: raise recover.within"
        )));
    }
    // A command for that alone has nothing to complain of there.
    let named = runner.check.recover.as_ref().is_some_and(|recover| recover.command.is_some());
    if let Some(known) = undisturbed.as_ref().filter(|known| named && known.came == Came::Through)
        && let Some(ended) = known
            .evidence
            .ended
            .filter(|ended| !allowed_exit(&plan, *ended, learned.expected.ended, runner.check.rules.exit.as_deref()))
    {
        return Err(CheckError::Control(format!(
            "the command of [recover] ends with {ended} after an undisturbed run, so nothing can be concluded from it"
        )));
    }
    learned.expected.expect_recovery(ExpectedRecovery { undisturbed, ..expected });
    Ok(())
}

/// What a second start may take besides ten times the undisturbed run.
const RECOVERY: Duration = Duration::from_secs(20);

/// Runs one control: its input, its acts, its horizon if not the usual one, and what to call it.
type RunControl<'a> = dyn Fn(Stdin, Vec<Act>, Option<Duration>, &str) -> Result<Control, CheckError> + 'a;

fn run_again(run: &RunControl<'_>, check: &Check) -> Result<Control, CheckError> {
    run(check.stdin.clone().unwrap_or_default(), Vec::new(), None, "undisturbed, again")
}

fn conclude(check: &Check, kind: Kind, stdin: Stdin, first: &Control, second: &Control) -> Learned {
    // Of a session only the run that ended with its input ended by itself.
    let ended_with_input = kind == Kind::Session && second.record.outcome == Outcome::Ended;
    let controls: Vec<(&Evidence, bool)> = match kind {
        Kind::Session => vec![(second.evidence(), ended_with_input)],
        _ => vec![(first.evidence(), first.by_itself), (second.evidence(), second.by_itself)],
    };
    let mut expected = learn(&controls, kind, &crate::model::path_text(check.directory.as_os_str().as_encoded_bytes()));
    let found = if kind == Kind::Job { Vec::new() } else { audit_control(first.evidence()) };
    expected.unwaited = found.iter().map(|one| one.fingerprint.clone()).collect();
    let shown = if kind == Kind::Session { second } else { first };
    let idle_at = shown
        .evidence()
        .censuses
        .get(&Occasion::Idle)
        .or_else(|| shown.evidence().censuses.get(&Occasion::Injection))
        .map(|census| census.at);
    let duration = match kind {
        // The second run finds warm caches, as the trials do.
        Kind::Job => [first, second]
            .iter()
            .filter(|control| control.by_itself)
            .map(|control| control.evidence().ended_at.unwrap_or(control.record.duration))
            .min()
            .unwrap_or(first.record.duration),
        _ => idle_at.unwrap_or(COMPUTES_BY),
    };
    let uses_ports = [first, second]
        .iter()
        .flat_map(|control| control.evidence().censuses.values())
        .any(|census| census.shares_network);
    // What a session writes once its input ends is no point of its life; an unfinished
    // prompt becomes a line only then.
    let until = shown.evidence().injected_at.unwrap_or(Duration::MAX);
    let said = shown.evidence().output.lines.iter().filter(|(at, _)| *at < until);
    let mut lines: Vec<String> = said.map(|(_, line)| line.clone()).collect();
    let other: Vec<&String> = second.evidence().output.lines.iter().map(|(_, line)| line).collect();
    lines.retain(|line| other.contains(&line) || kind == Kind::Session);
    let ended = match (kind, shown.evidence().ended) {
        (Kind::Job, Some(ended)) => ended.to_string(),
        (Kind::Session, Some(ended)) => format!("{ended} when its input ended"),
        _ if rest(first) == Point::Idle => "stopped at rest".to_owned(),
        _ => "stopped while it worked".to_owned(),
    };
    let leaves = leaves(&expected);
    let rest = rest(first);
    Learned {
        rest,
        kind,
        listens: first.listens(),
        uses_ports,
        stdin,
        duration,
        lines,
        last_line: shown.evidence().output.lines.last().map(|(_, line)| line.clone()),
        expected,
        found,
        map: None,
        recorded: None,
        moments: None,
        about_states: Vec::new(),
        control: quietus_reports::Control {
            runs: 2,
            duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            ended,
            leaves,
        },
    }
}

/// What the control leaves, in words: directories stand for what is in them.
fn leaves(expected: &Expected) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    let there = |nodes: &[FileNode]| nodes.iter().any(|node| node.change != FileChange::Deleted);
    for path in expected.files.iter().filter(|(_, nodes)| there(nodes)).map(|(path, _)| path) {
        if !shown.iter().any(|above| path.strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'))) {
            shown.push(path.clone());
        }
    }
    shown.extend(expected.processes.iter().map(|command| format!("process `{command}`")));
    shown.extend(expected.ipc.iter().map(|object| format!("{:?} {}", object.kind, object.key)));
    shown
}
