//! Where the agents of tests run: in cells, where this machine has them.

use crate::cell::CellOptions;
use crate::driver::{Containment, Driver, FullDriver, PortableDriver, PortableOptions};
use std::path::{Path, PathBuf};

/// How many processes and threads an agent may have, where nothing else is said.
const MOST_PROCESSES: u32 = 2048;

/// What a place for an agent is to be.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    pub(super) private_network: bool,
    pub(super) max_processes: Option<u32>,
    /// Not a cell, even where there is one.
    pub(super) portable: bool,
}

/// The options of a cell around this directory.
pub(super) fn options(directory: &Path, wish: Wish) -> CellOptions {
    CellOptions {
        directory: directory.to_path_buf(),
        likely: std::env::var_os("HOME").map(PathBuf::from).into_iter().collect(),
        private_network: wish.private_network,
        max_processes: wish.max_processes.unwrap_or(MOST_PROCESSES),
    }
}

/// A driver of cells, or the best that can be had here. What a weaker one does not see
/// stands in the report.
pub(super) fn driver(directory: &Path, wish: Wish) -> Box<dyn Driver> {
    let options = options(directory, wish);
    if !wish.portable
        && let Ok(driver) = FullDriver::new(options.clone())
    {
        return Box::new(driver);
    }
    Box::new(PortableDriver::new(PortableOptions {
        directory: options.directory,
        private_network: options.private_network,
        max_processes: options.max_processes,
        containment: Containment::Cgroup,
    }))
}
