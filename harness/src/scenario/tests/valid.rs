//! Texts that are scenarios.

use super::super::*;
use super::rendered;
use crate::model::Pattern;

/// Every valid sample, by what it shows.
pub(super) const VALID: [(&str, &str); 9] = [
    ("smallest", SMALLEST),
    ("full", FULL),
    ("profile", PROFILE),
    ("stdin_words", "name = 'x'\nagent = { command = ['cat', ''], stdin = 'open' }\n"),
    ("stdin_file", "name = 'x'\n[agent]\ncommand = ['cat']\nstdin.file = 'in.txt'\n"),
    (
        "dotted",
        "name = 'x'\nagent.command = ['a']\nagent.env.A = '1'\nterminate.send = 'pty-hangup'\nscript = [{ at = ['start', '+idle'] }]\n",
    ),
    ("released", RELEASED),
    ("crlf", "name = 'x'\r\n[agent]\r\ncommand = ['a']\r\nprepare = []\r\n"),
    (
        "parent_death",
        "name = 'x'\n[agent]\ncommand = ['a']\npid1 = false\n[terminate]\nprofile = 'kubernetes'\n[[script]]\nat = ['start']\nsend = 'parent-death'\n",
    ),
];

const SMALLEST: &str = "name = 'x'\n[agent]\ncommand = ['a']\n";

/// Every key that the format has.
pub(super) const FULL: &str = r#"
name = "langgraph tool call"

[agent]
command = ["python3", "agent.py"]
workspace = "workspaces/repo"
kind = "server"
prepare = [["git", "init", "-q"], ["touch", "before"]]
stdin = { text = "go\n", then = "open" }
env = { LANG = "C", "with-dash" = "a=b" }
pid1 = false
pty = true
ready = "output:/listening/"
inherit_signals = true

[cell]
network = "private"
guarantee = "full"
max_processes = 64

[terminate]
send = "TERM,200ms,INT@group"
grace = "5s"
settle = "50ms"

[explore]
strategy = "script"
budget = "2m"
repeat = 2
confirm = 5

[[script]]
at = ["output:/tool call/", "+time:100ms"]
send = "TERM@group"
grace = "1s"
informational = true

[[script]]
at = ["idle"]

[expect]
exit = ["TERM", "143", "0"]
within = "3s"
log = ["cleanup complete"]
state = "rolled-back-or-committed"

[[state]]
kind = "sqlite"
path = "agent.db"
query = "SELECT count(*) FROM jobs"
expect = "committed"

[[state]]
name = "repository"
kind = "git"
path = "."

[[state]]
kind = "directory"
path = "out"

[[state]]
kind = "files"
paths = ["a.json", "b.json"]
expect = "rolled-back"

[[state]]
kind = "json"
path = "flags.json"
pointer = "/maintenance"
expect = "any"

[[state]]
kind = "command"
command = ["wc", "-l", "effects"]

[recover]
rerun = true
within = "20s"

[[survivor]]
process = "redis-server*"
reason = "shared daemon"

[[survivor]]
file = "out/*.gz"

[[survivor]]
port = 6379

[[allow]]
code = "temp-file"
subject = "/tmp/cache-*"
reason = "fixed in 2.1"
expires = "2030-12-31"

[[allow]]
code = "git-index-lock"
reason = "known"
expires = 2031-01-01
"#;

const PROFILE: &str = r#"
name = "pod"
[agent]
command = ["server"]
kind = "session"
[terminate]
profile = "kubernetes"
[explore]
strategy = "check"
"#;

const RELEASED: &str = r#"
name = "says what it releases"
[agent]
command = ["agent"]
[explore]
strategy = "sweep"
[expect]
log = ["stopping", "closed", "closed"]
released = '"event": *"released".*"path": *"(?<resource>[^"]+)"'
"#;

#[test]
fn a_pattern_of_lines_keeps_its_text_and_may_be_wanted_twice() {
    let expect = parse("x.toml", RELEASED).expect("valid").expect;
    assert_eq!(expect.log.iter().map(Pattern::as_str).collect::<Vec<_>>(), ["stopping", "closed", "closed"]);
    assert!(expect.released.is_some_and(|pattern| pattern.names_resources()));
}

#[test]
fn a_full_scenario_reads_as_written() {
    insta::assert_snapshot!(rendered(FULL));
}

#[test]
fn the_smallest_scenario_has_the_defaults() {
    let scenario = parse("x.toml", SMALLEST).expect("valid");
    assert_eq!(scenario.cell, CellSpec::default());
    assert_eq!(scenario.terminate, Terminate::default());
    assert_eq!(
        scenario.explore,
        Explore {
            strategy: Strategy::Check,
            second: None,
            budget: None,
            repeat: 1,
            trials: None,
            seed: None,
            confirm: 3
        }
    );
    assert_eq!(scenario.expect, Expect::default());
    assert!(!scenario.agent.inherit_signals);
}

#[test]
fn every_valid_sample_is_accepted() {
    for (name, text) in VALID {
        assert!(parse("x.toml", text).is_ok(), "{name}: {}", rendered(text));
    }
}

#[test]
fn a_script_makes_the_strategy_a_script() {
    let scenario = parse("x.toml", &format!("{SMALLEST}[[script]]\nat = ['idle']\n")).expect("valid");
    assert_eq!(scenario.explore.strategy, Strategy::Script);
}

#[test]
fn an_allowance_holds_through_its_last_day() {
    let scenario = parse("x.toml", FULL).expect("valid");
    let last = |allow: &Allow, today: &str| allow.is_expired(today);
    assert!(!last(&scenario.allows[0], "2030-12-30"));
    assert!(!last(&scenario.allows[0], "2030-12-31"));
    assert!(last(&scenario.allows[0], "2031-01-01"));
    assert!(!last(&scenario.allows[1], "2031-01-01"));
    assert!(!Allow { expires: None, ..scenario.allows[0].clone() }.is_expired("9999-12-31"));
}
