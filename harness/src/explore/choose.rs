//! Which driver runs the trials of a check, and the cells it makes.

use super::check::Check;
use crate::cell::CellOptions;
use crate::driver::{Containment, Driver, DriverError, FullDriver, PortableDriver, PortableOptions};
use crate::scenario::GuaranteeWish;
use std::fmt;

/// A driver, and why it is not the one that sees all, where the best that could be had was
/// asked for.
pub struct Chosen {
    /// The driver.
    pub driver: Box<dyn Driver>,
    /// Why there is no sealed cell here.
    pub weaker: Option<String>,
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chosen").field("weaker", &self.weaker).finish_non_exhaustive()
    }
}

impl Check {
    /// The cells that its agent runs in.
    pub fn cell_options(&self) -> CellOptions {
        CellOptions {
            private_network: self.private_network,
            max_processes: self.max_processes,
            ..CellOptions::around(self.directory.clone(), &self.environment)
        }
    }

    /// The driver that gives what is wished for, or the best that can be had.
    ///
    /// # Errors
    /// When this machine does not give what was asked for by name.
    pub fn driver(&self, wish: GuaranteeWish) -> Result<Chosen, DriverError> {
        let chosen = |driver: Box<dyn Driver>, weaker| Ok(Chosen { driver, weaker });
        if wish == GuaranteeWish::Portable {
            return chosen(Box::new(self.portable()), None);
        }
        match FullDriver::new(self.cell_options()) {
            Ok(driver) => chosen(Box::new(driver), None),
            Err(DriverError::Unsupported(why)) if wish == GuaranteeWish::Auto => {
                chosen(Box::new(self.portable()), Some(why))
            }
            Err(error) => Err(error),
        }
    }

    fn portable(&self) -> PortableDriver {
        PortableDriver::new(PortableOptions {
            directory: self.directory.clone(),
            private_network: self.private_network,
            max_processes: self.max_processes,
            containment: Containment::Cgroup,
        })
    }
}
