//! Who belongs to a trial: every descendant of its keeper, which inherits all
//! orphans, and everything in its cgroup.

use super::cgroup::Cgroup;
use crate::cell::{Depth, look_at};
use crate::model::ProcessRecord;
use rustix::fd::AsFd;
use std::collections::{BTreeMap, BTreeSet};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// The descendants by the kernel's own lists of children, at the cost of the
/// trial and not of the host. `None` where the kernel has no such lists.
fn by_children(keeper: i32) -> Option<BTreeSet<i32>> {
    children_of(keeper)?;
    let mut known = BTreeSet::new();
    loop {
        let mut found = BTreeSet::new();
        let mut next = vec![keeper];
        while let Some(pid) = next.pop() {
            next.extend(children_of(pid).unwrap_or_default().into_iter().filter(|child| found.insert(*child)));
        }
        // A child moves to the keeper when its parent dies, and may have been in
        // neither list: what is found twice is all there is.
        if found.is_subset(&known) {
            return Some(known);
        }
        known.extend(found);
    }
}

/// The children of all threads of a process.
fn children_of(pid: i32) -> Option<Vec<i32>> {
    let mut children = Vec::new();
    let mut readable = false;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.filter_map(Result::ok) {
        if let Ok(text) = std::fs::read_to_string(thread.path().join("children")) {
            readable = true;
            children.extend(text.split_ascii_whitespace().filter_map(|number| number.parse::<i32>().ok()));
        }
    }
    readable.then_some(children)
}

/// The descendants by a census of the whole host.
fn by_sysinfo(keeper: i32) -> BTreeSet<i32> {
    let Ok(mut system) = System::new() else { return BTreeSet::new() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing().without_tasks());
    let number = |pid: sysinfo::Pid| i32::try_from(pid.as_u32()).unwrap_or(0);
    let parents: Vec<(i32, i32)> = system
        .processes()
        .iter()
        .filter_map(|(pid, process)| Some((number(*pid), number(process.parent()?))))
        .collect();
    descendants(keeper, &parents)
}

/// Everything below a process, from pairs of child and parent.
fn descendants(root: i32, parents: &[(i32, i32)]) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (child, parent) in parents {
        children.entry(*parent).or_default().push(*child);
    }
    let mut found = BTreeSet::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let below = children.get(&pid).into_iter().flatten();
        next.extend(below.filter(|child| **child != root && found.insert(**child)));
    }
    found
}

/// The processes of a trial. `whole` asks the whole host, for a census; what is
/// looked at every few milliseconds does not.
pub(super) fn processes(
    proc: impl AsFd + Copy,
    keeper: i32,
    cgroup: Option<&Cgroup>,
    depth: Depth,
    whole: bool,
) -> Vec<ProcessRecord> {
    let listed = by_children(keeper);
    let mut pids = match listed {
        Some(pids) if !whole => pids,
        listed => &listed.unwrap_or_default() | &by_sysinfo(keeper),
    };
    let inside = cgroup.map(Cgroup::pids).unwrap_or_default();
    pids.extend(&inside);
    pids.remove(&keeper);
    let records = pids.iter().filter_map(|pid| look_at(proc, *pid, depth));
    // A number that meanwhile became another process has a parent from elsewhere.
    let ours = |record: &ProcessRecord| {
        record.parent == keeper || pids.contains(&record.parent) || inside.contains(&record.id.pid)
    };
    records.filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_in_any_order() {
        let parents = [(9, 8), (8, 7), (5, 1), (7, 2), (3, 2), (2, 1)];
        assert_eq!(descendants(2, &parents), BTreeSet::from([3, 7, 8, 9]));
        assert_eq!(descendants(9, &parents), BTreeSet::new());
        assert_eq!(descendants(4, &[(4, 5), (5, 4)]), BTreeSet::from([5]));
    }

    #[test]
    fn both_ways_find_a_child() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat");
        let (own, pid) = (std::process::id().cast_signed(), child.id().cast_signed());
        let found = (by_children(own).is_none_or(|pids| pids.contains(&pid)), by_sysinfo(own).contains(&pid));
        drop(child.stdin.take());
        child.wait().expect("ends");
        assert_eq!(found, (true, true));
    }
}
