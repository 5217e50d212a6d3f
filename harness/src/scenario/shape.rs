//! What a value of the format may look like: the vocabulary of [`super::keys`].

use toml::de::DeValue;

/// One table of the format.
#[derive(Debug)]
pub(super) struct Section {
    /// Its dotted path; empty for the top of the file.
    pub(super) path: &'static str,
    /// As people write it: `[agent]`, `[[script]]`.
    pub(super) header: &'static str,
    /// What it says.
    pub(super) doc: &'static str,
    /// What may stand in it.
    pub(super) keys: &'static [Key],
    /// Keys of which exactly one must be there.
    pub(super) exactly_one: &'static [&'static str],
    /// Keys of which at most one may be there.
    pub(super) at_most_one: &'static [&'static str],
    /// Pairs: the first key makes sense only beside the second.
    pub(super) needs: &'static [(&'static str, &'static str)],
}

/// One key of a section.
#[derive(Debug)]
pub(super) struct Key {
    /// How it is written.
    pub(super) name: &'static str,
    /// What it says.
    pub(super) doc: &'static str,
    /// What its value may look like.
    pub(super) shape: Shape,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What holds without it, as JSON; absent where another room decides.
    pub(super) default: Option<&'static str>,
    /// What people call it elsewhere.
    pub(super) elsewhere: &'static [&'static str],
}

/// What a value may look like.
#[derive(Debug)]
pub(super) enum Shape {
    /// A string of some form.
    Text(Form),
    /// `true` or `false`.
    Flag,
    /// A whole number between two others, both included.
    Number(u32, u32),
    /// A list, not empty.
    List(&'static Shape),
    /// A table.
    Table(&'static Section),
    /// A list of tables.
    Tables(&'static Section),
    /// One of some words, or a table.
    WordOrTable(&'static [Choice], &'static Section),
    /// A table of strings with names of one's own.
    Environment,
    /// A part of the format that this version cannot do: what it would do.
    Later(&'static str),
}

/// What a string says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Anything.
    Plain,
    /// Anything that is not blank, in one line.
    Line,
    /// The program of a command, or a path: not empty.
    Filled,
    /// One of some words.
    Choice(&'static [Choice]),
    /// A span of time.
    Span,
    /// A point.
    Point,
    /// An injection.
    Injection,
    /// A profile's name.
    Profile,
    /// An exit status or signal.
    Exit,
    /// A regular expression.
    Pattern,
    /// A glob.
    Glob,
    /// A finding's code.
    Code,
    /// A date.
    Date,
}

/// One of some words.
#[derive(Debug)]
pub(super) struct Choice {
    /// How it is written.
    pub(super) name: &'static str,
    /// What it says.
    pub(super) doc: &'static str,
    /// Whether this version can do it.
    pub(super) here: bool,
}

impl Section {
    /// The key of this name.
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The dotted path of a key in it.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Shape {
    /// What is wanted, after "must be".
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Text(Form::Plain | Form::Line | Form::Filled) => "a string".to_owned(),
            Self::Text(form) => format!("a string with {}", form.noun()),
            Self::Flag => "true or false".to_owned(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::List(Self::List(_)) => "a list of commands, each a list of strings".to_owned(),
            Self::List(Self::Text(form)) => format!("a list of strings{}", form.plural()),
            Self::List(_) => "a list".to_owned(),
            Self::Table(section) | Self::Tables(section) => format!("written `{}`", section.header),
            Self::WordOrTable(choices, _) => format!("{} or a table", Form::Choice(choices).noun()),
            Self::Environment => "a table of strings".to_owned(),
            Self::Later(_) => "absent".to_owned(),
        }
    }

    /// How to write `value` so that it fits, where that can be told.
    pub(super) fn remedy(&self, value: &DeValue<'_>) -> Option<String> {
        let written = match value {
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            DeValue::String(text) => text.to_string(),
            DeValue::Array(_) | DeValue::Table(_) => String::new(),
        };
        match (self, value) {
            (Self::Text(Form::Span), DeValue::Integer(_) | DeValue::Float(_)) => {
                Some(format!("write it with its unit and in quotes: \"{written}s\""))
            }
            (Self::Text(Form::Date), DeValue::Datetime(date)) => {
                date.date.map(|day| format!("write only the day: \"{day}\""))
            }
            (Self::Text(Form::Point | Form::Injection), _) => None,
            (Self::Text(_), DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_)) => {
                Some(format!("put it in quotes: \"{written}\""))
            }
            (Self::List(Self::Text(Form::Filled)), DeValue::String(text)) => {
                Some(format!("write program and arguments apart: {}", listed(text)))
            }
            (Self::List(Self::Text(_)), DeValue::String(text)) => Some(format!("put it in brackets: [{text:?}]")),
            (Self::Flag, DeValue::String(_)) if matches!(written.as_str(), "true" | "false") => {
                Some(format!("write it without quotes: {written}"))
            }
            (Self::Number(..), DeValue::String(_))
                if written.bytes().all(|b| b.is_ascii_digit()) && !written.is_empty() =>
            {
                Some(format!("write it without quotes: {written}"))
            }
            (Self::Table(section), DeValue::Array(_)) => {
                Some(format!("there is one of it; write `{}` with single brackets", section.header))
            }
            (Self::Tables(section), DeValue::Table(_)) => {
                Some(format!("there may be several; write `{}` with double brackets", section.header))
            }
            (Self::WordOrTable(_, section), DeValue::Boolean(_)) => {
                section.keys.first().map(|key| format!("write \"closed\", \"open\" or {{ {} = … }}", key.name))
            }
            _ => None,
        }
    }
}

/// A command line cut at its spaces, as a TOML list.
fn listed(command: &str) -> String {
    let words: Vec<String> = command.split_whitespace().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(", "))
}

impl Form {
    /// What it is, with an article.
    pub(super) fn noun(self) -> String {
        match self {
            Self::Plain => "any text".to_owned(),
            Self::Line => "a line of text".to_owned(),
            Self::Filled => "text".to_owned(),
            Self::Choice(choices) => {
                let words: Vec<String> =
                    choices.iter().filter(|choice| choice.here).map(|choice| format!("\"{}\"", choice.name)).collect();
                match words.split_last() {
                    Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                    _ => words.join(""),
                }
            }
            Self::Span => "a span of time such as \"5s\"".to_owned(),
            Self::Point => "a point such as \"output:/ready/\"".to_owned(),
            Self::Injection => "an injection such as \"TERM@group\"".to_owned(),
            Self::Profile => "a profile such as \"kubernetes\"".to_owned(),
            Self::Exit => "a status or signal such as \"0\" or \"TERM\"".to_owned(),
            Self::Pattern => "a regular expression".to_owned(),
            Self::Glob => "a pattern such as \"out/*.gz\"".to_owned(),
            Self::Code => "a finding code such as \"temp-file\"".to_owned(),
            Self::Date => "a date such as \"2030-12-31\"".to_owned(),
        }
    }

    /// What a list of them holds, with a comma; empty where "strings" says all.
    fn plural(self) -> &'static str {
        match self {
            Self::Point => ", each a point such as \"output:/ready/\"",
            Self::Exit => ", each a status or signal such as \"0\" or \"TERM\"",
            Self::Pattern => ", each a regular expression",
            _ => "",
        }
    }
}

/// What a value is, with an article.
pub(super) fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(items) if !items.is_empty() && items.iter().all(|item| item.get_ref().is_table()) => {
            "a list of tables"
        }
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
