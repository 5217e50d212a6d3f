//! A SQLite database: read from a copy, so that what the agent left stays as it is.

use super::{Oracle, Place, Scratch, text_of};
use crate::model::{State, Trouble};
use quietus_reports::{Code, Severity};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use rustix::fd::OwnedFd;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads a database, or what one query on it gives.
#[derive(Debug)]
pub struct SqliteOracle {
    /// What it is called.
    pub name: String,
    /// The database file; a relative path starts in the agent's directory.
    pub path: PathBuf,
    /// What to ask. Without it the whole content is the state.
    pub query: Option<String>,
    /// Where the copy is made.
    pub scratch: Arc<Scratch>,
}

/// How long a query may take, in steps of a thousand instructions of SQLite's machine.
const STEPS: u32 = 2_000_000;
/// How a rollback journal begins (<https://www.sqlite.org/fileformat.html#the_rollback_journal>).
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// What lies beside a database while it is written.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

impl Oracle for SqliteOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let Some(file) = place.open(&self.path)? else { return Ok(State::absent()) };
        let shown = place.shown(&self.path);
        let ends = |locked: &String, end: &str| Path::new(locked).ends_with(beside(&self.path, end));
        let locked = place.locked();
        if locked.iter().any(|locked| ends(locked, "") || ends(locked, "-shm")) {
            let title = format!("a process that is left holds a write lock on the database {shown}");
            let trouble = Trouble::new(Code::DatabaseLockHeld, shown, title);
            // Somebody may be writing: a copy would be of no moment.
            return Ok(State { items: None, troubles: vec![trouble], absent: false });
        }
        let directory = self.scratch.fresh()?;
        let read = self.read_copy(place, file, &directory);
        let _ = std::fs::remove_dir_all(&directory);
        read
    }
}

fn copy(file: OwnedFd, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot copy the database: {error}");
    let mut from = std::fs::File::from(file);
    if !from.metadata().map_err(failed)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let mut to = std::fs::File::create_new(to).map_err(failed)?;
    std::io::copy(&mut from, &mut to).map_err(failed)?;
    Ok(())
}

impl SqliteOracle {
    fn read_copy(&self, place: &mut dyn Place, file: OwnedFd, directory: &Path) -> Result<State, String> {
        let database = directory.join("copy");
        let empty = std::fs::File::from(file.try_clone().map_err(|error| error.to_string())?)
            .metadata()
            .is_ok_and(|metadata| metadata.len() == 0);
        copy(file, &database)?;
        let mut troubles = Vec::new();
        for end in ["-journal", "-wal"] {
            if let Some(file) = place.open(&beside(&self.path, end))? {
                copy(file, &beside(&database, end))?;
            }
        }
        if is_hot(&beside(&database, "-journal")) {
            let path = place.shown(&beside(&self.path, "-journal"));
            let title = format!("a transaction was cut off: {path} is a hot journal");
            troubles.push(
                Trouble::new(Code::OpenTransaction, path, title)
                    .at(Severity::Note)
                    .with("whoever opens the database next rolls the transaction back with it: never remove it"),
            );
        }
        let shown = place.shown(&self.path);
        let corrupt = |why: String| {
            Trouble::new(Code::DatabaseCorrupt, shown.clone(), format!("the database {shown} is damaged")).with(why)
        };
        match content(&database, self.query.as_deref()) {
            Ok(items) => Ok(State { absent: empty && items.is_empty(), troubles, ..State::of(items) }),
            Err(Failure::Damaged(why)) => {
                troubles.push(corrupt(why));
                Ok(State { absent: false, items: None, troubles })
            }
            Err(Failure::Asked(why)) => Err(format!("{shown}: {why}")),
        }
    }
}

/// Whether a journal would be rolled back by the next who opens its database.
fn is_hot(journal: &Path) -> bool {
    use std::io::Read;
    let mut start = [0u8; 8];
    std::fs::File::open(journal).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == JOURNAL_MAGIC
}

enum Failure {
    /// It is no sound database.
    Damaged(String),
    /// The query is wrong, or something else that is not the agent's doing.
    Asked(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Asked(error.to_string()),
        }
    }
}

fn content(database: &Path, query: Option<&str>) -> Result<Vec<(String, String)>, Failure> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut steps = 0;
    connection.progress_handler(
        1000,
        Some(move || {
            steps += 1;
            steps > STEPS
        }),
    );
    let sound: Vec<String> =
        connection.prepare("PRAGMA integrity_check")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if sound != ["ok"] {
        return Err(Failure::Damaged(sound.into_iter().take(5).collect::<Vec<_>>().join("; ")));
    }
    if let Some(query) = query {
        return Ok(vec![(query.to_owned(), rows(&connection, query, false)?)]);
    }
    let mut items = Vec::new();
    let schema = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let schema = rows(&connection, schema, true)?;
    if !schema.is_empty() {
        items.push(("schema".to_owned(), schema));
    }
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in tables {
        let quoted = table.replace('"', "\"\"");
        items.push((format!("table {table}"), rows(&connection, &format!("SELECT * FROM \"{quoted}\""), true)?));
    }
    Ok(items)
}

/// What a query gives: a line for each row.
fn rows(connection: &Connection, query: &str, sorted: bool) -> Result<String, Failure> {
    let mut statement = connection.prepare(query)?;
    let columns = statement.column_count();
    let mut lines = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<String> =
            (0..columns).map(|column| row.get_ref(column).map(value)).collect::<Result<_, _>>()?;
        lines.push(values.join(" | "));
    }
    if sorted {
        lines.sort();
    }
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    Ok(text_of(text.as_bytes()))
}

fn value(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => {
            let shown: String = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
            if bytes.len() > 32 { format!("x'{shown}…' ({})", text_of(bytes)) } else { format!("x'{shown}'") }
        }
    }
}
