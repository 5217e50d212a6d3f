//! Files that belong together: all as before, or all as an undisturbed run leaves them.

use super::{Oracle, Place, read_all, text_of};
use crate::model::State;
use std::path::PathBuf;

/// Reads several files as one state.
#[derive(Debug)]
pub struct FilesOracle {
    /// What it is called.
    pub name: String,
    /// The files; a relative path starts in the agent's directory.
    pub paths: Vec<PathBuf>,
}

impl Oracle for FilesOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let mut absent = true;
        let mut items = Vec::new();
        for path in &self.paths {
            let content = match place.open(path)? {
                Some(file) => {
                    absent = false;
                    text_of(&read_all(file, path)?)
                }
                None => "(not there)".to_owned(),
            };
            items.push((path.display().to_string(), content));
        }
        let state = State::of(items);
        Ok(if absent { state.because("is nowhere") } else { state })
    }
}
