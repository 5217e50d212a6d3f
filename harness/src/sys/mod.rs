//! Every system call that needs `unsafe`, and everything that runs between
//! fork and exec.
//!
//! Code that runs in a forked child (`child`, `init`, `step`) allocates
//! nothing, takes no lock and cannot panic: the parent may have had other
//! threads whose locks are frozen in the copy. What it needs is prepared
//! before the fork, and what goes wrong comes back as a message with an errno.
#![expect(unsafe_code, reason = "this room exists to hold it")]

mod child;
mod filter;
mod gate;
mod init;
mod keeper;
mod launch;
mod mask;
mod memory;
mod pidfd;
mod program;
mod remove;
mod step;
mod trace;
mod waker;
mod wire;

pub use filter::{AUDIT_ARCH, Bits, FOREIGN, Filter, Marked};
pub use gate::Gate;
pub use keeper::{Guarded, Keep, KeepError, Keeper, may_enter_cgroup};
pub use launch::{Launch, LaunchError, LaunchedCell, Namespaces, launch};
pub use mask::unblock;
pub use memory::give_back_memory;
pub use pidfd::{become_subreaper, send_signal, signal_group, signal_tracee};
pub use program::{Program, ProgramError, Role, Stdio};
pub use step::{SetupStep, Slot};
pub use trace::{
    Birth, Registers, Stop, Stopped, Syscall, Until, Waited, await_stop, interrupt, is_stopped_for, look, seize,
    seize_alone, wait,
};
pub use waker::telling_waker;
pub use wire::{Command, Report, SLOTS};

pub(crate) use remove::{remove_groups, remove_tree};
