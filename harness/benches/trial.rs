//! What a trial costs: the cell, a whole trial, and how both grow with what the
//! machine and the workspace hold. The ratios at the end are of medians measured
//! in turn, in the same run. `README.md` beside this file has figures.

#![expect(clippy::print_stdout, reason = "the ratios are the result")]

use criterion::{BenchmarkId, Criterion};
use quietus::cell::CellOptions;
use quietus::driver::{Driver, FullDriver, Interrupt, Request};
use quietus::model::{Act, Injection, Signal, Stdin, TrialPlan};
use quietus::trial::{Limits, Outcome, run_trial};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A directory, the driver of its cells, and what runs in them.
struct Place {
    driver: FullDriver,
    request: Request,
}

impl Place {
    fn new(directory: &Path, command: &[&str], at: Option<&str>) -> Self {
        let options = CellOptions {
            directory: directory.to_path_buf(),
            likely: Vec::new(),
            private_network: false,
            max_processes: 2048,
        };
        let driver = FullDriver::new(options).expect("this machine can make cells");
        let act = |at: &str| Act { at: vec![at.parse().expect("a point")], send: Injection::signal(Signal::TERM) };
        let plan = TrialPlan {
            acts: at.into_iter().map(act).collect(),
            grace: Duration::from_secs(5),
            stdin: Stdin::Closed,
            pty: false,
            pid1: false,
            noise: quietus::model::Noise::NONE,
        };
        let request = Request {
            command: command.iter().map(Into::into).collect(),
            environment: std::env::vars_os().collect(),
            directory: directory.to_path_buf(),
            prepare: Vec::new(),
            plan,
            keep: Vec::new(),
            record: false,
            states: Vec::new(),
            recovery: None,
            services: Vec::new(),
            interrupt: Interrupt::new().expect("an event"),
        };
        Self { driver, request }
    }

    /// A whole trial, to the last audit of the files.
    fn trial(&self) {
        let second = Duration::from_secs(1);
        let limits = Limits {
            reach: 20 * second,
            settle: second,
            settle_rounds: 8,
            linger: Duration::ZERO,
            horizon: 10 * second,
            horizon_rounds: 5,
            serves_after: 8,
        };
        let record = run_trial(&self.driver, &self.request, limits).expect("a trial");
        assert!(matches!(record.outcome, Outcome::Ended), "{:?}", record.outcome);
    }

    /// A cell with nothing run in it.
    fn cell(&self) {
        self.driver.open(&self.request).expect("a cell").finish().expect("its evidence");
    }
}

fn plain(command: &[&str], directory: &Path) {
    let (program, arguments) = command.split_first().expect("a program");
    let status = Command::new(program).args(arguments).current_dir(directory).status().expect("it runs");
    assert!(status.success());
}

fn fill(directory: &Path, files: usize) {
    for index in 0..files {
        let below = directory.join(format!("d{}", index / 1000));
        if index % 1000 == 0 {
            std::fs::create_dir(&below).expect("a directory");
        }
        std::fs::write(below.join(format!("f{index}")), b"unchanged\n").expect("a file");
    }
}

/// Makes so many files in its directory.
fn creates(files: usize) -> String {
    format!("i=0; while [ $i -lt {files} ]; do echo $i > f$i; i=$((i+1)); done")
}

/// Other processes of the machine, ended with this value.
struct Crowd(Vec<Child>);

impl Crowd {
    fn new(count: usize) -> Self {
        let sleep = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("sleep runs");
        Self((0..count).map(|_| sleep()).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
        }
        for child in &mut self.0 {
            let _ = child.wait();
        }
    }
}

fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("bench-").tempdir().expect("a directory")
}

fn benches(criterion: &mut Criterion) {
    let here = scratch();
    let place = Place::new(here.path(), &["/bin/true"], None);
    criterion.bench_function("cell set up and torn down", |bencher| bencher.iter(|| place.cell()));
    let mut group = criterion.benchmark_group("/bin/true");
    group.bench_function("plain", |bencher| bencher.iter(|| plain(&["/bin/true"], here.path())));
    group.bench_function("trial", |bencher| bencher.iter(|| place.trial()));
    group.finish();
    let mut group = criterion.benchmark_group("trial, by changed files");
    for files in [0, 100, 10_000] {
        let place = Place::new(here.path(), &["sh", "-c", &creates(files)], None);
        group.bench_function(BenchmarkId::from_parameter(files), |bencher| bencher.iter(|| place.trial()));
    }
    group.finish();
    let mut group = criterion.benchmark_group("trial, by unchanged files");
    for files in [0, 10_000] {
        let full = scratch();
        fill(full.path(), files);
        let place = Place::new(full.path(), &["/bin/true"], None);
        group.bench_function(BenchmarkId::from_parameter(files), |bencher| bencher.iter(|| place.trial()));
    }
    group.finish();
}

/// Runs the bodies in turn and gives the median time of each.
fn medians<const N: usize>(rounds: usize, mut bodies: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (body, times) in bodies.iter_mut().zip(&mut times) {
            let began = Instant::now();
            body();
            times.push(began.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    })
}

fn line(what: &str, one: Duration, other: Duration) {
    println!(
        "{what:<66} {:>9.2} ms {:>9.2} ms {:>8.2}",
        one.as_secs_f64() * 1e3,
        other.as_secs_f64() * 1e3,
        one.as_secs_f64() / other.as_secs_f64()
    );
}

fn ratios() {
    println!("\n{:<66} {:>12} {:>12} {:>8}", "medians, measured in turn", "this", "against", "ratio");
    let here = scratch();
    let place = Place::new(here.path(), &["/bin/true"], None);
    let [cell, trial, plain_run] =
        medians(60, [&mut || place.cell(), &mut || place.trial(), &mut || plain(&["/bin/true"], here.path())]);
    line("trial of /bin/true against plain spawn and wait", trial, plain_run);
    line("cell alone against the whole trial", cell, trial);
    if Command::new("strace").arg("-V").output().is_ok() {
        let strace = |call: &str| {
            let status = Command::new("strace")
                .args(["-f", "--seccomp-bpf", "-e", &format!("trace={call}"), "-e"])
                .arg(format!("inject={call}:signal=TERM:when=1"))
                .arg("/bin/true")
                .stderr(Stdio::null())
                .status();
            assert!(status.is_ok());
        };
        let [trial, never] = medians(60, [&mut || place.trial(), &mut || strace("unlink")]);
        line("trial of /bin/true against strace -f --seccomp-bpf with inject", trial, never);
        let traced = Place::new(here.path(), &["/bin/true"], Some("syscall:close@exit"));
        let [trial, there] = medians(60, [&mut || traced.trial(), &mut || strace("close")]);
        line("the same, both traced and with TERM at the first close", trial, there);
    } else {
        println!("strace is not installed: not compared");
    }
    for files in [100, 10_000] {
        let script = creates(files);
        let place = Place::new(here.path(), &["sh", "-c", &script], None);
        let mut bare = || {
            let directory = scratch();
            plain(&["sh", "-c", &script], directory.path());
        };
        let [trial, bare] = medians(if files > 1000 { 7 } else { 30 }, [&mut || place.trial(), &mut bare]);
        line(&format!("{files} files made: trial against plain, made and removed"), trial, bare);
    }
    for files in [10_000, 100_000] {
        let (full, empty) = (scratch(), scratch());
        fill(full.path(), files);
        let (one, other) =
            (Place::new(full.path(), &["/bin/true"], None), Place::new(empty.path(), &["/bin/true"], None));
        let [one, other] = medians(40, [&mut || one.trial(), &mut || other.trial()]);
        line(&format!("{files} unchanged files in the workspace against none"), one, other);
    }
    // The crowd comes and goes between blocks, so the blocks are measured in turn.
    let mut blocks = [const { Vec::new() }; 4];
    for _ in 0..9 {
        for crowd in [Crowd::new(0), Crowd::new(500)] {
            let [trial, bare] = medians(9, [&mut || place.trial(), &mut || plain(&["/bin/true"], here.path())]);
            let base = if crowd.0.is_empty() { 0 } else { 2 };
            blocks[base].push(trial);
            blocks[base + 1].push(bare);
        }
    }
    let [alone, bare_alone, crowded, bare_crowded] = blocks.map(|mut block| {
        block.sort();
        block[block.len() / 2]
    });
    line("500 other processes on the machine against none", crowded, alone);
    line("the same for plain spawn and wait", bare_crowded, bare_alone);
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
    // `cargo test --benches` only asks whether they run.
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
}
