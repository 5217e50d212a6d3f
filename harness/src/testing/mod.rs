//! What one writes in a test: a future or a program is an agent, and a test of it fails
//! with everything that was found.

mod agent;
mod command;
mod future_agent;
mod inside;
mod isolated;
mod message;
#[cfg(feature = "model")]
mod modelled;
mod outside;
mod scenarios;
#[cfg(feature = "strategy")]
pub mod strategy;
mod tested;

pub use agent::Agent;
pub use command::CommandAgent;
pub use future_agent::FutureAgent;
pub use isolated::isolated;
#[cfg(feature = "model")]
pub use modelled::{Cancel, model};
pub use scenarios::run_scenarios;
pub use tested::Tested;
