//! The words of Quietus as types: points, injections, profiles, plans, tokens
//! and censuses. Nothing here does IO or reads a clock.

mod at_exit;
mod census;
mod ended;
mod evidence;
mod fault;
mod injection;
mod noise;
mod path;
mod pattern;
mod plain;
mod plan;
mod point;
mod profile;
mod quote;
mod recording;
mod signal;
mod span;
mod state;
mod syscall_point;
mod token;

pub use at_exit::AtExit;
pub use census::{
    Census, FileChange, FileKind, FileNode, FileTree, IpcKind, IpcObject, Listener, ProcessId, ProcessRecord,
    SignalMasks, TerminalState, ThreadRecord,
};
pub use ended::Ended;
pub use evidence::{Came, Evidence, FailedCall, Line, Occasion, OutputTail, Reaped, Recovered, Stream};
pub use fault::Fault;
pub use injection::{Injection, InjectionError, Step, Target};
pub use noise::Noise;
pub use path::path_text;
pub use pattern::Pattern;
pub use plain::plain;
pub use plan::{Act, Stdin, StdinThen, TrialPlan};
pub use point::{FileSize, Point, PointError, PointSpec, SizeRelation, parse_size};
pub use profile::{Profile, ProfileError};
pub use quote::{quote_all, split_quoted};
pub use recording::{Call, Deed, Disposition, Known, LockType, MESSAGES, Recording, Seen, WAITS, succeeded};
pub use signal::{Signal, SignalError};
pub use span::{SpanError, format_span, parse_span};
pub use state::{Reading, State, Trouble};
pub use syscall_point::{Fits, Side, SyscallPoint, as_glob};
pub use token::{Token, TokenError};
