//! What one writes in a test: a future or a program is an agent, and a test of it fails
//! with everything that was found.

mod inside;
mod isolated;
mod message;
mod outside;

pub use isolated::isolated;
