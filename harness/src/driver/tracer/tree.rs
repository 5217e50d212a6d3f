//! Who is who among the tracees: threads belong to processes, and each process
//! has its place in the tree, `0` for the agent, `0.1` for its second child.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    role: String,
    children: u32,
}

/// The tracees by thread id.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The process of each thread.
    threads: BTreeMap<i32, i32>,
    processes: BTreeMap<i32, Process>,
    root: Option<i32>,
}

impl Tree {
    /// The agent itself.
    pub(super) fn root(&mut self, pid: i32) {
        self.root = Some(pid);
        self.threads.insert(pid, pid);
        self.processes.insert(pid, Process { role: "0".to_owned(), children: 0 });
    }

    /// A thread has made a task of the process `pid`, which is its own id for a
    /// new process.
    pub(super) fn born(&mut self, parent: i32, tid: i32, pid: i32) {
        self.threads.insert(tid, pid);
        if tid != pid {
            return;
        }
        let parent = self.threads.get(&parent).copied().unwrap_or(parent);
        let role = self.processes.get_mut(&parent).map_or_else(
            || "?".to_owned(),
            |parent| {
                let role = format!("{}.{}", parent.role, parent.children);
                parent.children += 1;
                role
            },
        );
        self.processes.insert(pid, Process { role, children: 0 });
    }

    /// A thread has executed a program: it alone is left, under its process's id.
    pub(super) fn executed(&mut self, pid: i32, former: i32) {
        self.threads.retain(|tid, process| *process != pid || *tid == pid);
        self.threads.remove(&former);
        self.threads.insert(pid, pid);
    }

    /// A thread has ended. Its process stays known: its children are named after it.
    pub(super) fn ended(&mut self, tid: i32) {
        self.threads.remove(&tid);
    }

    /// The process of a thread.
    pub(super) fn process(&self, tid: i32) -> i32 {
        self.threads.get(&tid).copied().unwrap_or(tid)
    }

    /// The place of a thread's process.
    pub(super) fn role(&self, tid: i32) -> &str {
        self.processes.get(&self.process(tid)).map_or("?", |process| process.role.as_str())
    }

    /// The threads of the agent's process.
    pub(super) fn agent_threads(&self) -> impl Iterator<Item = i32> + '_ {
        self.threads.iter().filter(|(_, process)| Some(**process) == self.root).map(|(tid, _)| *tid)
    }

    /// The agent's process.
    pub(super) fn agent(&self) -> Option<i32> {
        self.root
    }

    /// Whether this thread is one of the agent itself.
    pub(super) fn is_agent(&self, tid: i32) -> bool {
        self.root == Some(self.process(tid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_in_the_order_of_birth() {
        let mut tree = Tree::default();
        tree.root(10);
        tree.born(10, 11, 10);
        tree.born(11, 12, 12);
        tree.born(10, 13, 13);
        tree.born(12, 14, 14);
        assert_eq!([11, 12, 13, 14].map(|tid| tree.role(tid)), ["0", "0.0", "0.1", "0.0.0"]);
        tree.executed(10, 11);
        assert!(tree.is_agent(10) && !tree.is_agent(12));
        tree.ended(12);
        tree.born(10, 15, 15);
        assert_eq!(tree.role(15), "0.2");
    }
}
