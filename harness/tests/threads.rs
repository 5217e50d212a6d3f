//! Quietus inside a program that has threads of its own: many trials at once,
//! and nothing of them afterwards. Alone in its process, so that descriptors and
//! children can be counted.

use quietus::cell::CellOptions;
use quietus::driver::{Driver, FullDriver, Interrupt, Request};
use quietus::model::{Act, Ended, Signal, Stdin, TrialPlan};
use quietus::trial::{Limits, Outcome, run_trial};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Nothing here waits that long unless something hangs.
const AT_MOST: Duration = Duration::from_secs(240);

fn entries(directory: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The children of all threads of this process, the dead ones that nobody waited for included.
fn children() -> Vec<String> {
    let own = std::process::id().to_string();
    entries("/proc")
        .into_iter()
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&own)
        })
        .collect()
}

fn trial(driver: &dyn Driver, directory: &std::path::Path, name: &str, send: Option<&str>) {
    let acts = send
        .map(|send| Act {
            at: vec!["output:/ready/".parse().expect("a point")],
            send: send.parse().expect("an injection"),
        })
        .into_iter()
        .collect();
    let request = Request {
        command: [
            "sh",
            "-c",
            "echo $0 > /tmp/shared; sleep 1000 & cat /tmp/shared; echo ready; test $1 = end || wait; kill $!",
            name,
            if send.is_some() { "wait" } else { "end" },
        ]
        .map(Into::into)
        .to_vec(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: directory.to_path_buf(),
        prepare: Vec::new(),
        plan: TrialPlan {
            acts,
            grace: AT_MOST,
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: quietus::model::Noise::NONE,
        },
        keep: Vec::new(),
        record: false,
        states: Vec::new(),
        recovery: None,
        services: Vec::new(),
        interrupt: Interrupt::new().expect("a descriptor"),
    };
    let limits = Limits {
        reach: AT_MOST,
        settle: Duration::ZERO,
        settle_rounds: 0,
        linger: Duration::ZERO,
        horizon: AT_MOST,
        horizon_rounds: 0,
        serves_after: u32::MAX,
    };
    let record = run_trial(driver, &request, limits).expect("a trial");
    assert_eq!(record.outcome, Outcome::Ended, "{:?}", record.timeline);
    let expected = if send.is_some() { Ended::Signaled(Signal::TERM) } else { Ended::Exited(0) };
    assert_eq!(record.evidence.ended, Some(expected));
    // Its own output and its own file, though every other trial writes to the same path.
    assert_eq!(String::from_utf8_lossy(&record.evidence.output.tail), format!("{name}\nready\n"));
    let files = &record.evidence.files.nodes;
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), ["/tmp/shared"]);
    let content = files.values().next().and_then(|node| node.content.clone());
    assert_eq!(content, Some(format!("{name}\n").into_bytes()));
}

#[test]
fn many_threads_run_trials_while_others_hold_locks() {
    let place = tempfile::tempdir().expect("a directory");
    let driver = FullDriver::new(CellOptions {
        directory: place.path().to_path_buf(),
        likely: Vec::new(),
        private_network: false,
        max_processes: 400,
    })
    .expect("a cell");
    let before = (entries("/proc/self/fd").len(), children());
    let (over, held) = (AtomicBool::new(false), Arc::new(Mutex::new(Vec::<Vec<u8>>::new())));
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (over, held) = (&over, Arc::clone(&held));
            // What is locked at a fork is locked for good in the copy.
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut held = held.lock().expect("not poisoned");
                    held.push(vec![number; 100_000]);
                    if held.len() > 50 {
                        held.clear();
                    }
                    let _ = std::env::var("PATH");
                }
            });
        }
        let trials: Vec<_> = (0..8)
            .map(|thread| {
                let (driver, place) = (&driver, place.path());
                scope.spawn(move || {
                    for index in 0..20 {
                        let send = (index % 2 == 0).then_some("TERM");
                        trial(driver, place, &format!("trial-{thread}-{index}"), send);
                    }
                })
            })
            .collect();
        let results: Vec<_> = trials.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        for result in results {
            result.expect("no trial failed");
        }
    });
    assert_eq!((entries("/proc/self/fd").len(), children()), before);
}
