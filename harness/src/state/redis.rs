//! A Redis database: its keys, locks that stay, and what its clients are in the middle of.

use super::client::{self, Connection, GOES_WITHIN, LOOK_EVERY, OWN_NAME, in_short};
use super::{Address, Oracle, Place, Stream, text_of};
use crate::model::{State, Trouble};
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError, Value, cmd};
use quietus_reports::Code;
use std::collections::BTreeMap;
use std::time::Instant;

/// Reads one database of a server.
///
/// A key that expires goes by itself, so it is no part of what is compared; neither is a lock
/// without an expiry, which is a trouble of its own.
#[derive(Debug)]
pub struct RedisOracle {
    /// What it is called.
    pub name: String,
    /// `redis://host:port/db`, `unix:///path` or `redis+unix:///path?db=n`.
    pub url: String,
}

/// The most keys that are read.
const MOST_KEYS: usize = 20_000;

impl Oracle for RedisOracle {
    fn name(&self) -> &str {
        &self.name
    }

    fn server(&self) -> Option<Address> {
        parse(&self.url).ok().map(|(address, _)| address)
    }

    fn read(&self, place: &mut dyn Place) -> Result<State, String> {
        let (address, settings) = parse(&self.url)?;
        client::ask(place, &address, |connection| look(connection, settings))
    }
}

fn parse(url: &str) -> Result<(Address, RedisConnectionInfo), String> {
    let wrong = |why: &str| format!("the url {url} cannot be used: {why}");
    let info = url.into_connection_info().map_err(|error| wrong(&error.to_string()))?;
    let address = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Address::Tcp { host: host.clone(), port: *port },
        ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
        _ => return Err(wrong("encrypted connections are not read")),
    };
    Ok((address, info.redis_settings().clone().set_lib_name(OWN_NAME, env!("CARGO_PKG_VERSION"))))
}

async fn look(connection: Connection, settings: RedisConnectionInfo) -> Result<State, String> {
    let said = |error: RedisError| error.to_string();
    let (mut redis, _driven) = open(connection, &settings).await?;
    let troubles = match clients_that_stay(&mut redis).await {
        Ok(troubles) => troubles,
        Err(error) if is_busy(&error) => {
            let title = "a script still runs, and the server does nothing else meanwhile";
            let trouble = Trouble::new(Code::OpenTransaction, "a script", title).with(error.to_string());
            return Ok(State { troubles: vec![trouble], ..State::default() });
        }
        Err(error) => return Err(said(error)),
    };
    let (items, locks) = keys(&mut redis).await?;
    let troubles = locks.into_iter().chain(troubles).collect();
    // A server that answers is there, also when it holds nothing.
    Ok(State { troubles, ..State::of(items) })
}

async fn open(
    connection: Connection,
    settings: &RedisConnectionInfo,
) -> Result<(MultiplexedConnection, client::Driven), String> {
    // The limit of time is one for all that is asked.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let made = MultiplexedConnection::new_with_config(settings, connection, config).await;
    let (redis, driven) = made.map_err(|error| format!("the server refuses: {error}"))?;
    Ok((redis, client::Driven::new(driven)))
}

fn is_busy(error: &RedisError) -> bool {
    error.code() == Some("BUSY")
}

/// What is wrong with clients, once those that are on their way out have gone.
async fn clients_that_stay(redis: &mut MultiplexedConnection) -> Result<Vec<Trouble>, RedisError> {
    let until = Instant::now() + GOES_WITHIN;
    loop {
        let list = list_of_clients(redis).await;
        let over = Instant::now() >= until;
        match list {
            Ok(list) => {
                let troubles: Vec<Trouble> = list.lines().filter_map(trouble_of_client).collect();
                if troubles.is_empty() || over {
                    return Ok(troubles);
                }
            }
            Err(error) if over || !is_busy(&error) => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn list_of_clients(redis: &mut MultiplexedConnection) -> Result<String, RedisError> {
    let _: Value = cmd("CLIENT").arg("SETNAME").arg(OWN_NAME).query_async(redis).await?;
    cmd("CLIENT").arg("LIST").query_async(redis).await
}

/// Whether a server answers.
///
/// # Errors
/// In words, when it does not.
pub fn redis_answers(stream: Stream) -> Result<(), String> {
    client::talk(stream, async |connection| {
        let (mut redis, _driven) = open(connection, &RedisConnectionInfo::default()).await?;
        cmd("PING").query_async::<Value>(&mut redis).await.map(drop).map_err(|error| error.to_string())
    })
}

/// One line of CLIENT LIST (<https://redis.io/docs/latest/commands/client-list/>).
fn trouble_of_client(line: &str) -> Option<Trouble> {
    let fields: BTreeMap<&str, &str> = line.split(' ').filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let flags = field("flags");
    // Ourselves, and servers that copy this one.
    if field("name") == OWN_NAME || field("lib-name") == OWN_NAME || flags.contains(['M', 'S']) {
        return None;
    }
    let name = if field("name").is_empty() { String::new() } else { format!(" `{}`", in_short(field("name"))) };
    let command = match field("cmd") {
        "" | "NULL" => "nothing yet".to_owned(),
        command => command.replace('|', " "),
    };
    let subject = format!("client{name} ({command})");
    let queued: i64 = field("multi").parse().unwrap_or(-1);
    let subscribed = [field("sub"), field("psub"), field("ssub")].iter().any(|count| !matches!(*count, "" | "0"));
    let trouble = if queued >= 0 || flags.contains('x') {
        let title = format!("a client{name} is still inside MULTI: its commands were neither executed nor discarded");
        Trouble::new(Code::OpenTransaction, subject, title).with(format!("{queued} commands are queued"))
    } else if flags.contains('b') {
        let title = format!("a client{name} still waits in {command}: it takes what comes next");
        Trouble::new(Code::ConnectionAbandoned, subject, title)
    } else if subscribed {
        let title = format!("a client{name} is still subscribed");
        Trouble::new(Code::ConnectionAbandoned, subject, title)
    } else {
        let title = format!("a client{name} is still connected");
        Trouble::new(Code::ConnectionAbandoned, subject, title)
    };
    Some(trouble.with(format!("its last command: {command}; database {}; flags {flags}", field("db"))))
}

/// What every key holds, and the locks among them.
async fn keys(redis: &mut MultiplexedConnection) -> Result<(BTreeMap<String, String>, Vec<Trouble>), String> {
    let said = |error: RedisError| error.to_string();
    let count: usize = cmd("DBSIZE").query_async(redis).await.map_err(said)?;
    if count > MOST_KEYS {
        return Err(format!("there are {count} keys; at most {MOST_KEYS} are read"));
    }
    let (mut names, mut cursor) = (Vec::<Vec<u8>>::new(), 0u64);
    loop {
        let (next, found): (u64, Vec<Vec<u8>>) =
            cmd("SCAN").arg(cursor).arg("COUNT").arg(1000).query_async(redis).await.map_err(said)?;
        names.extend(found);
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    names.sort();
    names.dedup();
    let (mut items, mut locks) = (BTreeMap::new(), Vec::new());
    for name in names {
        let expires: i64 = cmd("PTTL").arg(&name).query_async(redis).await.map_err(said)?;
        // -1: it stays; -2: it is gone by now.
        if expires != -1 {
            continue;
        }
        let shown = text_of(&name);
        let kind: String = cmd("TYPE").arg(&name).query_async(redis).await.map_err(said)?;
        let value = value(redis, &kind, &name).await.map_err(said)?;
        if is_lock(&shown) {
            let title = format!("the lock {shown} is still there, and never expires");
            let holds = format!("it holds {}", in_short(&value));
            locks.push(Trouble::new(Code::DatabaseLockHeld, shown, title).with(holds));
        } else {
            items.insert(format!("key {shown} ({kind})"), value);
        }
    }
    Ok((items, locks))
}

/// What a key holds, in an order that does not change.
async fn value(redis: &mut MultiplexedConnection, kind: &str, name: &[u8]) -> Result<String, RedisError> {
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let pairs = |flat: &[Vec<u8>], between: &str| -> Vec<String> {
        let line = |pair: &[Vec<u8>]| pair.iter().map(|part| text_of(part)).collect::<Vec<_>>().join(between);
        flat.chunks(2).map(line).collect()
    };
    let texts = |parts: &[Vec<u8>]| parts.iter().map(|part| text_of(part)).collect::<Vec<_>>();
    let lines = match kind {
        "string" => {
            let bytes: Vec<u8> = cmd("GET").arg(name).query_async(redis).await?;
            return Ok(text_of(&bytes));
        }
        "list" => {
            let all: Vec<Vec<u8>> = cmd("LRANGE").arg(name).arg(0).arg(-1).query_async(redis).await?;
            texts(&all)
        }
        "set" => {
            let all: Vec<Vec<u8>> = cmd("SMEMBERS").arg(name).query_async(redis).await?;
            sorted(texts(&all))
        }
        "hash" => {
            let all: Vec<Vec<u8>> = cmd("HGETALL").arg(name).query_async(redis).await?;
            sorted(pairs(&all, ": "))
        }
        "zset" => {
            let all: Vec<Vec<u8>> = cmd("ZRANGE").arg(name).arg(0).arg(-1).arg("WITHSCORES").query_async(redis).await?;
            pairs(&all, " at ")
        }
        "stream" => {
            // The id of an entry is the time it was added.
            let all: Vec<(String, Vec<Vec<u8>>)> = cmd("XRANGE").arg(name).arg("-").arg("+").query_async(redis).await?;
            all.iter().map(|(_, fields)| pairs(fields, ": ").join(", ")).collect()
        }
        _ => {
            // Of a module: its form in a dump ends with a checksum and is the same for the same.
            let bytes: Option<Vec<u8>> = cmd("DUMP").arg(name).query_async(redis).await?;
            return Ok(text_of(&bytes.unwrap_or_default()));
        }
    };
    Ok(text_of(lines.join("\n").as_bytes()))
}

/// Whether a key is a lock by its name: one of its words says so.
fn is_lock(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
        .iter()
        .any(|word| matches!(word.as_str(), "lock" | "locks" | "mutex" | "lease" | "leases" | "semaphore" | "redlock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_told_by_a_word_of_their_name() {
        for name in ["lock", "lock:job:7", "job.lock", "jobLock", "LOCK_A", "{a}:mutex", "lease/node", "semaphore"] {
            assert!(is_lock(name), "{name}");
        }
        for name in ["clock", "blocked-users", "release", "unlocked", "blockchain", ""] {
            assert!(!is_lock(name), "{name}");
        }
    }

    #[test]
    fn urls_name_addresses() {
        let address = |url: &str| parse(url).map(|(address, settings)| (address, settings.db()));
        let tcp = |host: &str, port| Address::Tcp { host: host.to_owned(), port };
        assert_eq!(address("redis://localhost:7000/3"), Ok((tcp("localhost", 7000), 3)));
        assert_eq!(address("redis://[::1]"), Ok((tcp("::1", 6379), 0)));
        assert_eq!(address("unix:///a/b.sock"), Ok((Address::Unix("/a/b.sock".into()), 0)));
        assert_eq!(address("redis+unix:///a/b.sock?db=2"), Ok((Address::Unix("/a/b.sock".into()), 2)));
        assert!(address("rediss://localhost").is_err());
        assert!(address("http://localhost").is_err());
    }

    #[test]
    fn clients_are_told_apart() {
        let of = |line: &str| trouble_of_client(line).map(|trouble| (trouble.code, trouble.subject));
        let line = |rest: &str| format!("id=3 addr=/r.sock:0 fd=8 name= age=1 db=0 {rest}");
        let client = |code, subject: &str| Some((code, subject.to_owned()));
        assert_eq!(of(&line("flags=x sub=0 psub=0 multi=2 cmd=set")), client(Code::OpenTransaction, "client (set)"));
        assert_eq!(
            of(&line("flags=b sub=0 psub=0 multi=-1 cmd=blpop")),
            client(Code::ConnectionAbandoned, "client (blpop)")
        );
        assert_eq!(of(&line("flags=N sub=0 psub=0 multi=-1 cmd=client|list lib-name=quietus")), None);
        assert_eq!(of("name=quietus flags=N multi=-1 cmd=client|list"), None);
    }
}
