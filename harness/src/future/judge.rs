//! From what one run of a future has shown to findings. Pure.
//!
//! What undisturbed runs do and leave is expected, and so is what they do when they are
//! run a second time over what they left: a cancel may come before the work, or after it.

use super::cancelling::Course;
use super::lock::LockState;
use super::once::{Again, Seen};
use super::own::Child;
use super::plan::{By, Plan};
use super::spawned::Task;
use crate::audit::{Found, code_of_name};
use quietus_reports::fingerprint::normalise;
use quietus_reports::{Code, Origin, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// What undisturbed runs do and leave.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// What they come to; empty when that differs from run to run.
    outputs: BTreeSet<String>,
    /// What each state is after a run, and after a second one over what the first left.
    /// Those that differ from run to run are not here.
    states: BTreeMap<String, (String, Option<String>)>,
    /// Those that no second run leaves as another does, and those that cannot be read.
    open: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    /// Locks that are not free.
    locks: BTreeSet<String>,
    /// What tasks say in panics.
    panics: BTreeSet<String>,
    /// Whether the names of files are the same in each run.
    exact: bool,
    /// What may be in the files afterwards, those excepted that differ from run to run.
    trees: Vec<BTreeMap<String, u64>>,
    unstable: BTreeSet<String>,
    names: BTreeSet<String>,
    temporary: BTreeSet<String>,
    /// The lines at which tasks are started.
    spawns: BTreeSet<String>,
    /// How many tasks of each line still live, and how many in all.
    tasks: BTreeMap<String, usize>,
    alive: usize,
    children: BTreeMap<String, usize>,
    /// How many descriptors and threads more there are.
    descriptors: BTreeMap<String, usize>,
    threads: usize,
}

impl Expected {
    /// Names the place where a task is started so that lines which come before it may change:
    /// by its file, and how manieth of its places it is.
    fn spawn_of(&self, line: &str) -> String {
        let file = |line: &str| line.rsplit_once(':').map_or_else(String::new, |(file, _)| file.to_owned());
        let number = |line: &str| line.rsplit_once(':').and_then(|(_, number)| number.parse::<u32>().ok());
        let before = |known: &&String| file(known) == file(line) && number(known) < number(line);
        format!("task {} of {}", self.spawns.iter().filter(before).count() + 1, file(line))
    }
}

impl Expected {
    /// What a file is known by: without what is random in its name, if that is.
    fn key(&self, name: &str) -> String {
        if self.exact { name.to_owned() } else { normalise(name) }
    }

    fn tree(&self, files: &BTreeMap<String, u64>, without: &BTreeSet<String>) -> BTreeMap<String, u64> {
        files.iter().map(|(name, hash)| (self.key(name), *hash)).filter(|(name, _)| !without.contains(name)).collect()
    }
}

/// Learns from two undisturbed runs.
pub(super) fn learn(one: &Seen, other: &Seen) -> Expected {
    let names = |files: &BTreeMap<String, u64>| files.keys().cloned().collect::<BTreeSet<_>>();
    let again = |seen: &Seen| seen.again.as_ref().map(|again| again.files.clone()).unwrap_or_default();
    let agree = |one: &BTreeMap<String, u64>, other: &BTreeMap<String, u64>| names(one) == names(other);
    let mut expected = Expected {
        exact: agree(&one.left.files, &other.left.files) && agree(&again(one), &again(other)),
        ..Expected::default()
    };
    learn_results(&mut expected, one, other);
    for (ours, theirs) in [(&one.left.files, &other.left.files), (&again(one), &again(other))] {
        let [ours, theirs] = [ours, theirs].map(|files| expected.tree(files, &BTreeSet::new()));
        let differs = |(name, hash): &(&String, &u64)| theirs.get(*name) != Some(hash);
        expected.unstable.extend(ours.iter().filter(differs).map(|(name, _)| name.clone()));
    }
    for seen in [one, other] {
        let after = again(seen);
        for files in [&seen.left.files, &after] {
            let keys: Vec<String> = files.keys().map(|name| expected.key(name)).collect();
            expected.names.extend(keys);
            expected.trees.push(expected.tree(files, &expected.unstable));
        }
        expected.alive = expected.alive.max(seen.alive);
        expected.spawns.extend(seen.tasks.iter().map(line));
        most(&mut expected.tasks, living(seen));
        expected.temporary.extend(new_temporary(seen));
        most(&mut expected.children, counted(seen.left.children.iter().map(|child| child.command.clone())));
        expected.panics.extend(seen.panics.iter().map(|said| normalise(said)));
        let free = |(_, state): &(&String, &LockState)| **state != LockState::Free;
        expected.locks.extend(seen.left.locks.iter().filter(free).map(|(name, _)| name.clone()));
    }
    // What grows in one of them alone is made once in a process.
    let [ours, theirs] = [one, other].map(more_descriptors);
    expected.descriptors =
        ours.iter().filter_map(|(target, count)| Some((target.clone(), *count.min(theirs.get(target)?)))).collect();
    expected.threads = more_threads(one).min(more_threads(other));
    expected
}

/// What they come to, and what states they leave.
fn learn_results(expected: &mut Expected, one: &Seen, other: &Seen) {
    let second = |seen: &Seen| seen.again.as_ref().map(|again| again.course.clone());
    if one.course == other.course && second(one) == second(other) {
        expected.outputs.extend(finished(&one.course));
        expected.outputs.extend(second(one).as_ref().and_then(finished));
    }
    for (name, state) in &one.left.states {
        let theirs = other.left.states.get(name).map(|state| &state.now);
        match &state.now {
            Err(_) => expected.unreadable.extend([name.clone()]),
            Ok(after) if theirs == Some(&state.now) => {
                let twice = |seen: &Seen| seen.again.as_ref()?.states.get(name).cloned()?.ok();
                if twice(one) != twice(other) {
                    expected.open.insert(name.clone());
                }
                expected.states.insert(name.clone(), (after.clone(), twice(one)));
            }
            Ok(_) => {}
        }
    }
}

/// How many there are of each.
fn counted(all: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

/// Takes over what is more.
fn most(known: &mut BTreeMap<String, usize>, counts: BTreeMap<String, usize>) {
    for (what, count) in counts {
        let most = known.entry(what).or_default();
        *most = (*most).max(count);
    }
}

/// What two undisturbed runs do otherwise: the subjects of findings about results.
pub(super) fn varies(one: &Seen, other: &Seen) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let course = |seen: &Seen| seen.again.as_ref().map(|again| again.course.clone());
    if one.course != other.course || course(one) != course(other) {
        found.insert(OUTPUT.to_owned());
    }
    let states = |seen: &Seen| {
        let first = seen.left.states.iter().map(|(name, state)| ((name.clone(), false), state.now.clone()));
        let second = seen.again.iter().flat_map(|again| &again.states);
        first.chain(second.map(|(name, now)| ((name.clone(), true), now.clone()))).collect::<BTreeMap<_, _>>()
    };
    let files = |seen: &Seen| {
        let first = seen.left.files.iter().map(|(name, hash)| ((name.clone(), false), *hash));
        let second = seen.again.iter().flat_map(|again| &again.files);
        first.chain(second.map(|(name, hash)| ((name.clone(), true), *hash))).collect::<BTreeMap<_, _>>()
    };
    found.extend(differing(&states(one), &states(other)));
    found.extend(differing(&files(one), &files(other)));
    found
}

fn differing<V: PartialEq>(
    one: &BTreeMap<(String, bool), V>,
    other: &BTreeMap<(String, bool), V>,
) -> impl Iterator<Item = String> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differ = keys.into_iter().filter(|key| one.get(*key) != other.get(*key));
    differ.map(|(name, _)| name.clone()).collect::<Vec<_>>().into_iter()
}

/// The subject of a finding about what a run comes to.
const OUTPUT: &str = "its output";

fn finished(course: &Course<String>) -> Option<String> {
    match course {
        Course::Finished(output) => Some(output.clone()),
        _ => None,
    }
}

/// Judges one run that was cancelled.
pub(super) fn judge(plan: Plan, seen: &Seen, expected: &Expected) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(ending(plan, seen));
    found.extend(panics(seen, expected));
    found.extend(tasks(seen, expected));
    found.extend(states(seen, expected));
    found.extend(locks(seen, expected));
    found.extend(files(seen, expected));
    found.extend(processes(seen, expected));
    let disturbed = seen.alive > expected.alive || seen.course == Course::OutOfTime;
    // What still runs would disturb the next run: that is the finding.
    if let Some(again) = seen.again.as_ref().filter(|_| !disturbed) {
        found.extend(recovery(again, seen, expected));
    }
    found
}

fn ending(plan: Plan, seen: &Seen) -> Option<Found> {
    // A task alone is cancelled by whoever holds it, who knows.
    let of_root = plan.first.is_some_and(|cancel| cancel.at.task == 0 || cancel.by == By::Drop);
    match &seen.course {
        Course::Panicked(said) if of_root => {
            Some(Found::new(Code::Crashed, normalise(said), format!("cancelled, the agent panics: {said}"), &[]))
        }
        Course::OutOfTime if plan.first.is_some_and(|cancel| cancel.by == By::Token) => {
            let title = "its token was cancelled, and the agent did not end within its grace";
            Some(Found::new(Code::Hang, "the agent", title, &[]))
        }
        _ => None,
    }
}

/// Where a task was started.
fn line(task: &Task) -> String {
    format!("{}:{}", task.started_at.file(), task.started_at.line())
}

/// The lines at which tasks were started that still live, with their number.
fn living(seen: &Seen) -> BTreeMap<String, usize> {
    counted(seen.tasks.iter().filter(|task| task.alive).map(line))
}

/// Tasks that panic where the agent is cancelled. Whoever shuts down may take that for an end.
fn panics(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for said in seen.panics.iter().filter(|said| !expected.panics.contains(&normalise(said))) {
        let mut one = Found::new(Code::Crashed, normalise(said), format!("a task panics: {said}"), &[]);
        one.severity = Severity::Warn;
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

fn tasks(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let mut more = seen.alive.saturating_sub(expected.alive);
    let mut found = Vec::new();
    for (line, count) in living(seen) {
        let known = expected.tasks.get(&line).copied().unwrap_or_default();
        if count > known && more > 0 {
            more = more.saturating_sub(count - known);
            let origin = Origin {
                role: "0".to_owned(),
                command: "the agent".to_owned(),
                source: Some("spawn".to_owned()),
                line: Some(line.clone()),
            };
            let title = format!("a task started at {line} still runs");
            let mut one = Found::new(Code::OrphanTask, line.as_str(), title, &[]).with_origin(Some(origin));
            one.identify_by(&expected.spawn_of(&line));
            found.push(one);
        }
    }
    if more > 0 {
        let title = format!(
            "{more} task{} started by tokio::spawn still run{}",
            plural(more),
            if more == 1 { "s" } else { "" }
        );
        found.push(Found::new(Code::OrphanTask, "a task", title, &[]));
    }
    found
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn states(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, state) in &seen.left.states {
        match &state.now {
            Err(_) if expected.unreadable.contains(name) => {}
            Err(why) => {
                found.push(Found::new(
                    Code::NotRolledBack,
                    name.as_str(),
                    format!("the state `{name}` cannot be read: {why}"),
                    &[],
                ));
            }
            Ok(now) => {
                let Some((after, _)) = expected.states.get(name) else { continue };
                if now != after && *now != state.before {
                    let title = format!("the state `{name}` is neither as before the work nor as after it");
                    found.push(Found::new(Code::NotRolledBack, name.as_str(), title, &[]).with_evidence([
                        format!("before  {}", state.before),
                        format!("now     {now}"),
                        format!("after   {after}"),
                    ]));
                }
            }
        }
    }
    found
}

fn locks(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let left = |(name, state): (&String, &LockState)| match state {
        LockState::Free => None,
        _ if expected.locks.contains(name) => None,
        LockState::Held => {
            Some(Found::new(Code::MutexHeld, name.as_str(), format!("the lock `{name}` is still held"), &[]))
        }
        LockState::Poisoned => {
            Some(Found::new(Code::MutexPoisoned, name.as_str(), format!("the lock `{name}` is poisoned"), &[]))
        }
    };
    seen.left.locks.iter().filter_map(left).collect()
}

/// The files that no undisturbed run leaves, by what they are known by.
fn left<'a>(seen: &'a Seen, expected: &Expected) -> BTreeMap<String, &'a str> {
    let all = seen.left.files.keys().map(|name| (expected.key(name), name.as_str()));
    all.filter(|(name, _)| !expected.names.contains(name)).collect()
}

fn files(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let in_directory = left(seen, expected).into_values().filter_map(|name| {
        let title = format!("the file {} is left behind in the directory of the trial", normalise(name));
        Some(Found::new(code_of_name(name)?, normalise(name), title, &[]))
    });
    let temporary = new_temporary(seen).into_iter().filter(|name| !expected.temporary.contains(name)).map(|name| {
        let title = format!("{name} is left behind in the directory for temporary files");
        Found::new(Code::TempFile, name, title, &[])
    });
    in_directory.chain(temporary).collect()
}

fn new_temporary(seen: &Seen) -> BTreeSet<String> {
    seen.left.temporary.iter().map(|name| normalise(name)).collect()
}

fn processes(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let mut known = expected.children.clone();
    let mut found = Vec::new();
    for Child { ended, command, .. } in &seen.left.children {
        if let Some(count) = known.get_mut(command).filter(|count| **count > 0) {
            *count -= 1;
            continue;
        }
        let one = if *ended {
            Found::new(
                Code::ZombieProcess,
                command.as_str(),
                format!("`{command}` has ended and nobody waits for it"),
                &[],
            )
        } else {
            Found::new(Code::OrphanProcess, command.as_str(), format!("`{command}` still runs"), &[])
        };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

fn more_threads(seen: &Seen) -> usize {
    seen.own.as_ref().map_or(0, |(before, after)| after.threads.saturating_sub(before.threads))
}

/// By what they are, how many descriptors more there are than before.
fn more_descriptors(seen: &Seen) -> BTreeMap<String, usize> {
    let Some((before, after)) = &seen.own else { return BTreeMap::new() };
    let mut more: BTreeMap<String, usize> = BTreeMap::new();
    for target in after.descriptors.values() {
        *more.entry(normalise(target)).or_default() += 1;
    }
    for target in before.descriptors.values() {
        if let Some(count) = more.get_mut(&normalise(target)) {
            *count = count.saturating_sub(1);
        }
    }
    more.retain(|_, count| *count > 0);
    more
}

/// What grew more than it does undisturbed: descriptors, by what they are, and threads.
pub(super) fn growth(seen: &Seen, expected: &Expected) -> Vec<Found> {
    let mut found = Vec::new();
    for (target, count) in more_descriptors(seen) {
        if count > expected.descriptors.get(&target).copied().unwrap_or_default() {
            let title = format!("each such cancel leaves a descriptor open: {target}");
            found.push(Found::new(Code::FdGrowth, target, title, &[]));
        }
    }
    if more_threads(seen) > expected.threads {
        found.push(Found::new(Code::ThreadGrowth, "a thread", "each such cancel leaves a thread running", &[]));
    }
    found
}

fn recovery(again: &Again, seen: &Seen, expected: &Expected) -> Vec<Found> {
    let failed = |why: String| {
        vec![Found::new(Code::RecoveryFailed, normalise(&why), format!("run again, the agent {why}"), &[])]
    };
    let output = match &again.course {
        Course::Panicked(said) => return failed(format!("panics: {said}")),
        Course::OutOfTime => return failed("does not end".to_owned()),
        Course::Cancelled => return Vec::new(),
        Course::Finished(output) => output,
    };
    let mut found = Vec::new();
    if !expected.outputs.is_empty() && !expected.outputs.contains(output) {
        let errs = output.starts_with("Err(") && !expected.outputs.iter().any(|known| known.starts_with("Err("));
        if errs {
            return failed(format!("fails: {output}"));
        }
        let known: Vec<&str> = expected.outputs.iter().map(String::as_str).collect();
        found.push(
            Found::new(Code::RecoveryDiverged, OUTPUT, "run again, the agent comes to another result", &[])
                .with_evidence([format!("undisturbed  {}", known.join(" or ")), format!("run again    {output}")]),
        );
    }
    for (name, now) in &again.states {
        let (Some((once, twice)), Ok(now)) = (expected.states.get(name), now) else { continue };
        if expected.open.contains(name) {
            continue;
        }
        if now != once && twice.as_ref() != Some(now) {
            let may: Vec<&str> =
                twice.iter().filter(|twice| *twice != once).chain([once]).map(String::as_str).collect();
            let title = format!("run again, the agent leaves the state `{name}` as no undisturbed run does");
            found.push(
                Found::new(Code::RecoveryDiverged, name.as_str(), title, &[])
                    .with_evidence([format!("undisturbed  {}", may.join(" or ")), format!("run again    {now}")]),
            );
        }
    }
    let mut without: BTreeSet<String> = left(seen, expected).into_keys().collect();
    without.extend(expected.unstable.iter().cloned());
    let tree = expected.tree(&again.files, &without);
    if !expected.trees.contains(&tree) {
        let nearest = expected.trees.first().cloned().unwrap_or_default();
        let differs = |name: &&String| nearest.get(*name) != tree.get(*name);
        let names: BTreeSet<&String> = nearest.keys().chain(tree.keys()).collect();
        for name in names.into_iter().filter(differs) {
            let title = format!("run again, the agent leaves another {name}");
            found.push(Found::new(Code::RecoveryDiverged, name.as_str(), title, &[]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::handle::State;
    use super::super::once::Left;
    use super::super::own::Own;
    use super::super::plan::Moment;
    use super::*;
    use std::time::Duration;

    /// An undisturbed run that counts from 0 to 1, and to 2 when it is run again.
    fn seen() -> Seen {
        let state = State { before: "0".to_owned(), now: Ok("1".to_owned()) };
        let files = BTreeMap::from([("answer".to_owned(), 1)]);
        Seen {
            course: Course::Finished("1".to_owned()),
            cancelled: true,
            awaits: 1,
            turns: (0, 0),
            starts_others: false,
            polls: Vec::new(),
            polled: Vec::new(),
            probes: BTreeMap::new(),
            token_asked: None,
            blocks: false,
            heard: false,
            tasks: Vec::new(),
            panics: Vec::new(),
            alive: 0,
            left: Left { states: BTreeMap::from([("count".to_owned(), state)]), files, ..Left::default() },
            own: None,
            line: None,
            again: Some(Again {
                course: Course::Finished("2".to_owned()),
                states: BTreeMap::from([("count".to_owned(), Ok("2".to_owned()))]),
                files: BTreeMap::from([("answer".to_owned(), 2)]),
            }),
            took: Duration::ZERO,
        }
    }

    /// What is found of such an agent, cancelled by drop, when this is seen.
    fn found(seen: &Seen) -> Vec<String> {
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        let found = judge(plan, seen, &learn(&self::seen(), &self::seen()));
        found.into_iter().map(|found| format!("{} {}", found.code, found.subject)).collect()
    }

    /// Cancelled, with this count afterwards, and this one after the next run.
    fn cancelled(count: &str, again: &str) -> Seen {
        let mut seen = seen();
        seen.course = Course::Cancelled;
        seen.left.states.get_mut("count").expect("it is there").now = Ok(count.to_owned());
        let next = seen.again.as_mut().expect("it is there");
        next.course = Course::Finished(again.to_owned());
        next.states.insert("count".to_owned(), Ok(again.to_owned()));
        next.files.insert("answer".to_owned(), again.parse().expect("a number"));
        seen
    }

    #[test]
    fn a_cancel_comes_before_the_work_or_after_it() {
        assert_eq!(found(&cancelled("0", "1")), [""; 0]);
        assert_eq!(found(&cancelled("1", "2")), [""; 0]);
        assert_eq!(found(&cancelled("2", "2")), ["not-rolled-back count"]);
        assert_eq!(
            found(&cancelled("1", "3")),
            ["recovery-diverged its output", "recovery-diverged count", "recovery-diverged answer"]
        );
        assert_eq!(
            found(&cancelled("0", "0")),
            ["recovery-diverged its output", "recovery-diverged count", "recovery-diverged answer"]
        );
    }

    #[test]
    fn what_still_runs_is_told_and_not_what_it_disturbs() {
        let mut seen = cancelled("0", "3");
        seen.alive = 2;
        assert_eq!(found(&seen), ["orphan-task a task"]);
    }

    #[test]
    fn a_task_is_the_same_when_lines_before_it_change() {
        let of = |lines: &[&str], line: &str| {
            let spawns = lines.iter().map(|line| (*line).to_owned()).collect();
            Expected { spawns, ..Expected::default() }.spawn_of(line)
        };
        assert_eq!(of(&["a.rs:9", "a.rs:10", "b.rs:1"], "a.rs:10"), "task 2 of a.rs");
        assert_eq!(of(&["a.rs:90", "a.rs:100", "b.rs:1"], "a.rs:100"), "task 2 of a.rs");
        assert_eq!(of(&["a.rs:9", "a.rs:10", "b.rs:1"], "b.rs:1"), "task 1 of b.rs");
    }

    #[test]
    fn files_are_named_by_what_they_look_like() {
        let mut seen = cancelled("0", "1");
        for name in ["a.tmp", "b.lock", "c"] {
            seen.left.files.insert(name.to_owned(), 0);
            // The next run does not take them away, which is the same fault.
            seen.again.as_mut().expect("it is there").files.insert(name.to_owned(), 0);
        }
        assert_eq!(found(&seen), ["temp-file a.tmp", "lock-file b.lock", "stray-file c"]);
    }

    #[test]
    fn a_child_runs_or_has_ended() {
        let mut seen = cancelled("0", "1");
        let child = |pid, ended, command: &str| Child { pid, ended, command: command.to_owned() };
        seen.left.children = vec![child(7, false, "sleep 9"), child(8, true, "true"), child(9, false, "sleep 9")];
        assert_eq!(found(&seen), ["orphan-process sleep 9", "zombie-process true"]);
    }

    #[test]
    fn what_undisturbed_runs_leave_too_is_expected() {
        let mut control = seen();
        control.alive = 1;
        control.left.children = vec![Child { pid: 7, ended: false, command: "daemon".to_owned() }];
        control.left.temporary.insert("cache".to_owned());
        let mut seen = cancelled("0", "1");
        seen.alive = 1;
        seen.left.children = vec![Child { pid: 9, ended: false, command: "daemon".to_owned() }];
        seen.left.temporary.insert("cache".to_owned());
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        assert_eq!(judge(plan, &seen, &learn(&control, &control)), []);
    }

    #[test]
    fn what_differs_between_two_controls_is_not_compared() {
        let mut other = seen();
        other.course = Course::Finished("9".to_owned());
        other.left.states.get_mut("count").expect("it is there").now = Ok("9".to_owned());
        other.left.files.insert("answer".to_owned(), 9);
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        assert_eq!(judge(plan, &cancelled("5", "6"), &learn(&seen(), &other)), []);
    }

    #[test]
    fn a_child_of_a_command_that_stays_is_excused_once() {
        let mut control = seen();
        let child = |pid| Child { pid, ended: false, command: "worker".to_owned() };
        control.left.children = vec![child(7)];
        let mut seen = cancelled("0", "1");
        seen.left.children = vec![child(8), child(9)];
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        let codes = |seen: &Seen| judge(plan, seen, &learn(&control, &control)).len();
        assert_eq!(codes(&seen), 1);
        seen.left.children.pop();
        assert_eq!(codes(&seen), 0);
    }

    #[test]
    fn second_runs_that_differ_are_not_compared() {
        let mut other = seen();
        let again = other.again.as_mut().expect("it is there");
        again.course = Course::Finished("kept 9".to_owned());
        again.states.insert("count".to_owned(), Ok("9".to_owned()));
        again.files.insert("answer".to_owned(), 9);
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        assert_eq!(judge(plan, &cancelled("0", "7"), &learn(&seen(), &other)), []);
    }

    #[test]
    fn what_varies_is_named_as_in_findings() {
        let mut other = cancelled("1", "3");
        other.course = seen().course;
        let found: Vec<String> = varies(&seen(), &other).into_iter().collect();
        assert_eq!(found, ["answer", "count", OUTPUT]);
        assert_eq!(varies(&seen(), &seen()), BTreeSet::new());
    }

    #[test]
    fn files_that_are_counted_are_told_apart() {
        let with = |mut seen: Seen, names: &[&str]| {
            for name in names {
                seen.left.files.insert((*name).to_owned(), 0);
                seen.again.as_mut().expect("it is there").files.insert((*name).to_owned(), 0);
            }
            seen
        };
        let control = with(seen(), &["chunk-001", "chunk-003"]);
        let cancelled = with(cancelled("0", "1"), &["chunk-001", "chunk-002", "chunk-003"]);
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        let found = judge(plan, &cancelled, &learn(&control, &control));
        assert_eq!(found.iter().map(|found| found.subject.as_str()).collect::<Vec<_>>(), ["chunk-#"]);
    }

    #[test]
    fn what_is_held_or_panics_undisturbed_too_is_expected() {
        let with = |mut seen: Seen, ours: bool| {
            seen.left.locks.insert("forever".to_owned(), LockState::Held);
            seen.left.locks.insert("ours".to_owned(), if ours { LockState::Held } else { LockState::Free });
            seen.panics = vec!["always".to_owned()];
            seen.panics.extend(ours.then(|| "now".to_owned()));
            seen
        };
        let control = with(seen(), false);
        let plan = Plan::once(0, Moment::Await(1), By::Drop);
        let found = judge(plan, &with(cancelled("0", "1"), true), &learn(&control, &control));
        assert_eq!(found.iter().map(|found| found.subject.as_str()).collect::<Vec<_>>(), ["now", "ours"]);
        assert_eq!(found.first().map(|found| found.severity), Some(Severity::Warn));
    }

    #[test]
    fn growth_is_what_is_more_than_undisturbed() {
        let own = |targets: &[&str]| Own {
            descriptors: (3..).zip(targets.iter().map(|target| (*target).to_owned())).collect(),
            ..Own::default()
        };
        let mut control = seen();
        control.own = Some((own(&["/dev/null"]), own(&["/dev/null", "pool"])));
        let expected = learn(&control, &control);
        // The first run alone made something that stays in the process.
        let mut first = control.clone();
        first.own = Some((own(&[]), own(&["socket", "pool"])));
        assert_eq!(learn(&first, &control).descriptors, expected.descriptors);
        let grown = |after: &[&str]| {
            let mut seen = cancelled("0", "1");
            seen.own = Some((own(&["/dev/null"]), own(after)));
            growth(&seen, &expected).into_iter().map(|found| found.subject).collect::<Vec<_>>()
        };
        assert_eq!(grown(&["/dev/null", "pool"]), [""; 0]);
        assert_eq!(grown(&["/dev/null", "pool", "log"]), ["log"]);
        assert_eq!(grown(&["/dev/null", "pool", "pool"]), ["pool"]);
    }

    #[test]
    fn the_error_of_a_task_that_was_aborted_is_the_agents_own_affair() {
        let mut seen = cancelled("0", "1");
        seen.course = Course::Panicked("it was cancelled".to_owned());
        let expected = learn(&self::seen(), &self::seen());
        let codes = |task| {
            let found = judge(Plan::once(task, Moment::Await(1), By::Abort), &seen, &expected);
            found.iter().map(|found| found.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(0), [Code::Crashed]);
        assert_eq!(codes(1), []);
    }
}
