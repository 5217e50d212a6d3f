//! Tests of the whole room: texts in, renderings and values out.

mod format;
mod laws;
mod refused;
mod valid;

/// What a text gives: the scenario, or the rendering of what is wrong.
fn rendered(text: &str) -> String {
    match super::parse("agent.toml", text) {
        Ok(scenario) => format!("{scenario:#?}"),
        Err(diagnostics) => diagnostics.render(false),
    }
}

/// A text as JSON, for the schema.
fn as_json(text: &str) -> Option<serde_json::Value> {
    fn convert(value: &toml::Value) -> serde_json::Value {
        match value {
            toml::Value::String(text) => text.as_str().into(),
            toml::Value::Integer(number) => (*number).into(),
            toml::Value::Float(number) => (*number).into(),
            toml::Value::Boolean(flag) => (*flag).into(),
            toml::Value::Datetime(date) => date.to_string().into(),
            toml::Value::Array(items) => items.iter().map(convert).collect(),
            toml::Value::Table(table) => table
                .iter()
                .map(|(name, value)| (name.clone(), convert(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
    text.parse::<toml::Table>().ok().map(|table| convert(&toml::Value::Table(table)))
}
