//! Named real-world termination sequences. Each cites where its numbers come from.

use super::Injection;
use std::str::FromStr;
use std::time::Duration;

/// How a platform, a supervisor or a person ends a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// The name used in scenarios and on the command line.
    pub name: &'static str,
    /// The injection, without the KILL that ends the grace.
    steps: &'static str,
    /// From the last step to the final KILL.
    pub grace: Duration,
    /// Whether the agent is PID 1 there.
    pub pid1: bool,
    /// Whether the agent has a terminal there.
    pub pty: bool,
    /// Where the numbers come from.
    pub source: &'static str,
}

const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

const fn profile(name: &'static str, steps: &'static str, grace: Duration, source: &'static str) -> Profile {
    Profile { name, steps, grace, pid1: false, pty: false, source }
}

const PROFILES: [Profile; 16] = [
    profile("sigterm", "TERM", secs(10), "kill(1), timeout(1) -k: TERM, a grace, KILL"),
    Profile {
        pid1: true,
        ..profile(
            "kubernetes",
            "TERM",
            secs(30),
            "Kubernetes, Pod Lifecycle, Termination of Pods: TERM to PID 1, terminationGracePeriodSeconds 30, KILL",
        )
    },
    Profile {
        pid1: true,
        ..profile("docker", "TERM", secs(10), "docker stop reference: SIGTERM, then SIGKILL after 10 s")
    },
    profile(
        "systemd",
        "TERM@all,CONT@all",
        secs(90),
        "systemd.kill(5): KillMode=control-group, SendSIGKILL=yes, SIGCONT follows; systemd-system.conf(5): DefaultTimeoutStopSec=90s",
    ),
    profile(
        "systemd-mixed",
        "TERM,CONT",
        secs(90),
        "systemd.kill(5): KillMode=mixed, TERM to the main process, KILL to the rest after it",
    ),
    profile("systemd-process", "TERM,CONT", secs(90), "systemd.kill(5): KillMode=process, only the main process"),
    Profile {
        pty: true,
        ..profile("ctrl-c", "INT@group", secs(10), "termios(3): VINTR sends INT to the foreground process group")
    },
    Profile {
        pty: true,
        ..profile(
            "double-ctrl-c",
            "INT@group,200ms,INT@group",
            secs(10),
            "termios(3), pressed twice by an impatient person",
        )
    },
    profile(
        "github-actions",
        "INT,7500ms,TERM",
        Duration::from_millis(2500),
        "GitHub Actions, Workflow cancellation reference: SIGINT, 7.5 s, SIGTERM, 2.5 s, kill",
    ),
    Profile {
        pid1: true,
        ..profile("ecs", "TERM", secs(30), "Amazon ECS, StopTask: SIGTERM, 30 s (stopTimeout), SIGKILL")
    },
    Profile {
        pid1: true,
        ..profile("cloud-run", "TERM", secs(10), "Cloud Run, Container runtime contract: SIGTERM, 10 s, SIGKILL")
    },
    profile("nomad", "INT", secs(5), "Nomad, task kill_signal (SIGINT) and kill_timeout (5 s) defaults"),
    Profile {
        pty: true,
        ..profile(
            "terminal-closed",
            "pty-hangup",
            secs(5),
            "tty_ioctl(4), setsid(2): the kernel sends HUP to the session when its terminal hangs up",
        )
    },
    profile(
        "mcp-client",
        "stdin-eof,2s,TERM",
        secs(2),
        "Model Context Protocol, Lifecycle, Shutdown (stdio): close stdin, wait, TERM, KILL; both SDKs wait about 2 s a step",
    ),
    profile(
        "parent-death",
        "parent-death",
        secs(5),
        "prctl(2) PR_SET_PDEATHSIG, pipe(7): a host that is killed closes its pipes and tells nobody",
    ),
    profile(
        "oom",
        "KILL",
        secs(10),
        "Linux, Documentation/admin-guide/cgroup-v2.rst, memory.oom.group: the OOM killer sends KILL",
    ),
];

/// A name that is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile `{name}`; the profiles are {}", names().join(", "))]
pub struct ProfileError {
    name: String,
}

fn names() -> Vec<&'static str> {
    PROFILES.iter().map(|profile| profile.name).collect()
}

impl Profile {
    /// Every profile.
    pub fn all() -> &'static [Profile] {
        &PROFILES
    }

    /// What it does to the agent, without the KILL at the end of the grace.
    pub fn injection(&self) -> Injection {
        self.steps.parse().expect("the table of profiles is checked by a test")
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(name: &str) -> Result<Self, ProfileError> {
        PROFILES
            .iter()
            .find(|profile| profile.name == name)
            .copied()
            .ok_or_else(|| ProfileError { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_profile_reads_and_has_its_own_name_and_source() {
        let names: BTreeSet<_> = PROFILES.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), PROFILES.len());
        for profile in Profile::all() {
            assert_eq!(profile.injection().to_string(), profile.steps);
            assert!(profile.source.len() > 20, "{}", profile.name);
        }
    }
}
