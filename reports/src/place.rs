//! The places in source code that the text of an origin names.
//!
//! [`Origin::line`](crate::Origin::line) is text for a person: `agent.py:41 in run_tool`,
//! several such places with ` or ` between them, and for a future also who waits for the
//! place (`, from src/lib.rs:41 in transfer`). Formats that show findings beside the code
//! need them apart. A text that names no line yields no place, so none is ever made up.

/// A line of source code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as the origin names it: its name alone, or a path.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The function in which that is, where it is known.
    pub function: Option<String>,
}

impl Place {
    /// Every place that `text` names, in its order, each once.
    ///
    /// ```
    /// use quietus_reports::Place;
    ///
    /// let places = Place::all("a.c:1 in f or my dir/b.c:2");
    /// assert_eq!(places[0], Place { file: "a.c".into(), line: 1, function: Some("f".into()) });
    /// assert_eq!(places[1], Place { file: "my dir/b.c".into(), line: 2, function: None });
    /// assert!(Place::all("main in libagent.so").is_empty());
    /// ```
    #[must_use]
    pub fn all(text: &str) -> Vec<Self> {
        let mut places: Vec<Self> = Vec::new();
        let mut rest = if text.len() > LONGEST { "" } else { text };
        // A path may hold ` or `, and so may a function: only what has a line before it ends there.
        while let Some(place) = Self::first(&mut rest) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// The first place in `rest`, which is then what follows it.
    fn first(rest: &mut &str) -> Option<Self> {
        let (file, line, after) = Self::line(rest)?;
        let (function, after) = match after.strip_prefix(" in ") {
            Some(text) => {
                let (function, after) = until_next(text);
                (Some(function.to_owned()).filter(|name| !name.is_empty()), after)
            }
            None => (None, until_next(after).1),
        };
        *rest = after;
        Some(Self { file: file.to_owned(), line, function })
    }

    /// Splits at the first `:` with a number after it that ends there: file, line, rest.
    fn line(text: &str) -> Option<(&str, u32, &str)> {
        text.match_indices(':').find_map(|(at, _)| {
            let after = &text[at + 1..];
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (number, after) = after.split_at(digits);
            let ends =
                after.is_empty() || after.starts_with(" in ") || SEPARATORS.iter().any(|it| after.starts_with(it));
            let line = number.parse().ok().filter(|line| *line > 0)?;
            (ends && at > 0).then_some((&text[..at], line, after))
        })
    }
}

/// A longer text is no origin, and reading it would take the square of its length.
const LONGEST: usize = 4096;
/// What stands between two places.
const SEPARATORS: [&str; 2] = [" or ", ", from "];

/// What stands before the next separator that a place follows, and that place with all after it.
fn until_next(text: &str) -> (&str, &str) {
    let separators = SEPARATORS.iter().flat_map(|separator| text.match_indices(separator));
    let mut ends: Vec<(usize, usize)> = separators.map(|(at, separator)| (at, at + separator.len())).collect();
    ends.sort_unstable();
    let next = ends.into_iter().find(|(_, after)| Place::line(&text[*after..]).is_some());
    next.map_or((text, ""), |(before, after)| (&text[..before], &text[after..]))
}

#[cfg(test)]
mod tests;
