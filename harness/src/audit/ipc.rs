//! System V and POSIX IPC objects that are left. POSIX shared memory and
//! semaphores are files of /dev/shm and are found there.

use super::processes::leader;
use super::{Case, Found};
use crate::model::IpcKind;
use quietus_reports::Code;

pub(super) fn left_objects(case: Case<'_>) -> Vec<Found> {
    let mut expected = case.expected.ipc.clone();
    case.evidence
        .ipc
        .iter()
        .filter(|object| match expected.iter().position(|known| known.kind == object.kind && known.key == object.key) {
            Some(index) => {
                expected.remove(index);
                false
            }
            None => true,
        })
        .map(|object| {
            let (code, what, unit) = match object.kind {
                IpcKind::SharedMemory => (Code::ShmSegment, "shared memory segment", "bytes"),
                IpcKind::Semaphore => (Code::Semaphore, "semaphore set", "semaphores"),
                IpcKind::MessageQueue => (Code::MessageQueue, "message queue", "messages"),
                IpcKind::PosixQueue => (Code::MessageQueue, "POSIX message queue", ""),
            };
            let subject = if object.kind == IpcKind::PosixQueue {
                object.key.clone()
            } else {
                format!("System V {what}, key {}", object.key)
            };
            let mut facts = Vec::new();
            if !unit.is_empty() {
                facts.push(format!("{} {unit}", object.size));
            }
            facts.extend(object.creator.map(|pid| format!("made by pid {pid} in the cell")));
            Found::new(code, subject.clone(), format!("the {what} {} is left behind", object.key), &[])
                .with_origin(leader(case.evidence))
                .with_evidence(facts)
        })
        .collect()
}
