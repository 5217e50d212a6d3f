//! The long text of every code: what it means and how to mend it.
//!
//! The texts are Markdown that also reads well as it is. Each is one file,
//! `explain/<code>.md`, so that a person can edit it without reading Rust.

use crate::code::Code;

/// What `quietus explain CODE` prints, ended by a newline.
///
/// Name, summary and severity come from the code, so they cannot differ.
///
/// ```
/// use quietus_reports::{Code, explain};
///
/// assert!(explain(Code::OrphanProcess).starts_with("# orphan-process\n"));
/// ```
#[must_use]
pub fn explain(code: Code) -> String {
    let summary = sentence(code.summary());
    let (severity, group) = (code.severity(), code.group());
    let text = text(code);
    let not_yet = if code.is_reported() { "" } else { "\nThis version of Quietus does not look for it yet." };
    format!("# {code}\n\n{summary}\nSeverity: {severity}. Group: {group}.{not_yet}\n\n{text}")
}

/// With a capital letter and a full stop.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

fn text(code: Code) -> &'static str {
    macro_rules! file {
        ($name:literal) => {
            include_str!(concat!("explain/", $name, ".md"))
        };
    }
    match code {
        Code::OrphanProcess => file!("orphan-process"),
        Code::ZombieProcess => file!("zombie-process"),
        Code::ThreadGrowth => file!("thread-growth"),
        Code::OrphanTask => file!("orphan-task"),
        Code::TempFile => file!("temp-file"),
        Code::LockFile => file!("lock-file"),
        Code::SocketFile => file!("socket-file"),
        Code::FifoFile => file!("fifo-file"),
        Code::StrayFile => file!("stray-file"),
        Code::TornFile => file!("torn-file"),
        Code::NotRolledBack => file!("not-rolled-back"),
        Code::OpenTransaction => file!("open-transaction"),
        Code::DatabaseLockHeld => file!("database-lock-held"),
        Code::DatabaseCorrupt => file!("database-corrupt"),
        Code::GitIndexLock => file!("git-index-lock"),
        Code::GitWorktreeLocked => file!("git-worktree-locked"),
        Code::GitCorrupt => file!("git-corrupt"),
        Code::RecoveryFailed => file!("recovery-failed"),
        Code::RecoveryDiverged => file!("recovery-diverged"),
        Code::MutexHeld => file!("mutex-held"),
        Code::MutexPoisoned => file!("mutex-poisoned"),
        Code::FdGrowth => file!("fd-growth"),
        Code::FdInherited => file!("fd-inherited"),
        Code::LockHeldAtExit => file!("lock-held-at-exit"),
        Code::FdOpenAtExit => file!("fd-open-at-exit"),
        Code::ShmSegment => file!("shm-segment"),
        Code::Semaphore => file!("semaphore"),
        Code::MessageQueue => file!("message-queue"),
        Code::PortHeld => file!("port-held"),
        Code::RequestNotAborted => file!("request-not-aborted"),
        Code::ConnectionAbandoned => file!("connection-abandoned"),
        Code::Hang => file!("hang"),
        Code::SignalIgnored => file!("signal-ignored"),
        Code::CancelIgnored => file!("cancel-ignored"),
        Code::SignalNotForwarded => file!("signal-not-forwarded"),
        Code::SlowTermination => file!("slow-termination"),
        Code::WrongExitStatus => file!("wrong-exit-status"),
        Code::Crashed => file!("crashed"),
        Code::TerminalNotRestored => file!("terminal-not-restored"),
        Code::CleanupNotLogged => file!("cleanup-not-logged"),
    }
}

#[cfg(test)]
mod tests;
