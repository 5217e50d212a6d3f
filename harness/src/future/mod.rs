//! Agents that are futures: run on plain tokio, cancelled at each suspension, judged by
//! what they leave in this process.

mod after;
mod agent;
mod cancelling;
mod fuzz;
mod handle;
mod judge;
mod line;
mod lock;
mod once;
mod own;
mod panics;
mod plan;
mod plans;
mod settling;
mod smaller;
mod space;
mod spawned;
mod sweep;
mod turns;

pub use after::cancel_after;
pub use agent::{AsyncAgent, Over, over};
pub use handle::Trial;
pub use lock::{Lock, LockState};
pub use plan::{By, Cancel, Moment, Order, Plan, Point, Polls};

pub(crate) use agent::{Startable, startable};
pub(crate) use cancelling::LONGEST_SPIN;
pub(crate) use once::Setup;
pub(crate) use sweep::{Wanted, sweep};
