//! When a file is torn: its content is neither what was there before nor what
//! an undisturbed run writes.

use super::names::{is_document, is_lines, keeps_its_own_promises};
use crate::model::{FileChange, FileKind, FileNode};
use crate::scenario::Kind;

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
    serde_json::from_slice::<serde_json::Value>(content).is_ok()
}

/// Judges one changed path. `controls` are the same path in the controls.
///
/// Not judged: databases and git (their own recovery decides); content that differs
/// from one control to the next, unless its format or length shows the damage; and
/// content that may be an earlier state, whole in itself. A file too large to keep
/// is judged by its length.
pub(super) fn judge(path: &str, node: &FileNode, controls: &[&FileNode], kind: Kind) -> Option<Torn> {
    if keeps_its_own_promises(path, node.content.as_deref().or(node.before.as_deref()).unwrap_or_default()) {
        return None;
    }
    match node.change {
        FileChange::Deleted => deleted(node, controls, kind),
        FileChange::Created | FileChange::Modified if node.kind == FileKind::Regular => {
            written(path, node, controls, kind)
        }
        _ => None,
    }
}

fn deleted(node: &FileNode, controls: &[&FileNode], kind: Kind) -> Option<Torn> {
    let control_deletes = controls.iter().any(|control| control.change == FileChange::Deleted);
    let before =
        node.before.as_ref().filter(|_| !control_deletes && kind != Kind::Server && node.kind == FileKind::Regular)?;
    torn("it is gone", vec![format!("{} bytes before; an undisturbed run leaves it there", before.len())])
}

fn written(path: &str, node: &FileNode, controls: &[&FileNode], kind: Kind) -> Option<Torn> {
    let Some(now) = node.content.as_deref() else { return large(path, node, controls, kind) };
    let before = node.before.as_deref();
    if before == Some(now) {
        return None;
    }
    let committed: Vec<&[u8]> = controls.iter().filter_map(|control| control.content.as_deref()).collect();
    if committed.contains(&now) {
        return None;
    }
    let facts = |committed: Option<&[u8]>| {
        let before = before.map_or_else(|| "not there".to_owned(), |before| format!("{} bytes", before.len()));
        let after = committed
            .map_or_else(|| "not left by the control".to_owned(), |content| format!("{} bytes", content.len()));
        vec![format!("before: {before}; now: {} bytes; an undisturbed run: {after}", now.len())]
    };
    if now.is_empty() && before.is_some_and(|before| !before.is_empty()) && !committed.is_empty() {
        return torn("it is empty", facts(committed.first().copied()));
    }
    // A format that can be checked shows damage whatever the content is.
    let json_before = before.is_none_or(is_json);
    if path.ends_with(".json")
        && !now.is_empty()
        && json_before
        && !committed.is_empty()
        && committed.iter().all(|content| is_json(content))
        && !is_json(now)
    {
        return torn("it is broken JSON", facts(committed.first().copied()));
    }
    let (first, rest) = committed.split_first()?;
    if kind == Kind::Server || rest.is_empty() {
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
        let appends = before.is_none_or(|before| now.starts_with(before));
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
        }
    }

    fn verdict(path: &str, before: Option<&str>, now: &str, controls: [&str; 2]) -> Option<String> {
        let controls = controls.map(|content| node(before, content));
        judge(path, &node(before, now), &controls.iter().collect::<Vec<_>>(), Kind::Job).map(|torn| torn.says)
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
            judge(path, &large(now), &controls.iter().collect::<Vec<_>>(), Kind::Job).map(|torn| torn.says)
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
            judge("/w/key", &data(3, now), &controls.iter().collect::<Vec<_>>(), Kind::Job).map(|torn| torn.says)
        };
        assert_eq!(judged(5000, [9000, 9000]).as_deref(), Some("it ends after 5000 of 9000 bytes"));
        assert_eq!(judged(9000, [9000, 9000]), None);
        assert_eq!(judged(5000, [9000, 9001]), None);
    }

    #[test]
    fn a_file_that_is_gone_is_torn_unless_the_control_removes_it_too() {
        let gone = FileNode { change: FileChange::Deleted, content: None, ..node(Some("data"), "") };
        assert!(judge("/w/data", &gone, &[], Kind::Job).is_some());
        assert!(judge("/w/data", &gone, &[&gone], Kind::Job).is_none());
        assert!(judge("/w/data", &gone, &[], Kind::Server).is_none());
    }
}
