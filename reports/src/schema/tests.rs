use std::{env, fs, path::Path};

use serde_json::{Value, json};

use super::*;
use crate::{json::to_json, sample};

/// The only place that may write: `QUIETUS_UPDATE=1 cargo test -p quietus-reports`.
#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/report-{}.schema.json", Format::CURRENT));
    let current = report_schema();
    if env::var_os("QUIETUS_UPDATE").is_some_and(|it| it == "1") {
        fs::write(&path, &current).expect("the schema directory is writable");
    }
    let committed = fs::read_to_string(&path).expect("the schema is committed");
    assert!(
        committed == current,
        "{} is not what the types say; set QUIETUS_UPDATE=1 to write it again",
        path.display()
    );
}

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&report_schema()).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is a schema")
}

fn as_value(report: &Report) -> Value {
    serde_json::from_str(&to_json(report)).expect("a report is JSON")
}

#[test]
fn reports_are_valid() {
    let validator = validator();
    for report in [
        sample::rich(),
        sample::report(vec![]),
        sample::report(vec![sample::run(vec![sample::missed(0, "start")], vec![])]),
    ] {
        let errors: Vec<_> = validator.iter_errors(&as_value(&report)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn broken_reports_are_not_valid() {
    let validator = validator();
    let good = as_value(&sample::rich());
    for (pointer, broken) in [
        ("/format", json!(2)),
        ("/format", json!("1")),
        ("/verdict", json!("fine")),
        ("/runs/0/findings/0/code", json!("orphan-proces")),
        ("/runs/0/findings/0/severity", json!("fatal")),
        ("/runs/0/findings/0/reproduction", json!("sometimes")),
        ("/runs/0/findings/0/confirmed/rate_low", json!(44)),
        ("/runs/0/findings/0/confirmed/runs", json!(0)),
        ("/runs/0/trials/0/outcome", json!("Ended")),
        ("/runs/0/trials/0/duration_us", json!(-1)),
        ("/runs/0/findings/0/hits", json!(0.5)),
        ("/host", json!({})),
        ("/runs", json!({})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("the sample has it") = broken.clone();
        assert!(!validator.is_valid(&bad), "{pointer} = {broken} must be rejected");
    }
    for (pointer, key) in [("", "totals"), ("/runs/0", "trials"), ("/runs/0/findings/0", "replay")] {
        let mut bad = good.clone();
        let object = bad.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
        assert!(object.remove(key).is_some());
        assert!(!validator.is_valid(&bad), "a report without {pointer}/{key} must be rejected");
    }
}
