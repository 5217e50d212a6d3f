//! The portable driver with real agents, with a cgroup (where this machine
//! grants one) and without. Every wait is on an event.

use quietus::driver::{
    Action, Containment, Driver, Event, Interrupt, Occasion, PortableDriver, PortableOptions, Request,
};
use quietus::model::{Act, Ended, FileChange, FileNode, ProcessRecord, Signal, Stdin, StdinThen, TrialPlan};
use quietus::trial::{Limits, Outcome, TrialRecord, What, run_trial};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BOTH: [Containment; 2] = [Containment::Cgroup, Containment::KeeperOnly];

fn limits() -> Limits {
    Limits {
        reach: Duration::from_secs(60),
        settle: Duration::from_millis(300),
        settle_rounds: 2,
        linger: Duration::ZERO,
        horizon: Duration::from_secs(60),
        serves_after: 2,
        horizon_rounds: 1,
    }
}

fn plan(acts: &[(&str, &str)]) -> TrialPlan {
    let act = |(point, send): &(&str, &str)| Act {
        at: vec![point.parse().expect("a point")],
        send: send.parse().expect("an injection"),
    };
    TrialPlan {
        acts: acts.iter().map(act).collect(),
        grace: Duration::from_secs(60),
        stdin: Stdin::Closed,
        pty: false,
        pid1: false,
        noise: quietus::model::Noise::NONE,
    }
}

fn driver(directory: &Path, containment: Containment) -> PortableDriver {
    PortableDriver::new(PortableOptions {
        directory: directory.to_path_buf(),
        private_network: false,
        max_processes: 1000,
        containment,
    })
}

fn request(directory: &Path, script: &str, plan: TrialPlan) -> Request {
    Request {
        command: ["sh", "-c", script].map(OsString::from).to_vec(),
        environment: std::env::vars_os().filter(|(key, _)| key == "PATH" || key == "HOME").collect(),
        directory: directory.to_path_buf(),
        prepare: Vec::new(),
        plan,
        keep: Vec::new(),
        record: false,
        states: Vec::new(),
        recovery: None,
        services: Vec::new(),
        interrupt: Interrupt::new().expect("an event"),
    }
}

struct Bench {
    directory: tempfile::TempDir,
    containment: Containment,
}

impl Bench {
    fn new(containment: Containment) -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), containment }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, script: &str, plan: TrialPlan) -> TrialRecord {
        self.run_request(&request(self.path(), script, plan))
    }

    fn run_request(&self, request: &Request) -> TrialRecord {
        let record = run_trial(&driver(self.path(), self.containment), request, limits()).expect("a trial");
        for process in record.evidence.censuses.values().flat_map(|census| &census.processes) {
            assert!(is_gone(process), "{process:?} is still there");
        }
        record
    }

    fn shown(&self, inside: &str) -> String {
        format!("{}/{inside}", self.path().display())
    }
}

/// Whether this very process is gone: its pid is free or another's.
fn is_gone(process: &ProcessRecord) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", process.id.pid)) else { return true };
    let start = stat.rsplit(')').next().and_then(|rest| rest.split_ascii_whitespace().nth(19)).map(str::to_owned);
    start != Some(process.id.start.to_string())
}

fn settled(record: &TrialRecord) -> Vec<&ProcessRecord> {
    record.evidence.censuses.get(&Occasion::Settled).map(|census| census.alive().collect()).unwrap_or_default()
}

fn node<'a>(record: &'a TrialRecord, path: &str) -> &'a FileNode {
    let nodes = &record.evidence.files.nodes;
    nodes.get(path).unwrap_or_else(|| panic!("{path} is not among {:?}", nodes.keys()))
}

#[test]
fn a_clean_agent_leaves_clean_evidence() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        fs::write(bench.path().join("kept"), "old").expect("write");
        let record = bench.run("cat kept; (true); exit 3", plan(&[]));
        let evidence = &record.evidence;
        assert_eq!((&record.outcome, evidence.ended), (&Outcome::Ended, Some(Ended::Exited(3))));
        assert_eq!(evidence.output.tail, b"old");
        assert!(evidence.files.nodes.is_empty() && evidence.files.unread.is_empty(), "{:?}", evidence.files);
        assert!(evidence.leader.is_some() && settled(&record).is_empty());
        assert_eq!(evidence.temporary, ["/tmp"]);
    }
}

#[test]
fn an_agent_is_in_the_cgroup_that_the_guarantee_names() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let named =
            driver(bench.path(), containment).guarantee().mechanisms.contains(&"cgroup v2 of its own".to_owned());
        assert!(!named || containment == Containment::Cgroup);
        for send in ["KILL", "parent-death"] {
            let record = bench.run("cat /proc/self/cgroup", plan(&[("output:/never/", send)]));
            let output = String::from_utf8_lossy(&record.evidence.output.tail).into_owned();
            assert_eq!(
                output.lines().any(|line| line.starts_with("0::") && line.contains("/quietus-")),
                named,
                "{output}"
            );
        }
    }
}

#[test]
fn agents_that_end_at_once_are_known_all_the_same() {
    for send in ["KILL", "parent-death"] {
        let bench = Bench::new(Containment::KeeperOnly);
        for _ in 0..20 {
            let mut request = request(bench.path(), "", plan(&[("output:/never/", send)]));
            request.command = vec!["true".into()];
            let record = bench.run_request(&request);
            assert_eq!(record.outcome, Outcome::Missed);
            assert!(record.evidence.leader.is_some());
            assert_eq!(record.evidence.ended, Some(Ended::Exited(0)));
        }
    }
}

#[test]
fn what_an_agent_wrote_before_it_ended_counts() {
    let bench = Bench::new(Containment::KeeperOnly);
    for _ in 0..20 {
        let record = bench.run("echo ready; echo x > made", plan(&[("output:/ready/", "TERM")]));
        assert_ne!(record.outcome, Outcome::Missed);
        let record = bench.run("echo x > made", plan(&[("file:made", "TERM")]));
        assert_ne!(record.outcome, Outcome::Missed);
    }
}

#[test]
fn an_orphan_is_seen_with_its_role_and_is_gone_afterwards() {
    for containment in BOTH {
        for (start, own_session) in [("sleep 1000 &", false), ("setsid sleep 1000 &", true)] {
            let bench = Bench::new(containment);
            let record = bench.run(&format!("{start} wait"), plan(&[("process:sleep", "TERM")]));
            let leader = record.evidence.leader.expect("a leader");
            assert_eq!(record.evidence.ended, Some(Ended::Signaled(Signal::TERM)));
            let left = settled(&record);
            assert_eq!(left.len(), 1, "{containment:?} {start}: {left:?}");
            assert_eq!(left[0].command(), "sleep 1000");
            assert_eq!(left[0].role.as_deref(), Some("0.0"));
            assert_eq!(left[0].session != leader.pid, own_session);
            // Its standard output is the agent's.
            assert!(left[0].descriptors.values().any(|link| record.evidence.output_pipes.contains(link)));
        }
    }
}

#[test]
fn files_are_named_as_in_the_original_which_stays_as_it_was() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let place = bench.path();
        for (name, content) in [("whole.json", "{\"a\":1}"), ("gone", "g"), ("same", "s"), ("rewritten", "r")] {
            fs::write(place.join(name), content).expect("write");
        }
        fs::create_dir_all(place.join("old/deep")).expect("mkdir");
        fs::write(place.join("old/deep/file"), "x").expect("write");
        std::os::unix::fs::symlink("/etc", place.join("outside")).expect("symlink");
        std::os::unix::fs::symlink(place.join("same"), place.join("inside")).expect("symlink");
        let script = "echo t > $TMPDIR/left.tmp; printf '{\"a' > whole.json; rm gone; rm -r old; mkdir -p out; \
            pwd > out/where; printf r > rewritten; mkfifo pipe; echo y >> inside; exit 0";
        let record = bench.run(script, plan(&[]));
        let shown = |inside: &str| bench.shown(inside);
        let paths: Vec<&String> = record.evidence.files.nodes.keys().collect();
        let mut wanted: Vec<String> =
            ["gone", "old", "out", "out/where", "pipe", "same", "whole.json"].into_iter().map(shown).collect();
        wanted.push("/tmp/left.tmp".to_owned());
        wanted.sort_unstable();
        assert_eq!(paths, wanted.iter().collect::<Vec<_>>());
        let torn = node(&record, &shown("whole.json"));
        assert_eq!(torn.change, FileChange::Modified);
        assert_eq!((torn.content.as_deref(), torn.before.as_deref()), (Some(&b"{\"a"[..]), Some(&b"{\"a\":1}"[..])));
        let gone = node(&record, &shown("gone"));
        assert_eq!((gone.change, gone.before.as_deref()), (FileChange::Deleted, Some(&b"g"[..])));
        // An absolute link into the workspace leads to the copy.
        assert_eq!(node(&record, &shown("same")).content.as_deref(), Some(&b"sy\n"[..]));
        // Content that names the copy names the original in the evidence.
        let named = format!("{}\n", place.display());
        assert_eq!(node(&record, &shown("out/where")).content.as_deref(), Some(named.as_bytes()));
        assert_eq!(fs::read_to_string(place.join("whole.json")).expect("read"), "{\"a\":1}");
        assert_eq!(fs::read_to_string(place.join("same")).expect("read"), "s");
        assert!(place.join("gone").exists() && place.join("old/deep/file").exists() && !place.join("out").exists());
    }
}

#[test]
fn what_prepare_makes_is_no_finding_and_what_it_starts_is_a_helper() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let stdin = TrialPlan { stdin: Stdin::Open, ..plan(&[("output:/ready/", "TERM")]) };
        let script = "cat made; echo more >> made; rm early; echo ready; read line";
        let mut request = request(bench.path(), script, stdin);
        let make = "echo first > made; echo e > early; echo b > both; echo t > $TMPDIR/known; sleep 1000 & exit 0";
        request.prepare = vec![["sh", "-c", make].map(OsString::from).to_vec()];
        let record = bench.run_request(&request);
        let paths: Vec<&String> = record.evidence.files.nodes.keys().collect();
        assert_eq!(paths, [&bench.shown("early"), &bench.shown("made")]);
        let made = node(&record, &bench.shown("made"));
        assert_eq!((made.change, made.before.as_deref()), (FileChange::Modified, Some(&b"first\n"[..])));
        assert!(settled(&record).is_empty(), "{:?}", settled(&record));
        let census = record.evidence.censuses.get(&Occasion::Injection).expect("a census");
        assert!(census.processes.iter().any(|process| process.helper && process.command() == "sleep 1000"));
    }
}

#[test]
fn arguments_inside_the_workspace_lead_to_the_copy() {
    let bench = Bench::new(Containment::Cgroup);
    let script = bench.path().join("agent.sh");
    fs::write(&script, "echo x > ${0%/*}/beside; sleep 1000 & exit 0").expect("write");
    let mut request = request(bench.path(), "", plan(&[]));
    request.command = vec!["sh".into(), script.clone().into_os_string()];
    let record = bench.run_request(&request);
    assert_eq!(node(&record, &bench.shown("beside")).change, FileChange::Created);
    assert!(!bench.path().join("beside").exists());
    assert_eq!(settled(&record).len(), 1);
}

#[test]
fn the_host_of_an_agent_can_die() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let script = "p=$PPID; echo ready; while [ \"$(cut -d' ' -f4 /proc/$$/stat)\" = $p ]; do sleep 0.01; done; \
            echo x > noticed; exit 7";
        for point in ["start", "output:/ready/"] {
            let record = bench.run(script, plan(&[(point, "parent-death")]));
            assert_eq!(record.outcome, Outcome::Ended);
            if point != "start" {
                assert_eq!(record.evidence.ended, Some(Ended::Exited(7)));
                assert_eq!(node(&record, &bench.shown("noticed")).change, FileChange::Created);
            }
        }
    }
}

#[test]
fn input_ends_and_signals_reach_groups_and_all() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let stdin = Stdin::Text { text: "one\n".to_owned(), then: StdinThen::Open };
        let script = "while read line; do echo got-$line; done; echo end";
        let record = bench.run(script, TrialPlan { stdin, ..plan(&[("output:/got-one/", "stdin-eof")]) });
        let output = &record.evidence.output.tail[..];
        assert_eq!((record.evidence.ended, output), (Some(Ended::Exited(0)), &b"got-one\nend\n"[..]));
        let script = "setsid sleep 1000 & sleep 2000 & wait";
        let group = bench.run(script, plan(&[("process:sleep#2", "TERM@group")]));
        assert_eq!(settled(&group).iter().map(|process| process.command()).collect::<Vec<_>>(), ["sleep 1000"]);
        let all = bench.run(script, plan(&[("process:sleep#2", "TERM@all")]));
        assert!(settled(&all).is_empty());
        assert!(all.timeline.iter().any(|moment| moment.what == What::Happened(Event::Quiet)));
    }
}

#[test]
fn every_kind_of_point_is_reached() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        for (script, point) in [
            ("echo x > part-1; sleep 1000", "file:part-*".to_owned()),
            ("echo x > $TMPDIR/t; sleep 1000", "file:/tmp/t".to_owned()),
            ("echo x > t; sleep 1000", format!("file:{}", bench.shown("t"))),
            ("sleep 1000", "time:20ms".to_owned()),
            ("sleep 1000", "idle".to_owned()),
            ("sleep 1000", "start".to_owned()),
            ("echo x > there; sleep 1000", "when:test -s there".to_owned()),
        ] {
            let record = bench.run(script, plan(&[(point.as_str(), "TERM@group")]));
            assert_eq!(record.outcome, Outcome::Ended, "{point}");
            assert!(record.evidence.delivered, "{point}");
        }
    }
}

#[test]
fn a_port_is_a_point_and_its_holder_is_known() {
    let bench = Bench::new(Containment::KeeperOnly);
    // A free port, which is most likely free again a moment later.
    let free =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let script = format!(
        "exec perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1); \
         bind(S, pack_sockaddr_in({free}, INADDR_LOOPBACK)) or die; listen(S, 1); sleep 1000'"
    );
    let point = format!("port:{free}");
    let record = bench.run(&script, plan(&[(point.as_str(), "KILL")]));
    assert_eq!(record.evidence.ended, Some(Ended::Signaled(Signal::KILL)));
    let census = record.evidence.censuses.get(&Occasion::Injection).expect("a census");
    let leader = record.evidence.leader.expect("a leader");
    assert!(census.listeners.iter().any(|listener| listener.port == free && listener.holders == [leader]));
}

#[test]
fn what_cannot_be_done_here_says_so() {
    let bench = Bench::new(Containment::KeeperOnly);
    let said = |request: &Request| {
        driver(bench.path(), Containment::KeeperOnly).open(request).err().map(|error| error.to_string())
    };
    let pid1 = TrialPlan { pid1: true, ..plan(&[]) };
    let refused = said(&request(bench.path(), "true", pid1));
    assert_eq!(refused.as_deref(), Some("an agent as PID 1 needs the full guarantee"));
    let mut request = request(bench.path(), "true", plan(&[]));
    request.command = vec!["./no-such-agent".into()];
    assert_eq!(said(&request).as_deref(), Some("the agent: cannot find the program `./no-such-agent`"));
    request.command = vec!["true".into()];
    let large = fs::File::create(bench.path().join("large")).expect("create");
    large.set_len(3 << 30).expect("a hole");
    assert_eq!(
        said(&request).map(|text| text.replace(&bench.path().display().to_string(), "WORKSPACE")).as_deref(),
        Some(
            "the workspace WORKSPACE has more than 200000 files or 2 GiB, too much to be copied for every trial: \
             use the full guarantee, which copies nothing, or a smaller workspace"
        )
    );
    large.set_len(0).expect("no hole");
    request.prepare = vec![vec!["false".into()]];
    assert_eq!(said(&request).as_deref(), Some("prepare command `false`: it ended with exit 1"));
}

#[test]
fn files_that_may_not_be_read_are_told_and_removed() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(Containment::KeeperOnly);
    let closed = bench.path().join("closed");
    fs::write(&closed, "secret").expect("write");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("chmod");
    let record = bench.run("mkdir -p d/e; echo x > d/e/f; chmod 0 d; exit 0", plan(&[]));
    let unread: Vec<&String> = record.evidence.files.unread.iter().map(|(path, _)| path).collect();
    if rustix::process::geteuid().is_root() {
        assert!(unread.is_empty());
    } else {
        assert_eq!(unread, [&bench.shown("closed")]);
    }
    assert_eq!(node(&record, &bench.shown("d/e/f")).content.as_deref(), Some(&b"x\n"[..]));
}

#[test]
fn an_agent_on_a_terminal_is_hung_up_with_it() {
    let bench = Bench::new(Containment::KeeperOnly);
    let hangup = TrialPlan { pty: true, ..plan(&[("output:/ready/", "pty-hangup")]) };
    let request = request(bench.path(), "test -t 0 && echo ready; read line", hangup);
    match run_trial(&driver(bench.path(), Containment::KeeperOnly), &request, limits()) {
        Ok(record) => assert_eq!(record.evidence.ended, Some(Ended::Signaled(Signal::HUP))),
        // An ordinary user may be refused a terminal in a container.
        Err(error) => assert!(error.to_string().starts_with("the agent needs a terminal, and /dev/ptmx"), "{error}"),
    }
}

// --- The end of the keeper, of a session, of Quietus ---

/// Writes the pids of the agent, of an orphan that is to be, of another that is
/// deaf, and of the keeper, then waits to be told to go on.
const CROWD: &str = "cat /proc/self/cgroup > $0/cgroup; echo $TMPDIR > $0/tmpdir; mkdir -p deep/er; \
    echo x > deep/er/file; echo t > $TMPDIR/t; setsid sleep 1000 & a=$!; \
    sh -c 'trap \"\" TERM INT HUP; while :; do sleep 1; done' & echo $$ $a $! $PPID > $0/pids.new; \
    mv $0/pids.new $0/pids; while [ ! -e $0/go ]; do sleep 0.01; done;";

/// A process held by its descriptor, so that its end can be waited for.
struct Held(String, OwnedFd);

fn crowd(directory: &Path, place: &Path, then: &str) -> Request {
    let mut request = request(directory, &format!("{CROWD} {then}"), plan(&[("file:never", "TERM")]));
    request.command.push(place.as_os_str().to_owned());
    request
}

fn hold_crowd(place: &Path) -> Vec<Held> {
    let held: Vec<Held> = wait_for_file(place, "pids")
        .split_ascii_whitespace()
        .map(|text| {
            let pid = text.parse().ok().and_then(Pid::from_raw).expect("a pid");
            Held(text.to_owned(), pidfd_open(pid, PidfdFlags::empty()).expect("runs"))
        })
        .collect();
    assert_eq!(held.len(), 4);
    held
}

fn wait_for_file(directory: &Path, name: &str) -> String {
    let events = inotify::init(CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&events, directory, WatchFlags::MOVED_TO).expect("a watch");
    loop {
        if let Ok(text) = fs::read_to_string(directory.join(name)) {
            return text;
        }
        await_event(&events, name);
        let _ = rustix::io::read(&events, &mut [0u8; 4096]);
    }
}

fn await_event(fd: &OwnedFd, what: &str) {
    let mut watched = [PollFd::new(fd, PollFlags::IN)];
    let bound = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(poll(&mut watched, Some(&bound)), Ok(1), "{what}");
}

/// All of them have ended, and neither the directory nor the cgroup is left.
fn assert_nothing_is_left(held: &[Held], place: &Path) {
    for Held(pid, fd) in held {
        await_event(fd, &format!("the end of {pid}"));
    }
    let temporary = fs::read_to_string(place.join("tmpdir")).expect("read");
    let trial = Path::new(temporary.trim()).parent().expect("a parent");
    assert!(
        trial.file_name().is_some_and(|name| name.to_string_lossy().starts_with("quietus-")),
        "{}",
        trial.display()
    );
    assert!(!trial.exists(), "{} is left", trial.display());
    let cgroup = fs::read_to_string(place.join("cgroup")).expect("read");
    let inside = cgroup.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    if inside.contains("quietus-") {
        for mount in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] {
            assert!(!Path::new(&format!("{mount}{inside}")).exists(), "{mount}{inside} is left");
        }
    }
}

#[test]
fn an_agent_that_kills_its_keeper_is_lost_and_still_cleaned_up() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let place = tempfile::tempdir().expect("a directory");
        let request = crowd(bench.path(), place.path(), "kill -9 $PPID; wait");
        let driver = driver(bench.path(), containment);
        let (record, held) = std::thread::scope(|scope| {
            let trial = scope.spawn(|| run_trial(&driver, &request, limits()).expect("a trial"));
            let held = hold_crowd(place.path());
            fs::write(place.path().join("go"), "").expect("write");
            (trial.join().expect("no panic"), held)
        });
        assert!(matches!(record.outcome, Outcome::Lost(_)), "{:?}", record.outcome);
        assert!(record.evidence.gaps.iter().any(|(what, _)| what == "processes of this trial"));
        assert_nothing_is_left(&held, place.path());
    }
}

#[test]
fn a_session_that_is_dropped_leaves_nothing() {
    for containment in BOTH {
        let bench = Bench::new(containment);
        let place = tempfile::tempdir().expect("a directory");
        let request = crowd(bench.path(), place.path(), "wait");
        let mut session = driver(bench.path(), containment).open(&request).expect("opens");
        session.perform(&Action::Start).expect("starts");
        assert_eq!(session.next_event().expect("an event"), Event::Started);
        let held = hold_crowd(place.path());
        drop(session);
        assert_nothing_is_left(&held, place.path());
    }
}

const VICTIM: &str = "QUIETUS_TEST_VICTIM";

/// Starts this program again, to be killed in the middle of a trial.
fn start_victim(place: &Path, temporary: &Path) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, place)
        .env("TMPDIR", temporary)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("starts")
}

/// Runs as a process of its own, and is killed in the middle of a trial.
#[test]
fn victim() {
    let Some(place) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    let containment = if place.join("keeper-only").exists() { Containment::KeeperOnly } else { Containment::Cgroup };
    let workspace = place.join("workspace");
    let _ = run_trial(&driver(&workspace, containment), &crowd(&workspace, &place, "wait"), limits());
}

#[test]
fn sigkill_of_quietus_leaves_nothing() {
    for containment in BOTH {
        let place = tempfile::tempdir().expect("a directory");
        let (temporary, workspace) = (place.path().join("tmp"), place.path().join("workspace"));
        for directory in [&temporary, &workspace] {
            fs::create_dir(directory).expect("mkdir");
        }
        fs::write(workspace.join("file"), "content").expect("write");
        if containment == Containment::KeeperOnly {
            fs::write(place.path().join("keeper-only"), "").expect("write");
        }
        let mut victim = start_victim(place.path(), &temporary);
        let held = hold_crowd(place.path());
        assert_eq!(fs::read_dir(&temporary).expect("read").count(), 1);
        victim.kill().expect("kill");
        victim.wait().expect("ends");
        // The keeper leaves when all is removed.
        assert_nothing_is_left(&held, place.path());
        assert_eq!(fs::read_dir(&temporary).expect("read").count(), 0);
        assert_eq!(fs::read_to_string(workspace.join("file")).expect("read"), "content");
        assert!(!workspace.join("deep").exists());
    }
}

#[test]
fn sigkill_of_quietus_while_it_copies_leaves_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let (temporary, workspace) = (place.path().join("tmp"), place.path().join("workspace"));
    for directory in [&temporary, &workspace] {
        fs::create_dir(directory).expect("mkdir");
    }
    fs::write(place.path().join("keeper-only"), "").expect("write");
    for number in 0..3000 {
        fs::write(workspace.join(format!("file-{number}")), "content").expect("write");
    }
    let events = inotify::init(CreateFlags::CLOEXEC).expect("inotify");
    inotify::add_watch(&events, &temporary, WatchFlags::CREATE | WatchFlags::DELETE).expect("a watch");
    let mut victim = start_victim(place.path(), &temporary);
    await_event(&events, "the directory of the trial");
    victim.kill().expect("kill");
    victim.wait().expect("ends");
    while fs::read_dir(&temporary).expect("read").count() > 0 {
        let _ = rustix::io::read(&events, &mut [0u8; 4096]);
        if fs::read_dir(&temporary).expect("read").count() > 0 {
            await_event(&events, "the removal of the directory");
        }
    }
    assert!(!place.path().join("pids").exists(), "it was killed before the agent ran");
}
