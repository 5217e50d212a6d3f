//! The programs and their truths.

mod files;
mod processes;
mod servers;
mod terminals;

use crate::Real;

/// Every program.
pub(crate) fn all() -> impl Iterator<Item = &'static Real> {
    [files::ALL, processes::ALL, servers::ALL, terminals::ALL].into_iter().flatten()
}
