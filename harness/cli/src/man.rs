//! `quietus man`: manual pages, from the definition of the command line.
//!
//! What stands below the options in `--help` becomes sections of a page: lines are kept as
//! they are, since most of them are examples.

use crate::args::{Arguments, ManArguments};
use crate::exit::{Exit, Failure};
use crate::output;
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::path::Path;

pub(crate) fn run(arguments: &ManArguments) -> Result<Exit, Failure> {
    let command = definition();
    match &arguments.dir {
        None => output::print(&page(command).1)?,
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
            let mut commands = vec![command];
            while let Some(command) = commands.pop() {
                commands.extend(command.get_subcommands().cloned());
                let (name, text) = page(command);
                let path = directory.join(name);
                std::fs::write(&path, text).map_err(|error| cannot_write(&path, &error))?;
            }
        }
    }
    Ok(Exit::Gate(0))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot write {}: {error}", path.display()))
}

/// Built once, so that each subcommand knows its whole name. `help` has nothing to tell.
fn definition() -> clap::Command {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    command
}

/// The page of one command, and the name of its file.
fn page(command: clap::Command) -> (String, String) {
    let version = env!("CARGO_PKG_VERSION");
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_subcommands = command.has_subcommands();
    let man = Man::new(command).source(format!("quietus {version}")).manual("Quietus");
    let mut text = Vec::new();
    let written = man
        .render_title(&mut text)
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| man.render_synopsis_section(&mut text))
        .and_then(|()| man.render_description_section(&mut text))
        .and_then(|()| man.render_options_section(&mut text))
        .and_then(|()| if has_subcommands { man.render_subcommands_section(&mut text) } else { Ok(()) });
    debug_assert!(written.is_ok(), "memory takes whatever is written to it");
    // There is no date, so that a page is the same whenever it is made; an argument that is not
    // there must be quoted, or those behind it move up.
    let mut text = String::from_utf8_lossy(&text).replacen(" 1  \"", " 1 \"\" \"", 1);
    let mut heading = "";
    for paragraph in notes.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let (name, body) = section(paragraph);
        let mut roff = Roff::new();
        if name == heading {
            roff.control("PP", []);
        } else {
            roff.control("SH", [name]);
        }
        heading = name;
        roff.control("nf", []);
        for line in body.lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
        text.push_str(&roff.to_roff());
    }
    (man.get_filename(), text)
}

/// In which section of a page a paragraph below the options stands, and what of it.
fn section(paragraph: &str) -> (&'static str, &str) {
    let headings = [("Examples:\n", "EXAMPLES"), ("Example:\n", "EXAMPLES"), ("Exit codes: ", "EXIT STATUS")];
    headings
        .into_iter()
        .find_map(|(start, name)| Some((name, paragraph.strip_prefix(start)?)))
        .unwrap_or(("NOTES", paragraph))
}
