//! Lines, indents and colours. Knows nothing of reports; takes escaped text.

use anstyle::Style;

use super::HumanOptions;
use crate::escape::truncate_middle;

/// The colours in use, by meaning.
pub(super) mod style {
    use anstyle::{AnsiColor, Style};

    pub(crate) const PLAIN: Style = Style::new();
    pub(crate) const TITLE: Style = Style::new().bold();
    pub(crate) const DIM: Style = Style::new().dimmed();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const NOTE: Style = AnsiColor::Cyan.on_default();
}

/// Width of the labels of [`Page::field`], with the space after them.
const LABEL: usize = 11;

pub(super) struct Page {
    options: HumanOptions,
    out: String,
}

impl Page {
    pub(super) const fn new(options: HumanOptions) -> Self {
        Self { options, out: String::new() }
    }

    pub(super) const fn options(&self) -> HumanOptions {
        self.options
    }

    /// Text of an agent can be as long as it likes; a screen is not.
    fn capped(&self, text: &str) -> String {
        let lines = if self.options.verbose { 1000 } else { 8 };
        truncate_middle(text, lines * self.width())
    }

    pub(super) fn width(&self) -> usize {
        self.options.width.max(40)
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    /// An empty line, unless there is one already.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// `text` in `style`, as an escape sequence only when colours are on.
    pub(super) fn paint(&self, text: &str, style: Style) -> String {
        if self.options.color && style != Style::new() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// One line as it is, however long.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// Text broken at spaces: the first line at `first`, the others at `rest`.
    pub(super) fn paragraph(&mut self, first: usize, rest: usize, text: &str, style: Style) {
        let width = self.width();
        let text = &self.capped(text);
        for (i, line) in wrap(text, width.saturating_sub(first), width.saturating_sub(rest)).iter().enumerate() {
            let line = self.paint(line, style);
            self.line(if i == 0 { first } else { rest }, &line);
        }
    }

    /// A label and its text, broken at spaces under the start of the text.
    pub(super) fn field(&mut self, indent: usize, label: &str, text: &str) {
        let column = indent + LABEL;
        let room = self.width().saturating_sub(column);
        let text = &self.capped(text);
        for (i, line) in wrap(text, room, room).iter().enumerate() {
            if i == 0 {
                self.label(indent, label, line);
            } else {
                self.line(column, line);
            }
        }
    }

    /// A label and its text on one line, however long: a command to copy.
    pub(super) fn label(&mut self, indent: usize, label: &str, text: &str) {
        let label = self.paint(&format!("{label:LABEL$}"), style::DIM);
        self.line(indent, &format!("{label}{text}"));
    }
}

/// Breaks at spaces. A word that is longer than a line stands alone.
fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        let room = if lines.len() == 1 { first } else { rest };
        let line = lines.last_mut().expect("starts with one line");
        if line.is_empty() {
            line.push_str(word);
            used = length;
        } else if used + 1 + length <= room {
            line.push(' ');
            line.push_str(word);
            used += 1 + length;
        } else {
            lines.push(word.to_owned());
            used = length;
        }
    }
    lines
}
