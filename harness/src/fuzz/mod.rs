//! Plans drawn at random, and what is learned from their trials. Pure.
//!
//! [`Space`] says what there is to choose from for a program, `draw` chooses, [`Guide`] keeps
//! the plans that showed something new, [`Fuzzer`] goes from one plan to the next, [`shrink`]
//! makes a plan that fails as small as it can be, and [`Sequential`] says, run by run, whether a
//! plan still fails. All but the first two are the same for futures, whose [`Choices`] are in
//! `future`. Whoever runs the trials of programs lives in `explore`.

mod draw;
mod fuzzer;
mod guide;
mod random;
mod sequential;
mod shrink;
mod smaller;
mod space;

pub use draw::{MOST_ACTS, changed, fresh};
pub use fuzzer::{Choices, Fuzzer, Learned};
pub use guide::Guide;
#[cfg(feature = "test")]
pub(crate) use random::Chances;
pub use sequential::Sequential;
pub use shrink::{Judgement, Shrunk, shrink};
pub use smaller::{Size, size, smaller};
pub use space::{Place, Space};
