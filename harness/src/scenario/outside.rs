//! What lies outside the agent: services, states, and a second start over what it left.

use super::combine::Sections;
use super::diagnostic::Diagnostic;
use super::fields::{Fields, Reader};
use super::parse::{command, shape_of, word};
use super::spec::{RecoverSpec, Scenario, ServiceKind, ServiceSpec, StateEnd, StateKind, StateSpec};
use super::suggest::{either, nearest};
use std::collections::HashMap;
use std::ops::Range;
use toml::de::DeValue;

/// How a state must be found in the end.
pub(super) fn end(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, name: &str) -> Option<StateEnd> {
    Some(match word(reader, fields, name)? {
        "rolled-back" => StateEnd::RolledBack,
        "committed" => StateEnd::Committed,
        "any" => StateEnd::Any,
        _ => StateEnd::Either,
    })
}

/// The keys that go with each kind of state: those it needs, and those it may have.
const KEYS: [(&str, &[&str], &[&str]); 9] = [
    ("sqlite", &["path"], &["query"]),
    ("postgres", &["url"], &["query"]),
    ("redis", &["url"], &[]),
    ("git", &["path"], &[]),
    ("directory", &["path"], &[]),
    ("files", &["paths"], &[]),
    ("json", &["path"], &["pointer"]),
    ("http", &["url"], &[]),
    ("command", &["command"], &[]),
];

/// Reports keys that the kind needs or has no use for.
fn of_kind(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, kind: &str, needs: &[&str], may: &[&str], all: &[&str]) {
    for name in needs.iter().filter(|name| fields.value(name).is_none()) {
        let message = format!("`{}` of the kind `{kind}` needs `{name}`", fields.section.header);
        reader.report(
            Diagnostic::new("missing-key", fields.span.clone(), message)
                .label(format!("add `{name}`"))
                .maybe_help(fields.section.find(name).map(|key| key.doc.to_owned())),
        );
    }
    let strange = all.iter().filter(|name| !needs.contains(name) && !may.contains(name));
    for name in strange.filter(|name| fields.value(name).is_some()) {
        let message = format!("the kind `{kind}` has no `{name}`");
        let has: Vec<&str> = needs.iter().chain(may).copied().collect();
        reader.report(
            Diagnostic::new("needless-key", fields.span_of(name), message)
                .label("it would do nothing")
                .help(format!("`{kind}` has {}", either(&has))),
        );
    }
}

fn words(reader: &mut Reader<'_>, fields: &Fields<'_, '_>, name: &str) -> Vec<String> {
    match (fields.value(name), shape_of(fields, name)) {
        (Some(value), Some(shape)) => command(reader, &fields.section.path_of(name), shape, value),
        _ => Vec::new(),
    }
}

/// Files in short: the first two, and how many more.
fn among(paths: &[String]) -> Option<String> {
    match paths {
        [] => None,
        [first] => Some(first.clone()),
        [first, second] => Some(format!("{first}, {second}")),
        [first, second, rest @ ..] => Some(format!("{first}, {second} and {} more", rest.len())),
    }
}

/// A text in which each service stands by its name: `${service.db.url}` becomes `db`.
fn services_by_name(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${service.") {
        shown.push_str(before);
        let (named, behind) = after.split_once('}').unwrap_or((after, ""));
        shown.push_str(named.split_once('.').map_or(named, |(name, _)| name));
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// `None` where it cannot be read, which has been reported.
pub(super) fn state(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<StateSpec> {
    let kind = word(reader, fields, "kind");
    let name = reader.one(fields, "name", Reader::line);
    let expect = end(reader, fields, "expect");
    let text = |reader: &mut Reader<'_>, name| reader.one(fields, name, Reader::filled);
    let path = text(reader, "path");
    let url = text(reader, "url");
    let query = text(reader, "query");
    let paths = reader.many(fields, "paths", Reader::filled).unwrap_or_default();
    let command = words(reader, fields, "command");
    let pointer = pointer(reader, fields);
    let kind = kind?;
    let (_, needs, may) = KEYS.iter().find(|(known, ..)| *known == kind)?;
    of_kind(reader, fields, kind, needs, may, &["path", "paths", "pointer", "query", "url", "command"]);
    let place = path.clone().or(url.clone()).or_else(|| among(&paths)).or_else(|| command.first().cloned());
    let kind_of = match kind {
        "sqlite" => StateKind::Sqlite { path: path?, query },
        "postgres" => StateKind::Postgres { url: url?, query },
        "redis" => StateKind::Redis { url: url? },
        "git" => StateKind::Git { path: path? },
        "directory" => StateKind::Directory { path: path? },
        "files" if !paths.is_empty() => StateKind::Files { paths },
        "json" => StateKind::Json { path: path?, pointer: pointer.unwrap_or_default() },
        "http" => StateKind::Http { url: url? },
        "command" if !command.is_empty() => StateKind::Command { command },
        _ => return None,
    };
    let name = name.unwrap_or_else(|| format!("{kind} {}", services_by_name(&place.unwrap_or_default())));
    Some(StateSpec { name, expect, kind: kind_of })
}

/// A JSON pointer (RFC 6901): empty, or it begins with a slash.
fn pointer(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<String> {
    let quoted = reader.text(fields, "pointer")?;
    if !quoted.text.is_empty() && !quoted.text.starts_with('/') {
        let message = format!("`{}` is no JSON pointer", quoted.text);
        reader.report(
            Diagnostic::new("bad-pointer", quoted.span.clone(), message)
                .label("a pointer begins with `/`")
                .help(format!("write `/{}`", quoted.text.replace('.', "/"))),
        );
        return None;
    }
    Some(quoted.text.to_owned())
}

/// `None` where it cannot be read, which has been reported.
pub(super) fn service(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<ServiceSpec> {
    let kind = word(reader, fields, "kind");
    let name = reader.text(fields, "name").and_then(|quoted| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if quoted.text.is_empty() || quoted.text.len() > 32 || !quoted.text.bytes().all(plain) {
            let message = format!("`{}` cannot be the name of a service", quoted.text);
            reader.report(
                Diagnostic::new("bad-service-name", quoted.span.clone(), message)
                    .label("up to 32 letters, digits, `-` and `_`"),
            );
            return None;
        }
        Some(quoted.text.to_owned())
    });
    let (command, ready) = (words(reader, fields, "command"), words(reader, fields, "ready"));
    let kind = kind?;
    let (needs, may): (&[&str], &[&str]) = if kind == "command" { (&["command"], &["ready"]) } else { (&[], &[]) };
    of_kind(reader, fields, kind, needs, may, &["command", "ready"]);
    let kind = match kind {
        "postgres" => ServiceKind::Postgres,
        "redis" => ServiceKind::Redis,
        _ if command.is_empty() => return None,
        _ => ServiceKind::Command { command, ready },
    };
    Some(ServiceSpec { name: name?, kind })
}

/// `None` where there is to be no recovery, or it cannot be read.
pub(super) fn recover(reader: &mut Reader<'_>, fields: &Fields<'_, '_>) -> Option<RecoverSpec> {
    let rerun = reader.flag(fields, "rerun");
    let command = words(reader, fields, "command");
    let within = reader.one(fields, "within", Reader::some_time);
    match (rerun, command.is_empty()) {
        (Some(false), true) | (None, true) => None,
        (_, true) => Some(RecoverSpec { command: None, within }),
        (_, false) => Some(RecoverSpec { command: Some(command), within }),
    }
}

/// Reports what cannot be together.
pub(super) fn combine(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    let services: Vec<&str> = scenario.services.iter().map(|service| service.name.as_str()).collect();
    same_names(reader, services.iter().copied(), &sections.services, "service");
    same_names(reader, scenario.states.iter().map(|state| state.name.as_str()), &sections.states, "state");
    let references = [sections.agent.as_ref()]
        .into_iter()
        .flatten()
        .chain(&sections.states)
        .chain(&sections.services)
        .chain(sections.recover.as_ref());
    for fields in references {
        for (key, value) in fields.table {
            references_in(reader, value, scenario);
            let path = fields.section.path_of(key.get_ref());
            if !FILLED.contains(&path.as_str()) && names_a_service(value) {
                let message = format!("a service cannot be named in `{path}`");
                reader.report(
                    Diagnostic::new("bad-reference", value.span(), message)
                        .label("it would stand there as it is written")
                        .help("say it in a command, or in a variable of the environment"),
                );
            }
        }
    }
}

fn same_names<'n>(
    reader: &mut Reader<'_>,
    names: impl Iterator<Item = &'n str>,
    tables: &[Fields<'_, '_>],
    what: &str,
) {
    let names: Vec<&str> = names.collect();
    // Where one could not be read, which table a name is from is not known.
    if names.len() != tables.len() {
        return;
    }
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for (name, fields) in names.into_iter().zip(tables) {
        let span = fields.span_of("name");
        match seen.get(name) {
            Some(first) => reader.report(
                Diagnostic::new("duplicate", span, format!("two of `[[{what}]]` are called `{name}`"))
                    .label("again")
                    .also(first.clone(), "here first")
                    .help(format!("give each a `name` of its own: reports tell a {what} by it")),
            ),
            None => drop(seen.insert(name, span)),
        }
    }
}

/// The keys in which a service can be named.
const FILLED: [&str; 10] = [
    "agent.command",
    "agent.env",
    "agent.prepare",
    "recover.command",
    "service.command",
    "service.ready",
    "state.command",
    "state.path",
    "state.paths",
    "state.url",
];

fn names_a_service(value: &toml::Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::String(text) => text.contains("${service."),
        DeValue::Array(items) => items.iter().any(names_a_service),
        DeValue::Table(table) => table.iter().any(|(_, item)| names_a_service(item)),
        _ => false,
    }
}

/// What can be said of a service.
const SAID: [&str; 2] = ["url", "directory"];

/// Checks each `${service.NAME.url}` in a value.
fn references_in(reader: &mut Reader<'_>, value: &toml::Spanned<DeValue<'_>>, scenario: &Scenario) {
    match value.get_ref() {
        DeValue::String(text) => {
            for reference in text.split("${service.").skip(1) {
                let inside = reference.split_once('}').map(|(inside, _)| inside);
                reference_is_known(reader, inside, value.span(), scenario);
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| references_in(reader, item, scenario)),
        DeValue::Table(table) => table.iter().for_each(|(_, item)| references_in(reader, item, scenario)),
        _ => {}
    }
}

fn reference_is_known(reader: &mut Reader<'_>, inside: Option<&str>, span: Range<usize>, scenario: &Scenario) {
    let Some((name, said)) = inside.and_then(|inside| inside.rsplit_once('.')) else {
        reader.report(
            Diagnostic::new("bad-reference", span, "this names a service in a way that means nothing")
                .label("written `${service.NAME.url}`"),
        );
        return;
    };
    let Some(service) = service_is_known(reader, name, span.clone(), scenario) else { return };
    let no_url = said == "url" && matches!(service.kind, ServiceKind::Command { .. });
    if !SAID.contains(&said) || no_url {
        let known: &[&str] = if matches!(service.kind, ServiceKind::Command { .. }) { &SAID[1..] } else { &SAID };
        reader.report(
            Diagnostic::new("bad-reference", span, format!("the service `{name}` has no `{said}`"))
                .label("nothing of that name")
                .help(format!("it has {}", either(known))),
        );
    }
}

/// The service of this name; reports where there is none.
pub(super) fn service_is_known<'s>(
    reader: &mut Reader<'_>,
    name: &str,
    span: Range<usize>,
    scenario: &'s Scenario,
) -> Option<&'s ServiceSpec> {
    let found = scenario.services.iter().find(|service| service.name == name);
    if found.is_none() {
        let names = scenario.services.iter().map(|service| service.name.as_str());
        let meant = nearest(name, names).map(|name| format!("did you mean `{name}`?"));
        let help = meant.unwrap_or_else(|| format!("add a `[[service]]` with name = {name:?}"));
        reader.report(
            Diagnostic::new("unknown-service", span, format!("there is no service `{name}`"))
                .label("no such service")
                .help(help),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_without_a_name_are_called_by_their_place() {
        assert_eq!(services_by_name("${service.db.url}"), "db");
        assert_eq!(services_by_name("${service.db.url}/x"), "db/x");
        assert_eq!(services_by_name("a ${service.db"), "a db");
        assert_eq!(services_by_name("$HOME/a"), "$HOME/a");
        let paths = |names: &[&str]| among(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(paths(&["a"]).as_deref(), Some("a"));
        assert_eq!(paths(&["a", "b"]).as_deref(), Some("a, b"));
        assert_eq!(paths(&["a", "b", "c"]).as_deref(), Some("a, b and 1 more"));
        assert_eq!(paths(&[]), None);
    }
}
