//! What a name tells: locks, caches, temporary files, logs. Each rule says
//! which behaviour made it necessary.

/// The last part of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path lies below a directory.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}

/// Names that programs give to locks and pid files.
pub(super) fn is_lock_name(path: &str) -> bool {
    let name = base(path).to_ascii_lowercase();
    let name = name.trim_start_matches('.');
    ["lock", "lockfile", "lck", "pid", "pidfile"].contains(&name)
        || [".lock", ".lck", ".pid", ".pidfile", ".lockfile", "-lock", "_lock"].iter().any(|end| name.ends_with(end))
        || name.starts_with("~lock.")
        || name.starts_with("lock.")
}

/// Lock files that are documents: package managers keep them in the repository.
pub(super) fn is_manifest(path: &str) -> bool {
    [
        "cargo.lock",
        "yarn.lock",
        "poetry.lock",
        "uv.lock",
        "gemfile.lock",
        "composer.lock",
        "flake.lock",
        "pdm.lock",
        "bun.lock",
        "deno.lock",
        "mix.lock",
        "pipfile.lock",
        "podfile.lock",
    ]
    .contains(&base(path).to_ascii_lowercase().as_str())
}

/// Whether a path lies in a cache: its content is made again when it is missing,
/// and its writers leave partial files by design (Python's `__pycache__` writes
/// `x.pyc.12345` and renames it).
pub(super) fn is_in_cache(path: &str) -> bool {
    path.split('/').any(|part| {
        ["__pycache__", ".cache", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node-compile-cache", "_cacache"]
            .contains(&part)
    }) || path.ends_with("/.npm/_update-notifier-last-checked")
}

/// What a person typed, kept for the next time: shells, interpreters, pagers and
/// editors write it whenever they end, and no two runs write the same.
pub(super) fn is_history(path: &str) -> bool {
    let name = base(path);
    name.starts_with('.')
        && (name.ends_with("_history") || [".lesshst", ".viminfo", ".netrwhist", ".wget-hsts"].contains(&name))
}

/// Names that programs give to files which are not meant to stay.
pub(super) fn is_temporary_name(path: &str) -> bool {
    let name = base(path).to_ascii_lowercase();
    [".tmp", ".temp", ".part", ".partial", ".swp", ".download", ".crdownload", ".incomplete", ".new", "~"]
        .iter()
        .any(|end| name.ends_with(end))
        || [".#", "tmp.", ".tmp", "tmp_", "tmp-", "temp-", "temp_"].iter().any(|start| name.starts_with(start))
        || name.contains(".tmp.")
        || name.contains(".tmp-")
        || (name.starts_with("tmp") && name.len() == 11)
}

/// Logs grow line by line, and may be cut at any of them.
pub(super) fn is_log(path: &str) -> bool {
    let name = base(path).to_ascii_lowercase();
    name.ends_with(".log")
        || name.contains(".log.")
        || name.ends_with(".out")
        || name.ends_with(".err")
        || path.split('/').any(|part| part == "logs" || part == "log")
}

/// Files of databases and of git keep their own promises about torn content,
/// which only their own tools can judge.
pub(super) fn keeps_its_own_promises(path: &str, content: &[u8]) -> bool {
    let name = base(path).to_ascii_lowercase();
    [".db", ".sqlite", ".sqlite3", ".rdb", ".aof", ".ldb", ".mdb", ".wal", ".journal"]
        .iter()
        .any(|end| name.ends_with(end))
        || ["-wal", "-shm", "-journal"].iter().any(|end| name.ends_with(end))
        || path.split('/').any(|part| part == ".git" || part.ends_with(".git"))
        || content.starts_with(super::format::SQLITE)
}

/// Formats in which a part is no whole: a reader refuses a file that ends early.
pub(super) fn is_document(path: &str) -> bool {
    let name = base(path).to_ascii_lowercase();
    [
        ".json", ".xml", ".html", ".plist", ".zip", ".gz", ".png", ".pdf", ".tar", ".tgz", ".bz2", ".xz", ".zst",
        ".lz4", ".7z", ".jar", ".whl", ".deb", ".rpm", ".iso", ".img", ".o", ".a", ".so", ".jpg", ".jpeg", ".mp4",
        ".parquet", ".npy", ".npz", ".pkl", ".docx", ".xlsx",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// Formats of lines, which may end at any of them.
pub(super) fn is_lines(path: &str) -> bool {
    let name = base(path).to_ascii_lowercase();
    [".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".md", ".sql", ".lst"].iter().any(|end| name.ends_with(end))
}

/// Objects of a git repository: each is whole or not there (git renames it into
/// place), and one that nothing refers to is removed by `git gc` in its time.
pub(super) fn is_git_object(path: &str) -> bool {
    let Some((_, inside)) = path.split_once("/objects") else { return false };
    let mut parts = inside.split('/').filter(|part| !part.is_empty());
    let hex = |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    parts.next().is_some_and(|first| hex(first, 2)) && parts.next().is_none_or(|rest| hex(rest, 38) || hex(rest, 62))
}

/// How the names of files end that SQLite has beside a database in use.
pub(super) const JOURNALS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// The database whose journal this is. SQLite rolls back from it when the database
/// is next opened: without it the database stays torn.
pub(super) fn database_of_journal(path: &str) -> Option<&str> {
    JOURNALS.iter().find_map(|end| path.strip_suffix(end))
}

/// The pattern of two names of the same series: `part-aa` and `part-ab`. They differ
/// only in a short last part, which stands after a separator.
pub(super) fn series_of(one: &str, other: &str) -> Option<String> {
    let first = one.bytes().zip(other.bytes()).position(|(a, b)| a != b)?;
    let start = one.get(..first)?.rfind(['-', '_', '.'])? + 1;
    let (prefix, tails) = (one.get(..start)?, [one.get(start..)?, other.get(start..)?]);
    let ends = tails.map(|tail| tail.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(tail.len()));
    let [rest, rest_other] = [tails[0].get(ends[0]..)?, tails[1].get(ends[1]..)?];
    let short = ends[0] == ends[1] && (2..6).contains(&ends[0]);
    (short && rest == rest_other && !rest.contains('/') && !base(prefix).is_empty()).then(|| format!("{prefix}*{rest}"))
}

/// The pattern of two names of the same thing in two runs: the same but for one
/// random part, which stands between separators and has the same length in both.
/// Two runs tell what one name alone cannot: that `agent-tdiksuzo` is random.
pub(crate) fn pattern_of(one: &str, other: &str) -> Option<String> {
    if one.len() != other.len() {
        return None;
    }
    let differ = |(a, b): (u8, u8)| a != b;
    let first = one.bytes().zip(other.bytes()).position(differ)?;
    let last = one.bytes().zip(other.bytes()).rposition(differ)?;
    let is_separator = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'_';
    let start = one.as_bytes().get(..first)?.iter().rposition(is_separator).map_or(0, |index| index + 1);
    let end = one.as_bytes().get(last..)?.iter().position(is_separator).map_or(one.len(), |index| last + index);
    if end < start + 6 || !one.is_ascii() || !other.is_ascii() {
        return None;
    }
    let (random, random_other) = (one.get(start..end)?, other.get(start..end)?);
    let plain = |text: &str| !text.bytes().any(|byte| is_separator(&byte));
    (random.len() >= 6 && plain(random) && plain(random_other))
        .then(|| format!("{}*{}", one.get(..start).unwrap_or_default(), one.get(end..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_told_from_documents() {
        for path in [
            "/w/agent.lock",
            "/w/.git/index.lock",
            "/tmp/x.pid",
            "/w/.lock",
            "/w/state.lck",
            "/w/.~lock.doc.odt#",
            "/w/LOCK",
            "/w/session-lock",
        ] {
            assert!(is_lock_name(path), "{path}");
        }
        for path in ["/w/block", "/w/clock.txt", "/w/locksmith.py", "/w/rapid", "/w/lock.d/x"] {
            assert!(!is_lock_name(path), "{path}");
        }
        assert!(is_manifest("/w/Cargo.lock") && is_manifest("/w/yarn.lock") && !is_manifest("/w/agent.lock"));
    }

    #[test]
    fn temporary_names() {
        for path in [
            "/w/out.csv.tmp",
            "/w/tmpab12cd34",
            "/w/.x.swp",
            "/w/a.part",
            "/w/.#lock",
            "/w/config.json.tmp.123",
            "/w/config~",
        ] {
            assert!(is_temporary_name(path), "{path}");
        }
        for path in ["/w/template.html", "/w/temperature.csv", "/w/tmpl", "/w/partial.py", "/w/report.txt"] {
            assert!(!is_temporary_name(path), "{path}");
        }
    }

    #[test]
    fn histories_are_told_from_files_about_history() {
        for path in ["/root/.bash_history", "/home/a/.node_repl_history", "/root/.lesshst", "/root/.viminfo"] {
            assert!(is_history(path), "{path}");
        }
        for path in ["/w/history", "/w/chat_history", "/w/.history.lock"] {
            assert!(!is_history(path), "{path}");
        }
    }

    #[test]
    fn what_belongs_to_git_and_to_sqlite() {
        for path in ["/w/.git/objects/21", "/w/.git/objects/21/3b88dee90123456789012345678901234567ab"] {
            assert!(is_git_object(path), "{path}");
        }
        for path in ["/w/.git/objects/tmp_obj_x1", "/w/.git/objects/21/tmp_obj_x1", "/w/.git/objects/pack/x", "/w/a"] {
            assert!(!is_git_object(path), "{path}");
        }
        assert_eq!(database_of_journal("/w/a.db-wal"), Some("/w/a.db"));
        assert_eq!(database_of_journal("/w/journal"), None);
    }

    #[test]
    fn series_have_a_short_part_that_counts() {
        for (one, other, pattern) in [
            ("/w/part-aa", "/w/part-ab", Some("/w/part-*")),
            ("/w/x.aab.gz", "/w/x.aac.gz", Some("/w/x.*.gz")),
            ("/w/a.lock", "/w/b.lock", None),
            ("/w/config.json", "/w/state.json", None),
            ("/w/app-one.json", "/w/app-two.json", Some("/w/app-*.json")),
            ("/w/a-x/data", "/w/a-y/data", None),
        ] {
            assert_eq!(series_of(one, other).as_deref(), pattern, "{one} {other}");
        }
    }

    #[test]
    fn below_is_not_a_prefix() {
        assert!(
            is_below("/tmp/x", "/tmp")
                && !is_below("/tmpx/y", "/tmp")
                && !is_below("/tmp", "/tmp")
                && !is_below("/tmp/", "/tmp")
        );
    }

    #[test]
    fn two_runs_tell_what_is_random() {
        for (one, other, pattern) in [
            ("/tmp/agent-tdiksuzo", "/tmp/agent-pqwertyu", Some("/tmp/agent-*")),
            ("/tmp/tmp.AbCdEfGhIj/x", "/tmp/tmp.KlMnOpQrSt/x", Some("/tmp/tmp.*/x")),
            ("/tmp/a.lock", "/tmp/b.lock", None),
            ("/w/part-1", "/w/part-2", None),
            ("/tmp/agent-abcdef", "/tmp/other-abcdef", None),
            ("/tmp/agent-abcdef", "/tmp/agent-abcdefg", None),
            ("/tmp/same", "/tmp/same", None),
        ] {
            assert_eq!(pattern_of(one, other).as_deref(), pattern, "{one} {other}");
        }
    }
}
