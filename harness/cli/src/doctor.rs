//! `quietus doctor`: what this machine can do, tried, not guessed.

use crate::exit::{Exit, Failure};
use crate::output;
use quietus::cell::CellOptions;
use quietus::driver::{Driver, FullDriver};
use quietus_reports::escape::escape_terminal;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One line of the table.
struct Finding {
    what: &'static str,
    works: bool,
    detail: String,
    help: Option<String>,
}

pub(crate) fn run() -> Result<Exit, Failure> {
    let mut findings = vec![kernel(), identity(), cell(false), cell(true)];
    findings.extend(helpers());
    let mut text = String::new();
    for finding in &findings {
        let _ = writeln!(
            text,
            "{} {:22} {}",
            if finding.works { "✓" } else { "✗" },
            finding.what,
            escape_terminal(&finding.detail)
        );
        if let Some(help) = finding.help.as_ref().filter(|_| !finding.works) {
            for line in help.lines() {
                let _ = writeln!(text, "  {:22} {line}", "");
            }
        }
    }
    let full = findings.iter().any(|finding| finding.what == "sealed cell" && finding.works);
    let _ =
        write!(text, "\nguarantee here: {}", if full { "full" } else { "portable (`--guarantee full` will not work)" });
    output::print(&text)?;
    Ok(if full { Exit::Gate(0) } else { Exit::Unsupported })
}

fn kernel() -> Finding {
    let names = rustix::system::uname();
    let release = names.release().to_string_lossy().into_owned();
    let mut parts = release
        .split('.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    Finding {
        what: "kernel",
        works: version >= (5, 12),
        detail: format!("Linux {release} on {}", names.machine().to_string_lossy()),
        help: Some(
            "5.12 is needed for a sealed cell, 6.6 for one without root, 6.14 to bound a fork bomb of root".to_owned(),
        ),
    }
}

fn identity() -> Finding {
    let user = rustix::process::geteuid();
    Finding {
        what: "user",
        works: true,
        detail: if user.is_root() {
            "root: no user namespace is needed".to_owned()
        } else {
            format!("uid {}: a user namespace is needed", user.as_raw())
        },
        help: None,
    }
}

fn cell(private_network: bool) -> Finding {
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let environment: Vec<_> = std::env::vars_os().collect();
    let outcome = FullDriver::new(CellOptions { private_network, ..CellOptions::around(directory, &environment) });
    let what = if private_network { "private network" } else { "sealed cell" };
    match outcome {
        Ok(driver) => {
            let guarantee = driver.guarantee();
            let gaps: Vec<String> =
                guarantee.not_audited.iter().map(|gap| format!("{} ({})", gap.what, gap.why)).collect();
            let detail = if private_network {
                "a network namespace with loopback".to_owned()
            } else {
                guarantee.mechanisms.join("; ")
            };
            let detail = if gaps.is_empty() || private_network {
                detail
            } else {
                format!("{detail}. Not audited: {}", gaps.join("; "))
            };
            Finding { what, works: true, detail, help: None }
        }
        Err(error) => Finding { what, works: false, detail: error.to_string(), help: Some(advice()) },
    }
}

/// What commonly refuses, and how it is allowed.
fn advice() -> String {
    let mut lines = Vec::new();
    let setting = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    if setting("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        lines.push("sysctl kernel.unprivileged_userns_clone=1 lets ordinary users have namespaces".to_owned());
    }
    if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        lines.push("sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with `userns,` for quietus (Ubuntu 24.04)".to_owned());
    }
    if setting("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        lines.push("sysctl user.max_user_namespaces=1000 lets user namespaces be made".to_owned());
    }
    if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        lines.push("in a container: --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined, or --privileged".to_owned());
    }
    if lines.is_empty() {
        lines.push("run as root, or allow user namespaces; in a container, --privileged".to_owned());
    }
    lines.join("\n")
}

/// Programs that scenarios and examples often need.
fn helpers() -> Vec<Finding> {
    [
        ("python3", "Python agents and puppets"),
        ("node", "Node agents and puppets"),
        ("cc", "C puppets"),
        ("git", "git workspaces"),
    ]
    .into_iter()
    .map(|(what, use_for)| {
        let found = std::env::var_os("PATH").and_then(|path| {
            std::env::split_paths(&path).map(|directory| directory.join(what)).find(|file| file.is_file())
        });
        Finding {
            what,
            works: found.is_some(),
            detail: found
                .map_or_else(|| format!("not in PATH; needed for {use_for} only"), |file| file.display().to_string()),
            help: None,
        }
    })
    .collect()
}
