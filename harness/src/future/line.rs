//! The line of the source in which a future waits: who takes its waker along stands at
//! the end of a stack that goes through the `.await`.

use backtrace::Backtrace;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Of one poll so many places are taken down. `select!` and `join!` wait in several.
const MOST: usize = 4;

/// The places at which a future waited, taken down during one poll.
#[derive(Debug, Default)]
pub(super) struct Waits {
    seen: Mutex<Vec<Backtrace>>,
}

impl Waits {
    /// Forgets what was seen before.
    pub(super) fn begin(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes down this place.
    pub(super) fn take(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MOST {
            seen.push(Backtrace::new_unresolved());
        }
    }

    /// The line of the agent's own source that waits, such as `src/lib.rs:41 in transfer`.
    pub(super) fn line(&self) -> Option<String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<String> = Vec::new();
        for place in seen.iter_mut() {
            place.resolve();
            if let Some(line) = own_line(place).filter(|line| !lines.contains(line)) {
                lines.push(line);
            }
        }
        (!lines.is_empty()).then(|| lines.join(" or "))
    }
}

/// Of one stack so many lines are told.
const DEEPEST: usize = 3;

/// Of a stack, the innermost lines that belong to no library: where it waits, and who waits
/// for that. `src/client.rs:7 in fetch, from src/lib.rs:41 in transfer`.
fn own_line(stack: &Backtrace) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for symbol in stack.frames().iter().flat_map(backtrace::BacktraceFrame::symbols) {
        // Without its hash.
        let name = symbol.name().map(|name| function(&format!("{name:#}"))).unwrap_or_default();
        if name.starts_with(OUTERMOST) || lines.len() == DEEPEST {
            break;
        }
        let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) else { continue };
        if !is_own(file, &name) {
            continue;
        }
        let line = match name.as_str() {
            "" => format!("{}:{line}", shown(file)),
            name => format!("{}:{line} in {name}", shown(file)),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| lines.join(", from "))
}

/// The innermost lines here that belong to no library.
pub(super) fn here() -> Option<String> {
    own_line(&Backtrace::new())
}

/// Whatever stands around an agent is not the agent.
const OUTERMOST: &str = "quietus::future::agent::run";

/// Whether this is the agent's and not a library's.
pub(super) fn is_own(file: &Path, function: &str) -> bool {
    let of_library = |part: &str| matches!(part, "rustc" | "registry" | ".rustup");
    let library = file.components().any(|part| part.as_os_str().to_str().is_some_and(of_library));
    // A path without a root is that of a part of the standard library.
    file.is_absolute() && !library && !function.starts_with("quietus::")
}

/// A file as one would open it from where the tests run.
fn shown(file: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| file.strip_prefix(here).ok());
    below.unwrap_or(file).to_string_lossy().into_owned()
}

/// `shop::transfer::{{closure}}::h0123456789abcdef` is `shop::transfer`.
fn function(name: &str) -> String {
    let is_hash =
        |part: &str| part.len() == 17 && part.starts_with('h') && part[1..].bytes().all(|b| b.is_ascii_hexdigit());
    let mut name = match name.rsplit_once("::") {
        Some((rest, last)) if is_hash(last) => rest,
        _ => name,
    };
    while let Some((rest, last)) = name.rsplit_once("::").filter(|(_, last)| last.starts_with('{')) {
        let _closure = last;
        name = rest;
    }
    name.trim_start_matches('<').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_and_hashes_are_no_part_of_a_name() {
        assert_eq!(function("shop::transfer::{{closure}}::h0123456789abcdef"), "shop::transfer");
        assert_eq!(function("shop::transfer::{closure#0}::{closure#1}"), "shop::transfer");
        assert_eq!(function("transfer"), "transfer");
    }

    #[test]
    fn a_library_is_not_the_agent() {
        for (file, name, own) in [
            ("/home/you/shop/src/lib.rs", "shop::transfer", true),
            ("/home/you/.cargo/registry/src/index/tokio-1.0.0/src/time/sleep.rs", "tokio::time::sleep", false),
            ("/rustc/0123/library/core/src/future/future.rs", "core::future", false),
            ("library/core/src/future/future.rs", "core::future", false),
            ("/home/you/quietus/harness/src/future/handle.rs", "quietus::future::handle::Trial::probe", false),
        ] {
            assert_eq!(is_own(Path::new(file), name), own, "{file}");
        }
    }
}
