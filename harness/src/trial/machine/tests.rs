//! Every (state, event) pair of the table.

use super::*;
use crate::model::{Act, Ended, Injection, Signal, Stdin, Target};
use proptest::prelude::*;

fn limits() -> Limits {
    let s = Duration::from_secs;
    Limits {
        reach: s(1),
        settle: s(2),
        settle_rounds: 2,
        linger: s(3),
        horizon: s(4),
        horizon_rounds: 1,
        serves_after: 2,
    }
}

fn machine(at: &[&str], send: &str) -> Machine {
    let at = at.iter().map(|point| point.parse().expect("a point")).collect();
    let acts = vec![Act { at, send: send.parse().expect("an injection") }];
    let plan = TrialPlan {
        acts,
        grace: Duration::from_secs(5),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    Machine::new(&plan, limits())
}

fn control() -> Machine {
    let plan = TrialPlan {
        acts: Vec::new(),
        grace: Duration::ZERO,
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    Machine::new(&plan, limits())
}

fn follow(machine: &Machine, events: &[Event]) -> (State, Vec<Vec<Action>>) {
    let (mut state, first) = machine.begin();
    let mut all = vec![first];
    for event in events {
        let (next, actions) = machine.step(&state, event).unwrap_or_else(|error| panic!("{error}"));
        state = next;
        all.push(actions);
    }
    (state, all)
}

const ENDED: Event = Event::LeaderEnded(Ended::Signaled(Signal::TERM));

fn look(alive: usize, busy: bool, listens: bool) -> Event {
    Event::Looked(Look { alive, busy, listens })
}

#[test]
fn who_was_terminated_has_its_grace_though_another_point_was_to_come() {
    let act = |at: &str, send: &str| Act {
        at: vec![at.parse().expect("a point")],
        send: send.parse().expect("an injection"),
    };
    let plan = |first: &str| TrialPlan {
        acts: vec![act("start", first), act("+idle", "TERM")],
        grace: Duration::from_secs(5),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    let wait = Action::SetTimer(Timer::Next, Duration::from_secs(5));
    let (state, actions) = follow(&Machine::new(&plan("INT"), limits()), &[Event::Started, Event::Timer(Timer::Next)]);
    assert!(actions[1].contains(&wait), "{actions:?}");
    assert_eq!(state, State::Killing);
    // A call that is to fail, or a delay, asks nobody to end.
    for first in ["fault:unlink=EIO", "delay:2ms"] {
        let (state, actions) = follow(&Machine::new(&plan(first), limits()), &[Event::Started]);
        assert!(!actions[1].contains(&wait) && matches!(state, State::Reaching { .. }), "{actions:?}");
    }
}

#[test]
fn a_plain_trial_goes_from_point_to_quiet() {
    let machine = machine(&["output:/x/"], "TERM");
    let (state, actions) = follow(&machine, &[Event::Started, Event::Reached(0), ENDED, Event::Quiet]);
    assert_eq!(state, State::Done(Outcome::Ended));
    assert_eq!(
        actions[2],
        [
            Action::Census(Occasion::Injection),
            Action::Inject(Step::Signal(Signal::TERM, Target::Leader)),
            Action::SetTimer(Timer::Grace, Duration::from_secs(5))
        ]
    );
    assert_eq!(actions[3], [Action::SetTimer(Timer::Settle, Duration::from_secs(2)), Action::AwaitQuiet]);
}

#[test]
fn start_needs_no_waiting() {
    let (state, actions) = follow(&machine(&["start"], "TERM"), &[Event::Started]);
    assert_eq!(state, State::Grace);
    assert!(actions[1].contains(&Action::Inject(Step::Signal(Signal::TERM, Target::Leader))));
}

#[test]
fn the_census_is_taken_once_before_the_first_injection() {
    let machine = machine(&["start"], "TERM,200ms,INT");
    let (state, actions) = follow(&machine, &[Event::Started, Event::Timer(Timer::Wait)]);
    assert_eq!(state, State::Grace);
    let all: Vec<&Action> = actions.iter().flatten().collect();
    assert_eq!(all.iter().filter(|action| matches!(action, Action::Census(Occasion::Injection))).count(), 1);
    assert_eq!(all.iter().filter(|action| matches!(action, Action::Inject(_))).count(), 2);
}

#[test]
fn an_agent_that_ends_first_is_missed_unless_it_was_hit() {
    let machine = machine(&["output:/x/"], "TERM");
    assert_eq!(follow(&machine, &[Event::Started, ENDED]).0, State::Done(Outcome::Missed));
    let act = |at: &[&str]| Act {
        at: at.iter().map(|point| point.parse().expect("a point")).collect(),
        send: Injection::signal(Signal::INT),
    };
    let plan = TrialPlan {
        acts: vec![act(&["start"]), act(&["output:/y/"])],
        grace: Duration::ZERO,
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: crate::model::Noise::NONE,
    };
    let twice = Machine::new(&plan, limits());
    assert!(matches!(follow(&twice, &[Event::Started, ENDED]).0, State::Settling { killed: false, .. }));
    assert_eq!(follow(&twice, &[Event::Started, Event::Timer(Timer::Reach)]).0, State::Killing);
    assert_eq!(follow(&machine, &[Event::Started, Event::Timer(Timer::Reach)]).0, State::Done(Outcome::Unreached));
}

#[test]
fn the_grace_ends_in_a_kill() {
    let machine = machine(&["start"], "TERM");
    let (state, actions) = follow(&machine, &[Event::Started, Event::Timer(Timer::Grace), ENDED, Event::Quiet]);
    assert_eq!(state, State::Done(Outcome::Killed));
    assert_eq!(actions[2][..2], [Action::Census(Occasion::GraceEnd), Action::KillLeader]);
    let stuck = [Event::Started, Event::Timer(Timer::Grace), Event::Timer(Timer::Reach), Event::Timer(Timer::Die)];
    assert!(matches!(follow(&machine, &stuck).0, State::Done(Outcome::Lost(_))), "no KILL is waited for without end");
}

#[test]
fn an_agent_that_does_not_start_is_not_waited_for_without_end() {
    for (machine, timer) in [(machine(&["start"], "TERM"), Timer::Reach), (control(), Timer::Horizon)] {
        let late = vec![Event::Timer(timer); 10];
        assert_eq!(follow(&machine, &late).0, State::Starting { round: 10 });
        assert!(matches!(follow(&machine, &[&late[..], &late[..1]].concat()).0, State::Done(Outcome::Lost(_))));
    }
}

#[test]
fn the_busy_get_more_time_and_survivors_a_last_look() {
    let machine = machine(&["start"], "TERM");
    let before = [Event::Started, ENDED, Event::Timer(Timer::Settle)];
    let with = |more: &[Event]| follow(&machine, &[&before[..], more].concat()).0;
    assert_eq!(with(&[look(0, false, false)]), State::Done(Outcome::Ended));
    assert!(matches!(with(&[look(1, true, false)]), State::Settling { round: 1, .. }));
    let again = [look(1, true, false), Event::Timer(Timer::Settle)];
    assert!(
        matches!(with(&[&again[..], &again[..], &[look(1, true, false)]].concat()), State::Lingering { .. }),
        "not for ever"
    );
    assert_eq!(with(&[look(1, false, false), Event::Timer(Timer::Linger)]), State::Done(Outcome::Ended));
    assert_eq!(with(&[look(1, false, false), Event::Quiet]), State::Done(Outcome::Ended));
}

#[test]
fn a_control_ends_by_itself_or_at_rest() {
    let machine = control();
    assert_eq!(follow(&machine, &[Event::Started, ENDED, Event::Quiet]).0, State::Done(Outcome::Ended));
    let rest = |listens| [Event::Reached(usize::MAX), look(1, false, listens), Event::Timer(Timer::Recheck)];
    assert_eq!(
        follow(&machine, &[&[Event::Started][..], &rest(true), &rest(true)[..2]].concat()).0,
        State::Done(Outcome::Idle { listens: true })
    );
    assert_eq!(
        follow(&machine, &[&[Event::Started][..], &rest(false), &[Event::Timer(Timer::Horizon)]].concat()).0,
        State::Done(Outcome::Idle { listens: false })
    );
    let busy = [Event::Started, Event::Timer(Timer::Horizon), Event::Timer(Timer::Horizon)];
    assert_eq!(follow(&machine, &busy).0, State::Done(Outcome::Busy));
}

fn states() -> Vec<State> {
    let mut states =
        vec![State::Ready, State::Starting { round: 0 }, State::Grace, State::Killing, State::Done(Outcome::Ended)];
    for op in 0..3 {
        states.extend([State::Reaching { op }, State::Pausing { op }]);
    }
    for killed in [false, true] {
        states.push(State::Lingering { killed });
        states.extend((0..3).map(|round| State::Settling { killed, round }));
    }
    for idle in [None, Some(false), Some(true)] {
        states.extend((0..2).map(|round| State::Controlling { idle, round, rests: round }));
    }
    states
}

fn events() -> Vec<Event> {
    let mut events = vec![Event::Started, ENDED, Event::Quiet, Event::Lost("gone".to_owned()), Event::Interrupted];
    events.extend([Event::Reached(0), Event::Reached(1), Event::Reached(usize::MAX)]);
    events.extend(
        [
            Timer::Reach,
            Timer::Wait,
            Timer::Grace,
            Timer::Die,
            Timer::Next,
            Timer::Settle,
            Timer::Linger,
            Timer::Horizon,
            Timer::Recheck,
        ]
        .map(Event::Timer),
    );
    for alive in 0..2 {
        events.extend([look(alive, false, false), look(alive, true, false), look(alive, false, true)]);
    }
    events
}

/// The whole table as text: a change of any cell shows in the review.
#[test]
fn every_pair() {
    let machine = machine(&["output:/x/", "+time:10ms"], "TERM");
    let mut table = String::new();
    for state in states() {
        for event in events() {
            let cell = match machine.step(&state, &event) {
                Err(_) => "illegal".to_owned(),
                Ok((next, actions)) if next == state && actions.is_empty() => "-".to_owned(),
                Ok((next, actions)) => format!("{next:?} {actions:?}"),
            };
            table.push_str(&format!("{state:?} + {event:?} = {cell}\n"));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn an_interrupt_or_a_loss_ends_every_state() {
    let machine = machine(&["output:/x/"], "TERM");
    for state in states().into_iter().filter(|state| !matches!(state, State::Ready | State::Done(_))) {
        assert_eq!(machine.step(&state, &Event::Interrupted).map(|next| next.0), Ok(State::Done(Outcome::Interrupted)));
        assert!(matches!(machine.step(&state, &Event::Lost("x".to_owned())), Ok((State::Done(Outcome::Lost(_)), _))));
    }
}

proptest! {
    #[test]
    fn any_course_of_events_ends_or_is_refused(indices in prop::collection::vec(0usize..22, 0..60), with_acts: bool) {
        let machine = if with_acts { machine(&["output:/x/", "+time:10ms"], "TERM,1ms,INT") } else { control() };
        let all = events();
        let (mut state, _) = machine.begin();
        for index in indices {
            if let Some(Ok((next, actions))) = all.get(index).map(|event| machine.step(&state, event)) {
                let starting = |state: &State| matches!(state, State::Starting { .. });
                prop_assert!(next != State::Ready && (!starting(&next) || starting(&state)));
                prop_assert!(actions.iter().all(|action| *action != Action::Start), "an agent starts once");
                state = next;
            }
            if let State::Done(_) = state {
                break;
            }
        }
    }
}
