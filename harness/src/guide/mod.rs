//! How to test with Quietus, by example. Every example here is compiled and run.

#[doc = include_str!("tokio_agent.md")]
pub mod tokio_agent {}

#[doc = include_str!("binary.md")]
pub mod binary {}

#[doc = include_str!("ci.md")]
pub mod ci {}
