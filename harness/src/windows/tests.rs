//! Small runs, written out, and the maps they give.

use super::*;
use crate::model::{Call, Deed, Ended, Known, LockType, Seen, Side};

/// A run in the making. Each call takes a millisecond.
#[derive(Default)]
struct Run {
    seen: Vec<Seen>,
}

impl Run {
    fn push(mut self, role: &str, took: u64, what: Deed) -> Self {
        let began = self.seen.last().and_then(|last| last.ended).unwrap_or_default();
        let ended = Some(began + Duration::from_millis(took));
        self.seen.push(Seen { role: role.to_owned(), thread: 0, began, ended, what });
        self
    }

    fn call(self, role: &str, name: &str, subjects: &[&str], arguments: &[u64], result: i64, known: Known) -> Self {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let call = Call {
            name: name.to_owned(),
            arguments: all,
            subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            socket: None,
            result: Some(result),
            known,
            line: None,
        };
        self.push(role, 1, Deed::Call(call))
    }

    fn creates(self, role: &str, path: &str) -> Self {
        let flags = (libc::O_CREAT | libc::O_WRONLY) as u64;
        self.call(role, "openat", &[path], &[0, 0, flags], 3, Known::Existed(false))
    }

    fn writes(self, role: &str, path: &str) -> Self {
        self.call(role, "write", &[path], &[3], 5, Known::Nothing)
    }

    fn closes(self, role: &str, path: &str) -> Self {
        self.call(role, "close", &[path], &[3], 0, Known::Nothing)
    }

    fn unlinks(self, role: &str, path: &str) -> Self {
        self.call(role, "unlink", &[path], &[], 0, Known::Nothing)
    }

    fn handles(self, role: &str, signal: Signal, does: Disposition) -> Self {
        self.call(role, "rt_sigaction", &[], &[signal.number() as u64, 1], 0, Known::Disposition(does, 1))
    }

    fn forks(self, role: &str, child: &str, pid: i64) -> Self {
        self.call(role, "clone", &[], &[], pid, Known::Born { role: child.to_owned(), borrowed: false })
    }

    fn executes(self, role: &str, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        self.call(role, "execve", &[&words[0].clone()], &[], 0, Known::Program(words))
    }

    fn ends(self, role: &str) -> Self {
        self.push(role, 0, Deed::Ended(Ended::Exited(0)))
    }

    fn done(self) -> Recording {
        let end = self.seen.last().and_then(|last| last.ended).unwrap_or_default();
        Recording { seen: self.seen, end, ..Recording::default() }
    }
}

fn map(run: Run) -> Map {
    let run = run.done();
    windows(&run, &run, Duration::MAX)
}

/// Each window: what opens it, and what is live in it.
fn shown(map: &Map) -> Vec<String> {
    map.windows
        .iter()
        .map(|window| {
            let opened = window.opened.as_ref().map_or_else(|| "start".to_owned(), |opening| opening.point.to_string());
            let live: Vec<String> = window.live.iter().map(ToString::to_string).collect();
            format!("{opened}: {}", live.join(", "))
        })
        .collect()
}

#[test]
fn a_temporary_file_that_is_renamed_into_place() {
    let run = Run::default()
        .creates("0", "/w/out.tmp")
        .writes("0", "/w/out.tmp")
        .writes("0", "/w/out.tmp")
        .closes("0", "/w/out.tmp")
        .call("0", "rename", &["/w/out.tmp", "/w/out"], &[], 0, Known::Existed(false));
    let map = map(run);
    assert_eq!(
        shown(&map),
        [
            "start: ",
            "[0]openat@exit(/w/out.tmp): file /w/out.tmp, /w/out.tmp is empty",
            "[0]write@exit(/w/out.tmp): file /w/out.tmp, /w/out.tmp is not complete",
            "[0]write@exit(/w/out.tmp)#2: file /w/out.tmp",
            "[0]rename@exit(/w/out.tmp): file /w/out",
        ]
    );
    let leaks = |number: usize| map.predict(&map.windows[number], Signal::TERM);
    assert_eq!(leaks(3), Prediction::Leaks(vec![Thing::File("/w/out.tmp".to_owned())]));
    assert_eq!(leaks(4), Prediction::Leaks(Vec::new()), "what the control leaves is no leak");
}

#[test]
fn a_file_that_was_there_changes_and_is_no_leak() {
    let truncates = (libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY) as u64;
    let run = Run::default()
        .call("0", "openat", &["/w/a.json"], &[0, 0, truncates], 3, Known::Existed(true))
        .writes("0", "/w/a.json")
        .writes("0", "/w/a.json")
        .call("0", "openat", &["/dev/null"], &[0, 0, truncates], 3, Known::Existed(true))
        .call("0", "openat", &["/w/b"], &[0, 0, truncates], -13, Known::Existed(false))
        .call("0", "rename", &["/w/x", "/w/y"], &[], -2, Known::Existed(false))
        .unlinks("0", "/w/old");
    assert_eq!(
        shown(&map(run)),
        [
            "start: ",
            "[0]openat@exit(/w/a.json): /w/a.json is empty, /w/a.json has changed",
            "[0]write@exit(/w/a.json): /w/a.json is not complete, /w/a.json has changed",
            "[0]write@exit(/w/a.json)#2: /w/a.json has changed",
            "[0]unlink@exit(/w/old): /w/a.json has changed, /w/old has changed",
        ],
        "and what failed has done nothing"
    );
}

#[test]
fn children_live_from_their_fork_until_they_are_waited_for() {
    let run = Run::default()
        .handles("0", Signal::TERM, Disposition::Handled)
        .forks("0", "0.0", 7)
        .executes("0.0", &["/bin/sleep", "300"])
        .ends("0.0")
        .call("0", "wait4", &[], &[], 7, Known::Nothing);
    let map = map(run);
    assert_eq!(
        shown(&map),
        [
            "start: ",
            "[0]rt_sigaction@exit: process 0 handles TERM",
            "[0]clone@exit: process 0.0 `a copy of its parent`, process 0 handles TERM, process 0.0 handles TERM",
            "[0.0]execve@exit(/bin/sleep): process 0.0 `/bin/sleep #`, process 0 handles TERM"
                .replace('#', "*")
                .as_str(),
            "[0]wait4@exit: process 0 handles TERM",
        ]
    );
    assert_eq!(map.windows[4].kind, 1, "the same is live as before the child");
    assert_eq!(map.predict(&map.windows[2], Signal::KILL), Prediction::Leaks(Vec::new()), "it ends by itself");
}

#[test]
fn children_go_on_when_the_agent_has_ended() {
    let removes = |run: Run| {
        run.creates("0", "/w/x").forks("0", "0.0", 7).executes("0.0", &["/bin/rm", "/w/x"]).unlinks("0.0", "/w/x")
    };
    let by_itself = map(removes(Run::default()).ends("0.0").call("0", "wait4", &[], &[], 7, Known::Nothing));
    let leaks = |map: &Map, number: usize| match map.predict(&map.windows[number], Signal::KILL) {
        Prediction::Leaks(things) => things.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(leaks(&by_itself, 1), ["file /w/x"]);
    for number in 2..5 {
        assert_eq!(leaks(&by_itself, number), [""; 0], "it removes the file and ends: window {number}");
    }
    let killed = removes(Run::default()).push("0.0", 0, Deed::Ended(Ended::Signaled(Signal::TERM)));
    let killed = map(killed.call("0", "wait4", &[], &[], 7, Known::Nothing));
    assert_eq!(leaks(&killed, 3), ["process 0.0 `/bin/rm /w/x`"], "nobody is there to kill it");
    let noticed = map(removes(Run::default()).ends("0").push("0.0", 2000, wait()).ends("0.0"));
    assert_eq!(leaks(&noticed, 3), [""; 0], "it has noticed that its parent is gone");
}

fn wait() -> Deed {
    Deed::Call(Call { name: "read".to_owned(), result: Some(0), ..Call::default() })
}

#[test]
fn signals_that_are_not_sent_make_no_kinds() {
    let run = Run::default()
        .handles("0", Signal::INT, Disposition::Handled)
        .handles("0", Signal::TERM, Disposition::Ignored)
        .handles("0", Signal::INT, Disposition::Default);
    let kinds = |map: &Map| map.windows.iter().map(|window| window.kind).collect::<Vec<_>>();
    let map = map(run);
    assert_eq!(kinds(&map.clone().for_signals(&[Signal::TERM])), [0, 0, 2, 2]);
    assert_eq!(kinds(&map.clone().for_signals(&[Signal::INT])), [0, 1, 1, 0]);
    assert_eq!(kinds(&map.clone().for_signals(&[Signal::KILL])), [0, 0, 0, 0]);
    assert_eq!(map.predict(&map.windows[2], Signal::TERM), Prediction::Ignored);
}

#[test]
fn a_mask_counts_where_something_else_happens_under_it() {
    let mask = |signals: &[Signal]| Known::Blocked(signals.iter().map(|one| 1u64 << (one.number() - 1)).sum());
    let wait = || Deed::Call(Call { name: "wait4".to_owned(), result: Some(0), ..Call::default() });
    let run = Run::default()
        .call("0", "rt_sigprocmask", &[], &[], 0, mask(&[Signal::TERM, Signal::INT]))
        .call("0", "rt_sigprocmask", &[], &[], 0, mask(&[]))
        .call("0", "rt_sigprocmask", &[], &[], 0, mask(&[Signal::TERM]))
        .push("0", 50, wait())
        .call("0", "rt_sigprocmask", &[], &[], 0, mask(&[]));
    let map = map(run);
    assert_eq!(
        shown(&map),
        ["start: ", "[0]rt_sigprocmask@exit#3: process 0 blocks TERM", "[0]rt_sigprocmask@exit#4: "]
    );
    assert_eq!(map.predict(&map.windows[1], Signal::TERM), Prediction::Blocked);
    let wait = map.windows[1].wait.as_ref().expect("a wait");
    assert_eq!((wait.name.as_str(), wait.length), ("wait4", Duration::from_millis(50)));
}

#[test]
fn locks_sockets_and_objects() {
    let mut run = Run::default()
        .call("0", "flock", &["/w/l"], &[3], 0, Known::Lock(LockType::Exclusive))
        .closes("0", "/w/l")
        .call("0", "bind", &["/tmp/s"], &[4], 0, Known::Nothing)
        .call("0", "bind", &["127.0.0.1:80"], &[5], 0, Known::Nothing)
        .call("0", "close", &["socket:[2]"], &[5], 0, Known::Nothing)
        .call("0", "shmget", &[], &[0, 4096, libc::IPC_CREAT as u64], 5, Known::Nothing)
        .call("0", "shmctl", &[], &[5, libc::IPC_RMID as u64], 0, Known::Nothing)
        .done();
    for (index, socket) in [(2, "socket:[1]"), (3, "socket:[2]")] {
        if let Deed::Call(call) = &mut run.seen[index].what {
            call.socket = Some(socket.to_owned());
        }
    }
    assert_eq!(
        shown(&windows(&run, &run, Duration::MAX)),
        [
            "start: ",
            "[0]flock@exit(/w/l): lock of process 0 on /w/l",
            "[0]close@exit(/w/l): ",
            "[0]bind@exit(/tmp/s): socket /tmp/s",
            "[0]bind@exit#2: socket /tmp/s, bound to 127.0.0.1:80",
            "[0]close@exit(socket:): socket /tmp/s",
            "[0]shmget@exit: socket /tmp/s, shared memory 5",
            "[0]shmctl@exit: socket /tmp/s",
        ]
    );
}

#[test]
fn random_names_are_left_open_in_addresses_and_lives() {
    let run = |name: &str| {
        Run::default()
            .call("0", "mkdir", &[&format!("/tmp/{name}")], &[], 0, Known::Nothing)
            .creates("0", &format!("/tmp/{name}/x"))
            .unlinks("0", &format!("/tmp/{name}/x"))
            .done()
    };
    let map = windows(&run("tmpab12cd34"), &run("tmpzz90xy87"), Duration::MAX);
    assert_eq!(
        shown(&map),
        [
            "start: ",
            "[0]mkdir@exit(/tmp/tmp*): directory /tmp/tmp*",
            "[0]openat@exit(/tmp/tmp*/x): file /tmp/tmp*/x, directory /tmp/tmp*",
            "[0]unlink@exit(/tmp/tmp*/x): directory /tmp/tmp*",
        ]
    );
    let life = map.lives_of("/tmp/tmp00000000/x")[0];
    assert_eq!((life.first, life.last), (2, 2));
    let maker = map.maker(life).expect("known");
    assert_eq!((maker.role, maker.call), ("0", "openat"));
    assert!(map.lives_of("/tmp/tmp00000000/y").is_empty());
}

#[test]
fn the_most_different_windows_come_first_and_each_kind_counts() {
    let run = Run::default()
        .creates("0", "/w/a")
        .creates("0", "/w/b")
        .unlinks("0", "/w/b")
        .unlinks("0", "/w/a")
        .creates("0", "/w/a")
        .unlinks("0", "/w/a");
    let map = map(run);
    let kinds: Vec<usize> = map.windows.iter().map(|window| window.kind).collect();
    assert_eq!(kinds, [0, 1, 2, 1, 0, 1, 0]);
    assert_eq!(map.chosen(), [2, 0, 1, 6, 5], "the fullest, the emptiest, the rest; then the last of each kind");
}

#[test]
fn what_happens_after_the_end_of_the_run_is_no_window() {
    let run = Run::default().creates("0", "/w/a").unlinks("0", "/w/a").done();
    let until = Duration::from_millis(1);
    assert_eq!(windows(&run, &run, until).windows.len(), 2);
    assert_eq!(every_moment(&run, &run, until, &[Side::Exit]).len(), 1);
    assert_eq!(windows(&Recording::default(), &Recording::default(), Duration::MAX).windows.len(), 1);
}

#[test]
fn several_of_one_pattern_are_told_apart() {
    let run = |names: [&str; 2]| {
        let [one, other] = names.map(|name| format!("/tmp/{name}"));
        let made = |run: Run, path: &str| run.call("0", "mkdir", &[path], &[], 0, Known::Nothing);
        let gone = |run: Run, path: &str| run.call("0", "rmdir", &[path], &[], 0, Known::Nothing);
        gone(gone(made(made(Run::default(), &one), &other), &one), &other).done()
    };
    let map = windows(&run(["tmpab12cd34", "tmpzz90xy87"]), &run(["tmp11111111", "tmp22222222"]), Duration::MAX);
    assert_eq!(
        shown(&map),
        [
            "start: ",
            "[0]mkdir@exit(/tmp/tmp*): directory /tmp/tmp*",
            "[0]mkdir@exit(/tmp/tmp*)#2: directory /tmp/tmp*, directory /tmp/tmp* (2)",
            "[0]rmdir@exit(/tmp/tmp*): directory /tmp/tmp* (2)",
            "[0]rmdir@exit(/tmp/tmp*)#2: ",
        ]
    );
    assert!(fits("/tmp/tmp* (2)", "/tmp/tmpxyz") && !fits("/tmp/tmp* (2)", "/tmp/tmpxyz/a"));
}

#[test]
fn a_file_that_is_emptied_is_empty_until_it_is_written() {
    let run = Run::default()
        .creates("0", "/w/out")
        .call("0", "ftruncate", &["/w/out"], &[3, 0], 0, Known::Nothing)
        .writes("0", "/w/out")
        .writes("0", "/w/out");
    assert_eq!(
        shown(&map(run)),
        [
            "start: ",
            "[0]openat@exit(/w/out): file /w/out, /w/out is empty",
            "[0]write@exit(/w/out): file /w/out, /w/out is not complete",
            "[0]write@exit(/w/out)#2: file /w/out",
        ]
    );
}

/// A child that the agent has killed is on its way out, wherever the agent is by then.
#[test]
fn who_was_killed_before_is_not_left() {
    let killed = |run: Run| run.push("0.0", 0, Deed::Ended(Ended::Signaled(Signal::KILL)));
    let kill = |run: Run| run.call("0", "kill", &[], &[7, 9], 0, Known::Nothing);
    let start = || Run::default().forks("0", "0.0", 7).executes("0.0", &["/usr/bin/sleep"]);
    let last = |run: Run| {
        let map = map(run);
        let last = map.windows.last().expect("a window");
        map.predict(last, Signal::KILL)
    };
    let sleep = Thing::Process { role: "0.0".to_owned(), command: "/usr/bin/sleep".to_owned() };
    // The kill comes before the last window opens, or after.
    let before = killed(kill(start()).creates("0", "/w/a").unlinks("0", "/w/a")).ends("0");
    assert_eq!(last(before), Prediction::Leaks(Vec::new()));
    let after = killed(kill(start().creates("0", "/w/a").unlinks("0", "/w/a"))).ends("0");
    assert_eq!(last(after), Prediction::Leaks(vec![sleep]));
}

/// It connects, and sends twice; a child sends once through the same socket.
fn talk(connected: i64) -> Run {
    let send = |run: Run, role: &str| run.call(role, "sendto", &["socket:[7]"], &[4, 0, 9], 9, Known::Nothing);
    let mut run = Run::default().call("0", "connect", &["10.0.0.1:6379"], &[4], connected, Known::Nothing);
    let Some(Seen { what: Deed::Call(call), .. }) = run.seen.last_mut() else { panic!("it is a call") };
    call.socket = Some("socket:[7]".to_owned());
    let written = send(run, "0").call("0", "write", &["socket:[7]"], &[4], 9, Known::Nothing);
    // Nobody is told what goes to standard output, or through a pair of sockets.
    let apart = written.call("0", "write", &["pipe:[8]"], &[1], 9, Known::Nothing).call(
        "0",
        "write",
        &["socket:[9]"],
        &[5],
        9,
        Known::Nothing,
    );
    send(apart.forks("0", "0.0", 9), "0.0").closes("0", "socket:[7]")
}

#[test]
fn what_a_peer_was_sent_parts_windows_where_somebody_reads_what_that_changes() {
    for connected in [0, -i64::from(libc::EINPROGRESS)] {
        let silent = shown(&map(talk(connected)));
        assert!(silent.iter().all(|window| !window.contains("sent to")), "{silent:#?}");
        let recording = Recording { messages: true, ..talk(connected).done() };
        let told = windows(&recording, &recording, Duration::MAX);
        let told: Vec<String> = shown(&told).into_iter().filter(|window| window.contains("sent to")).collect();
        let (peer, child) = ("connected to 10.0.0.1:6379", "process 0.0 `a copy of its parent`");
        assert_eq!(
            told,
            [
                format!("[0]sendto@exit(socket:): {peer}, 1 message was sent to 10.0.0.1:6379"),
                format!("[0]write@exit(socket:): {peer}, 2 messages were sent to 10.0.0.1:6379"),
                format!("[0]clone@exit: {child}, {peer}, 2 messages were sent to 10.0.0.1:6379"),
                format!("[0.0]sendto@exit(socket:): {child}, {peer}, 3 messages were sent to 10.0.0.1:6379"),
                format!("[0]close@exit(socket:): {child}, 3 messages were sent to 10.0.0.1:6379"),
            ]
        );
    }
}

#[test]
fn after_many_messages_to_a_peer_further_ones_part_no_windows() {
    let mut run = talk(0);
    for _ in 0..100 {
        run = run.call("0", "connect", &["10.0.0.1:6379"], &[4], 0, Known::Nothing);
        let Some(Seen { what: Deed::Call(call), .. }) = run.seen.last_mut() else { panic!("it is a call") };
        call.socket = Some("socket:[7]".to_owned());
        run = run.call("0", "sendmsg", &["socket:[7]"], &[4], 9, Known::Nothing).closes("0", "socket:[7]");
    }
    let recording = Recording { messages: true, ..run.done() };
    let map = windows(&recording, &recording, Duration::MAX);
    let most = map.windows.iter().flat_map(|window| &window.live).filter_map(|thing| match thing {
        Thing::Sent { messages, .. } => Some(*messages),
        _ => None,
    });
    assert_eq!(most.max(), Some(40));
}

const MAP: &[u64] = &[0, 40, 3, 1, 3];

#[test]
fn what_is_written_through_a_mapping_is_complete_once_that_is_gone() {
    let start = || {
        let made =
            Run::default().creates("0", "/w/out").call("0", "ftruncate", &["/w/out"], &[3, 40], 0, Known::Nothing);
        made.call("0", "mmap", &["/w/out"], MAP, 0x7000, Known::Nothing).closes("0", "/w/out")
    };
    let rest = [
        "start: ",
        "[0]openat@exit(/w/out): file /w/out, /w/out is empty",
        "[0]ftruncate@exit(/w/out): file /w/out, /w/out is not complete",
        "[0]mmap@exit(/w/out): file /w/out, /w/out is not complete, /w/out is mapped to be written",
    ];
    let unmapped = start().call("0", "munmap", &["/w/out"], &[0x7000, 40], 0, Known::Nothing).ends("0");
    assert_eq!(shown(&map(unmapped)), [&rest[..], &["[0]munmap@exit(/w/out): file /w/out"]].concat());
    // Who ends with it has written all.
    let whole = map(start().ends("0"));
    assert_eq!(shown(&whole)[..4], rest);
    let torn = vec![Thing::Partial("/w/out".to_owned())];
    assert_eq!(whole.predict(&whole.windows[2], Signal::KILL), Prediction::Leaks(torn));
}

#[test]
fn of_a_file_that_is_written_in_place_through_a_mapping_nothing_is_foretold() {
    let run = Run::default().call("0", "mmap", &["/w/state"], MAP, 0x7000, Known::Nothing).call(
        "0",
        "munmap",
        &["/w/state"],
        &[0x7000, 40],
        0,
        Known::Nothing,
    );
    let map = map(run);
    let state = Thing::Mapped("/w/state".to_owned());
    assert_eq!(map.predict(&map.windows[1], Signal::TERM), Prediction::Mapped(vec![state]));
    assert_eq!(map.predict(&map.windows[2], Signal::TERM), Prediction::Leaks(Vec::new()));
}

#[test]
fn a_file_that_is_renamed_while_it_is_mapped() {
    let run = Run::default()
        .creates("0", "/w/a")
        .call("0", "ftruncate", &["/w/a"], &[3, 40], 0, Known::Nothing)
        .call("0", "mmap", &["/w/a"], MAP, 0x7000, Known::Nothing)
        .call("0", "rename", &["/w/a", "/w/b"], &[], 0, Known::Existed(false))
        .call("0", "munmap", &["/w/b"], &[0x7000, 40], 0, Known::Nothing);
    let map = shown(&map(run));
    assert_eq!(map[4], "[0]rename@exit(/w/a): file /w/b, /w/b is not complete, /w/b is mapped to be written");
    assert_eq!(map[5], "[0]munmap@exit(/w/b): file /w/b");
}
