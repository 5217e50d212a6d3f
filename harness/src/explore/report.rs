//! From runs to a report.

use quietus_reports::{Format, Gate, Guarantee, Host, Report, Run, Totals};

/// The report of some runs on this machine.
pub fn report(runs: Vec<Run>, guarantee: Guarantee, started: &jiff::Zoned) -> Report {
    let (totals, verdict) = (Totals::of(&runs), Gate::default().judge(&runs));
    Report {
        format: Format::CURRENT,
        quietus: env!("CARGO_PKG_VERSION").to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        host: host(),
        guarantee,
        shards: None,
        runs,
        totals,
        verdict,
    }
}

fn host() -> Host {
    let names = rustix::system::uname();
    Host {
        os: names.sysname().to_string_lossy().into_owned(),
        kernel: names.release().to_string_lossy().into_owned(),
        arch: names.machine().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
    }
}
