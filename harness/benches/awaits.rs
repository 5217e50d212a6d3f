//! What it costs to cancel a future at each of its suspensions: against a loop written by
//! hand, and by what the process holds. Prints ratios of medians, measured in turn.

#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use quietus::future::By;
use quietus::{Agent, Trial, cancel_after};
use std::fs::File;
use std::time::{Duration, Instant};

/// How often the agent is suspended.
const AWAITS: u32 = 1000;
/// How often each side is measured.
const RUNS: usize = 9;

async fn agent() {
    for _ in 0..AWAITS {
        tokio::task::yield_now().await;
    }
}

/// Each trial on a runtime of its own, as a clock that is paused needs it: twice for each
/// suspension, since Quietus drops it there and before the poll after it.
fn by_hand() {
    for awaits in (1..=AWAITS).flat_map(|awaits| [awaits, awaits]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(cancel_after(awaits, agent()));
    }
}

fn by_quietus() {
    let swept = Agent::future(|_: Trial| agent()).paused().how(&[By::Drop]).without_rerun().sweep();
    assert_eq!(swept.run().trials.len(), 2 * AWAITS as usize);
}

/// What is looked at in each of those trials: a directory of its own, made, read and removed.
fn directories() {
    for _ in 0..2 * AWAITS {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    }
}

/// An agent of one suspension, where all of this process is looked at, or not.
fn looks(whole: bool) {
    for _ in 0..20 {
        let agent = Agent::future(|_: Trial| tokio::task::yield_now()).paused().how(&[By::Drop]).without_rerun();
        let agent = if whole { agent.whole_process() } else { agent };
        agent.sweep().assert_clean();
    }
}

/// The medians of some things that are done in turn.
fn medians(all: &[&dyn Fn()]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); all.len()];
    for _ in 0..RUNS {
        for (what, times) in all.iter().zip(&mut times) {
            let began = Instant::now();
            what();
            times.push(began.elapsed());
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    times.iter().map(|times| times[times.len() / 2]).collect()
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if std::env::args().any(|word| word == "--test") {
        return;
    }
    let measured = medians(&[&by_hand, &by_quietus, &directories]);
    let [hand, ours, looked] = measured[..] else { return };
    println!("{AWAITS} suspensions, cancelled at each and before the poll after it");
    println!("  by hand                        {hand:>10.1?}");
    println!("  Quietus                        {ours:>10.1?}");
    println!("  of it, looking at directories  {looked:>10.1?}");
    let ratio = ours.saturating_sub(looked).as_secs_f64() / hand.as_secs_f64();
    println!("  the rest : by hand             {ratio:>10.2}");
    println!("looking at the whole process, each trial, by its open descriptors");
    for descriptors in [10, 100, 1000] {
        let open: Vec<File> = (0..descriptors).map(|_| File::open("/dev/null").expect("it is there")).collect();
        let measured = medians(&[&|| looks(true), &|| looks(false)]);
        let [with, without] = measured[..] else { return };
        // Two undisturbed runs and two trials each.
        println!("  {descriptors:>5}                          {:>10.1?}", with.saturating_sub(without) / 80);
        drop(open);
    }
}
