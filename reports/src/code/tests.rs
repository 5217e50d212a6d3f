use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn names_are_unique_and_can_be_read_back() {
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(code.as_str().parse(), Ok(*code));
        let json = serde_json::to_string(code).expect("a string");
        assert_eq!(json, format!("\"{code}\""));
        assert_eq!(serde_json::from_str::<Code>(&json).expect("a code"), *code);
    }
}

/// Codes are part of the report format: this list may only grow.
#[test]
fn the_list_is_what_users_rely_on() {
    let lines: Vec<_> =
        Code::ALL.iter().map(|code| format!("{:11} {:5} {code}", code.group().as_str(), code.severity())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn codes_are_listed_group_by_group() {
    let mut groups: Vec<_> = Code::ALL.iter().map(|code| code.group()).collect();
    groups.dedup();
    assert_eq!(groups, Group::ALL);
}

#[test]
fn a_wrong_name_gets_the_nearest_one() {
    let error = |given: &str| given.parse::<Code>().expect_err("no such code").to_string();
    insta::assert_snapshot!(error("orphan-proces"), @"unknown finding code `orphan-proces`; did you mean `orphan-process`? `quietus explain --list` shows all");
    insta::assert_snapshot!(error("xyzzy"), @"unknown finding code `xyzzy`; `quietus explain --list` shows all");
    insta::assert_snapshot!(error("temp\u{1b}file"), @r"unknown finding code `temp\x1bfile`; did you mean `temp-file`? `quietus explain --list` shows all");
    for (given, nearest) in [
        ("ORPHAN-PROCESS", Some(Code::OrphanProcess)),
        ("lockfile", Some(Code::LockFile)),
        ("git_index_lock", Some(Code::GitIndexLock)),
        ("hnag", Some(Code::Hang)),
        ("orphan", Some(Code::OrphanTask)),
        ("", None),
    ] {
        assert_eq!(given.parse::<Code>().expect_err("no such code").nearest, nearest, "{given}");
    }
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        if let Err(error) = text.parse::<Code>() {
            prop_assert!(!error.to_string().chars().any(crate::escape::is_hazard));
        }
    }
}
