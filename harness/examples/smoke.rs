//! smoke
use quietus::cell::CellOptions;
use quietus::driver::{Driver, FullDriver, Interrupt, Request};
use quietus::model::*;
use quietus::trial::{Limits, run_trial};
use std::time::Duration;
fn main() {
    let args: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    let dir = std::env::current_dir().unwrap();
    let d = FullDriver::new(CellOptions {
        directory: dir.clone(),
        likely: vec![],
        private_network: false,
        max_processes: 2000,
    })
    .unwrap();
    println!("{:#?}", d.guarantee());
    let s = |n| Duration::from_millis(n);
    let acts = match args[0].to_str().unwrap() {
        "-" => vec![],
        p => vec![Act { at: vec![p.parse().unwrap()], send: "TERM".parse().unwrap() }],
    };
    let plan = TrialPlan { acts, grace: s(2000), stdin: Stdin::Closed, pty: false, pid1: false };
    let r = Request {
        command: args[1..].to_vec(),
        environment: std::env::vars_os().collect(),
        directory: dir,
        prepare: vec![],
        plan,
        interrupt: Interrupt::new().unwrap(),
    };
    let t = std::time::Instant::now();
    let rec = run_trial(
        &d,
        &r,
        Limits {
            reach: s(10000),
            settle: s(1000),
            settle_rounds: 3,
            linger: s(0),
            horizon: s(3000),
            horizon_rounds: 3,
        },
    )
    .unwrap();
    println!("{:?} {:?}", t.elapsed(), rec.outcome);
    for m in &rec.timeline {
        println!("{:?} {:?}", m.at, m.what);
    }
    println!("{:#?}", rec.evidence);
}
