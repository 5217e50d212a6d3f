//! Who is who among the tracees: threads belong to processes, and each process
//! has its place in the tree, `0` for the agent, `0.1` for its second child.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    role: String,
    children: u32,
    /// How many threads it has had.
    threads: u32,
    /// Whether its parent waits until it has executed a program (vfork(2)).
    borrowed: bool,
}

/// A thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thread {
    process: i32,
    /// Which of its process's: 0 is the first.
    number: u32,
    /// Whether it runs no more and is about to be gone.
    ending: bool,
}

/// The tracees by thread id.
#[derive(Debug, Default)]
pub(super) struct Tree {
    threads: BTreeMap<i32, Thread>,
    processes: BTreeMap<i32, Process>,
    root: Option<i32>,
}

impl Tree {
    /// The agent itself.
    pub(super) fn root(&mut self, pid: i32) {
        self.root = Some(pid);
        self.first_thread(pid);
        self.processes.insert(pid, Process { role: "0".to_owned(), children: 0, threads: 1, borrowed: false });
    }

    fn first_thread(&mut self, pid: i32) {
        self.threads.insert(pid, Thread { process: pid, number: 0, ending: false });
    }

    /// A thread has made a task of the process `pid`, which is its own id for a
    /// new process. `borrowed` says whether it waits until that executes a program.
    pub(super) fn born(&mut self, parent: i32, tid: i32, pid: i32, borrowed: bool) {
        if tid != pid {
            let number = self.processes.get_mut(&pid).map_or(1, |process| {
                process.threads += 1;
                process.threads - 1
            });
            self.threads.insert(tid, Thread { process: pid, number, ending: false });
            return;
        }
        self.first_thread(pid);
        let parent = self.process(parent);
        let role = self.processes.get_mut(&parent).map_or_else(
            || "?".to_owned(),
            |parent| {
                let role = format!("{}.{}", parent.role, parent.children);
                parent.children += 1;
                role
            },
        );
        self.processes.insert(pid, Process { role, children: 0, threads: 1, borrowed });
    }

    /// A process whose parent can no longer say who it is.
    pub(super) fn adopted(&mut self, pid: i32) {
        self.first_thread(pid);
        self.processes.insert(pid, Process { role: "?".to_owned(), children: 0, threads: 1, borrowed: false });
    }

    /// Whether a process still has threads.
    pub(super) fn has(&self, pid: i32) -> bool {
        self.threads.values().any(|thread| thread.process == pid)
    }

    /// A thread has executed a program: it alone is left, under its process's id.
    pub(super) fn executed(&mut self, pid: i32, former: i32) {
        self.threads.retain(|_, thread| thread.process != pid);
        self.threads.remove(&former);
        self.first_thread(pid);
        if let Some(process) = self.processes.get_mut(&pid) {
            (process.threads, process.borrowed) = (1, false);
        }
    }

    /// A thread is about to end: whether it is the last of its process that does. Only
    /// then nobody uses the descriptors of the process any more: its first thread may
    /// end long before the others.
    pub(super) fn ends_process(&mut self, tid: i32) -> bool {
        let Some(thread) = self.threads.get_mut(&tid) else { return false };
        thread.ending = true;
        let process = thread.process;
        self.threads.values().all(|thread| thread.process != process || thread.ending)
    }

    /// A thread has ended. Its process stays known: its children are named after it.
    pub(super) fn ended(&mut self, tid: i32) {
        self.threads.remove(&tid);
    }

    /// The process of a thread.
    pub(super) fn process(&self, tid: i32) -> i32 {
        self.threads.get(&tid).map_or(tid, |thread| thread.process)
    }

    /// Which of its process's threads this is: 0 is the first.
    pub(super) fn number(&self, tid: i32) -> u32 {
        self.threads.get(&tid).map_or(0, |thread| thread.number)
    }

    /// Whether the parent of a thread's process can do nothing until it has
    /// executed a program.
    pub(super) fn is_borrowed(&self, tid: i32) -> bool {
        self.processes.get(&self.process(tid)).is_some_and(|process| process.borrowed)
    }

    /// Whether the process with this id, which has no thread any more, was one.
    pub(super) fn is_process(&self, pid: i32) -> bool {
        self.processes.contains_key(&pid)
    }

    /// The place of a thread's process.
    pub(super) fn role(&self, tid: i32) -> &str {
        self.processes.get(&self.process(tid)).map_or("?", |process| process.role.as_str())
    }

    /// The threads of the agent's process.
    pub(super) fn agent_threads(&self) -> impl Iterator<Item = i32> + '_ {
        self.threads.iter().filter(|(_, thread)| Some(thread.process) == self.root).map(|(tid, _)| *tid)
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
        tree.born(10, 11, 10, false);
        tree.born(11, 12, 12, false);
        tree.born(10, 13, 13, false);
        tree.born(12, 14, 14, false);
        assert_eq!([11, 12, 13, 14].map(|tid| tree.role(tid)), ["0", "0.0", "0.1", "0.0.0"]);
        tree.executed(10, 11);
        assert!(tree.is_agent(10) && !tree.is_agent(12));
        tree.ended(12);
        tree.born(10, 15, 15, false);
        assert_eq!(tree.role(15), "0.2");
    }

    #[test]
    fn a_process_ends_with_the_last_of_its_threads() {
        let mut tree = Tree::default();
        tree.root(10);
        tree.born(10, 11, 10, false);
        tree.born(10, 12, 12, false);
        tree.born(10, 13, 10, false);
        assert!(!tree.ends_process(10), "its first thread may end first");
        assert!(!tree.ends_process(11));
        tree.ended(11);
        assert!(tree.ends_process(12), "another process");
        assert!(tree.ends_process(13));
        assert!(!tree.ends_process(99), "nobody knows it");
    }

    #[test]
    fn threads_have_numbers_and_a_borrowed_process_is_so_until_its_exec() {
        let mut tree = Tree::default();
        tree.root(10);
        tree.born(10, 11, 10, false);
        tree.born(10, 12, 10, false);
        tree.born(12, 13, 13, true);
        assert_eq!([10, 11, 12, 13].map(|tid| tree.number(tid)), [0, 1, 2, 0]);
        assert!(tree.is_borrowed(13) && !tree.is_borrowed(10));
        tree.executed(13, 13);
        tree.executed(10, 12);
        assert!(!tree.is_borrowed(13) && tree.number(10) == 0 && tree.agent_threads().eq([10]));
    }
}
