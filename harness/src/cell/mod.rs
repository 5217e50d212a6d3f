//! The sealed place in which one trial runs: how it is built, and what a
//! census of it shows. It decides nothing about the agent.

mod blueprint;
mod files;
mod host;
mod ipc;
mod mounts;
mod paths;
mod proc_text;
mod processes;
mod sealed;
mod syscall_name;
mod terminal;
mod watch;

pub use sealed::{Cell, CellError, CellMaker, CellOptions};

pub(crate) use paths::path_text;
pub(crate) use processes::{Depth, activity, locked_files, look_at, open_process, unix_sockets};
pub(crate) use syscall_name::syscall_name;
pub(crate) use terminal::{Modes, ScreenScanner, state as terminal_state};
pub(crate) use watch::FileWatch;
