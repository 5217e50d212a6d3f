//! The place of each process in the agent's tree, remembered past the death of
//! its parent: `0` is the agent, `0.1` its second child.

use crate::model::{ProcessId, ProcessRecord};
use std::collections::BTreeMap;

/// Roles by identity.
#[derive(Debug, Default)]
pub(super) struct Roles {
    known: BTreeMap<ProcessId, String>,
    children: BTreeMap<String, u32>,
}

impl Roles {
    /// Notes the agent itself.
    pub(super) fn leader(&mut self, id: ProcessId) {
        self.known.insert(id, "0".to_owned());
    }

    /// Names every process whose parent is known, and tells each what it is.
    pub(super) fn assign(&mut self, processes: &mut [ProcessRecord]) {
        let mut order: Vec<usize> = (0..processes.len()).collect();
        order.sort_by_key(|index| processes.get(*index).map(|process| (process.id.start, process.id.pid)));
        // A child can have the same start tick as its parent and a lower pid after a wrap: go on until nothing new is known.
        loop {
            let mut learned = false;
            for index in &order {
                let Some(process) = processes.get(*index) else { continue };
                if self.known.contains_key(&process.id) {
                    continue;
                }
                let parent = processes
                    .iter()
                    .find(|other| other.id.pid == process.parent)
                    .and_then(|parent| self.known.get(&parent.id))
                    .cloned();
                if let Some(parent) = parent {
                    let next = self.children.entry(parent.clone()).or_insert(0);
                    self.known.insert(process.id, format!("{parent}.{next}"));
                    *next += 1;
                    learned = true;
                }
            }
            if !learned {
                break;
            }
        }
        for process in processes {
            process.role = self.known.get(&process.id).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SignalMasks;

    fn process(pid: i32, parent: i32, start: u64) -> ProcessRecord {
        ProcessRecord {
            id: ProcessId { pid, start },
            parent,
            group: pid,
            session: pid,
            state: 'S',
            name: "p".to_owned(),
            argv: Vec::new(),
            role: None,
            masks: SignalMasks::default(),
            ticks: 0,
            descriptors: BTreeMap::new(),
            threads: Vec::new(),
            helper: false,
        }
    }

    #[test]
    fn a_role_outlives_the_parent() {
        let mut roles = Roles::default();
        roles.leader(ProcessId { pid: 2, start: 1 });
        let mut first = [process(2, 1, 1), process(5, 2, 3), process(4, 5, 3), process(3, 2, 2), process(9, 1, 4)];
        roles.assign(&mut first);
        let named: Vec<_> = first.iter().map(|p| (p.id.pid, p.role.as_deref())).collect();
        assert_eq!(named, [(2, Some("0")), (5, Some("0.1")), (4, Some("0.1.0")), (3, Some("0.0")), (9, None)]);
        let mut orphaned = [process(4, 1, 3), process(3, 1, 9)];
        roles.assign(&mut orphaned);
        assert_eq!(orphaned[0].role.as_deref(), Some("0.1.0"));
        assert_eq!(orphaned[1].role, None, "the pid was used again by another process");
    }
}
