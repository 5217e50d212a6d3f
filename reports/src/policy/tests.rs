use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::escape::is_hazard;

fn read(text: &str) -> Policy {
    Policy::read(text).unwrap_or_else(|error| panic!("{error}"))
}

fn wrong(text: &str) -> String {
    Policy::read(text).expect_err("must not be read").to_string()
}

fn allow(line: &str) -> String {
    wrong(&format!("[[allow]]\ncode = \"temp-file\"\nreason = \"r\"\n{line}"))
}

#[test]
fn every_key() {
    let policy = read(
        r#"
        severity = "warn"
        codes.fail = ["fd-open-at-exit", "temp-file"]
        codes.warn = ["slow-termination"]
        max_findings = 3
        min_coverage = 1
        max_missed = 0.25
        max_racy_rate = 0
        guarantee = "full"
        [[allow]]
        code = "orphan-process"
        reason = "tracked"
        [[allow]]
        code = "temp-file"
        subject = "/tmp/pip-*"
        scenario = "install*"
        reason = "pip"
        expires = 2030-01-31
        "#,
    );
    assert_eq!(policy.severity, Severity::Warn);
    assert_eq!(policy.codes.fail, [Code::FdOpenAtExit, Code::TempFile]);
    assert_eq!(policy.codes.warn, [Code::SlowTermination]);
    assert_eq!(policy.max_findings, 3);
    assert_eq!((policy.min_coverage, policy.max_missed, policy.max_racy_rate), (Some(1.0), Some(0.25), Some(0.0)));
    assert_eq!(policy.guarantee, Some(Level::Full));
    let [orphan, temp] = &policy.allow[..] else { panic!("{:?}", policy.allow) };
    assert_eq!((orphan.code, orphan.reason.as_str()), (Code::OrphanProcess, "tracked"));
    assert!(orphan.subject.is_none() && orphan.scenario.is_none() && orphan.expires.is_none());
    assert_eq!(temp.subject.as_ref().map(Glob::text), Some("/tmp/pip-*"));
    assert_eq!(temp.scenario.as_ref().map(Glob::text), Some("install*"));
    assert_eq!(temp.expires, Some(jiff::civil::date(2030, 1, 31)));
}

#[test]
fn each_key_may_be_left_out() {
    for text in ["", "\n# nothing\n", "\u{feff}", "codes = {}\nallow = []"] {
        let policy = read(text);
        assert_eq!(policy.severity, Severity::Error);
        assert!(policy.codes.fail.is_empty() && policy.codes.warn.is_empty() && policy.allow.is_empty());
        assert_eq!(policy.max_findings, 0);
        assert_eq!((policy.min_coverage, policy.max_missed, policy.max_racy_rate), (None, None, None));
        assert_eq!(policy.guarantee, None);
    }
}

#[test]
fn keys_that_are_not_known() {
    assert_snapshot!(wrong("severity = \"warn\"\nmax_mised = 0.1\n"), @"
    line 2, column 1: unknown field `max_mised`, expected one of `severity`, `codes`, `max_findings`, `min_coverage`, `max_missed`, `max_racy_rate`, `guarantee`, `allow`
      max_mised = 0.1
      ^
    ");
    assert_snapshot!(wrong("codes.pass = []"), @"
    line 1, column 7: unknown field `pass`, expected `fail` or `warn`
      codes.pass = []
            ^
    ");
    assert_snapshot!(allow("until = \"2030-12-31\""), @r#"
    line 4, column 1: unknown field `until`, expected one of `code`, `subject`, `scenario`, `reason`, `expires`
      until = "2030-12-31"
      ^
    "#);
    assert_snapshot!(wrong("[[allow]]\nreason = \"r\"\n"), @"
    line 1, column 1: missing field `code`
      [[allow]]
      ^
    ");
    assert_snapshot!(wrong("[[allow]]\ncode = \"temp-file\"\n"), @"
    line 1, column 1: missing field `reason`
      [[allow]]
      ^
    ");
}

#[test]
fn values_of_another_type() {
    assert_snapshot!(wrong("severity = 2"), @"
    line 1, column 12: invalid type: integer `2`, expected a string
      severity = 2
                 ^
    ");
    assert_snapshot!(wrong("severity = \"high\""), @r#"
    line 1, column 12: `high` is no severity that fails: write "error" or "warn"
      severity = "high"
                 ^
    "#);
    assert_snapshot!(wrong("guarantee = \"sealed\""), @r#"
    line 1, column 13: unknown variant `sealed`, expected `portable` or `full`
      guarantee = "sealed"
                  ^
    "#);
    assert_snapshot!(wrong("max_findings = -1"), @"
    line 1, column 16: invalid value: integer `-1`, expected a whole number, 0 or more
      max_findings = -1
                     ^
    ");
    assert_snapshot!(wrong("max_findings = \"none\""), @r#"
    line 1, column 16: invalid type: string "none", expected a whole number, 0 or more
      max_findings = "none"
                     ^
    "#);
    assert_snapshot!(wrong("min_coverage = \"90%\""), @r#"
    line 1, column 16: invalid type: string "90%", expected a number from 0 to 1
      min_coverage = "90%"
                     ^
    "#);
    assert_snapshot!(wrong("codes.fail = \"temp-file\""), @r#"
    line 1, column 14: invalid type: string "temp-file", expected a list
      codes.fail = "temp-file"
                   ^
    "#);
    assert_snapshot!(wrong("[allow]\ncode = \"temp-file\""), @"
    line 1, column 1: expected a list: its tables begin with two brackets, as [[allow]]
      [allow]
      ^
    ");
    assert_snapshot!(wrong("min_coverage = 0.9 # and\nmin_coverage = 0.8"), @"
    line 2, column 1: duplicate key
      min_coverage = 0.8
      ^
    ");
    assert_snapshot!(wrong("severity ="), @"
    line 1, column 11: string values must be quoted, expected literal string
      severity =
                ^
    ");
}

#[test]
fn values_that_cannot_be_meant() {
    assert_snapshot!(wrong("min_coverage = 90"), @"
    line 1, column 16: a share is a number from 0 to 1, not 90: nine tenths are 0.9
      min_coverage = 90
                     ^
    ");
    assert_snapshot!(wrong("\nmax_missed = -0.1"), @"
    line 2, column 14: a share is a number from 0 to 1, not -0.1: nine tenths are 0.9
      max_missed = -0.1
                   ^
    ");
    assert_snapshot!(wrong("max_racy_rate = nan"), @"
    line 1, column 17: a share is a number from 0 to 1, not NaN: nine tenths are 0.9
      max_racy_rate = nan
                      ^
    ");
    assert_snapshot!(wrong("severity = \"note\""), @r#"
    line 1, column 12: a note never fails by its severity: write "error" or "warn", and name its code in codes.fail
      severity = "note"
                 ^
    "#);
    assert_snapshot!(wrong("codes.warn = [\"temp-file\", \"orphan-proces\"]"), @r#"
    line 1, column 14: unknown finding code `orphan-proces`; did you mean `orphan-process`? `quietus explain --list` shows all
      codes.warn = ["temp-file", "orphan-proces"]
                   ^
    "#);
    assert_snapshot!(wrong("codes.fail = [\"temp-file\", \"hang\"]\ncodes.warn = [\"hang\"]"), @"`hang` cannot both fail and never fail: it is in codes.fail and in codes.warn");
    assert_snapshot!(wrong("[[allow]]\ncode = \"temp-file\"\nreason = \" \\t\""), @r#"
    line 3, column 10: a reason says why, for those who read this later; it cannot be empty
      reason = " \t"
               ^
    "#);
}

#[test]
fn days_that_are_none() {
    assert_snapshot!(allow("expires = \"2030-02-30\""), @r#"
    line 4, column 11: `2030-02-30` is no day; write it as "2030-12-31"
      expires = "2030-02-30"
                ^
    "#);
    assert_snapshot!(allow("expires = \"31.12.2030\""), @r#"
    line 4, column 11: `31.12.2030` is no day; write it as "2030-12-31"
      expires = "31.12.2030"
                ^
    "#);
    assert_snapshot!(allow("expires = \"20301231\""), @r#"
    line 4, column 11: `20301231` is no day; write it as "2030-12-31"
      expires = "20301231"
                ^
    "#);
    assert_snapshot!(allow("expires = 2030-02-30"), @"
    line 4, column 11: invalid date, expected day between 01 and 28
      expires = 2030-02-30
                ^
    ");
    assert_snapshot!(allow("expires = 2030-12-31T10:00:00Z"), @r#"
    line 4, column 11: `2030-12-31T10:00:00Z` is no day; write it as "2030-12-31"
      expires = 2030-12-31T10:00:00Z
                ^
    "#);
    assert_snapshot!(allow("expires = 10:00:00"), @r#"
    line 4, column 11: `10:00:00` is no day; write it as "2030-12-31"
      expires = 10:00:00
                ^
    "#);
    assert_snapshot!(allow("expires = 20301231"), @r#"
    line 4, column 11: `20301231` is no day; write it as "2030-12-31"
      expires = 20301231
                ^
    "#);
    for day in ["\"2030-12-31\"", "2030-12-31"] {
        let policy = read(&format!("[[allow]]\ncode = \"temp-file\"\nreason = \"r\"\nexpires = {day}"));
        assert_eq!(policy.allow[0].expires, Some(jiff::civil::date(2030, 12, 31)));
    }
}

#[test]
fn patterns_that_are_none() {
    assert_snapshot!(allow("subject = \"[a\""), @r#"
    line 4, column 11: `[a` is no pattern: unclosed character class; missing ']'
      subject = "[a"
                ^
    "#);
    assert_snapshot!(allow("scenario = \"a{b\""), @r#"
    line 4, column 12: `a{b` is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
      scenario = "a{b"
                 ^
    "#);
    assert_snapshot!(allow(&format!("subject = \"{}\"", "?".repeat(1001))), @r#"
    line 4, column 11: a pattern has at most 1000 characters, and 32 `{` among them
      subject = "??????????????????????????????????????????????????????????…
                ^
    "#);
    assert_snapshot!(allow(&format!("subject = \"{}x{}\"", "{".repeat(33), "}".repeat(33))), @r#"
    line 4, column 11: a pattern has at most 1000 characters, and 32 `{` among them
      subject = "{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{x}}}}}}}}}}}}}}}}}}}}}}}}…
                ^
    "#);
}

#[test]
fn patterns_fit_whole_texts() {
    let fits = |pattern: &str, text: &str| {
        let quoted = toml::Value::from(pattern);
        let policy = read(&format!("[[allow]]\ncode = \"temp-file\"\nreason = \"r\"\nsubject = {quoted}"));
        policy.allow[0].subject.as_ref().expect("it is there").fits(text)
    };
    for (pattern, text) in [
        ("/tmp/*.json", "/tmp/a/b/c.json"),
        ("*telemetry*", "python3 -m telemetry.send"),
        ("*", ""),
        ("*", "two\nlines"),
        ("{a,b}?", "bx"),
        (r"a\*", "a*"),
        ("nächtlich*", "nächtlicher Export"),
        ("*.", "5 s."),
    ] {
        assert!(fits(pattern, text), "{pattern} should fit {text}");
    }
    for (pattern, text) in [("/tmp", "/tmp/a"), ("tmp/*", "/tmp/a"), (r"a\*", "ab"), ("", "a"), ("A", "a"), ("?", "ü")]
    {
        assert!(!fits(pattern, text), "{pattern} should not fit {text}");
    }
}

#[test]
fn the_deepest_and_longest_patterns_are_compiled() {
    for pattern in [
        format!("{}x{}", "{".repeat(MOST_BRACES), "}".repeat(MOST_BRACES)),
        format!("{}x", "{a,".repeat(MOST_BRACES)) + &"}".repeat(MOST_BRACES),
        "?".repeat(LONGEST_GLOB),
        "**/".repeat(LONGEST_GLOB / 3) + "x",
        "ü".repeat(LONGEST_GLOB),
    ] {
        let policy = read(&format!("[[allow]]\ncode = \"temp-file\"\nreason = \"r\"\nsubject = \"{pattern}\""));
        let subject = policy.allow[0].subject.as_ref().expect("it is there");
        assert!(!subject.fits("something else"), "{pattern}");
    }
}

#[test]
fn the_place_is_that_of_the_text() {
    let place = |text: &str| {
        let error = Policy::read(text).expect_err("must not be read");
        (error.line, error.column)
    };
    assert_eq!(place("min_coverage = 2"), (Some(1), 16));
    // A byte order mark is no character of the text, and a tab is one.
    assert_eq!(place("\u{feff}min_coverage = 2"), (Some(1), 16));
    assert_eq!(place("# ü\r\n\tmin_coverage = 2\r\n"), (Some(2), 17));
    assert_eq!(place("allow = [{ reason = \"ü\", code = \"hang\", x = 1 }]"), (Some(1), 41));
    // Of a list the beginning is told.
    assert_eq!(place("codes.fail = [ \"temp-file\", # ü\n\"ü\" ]"), (Some(1), 14));
}

#[test]
fn what_is_shown_of_a_text_is_harmless() {
    assert_snapshot!(wrong("\u{feff}# \u{1b}[2J\r\n\tmin_coverage = 2 # \u{202e}x\u{200b}\r\nmax_missed = 1\r\n"), @r#"
    line 1, column 3: invalid comment character, expected printable characters
      # \x1b[2J
        ^
    "#);
    assert_snapshot!(wrong("\"\\u001b[2J\\n\\u202E\" = 1"), @r#"
    line 1, column 1: unknown field `\x1b[2J\n\u{202e}`, expected one of `severity`, `codes`, `max_findings`, `min_coverage`, `max_missed`, `max_racy_rate`, `guarantee`, `allow`
      "\u001b[2J\n\u202E" = 1
      ^
    "#);
    assert_snapshot!(wrong("codes.fail = [\"\\u001b[31mhang\\r\\n\"]"), @r#"
    line 1, column 14: unknown finding code `\x1b[31mhang\r\n`; `quietus explain --list` shows all
      codes.fail = ["\u001b[31mhang\r\n"]
                   ^
    "#);
    assert_snapshot!(allow("expires = \"\\u001b[2J\""), @r#"
    line 4, column 11: `\x1b[2J` is no day; write it as "2030-12-31"
      expires = "\u001b[2J"
                ^
    "#);
    assert_snapshot!(allow("expires = { \"a\\n\\u202e\" = [1, 2] }"), @r#"
    line 4, column 11: `{ "a\n\u{202e}" = [1, 2] }` is no day; write it as "2030-12-31"
      expires = { "a\n\u202e" = [1, 2] }
                ^
    "#);
    assert_snapshot!(allow("subject = \"[\\u001b[2J\\n\""), @r#"
    line 4, column 11: `[\x1b[2J\n` is no pattern: unclosed character class; missing ']'
      subject = "[\u001b[2J\n"
                ^
    "#);
    assert_snapshot!(wrong("a\0b = 1"), @r#"
    line 1, column 2: invalid unquoted key, expected letters, numbers, `-`, `_`
      a\x00b = 1
       ^
    "#);
}

#[test]
fn long_lines_are_cut() {
    let text = format!("x = [{}], max_missed = 2 {}", "0, ".repeat(1000), "#".repeat(1000));
    assert_snapshot!(wrong(&text), @"
    line 1, column 3007: unexpected key or value, expected newline, `#`
      … 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ], max_missed = 2 ##########################################…
                                                                  ^
    ");
    assert_snapshot!(wrong(&format!("{} = {}", "a".repeat(2000), "b".repeat(2000))), @"
    line 1, column 2004: string values must be quoted, expected literal string
      …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
                                                                  ^
    ");
}

/// Texts near a policy, so that more than the first line of the parser is tried.
fn near() -> impl Strategy<Value = String> {
    let key = proptest::sample::select(vec![
        "severity",
        "codes.fail",
        "codes.warn",
        "max_findings",
        "min_coverage",
        "max_missed",
        "max_racy_rate",
        "guarantee",
        "[[allow]]\ncode",
        "subject",
        "scenario",
        "reason",
        "expires",
        "[codes]\nfail",
    ]);
    let value = prop_oneof![
        any::<String>().prop_map(|text| toml::Value::from(text).to_string()),
        "[\\[\\]{}a,*?!^\\\\-]{0,12}".prop_map(|text| toml::Value::from(text).to_string()),
        any::<f64>().prop_map(|number| toml::Value::from(number).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        Just("\"temp-file\"".to_owned()),
        Just("[\"temp-file\", \"hang\"]".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec((key, value), 0..8)
        .prop_map(|lines| lines.into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect())
}

fn is_harmless(text: &str) -> Result<(), TestCaseError> {
    if let Err(error) = Policy::read(text) {
        let told = error.to_string();
        prop_assert!(!told.contains(|c: char| c != '\n' && is_hazard(c)), "{told:?}");
        prop_assert!(told.lines().count() <= 3, "{told:?}");
        prop_assert!(told.lines().all(|line| line.chars().count() <= 600), "{told:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_harmlessly(text in any::<String>()) {
        is_harmless(&text)?;
    }

    #[test]
    fn any_text_near_a_policy_is_read_or_refused_harmlessly(text in near()) {
        is_harmless(&text)?;
    }

    #[test]
    fn any_pattern_is_compiled_or_refused(pattern in "([\\[\\]{}a-cü,*?!^\\\\/-]|\\PC){0,40}", text in any::<String>()) {
        let quoted = toml::Value::from(pattern);
        if let Ok(policy) = Policy::read(&format!("[[allow]]\ncode = \"hang\"\nreason = \"r\"\nsubject = {quoted}")) {
            let subject = policy.allow[0].subject.as_ref().expect("it is there");
            // Whether it fits is not known here; that it is said in both directions is.
            prop_assert_eq!(subject.fits(&text), subject.clone().fits(&text));
        }
    }
}
