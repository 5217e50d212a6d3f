//! The JSON Schema of the report, made from its types.
//!
//! The same text is committed as `reports/schema/report-1.schema.json`; a test
//! holds the two equal.

use schemars::generate::SchemaSettings;

use crate::model::{Format, Report};

/// The JSON Schema (draft 2020-12) of a report, indented, ended by a newline.
#[must_use]
pub fn report_schema() -> String {
    // What a writer puts out: a key is required unless it may be left out.
    let settings = SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<Report>();
    schema.insert("title".into(), format!("Quietus report, format {}", Format::CURRENT).into());
    // Only the number itself is a report of this format.
    if let Some(format) = schema.pointer_mut("/$defs/Format").and_then(|it| it.as_object_mut()) {
        format.insert("const".into(), Format::CURRENT.0.into());
    }
    let mut text = serde_json::to_string_pretty(&schema).expect("[quietus internal bug] a schema is plain JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
