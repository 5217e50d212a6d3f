//! Formats that tell by themselves that a file is not whole. Pure.
//!
//! A format speaks only where what was there before, and what every control leaves, is
//! whole in it: a `.json` with comments, a template that is no YAML yet, a database whose
//! log is beside it say nothing. Most beginnings of a YAML or TOML file are whole files
//! themselves: of those nothing is known here.

use saphyr_parser::Parser;
use serde::de::IgnoredAny;

/// A text that is larger is not parsed: those of configurations are not.
const MOST_TEXT: usize = 256 << 10;

/// What is known to break when it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    JsonLines,
    Toml,
    Yaml,
    Sqlite,
    Zip,
}

/// The first bytes of a SQLite database.
pub(super) const SQLITE: &[u8] = b"SQLite format 3\0";
/// The first bytes of a zip archive with something in it.
const ZIP: &[u8] = b"PK\x03\x04";
/// The record at the end of a zip archive, and how far from the end it can begin: it has 22
/// bytes and a comment.
const ZIP_END: (&[u8], usize) = (b"PK\x05\x06", 22 + 0xffff);

impl Format {
    /// What a path of this name and content is.
    fn of(path: &str, content: &[u8]) -> Option<Self> {
        let name = super::names::base(path).to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        Some(match () {
            () if content.starts_with(SQLITE) => Self::Sqlite,
            () if content.starts_with(ZIP) => Self::Zip,
            () if ends(&[".json", ".ipynb", ".geojson"]) => Self::Json,
            () if ends(&[".jsonl", ".ndjson"]) => Self::JsonLines,
            () if ends(&[".toml"]) => Self::Toml,
            () if ends(&[".yaml", ".yml"]) => Self::Yaml,
            () => return None,
        })
    }

    /// What is wrong with a content that is not whole; none too where that is not known.
    fn fault(self, content: &[u8]) -> Option<String> {
        match self {
            Self::Json => Some(format!("it is broken JSON: it {}", json_fault(content)?)),
            Self::JsonLines => {
                let start = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let (_, last) = content.split_at_checked(start)?;
                let fault = json_fault(last).filter(|_| !last.trim_ascii().is_empty())?;
                Some(format!("its last line, at byte {start}, is broken JSON: it {fault}"))
            }
            Self::Toml => {
                let error = text(content)?.parse::<toml::Table>().err()?;
                let at = error.span().map_or(content.len(), |span| span.start);
                Some(format!("it is broken TOML at {}", place(content, at)))
            }
            Self::Yaml => {
                let text = text(content)?;
                let error = Parser::new_from_str(text).find_map(Result::err)?;
                // At the end of a text that line is one that is not there any more.
                let last = text.lines().count().max(1);
                Some(format!("it is broken YAML at line {}", error.marker().line().min(last)))
            }
            Self::Sqlite => sqlite_fault(content),
            Self::Zip => {
                let tail = content.len().saturating_sub(ZIP_END.1);
                let mut ends = content.get(tail..)?.windows(ZIP_END.0.len());
                let has_end = ends.any(|bytes| bytes == ZIP_END.0);
                (!has_end).then(|| {
                    format!("it is a cut zip archive: its list of files is missing after {} bytes", content.len())
                })
            }
        }
    }

    /// Whether a content is surely whole.
    fn is_whole(self, content: &[u8]) -> bool {
        match self {
            Self::Json => json_fault(content).is_none(),
            Self::JsonLines => {
                let mut lines = content.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
                content.ends_with(b"\n") && lines.all(|line| json_fault(line).is_none())
            }
            Self::Toml | Self::Yaml => text(content).is_some() && self.fault(content).is_none(),
            Self::Sqlite => content.starts_with(SQLITE) && sqlite_fault(content).is_none(),
            Self::Zip => content.starts_with(ZIP) && self.fault(content).is_none(),
        }
    }
}

/// A text that is short enough to be parsed. One that is cut in a letter is none.
fn text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok().filter(|text| text.len() <= MOST_TEXT)
}

fn place(content: &[u8], at: usize) -> String {
    let line = content.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    format!("byte {at} (line {line})")
}

/// Where a content stops being JSON. Values are not kept, so its depth costs nothing.
fn json_fault(content: &[u8]) -> Option<String> {
    let error = serde_json::from_slice::<IgnoredAny>(content).err()?;
    if !error.is_eof() {
        return Some(format!("is none at line {}, column {}", error.line(), error.column()));
    }
    let (mut inside, mut escaped, mut open) = (false, false, 0_usize);
    for byte in content {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => open += 1,
            b'}' | b']' if !inside => open = open.saturating_sub(1),
            _ => {}
        }
    }
    let what = match (inside, open) {
        (true, _) => "inside a string",
        (false, 0) => "inside a value",
        (false, _) => "before what it opened is closed",
    };
    Some(format!("ends {what} at byte {}", content.len()))
}

/// What the header of a database says against its size (https://sqlite.org/fileformat.html#the_database_header).
/// SQLite itself refuses a database that has fewer pages than its header says.
fn sqlite_fault(content: &[u8]) -> Option<String> {
    let number = |at: usize| {
        let bytes = content.get(at..at + 4)?;
        Some(u64::from(u32::from_be_bytes(bytes.try_into().ok()?)))
    };
    content.starts_with(SQLITE).then_some(())?;
    let page = u64::from(u16::from_be_bytes(content.get(16..18)?.try_into().ok()?));
    let page = if page == 1 { 65536 } else { page };
    // The number of pages counts only if whoever changed the file last wrote that number too.
    let (changes, pages, valid_for) = (number(24)?, number(28)?, number(92)?);
    let said = page.is_power_of_two() && page >= 512 && pages > 0 && changes == valid_for;
    let size = content.len() as u64;
    (said && size < page * pages).then(|| format!("it is a cut database: it has {size} of {} bytes", page * pages))
}

/// Why a content is surely broken, if its format tells. `committed` is what the controls
/// leave there, each of them; `recovers` says that a log of a database is beside it.
pub(super) fn damage(
    path: &str,
    before: Option<&[u8]>,
    now: &[u8],
    committed: &[&[u8]],
    recovers: bool,
) -> Option<String> {
    let format = Format::of(path, committed.first()?)?;
    if now.is_empty() || (recovers && format == Format::Sqlite) {
        return None;
    }
    // Of what has been read before nothing is said by less than its first bytes.
    let begins = match format {
        Format::Sqlite => now.starts_with(SQLITE),
        Format::Zip => now.starts_with(ZIP),
        _ => true,
    };
    let is_whole = |content: &[u8]| !content.is_empty() && format.is_whole(content);
    let was_whole = before.is_none_or(|before| before.is_empty() || is_whole(before));
    (begins && was_whole && committed.iter().all(|content| is_whole(content))).then(|| format.fault(now)).flatten()
}

#[cfg(test)]
mod tests;
