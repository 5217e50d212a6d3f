//! Text -> [`Scenario`], section by section.

use super::combine::{Sections, combine};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::fields::{Fields, Quoted, Reader, Value};
use super::keys::{AFTER_TEXT, TOP};
use super::outside;
use super::shape::{Choice, Form, Shape};
use super::spec::{
    AgentSpec, Allow, CellSpec, Expect, Explore, GuaranteeWish, Kind, Network, Scenario, Script, Second, Strategy,
    Survivor, Terminate,
};
use crate::model::{Stdin, StdinThen};
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// A longer text is no scenario.
const LONGEST_TEXT: usize = 1 << 20;

/// Reads a scenario. `file_name` is only shown; nothing is opened.
///
/// # Errors
/// Everything that is wrong with the text, at once. A text that is not TOML
/// says only that: what it means is not guessed.
///
/// ```
/// let scenario = quietus::scenario::parse("true.toml", r#"
/// name = "true"
/// [agent]
/// command = ["true"]
/// "#)?;
/// assert_eq!(scenario.agent.command, ["true"]);
///
/// let wrong = quietus::scenario::parse("true.toml", "nmae = 'true'").unwrap_err();
/// assert!(wrong.render(false).contains("did you mean `name`?"));
/// # Ok::<(), quietus::scenario::Diagnostics>(())
/// ```
pub fn parse(file_name: &str, text: &str) -> Result<Scenario, Diagnostics> {
    let mut reader = Reader { text, diagnostics: Vec::new() };
    let scenario = read(&mut reader);
    match scenario {
        Some(scenario) if reader.diagnostics.is_empty() => Ok(scenario),
        _ => Err(Diagnostics::new(file_name, text, reader.diagnostics)),
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Scenario> {
    if reader.text.len() > LONGEST_TEXT {
        let message = format!("this text has {} bytes; a scenario has at most {LONGEST_TEXT}", reader.text.len());
        reader.report(Diagnostic::new("too-large", 0..0, message));
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(reader.text);
    if !errors.is_empty() {
        syntax(reader, &errors);
        return None;
    }
    let top = reader.fields(&TOP, root.get_ref(), 0..0);
    Some(scenario(reader, &top))
}

/// One diagnostic a line: the parser goes on after an error, and what it says
/// next about the same line is seldom news.
fn syntax(reader: &mut Reader<'_>, errors: &[toml::de::Error]) {
    let line_ends: Vec<usize> = reader.text.match_indices('\n').map(|(at, _)| at).collect();
    let mut lines = BTreeSet::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        if lines.insert(line_ends.partition_point(|end| *end < span.start)) {
            let label = if error.message() == "duplicate key" { "it is already there above" } else { "here" };
            reader.report(
                Diagnostic::new("toml-syntax", span, format!("this is not TOML: {}", error.message())).label(label),
            );
        }
        if lines.len() >= 100 {
            break;
        }
    }
}

fn scenario(reader: &mut Reader<'_>, top: &Fields<'_, '_>) -> Scenario {
    let sections = Sections {
        agent: reader.table(top, "agent"),
        cell: reader.table(top, "cell"),
        terminate: reader.table(top, "terminate"),
        explore: reader.table(top, "explore"),
        expect: reader.table(top, "expect"),
        services: reader.tables(top, "service"),
        states: reader.tables(top, "state"),
        recover: reader.table(top, "recover"),
        scripts: reader.tables(top, "script"),
        survivors: reader.tables(top, "survivor"),
        allows: reader.tables(top, "allow"),
    };
    let scenario = Scenario {
        name: reader.one(top, "name", Reader::line).unwrap_or_default(),
        agent: agent(reader, sections.agent.as_ref()),
        cell: sections.cell.as_ref().map(|fields| cell(reader, fields)).unwrap_or_default(),
        terminate: sections.terminate.as_ref().map(|fields| terminate(reader, fields)).unwrap_or_default(),
        explore: explore(reader, sections.explore.as_ref(), !sections.scripts.is_empty()),
        scripts: sections.scripts.iter().map(|fields| script(reader, fields)).collect(),
        expect: sections.expect.as_ref().map(|fields| expect(reader, fields)).unwrap_or_default(),
        services: sections.services.iter().filter_map(|fields| outside::service(reader, fields)).collect(),
        states: sections.states.iter().filter_map(|fields| outside::state(reader, fields)).collect(),
        recover: sections.recover.as_ref().and_then(|fields| outside::recover(reader, fields)),
        survivors: sections.survivors.iter().map(|fields| survivor(reader, fields)).collect(),
        allows: sections.allows.iter().filter_map(|fields| allow(reader, fields)).collect(),
    };
    combine(reader, &scenario, &sections);
    scenario
}

/// The word of a key that takes one of some words.
pub(super) fn word(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, name: &str) -> Option<&'static str> {
    let Some(Shape::Text(Form::Choice(choices))) = fields.section.find(name).map(|key| &key.shape) else {
        unreachable!("[quietus internal bug] {name} takes no word")
    };
    reader.one(fields, name, |reader, quoted| reader.choice(quoted, choices))
}

fn agent(reader: &mut Reader<'_>, fields: Option<&Fields<'_, '_>>) -> AgentSpec {
    let mut agent = AgentSpec {
        command: Vec::new(),
        workspace: None,
        kind: None,
        prepare: Vec::new(),
        stdin: None,
        env: BTreeMap::new(),
        pid1: None,
        pty: None,
        ready: None,
        inherit_signals: false,
    };
    let Some(fields) = fields else { return agent };
    if let (Some(value), Some(shape)) = (fields.value("command"), shape_of(fields, "command")) {
        agent.command = command(reader, "agent.command", shape, value);
    }
    agent.workspace = reader.one(fields, "workspace", Reader::filled);
    agent.kind = word(reader, fields, "kind").map(|word| match word {
        "server" => Kind::Server,
        "session" => Kind::Session,
        _ => Kind::Job,
    });
    agent.prepare = prepare(reader, fields);
    agent.stdin = stdin(reader, fields);
    agent.env = environment(reader, fields);
    agent.pid1 = reader.flag(fields, "pid1");
    agent.pty = reader.flag(fields, "pty");
    agent.ready = reader.one(fields, "ready", Reader::point);
    agent.inherit_signals = reader.flag(fields, "inherit_signals").unwrap_or(false);
    agent
}

pub(super) fn shape_of(fields: &Fields<'_, '_>, name: &str) -> Option<&'static Shape> {
    fields.section.find(name).map(|key| &key.shape)
}

/// A program and its arguments, of which only the program must not be empty.
pub(super) fn command(reader: &mut Reader<'_>, path: &str, shape: &Shape, value: &Value<'_>) -> Vec<String> {
    let words = reader.list(path, shape, value, |_, quoted| Some(quoted.clone())).unwrap_or_default();
    if let Some(program) = words.first().filter(|program| program.text.is_empty()) {
        reader.filled(program);
    }
    words.iter().map(|word| word.text.to_owned()).collect()
}

fn prepare(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Vec<Vec<String>> {
    let (Some(value), Some(shape)) = (fields.value("prepare"), shape_of(fields, "prepare")) else { return Vec::new() };
    let Shape::List(each) = shape else { return Vec::new() };
    // An empty list is no mistake here: it says that nothing runs.
    if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
        return Vec::new();
    }
    let commands = reader.items("agent.prepare", shape, value).unwrap_or_default();
    commands
        .iter()
        .enumerate()
        .map(|(index, item)| command(reader, &format!("agent.prepare[{index}]"), each, item))
        .collect()
}

fn stdin(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<Stdin> {
    let (value, shape) = (fields.value("stdin")?, shape_of(fields, "stdin")?);
    let Shape::WordOrTable(words, section) = shape else { return None };
    match value.get_ref() {
        DeValue::String(_) => {
            let quoted = reader.quoted("agent.stdin", shape, value)?;
            stdin_word(reader, &quoted, words)
        }
        DeValue::Table(table) => {
            let fields = reader.fields(section, table, value.span());
            let then = reader.one(&fields, "then", |reader, quoted| reader.choice(quoted, AFTER_TEXT));
            let then = if then == Some("open") { StdinThen::Open } else { StdinThen::Closed };
            let text = reader.text(&fields, "text").map(|quoted| Stdin::Text { text: quoted.text.to_owned(), then });
            let file = reader.one(&fields, "file", Reader::filled).map(Stdin::File);
            text.or(file)
        }
        _ => {
            reader.wrong_type("agent.stdin", shape, value);
            None
        }
    }
}

fn stdin_word(reader: &mut Reader<'_>, quoted: &Quoted<'_>, words: &'static [Choice]) -> Option<Stdin> {
    match reader.choice(quoted, words) {
        Some("open") => Some(Stdin::Open),
        Some(_) => Some(Stdin::Closed),
        None => {
            if let Some(diagnostic) = reader.diagnostics.last_mut().filter(|diagnostic| diagnostic.help.is_none()) {
                *diagnostic = diagnostic
                    .clone()
                    .help(format!("a text is {{ text = {0:?} }}, a file {{ file = {0:?} }}", quoted.text));
            }
            None
        }
    }
}

fn environment(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> BTreeMap<String, String> {
    let (Some(value), Some(shape)) = (fields.value("env"), shape_of(fields, "env")) else { return BTreeMap::new() };
    let Some(table) = value.get_ref().as_table() else {
        reader.wrong_type("agent.env", shape, value);
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    for (name, value) in table {
        let text: &str = name.get_ref();
        if text.is_empty() || text.contains(['=', '\0']) {
            let message = format!("`{text}` cannot be the name of a variable");
            reader.report(
                Diagnostic::new("bad-env-name", name.span(), message)
                    .label("a name is not empty and has no `=` and no NUL"),
            );
        }
        if let Some(quoted) = reader.quoted(&format!("agent.env.{text}"), &Shape::Text(Form::Plain), value) {
            environment.insert(text.to_owned(), quoted.text.to_owned());
        }
    }
    environment
}

fn cell(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> CellSpec {
    CellSpec {
        network: match word(reader, fields, "network") {
            Some("private") => Network::Private,
            _ => Network::Host,
        },
        guarantee: match word(reader, fields, "guarantee") {
            Some("full") => GuaranteeWish::Full,
            Some("portable") => GuaranteeWish::Portable,
            _ => GuaranteeWish::Auto,
        },
        max_processes: reader.number(fields, "max_processes"),
    }
}

fn terminate(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Terminate {
    Terminate {
        profile: reader.one(fields, "profile", Reader::profile),
        send: reader.one(fields, "send", Reader::injection),
        grace: reader.one(fields, "grace", Reader::span_of_time),
        settle: reader.one(fields, "settle", Reader::span_of_time),
    }
}

fn explore(reader: &mut Reader<'_>, fields: Option<&Fields<'_, '_>>, scripted: bool) -> Explore {
    let written = if scripted { Strategy::Script } else { Strategy::Check };
    let defaults = Explore { strategy: written, ..Explore::default() };
    let Some(fields) = fields else { return defaults };
    Explore {
        strategy: match word(reader, fields, "strategy") {
            Some("script") => Strategy::Script,
            Some("sweep") => Strategy::Sweep,
            Some("fuzz") => Strategy::Fuzz,
            Some(_) => Strategy::Check,
            None => written,
        },
        second: word(reader, fields, "second").map(|second| match second {
            "cleanup" => Second::Cleanup,
            "faults" => Second::Faults,
            _ => Second::Both,
        }),
        budget: reader.one(fields, "budget", Reader::some_time),
        repeat: reader.number(fields, "repeat").unwrap_or(defaults.repeat),
        trials: reader.number(fields, "trials"),
        seed: reader.number(fields, "seed"),
        confirm: reader.number(fields, "confirm").unwrap_or(defaults.confirm),
    }
}

fn script(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Script {
    Script {
        at: reader.many(fields, "at", Reader::point).unwrap_or_default(),
        send: reader.one(fields, "send", Reader::injection),
        grace: reader.one(fields, "grace", Reader::span_of_time),
        informational: reader.flag(fields, "informational").unwrap_or(false),
    }
}

fn expect(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Expect {
    Expect {
        exit: reader.many(fields, "exit", Reader::exit),
        within: reader.one(fields, "within", Reader::some_time),
        log: reader.many(fields, "log", Reader::of_lines).unwrap_or_default(),
        released: reader.one(fields, "released", Reader::of_releases),
        state: outside::end(reader, fields, "state"),
    }
}

fn survivor(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Survivor {
    Survivor {
        process: reader.one(fields, "process", Reader::glob),
        file: reader.one(fields, "file", Reader::glob),
        port: reader.number(fields, "port").and_then(|port| u16::try_from(port).ok()),
        reason: reader.one(fields, "reason", Reader::line),
    }
}

/// `None` where the code cannot be read, which has been reported.
fn allow(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<Allow> {
    let code = reader.one(fields, "code", Reader::code);
    let subject = reader.one(fields, "subject", Reader::glob);
    let reason = reader.one(fields, "reason", Reader::line).unwrap_or_default();
    let expires = expires(reader, fields);
    Some(Allow { code: code?, subject, reason, expires })
}

/// A date in quotes, or TOML's own without them.
fn expires(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<String> {
    match fields.value("expires")?.get_ref() {
        DeValue::Datetime(date) if date.time.is_none() => Some(date.to_string()),
        _ => reader.one(fields, "expires", Reader::date),
    }
}
