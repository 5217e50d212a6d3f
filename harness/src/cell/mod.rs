//! The sealed place in which one trial runs: how it is built, and what a
//! census of it shows. It decides nothing about the agent.

mod blueprint;
mod files;
mod host;
mod ipc;
mod mounts;
mod proc_text;
mod processes;
mod sealed;
mod syscall_name;
mod terminal;
mod watch;

pub use sealed::{Cell, CellError, CellMaker, CellOptions, MOST_PROCESSES};

pub(crate) use files::{
    DEEPEST, HASHED_FILE, KEPT_FILE, KEPT_TOTAL, MOST_NODES, READ_FILES, hash_of, kind_of, names, open_anyway,
    read_up_to, stamp,
};
pub(crate) use mounts::unescape;
#[cfg(feature = "test")]
pub(crate) use processes::children_of;
pub(crate) use processes::{
    Depth, activity, exclusively_locked_files, listeners, locked_files, look_at, open_known, open_process,
    read as read_process, unix_sockets,
};
pub(crate) use syscall_name::syscall_name;
pub(crate) use terminal::{Modes, ScreenScanner, state as terminal_state};
pub(crate) use watch::FileWatch;
