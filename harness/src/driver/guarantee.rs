//! What was in force, in words for the report.

use quietus_reports::{Guarantee, Level, NotAudited};

/// What a cell is made of on this machine.
#[derive(Debug, Clone)]
pub struct Mechanisms {
    /// Whether it is built with the privileges of root.
    pub privileged: bool,
    /// Whether it has a network of its own.
    pub private_network: bool,
    /// What is not audited, and why.
    pub gaps: Vec<(String, String)>,
}

/// The guarantee of a full cell.
pub fn guarantee_of(mechanisms: &Mechanisms) -> Guarantee {
    let mut words =
        vec!["PID, mount and IPC namespaces", "overlay over every file system", "private devices and terminals"];
    if mechanisms.privileged {
        words.push("root without the capabilities that reach beyond the cell (no mounts, no modules, no host network settings)");
    } else {
        words.push("user namespace");
    }
    words.push(if mechanisms.private_network { "network namespace with loopback" } else { "the host's network" });
    Guarantee {
        level: Level::Full,
        mechanisms: words.into_iter().map(str::to_owned).collect(),
        not_audited: mechanisms
            .gaps
            .iter()
            .map(|(what, why)| NotAudited { what: what.clone(), why: why.clone() })
            .collect(),
    }
}
