//! Combinations that no single value shows to be impossible.

use super::diagnostic::Diagnostic;
use super::fields::{Fields, Reader};
use super::keys::LONGEST_GRACE_HOURS;
use super::outside;
use super::spec::{Explore, GuaranteeWish, Kind, Network, Scenario, Strategy};
use crate::model::{Injection, Point, PointSpec, Step};
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// The tables of a text, for their places.
#[derive(Debug)]
pub(super) struct Sections<'a, 'i> {
    pub(super) agent: Option<Fields<'a, 'i>>,
    pub(super) cell: Option<Fields<'a, 'i>>,
    pub(super) terminate: Option<Fields<'a, 'i>>,
    pub(super) explore: Option<Fields<'a, 'i>>,
    pub(super) expect: Option<Fields<'a, 'i>>,
    pub(super) services: Vec<Fields<'a, 'i>>,
    pub(super) states: Vec<Fields<'a, 'i>>,
    pub(super) recover: Option<Fields<'a, 'i>>,
    pub(super) scripts: Vec<Fields<'a, 'i>>,
    pub(super) survivors: Vec<Fields<'a, 'i>>,
    pub(super) allows: Vec<Fields<'a, 'i>>,
}

/// Reports every impossible combination.
pub(super) fn combine(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    strategy(reader, scenario, sections);
    second(reader, scenario, sections);
    random(reader, scenario, sections);
    released(reader, scenario, sections);
    points(reader, scenario, sections);
    readiness(reader, scenario, sections);
    graces(reader, scenario, sections);
    injections(reader, scenario, sections);
    guarantee(reader, scenario, sections);
    duplicates(reader, sections);
    outside::combine(reader, scenario, sections);
}

fn place(fields: Option<&Fields<'_, '_>>, name: &str) -> Range<usize> {
    fields.map_or(0..0, |fields| fields.span_of(name))
}

fn strategy(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    let span = place(sections.explore.as_ref(), "strategy");
    match (scenario.explore.strategy, sections.scripts.first()) {
        (Strategy::Script, None) => reader.report(
            Diagnostic::new("no-script", span, "the strategy is `script`, and there is no `[[script]]`")
                .label("nothing would run")
                .help("add a `[[script]]` table with `at = [\"…\"]`, or let Quietus choose: strategy = \"check\""),
        ),
        (Strategy::Check | Strategy::Sweep | Strategy::Fuzz, Some(first)) => reader.report(
            Diagnostic::new(
                "unused-script",
                span,
                format!("the strategy is `{}`, and there is a `[[script]]`", scenario.explore.strategy.word()),
            )
            .label("this would run no script")
            .also(first.span.clone(), "the first script")
            .help("remove `strategy`: with a `[[script]]` it is `script`"),
        ),
        _ => {}
    }
}

fn second(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    if scenario.explore.second.is_some() && scenario.explore.strategy != Strategy::Sweep {
        let span = place(sections.explore.as_ref(), "second");
        let found = format!("the strategy is `{}`, and `second` is part of a sweep", scenario.explore.strategy.word());
        reader.report(
            Diagnostic::new("second-without-sweep", span, found)
                .label("this would do nothing")
                .help("add strategy = \"sweep\", or remove it"),
        );
    }
}

/// What only trials at random have.
fn random(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    let Explore { strategy, trials, seed, .. } = scenario.explore;
    let given = [("trials", trials.is_some()), ("seed", seed.is_some())];
    for (name, _) in given.into_iter().filter(|(_, given)| *given && strategy != Strategy::Fuzz) {
        let span = place(sections.explore.as_ref(), name);
        let found = format!("the strategy is `{}`, and `{name}` is part of trials at random", strategy.word());
        reader.report(
            Diagnostic::new("random-without-fuzz", span, found)
                .label("this would do nothing")
                .help("add strategy = \"fuzz\", or remove it"),
        );
    }
}

fn released(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    if scenario.expect.released.is_some() && scenario.explore.strategy != Strategy::Sweep {
        let span = place(sections.expect.as_ref(), "released");
        let strategy = scenario.explore.strategy.word();
        let found = format!("the strategy is `{strategy}`, and only a sweep knows what is to be released where");
        reader.report(
            Diagnostic::new("released-without-sweep", span, found)
                .label("this could not be checked")
                .help("add strategy = \"sweep\" under `[explore]`, or remove it"),
        );
    }
}

fn relative_first(reader: &mut Reader<'_>, point: &PointSpec, span: Range<usize>) {
    if point.relative {
        reader.report(
            Diagnostic::new(
                "relative-first-point",
                span,
                format!("`{point}` counts from a point before it, and there is none"),
            )
            .label("the first point cannot be relative")
            .help(format!("write `{}`", point.point)),
        );
    }
}

fn points(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    for (script, fields) in scenario.scripts.iter().zip(&sections.scripts) {
        let written = fields.value("at").and_then(|value| value.get_ref().as_array());
        // Where an item could not be read, the first that could is not the first.
        if let (Some(point), Some(items)) = (script.at.first(), written.filter(|items| items.len() == script.at.len()))
        {
            relative_first(reader, point, items[0].span());
            for (point, item) in script.at.iter().zip(items).skip(1) {
                if point.point == Point::Start {
                    reader.report(
                        Diagnostic::new("late-start", item.span(), "`start` comes before every other point")
                            .label("can only be the first"),
                    );
                }
            }
        }
    }
}

fn readiness(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    let Some(point) = &scenario.agent.ready else { return };
    let agent = sections.agent.as_ref();
    relative_first(reader, point, place(agent, "ready"));
    if scenario.agent.kind == Some(Kind::Job) {
        reader.report(
            Diagnostic::new("ready-on-job", place(agent, "ready"), "a job is never ready: it works until it ends")
                .label("remove it, or change the kind")
                .also(place(agent, "kind"), "the kind")
                .help("an agent that waits for work is a server: kind = \"server\""),
        );
    }
}

fn graces(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    let scripts = scenario
        .scripts
        .iter()
        .zip(&sections.scripts)
        .map(|(script, fields)| (script.grace, place(Some(fields), "grace")));
    for (grace, span) in
        [(scenario.terminate.grace, place(sections.terminate.as_ref(), "grace"))].into_iter().chain(scripts)
    {
        if grace.is_some_and(|grace| grace > Duration::from_secs(LONGEST_GRACE_HOURS * 3600)) {
            let message = format!("a grace is at most {LONGEST_GRACE_HOURS}h: every trial that hangs waits so long");
            reader.report(Diagnostic::new("grace-too-long", span, message).label("too long"));
        }
    }
}

/// Every injection of the scenario with the place that asks for it.
fn asked(scenario: &Scenario, sections: &Sections<'_, '_>) -> Vec<(Injection, Range<usize>)> {
    let terminate = sections.terminate.as_ref();
    let profile = scenario.terminate.profile.map(|profile| (profile.injection(), place(terminate, "profile")));
    let send = scenario.terminate.send.clone().map(|send| (send, place(terminate, "send")));
    let scripts = scenario
        .scripts
        .iter()
        .zip(&sections.scripts)
        .filter_map(|(script, fields)| Some((script.send.clone()?, place(Some(fields), "send"))));
    profile.into_iter().chain(send).chain(scripts).collect()
}

fn injections(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    let agent = sections.agent.as_ref();
    let profile = scenario.terminate.profile;
    let pid1 = match scenario.agent.pid1 {
        Some(pid1) => pid1.then(|| (place(agent, "pid1"), "the agent is PID 1 here", "remove `pid1 = true`")),
        None => profile.filter(|profile| profile.pid1).map(|_| {
            (
                place(sections.terminate.as_ref(), "profile"),
                "with this profile the agent is PID 1",
                "set `pid1 = false` under `[agent]`, or use another profile",
            )
        }),
    };
    let without_terminal = (scenario.agent.pty == Some(false)).then(|| place(agent, "pty"));
    for (injection, span) in asked(scenario, sections) {
        if let Some((pid1, why, help)) = pid1.as_ref().filter(|_| injection.has(&Step::ParentDeath)) {
            reader.report(
                Diagnostic::new("pid1-parent-death", span.clone(), "PID 1 has no parent in its cell that could die")
                    .label("kills the agent's parent")
                    .also(pid1.clone(), *why)
                    .help(*help),
            );
        }
        if let Some(pty) = without_terminal.clone().filter(|_| injection.has(&Step::PtyHangup)) {
            reader.report(
                Diagnostic::new("hangup-without-pty", span.clone(), "an agent without a terminal cannot lose it")
                    .label("hangs up the terminal")
                    .also(pty, "the agent has none")
                    .help("remove `pty = false`: a hangup implies a terminal"),
            );
        }
        for name in injection.stalls() {
            outside::service_is_known(reader, name, span.clone(), scenario);
        }
    }
}

fn guarantee(reader: &mut Reader<'_>, scenario: &Scenario, sections: &Sections<'_, '_>) {
    if scenario.cell.guarantee != GuaranteeWish::Portable {
        return;
    }
    let cell = sections.cell.as_ref();
    let private =
        (scenario.cell.network == Network::Private).then(|| (place(cell, "network"), "give the agent its own network"));
    let pid1 =
        (scenario.agent.pid1 == Some(true)).then(|| (place(sections.agent.as_ref(), "pid1"), "make the agent PID 1"));
    for (span, what) in private.into_iter().chain(pid1) {
        reader.report(
            Diagnostic::new("portable-cannot", span, format!("the portable guarantee cannot {what}"))
                .label("needs a full cell")
                .also(place(cell, "guarantee"), "asked for here")
                .help("use guarantee = \"auto\" or \"full\""),
        );
    }
}

fn duplicates(reader: &mut Reader<'_>, sections: &Sections<'_, '_>) {
    same_tables(
        reader,
        &sections.scripts,
        &["at", "send", "grace"],
        "use `explore.repeat` to run a trial several times",
    );
    same_tables(reader, &sections.survivors, &["process", "file", "port"], "remove one of them");
    same_tables(
        reader,
        &sections.allows,
        &["code", "subject"],
        "remove one of them; without a `subject` it is for every subject",
    );
    // A line of `log` may be wanted twice.
    let items =
        sections.expect.as_ref().and_then(|fields| fields.value("exit")).and_then(|value| value.get_ref().as_array());
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for item in items.into_iter().flatten() {
        let Some(text) = item.get_ref().as_str() else { continue };
        match seen.get(text) {
            Some(first) => reader.report(
                Diagnostic::new("duplicate", item.span(), format!("`{text}` is in `expect.exit` twice"))
                    .label("again")
                    .also(first.clone(), "here first"),
            ),
            None => drop(seen.insert(text, item.span())),
        }
    }
}

/// Reports tables that say the same in all of these keys.
fn same_tables(reader: &mut Reader<'_>, tables: &[Fields<'_, '_>], names: &[&str], help: &str) {
    let mut seen: HashMap<Vec<Option<String>>, Range<usize>> = HashMap::new();
    for fields in tables {
        let identity: Vec<Option<String>> =
            names.iter().map(|name| fields.value(name).map(|value| identity(value.get_ref()))).collect();
        if identity.iter().all(Option::is_none) {
            continue;
        }
        match seen.get(&identity) {
            Some(first) => {
                let message = format!("two `{}` tables say the same", fields.section.header);
                reader.report(
                    Diagnostic::new("duplicate", fields.span.clone(), message)
                        .label("again")
                        .also(first.clone(), "here first")
                        .help(help),
                );
            }
            None => drop(seen.insert(identity, fields.span.clone())),
        }
    }
}

/// A value as text that is equal for equal values, whatever their quotes.
fn identity(value: &toml::de::DeValue<'_>) -> String {
    match value.as_array() {
        Some(items) => format!("{:?}", items.iter().map(|item| identity(item.get_ref())).collect::<Vec<_>>()),
        None => format!("{value:?}"),
    }
}
