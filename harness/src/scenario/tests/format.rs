//! The committed JSON Schema: it is the one that is made, and it agrees with the parser.

use super::super::schema;
use super::as_json;
use super::refused::REFUSED;
use super::valid::VALID;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/scenario-1.schema.json");

fn validator() -> jsonschema::Validator {
    let schema: serde_json::Value = serde_json::from_str(&schema()).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of the draft");
    jsonschema::draft202012::options().build(&schema).expect("a schema")
}

#[test]
fn the_committed_schema_is_the_one_that_is_made() {
    let made = schema();
    if std::env::var_os("QUIETUS_UPDATE").is_some() {
        std::fs::write(PATH, &made).expect(PATH);
    }
    let committed = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(committed == made, "{PATH} is not up to date: run the tests with QUIETUS_UPDATE=1");
}

#[test]
fn what_the_parser_accepts_the_schema_accepts() {
    let validator = validator();
    for (name, text) in VALID {
        let json = as_json(text).expect(name);
        let errors: Vec<String> =
            validator.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn what_the_schema_does_not_see_is_written_down() {
    let validator = validator();
    let beyond_the_schema: Vec<&str> = REFUSED
        .iter()
        .filter(|(_, text)| as_json(text).is_some_and(|json| validator.is_valid(&json)))
        .map(|(name, _)| *name)
        .collect();
    insta::assert_snapshot!(beyond_the_schema.join("\n"));
    assert!(beyond_the_schema.len() * 2 < REFUSED.len());
}
