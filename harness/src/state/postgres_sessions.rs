//! What sessions of a PostgreSQL server hold: transactions, locks, temporary tables, and
//! the connection itself. Only text that is the same in every run names one: no pid, no
//! transaction id, no time.

use super::client::in_short;
use crate::model::Trouble;
use quietus_reports::Code;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::SimpleQueryRow;

/// Whose sessions count: those of clients, but not of Quietus.
macro_rules! others {
    () => {
        "a.backend_type = 'client backend' AND a.pid <> pg_backend_pid() AND a.application_name <> 'quietus'"
    };
}

/// The sessions of others (<https://www.postgresql.org/docs/current/monitoring-stats.html>).
pub(super) const SESSIONS: &str = concat!(
    "SELECT a.usename, a.application_name, a.state, a.query, a.wait_event_type, a.wait_event FROM pg_stat_activity a WHERE ",
    others!(),
    " ORDER BY a.backend_start"
);

/// Transactions that were prepared and neither committed nor rolled back.
pub(super) const LEFT_PREPARED: &str = "SELECT gid, owner, database FROM pg_prepared_xacts ORDER BY prepared";

/// Advisory locks, and locks on tables and their rows, of others. A prepared transaction has
/// no process.
pub(super) const HELD: &str = concat!(
    "SELECT l.locktype, l.mode, l.classid, l.objid, l.objsubid, n.nspname || '.' || c.relname AS relation, \
        a.application_name, a.query, l.pid IS NULL AS prepared \
     FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
     LEFT JOIN pg_class c ON l.locktype = 'relation' AND c.oid = l.relation \
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE l.granted AND (l.pid IS NULL OR (",
    others!(),
    ")) AND (l.locktype = 'advisory' OR (c.relkind IN ('r', 'p', 'm') AND l.mode <> 'AccessShareLock' \
        AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%')) ORDER BY l.mode"
);

/// Temporary tables: they go with the session that made them.
pub(super) const LEFT_TABLES: &str = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relpersistence = 't' AND c.relkind = 'r' AND c.relnamespace <> pg_my_temp_schema() ORDER BY 1";

/// What sessions are in the middle of.
pub(super) fn of_sessions(rows: &[SimpleQueryRow]) -> Vec<Trouble> {
    rows.iter().map(|row| session(|name| row.get(name).unwrap_or_default().to_owned())).collect()
}

fn session(of: impl Fn(&str) -> String) -> Trouble {
    let (query, user, application) = (of("query"), of("usename"), of("application_name"));
    let who = if application.is_empty() {
        format!("session of {user}")
    } else {
        format!("session of {user} ({application})")
    };
    let last = in_short(&query);
    let subject = if last.is_empty() { who.clone() } else { format!("{who}: {last}") };
    let waits = match (of("wait_event_type"), of("wait_event")) {
        (kind, event) if kind == "Lock" => Some(format!("it waits for a lock ({event})")),
        _ => None,
    };
    let trouble = match of("state").as_str() {
        "idle in transaction" => {
            Trouble::new(Code::OpenTransaction, subject, format!("a {who} is still inside a transaction, and idle"))
        }
        "idle in transaction (aborted)" => Trouble::new(
            Code::OpenTransaction,
            subject,
            format!("a {who} is still inside a transaction that has failed, and idle"),
        ),
        "active" | "fastpath function call" => {
            Trouble::new(Code::OpenTransaction, subject, format!("a statement of a {who} still runs: {last}"))
        }
        _ if query.trim_start().get(..6).is_some_and(|start| start.eq_ignore_ascii_case("listen")) => {
            Trouble::new(Code::ConnectionAbandoned, subject, format!("a {who} is still connected and listens: {last}"))
        }
        _ => Trouble::new(Code::ConnectionAbandoned, subject, format!("a {who} is still connected")),
    };
    let trouble = if last.is_empty() { trouble } else { trouble.with(format!("its last statement: {last}")) };
    match waits {
        Some(waits) => trouble.with(waits),
        None => trouble,
    }
}

/// Prepared transactions that stay.
pub(super) fn of_prepared(rows: &[SimpleQueryRow]) -> Vec<Trouble> {
    let of = |row: &SimpleQueryRow| {
        let text = |name: &str| row.get(name).unwrap_or_default().to_owned();
        let title = format!("the transaction `{}` is prepared, and neither committed nor rolled back", text("gid"));
        Trouble::new(Code::OpenTransaction, format!("prepared transaction {}", text("gid")), title)
            .with(format!("of {} in the database {}; it stays until COMMIT PREPARED or ROLLBACK PREPARED, also when the server is started again", text("owner"), text("database")))
    };
    rows.iter().map(of).collect()
}

/// Locks that others hold: one trouble for each advisory lock and each table.
pub(super) fn of_locks(rows: &[SimpleQueryRow]) -> Vec<Trouble> {
    let mut held: BTreeMap<(bool, String), BTreeSet<String>> = BTreeMap::new();
    let mut modes: BTreeMap<(bool, String), BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let text = |name: &str| row.get(name).unwrap_or_default();
        let advisory = text("locktype") == "advisory";
        let what = match (advisory, text("objsubid")) {
            (false, _) => text("relation").to_owned(),
            (true, "2") => format!("({}, {})", text("classid"), text("objid")),
            (true, _) => key_of(text("classid"), text("objid")),
        };
        let holder = match (text("prepared"), in_short(text("query"))) {
            ("t", _) => "held by a prepared transaction".to_owned(),
            (_, last) => format!("held by a session of {}: {last}", text("application_name")),
        };
        held.entry((advisory, what.clone())).or_default().insert(holder);
        modes.entry((advisory, what)).or_default().insert(text("mode").to_owned());
    }
    held.into_iter()
        .map(|((advisory, what), holders)| {
            let modes = modes.remove(&(advisory, what.clone())).unwrap_or_default();
            let (subject, title) = if advisory {
                (format!("advisory lock {what}"), format!("the advisory lock {what} is still held"))
            } else if modes.iter().all(|mode| matches!(mode.as_str(), "RowShareLock" | "RowExclusiveLock")) {
                (
                    format!("table {what}"),
                    format!("rows of the table {what} are still locked by a transaction that is open"),
                )
            } else {
                (format!("table {what}"), format!("the table {what} is still locked"))
            };
            let modes = modes.into_iter().collect::<Vec<_>>().join(", ");
            let mut trouble = Trouble::new(Code::DatabaseLockHeld, subject, title).with(format!("mode {modes}"));
            trouble.evidence.extend(holders);
            trouble
        })
        .collect()
}

/// An advisory lock on one number shows its upper and lower half.
fn key_of(upper: &str, lower: &str) -> String {
    match (upper.parse::<u32>(), lower.parse::<u32>()) {
        (Ok(upper), Ok(lower)) => ((u64::from(upper) << 32) | u64::from(lower)).cast_signed().to_string(),
        _ => format!("{upper}:{lower}"),
    }
}

/// Temporary tables of others.
pub(super) fn of_tables(rows: &[SimpleQueryRow]) -> Vec<Trouble> {
    let of = |row: &SimpleQueryRow| {
        let name = row.get("relname").unwrap_or_default();
        let title = format!("the temporary table {name} is still there, with the session that made it");
        Trouble::new(Code::ConnectionAbandoned, format!("temporary table {name}"), title)
    };
    rows.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(state: &str, query: &str) -> (Code, String) {
        let fields = |name: &str| match name {
            "usename" => "me",
            "application_name" => "psql",
            "state" => state,
            "query" => query,
            _ => "",
        };
        let trouble = session(|name| fields(name).to_owned());
        (trouble.code, trouble.title)
    }

    #[test]
    fn sessions_are_told_by_what_they_are_in_the_middle_of() {
        let told = |code, title: &str| (code, title.to_owned());
        assert_eq!(
            of("idle in transaction", "UPDATE t\n SET a = 1"),
            told(Code::OpenTransaction, "a session of me (psql) is still inside a transaction, and idle")
        );
        assert_eq!(
            of("active", "select pg_sleep(600)"),
            told(Code::OpenTransaction, "a statement of a session of me (psql) still runs: select pg_sleep(600)")
        );
        assert_eq!(
            of("idle", "LISTEN jobs"),
            told(Code::ConnectionAbandoned, "a session of me (psql) is still connected and listens: LISTEN jobs")
        );
        assert_eq!(of("idle", "COMMIT"), told(Code::ConnectionAbandoned, "a session of me (psql) is still connected"));
    }

    #[test]
    fn the_key_of_an_advisory_lock_is_put_together() {
        assert_eq!(key_of("0", "42"), "42");
        assert_eq!(key_of("4294967295", "4294967295"), "-1");
    }
}
