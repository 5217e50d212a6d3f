//! What is wrong with a scenario: where, why, and what to write instead.
//!
//! The text of a scenario is hostile. Messages are made harmless when they are
//! made; the source is made harmless when it is shown.

use super::shown::Shown;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use quietus_reports::escape::{escape_terminal, truncate_middle};
use std::fmt;
use std::ops::Range;

/// Every code of a diagnostic, sorted. A test has a case for each.
pub const CODES: [&str; 41] = [
    "bad-date",
    "bad-env-name",
    "bad-exit",
    "bad-glob",
    "bad-injection",
    "bad-pattern",
    "bad-point",
    "bad-pointer",
    "bad-reference",
    "bad-service-name",
    "bad-span",
    "conflict",
    "duplicate",
    "empty",
    "grace-too-long",
    "hangup-without-pty",
    "late-start",
    "missing-key",
    "needless-key",
    "no-resource-group",
    "no-script",
    "not-one-line",
    "not-yet",
    "nul-byte",
    "out-of-range",
    "pid1-parent-death",
    "portable-cannot",
    "random-without-fuzz",
    "ready-on-job",
    "relative-first-point",
    "released-without-sweep",
    "second-without-sweep",
    "toml-syntax",
    "too-large",
    "unknown-code",
    "unknown-key",
    "unknown-profile",
    "unknown-service",
    "unknown-value",
    "unused-script",
    "wrong-type",
];

/// More diagnostics than this are counted, not shown.
const MOST_SHOWN: usize = 50;

/// Longer messages lose their middle.
const LONGEST_MESSAGE: usize = 500;

/// One thing that is wrong with a scenario.
///
/// Every text in it is one line and safe to print to a terminal.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What sort it is, one of [`CODES`].
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where, as bytes of the text, on character boundaries.
    pub span: Range<usize>,
    /// What stands at the caret. May be empty.
    pub label: String,
    /// A second place that belongs to it, and what stands there.
    pub also: Option<(Range<usize>, String)>,
    /// What to write instead.
    pub help: Option<String>,
}

/// Everything that is wrong with a scenario, in the order of the text. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    file_name: String,
    text: String,
    items: Vec<Diagnostic>,
}

impl Diagnostic {
    /// A diagnostic without label and help.
    pub(super) fn new(code: &'static str, span: Range<usize>, message: impl AsRef<str>) -> Self {
        debug_assert!(CODES.contains(&code), "{code} is not listed");
        Self { code, message: harmless(message.as_ref()), span, label: String::new(), also: None, help: None }
    }

    /// With what stands at the caret.
    pub(super) fn label(self, label: impl AsRef<str>) -> Self {
        Self { label: harmless(label.as_ref()), ..self }
    }

    /// With a second place.
    pub(super) fn also(self, span: Range<usize>, label: impl AsRef<str>) -> Self {
        Self { also: Some((span, harmless(label.as_ref()))), ..self }
    }

    /// With what to write instead.
    pub(super) fn help(self, help: impl AsRef<str>) -> Self {
        Self { help: Some(harmless(help.as_ref())), ..self }
    }

    /// With what to write instead, where that is known.
    pub(super) fn maybe_help(self, help: Option<String>) -> Self {
        Self { help: help.as_deref().map(harmless), ..self }
    }
}

fn harmless(text: &str) -> String {
    truncate_middle(&escape_terminal(text), LONGEST_MESSAGE)
}

impl Diagnostics {
    /// Puts the items in the text's order and their spans inside it.
    pub(super) fn new(file_name: &str, text: &str, mut items: Vec<Diagnostic>) -> Self {
        debug_assert!(!items.is_empty());
        for item in &mut items {
            item.span = inside(text, &item.span);
            if let Some((span, _)) = &mut item.also {
                *span = inside(text, span);
            }
        }
        items.sort_by_key(|item| (item.span.start, item.span.end));
        Self { file_name: file_name.to_owned(), text: text.to_owned(), items }
    }

    /// The diagnostics, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// How many there are. At least one.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The diagnostics as rustc shows its own: message, file, line, caret, help.
    /// With `color`, terminal styles are in it; nothing of the text is.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let shown = Shown::new(&self.text);
        let file_name = harmless(&self.file_name);
        let mut out = String::new();
        for item in self.items.iter().take(MOST_SHOWN) {
            out.push_str(&render_one(&renderer, item, &shown, &file_name));
            out.push_str("\n\n");
        }
        let rest = self.items.len().saturating_sub(MOST_SHOWN);
        if rest > 0 {
            out.push_str(&format!("… and {rest} more errors\n\n"));
        }
        let errors = match self.items.len() {
            1 => "1 error".to_owned(),
            many => format!("{many} errors"),
        };
        out.push_str(&renderer.render(&[annotate_snippets::Group::with_title(
            Level::ERROR.primary_title(format!("{errors} in {file_name}")),
        )]));
        out.push('\n');
        out
    }
}

fn render_one(renderer: &Renderer, item: &Diagnostic, shown: &Shown, file_name: &str) -> String {
    let span = shown.span(&item.span);
    let also = item.also.as_ref().map(|(span, label)| (shown.span(span), label.as_str()));
    let both = also.iter().fold(span.clone(), |both, (also, _)| both.start.min(also.start)..both.end.max(also.end));
    let excerpt = shown.excerpt(&both);
    let place =
        |kind: AnnotationKind, span: Range<usize>| kind.span(span.start - excerpt.start..span.end - excerpt.start);
    let label = Some(item.label.as_str()).filter(|label| !label.is_empty());
    let first = place(AnnotationKind::Primary, span).label(label);
    let second = also.map(|(span, label)| place(AnnotationKind::Context, span).label(label));
    let snippet =
        Snippet::source(excerpt.text).line_start(excerpt.line).path(file_name).annotation(first).annotations(second);
    let mut group = Level::ERROR.primary_title(item.message.as_str()).id(item.code).element(snippet);
    if let Some(help) = &item.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[group])
}

/// The span, cut to the text and widened to character boundaries.
fn inside(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    start..end
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
