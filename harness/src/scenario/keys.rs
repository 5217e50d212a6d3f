//! The one table of the format, version 1: its sections and their keys.
//!
//! The parser finds unknown keys, wrong types and suggestions here, and
//! [`super::schema()`] is made from it. Nothing else knows a key's shape.

use super::shape::{Choice, Form, Key, Section, Shape};

/// The longest grace: an hour. A trial that waits longer tests patience.
pub(super) const LONGEST_GRACE_HOURS: u64 = 1;

const PLAIN_SECTION: Section =
    Section { path: "", header: "", doc: "", keys: &[], exactly_one: &[], at_most_one: &[], needs: &[] };

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, doc, shape, required: false, default: None, elsewhere: &[] }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { required: true, ..key(name, shape, doc) }
}

const fn later(name: &'static str, what: &'static str) -> Key {
    key(name, Shape::Later(what), "")
}

const fn choice(name: &'static str, doc: &'static str) -> Choice {
    Choice { name, doc, here: true }
}

const fn later_choice(name: &'static str, doc: &'static str) -> Choice {
    Choice { name, doc, here: false }
}

/// The headers of the sections that have this key.
pub(super) fn homes_of(name: &str) -> Vec<&'static str> {
    let sections: [&'static Section; 11] =
        [&AGENT, &CELL, &SERVICE, &TERMINATE, &EXPLORE, &SCRIPT, &EXPECT, &STATE, &RECOVER, &SURVIVOR, &ALLOW];
    let has = |section: &&Section| section.find(name).is_some_and(|key| !matches!(key.shape, Shape::Later(_)));
    sections.into_iter().filter(has).map(|section| section.header).collect()
}

/// The top of the file.
pub(super) static TOP: Section = Section {
    doc: "How a program is terminated, and what a good ending is.",
    keys: &[
        required("name", Shape::Text(Form::Line), "What the scenario is called in reports."),
        required("agent", Shape::Table(&AGENT), "The program under test."),
        key("cell", Shape::Table(&CELL), "The sealed place in which each trial runs."),
        key("terminate", Shape::Table(&TERMINATE), "How the agent is terminated."),
        key("explore", Shape::Table(&EXPLORE), "Where the agent is terminated, and how often."),
        key("script", Shape::Tables(&SCRIPT), "Trials that are written out, one a table."),
        key("expect", Shape::Table(&EXPECT), "What a good ending is."),
        key("survivor", Shape::Tables(&SURVIVOR), "Processes, files and ports that may stay."),
        key("allow", Shape::Tables(&ALLOW), "Known findings that are accepted, with a reason."),
        key("service", Shape::Tables(&SERVICE), "Servers that run beside the agent, in its cell."),
        key(
            "state",
            Shape::Tables(&STATE),
            "What the agent changes outside itself, and how it must be found in the end.",
        ),
        key("recover", Shape::Table(&RECOVER), "Whether the agent is started again over what it left."),
    ],
    ..PLAIN_SECTION
};

static AGENT: Section = Section {
    path: "agent",
    header: "[agent]",
    doc: "The program under test.",
    keys: &[
        Key {
            elsewhere: &["cmd", "run", "exec", "args", "program"],
            ..required(
                "command",
                Shape::List(&Shape::Text(Form::Filled)),
                "Program and arguments. No shell reads them.",
            )
        },
        Key {
            elsewhere: &["cwd", "dir", "directory", "workdir"],
            ..key(
                "workspace",
                Shape::Text(Form::Filled),
                "A directory, relative to this file. A copy of it becomes the agent's own and is thrown away.",
            )
        },
        key("kind", Shape::Text(Form::Choice(KINDS)), "How the agent lives."),
        Key {
            elsewhere: &["setup", "before"],
            ..key(
                "prepare",
                Shape::List(&Shape::List(&Shape::Text(Form::Filled))),
                "Commands that run in the cell before the agent. What they make counts as there before.",
            )
        },
        Key {
            elsewhere: &["input"],
            ..key("stdin", Shape::WordOrTable(STDIN_WORDS, &STDIN), "The agent's standard input.")
        },
        Key {
            elsewhere: &["environment", "vars"],
            ..key("env", Shape::Environment, "Variables added to the agent's environment.")
        },
        key(
            "pid1",
            Shape::Flag,
            "Whether the agent is PID 1, as a container's entry point is. Without it, the profile decides.",
        ),
        Key {
            elsewhere: &["tty", "terminal"],
            ..key("pty", Shape::Flag, "Whether the agent has a terminal. Without it, the profile decides.")
        },
        key("ready", Shape::Text(Form::Point), "The point at which a server or session is ready for work."),
        Key {
            default: Some("false"),
            ..key(
                "inherit_signals",
                Shape::Flag,
                "Whether the agent inherits the signal dispositions and masks of Quietus instead of starting with the defaults.",
            )
        },
        later("workload", "run a workload against a server"),
        later("protocol", "speak a session's protocol"),
    ],
    ..PLAIN_SECTION
};

const KINDS: &[Choice] = &[
    choice("job", "does its work and ends"),
    choice("server", "waits for work until it is terminated"),
    choice("session", "talks with a client until the client goes"),
];

const STDIN_WORDS: &[Choice] =
    &[choice("closed", "at its end from the start"), choice("open", "a pipe that is never written")];

pub(super) const AFTER_TEXT: &[Choice] =
    &[choice("closed", "the end of the input"), choice("open", "nothing; the pipe stays open")];

static STDIN: Section = Section {
    path: "agent.stdin",
    header: "[agent.stdin]",
    doc: "What the agent reads.",
    keys: &[
        key("text", Shape::Text(Form::Plain), "This text."),
        key("file", Shape::Text(Form::Filled), "This file, as the agent sees it."),
        Key {
            default: Some("\"closed\""),
            ..key("then", Shape::Text(Form::Choice(AFTER_TEXT)), "What follows the text.")
        },
    ],
    exactly_one: &["text", "file"],
    needs: &[("then", "text")],
    ..PLAIN_SECTION
};

static CELL: Section = Section {
    path: "cell",
    header: "[cell]",
    doc: "The sealed place in which each trial runs.",
    keys: &[
        Key {
            default: Some("\"host\""),
            ..key("network", Shape::Text(Form::Choice(NETWORKS)), "What network the agent sees.")
        },
        Key {
            default: Some("\"auto\""),
            ..key("guarantee", Shape::Text(Form::Choice(GUARANTEES)), "What the cell must be able to do.")
        },
        Key {
            elsewhere: &["processes", "pids_limit", "nproc"],
            ..key("max_processes", Shape::Number(1, 4_194_304), "The most processes that the agent may have at a time.")
        },
    ],
    ..PLAIN_SECTION
};

const NETWORKS: &[Choice] = &[choice("host", "the host's"), choice("private", "its own, with only a loopback device")];

const GUARANTEES: &[Choice] = &[
    choice("auto", "the most that this machine can"),
    choice("full", "everything, or the scenario does not run"),
    choice("portable", "only what every machine can"),
];

static TERMINATE: Section = Section {
    path: "terminate",
    header: "[terminate]",
    doc: "How the agent is terminated.",
    keys: &[
        key(
            "profile",
            Shape::Text(Form::Profile),
            "A sequence that a platform, a supervisor or a person uses. Without it and `send`: sigterm.",
        ),
        Key {
            elsewhere: &["signal", "signals", "injection"],
            ..key("send", Shape::Text(Form::Injection), "A sequence of signals, waits and other injections.")
        },
        Key {
            elsewhere: &["timeout", "grace_period"],
            ..key(
                "grace",
                Shape::Text(Form::Span),
                "From the last step to the KILL, at most an hour. Without it, the profile decides.",
            )
        },
        key("settle", Shape::Text(Form::Span), "How long the cell must be quiet before it is audited."),
    ],
    at_most_one: &["profile", "send"],
    ..PLAIN_SECTION
};

static EXPLORE: Section = Section {
    path: "explore",
    header: "[explore]",
    doc: "Where the agent is terminated, and how often.",
    keys: &[
        key(
            "strategy",
            Shape::Text(Form::Choice(STRATEGIES)),
            "Who chooses the points. Without it: script if there is a `[[script]]`, else check.",
        ),
        key("budget", Shape::Text(Form::Span), "No trial starts after so long."),
        Key { default: Some("1"), ..key("repeat", Shape::Number(1, 10_000), "How often each trial runs.") },
        Key {
            default: Some("3"),
            ..key("confirm", Shape::Number(0, 100), "How often each distinct finding is run again.")
        },
        key("trials", Shape::Number(1, 1_000_000_000), "Of trials at random: how many there are."),
        key(
            "seed",
            Shape::Number(0, u32::MAX),
            "Of trials at random: the same seed draws the same ones in the same order.",
        ),
        key(
            "second",
            Shape::Text(Form::Choice(SECONDS)),
            "Of a sweep: what happens to the agent while it cleans up after the first injection.",
        ),
    ],
    ..PLAIN_SECTION
};

const STRATEGIES: &[Choice] = &[
    choice("check", "Quietus does"),
    choice("script", "the `[[script]]` tables do"),
    choice("sweep", "Quietus does: every window of the undisturbed run"),
    choice("fuzz", "chance does: any injections, anywhere, also in the cleanup"),
];

const SECONDS: &[Choice] = &[
    choice("cleanup", "it is terminated again, by TERM, INT or KILL, in each window of its cleanup"),
    choice("faults", "each system call of its cleanup that can fail does, once"),
    choice("both", "both, in trials of their own"),
];

static SCRIPT: Section = Section {
    path: "script",
    header: "[[script]]",
    doc: "One trial that is written out.",
    keys: &[
        Key {
            elsewhere: &["point", "points", "when"],
            ..required("at", Shape::List(&Shape::Text(Form::Point)), "Points to reach, one after the other.")
        },
        Key {
            elsewhere: &["signal", "injection"],
            ..key("send", Shape::Text(Form::Injection), "What is done there. Without it, `[terminate]` decides.")
        },
        Key {
            elsewhere: &["timeout"],
            ..key(
                "grace",
                Shape::Text(Form::Span),
                "From the last step to the KILL. Without it, `[terminate]` decides.",
            )
        },
        Key {
            default: Some("false"),
            ..key("informational", Shape::Flag, "Whether its findings are shown without counting.")
        },
    ],
    ..PLAIN_SECTION
};

static EXPECT: Section = Section {
    path: "expect",
    header: "[expect]",
    doc: "What a good ending is.",
    keys: &[
        Key {
            elsewhere: &["status", "exit_code", "code"],
            ..key(
                "exit",
                Shape::List(&Shape::Text(Form::Exit)),
                "The endings that are right. Without it: TERM, 143 or 0.",
            )
        },
        Key {
            elsewhere: &["timeout"],
            ..key("within", Shape::Text(Form::Span), "From the injection to the end of the agent, at most.")
        },
        Key {
            elsewhere: &["output", "logs"],
            ..key(
                "log",
                Shape::List(&Shape::Text(Form::Pattern)),
                "Regular expressions. Each must match a line of output, each a line after that of the one before, from the termination on; what a job wrote before counts where, undisturbed, it writes no more such lines. Of standard output and standard error, either may come first.",
            )
        },
        Key {
            elsewhere: &["release", "releases"],
            ..key(
                "released",
                Shape::Text(Form::Pattern),
                "Of a sweep: a regular expression with a group `resource`, such as 'released (?<resource>\\S+)'. What the agent has where it is terminated, and gives back before its end when it is not, must be named by a line from the termination on: by its path or the end of that, a port by its number, a child by its pid or its program.",
            )
        },
        Key {
            default: Some("\"rolled-back-or-committed\""),
            ..key("state", Shape::Text(Form::Choice(ENDS)), "How each `[[state]]` must be found in the end.")
        },
    ],
    ..PLAIN_SECTION
};

const ENDS: &[Choice] = &[
    choice("rolled-back", "as before the agent"),
    choice("committed", "as an undisturbed run leaves it"),
    choice("rolled-back-or-committed", "one of the two, with nothing in between"),
    choice("any", "whatever it is; only what is wrong by itself counts: locks, open transactions, damage"),
];

static STATE: Section = Section {
    path: "state",
    header: "[[state]]",
    doc: "Something that the agent changes outside itself: read before it runs, in the end, and after a recovery.",
    keys: &[
        required("kind", Shape::Text(Form::Choice(STATES)), "What it is."),
        key("name", Shape::Text(Form::Line), "What it is called in reports. Without it, its kind and where it is."),
        Key {
            elsewhere: &["file", "database", "repository"],
            ..key(
                "path",
                Shape::Text(Form::Filled),
                "Of sqlite, git, directory and json: where it is. A relative path starts in the agent's directory.",
            )
        },
        Key {
            elsewhere: &["files"],
            ..key(
                "paths",
                Shape::List(&Shape::Text(Form::Filled)),
                "Of files: those that change all together or not at all.",
            )
        },
        key(
            "pointer",
            Shape::Text(Form::Plain),
            "Of json: which value, by its JSON pointer (/a/0/b). Without it, all.",
        ),
        Key {
            elsewhere: &["sql"],
            ..key(
                "query",
                Shape::Text(Form::Filled),
                "Of sqlite and postgres: what to ask. Without it, all is compared.",
            )
        },
        Key {
            elsewhere: &["uri", "dsn", "address"],
            ..key("url", Shape::Text(Form::Filled), "Of postgres, redis and http: where it is.")
        },
        key(
            "command",
            Shape::List(&Shape::Text(Form::Filled)),
            "Of command: program and arguments. What it writes is the state; after an undisturbed run, or before it, it ends with 0.",
        ),
        key("expect", Shape::Text(Form::Choice(ENDS)), "How it must be found in the end. Without it, `expect.state`."),
    ],
    ..PLAIN_SECTION
};

const STATES: &[Choice] = &[
    choice("sqlite", "a SQLite database; read from a copy"),
    choice("postgres", "a PostgreSQL database, with what its server says of sessions, transactions and locks"),
    choice("redis", "a Redis database, with its clients; keys that expire go by themselves and are not compared"),
    choice("git", "a git repository"),
    choice("directory", "a directory with all below it"),
    choice("files", "files that change all together or not at all"),
    choice("json", "a value in a JSON file"),
    choice("http", "what a GET request is answered"),
    choice("command", "what a command says"),
];

static RECOVER: Section = Section {
    path: "recover",
    header: "[recover]",
    doc: "The agent is started again over what it left: it must end well, with the result of an undisturbed run.",
    keys: &[
        key("rerun", Shape::Flag, "Whether the agent's own command is run again."),
        Key {
            elsewhere: &["cmd", "run"],
            ..key("command", Shape::List(&Shape::Text(Form::Filled)), "What is run instead of the agent's own command.")
        },
        Key {
            elsewhere: &["timeout"],
            ..key(
                "within",
                Shape::Text(Form::Span),
                "How long it may take. Without it, ten times the undisturbed run and 20s.",
            )
        },
    ],
    exactly_one: &["rerun", "command"],
    ..PLAIN_SECTION
};

static SERVICE: Section = Section {
    path: "service",
    header: "[[service]]",
    doc: "A server that runs beside the agent in its cell, new in every trial.",
    keys: &[
        required(
            "name",
            Shape::Text(Form::Line),
            "What it is called: letters, digits, - and _. `${service.NAME.url}` stands for the address of a postgres or redis, such as `unix:///…/redis.sock`, and `${service.NAME.directory}` for its directory.",
        ),
        required("kind", Shape::Text(Form::Choice(SERVICES)), "What it is."),
        key("command", Shape::List(&Shape::Text(Form::Filled)), "Of command: program and arguments."),
        key(
            "ready",
            Shape::List(&Shape::Text(Form::Filled)),
            "Of command: a command that exits with 0 once the service can be used. Without it, at once.",
        ),
    ],
    ..PLAIN_SECTION
};

const SERVICES: &[Choice] = &[
    choice("postgres", "a PostgreSQL server from this machine's package, on a socket of its own"),
    choice("redis", "a Redis server from this machine's package, on a socket of its own"),
    choice("command", "a program; on ports of the machine, unless `cell.network` is private, trials run one at a time"),
    later_choice("llm", "play the endpoint of a language model"),
    later_choice("proxy", "stand between the agent and a server"),
];

static SURVIVOR: Section = Section {
    path: "survivor",
    header: "[[survivor]]",
    doc: "A process, file or port that may stay. Exactly one of the three.",
    keys: &[
        key(
            "process",
            Shape::Text(Form::Glob),
            "A glob on the process name or the last path part of its argument 0; on the whole command line if the glob has a space.",
        ),
        Key {
            elsewhere: &["path"],
            ..key(
                "file",
                Shape::Text(Form::Glob),
                "A glob on the path; a relative one starts at the agent's directory.",
            )
        },
        key("port", Shape::Number(1, 65_535), "A TCP or UDP port."),
        key("reason", Shape::Text(Form::Line), "Why it may stay."),
    ],
    exactly_one: &["process", "file", "port"],
    ..PLAIN_SECTION
};

static ALLOW: Section = Section {
    path: "allow",
    header: "[[allow]]",
    doc: "A known finding that is accepted.",
    keys: &[
        required("code", Shape::Text(Form::Code), "The code of the finding."),
        key("subject", Shape::Text(Form::Glob), "A glob on the subject of the finding. Without it, every subject."),
        required("reason", Shape::Text(Form::Line), "Why it is accepted."),
        Key {
            elsewhere: &["until", "expiry"],
            ..key("expires", Shape::Text(Form::Date), "The last day on which it is accepted.")
        },
    ],
    ..PLAIN_SECTION
};
