//! Plans drawn at random, and what is learned from their trials. Pure.
//!
//! [`Space`] says what there is to choose from, `draw` chooses, [`Guide`] keeps the plans
//! that showed something new, [`Fuzzer`] goes from one plan to the next, [`shrink`] makes a
//! plan that fails as small as it can be, and [`Sequential`] says, run by run, whether a
//! plan still fails. Whoever runs the trials lives in `explore`.

mod draw;
mod fuzzer;
mod guide;
mod random;
mod sequential;
mod shrink;
mod smaller;
mod space;

pub use draw::{MOST_ACTS, changed, fresh};
pub use fuzzer::{Fuzzer, Learned};
pub use guide::Guide;
pub use sequential::Sequential;
pub use shrink::{Judgement, Shrunk, shrink};
pub use smaller::{Size, size, smaller};
pub use space::{Place, Space};
