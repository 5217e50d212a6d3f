//! How the command ends: its exit codes and its error messages.

use quietus::driver::DriverError;
use quietus::explore::CheckError;
use quietus_reports::escape::escape_terminal;
use std::fmt;
use std::path::Path;

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What the gate says: 0, 1 or 3.
    Gate(u8),
    /// Wrong usage, or a scenario with faults.
    Usage,
    /// Nothing can be said.
    Inconclusive,
    /// This machine refuses what is needed.
    Unsupported,
    /// A bug of ours.
    Bug,
    /// A person asked to stop.
    Interrupted,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Gate(code) => code,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Unsupported => 4,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

#[derive(Debug)]
enum Message {
    Plain(String),
    Rendered(String),
}

/// An error that ends the command: what, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    message: Message,
    help: Option<String>,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: Message::Plain(message.into()), help: None }
    }

    /// Nothing can be said, for this reason.
    pub(crate) fn inconclusive(message: impl Into<String>) -> Self {
        Self { exit: Exit::Inconclusive, ..Self::usage(message) }
    }

    /// A text that is ready to be shown: rendered and escaped already.
    pub(crate) fn rendered(text: String) -> Self {
        Self { exit: Exit::Usage, message: Message::Rendered(text), help: None }
    }

    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { exit: self.exit, message: Message::Rendered(format!("{self}\n{other}")), help: None }
    }

    /// Says which scenario it was.
    pub(crate) fn in_scenario(self, path: &Path) -> Self {
        match self.message {
            Message::Plain(text) => Self { message: Message::Plain(format!("{}: {text}", path.display())), ..self },
            Message::Rendered(_) => self,
        }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        let message = Message::Plain(error.to_string());
        match error {
            DriverError::Unsupported(why) => Self {
                exit: Exit::Unsupported,
                message,
                help: (!why.contains("full guarantee")).then(|| {
                    "`quietus doctor` shows what this machine grants; `--guarantee portable` needs no namespaces"
                        .to_owned()
                }),
            },
            DriverError::Command { .. } => Self { exit: Exit::Usage, message, help: None },
            DriverError::Service { .. } | DriverError::System { .. } => {
                Self { exit: Exit::Inconclusive, message, help: None }
            }
        }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Driver(error) => error.into(),
            CheckError::Control(why) if why.contains("[quietus internal bug]") => {
                Self { exit: Exit::Bug, message: Message::Plain(why), help: None }
            }
            CheckError::Control(_) => {
                Self { exit: Exit::Inconclusive, message: Message::Plain(error.to_string()), help: None }
            }
            CheckError::Interrupted => {
                Self { exit: Exit::Interrupted, message: Message::Plain(error.to_string()), help: None }
            }
        }
    }
}

/// Line by line: a message of ours may have lines, but nothing of an agent's
/// text may reach the terminal as it is.
fn shown(text: &str) -> String {
    text.lines().map(escape_terminal).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Message::Plain(text) => write!(f, "error: {}", shown(text))?,
            Message::Rendered(text) => f.write_str(text.trim_end())?,
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {}", shown(help))?;
        }
        Ok(())
    }
}
