//! Programs that run programs.

use crate::{PLAIN, Real, Truth, Whole};
use quietus::scenario::Kind;
use std::io;
use std::path::Path;

fn makefile(directory: &Path) -> io::Result<()> {
    std::fs::write(directory.join("Makefile"), "all: a b\na b:\n\tsleep 2\n\techo made > $@\n")
}

fn seconds(directory: &Path) -> io::Result<()> {
    std::fs::write(directory.join("seconds"), "300\n301\n")
}

/// `sleep 300`, left alive with the agent's output in its hands.
const SLEEP: &[(&str, &str)] = &[("orphan-process", "sleep 30"), ("fd-inherited", "the agent's output")];

pub(super) const ALL: &[Real] = &[
    Real {
        name: "sh_background",
        needs: &["dash"],
        command: &["dash", "-c", "sleep 300 & wait"],
        kind: Kind::Server,
        truths: &[
            Truth {
                at: "process:sleep",
                send: "TERM",
                does: "the shell ends, and what it started in the background runs on",
                leaves: SLEEP,
                may: &[],
            },
            Truth {
                at: "process:sleep",
                send: "INT@group",
                does: "a shell without job control starts it with INT ignored, so Ctrl-C does not end it either",
                leaves: SLEEP,
                may: &[],
            },
            Truth {
                at: "process:sleep",
                send: "TERM@group",
                does: "TERM to the group ends both",
                leaves: &[],
                may: &[],
            },
        ],
        whole: Some(Whole { does: "the sleep is an orphan", codes: &["orphan-process", "fd-inherited"], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "timeout",
        needs: &["timeout"],
        command: &["timeout", "100", "sleep", "300"],
        kind: Kind::Server,
        truths: &[
            Truth {
                at: "idle",
                send: "TERM",
                does: "timeout passes TERM on and ends as its command does",
                leaves: &[],
                may: &[],
            },
            Truth {
                at: "idle",
                send: "KILL",
                does: "a timeout that is killed leaves its command",
                leaves: SLEEP,
                may: &[],
            },
        ],
        whole: Some(Whole { does: "timeout is clean", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "nohup",
        needs: &["nohup"],
        command: &["nohup", "sleep", "300"],
        kind: Kind::Server,
        truths: &[
            Truth {
                at: "idle",
                send: "HUP",
                does: "that is what nohup is for",
                leaves: &[("signal-ignored", "the agent's process")],
                may: &[],
            },
            Truth { at: "idle", send: "TERM", does: "TERM ends it", leaves: &[], may: &[] },
        ],
        ..PLAIN
    },
    Real {
        name: "setsid_wait",
        needs: &["setsid"],
        // In the lead of its group, setsid forks.
        command: &["setsid", "--wait", "sleep", "300"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "process:sleep",
            send: "TERM@group",
            does: "a session of its own hears nothing of the group",
            leaves: SLEEP,
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "setsid_fork",
        needs: &["setsid"],
        command: &["sh", "-c", "setsid --fork sleep 300 >/dev/null 2>&1; exec sleep 1"],
        whole: Some(Whole { does: "a daemon that the undisturbed run leaves is meant to stay", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "xargs",
        needs: &["xargs"],
        files: seconds,
        command: &["xargs", "-a", "seconds", "-n1", "-P2", "sleep"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "process:sleep#2",
            send: "TERM",
            does: "xargs ends and leaves its workers",
            leaves: SLEEP,
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "find_exec",
        needs: &["find"],
        command: &["find", ".", "-maxdepth", "0", "-exec", "sleep", "300", ";"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "process:sleep",
            send: "TERM",
            does: "find ends and leaves the command it waits for",
            leaves: SLEEP,
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "flock",
        needs: &["flock"],
        command: &["flock", "one.lock", "sleep", "300"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "idle",
            send: "TERM",
            does: "flock ends, and its command goes on, holding the lock by the inherited descriptor",
            leaves: &[
                ("orphan-process", "sleep 300"),
                ("fd-inherited", "the agent's output"),
                ("lock-file", "one.lock"),
            ],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "flock_close",
        needs: &["flock"],
        command: &["flock", "--close", "one.lock", "sleep", "300"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "idle",
            send: "TERM",
            does: "the command runs on without the lock; the empty file means nothing, the kernel has let go",
            leaves: SLEEP,
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "make",
        needs: &["make"],
        files: makefile,
        command: &["make", "-j2"],
        truths: &[Truth {
            at: "process:sleep#2",
            send: "TERM",
            does: "make passes TERM to the shells of its recipes or to their only command, deletes what they were making, and ends by the signal",
            leaves: &[],
            may: &["orphan-process", "fd-inherited"],
        }],
        ..PLAIN
    },
    Real {
        name: "gcc",
        needs: &["gcc"],
        // The compiler proper waits for the source on its input.
        command: &["gcc", "-x", "c", "-c", "-o", "out.o", "-"],
        kind: Kind::Session,
        truths: &[
            Truth {
                at: "process:cc1",
                send: "TERM",
                does: "the driver ends and leaves the compiler proper",
                leaves: &[("orphan-process", "cc1"), ("fd-inherited", "the agent's output")],
                may: &["temp-file"],
            },
            Truth {
                at: "process:cc1",
                send: "INT@group",
                does: "Ctrl-C reaches both, and the driver removes its temporary files",
                leaves: &[],
                may: &[],
            },
        ],
        ..PLAIN
    },
    Real {
        name: "npm_exec",
        needs: &["npm", "node"],
        command: &["npm", "exec", "--offline", "-c", "sleep 300"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "process:sleep",
            send: "TERM",
            does: "npm passes TERM to its shell, which ends without its child",
            leaves: SLEEP,
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "python_pool",
        needs: &["python3"],
        command: &[
            "python3",
            "-c",
            "import multiprocessing as m, os, time\ndef work(_):\n os.write(1, b'ready\\n')\n time.sleep(3)\nif __name__ == '__main__':\n with m.get_context('fork').Pool(2) as p:\n  p.map(work, '12')",
        ],
        truths: &[Truth {
            at: "output:/ready/#2",
            send: "TERM",
            does: "the workers finish what they are at and end only then",
            leaves: &[("orphan-process", "python3"), ("fd-inherited", "the agent's output")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "ssh_agent",
        needs: &["ssh-agent"],
        command: &["ssh-agent"],
        whole: Some(Whole { does: "it leaves a daemon and its socket, which is what it is for", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "cat",
        needs: &["cat"],
        command: &["cat"],
        kind: Kind::Session,
        whole: Some(Whole { does: "cat is clean", codes: &[], may: &[] }),
        ..PLAIN
    },
];
