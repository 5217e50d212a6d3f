use proptest::prelude::*;

use super::*;

#[test]
fn known_shapes_become_placeholders() {
    for (given, expected) in [
        ("/tmp/tmpab12xyz", "/tmp/tmp*"),
        ("/tmp/tmp3k_0q9xz", "/tmp/tmp*"),
        ("/tmp/tmpabcdefgh.json", "/tmp/tmp*.json"),
        ("/tmp/sort8hGk2Q", "/tmp/sort*"),
        ("/tmp/sortAb3dEf", "/tmp/sort*"),
        ("/tmp/ccQ7xZb2.s", "/tmp/cc*.s"),
        ("/tmp/tmp.Ab3dEf9hIj", "/tmp/tmp.*"),
        ("/tmp/.tmpQ9dKx2/part", "/tmp/.tmp*/part"),
        ("/tmp/agent-k3_9x2ab/lock", "/tmp/agent-*/lock"),
        ("/tmp/agent_k3x9x2ab", "/tmp/agent_*"),
        ("/tmp/agent-qxvkzwpj", "/tmp/agent-*"),
        ("/tmp/go-build3141592653/b001", "/tmp/go-build#/b#"),
        ("worker-12345.sock", "worker-#.sock"),
        ("worker12345", "worker#"),
        ("localhost:48211", "localhost:#"),
        ("run-550e8400-e29b-41d4-a716-446655440000.log", "run-*.log"),
        (".git/objects/tmp_obj_Ab3dEf", ".git/objects/tmp_obj_*"),
        ("session-0a1b2c3d4e5f.lock", "session-*.lock"),
        ("at 0x7ffd12ab", "at 0x*"),
        ("1763812345", "#"),
        ("naïve-12345-ü", "naïve-#-ü"),
    ] {
        assert_eq!(normalise(given), expected, "{given}");
    }
}

#[test]
fn words_stay() {
    for word in [
        "session.lock",
        "index.lock",
        "README",
        "README.md",
        "Makefile",
        "dump.rdb",
        "config.json",
        "agent_state.json",
        "part-1",
        "part-12",
        "python3.11",
        "python3",
        "/usr/bin/env",
        "0.1",
        "COMMIT_EDITMSG",
        "ORIG_HEAD",
        "FETCH_HEAD",
        "package-lock.json",
        "node_modules",
        "__pycache__",
        "__init__.py",
        "pyvenv.cfg",
        "postmaster.pid",
        "PG_VERSION",
        "pg_wal",
        "libssl.so.3",
        "utf8",
        "base64",
        "redis-server",
        "nginx",
        "postgres",
        "uvicorn",
        "gunicorn",
        "asyncio",
        "kubectl",
        "systemd",
        "sqlite3",
        "journal.db-wal",
        "mysqld",
        "bzip2",
        "mkfifo",
        "git",
        "worktrees",
        "Cargo.lock",
        "src/main.rs",
        "my_agent",
        "tmp_session_data",
        "sleep 60",
        "sh -c",
        "/dev/shm",
        "/var/tmp",
        "checkpoint-2",
        "gradle-wrapper",
        "Dockerfile",
        "sortByName",
        "getServer",
        "temporary",
        "template",
        "tmpfiles",
        "SIGTERM",
        "stdout",
        "naïve",
    ] {
        assert_eq!(normalise(word), word);
    }
}

#[test]
fn parts_and_their_order_matter() {
    let of = |parts: &[&str]| fingerprint(Code::TempFile, parts);
    assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    assert_ne!(of(&["a", "bc"]), of(&["ab", "c"]));
    assert_ne!(of(&["a"]), of(&["a", ""]));
    assert_ne!(of(&["a"]), fingerprint(Code::LockFile, &["a"]));
}

/// Baselines in users' repositories hold such strings: this must never change
/// within a format.
#[test]
fn the_hash_is_format_stable() {
    // Check value of FNV-1a 64 from its authors: "foobar".
    let mut hash = Fnv1a::new();
    "foobar".bytes().for_each(|byte| hash.byte(byte));
    assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    insta::assert_snapshot!(
        fingerprint(Code::OrphanProcess, &["0.1", "sleep 300"]),
        @"orphan-process:5ec07834d5ccd50d"
    );
}

/// How many of 1,000 names `prefix` + `length` characters drawn evenly from
/// `alphabet` + `suffix` share one normal form. (A regex strategy draws a
/// range first, so `_` would come as often as all letters together.)
fn stability(prefix: &str, alphabet: &str, length: usize, suffix: &str) -> usize {
    use proptest::strategy::ValueTree;
    let alphabet: Vec<char> = alphabet.chars().collect();
    let names = prop::collection::vec(prop::sample::select(alphabet), length);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut forms: Vec<String> = (0..1000)
        .map(|_| {
            let name = names.new_tree(&mut runner).expect("no filter").current();
            normalise(&format!("{prefix}{}{suffix}", String::from_iter(name)))
        })
        .collect();
    forms.sort();
    forms.chunk_by(|a, b| a == b).map(<[String]>::len).max().unwrap_or_default()
}

#[test]
fn templates_without_a_fixed_shape_are_stable_nearly_always() {
    let mkstemp = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let python = "abcdefghijklmnopqrstuvwxyz0123456789_";
    for (prefix, alphabet, length, suffix, at_least) in [
        ("/tmp/sort", mkstemp, 6, "", 970),
        ("/tmp/cc", mkstemp, 6, ".s", 970),
        ("/tmp/sess-", mkstemp, 6, "", 970),
        ("/tmp/sess.", mkstemp, 6, ".d", 970),
        ("/tmp/agent-", python, 8, "", 970),
        ("/tmp/agent_", python, 8, "/lock", 970),
        ("/tmp/ssh-", mkstemp, 12, "/agent", 990),
        ("run-", "0123456789abcdef", 12, "", 990),
    ] {
        let same = stability(prefix, alphabet, length, suffix);
        assert!(same >= at_least, "{prefix}…{suffix}: {same} of 1000");
    }
}

proptest! {
    /// Templates with a shape of their own: always the same fingerprint.
    #[test]
    fn known_templates_are_always_stable(
        python in prop::array::uniform2("[a-z0-9_]{8}"),
        mktemp in prop::array::uniform2("[A-Za-z0-9]{10}"),
        crate_tempfile in prop::array::uniform2("[A-Za-z0-9]{6}"),
        pid in prop::array::uniform2(100_u32..4_194_304),
        uuid in prop::array::uniform2("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        hex in prop::array::uniform2("[0-9a-f]{7}[0-9][0-9a-f]{8,24}"),
    ) {
        let of = |i: usize| fingerprint(Code::TempFile, &[
            &format!("/tmp/tmp{}/x", python[i]),
            &format!("/tmp/tmp.{}", mktemp[i]),
            &format!("/tmp/.tmp{}", crate_tempfile[i]),
            &format!("/run/agent-{}.sock", pid[i]),
            &format!("/proc/{}/fd", pid[i]),
            &format!("job-{}.json", uuid[i]),
            &format!("/dev/shm/psm_{}", hex[i]),
        ]);
        prop_assert_eq!(of(0), of(1));
    }

    #[test]
    fn any_text_is_accepted_and_normal_forms_stay(text in "\\PC{0,60}") {
        let once = normalise(&text);
        prop_assert!(once.chars().count() <= text.chars().count() + 1);
        prop_assert_eq!(fingerprint(Code::Hang, &[&text]), fingerprint(Code::Hang, &[&text]));
    }
}
