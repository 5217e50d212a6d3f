//! What a command says.

use super::client::in_short;
use super::{Oracle, Place, text_of};
use crate::model::{Ended, State};
use std::ffi::OsString;

/// Runs a command beside the agent; its output is the state, and its status, where that is
/// not 0.
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
        let output = text_of(&ran.output);
        if ran.ended == Ended::Exited(0) {
            return Ok(State::of([("output".to_owned(), output)]));
        }
        let said = output.lines().next_back().map(|line| format!(" (`{}`)", in_short(line))).unwrap_or_default();
        let why = format!("is told by a command that ends with {}{said}", ran.ended);
        Ok(State::of([("status".to_owned(), ran.ended.to_string()), ("output".to_owned(), output)]).because(why))
    }
}
