use super::*;
use crate::{Code, Origin, sample};

fn made_at(line: Option<&str>) -> Finding {
    let mut finding = sample::finding(Code::TempFile, "/tmp/a", &["start"]);
    finding.origin =
        line.map(|line| Origin { role: "0".into(), command: "a".into(), source: None, line: Some(line.into()) });
    finding
}

fn run(agent: &[&str], file: Option<&str>) -> Run {
    let agent = agent.iter().map(|word| (*word).to_owned()).collect();
    Run { agent, file: file.map(str::to_owned), ..sample::run(vec![], vec![]) }
}

fn repository(root: &str, fallback: &str, files: &[(&str, &str)]) -> Repository {
    let files = files.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
    Repository { root: root.to_owned(), files, fallback: fallback.to_owned() }
}

fn spots(repository: &Repository, run: &Run, line: Option<&str>) -> Vec<String> {
    let spots = repository.spots(run, &made_at(line));
    spots.iter().map(|spot| format!("{}:{}", spot.path, spot.line)).collect()
}

#[test]
fn paths_are_seen_from_the_root() {
    let files = [("agent.py", "/w/agent.py"), ("db.py", "/w/src/deep/db.py"), ("out.py", "/usr/out.py")];
    let of = repository("/w/", "tools/tool.py", &files);
    for (line, expected) in [
        ("agent.py:41 in f", "agent.py:41"),
        ("db.py:7 in g", "src/deep/db.py:7"),
        ("/w/src/agent.py:41 in f", "src/agent.py:41"),
        ("./src/agent.py:41", "src/agent.py:41"),
        ("/w/./a.py:4", "a.py:4"),
        ("tool.py:7", "tools/tool.py:7"),
    ] {
        assert_eq!(spots(&of, &run(&[], None), Some(line)), [expected], "{line}");
    }
    let both = spots(&of, &run(&[], None), Some("src/a.c:1 in f or db.py:2 in g"));
    assert_eq!(both, ["src/a.c:1", "src/deep/db.py:2"]);
}

#[test]
fn what_is_not_in_the_repository_is_shown_at_the_fallback() {
    let of = repository("/w", "/w/agents/a.toml", &[("out.py", "/usr/out.py")]);
    let elsewhere = [
        "/usr/lib/python3/x.py:4",
        "/srv/a.py:4",
        "../a.py:4",
        "src/../../a.py:4",
        "/w/:4",
        "main in lib.so",
        "out.py:3",
        // A name that nobody knows could be one of a library.
        "socket.py:41 in connect",
    ];
    for line in elsewhere.map(Some).into_iter().chain([None]) {
        assert_eq!(spots(&of, &run(&[], None), line), ["agents/a.toml:1"], "{line:?}");
    }
    assert_eq!(spots(&of, &run(&[], None), Some("/usr/x.py:4 in f or src/b.py:2 in g")), ["src/b.py:2"]);
}

#[test]
fn each_run_has_its_own_file_for_what_has_no_line() {
    let of = repository("/w", "quietus.toml", &[("one.py", "/w/agents/one.py")]);
    assert_eq!(spots(&of, &run(&["python3", "one.py"], Some("/w/one.toml")), None), ["agents/one.py:1"]);
    assert_eq!(spots(&of, &run(&["two"], Some("/w/two.toml")), None), ["two.toml:1"]);
    assert_eq!(spots(&of, &run(&["two"], Some("/elsewhere/two.toml")), None), ["quietus.toml:1"]);
    assert_eq!(spots(&of, &run(&["two"], None), None), ["quietus.toml:1"]);
}

#[test]
fn what_a_report_names_is_what_may_be_a_file() {
    let findings = vec![made_at(Some("db.py:7 in f or /w/a.py:1")), made_at(None)];
    let agent = ["/usr/bin/python3", "src/agent.py", "--port=8.", ".env", "-c", "x = 1.5e3 ", "a.tar.gz"];
    let run = Run { findings, ..run(&agent, None) };
    let named = Repository::named(&sample::report(vec![run]));
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["/w/a.py", "a.tar.gz", "db.py", "src/agent.py"]);
}
