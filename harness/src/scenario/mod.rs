//! Scenario files: text -> ([`Scenario`], [`Diagnostics`]).
//!
//! Reading is strict and pure: no file is opened, no clock is read, and every
//! fault of a text is reported at once, each with its place and what to do.
//! The format is one table, from which [`schema()`] is made too.

mod combine;
mod diagnostic;
mod fields;
mod keys;
mod outside;
mod parse;
mod schema;
mod shape;
mod shown;
mod spec;
mod suggest;
mod values;

#[cfg(test)]
mod tests;

pub use diagnostic::{CODES, Diagnostic, Diagnostics};
pub use parse::parse;
pub use schema::schema;
pub use spec::{
    AgentSpec, Allow, CellSpec, Expect, ExpectedExit, Explore, GuaranteeWish, Kind, Network, RecoverSpec, Scenario,
    Script, Second, ServiceKind, ServiceSpec, StateEnd, StateKind, StateSpec, Strategy, Survivor, Terminate,
};
