//! A report as JSON, with something else in each of its strings.

use serde_json::Value;

/// Keys whose strings are one of a few words.
const WORDS: [&str; 7] = ["code", "severity", "kind", "level", "verdict", "outcome", "reproduction"];

/// Puts what `with` makes of it into the place of each string that may hold anything.
pub(crate) fn fill(value: &mut Value, with: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = with(text),
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, with)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if !(value.is_string() && WORDS.contains(&key.as_str())) {
                    fill(value, with);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
