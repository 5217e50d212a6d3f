//! Panics of an agent, caught and told where they were, without a word on standard error.

use super::line::{here, is_own};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

thread_local! {
    /// While an agent runs on this thread: what its panic said.
    static SAID: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

static HOOKED: Once = Once::new();

/// Runs this, and says how it panicked: the message, and the line.
pub(super) fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    collected(what).0
}

/// The same; with the panics on the way that others have caught, such as those of tasks.
pub(super) fn collected<T>(what: impl FnOnce() -> T) -> (Result<T, String>, Vec<String>) {
    HOOKED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !note(info) {
                before(info);
            }
        }));
    });
    let outer = SAID.replace(Some(Vec::new()));
    let result = catch_unwind(AssertUnwindSafe(what));
    let mut said = SAID.replace(outer).unwrap_or_default();
    let result = result.map_err(|_| said.pop().unwrap_or_else(|| "it panicked".to_owned()));
    (result, said)
}

/// Keeps what a panic says, if an agent runs on this thread.
fn note(info: &PanicHookInfo<'_>) -> bool {
    SAID.with_borrow_mut(|said| {
        let Some(said) = said else { return false };
        let at = info.location();
        let place = at.map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        // Where a library panics, the line that called it is more to the point.
        let of_library = at.is_some_and(|at| Path::new(at.file()).is_absolute() && !is_own(Path::new(at.file()), ""));
        let place = match of_library.then(here).flatten() {
            Some(line) => format!("{place}, from {line}"),
            None => place,
        };
        said.push(format!("{}{place}", info.payload_as_str().unwrap_or("a panic without a message")));
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_text_with_its_line() {
        assert_eq!(caught(|| 1), Ok(1));
        let line = line!() + 1;
        let said = caught(|| panic!("out of {}", "cheese"));
        assert_eq!(said, Err::<(), _>(format!("out of cheese at {}:{line}", file!())));
        let (result, others) = collected(|| std::panic::catch_unwind(|| panic!("out of wine")).is_err());
        assert_eq!((result, others.len()), (Ok(true), 1));
    }
}
