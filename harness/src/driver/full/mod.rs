//! The full driver: every trial in a sealed cell, every wait on an event.

mod place;

use super::session::open_in;
use super::{Driver, DriverError, Request, Session, guarantee_of};
use crate::cell::{Cell, CellMaker, CellOptions};
use crate::sys::Program;
use quietus_reports::Guarantee;

/// Runs agents in cells.
#[derive(Debug)]
pub struct FullDriver {
    maker: CellMaker,
    options: CellOptions,
    guarantee: Guarantee,
}

impl FullDriver {
    /// Builds a first cell to learn what this machine grants.
    ///
    /// # Errors
    /// [`DriverError::Unsupported`] when the kernel refuses a cell.
    pub fn new(options: CellOptions) -> Result<Self, DriverError> {
        let unsupported = |error: crate::cell::CellError| DriverError::Unsupported(error.to_string());
        let maker = CellMaker::new(options.clone()).map_err(unsupported)?;
        let cell = maker.build(&[], false).map_err(unsupported)?;
        let guarantee = guarantee_of(&super::Mechanisms {
            privileged: maker.is_privileged(),
            private_network: options.private_network,
            gaps: cell.gaps.clone(),
        });
        Ok(Self { maker, options, guarantee })
    }
}

impl Driver for FullDriver {
    fn guarantee(&self) -> Guarantee {
        self.guarantee.clone()
    }

    fn open(&self, request: &Request) -> Result<Box<dyn Session>, DriverError> {
        debug_assert_eq!(self.options.directory, request.directory);
        let build = |programs: &[Program], terminal| {
            self.maker.build(programs, terminal).map_err(|error| DriverError::Unsupported(error.to_string()))
        };
        Ok(Box::new(open_in::<Cell>(request, Box::new(build))?))
    }
}
