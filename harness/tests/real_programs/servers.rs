//! Programs that serve.

use crate::{PLAIN, Real, Truth, Whole};
use quietus::scenario::Kind;
use std::io;
use std::path::Path;

fn nginx(directory: &Path) -> io::Result<()> {
    std::fs::write(
        directory.join("nginx.conf"),
        "daemon off; pid nginx.pid; error_log error.log; worker_processes 1;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server { listen 127.0.0.1:8080; }
}
",
    )
}

pub(super) const ALL: &[Real] = &[
    Real {
        name: "nginx",
        needs: &["nginx"],
        files: nginx,
        command: &["nginx", "-p", ".", "-c", "nginx.conf", "-e", "error.log"],
        kind: Kind::Server,
        truths: &[
            Truth {
                at: "process:nginx#2",
                send: "TERM",
                does: "nginx stops its workers, removes its pid file and exits with 0",
                leaves: &[],
                may: &[],
            },
            Truth {
                at: "process:nginx#2",
                send: "KILL",
                does: "the worker serves on, and the pid file names a dead process",
                leaves: &[
                    ("orphan-process", "nginx"),
                    ("lock-file", "nginx.pid"),
                    ("port-held", "8080"),
                    ("fd-inherited", "the agent's output"),
                ],
                may: &[],
            },
        ],
        whole: Some(Whole { does: "nginx is clean", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "redis",
        needs: &["redis-server"],
        command: &["redis-server", "--port", "6379", "--bind", "127.0.0.1"],
        kind: Kind::Server,
        truths: &[Truth {
            at: "port:6379",
            send: "TERM",
            does: "redis saves its data and exits with 0",
            leaves: &[],
            may: &[],
        }],
        whole: Some(Whole { does: "redis is clean", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "python_http_server",
        needs: &["python3"],
        command: &["python3", "-m", "http.server", "--bind", "127.0.0.1", "8000"],
        kind: Kind::Server,
        truths: &[Truth { at: "port:8000", send: "TERM", does: "TERM ends it", leaves: &[], may: &[] }],
        whole: Some(Whole { does: "it holds nothing that outlives it", codes: &[], may: &[] }),
        ..PLAIN
    },
    Real {
        name: "node_server",
        needs: &["node"],
        command: &["node", "-e", "require('http').createServer((a, b) => b.end('x')).listen(8000, '127.0.0.1')"],
        kind: Kind::Server,
        truths: &[Truth { at: "port:8000", send: "TERM", does: "TERM ends it", leaves: &[], may: &[] }],
        ..PLAIN
    },
    Real {
        name: "ssh_agent_foreground",
        needs: &["ssh-agent"],
        command: &["ssh-agent", "-D"],
        kind: Kind::Server,
        truths: &[
            Truth {
                // It says so before it has its handlers.
                at: "idle",
                send: "TERM",
                does: "it removes its socket, and exits with 2 whatever happened",
                leaves: &[("wrong-exit-status", "exit 2")],
                may: &[],
            },
            Truth {
                at: "output:/SSH_AUTH_SOCK/",
                send: "KILL",
                does: "the socket and its directory stay",
                leaves: &[("socket-file", "/tmp/ssh-"), ("temp-file", "/tmp/ssh-")],
                may: &[],
            },
        ],
        ..PLAIN
    },
];
