//! Programs that a person talks to.

use crate::{PLAIN, Real, Truth, Whole};
use quietus::scenario::Kind;
use std::io;
use std::path::Path;

fn page(directory: &Path) -> io::Result<()> {
    std::fs::write(directory.join("page"), "a line\n".repeat(200))
}

pub(super) const ALL: &[Real] = &[
    Real {
        name: "less",
        needs: &["less"],
        files: page,
        command: &["less", "page"],
        kind: Kind::Server,
        pty: true,
        truths: &[
            Truth {
                at: "idle",
                send: "TERM",
                does: "less restores the terminal and exits with 15, the number of the signal",
                leaves: &[("wrong-exit-status", "exit 15")],
                may: &[],
            },
            Truth {
                at: "idle",
                send: "KILL",
                does: "the terminal stays as it was: raw, without echo, on the other screen",
                leaves: &[("terminal-not-restored", "alternate screen")],
                may: &[],
            },
        ],
        ..PLAIN
    },
    Real {
        name: "nano",
        needs: &["nano"],
        command: &["nano", "page"],
        kind: Kind::Server,
        pty: true,
        truths: &[Truth {
            at: "idle",
            send: "TERM",
            does: "nano restores the terminal and exits with 1",
            leaves: &[("wrong-exit-status", "exit 1")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "vim",
        needs: &["vim.tiny"],
        command: &["vim.tiny", "-u", "NONE", "page"],
        kind: Kind::Server,
        pty: true,
        truths: &[
            Truth {
                at: "idle",
                send: "TERM",
                does: "vim leaves the other screen, removes its swap file, and leaves the terminal raw and without echo",
                leaves: &[("terminal-not-restored", "echo is off")],
                may: &[],
            },
            Truth {
                at: "idle",
                send: "INT@group",
                does: "Ctrl-C is no end for an editor: a warning, not an error",
                leaves: &[("~hang", "the agent's process")],
                may: &[],
            },
        ],
        ..PLAIN
    },
    Real {
        name: "bash_interactive",
        needs: &["bash"],
        command: &["bash", "--norc", "-i"],
        kind: Kind::Server,
        pty: true,
        truths: &[
            Truth {
                at: "idle",
                send: "TERM",
                does: "an interactive shell ignores TERM",
                leaves: &[("signal-ignored", "the agent's process")],
                may: &[],
            },
            Truth { at: "idle", send: "HUP", does: "HUP ends it", leaves: &[], may: &[] },
        ],
        ..PLAIN
    },
    Real {
        name: "tmux_detached",
        needs: &["tmux"],
        command: &["tmux", "-L", "quietus", "new", "-d", "sleep 300"],
        whole: Some(Whole { does: "it leaves its server, which is what it is for", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "tmux",
        needs: &["tmux", "cat"],
        command: &["tmux", "-S", "quietus.sock", "new", "cat"],
        kind: Kind::Server,
        pty: true,
        truths: &[Truth {
            at: "idle",
            send: "TERM",
            does: "TERM detaches the client, which exits with 1; server, command and socket stay",
            leaves: &[
                ("orphan-process", "tmux"),
                ("orphan-process", "cat"),
                ("socket-file", "quietus.sock"),
                ("wrong-exit-status", "exit 1"),
            ],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "screen",
        needs: &["screen", "cat"],
        command: &["screen", "cat"],
        kind: Kind::Server,
        pty: true,
        truths: &[Truth {
            at: "process:cat",
            send: "pty-hangup",
            does: "the terminal is gone, and the session is detached: that is what screen is for",
            leaves: &[("orphan-process", "SCREEN"), ("orphan-process", "cat"), ("socket-file", "S-")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "python_interpreter",
        needs: &["python3"],
        command: &["python3", "-i"],
        kind: Kind::Session,
        truths: &[
            Truth { at: "idle", send: "TERM", does: "TERM ends it", leaves: &[], may: &[] },
            Truth {
                at: "idle",
                send: "INT",
                does: "Ctrl-C stops a command, not the interpreter: a warning, not an error",
                leaves: &[("~hang", "the agent's process")],
                may: &[],
            },
            Truth { at: "idle", send: "stdin-eof", does: "it ends with its input", leaves: &[], may: &[] },
        ],
        ..PLAIN
    },
    Real {
        name: "python_asyncio",
        needs: &["python3"],
        command: &["python3", "-m", "asyncio"],
        kind: Kind::Session,
        truths: &[Truth { at: "idle", send: "TERM", does: "TERM ends it", leaves: &[], may: &[] }],
        ..PLAIN
    },
];
