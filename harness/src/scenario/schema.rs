//! The table of the format as a JSON Schema, for editors and other tools.
//!
//! The schema accepts everything that the parser accepts. The reverse does not
//! hold: combinations of sections, regular expressions and dates are beyond it.

use super::keys::TOP;
use super::shape::{Choice, Form, Key, Section, Shape};
use crate::model::Profile;
use quietus_reports::Code;
use serde_json::{Map, Value, json};

const SPAN: &str = r"[0-9.]+(us|ms|s|m|min|h)";

/// The JSON Schema (draft 2020-12) of scenario files, format 1, with a final newline.
pub fn schema() -> String {
    let mut schema = section(&TOP);
    if let Value::Object(top) = &mut schema {
        top.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        top.insert("$id".to_owned(), json!("urn:quietus:scenario:1"));
        top.insert("title".to_owned(), json!("Quietus scenario, format 1"));
    }
    // Another package may switch serde_json to the order of insertion.
    schema.sort_all_objects();
    format!("{schema:#}\n")
}

fn section(section: &Section) -> Value {
    let keys = section.keys.iter().filter(|key| !matches!(key.shape, Shape::Later(_)));
    let properties: Map<String, Value> = keys.map(|key| (key.name.to_owned(), property(section, key))).collect();
    let mut object = json!({
        "type": "object",
        "title": section.header,
        "description": section.doc,
        "properties": properties,
        "additionalProperties": false,
    });
    let required: Vec<&str> = section.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    if !section.exactly_one.is_empty() {
        object["oneOf"] = section.exactly_one.iter().map(|name| json!({ "required": [name] })).collect();
    }
    if !section.at_most_one.is_empty() {
        object["not"] = json!({ "required": section.at_most_one });
    }
    if !section.needs.is_empty() {
        object["dependentRequired"] = section
            .needs
            .iter()
            .map(|(name, beside)| ((*name).to_owned(), json!([beside])))
            .collect::<Map<_, _>>()
            .into();
    }
    object
}

fn property(section: &Section, key: &Key) -> Value {
    let mut value = shape(&key.shape);
    let words = match &key.shape {
        Shape::Text(Form::Choice(choices)) | Shape::WordOrTable(choices, _) => meanings(choices),
        Shape::Text(Form::Profile) => {
            Profile::all().iter().map(|profile| format!("\n- {}: {}", profile.name, profile.source)).collect()
        }
        _ => String::new(),
    };
    value["title"] = json!(section.path_of(key.name));
    value["description"] = json!(format!("{}{words}", key.doc));
    if let Some(default) = key.default {
        value["default"] = serde_json::from_str(default)
            .unwrap_or_else(|_| panic!("[quietus internal bug] the default of {} is no JSON", key.name));
    }
    value
}

fn meanings(choices: &[Choice]) -> String {
    choices.iter().filter(|choice| choice.here).map(|choice| format!("\n- {}: {}", choice.name, choice.doc)).collect()
}

fn words(choices: &[Choice]) -> Vec<&'static str> {
    choices.iter().filter(|choice| choice.here).map(|choice| choice.name).collect()
}

fn shape(shape_: &Shape) -> Value {
    match shape_ {
        Shape::Text(form) => text(*form),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::List(Shape::List(item)) => json!({ "type": "array", "items": shape(&Shape::List(item)) }),
        Shape::List(Shape::Text(Form::Filled)) => {
            json!({ "type": "array", "minItems": 1, "prefixItems": [{ "type": "string", "minLength": 1 }], "items": { "type": "string" } })
        }
        Shape::List(item) => json!({ "type": "array", "minItems": 1, "items": shape(item) }),
        Shape::Table(table) => section(table),
        Shape::Tables(table) => json!({ "type": "array", "items": section(table) }),
        Shape::WordOrTable(choices, table) => {
            json!({ "anyOf": [{ "type": "string", "enum": words(choices) }, section(table)] })
        }
        Shape::Environment => {
            json!({ "type": "object", "propertyNames": { "pattern": "^[^=]+$" }, "additionalProperties": { "type": "string" } })
        }
        Shape::Later(_) => json!(false),
    }
}

fn text(form: Form) -> Value {
    let pattern = |pattern: String| json!({ "type": "string", "pattern": pattern });
    match form {
        Form::Plain | Form::Pattern => json!({ "type": "string" }),
        Form::Line => pattern(r"\S".to_owned()),
        Form::Filled | Form::Glob => json!({ "type": "string", "minLength": 1 }),
        Form::Choice(choices) => json!({ "type": "string", "enum": words(choices) }),
        Form::Span => pattern(format!("^{SPAN}$")),
        Form::Point => pattern(format!(
            r"^\+?(start$|idle$|time:{SPAN}$|output:/|file:[\s\S]|port:[0-9+]+$|process:[\s\S]|when:[\s\S]|syscall:[\s\S]|blocked:[\s\S])"
        )),
        Form::Injection => {
            let signal = r"[A-Za-z0-9]+([+-][0-9]+)?(@(leader|group|all))?";
            let trouble = format!("fault:[a-z]+=E[A-Z]+|delay:{SPAN}|stall:[A-Za-z0-9_-]+");
            let step = format!("({signal}|{SPAN}|stdin-eof|pty-hangup|parent-death|{trouble})");
            pattern(format!(r"^\s*{step}(\s*,\s*{step})*\s*$"))
        }
        Form::Profile => {
            json!({ "type": "string", "enum": Profile::all().iter().map(|profile| profile.name).collect::<Vec<_>>() })
        }
        Form::Exit => pattern(r"^([0-9]+|[A-Za-z]+[0-9]*([+-][0-9]+)?)$".to_owned()),
        Form::Code => {
            json!({ "type": "string", "enum": Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>() })
        }
        Form::Date => json!({ "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
    }
}
