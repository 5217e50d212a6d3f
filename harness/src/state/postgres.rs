//! A PostgreSQL database: its tables or the result of a query, and what sessions hold.

use super::client::{self, Connection, GOES_WITHIN, LOOK_EVERY, OWN_NAME};
use super::postgres_sessions::{
    HELD, LEFT_PREPARED, LEFT_TABLES, SESSIONS, of_locks, of_prepared, of_sessions, of_tables,
};
use super::{Address, Oracle, Place, Stream, text_of};
use crate::model::{State, Trouble};
use std::path::Path;
use std::time::Instant;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, SimpleQueryRow};

/// Reads a database, or what one query on it gives, in one transaction that can only read.
///
/// Sequences are no part of what is compared: what was drawn from one is never put back.
#[derive(Debug)]
pub struct PostgresOracle {
    /// What it is called.
    pub name: String,
    /// `postgresql://user@host:port/database`; a Unix socket as `?host=/directory`.
    pub url: String,
    /// What to ask. Without it the tables of all schemas but the system's are the state.
    pub query: Option<String>,
}

/// The most rows of a table that are read one by one.
const MOST_ROWS: u64 = 20_000;
/// Where Debian's server has its socket.
const USUAL_DIRECTORY: &str = "/var/run/postgresql";
/// Before anything is asked: nothing is waited for without end, and values look the same everywhere.
const SETTINGS: &str = "SET statement_timeout = '8s'; SET lock_timeout = '1s'; SET timezone = 'UTC'; \
    SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'";

impl Oracle for PostgresOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn server(&self) -> Option<Address> {
        parse(&self.url).ok().map(|(address, _)| address)
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let (address, config) = parse(&self.url)?;
        client::ask(place, &address, |connection| look(connection, config, self.query.as_deref()))
    }
}

/// Whether a server answers: not only that somebody listens, it also lets us in.
///
/// # Errors
/// In words, when it does not.
pub fn postgres_answers(stream: Stream) -> Result<(), String> {
    let mut config = Config::new();
    config.user("postgres").dbname("postgres").application_name(OWN_NAME);
    client::talk(stream, async |connection| {
        let (client, driven) = config.connect_raw(connection, NoTls).await.map_err(said)?;
        let _driven = client::Driven::new(driven);
        client.simple_query("SELECT 1").await.map(drop).map_err(said)
    })
}

fn parse(url: &str) -> Result<(Address, Config), String> {
    let wrong = |why: &str| format!("the url {url} cannot be used: {why}");
    let mut config: Config = url.parse().map_err(|error: Error| wrong(&with_source(&error)))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(wrong("encrypted connections are not read"));
    }
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let below = |directory: &Path| Address::Unix(directory.join(format!(".s.PGSQL.{port}")));
    let address = match (config.get_hostaddrs().first(), config.get_hosts().first()) {
        (Some(number), _) => Address::Tcp { host: number.to_string(), port },
        (None, Some(Host::Tcp(host))) => Address::Tcp { host: host.clone(), port },
        (None, Some(Host::Unix(directory))) => below(directory),
        (None, None) => below(Path::new(USUAL_DIRECTORY)),
    };
    config.application_name(OWN_NAME);
    Ok((address, config))
}

/// An error with what the server said: its own text is only "db error".
fn said(error: Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("the server says: {}", server.message()),
        None => with_source(&error),
    }
}

fn with_source(error: &Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

async fn look(connection: Connection, config: Config, query: Option<&str>) -> Result<State, String> {
    let (client, driven) = config.connect_raw(connection, NoTls).await.map_err(said)?;
    let _driven = client::Driven::new(driven);
    client.simple_query(SETTINGS).await.map_err(said)?;
    let troubles = troubles_that_stay(&client).await.map_err(said)?;
    let read = match query {
        Some(query) => of_query(&client, query).await.map(|rows| vec![(query.to_owned(), rows)]),
        None => whole(&client).await,
    };
    match read {
        // A database that answers is there, also when it holds nothing.
        Ok(items) => Ok(State { troubles, ..State::of(items) }),
        // Whoever holds a table is among the troubles.
        Err(error) if !troubles.is_empty() && error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            Ok(State { troubles, ..State::default() })
        }
        Err(error) => Err(said(error)),
    }
}

/// What sessions hold, once those that are on their way out have gone.
async fn troubles_that_stay(client: &Client) -> Result<Vec<Trouble>, Error> {
    let until = Instant::now() + GOES_WITHIN;
    loop {
        let mut troubles = of_sessions(&rows(client, SESSIONS).await?);
        troubles.extend(of_prepared(&rows(client, LEFT_PREPARED).await?));
        troubles.extend(of_locks(&rows(client, HELD).await?));
        troubles.extend(of_tables(&rows(client, LEFT_TABLES).await?));
        if troubles.is_empty() || Instant::now() >= until {
            return Ok(troubles);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn rows(client: &Client, query: &str) -> Result<Vec<SimpleQueryRow>, Error> {
    let messages = client.simple_query(query).await?;
    Ok(messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .collect())
}

/// A line for each row.
fn lines(rows: &[SimpleQueryRow], sorted: bool) -> String {
    let value = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| text.replace('\n', "\\n"));
    let line =
        |row: &SimpleQueryRow| (0..row.len()).map(|column| value(row.get(column))).collect::<Vec<_>>().join(" | ");
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if sorted {
        lines.sort();
    }
    let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
    text_of(text.as_bytes())
}

/// All that is read is of one moment, and nothing is changed.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

async fn of_query(client: &Client, query: &str) -> Result<String, Error> {
    client.simple_query(BEGIN).await?;
    // Without an order, rows come in any.
    let sorted = !query.to_lowercase().contains("order by");
    let rows = rows(client, query).await?;
    client.simple_query("ROLLBACK").await?;
    Ok(lines(&rows, sorted))
}

async fn whole(client: &Client) -> Result<Vec<(String, String)>, Error> {
    client.simple_query(BEGIN).await?;
    let mut items = Vec::new();
    let schema = rows(client, SCHEMA).await?;
    if !schema.is_empty() {
        items.push(("schema".to_owned(), lines(&schema, true)));
    }
    for table in rows(client, TABLES).await? {
        let (shown, quoted) = (table.get("shown").unwrap_or_default(), table.get("quoted").unwrap_or_default());
        items.push((format!("table {shown}"), of_table(client, quoted).await?));
    }
    client.simple_query("ROLLBACK").await?;
    Ok(items)
}

/// The rows of a table, or of a large one only what tells it from another.
async fn of_table(client: &Client, quoted: &str) -> Result<String, Error> {
    let measure = "SELECT count(*) AS rows, coalesce(sum(pg_column_size(t.*)), 0) AS bytes, \
        coalesce(sum(hashtext(t::text)::bigint), 0) AS hash FROM ONLY";
    let measured = rows(client, &format!("{measure} {quoted} AS t")).await?;
    let of = |name: &str| measured.first().and_then(|row| row.get(name)).unwrap_or("0");
    let number = |name: &str| of(name).parse::<u64>().unwrap_or(u64::MAX);
    if number("rows") > MOST_ROWS || number("bytes") > MOST_BYTES {
        return Ok(format!("{} rows, hash {}\n", of("rows"), of("hash")));
    }
    Ok(lines(&rows(client, &format!("SELECT * FROM ONLY {quoted}")).await?, true))
}

/// The most of a table that is read.
const MOST_BYTES: u64 = 64 << 20;

/// The tables of people, by a name that is shown and one that can be asked for.
const TABLES: &str = "\
    SELECT n.nspname || '.' || c.relname AS shown, format('%I.%I', n.nspname, c.relname) AS quoted \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND c.relpersistence <> 't' \
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1";

/// Columns, indexes, constraints and views. An index that was not finished says so.
const SCHEMA: &str = "\
    WITH o AS (SELECT c.oid, c.relkind, n.nspname || '.' || c.relname AS name \
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%') \
    SELECT 'table ' || o.name || ': ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) \
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END \
        || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') \
        FROM o JOIN pg_attribute a ON a.attrelid = o.oid LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum \
        WHERE o.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped \
    UNION ALL SELECT pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (not valid: it was not finished)' END \
        FROM o JOIN pg_index i ON i.indexrelid = o.oid \
    UNION ALL SELECT 'constraint ' || k.conname || ' on ' || o.name || ': ' || pg_get_constraintdef(k.oid) \
        FROM o JOIN pg_constraint k ON k.conrelid = o.oid \
    UNION ALL SELECT 'view ' || o.name || ': ' || pg_get_viewdef(o.oid) FROM o WHERE o.relkind = 'v'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_addresses() {
        let address = |url: &str| parse(url).map(|(address, _)| address);
        let tcp = |host: &str, port| Ok(Address::Tcp { host: host.to_owned(), port });
        assert_eq!(address("postgresql://me@localhost:7000/shop"), tcp("localhost", 7000));
        assert_eq!(address("postgres://me@[::1]/shop"), tcp("::1", 5432));
        assert_eq!(
            address("postgresql:///postgres?host=/a/b&user=postgres"),
            Ok(Address::Unix("/a/b/.s.PGSQL.5432".into()))
        );
        assert_eq!(address("postgresql:///shop"), Ok(Address::Unix("/var/run/postgresql/.s.PGSQL.5432".into())));
        for wrong in ["postgres://h/d?sslmode=require", "http://localhost", "postgres://h:x/d"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
