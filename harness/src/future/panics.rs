//! Panics of an agent, caught and told where they were, without a word on standard error.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// While an agent runs on this thread: what its panic said.
    static SAID: RefCell<Option<Option<String>>> = const { RefCell::new(None) };
}

static HOOKED: Once = Once::new();

/// Runs this, and says how it panicked: the message, and the line.
pub(super) fn caught<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    HOOKED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !note(info) {
                before(info);
            }
        }));
    });
    let outer = SAID.replace(Some(None));
    let result = catch_unwind(AssertUnwindSafe(what));
    let said = SAID.replace(outer).flatten();
    result.map_err(|_| said.unwrap_or_else(|| "it panicked".to_owned()))
}

/// Keeps what a panic says, if an agent runs on this thread.
fn note(info: &PanicHookInfo<'_>) -> bool {
    SAID.with_borrow_mut(|said| {
        let Some(said) = said else { return false };
        let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        *said = Some(format!("{}{place}", info.payload_as_str().unwrap_or("a panic without a message")));
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
    }
}
