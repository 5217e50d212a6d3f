//! Programs that write files.

use crate::{PLAIN, Real, Truth, Whole};
use quietus::scenario::Kind;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Lines in no order, and no two the same.
fn lines(count: u64) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        text
    })
}

fn large_text(directory: &Path) -> io::Result<()> {
    std::fs::write(directory.join("big.txt"), lines(400_000))
}

fn sources(directory: &Path) -> io::Result<()> {
    std::fs::create_dir(directory.join("src"))?;
    (0..30).try_for_each(|index| std::fs::write(directory.join(format!("src/file{index}")), lines(6_000)))
}

/// Sends one half, and the other a while later.
fn slow_server(directory: &Path) -> io::Result<()> {
    std::fs::write(
        directory.join("server.py"),
        r#"
import socket, threading, time
def answer(client):
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\n" + b"a" * 10)
    time.sleep(2)
    client.sendall(b"b" * 10)
    client.close()
with socket.create_server(("127.0.0.1", 8000)) as server:
    print(8000, flush=True)
    while True:
        threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
"#,
    )
}

fn repository(directory: &Path) -> io::Result<()> {
    std::fs::create_dir(directory.join("hooks"))?;
    std::fs::write(directory.join("hooks/pre-commit"), "#!/bin/sh\nexec sleep 2\n")?;
    std::fs::set_permissions(directory.join("hooks/pre-commit"), std::fs::Permissions::from_mode(0o755))?;
    std::fs::write(directory.join("a"), "a\n")
}

pub(super) const ALL: &[Real] = &[
    Real {
        name: "sort",
        needs: &["sort"],
        files: large_text,
        // It has read the file, and waits for the rest on its input.
        command: &["sort", "-S", "1M", "-T", "/tmp", "-o", "sorted", "big.txt", "-"],
        kind: Kind::Session,
        truths: &[
            Truth {
                at: "file:/tmp/sort??????",
                send: "TERM",
                does: "sort removes its temporary files when it is terminated",
                leaves: &[],
                may: &[],
            },
            Truth {
                at: "file:/tmp/sort??????",
                send: "KILL",
                does: "nobody removes them when it is killed",
                leaves: &[("temp-file", "/tmp/sort")],
                may: &[],
            },
        ],
        whole: Some(Whole { does: "sort is clean", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "gzip",
        needs: &["gzip"],
        files: large_text,
        command: &["gzip", "-k", "-9", "big.txt"],
        truths: &[
            Truth {
                at: "file:big.txt.gz>=100KB",
                send: "TERM",
                does: "gzip removes the half-written output when it is terminated",
                leaves: &[],
                may: &[],
            },
            Truth {
                at: "file:big.txt.gz>=100KB",
                send: "KILL",
                does: "the output stays, half written, under its final name",
                leaves: &[("torn-file", "big.txt.gz")],
                may: &[],
            },
        ],
        whole: Some(Whole { does: "gzip is clean", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "pigz",
        needs: &["pigz"],
        files: large_text,
        command: &["pigz", "-k", "-9", "-p", "2", "big.txt"],
        truths: &[Truth {
            at: "file:big.txt.gz>=100KB",
            send: "INT",
            does: "pigz removes its output and says so by a status of its own, 4: a warning, not an error",
            leaves: &[("~wrong-exit-status", "exit 4")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "tar",
        needs: &["tar"],
        files: sources,
        // It rests for a second at every tenth record, so that there is a middle.
        command: &["tar", "-cf", "out.tar", "--checkpoint=100", "--checkpoint-action=sleep=1", "src"],
        truths: &[Truth {
            at: "file:out.tar>=1MB",
            send: "TERM",
            does: "tar leaves the archive half written",
            leaves: &[("torn-file", "out.tar")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "rsync",
        needs: &["rsync"],
        files: sources,
        command: &["rsync", "-a", "--bwlimit=1000", "src/", "copy/"],
        truths: &[Truth {
            at: "file:copy/*",
            send: "TERM",
            does: "rsync removes the file it was at, keeps the whole ones, and ends with a status of its own, 20",
            leaves: &[("wrong-exit-status", "exit 20")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "git_commit",
        needs: &["git"],
        files: repository,
        prepare: &[&["git", "init", "-q"], &["git", "add", "a"]],
        command: &[
            "git",
            "-c",
            "core.hooksPath=hooks",
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@localhost",
            "commit",
            "-qam",
            "one",
        ],
        truths: &[
            Truth {
                at: "process:sleep",
                send: "TERM",
                does: "git removes index.lock; its hook runs on until it is done",
                leaves: &[("orphan-process", "sleep 2"), ("fd-inherited", "the agent's output")],
                may: &[],
            },
            Truth {
                at: "process:sleep",
                send: "KILL",
                does: "index.lock stays, and no other git can commit",
                leaves: &[
                    ("lock-file", ".git/index.lock"),
                    ("orphan-process", "sleep 2"),
                    ("fd-inherited", "the agent's output"),
                ],
                may: &[],
            },
        ],
        ..PLAIN
    },
    Real {
        name: "sqlite3",
        needs: &["sqlite3"],
        command: &["sqlite3", "t.db"],
        kind: Kind::Session,
        stdin: Some("create table t(x);\nbegin;\ninsert into t values (1);\n"),
        truths: &[Truth {
            at: "file:t.db-journal>=1",
            send: "TERM",
            does: "the shell has no handler: the rollback journal of the open transaction stays, and whoever opens it next rolls back",
            leaves: &[],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "python_tempfile",
        needs: &["python3"],
        command: &[
            "python3",
            "-c",
            "import tempfile, time\nwith tempfile.NamedTemporaryFile():\n print('ready', flush=True)\n time.sleep(2)",
        ],
        truths: &[
            Truth {
                at: "output:/ready/",
                send: "TERM",
                does: "without a handler TERM ends Python at once, and no `with` is left",
                leaves: &[("temp-file", "/tmp/tmp")],
                may: &[],
            },
            Truth {
                at: "output:/ready/",
                send: "INT",
                does: "INT is an exception: the file is removed, and Python ends by the signal",
                leaves: &[],
                may: &[],
            },
        ],
        whole: Some(Whole { does: "only TERM leaves the file", codes: &["temp-file"], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "python_shared_memory",
        needs: &["python3"],
        command: &[
            "python3",
            "-c",
            "import time\nfrom multiprocessing.shared_memory import SharedMemory\nm = SharedMemory(create=True, size=4096)\nprint('ready', flush=True)\ntime.sleep(2)\nm.close()\nm.unlink()",
        ],
        truths: &[
            Truth {
                at: "output:/ready/",
                send: "TERM",
                does: "the resource tracker, a process of its own, sees the end of its pipe and unlinks the segment",
                leaves: &[],
                may: &[],
            },
            Truth { at: "output:/ready/", send: "KILL", does: "even when the agent is killed", leaves: &[], may: &[] },
        ],
        ..PLAIN
    },
    Real {
        name: "mktemp_in_sh",
        needs: &["dash", "mktemp"],
        command: &["dash", "-c", "d=$(mktemp -d); trap 'rm -rf $d' EXIT; echo ready; read line; echo $line"],
        kind: Kind::Session,
        truths: &[Truth {
            at: "output:/ready/",
            send: "TERM",
            does: "dash runs no EXIT trap when a signal ends it",
            leaves: &[("temp-file", "/tmp/tmp.")],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "mktemp_in_bash",
        needs: &["bash", "mktemp"],
        command: &["bash", "-c", "d=$(mktemp -d); trap 'rm -rf $d' EXIT; echo ready; read line; echo $line"],
        kind: Kind::Session,
        truths: &[Truth {
            at: "output:/ready/",
            send: "TERM",
            does: "bash runs its EXIT trap, then ends by the signal",
            leaves: &[],
            may: &[],
        }],
        ..PLAIN
    },
    Real {
        name: "curl",
        needs: &["curl", "python3"],
        files: slow_server,
        prepare: &[&[
            "sh",
            "-c",
            "python3 server.py >port 2>/dev/null </dev/null & until [ -s port ]; do sleep 0.02; done",
        ]],
        command: &["curl", "-s", "-N", "-o", "download.iso", "http://127.0.0.1:8000/"],
        truths: &[Truth {
            at: "file:download.iso>=1",
            send: "TERM",
            does: "curl leaves what has arrived under the final name",
            leaves: &[("torn-file", "download.iso")],
            may: &[],
        }],
        ..PLAIN
    },
];
