//! What a command says.

use super::{Oracle, Place, text_of};
use crate::model::State;
use std::ffi::OsString;

/// Runs a command beside the agent; its status and its output are the state.
#[derive(Debug)]
pub struct CommandOracle {
    /// What it is called.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

impl Oracle for CommandOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn commands(&self) -> Vec<Vec<OsString>> {
        vec![self.command.clone()]
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let ran = place.run(0)?;
        if ran.cut {
            return Err("it writes more than a mebibyte: let it say a hash, or less".to_owned());
        }
        Ok(State::of([("status".to_owned(), ran.ended.to_string()), ("output".to_owned(), text_of(&ran.output))]))
    }
}
