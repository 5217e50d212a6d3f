//! Hostile text as a terminal may see it, with the way from one to the other.

use quietus_reports::escape::{escape_terminal, is_hazard};
use std::ops::Range;

/// A text whose every hazardous character is a visible escape.
///
/// Line ends stay, so that line numbers do; tabs stay, as the renderer writes
/// spaces for them. Everything else that [`is_hazard`] is escaped here, because
/// the renderer lets C1 controls, zero-width characters and some bidi marks pass.
#[derive(Debug)]
pub(super) struct Shown {
    text: String,
    /// Where an escape ends: (offset in the original, offset in `text`), ascending.
    escapes: Vec<(usize, usize)>,
    /// Where a line of `text` starts, ascending; the first at 0.
    lines: Vec<usize>,
}

/// Some whole lines of a [`Shown`].
#[derive(Debug, PartialEq)]
pub(super) struct Excerpt<'s> {
    /// The lines.
    pub(super) text: &'s str,
    /// Where they start in the whole.
    pub(super) start: usize,
    /// The number of the first, from 1.
    pub(super) line: usize,
}

impl Shown {
    /// Makes a text harmless.
    pub(super) fn new(original: &str) -> Self {
        let mut shown = Self { text: String::with_capacity(original.len()), escapes: Vec::new(), lines: vec![0] };
        let mut characters = original.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let ends_line = character == '\r' && characters.peek().is_some_and(|(_, next)| *next == '\n');
            if ends_line {
                shown.escapes.push((at + 1, shown.text.len()));
            } else if is_hazard(character) && !matches!(character, '\n' | '\t') {
                shown.text.push_str(&escape_terminal(character.encode_utf8(&mut [0; 4])));
                shown.escapes.push((at + character.len_utf8(), shown.text.len()));
            } else {
                shown.text.push(character);
                if character == '\n' {
                    shown.lines.push(shown.text.len());
                }
            }
        }
        shown
    }

    /// The lines that a place of the harmless text touches: the renderer reads
    /// all that it is given, once for each diagnostic.
    pub(super) fn excerpt(&self, span: &Range<usize>) -> Excerpt<'_> {
        let line = self.lines.partition_point(|start| *start <= span.start);
        let start = self.lines[line - 1];
        let end = self.text[span.end..].find('\n').map_or(self.text.len(), |length| span.end + length + 1);
        Excerpt { text: &self.text[start..end], start, line }
    }

    /// The place in the harmless text of a place in the original.
    pub(super) fn span(&self, original: &Range<usize>) -> Range<usize> {
        let start = self.offset(original.start);
        start..self.offset(original.end).max(start)
    }

    fn offset(&self, original: usize) -> usize {
        let before = self.escapes.partition_point(|(end, _)| *end <= original);
        let (end, shown) = before.checked_sub(1).map_or((0, 0), |last| self.escapes[last]);
        (shown + (original - end)).min(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hazards_are_escaped_and_places_follow() {
        let text = "a = \"\u{1b}[2J\u{9b}\u{202e}é\"\r\nb\t=\u{feff} 1\r\rc";
        let shown = Shown::new(text);
        assert_eq!(shown.text, "a = \"\\x1b[2J\\x9b\\u{202e}é\"\nb\t=\\u{feff} 1\\r\\rc");
        for part in ["[2J", "é", "b", "1", "c"] {
            let at = text.rfind(part).expect(part);
            assert_eq!(&shown.text[shown.span(&(at..at + part.len()))], part);
        }
    }

    proptest! {
        #[test]
        fn every_place_stays_in_the_text(text in any::<String>(), a: prop::sample::Index, b: prop::sample::Index) {
            let shown = Shown::new(&text);
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let (a, b) = (*a.get(&places), *b.get(&places));
            let span = shown.span(&(a.min(b)..a.max(b)));
            prop_assert!(shown.text.get(span.clone()).is_some());
            let excerpt = shown.excerpt(&span);
            prop_assert!(excerpt.start <= span.start && span.end <= excerpt.start + excerpt.text.len());
            prop_assert_eq!(shown.text[..excerpt.start].matches('\n').count() + 1, excerpt.line);
            prop_assert!(shown.text.chars().all(|c| !is_hazard(c) || matches!(c, '\n' | '\t')));
        }
    }
}
