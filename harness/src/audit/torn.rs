//! When a file is torn: its content is neither what was there before nor what
//! an undisturbed run writes.

use super::difference::difference;
use super::format::damage;
use super::names::{is_document, is_lines, keeps_its_own_promises};
use crate::model::{FileChange, FileKind, FileNode};
use crate::scenario::Kind;
use serde::de::IgnoredAny;

/// Why a file is torn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) says: String,
    pub(super) facts: Vec<String>,
}

fn torn(says: impl Into<String>, facts: Vec<String>) -> Option<Torn> {
    Some(Torn { says: says.into(), facts })
}

/// Whether a text was cut between two lines, as a writer of records may be.
fn ends_at_a_line(content: &[u8]) -> bool {
    content.is_empty() || content.ends_with(b"\n")
}

fn is_json(content: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(content).is_ok()
}

/// A changed path, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) path: &'a str,
    pub(super) node: &'a FileNode,
    /// The same path in the controls; none where they leave it as it was.
    pub(super) controls: &'a [&'a FileNode],
    pub(super) kind: Kind,
    /// Whether it was surely changed before the termination came.
    pub(super) early: bool,
    /// Whether a log is beside it, from which a database recovers.
    pub(super) recovers: bool,
}

/// Judges one changed path.
///
/// Not judged: databases and git (their own recovery decides), unless a database is
/// shorter than itself says; content that differs from one control to the next, unless
/// its format or length shows the damage; and content that may be an earlier state, whole
/// in itself. A file too large to keep is judged by its length.
pub(super) fn judge(judged: Judged<'_>) -> Option<Torn> {
    let node = judged.node;
    match (node.change, node.kind) {
        (FileChange::Deleted, _) => deleted(judged),
        (FileChange::Created | FileChange::Modified, FileKind::Regular) => written(judged),
        _ => None,
    }
}

/// Whether only its own tools can say whether it is whole.
fn promises(judged: Judged<'_>) -> bool {
    let node = judged.node;
    keeps_its_own_promises(judged.path, node.content.as_deref().or(node.before.as_deref()).unwrap_or_default())
}

fn deleted(judged: Judged<'_>) -> Option<Torn> {
    let node = judged.node;
    let control_deletes = judged.controls.iter().any(|control| control.change == FileChange::Deleted);
    if control_deletes || judged.kind == Kind::Server || promises(judged) {
        return None;
    }
    let before = node.before.as_ref()?;
    let was = match node.kind {
        FileKind::Regular => format!("{} bytes before", before.len()),
        FileKind::Symlink => format!("it led to {} before", String::from_utf8_lossy(before)),
        _ => return None,
    };
    torn("it is gone", vec![format!("{was}; an undisturbed run leaves it there")])
}

fn written(judged: Judged<'_>) -> Option<Torn> {
    let Judged { path, node, controls, kind, .. } = judged;
    let Some(now) = node.content.as_deref() else {
        return if promises(judged) { None } else { large(path, node, controls, kind) };
    };
    let before = node.before.as_deref();
    if before == Some(now) {
        return None;
    }
    // What the controls leave as it was is meant to be as it was.
    let unchanged = controls.is_empty() && node.change == FileChange::Modified;
    let committed: Vec<&[u8]> = if unchanged {
        before.into_iter().collect()
    } else {
        controls.iter().filter_map(|control| control.content.as_deref()).collect()
    };
    if committed.contains(&now) {
        return None;
    }
    let facts = |committed: Option<&[u8]>| difference(before, now, committed.filter(|_| !unchanged));
    // A format that can be checked shows damage whatever the content is.
    let is_git = path.split('/').any(|part| part.ends_with(".git"));
    if let Some(damage) = damage(path, before, now, &committed, judged.recovers).filter(|_| !is_git) {
        return torn(damage, facts(committed.first().copied()));
    }
    if promises(judged) {
        return None;
    }
    let counts = !unchanged || judged.early;
    if now.is_empty() && before.is_some_and(|before| !before.is_empty()) && !committed.is_empty() && counts {
        return torn("it is empty", facts(committed.first().copied()));
    }
    let (first, rest) = committed.split_first()?;
    if kind == Kind::Server || (rest.is_empty() && !unchanged) || !counts {
        return None;
    }
    if rest.iter().any(|other| other != first) {
        let same_length = rest.iter().all(|other| other.len() == first.len());
        // Of data that is random each time the length still tells.
        return (before.is_none() && same_length && is_cut_data(now, first))
            .then_some(())
            .and_then(|()| torn(format!("it ends after {} of {} bytes", now.len(), first.len()), facts(Some(first))));
    }
    if first.starts_with(now) {
        let appends = unchanged || before.is_none_or(|before| now.starts_with(before));
        let whole = appends && ends_at_a_line(now) && (!is_document(path) || now.is_empty());
        // A counter, or a document that was replaced as a whole by each of its states.
        if whole || is_number(now) || is_json(now) {
            return None;
        }
        return torn(format!("it ends after {} of {} bytes", now.len(), first.len()), facts(Some(first)));
    }
    // Other content may be an earlier state that was whole: one renamed into place, say.
    if before.is_some_and(|before| is_mixture(before, now, first)) {
        return torn("the new content ends where the old goes on", facts(Some(first)));
    }
    None
}

/// Binary data that ends early.
fn is_cut_data(now: &[u8], whole: &[u8]) -> bool {
    whole.len() >= 4096 && !now.is_empty() && now.len() < whole.len() && whole.contains(&0)
}

fn is_number(content: &[u8]) -> bool {
    content.len() <= 20 && content.trim_ascii().iter().all(u8::is_ascii_digit)
}

/// Whether this is new content up to some byte, and old content from there on.
fn is_mixture(before: &[u8], now: &[u8], new: &[u8]) -> bool {
    let written = now.iter().zip(new).take_while(|(now, new)| now == new).count();
    let kept = now.iter().rev().zip(before.iter().rev()).take_while(|(now, old)| now == old).count();
    now.len() == before.len() && written > 0 && written < now.len() && written + kept >= now.len()
}

/// A file too large to keep: what is known is its size, and its hash up to a limit.
fn large(path: &str, node: &FileNode, controls: &[&FileNode], kind: Kind) -> Option<Torn> {
    let (first, rest) = controls.split_first()?;
    let written = |control: &&FileNode| control.change == node.change && control.size == first.size;
    if kind == Kind::Server || rest.is_empty() || !written(first) || !rest.iter().all(written) {
        return None;
    }
    // Of a file that was there before, its old content is not known.
    let shorter = node.change == FileChange::Created && node.size < first.size;
    (shorter && !is_lines(path)).then_some(())?;
    torn(
        format!("it has {} of {} bytes", node.size, first.size),
        vec![format!("now: {} bytes; an undisturbed run: {} bytes, twice", node.size, first.size)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(before: Option<&str>, now: &str) -> FileNode {
        FileNode {
            change: if before.is_some() { FileChange::Modified } else { FileChange::Created },
            kind: FileKind::Regular,
            size: now.len() as u64,
            mode: 0o644,
            owner: 0,
            hash: None,
            content: Some(now.into()),
            before: before.map(Into::into),
            stamp: None,
        }
    }

    fn judged(path: &str, node: &FileNode, controls: &[&FileNode], kind: Kind) -> Option<String> {
        judge(Judged { path, node, controls, kind, early: true, recovers: false }).map(|torn| torn.says)
    }

    fn verdict(path: &str, before: Option<&str>, now: &str, controls: [&str; 2]) -> Option<String> {
        let controls = controls.map(|content| node(before, content));
        judged(path, &node(before, now), &controls.iter().collect::<Vec<_>>(), Kind::Job)
    }

    #[test]
    fn what_is_torn() {
        for (path, before, now, control) in [
            ("/w/config", Some("old=1\n"), "new=", "new=2\n"),
            ("/w/config", Some("old=1\n"), "", "new=2\n"),
            ("/w/a.json", None, "{\n\"a\":", "{\n\"a\": 1}\n"),
            ("/w/a.json", None, "{\n", "{\n\"a\": 1}\n"),
            ("/w/data.bin", None, "abc", "abcdef"),
            ("/w/mix", Some("aaaa\nbbbb\n"), "cccc\nbbbb\n", "cccc\ndddd\n"),
            ("/w/new.pid", None, "pid=1", "pid=12345\n"),
            ("/w/.env", Some("A=1\nB=2\n"), "A=9\nB", "A=9\nB=2\n"),
            ("/w/.env", Some("A=1\nB=2\n"), "A=9\n", "A=9\nB=2\n"),
            ("/w/flags", Some("on"), "", "off"),
        ] {
            assert!(verdict(path, before, now, [control, control]).is_some(), "{path} {now:?}");
        }
        assert!(
            verdict("/w/a.json", None, "{\"t\": 12", ["{\"t\": 1}", "{\"t\": 2}"]).is_some(),
            "broken whatever the time stamp"
        );
    }

    #[test]
    fn what_is_not() {
        for (path, before, now, control) in [
            ("/w/config", Some("old"), "old", "new"),
            ("/w/config", Some("old"), "new", "new"),
            ("/w/records.csv", None, "a\nb\n", "a\nb\nc\n"),
            ("/w/records.csv", Some("a\n"), "a\nb\n", "a\nb\nc\n"),
            ("/w/new.txt", None, "", "text"),
            ("/w/app.sqlite", Some("x"), "y", "z"),
            ("/w/.git/index", Some("x"), "y", "z"),
            ("/w/state.json", None, "{\"i\": 1}", "{\"i\": 99}"),
            ("/w/state", Some("step 3 of 9\n"), "step 5 of 9\n", "step 9 of 9\n"),
            ("/w/state", None, "half", "whole\n"),
            ("/w/count", None, "1", "100"),
            ("/w/a.pid", None, "4", "3\n"),
            ("/w/list.yaml", None, "- a\n", "- a\n- b\n"),
            ("/w/.env", Some("A=1\n"), "A=1\nB=2\n", "A=1\nB=2\nC=3\n"),
            ("/w/.env", Some("A=1\n"), "", ""),
        ] {
            assert_eq!(verdict(path, before, now, [control, control]), None, "{path} {now:?}");
        }
        assert_eq!(verdict("/w/stamp", None, "12:00", ["12:01", "12:02"]), None, "differs from control to control");
    }

    #[test]
    fn a_large_file_is_judged_by_its_size_where_a_part_is_no_whole() {
        let large = |size| FileNode { size, content: None, ..node(None, "") };
        let judged = |path, now, controls: [u64; 2]| {
            let controls = controls.map(large);
            judged(path, &large(now), &controls.iter().collect::<Vec<_>>(), Kind::Job)
        };
        assert_eq!(judged("/w/out.tar", 10, [90, 90]).as_deref(), Some("it has 10 of 90 bytes"));
        assert_eq!(judged("/w/out.tar", 90, [90, 90]), None);
        assert_eq!(judged("/w/out.tar", 10, [90, 91]), None, "differs from control to control");
        assert!(judged("/w/copy", 10, [90, 90]).is_some());
        assert_eq!(judged("/w/records.csv", 10, [90, 90]), None, "it may end at a line");
    }

    #[test]
    fn data_that_is_random_each_time_is_judged_by_its_length() {
        let data = |fill: u8, length: usize| {
            let mut content = vec![fill; length];
            content[0] = 0;
            FileNode { size: length as u64, content: Some(content), ..node(None, "") }
        };
        let judged = |now: usize, whole: [usize; 2]| {
            let controls = [data(1, whole[0]), data(2, whole[1])];
            judged("/w/key", &data(3, now), &controls.iter().collect::<Vec<_>>(), Kind::Job)
        };
        assert_eq!(judged(5000, [9000, 9000]).as_deref(), Some("it ends after 5000 of 9000 bytes"));
        assert_eq!(judged(9000, [9000, 9000]), None);
        assert_eq!(judged(5000, [9000, 9001]), None);
    }

    #[test]
    fn a_file_that_is_gone_is_torn_unless_the_control_removes_it_too() {
        let gone = FileNode { change: FileChange::Deleted, content: None, ..node(Some("data"), "") };
        assert!(judged("/w/data", &gone, &[], Kind::Job).is_some());
        assert!(judged("/w/data", &gone, &[&gone], Kind::Job).is_none());
        assert!(judged("/w/data", &gone, &[], Kind::Server).is_none());
        assert!(judged("/w/.git/config", &gone, &[], Kind::Job).is_none());
        let link = FileNode { kind: FileKind::Symlink, ..gone.clone() };
        assert!(judged("/w/current", &link, &[&node(Some("1"), "2")], Kind::Job).is_some());
        assert!(judged("/w/current", &link, &[&link], Kind::Job).is_none());
        let directory = FileNode { kind: FileKind::Directory, ..gone };
        assert!(judged("/w/data", &directory, &[], Kind::Job).is_none());
    }

    #[test]
    fn what_the_controls_leave_as_it_was_is_to_be_so_again() {
        let says = |path: &str, before: &str, now: &str, early: bool| {
            let node = node(Some(before), now);
            judge(Judged { path, node: &node, controls: &[], kind: Kind::Job, early, recovers: false })
                .map(|torn| torn.says)
        };
        for (path, before, now) in [
            ("/w/.env", "A=1\nSECRET=2\n", "A=1\nSEC"),
            ("/w/.env", "A=1\n", ""),
            ("/w/index.html", "<a>\n</a>\n", "<a>\n"),
        ] {
            assert!(says(path, before, now, true).is_some(), "{path} {now:?}");
            assert_eq!(says(path, before, now, false), None, "{path} {now:?}: it may be meant so at the end");
        }
        assert!(says("/w/a.json", "{}", "{\"a\": ", false).is_some(), "nobody means that");
        for (path, before, now) in
            [("/w/.env", "A=1\nB=2\n", "A=1\n"), ("/w/.env", "A=1\n", "A=2\n"), ("/w/count", "10", "1")]
        {
            assert_eq!(says(path, before, now, true), None, "{path} {now:?}");
        }
    }
}
