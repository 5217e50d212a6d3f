//! `quietus windows`: the map of an agent's windows. Nothing is terminated.

use crate::args::WindowsArguments;
use crate::checking;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::progress::Shown;
use crate::sweeping::tracing_driver;
use quietus::driver::Interrupt;
use quietus::explore::{Mapped, map};
use quietus::model::{Injection, Signal};
use quietus::scenario::{Kind, Strategy};
use quietus::windows::{Map, Prediction, Window};
use quietus_reports::escape::escape_terminal;
use std::fmt::Write as _;
use std::time::Duration;

/// Columns of the strip that shows a life.
const STRIP: usize = 40;
/// More windows than this are listed only when asked for.
const MOST_LINES: usize = 120;

pub(crate) fn run(arguments: &WindowsArguments, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let (mut wanted, guarantee) = checking::base(&arguments.agent, &arguments.runner(), arguments.program.clone())?;
    wanted.strategy = Strategy::Sweep;
    wanted.send = Some(Injection::signal(arguments.signal));
    let shown = Shown::lines(arguments.quiet);
    let driver = tracing_driver(&wanted, guarantee, &shown)?;
    let mapped = map(&*driver, &wanted, interrupt, &shown)?;
    output::print(&render(&wanted.name, &mapped, arguments.signal, arguments.verbose))?;
    Ok(Exit::Gate(0))
}

/// The map for a person.
fn render(name: &str, mapped: &Mapped, signal: Signal, verbose: bool) -> String {
    let map = &mapped.map;
    let kinds = map.windows.iter().filter(|window| window.kind == window.number).count();
    let kind = match mapped.kind {
        Kind::Job => "job",
        Kind::Server => "server",
        Kind::Session => "session",
    };
    let mut page = format!(
        "{}\n  {kind} · {} windows of {kinds} kinds in {}\n",
        escape_terminal(name),
        map.windows.len(),
        moment(map.end)
    );
    for doubt in &mapped.doubts {
        let _ = writeln!(page, "  {}", escape_terminal(doubt));
    }
    if map.omitted > 0 {
        let _ = writeln!(page, "  the recording was full: {} later system calls are in no window", map.omitted);
    }
    let _ = writeln!(page, "\n  {:>6}  {:>8}  opened by · what {signal} does there", "window", "at");
    let most = if verbose { usize::MAX } else { MOST_LINES };
    for window in map.windows.iter().take(most) {
        line(&mut page, map, window, signal);
    }
    if map.windows.len() > most {
        let _ = writeln!(page, "  … and {} more; --verbose lists them", map.windows.len() - most);
    }
    lives(&mut page, map, most);
    page
}

fn line(page: &mut String, map: &Map, window: &Window, signal: Signal) {
    let opened = window
        .opened
        .as_ref()
        .map_or_else(|| "start".to_owned(), |opening| format!("[{}] {}", role(&opening.point.role), opening.what));
    let _ = writeln!(page, "  {:>6}  {:>8}  {}", window.number, moment(window.at), escape_terminal(&opened));
    let before = window.number.checked_sub(1).and_then(|number| map.windows.get(number));
    if let Some(before) = before {
        let new = window.live.difference(&before.live).map(|thing| format!("+ {thing}"));
        let gone = before.live.difference(&window.live).map(|thing| format!("- {thing}"));
        for change in new.chain(gone) {
            let _ = writeln!(page, "  {:>16}    {}", "", escape_terminal(&change));
        }
    }
    if window.kind != window.number {
        let _ = writeln!(page, "  {:>16}    as in window {}", "", window.kind);
        return;
    }
    let _ = writeln!(page, "  {:>16}    {}", "", escape_terminal(&predicted(map, window, signal)));
    if let Some(wait) = &window.wait {
        let _ = writeln!(page, "  {:>16}    waits {} in {} of [{}]", "", moment(wait.length), wait.name, wait.role);
    }
}

fn role(role: &Option<String>) -> &str {
    role.as_deref().unwrap_or("?")
}

/// What a signal would do, in words.
fn predicted(map: &Map, window: &Window, signal: Signal) -> String {
    let listed = |things: &[quietus::windows::Thing]| {
        if things.is_empty() {
            return "nothing".to_owned();
        }
        things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match map.predict(window, signal) {
        Prediction::Leaks(things) => format!("ends it, and leaves {}", listed(&things)),
        Prediction::Mapped(things) => format!("ends it; perhaps torn: {}", listed(&things)),
        Prediction::Handled(things) if things.is_empty() => "is handled; nothing to clean up".to_owned(),
        Prediction::Handled(things) => format!("is handled; to clean up: {}", listed(&things)),
        Prediction::Ignored => "is ignored".to_owned(),
        Prediction::Blocked => "is blocked".to_owned(),
    }
}

/// A span to a tenth of a millisecond.
fn moment(span: Duration) -> String {
    if span < Duration::from_secs(10) {
        format!("{:.1}ms", span.as_secs_f64() * 1000.0)
    } else {
        format!("{:.1}s", span.as_secs_f64())
    }
}

/// Each life as a strip over the windows.
fn lives(page: &mut String, map: &Map, most: usize) {
    if map.lives.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n  lives, from window to window");
    let windows = map.windows.len().max(1);
    let column = |number: usize| number * STRIP.min(windows) / windows;
    let width = STRIP.min(windows);
    for life in map.lives.iter().take(most) {
        let (from, to) = (column(life.first), column(life.last));
        let strip: String = (0..width).map(|at| if (from..=to).contains(&at) { '━' } else { '·' }).collect();
        let kept = if map.kept.contains(&life.thing) && life.last + 1 == windows { " (stays)" } else { "" };
        let _ = writeln!(
            page,
            "  {strip}  {}–{}  {}{kept}",
            life.first,
            life.last,
            escape_terminal(&life.thing.to_string())
        );
    }
    if map.lives.len() > most {
        let _ = writeln!(page, "  … and {} more; --verbose lists them", map.lives.len() - most);
    }
}
