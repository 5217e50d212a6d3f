//! From what a scenario names to who reads it.

use super::{
    CommandOracle, DirectoryOracle, FilesOracle, GitOracle, HttpOracle, JsonOracle, Oracle, PostgresOracle,
    RedisOracle, Scratch, SqliteOracle,
};
use crate::scenario::{StateKind, StateSpec};
use std::ffi::OsString;
use std::sync::Arc;

/// Whoever reads the state that a scenario names.
pub fn oracle(spec: &StateSpec, scratch: &Arc<Scratch>) -> Arc<dyn Oracle> {
    let name = spec.name.clone();
    match &spec.kind {
        StateKind::Sqlite { path, query } => {
            Arc::new(SqliteOracle { name, path: path.into(), query: query.clone(), scratch: Arc::clone(scratch) })
        }
        StateKind::Postgres { url, query } => Arc::new(PostgresOracle { name, url: url.clone(), query: query.clone() }),
        StateKind::Redis { url } => Arc::new(RedisOracle { name, url: url.clone() }),
        StateKind::Http { url } => Arc::new(HttpOracle { name, url: url.clone() }),
        StateKind::Git { path } => Arc::new(GitOracle { name, path: path.into() }),
        StateKind::Directory { path } => Arc::new(DirectoryOracle { name, path: path.into() }),
        StateKind::Files { paths } => Arc::new(FilesOracle { name, paths: paths.iter().map(Into::into).collect() }),
        StateKind::Json { path, pointer } => Arc::new(JsonOracle { name, path: path.into(), pointer: pointer.clone() }),
        StateKind::Command { command } => {
            Arc::new(CommandOracle { name, command: command.iter().map(OsString::from).collect() })
        }
    }
}
