//! The strip of a run: its windows from left to right, each as high as what was left there
//! is bad, and below it the life of each thing. It is drawn twice, by time and in order, and
//! the style of the page shows one of the two. The picture says nothing that the tables
//! below it do not say.

use super::axis::{Layout, NEAR_END, edges, ticks};
use super::lives::leak_of;
use super::markup::{Html, Share};
use super::state::{Facts, State};
use crate::map::{Life, WindowMap};
use crate::model::Run;

/// Height of the windows, in tenths of an em.
const WINDOWS: u32 = 28;
/// Where the first life is, from the top.
const LIVES: u32 = 52;
/// Height of a life with the space around it.
const LIFE: u32 = 16;
/// More windows than this have no lines between them.
const MOST_LINES: usize = 400;

/// Draws the strip of the run with this number. At most so many `lives` are drawn, those
/// that leak first; the order is that of the map.
pub(super) fn strip(page: &mut Html, run: &Run, map: &WindowMap, facts: &Facts<'_>, number: usize, most: usize) {
    let drawn = chosen(run, map, facts, most);
    page.raw(
        r#"<div class="strip"><div class="names" aria-hidden="true"><div class="top">left when terminated there</div>"#,
    );
    for (life, leak) in &drawn {
        page.raw(r#"<div class="name">"#);
        if leak.is_some() {
            page.raw(r#"<b class="tag leak">leaks</b> "#);
        }
        page.raw("<span>").short(&life.what).raw("</span></div>");
    }
    page.raw(r#"</div><div class="scroll" tabindex="0" role="group" aria-label="Windows and lives of scenario "#);
    page.number(number + 1).raw(r#"">"#);
    for layout in [Layout::Time, Layout::Order] {
        picture(page, map, facts, &drawn, layout, number);
    }
    page.raw("</div></div>\n");
    let more = map.lives.len() - drawn.len();
    if more > 0 {
        page.raw(r#"<p class="more">… "#).number(more).raw(" more lives are in the JSON report.</p>\n");
    }
}

/// The lives to show, and of each the finding that says that it leaks.
pub(super) fn chosen<'a>(
    run: &Run,
    map: &'a WindowMap,
    facts: &Facts<'_>,
    most: usize,
) -> Vec<(&'a Life, Option<usize>)> {
    let mut lives: Vec<_> = map.lives.iter().map(|life| (life, leak_of(life, run, facts))).collect();
    let leaking = lives.iter().filter(|(_, leak)| leak.is_some()).count();
    let mut others = most.saturating_sub(leaking);
    let mut leaks = most;
    lives.retain(|(_, leak)| {
        let left = if leak.is_some() { &mut leaks } else { &mut others };
        let kept = *left > 0;
        *left = left.saturating_sub(1);
        kept
    });
    lives
}

fn picture(
    page: &mut Html,
    map: &WindowMap,
    facts: &Facts<'_>,
    lives: &[(&Life, Option<usize>)],
    layout: Layout,
    number: usize,
) {
    let edges = edges(map, layout);
    let (class, id, how) = match layout {
        Layout::Time => (r#"<svg class="by-time "#, "time", "by time"),
        Layout::Order => (r#"<svg class="in-order "#, "order", "in order"),
    };
    let height = LIVES + LIFE * u32::try_from(lives.len()).unwrap_or_default();
    page.raw(class).raw(least_width(map.windows.len())).raw(r#"" width="100%" height=""#).tenths(height);
    page.raw(r#"em" role="img" aria-labelledby="t-"#).raw(id).number(number).raw(r#"" aria-describedby="d-"#);
    page.raw(id).number(number).raw(r#""><title id="t-"#).raw(id).number(number).raw(r#"">Windows of the run, "#);
    page.raw(how).raw(r#"</title><desc id="d-"#).raw(id).number(number).raw(r#"">"#);
    description(page, map, facts, lives);
    page.raw("</desc>");
    lines(page, &edges, height);
    for (row, (life, leak)) in (0..).zip(lives) {
        bar(page, life, leak.is_some(), &edges, LIVES + LIFE * row);
    }
    stretches(page, facts, &edges);
    for (at, word) in ticks(map, layout, &edges) {
        let end = at > NEAR_END;
        page.raw(r#"<rect class="tick" width="1" y="3em" height=".5em" x=""#).share(at);
        page.raw(r#""/><text y="4.4em" x=""#).share(at).raw(if end { r#"" class="end">"# } else { r#"">"# });
        page.short(&word).raw("</text>");
    }
    page.raw("</svg>");
}

/// The class that gives each window room enough to be seen.
const fn least_width(windows: usize) -> &'static str {
    match windows {
        0..=20 => "w0",
        21..=60 => "w1",
        61..=120 => "w2",
        121..=300 => "w3",
        301..=1_000 => "w4",
        _ => "w5",
    }
}

/// How many windows are in which state, and how many lives leak.
fn description(page: &mut Html, map: &WindowMap, facts: &Facts<'_>, lives: &[(&Life, Option<usize>)]) {
    page.number(map.windows.len()).raw(" windows: ");
    let mut first = true;
    for state in State::ALL {
        let count = facts.windows.iter().filter(|seen| seen.state == state).count();
        if count > 0 {
            page.raw(if first { "" } else { ", " }).number(count).raw(" ").raw(state.meaning());
            first = false;
        }
    }
    let leaks = lives.iter().filter(|(_, leak)| leak.is_some()).count();
    page.raw(". ").number(leaks).raw(" of ").number(lives.len()).raw(" lives leak. The tables below say the same.");
}

/// The edges of windows as thin lines through everything, in one path.
fn lines(page: &mut Html, edges: &[Share], height: u32) {
    if edges.len() > MOST_LINES {
        return;
    }
    page.raw(r#"<svg width="100%" height=""#).tenths(height);
    page.raw(r#"em" viewBox="0 0 10000 1" preserveAspectRatio="none"><path class="edge" d=""#);
    for edge in edges {
        page.raw("M").number(edge.0).raw(" 0V1");
    }
    page.raw(r#""/></svg>"#);
}

/// The windows; neighbours in the same state with the same findings are one shape.
fn stretches(page: &mut Html, facts: &Facts<'_>, edges: &[Share]) {
    let mut first = 0;
    for stretch in facts.windows.chunk_by(|a, b| a.state == b.state && a.findings == b.findings) {
        let last = first + stretch.len() - 1;
        let state = stretch[0].state;
        let (y, height) = extent(state);
        page.raw(r#"<rect class="s "#).raw(state.word()).raw(r#"" x=""#).share(edges[first]).raw(r#"" width=""#);
        page.share(edges[first].to(edges[last + 1])).raw(r#"" y=""#).tenths(y).raw(r#"em" height=""#).tenths(height);
        page.raw(r#"em"><title>window "#).number(first);
        if last > first {
            page.raw(" to ").number(last);
        }
        page.raw(": ").raw(state.meaning());
        let findings = stretch[0].findings.len();
        if findings > 0 {
            page.raw(", ").number(findings).raw(if findings == 1 { " finding" } else { " findings" });
        }
        page.raw("</title></rect>");
        first = last + 1;
    }
}

/// From where to where a window in this state is drawn: the worse, the higher, so that no
/// colour is needed to tell them apart.
const fn extent(state: State) -> (u32, u32) {
    let height = match state {
        State::Error | State::Inconclusive => WINDOWS,
        State::Warn => 21,
        State::Note | State::Apart | State::Missed => 14,
        State::Clean => 7,
        State::Untried => 2,
    };
    (2 + WINDOWS - height, height)
}

fn bar(page: &mut Html, life: &Life, leaks: bool, edges: &[Share], top: u32) {
    let windows = edges.len() - 1;
    let place = |number: u32| usize::try_from(number).unwrap_or(windows).min(windows.saturating_sub(1));
    let (first, last) = (place(life.first), place(life.last.max(life.first)));
    let class = match (leaks, life.stays) {
        (true, _) => r#"<rect class="life leak" x=""#,
        (false, true) => r#"<rect class="life stays" x=""#,
        (false, false) => r#"<rect class="life" x=""#,
    };
    page.raw(class).share(edges[first]).raw(r#"" width=""#).share(edges[first].to(edges[last + 1]));
    page.raw(r#"" y=""#).tenths(top + 3).raw(r#"em" height=""#).tenths(if leaks { 10 } else { 7 });
    page.raw(r#"em"><title>"#).short(&life.what).raw(": windows ").number(first).raw(" to ").number(last);
    page.raw(if leaks {
        ", leaks"
    } else if life.stays {
        ", stays: expected"
    } else {
        ""
    });
    page.raw("</title></rect>");
}

/// What the shapes mean, once for the page.
pub(super) fn legend(page: &mut Html) {
    page.raw("<ul class=\"legend\" aria-label=\"Legend\">");
    for state in State::ALL {
        let (y, height) = extent(state);
        page.raw(r#"<li><svg width="1.2em" height="3.2em" aria-hidden="true"><rect class="s "#).raw(state.word());
        page.raw(r#"" width="1.2em" y=""#).tenths(y).raw(r#"em" height=""#).tenths(height).raw(r#"em"/></svg> "#);
        page.raw(state.meaning()).raw("</li>");
    }
    for (class, height, word) in [
        (r#"<rect class="life" "#, 7, "a life"),
        (r#"<rect class="life leak" "#, 10, "a life that leaks"),
        (r#"<rect class="life stays" "#, 7, "stays, and is expected to"),
    ] {
        page.raw(r#"<li><svg width="2.4em" height="3.2em" aria-hidden="true">"#).raw(class);
        page.raw(r#"width="2.4em" y="2em" height=""#).tenths(height).raw(r#"em"/></svg> "#).raw(word).raw("</li>");
    }
    page.raw("</ul>\n");
}

/// The hatches that the style of the page refers to.
pub(super) fn hatches(page: &mut Html) {
    page.raw(
        r##"<svg class="hatches" width="0" height="0" aria-hidden="true"><defs>
<pattern id="hatch-missed" width="6" height="6" patternUnits="userSpaceOnUse"><path class="hatch" d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5"/></pattern>
<pattern id="hatch-inconclusive" width="6" height="6" patternUnits="userSpaceOnUse"><path class="hatch" d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5M-1 -1L7 7M5 -1L7 1M-1 5L1 7"/></pattern>
</defs></svg>
"##,
    );
}
