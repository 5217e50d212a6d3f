//! A SQLite database: read from a copy, so that what the agent left stays as it is.

use super::{MOST, Oracle, Place, Scratch, read_all, text_of};
use crate::model::{State, Trouble};
use quietus_reports::{Code, Severity};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use rustix::fd::OwnedFd;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// The longest value, in bytes.
const LONGEST_VALUE: i32 = 64 << 20;
/// The most text of one query, in bytes.
const MOST_TEXT: usize = 256 << 20;
/// How long reading a database may take.
const PATIENCE: Duration = Duration::from_secs(15);
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
        let shown = place.shown(&self.path);
        for _ in 0..TRIES {
            let Some(file) = place.open(&self.path)? else { return Ok(State::absent()) };
            let before = stamp(&file)?;
            if self.is_locked(place, &file)? {
                let title = format!("a process that is left holds a write lock on the database {shown}");
                let trouble = Trouble::new(Code::DatabaseLockHeld, shown, title);
                // Somebody may be writing: a copy would be of no moment.
                return Ok(State { troubles: vec![trouble], ..State::default() });
            }
            let directory = self.scratch.fresh()?;
            let read = self.read_copy(place, file, &directory);
            let _ = std::fs::remove_dir_all(&directory);
            let after = place.open(&self.path)?.map(|file| stamp(&file)).transpose()?;
            if after == Some(before) {
                return read;
            }
        }
        Err(format!("{shown} is written all the time"))
    }
}

/// How often a database that changes while it is copied is copied again.
const TRIES: u32 = 5;

/// What a write to a file changes.
fn stamp(file: &OwnedFd) -> Result<(u64, u64, i64, i64, i64), String> {
    let stat = rustix::fs::fstat(file).map_err(|errno| errno.to_string())?;
    Ok((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec as i64))
}

/// Copies a file of bounded size.
fn copy(file: OwnedFd, to: &Path) -> Result<(), String> {
    use std::io::Read;
    let failed = |error: std::io::Error| format!("cannot copy the database: {error}");
    let from = std::fs::File::from(file);
    let metadata = from.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if metadata.len() > MOST {
        return Err(format!("it has {} bytes; at most {MOST} are read", metadata.len()));
    }
    let mut to = std::fs::File::create_new(to).map_err(failed)?;
    std::io::copy(&mut from.take(MOST), &mut to).map_err(failed)?;
    Ok(())
}

/// The file that a journal says belongs to a transaction over several databases, if it says
/// so: <https://www.sqlite.org/fileformat.html#the_rollback_journal>, "super-journal".
fn super_journal(journal: &[u8]) -> Option<PathBuf> {
    let word = |at: usize| Some(u32::from_be_bytes(journal.get(at..at + 4)?.try_into().ok()?) as usize);
    let end = journal.len().checked_sub(16)?;
    if journal.get(end + 8..)? != JOURNAL_MAGIC {
        return None;
    }
    let name = journal.get(end.checked_sub(word(end)?)?..end)?;
    let name = name.split(|byte| *byte == 0).next()?;
    use std::os::unix::ffi::OsStrExt;
    (!name.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(name)))
}

impl SqliteOracle {
    /// Whether a process of the agent holds a lock for writing on the database, or on the
    /// memory by which those who use its WAL agree.
    fn is_locked(&self, place: &dyn Place, file: &OwnedFd) -> Result<bool, String> {
        let identity = |file: &OwnedFd| stamp(file).map(|stamp| (stamp.0, stamp.1));
        let mut own = vec![identity(file)?];
        if let Some(shared) = place.open(&beside(&self.path, "-shm"))? {
            own.push(identity(&shared)?);
        }
        for path in place.locked() {
            if let Ok(Some(locked)) = place.open(Path::new(&path))
                && own.contains(&identity(&locked)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Copies the rollback journal, if there is one that counts. SQLite would look for the
    /// super-journal that it may name on this machine, and may remove it: that is looked for
    /// in the agent's place instead, and the copy names none.
    fn copy_journal(&self, place: &dyn Place, to: &Path) -> Result<(), String> {
        let path = beside(&self.path, "-journal");
        let Some(file) = place.open(&path)? else { return Ok(()) };
        let mut journal = read_all(file, &path)?;
        if let Some(named) = super_journal(&journal)
            && place.open(&named)?.is_none()
        {
            // It is gone, so the transaction was committed and this journal is over.
            return Ok(());
        }
        // Now it ends with no magic number, so whatever stands before that is no name.
        journal.extend([0; 8]);
        std::fs::write(to, journal).map_err(|error| format!("cannot copy the journal: {error}"))
    }

    fn read_copy(&self, place: &mut dyn Place, file: OwnedFd, directory: &Path) -> Result<State, String> {
        let database = directory.join("copy");
        let empty = stamp(&file)?.2 == 0;
        copy(file, &database)?;
        let mut troubles = Vec::new();
        self.copy_journal(place, &beside(&database, "-journal"))?;
        if let Some(file) = place.open(&beside(&self.path, "-wal"))? {
            copy(file, &beside(&database, "-wal"))?;
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
            Ok(items) if empty && items.is_empty() => {
                Ok(State { troubles, ..State::of(items) }.because("is an empty file"))
            }
            Ok(items) => Ok(State { troubles, ..State::of(items) }),
            Err(Failure::Damaged(why)) => {
                troubles.push(corrupt(why));
                Ok(State { troubles, ..State::default() }.because("is no sound database"))
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
            Some(ErrorCode::OperationInterrupted) => {
                Self::Asked(format!("it takes longer than {}s: name a smaller query", PATIENCE.as_secs()))
            }
            _ => Self::Asked(error.to_string()),
        }
    }
}

fn content(database: &Path, query: Option<&str>) -> Result<Vec<(String, String)>, Failure> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Its schema is the agent's.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let until = Instant::now() + PATIENCE;
    connection.progress_handler(1000, Some(move || Instant::now() > until));
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
    if !statement.readonly() {
        return Err(Failure::Asked(format!("`{query}` is no query: it writes")));
    }
    let columns = statement.column_count();
    let (mut lines, mut total) = (Vec::new(), 0);
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values: Vec<String> =
            (0..columns).map(|column| row.get_ref(column).map(value)).collect::<Result<_, _>>()?;
        let line = values.join(" | ");
        total += line.len();
        if total > MOST_TEXT {
            return Err(Failure::Asked(format!("`{query}` gives more than {MOST_TEXT} bytes: name a smaller query")));
        }
        lines.push(line);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_names_its_super_journal_at_its_end() {
        let mut journal = b"pages".to_vec();
        assert_eq!(super_journal(&journal), None);
        journal.extend(b"/home/somebody/keep");
        journal.extend(19u32.to_be_bytes());
        journal.extend(0u32.to_be_bytes());
        journal.extend(JOURNAL_MAGIC);
        assert_eq!(super_journal(&journal).as_deref(), Some(Path::new("/home/somebody/keep")));
        journal.extend([0; 8]);
        assert_eq!(super_journal(&journal), None);
        assert_eq!(super_journal(&JOURNAL_MAGIC), None);
    }
}
