//! The writer of the page. Knows nothing of reports.
//!
//! What goes in is of three sorts: markup, which is a literal of this program; numbers;
//! and text, which is anything else and is escaped on its way in. There is no fourth way,
//! so a string of an agent cannot become an element, an attribute, a script or a URL. That
//! is why there is no template engine here: one escapes unless it is told not to, this
//! cannot be told.

use std::fmt::Write as _;

use crate::escape::{escape_terminal, truncate_middle};

/// Characters of one text at most; the JSON report has it whole.
const LONG: usize = 1_000;
/// The same in a table, a list or a label.
const SHORT: usize = 160;

/// A page that is being written.
#[derive(Debug, Default)]
pub(super) struct Html {
    out: String,
}

impl Html {
    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Text of anybody, for the inside of an element or of a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.escaped(&truncate_middle(&escape_terminal(text), LONG))
    }

    /// The same in a line of a table or a list, of which there may be many.
    pub(super) fn short(&mut self, text: &str) -> &mut Self {
        self.escaped(&truncate_middle(&escape_terminal(text), SHORT))
    }

    /// The same, and never shortened: a command to copy.
    pub(super) fn whole(&mut self, text: &str) -> &mut Self {
        self.escaped(&escape_terminal(text))
    }

    /// A whole number.
    pub(super) fn number(&mut self, number: impl TryInto<u64>) -> &mut Self {
        let number = number.try_into().unwrap_or_default();
        let _infallible = write!(self.out, "{number}");
        self
    }

    /// A number of tenths, as `1.5`.
    pub(super) fn tenths(&mut self, tenths: u32) -> &mut Self {
        let _infallible = write!(self.out, "{}.{}", tenths / 10, tenths % 10);
        self
    }

    /// A part of [`Share::WHOLE`], as `12.34%`.
    pub(super) fn share(&mut self, share: Share) -> &mut Self {
        let _infallible = write!(self.out, "{}.{:02}%", share.0 / 100, share.0 % 100);
        self
    }

    /// Bytes so far.
    pub(super) const fn len(&self) -> usize {
        self.out.len()
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.out
    }

    fn escaped(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                c => self.out.push(c),
            }
        }
        self
    }
}

/// A part of a width, in hundredths of a percent: whole numbers, so that a page is the same
/// on every machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(pub(super) u32);

impl Share {
    /// All of it.
    pub(super) const WHOLE: Self = Self(10_000);

    /// `part` of `whole`; all of it where that is nothing.
    pub(super) fn of(part: u64, whole: u64) -> Self {
        if part >= whole {
            return Self::WHOLE;
        }
        let share = u128::from(part) * u128::from(Self::WHOLE.0) / u128::from(whole);
        Self(u32::try_from(share).unwrap_or(Self::WHOLE.0))
    }

    /// What lies between this and a later one.
    pub(super) const fn to(self, end: Self) -> Self {
        Self(end.0.saturating_sub(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Html, Share};

    #[test]
    fn text_is_neither_markup_nor_a_control_code() {
        let mut page = Html::default();
        page.text("\"'><b onx=1>&amp;\u{1b}\u{202e}\0\n");
        assert_eq!(page.finish(), r"&quot;&#39;&gt;&lt;b onx=1&gt;&amp;amp;\x1b\u{202e}\x00\n");
    }

    #[test]
    fn text_is_cut_before_it_is_escaped_for_html() {
        let mut page = Html::default();
        page.short(&"<".repeat(100_000));
        let out = page.finish();
        assert_eq!(out.matches("&lt;").count(), super::SHORT - 1, "{out}");
        assert_eq!(out.replace("&lt;", ""), "…");
        let mut page = Html::default();
        page.whole(&"<".repeat(2_000));
        assert_eq!(page.len(), 8_000);
    }

    #[test]
    fn shares_are_within_the_whole() {
        assert_eq!(Share::of(1, 3), Share(3_333));
        assert_eq!(Share::of(u64::MAX - 1, u64::MAX), Share(9_999));
        assert_eq!(Share::of(5, 0), Share::WHOLE);
        assert_eq!(Share(9_000).to(Share(1)), Share(0));
        let mut page = Html::default();
        page.share(Share(1_205)).raw(" ").tenths(7).raw(" ").number(3_u32);
        assert_eq!(page.finish(), "12.05% 0.7 3");
    }
}
