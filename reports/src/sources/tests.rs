use super::*;
use crate::{Code, Origin, sample};

fn spots(root: &str, fallback: &str, line: Option<&str>) -> Vec<String> {
    let mut finding = sample::finding(Code::TempFile, "/tmp/a", &["start"]);
    finding.origin =
        line.map(|line| Origin { role: "0".into(), command: "a".into(), source: None, line: Some(line.into()) });
    let spots = Sources { root, fallback }.spots(&finding);
    spots.iter().map(|spot| format!("{}:{}", spot.path, spot.line)).collect()
}

#[test]
fn paths_are_seen_from_the_root() {
    for (line, expected) in [
        ("agent.py:41 in f", "agent.py:41"),
        ("/w/src/agent.py:41 in f", "src/agent.py:41"),
        ("./src/agent.py:41", "src/agent.py:41"),
        ("/w/./a.py:4", "a.py:4"),
        ("tool.py:7", "tools/tool.py:7"),
    ] {
        assert_eq!(spots("/w/", "tools/tool.py", Some(line)), [expected], "{line}");
    }
    assert_eq!(spots("", "a.toml", Some("a.c:1 in f or b.c:2 in g")), ["a.c:1", "b.c:2"]);
}

#[test]
fn what_is_not_in_the_repository_is_shown_at_the_fallback() {
    let elsewhere =
        ["/usr/lib/python3/x.py:4", "/srv/a.py:4", "../a.py:4", "src/../../a.py:4", "/w/:4", "main in lib.so"];
    for line in elsewhere.map(Some).into_iter().chain([None]) {
        assert_eq!(spots("/w", "/w/agents/a.toml", line), ["agents/a.toml:1"], "{line:?}");
    }
    assert_eq!(spots("/w", "/w/a.toml", Some("/usr/x.py:4 in f or b.py:2 in g")), ["b.py:2"]);
}
