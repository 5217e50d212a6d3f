//! Texts that are refused, and what people read then. Each case is one test.

use super::super::{CODES, parse};
use std::collections::BTreeSet;

/// The start of most cases: three lines that are right.
macro_rules! agent {
    ($($rest:literal),*) => { concat!("name = 'x'\n[agent]\ncommand = ['a']\n", $($rest, "\n"),*) };
}

macro_rules! cases {
    ($($name:ident: $text:expr;)+) => {
        /// Every text that is refused, by name.
        pub(super) const REFUSED: &[(&str, &str)] = &[$((stringify!($name), $text)),+];

        $(#[test]
        fn $name() {
            insta::assert_snapshot!(parse("agent.toml", $text).expect_err("refused").render(false));
        })+
    };
}

cases! {
    nothing_at_all: "";
    syntax: "name = 'x'\n[agent\ncommand == ['a']\nenv = { A = '1'\n";
    syntax_duplicate_key: agent!("command = ['b']");
    unknown_key_near: agent!("[terminate]", "grase = '5s'", "[[script]]", "att = ['idle']");
    unknown_key_other_word: agent!("cwd = 'x'", "[terminate]", "signal = 'TERM'");
    unknown_key_other_section: agent!("network = 'private'", "grace = '5s'");
    unknown_key_far: agent!("[explore]", "zebra = 1", "[weather]", "sun = true");
    missing_keys: "[[script]]\nsend = 'TERM'\n[[allow]]\nexpires = '2030-01-01'\n[agent]\n[agent.stdin]\n[[survivor]]\nreason = 'x'\n";
    wrong_types: "name = 5\n[agent]\ncommand = 'python agent.py'\nprepare = ['git init']\nenv = { PORT = 8080 }\npid1 = 'true'\nstdin = true\nworkspace = ['a']\n[terminate]\ngrace = 5\n[explore]\nrepeat = '3'\nconfirm = 1.5\n[expect]\nexit = [143]\nlog = 'done'\n";
    wrong_tables: "name = 'x'\nscript = ['idle']\nexpect = 'TERM'\n[[agent]]\ncommand = ['a']\n[survivor]\nport = 1\n[[terminate]]\n[allow]\n";
    not_yet_sections: agent!("workload = ['curl']", "protocol = 'mcp'", "env = { URL = '${service.llm.url}' }", "[[service]]", "name = 'llm'", "kind = 'llm'");
    states_of_the_wrong_form: agent!("[[state]]", "path = 'a'", "[[state]]", "kind = 'sqlite'", "pointer = 'a.b'", "[[state]]", "kind = 'json'", "path = 'x'", "pointer = 'a.b'", "[[state]]", "kind = 'files'", "path = 'x'", "[[state]]", "kind = 'mysql'", "path = 'x'", "expect = 'rolledback'");
    states_of_one_name: agent!("[[state]]", "kind = 'git'", "path = '.'", "[[state]]", "kind = 'git'", "path = '.'", "[[state]]", "kind = 'json'", "name = 'n'", "path = 'a'", "[[state]]", "kind = 'json'", "name = 'n'", "path = 'b'");
    recoveries: agent!("[recover]", "rerun = true", "command = ['a']", "within = 5", "twice = true");
    recovery_of_nothing: agent!("[recover]", "within = '5s'");
    a_service_where_it_cannot_be_named: agent!("stdin = { text = '${service.db.directory}' }", "[[service]]", "name = 'db'", "kind = 'postgres'", "[[state]]", "kind = 'postgres'", "url = '${service.db.url}'", "query = 'select ${service.db.url}'");
    services_of_the_wrong_form: agent!("env = { A = '${service.db}', B = '${service.bd.url}', C = '${service.db.port}' }", "[[service]]", "name = 'a b'", "kind = 'command'", "[[service]]", "name = 'db'", "kind = 'command'", "command = ['x']", "[[service]]", "name = 'db'", "kind = 'command'", "command = ['x', '${service.db.url}']");
    not_yet_injections: agent!("[terminate]", "send = 'TERM,token'", "[[script]]", "at = ['idle']", "send = 'cancel'");
    stalls_of_no_service: agent!("[terminate]", "send = 'stall:bd,TERM'", "[[script]]", "at = ['idle']", "send = 'stall:'", "[[service]]", "name = 'db'", "kind = 'postgres'");
    stalls_without_services: agent!("[[script]]", "at = ['idle']", "send = 'TERM,stall:llm'");
    unknown_values: agent!("kind = 'sever'", "stdin = 'in.txt'", "[cell]", "network = 'none'", "guarantee = 'ful'", "[explore]", "strategy = 'all'");
    unknown_profile: agent!("[terminate]", "profile = 'kubernets'");
    unknown_profile_far: agent!("[terminate]", "profile = 'zzz'");
    unknown_code: agent!("[[allow]]", "code = 'tmp-file'", "reason = 'r'", "[[allow]]", "code = 'zzz'", "reason = 'r'");
    bad_points: agent!("ready = 'outptu:/x/'", "[[script]]", "at = ['syscall:open@enter#1', 'output:/(/']");
    bad_injections: agent!("[terminate]", "send = 'TERM,200,TREM@group'", "[[script]]", "at = ['idle']", "send = \"TERM,\\u0049NTT\"");
    bad_spans: agent!("[terminate]", "grace = '5'", "settle = '9999h'");
    bad_exits: agent!("[expect]", "exit = ['256', 'TERMINATED', '', '-1']");
    bad_patterns: agent!("[expect]", "log = ['(', 'a{2,1}']", "[[survivor]]", "file = 'a['");
    bad_dates: agent!("[[allow]]", "code = 'hang'", "reason = 'r'", "expires = '2026-02-30'", "[[allow]]", "code = 'crashed'", "reason = 'r'", "expires = 2026-01-01T00:00:00Z");
    bad_env_names: agent!("[agent.env]", "'' = 'a'", "'a=b' = 'c'", "\"n\\u0000\" = 'd'");
    nul_bytes: "name = \"a\\u0000\"\n[agent]\ncommand = [\"b\\u0000\", 'c']\nenv = { A = \"\\u0000\" }\nstdin = { text = \"\\u0000\" }\n";
    empty_things: "name = ' '\n[agent]\ncommand = []\nworkspace = ''\nprepare = [[], ['', 'x']]\n[[script]]\nat = []\n[expect]\nexit = []\n[[allow]]\ncode = 'hang'\nreason = ''\n[[survivor]]\nfile = ''\n";
    empty_program: "name = 'x'\nagent.command = ['', 'b']\n";
    not_one_line: "name = \"a\\nb\"\nagent.command = ['b']\n";
    out_of_range: agent!("[cell]", "max_processes = 0", "[explore]", "repeat = -1", "confirm = 99999999999999999999999999999999999999999999", "budget = '0s'", "[[survivor]]", "port = 65536");
    conflicts: agent!("stdin = { text = 'a', file = 'b' }", "[terminate]", "profile = 'docker'", "send = 'TERM'", "[[survivor]]", "process = 'a'", "file = 'b'", "port = 3");
    needless_then: agent!("stdin = { file = 'a', then = 'open' }");
    no_script: agent!("[explore]", "strategy = 'script'");
    released_without_sweep: agent!("[expect]", "released = 'released (?<resource>.+)'");
    released_without_a_group: agent!("[explore]", "strategy = 'sweep'", "[expect]", "released = 'released (.+)'");
    released_is_no_pattern: agent!("[explore]", "strategy = 'sweep'", "[expect]", "released = '(?<resource>'", "log = 'done'", "[[script]]", "at = ['idle']");
    random_without_fuzz: agent!("[explore]", "trials = 9", "seed = 1");
    second_without_sweep: agent!("[explore]", "second = 'cleanup'");
    unused_script: agent!("[explore]", "strategy = 'check'", "[[script]]", "at = ['idle']");
    relative_first_points: agent!("ready = '+port:80'", "[[script]]", "at = ['+time:1s', '+idle']");
    start_is_not_first: agent!("[[script]]", "at = ['idle', 'start']");
    ready_on_a_job: agent!("kind = 'job'", "ready = 'idle'");
    graces_too_long: agent!("[terminate]", "grace = '61m'", "[[script]]", "at = ['idle']", "grace = '2h'");
    pid1_and_parent_death: agent!("pid1 = true", "[terminate]", "send = 'parent-death'");
    profile_pid1_and_parent_death: agent!("[terminate]", "profile = 'kubernetes'", "[[script]]", "at = ['idle']", "send = 'parent-death'");
    hangup_without_a_terminal: agent!("pty = false", "[terminate]", "profile = 'terminal-closed'");
    portable_cannot: agent!("pid1 = true", "[cell]", "guarantee = 'portable'", "network = 'private'");
    duplicates: agent!("[[script]]", "at = ['idle']", "[[script]]", "at = [\"idle\"]", "[expect]", "exit = ['0', 'TERM', '0']", "log = ['a', 'a']", "[[survivor]]", "port = 80", "[[survivor]]", "port = 80", "reason = 'again'", "[[allow]]", "code = 'hang'", "reason = 'a'", "[[allow]]", "code = 'hang'", "reason = 'b'");
    hostile_source: "name = \"\u{9b}2J\u{202e}\u{200b}é\"\n[agent]\ncommand = ['a'] \u{1b}]0;title\u{7}\n";
    hostile_value: "name = 'x' # \u{202e}\u{9b}2J\n[agent]\ncommand = ['a']\n\"\\u001b[2J\\u202e\" = 1\nkind = \"\\u001b[31m\u{9b}31m\"\nworkspace = ''\n";
    carriage_returns: "name = 'x'\r\n[agent]\r\ncommand = 5\r\nkind = 'jobb'\r\n";
    many_at_once: "nmae = 'x'\n[agent]\ncommand = 'a b'\nkind = 'deamon'\n[terminate]\nprofile = 'docker'\nsend = 'TREM'\n[[script]]\nat = ['+idle']\n";
}

#[test]
fn every_code_has_a_case() {
    let long = format!("# {}", "x".repeat(1 << 20));
    let texts = REFUSED.iter().map(|(_, text)| *text).chain([long.as_str()]);
    let seen: BTreeSet<&str> = texts
        .flat_map(|text| parse("x", text).expect_err("refused").iter().map(|d| d.code).collect::<Vec<_>>())
        .collect();
    let sorted: BTreeSet<&str> = CODES.into_iter().collect();
    assert_eq!(seen, sorted);
    assert!(CODES.is_sorted());
}

#[test]
fn a_text_that_is_too_large_says_so() {
    let diagnostics = parse("x.toml", &"# 34567\n".repeat(200_000)).expect_err("refused");
    insta::assert_snapshot!(diagnostics.render(false));
}

#[test]
fn deep_and_wide_texts_end() {
    let size = 1_000_000;
    let escapes = "\u{1b}".repeat(size / 8);
    for text in [
        "[".repeat(size),
        format!("a={}", "[".repeat(size - 2)),
        "{a=".repeat(size / 3),
        format!("[{}b]", "a.".repeat(size / 3)),
        format!("{}b=1", "a.".repeat(size / 3)),
        "\u{9b}".repeat(size / 2),
        format!("k = '{escapes}'"),
        format!("name = '{}'", "y".repeat(size)),
        "\n[[[".repeat(size / 4),
        (0..60_000).map(|number| format!("k{number}='a'\n")).collect(),
    ] {
        let shown = parse("x.toml", &text).expect_err("refused").render(false);
        assert!(shown.len() < 20_000, "{} bytes for {:?}…", shown.len(), &text[..4]);
    }
}

#[test]
fn a_flood_of_errors_is_cut() {
    let text: String = (0..10_000).map(|number| format!("k{number} = {number}\n")).collect();
    let shown = parse("x.toml", &text).expect_err("refused").render(false);
    assert!(shown.ends_with("\nerror: 10002 errors in x.toml\n"), "{}", &shown[shown.len() - 200..]);
    assert!(shown.contains("… and 9952 more errors"));
    assert!(shown.lines().count() < 600);
}

#[test]
fn colour_changes_nothing_but_colour() {
    for (name, text) in REFUSED {
        let diagnostics = parse("agent.toml", text).expect_err(name);
        let mut plain = String::new();
        let coloured = diagnostics.render(true);
        let mut rest = coloured.as_str();
        // Every escape of the renderer is CSI parameters `m`, made of digits and `;`.
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            let (style, after) = after.split_once('m').expect("a style");
            assert!(style.bytes().all(|b| b.is_ascii_digit() || b == b';'), "{name}: {style}");
            plain.push_str(before);
            rest = after;
        }
        plain.push_str(rest);
        assert_eq!(plain, diagnostics.render(false), "{name}");
    }
}
