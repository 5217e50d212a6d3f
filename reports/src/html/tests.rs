use base64::Engine as _;
use insta::assert_snapshot;
use proptest::prelude::*;
use scraper::{Html as Parsed, Node};
use serde_json::Value;
use sha2::Digest as _;
use std::collections::BTreeSet;

use super::render_html;
use crate::code::Code;
use crate::confirmed::Confirmed;
use crate::escape::is_hazard;
use crate::json::from_json;
use crate::model::{Finding, Level, Moment, NotAudited, Report, Trial, Windows};
use crate::sample;

#[path = "../../tests/scenes/filled.rs"]
mod filled;

/// The page without its style and its script, which are files of their own.
fn body(report: &Report) -> String {
    let page = render_html(report);
    let (head, rest) = page.split_once("<style>").expect("it has a style");
    let (_style, rest) = rest.split_once("</style>").expect("it ends");
    let (middle, rest) = rest.split_once("<script>").expect("it has a script");
    let (_script, end) = rest.split_once("</script>").expect("it ends");
    let (_policy, head) = head.split_once("<meta name=\"viewport\"").expect("it is for phones too");
    format!("<meta name=\"viewport\"{head}{middle}{end}")
}

fn clean() -> Report {
    let trials = (0..4).map(|i| sample::trial(i, &format!("window:{i}"))).collect();
    let mut run = sample::run(trials, vec![]);
    run.windows = Some(Windows { total: 4, covered: 4, missed: 0 });
    sample::report(vec![run])
}

fn portable() -> Report {
    let mut report = sample::report(vec![sample::run(vec![sample::trial(0, "time:250ms")], vec![])]);
    report.guarantee.level = Level::Portable;
    report.guarantee.mechanisms = vec!["subreaper".into(), "process scan".into()];
    report.guarantee.not_audited =
        vec![NotAudited { what: "System V shared memory".into(), why: "no IPC namespace".into() }];
    report
}

#[test]
fn rich() {
    assert_snapshot!(body(&sample::rich()));
}

#[test]
fn a_clean_report() {
    assert_snapshot!(body(&clean()));
}

#[test]
fn an_empty_report() {
    assert_snapshot!(body(&sample::report(vec![])));
}

#[test]
fn a_portable_report_says_what_was_not_audited() {
    assert_snapshot!(body(&portable()));
    let mut without_reasons = portable();
    without_reasons.guarantee.not_audited.clear();
    assert!(body(&without_reasons).contains("What only a sealed cell can see"));
}

#[test]
fn hashes_are_those_of_the_style_and_the_script() {
    for (text, hash) in super::policy::HASHES {
        let now = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text));
        assert_eq!(hash, now, "put the right one into policy.rs: of {} …", &text[..40]);
    }
}

/// Elements in their order with the names of their attributes, and those values of
/// attributes that name something of the page.
fn structure(page: &str) -> Vec<String> {
    let parsed = Parsed::parse_document(page);
    assert_eq!(parsed.errors, Vec::<String>::new());
    let mut seen = Vec::new();
    for node in parsed.tree.root().descendants() {
        match node.value() {
            Node::Element(element) => {
                let mut line = format!("{}{}", " ".repeat(node.ancestors().count()), element.name());
                for (name, value) in element.attrs() {
                    line.push_str(&match name {
                        "id" | "class" | "href" | "src" | "content" | "aria-labelledby" | "aria-describedby" => {
                            format!(" {name}={value}")
                        }
                        name => format!(" {name}"),
                    });
                }
                seen.push(line);
            }
            Node::Comment(_) | Node::ProcessingInstruction(_) => seen.push("not an element".to_owned()),
            Node::Document | Node::Fragment | Node::Doctype(_) | Node::Text(_) => {}
        }
    }
    seen
}

fn reports() -> Vec<Report> {
    let mut two = sample::rich();
    two.runs.extend(portable().runs);
    two.runs.push(sample::run(vec![sample::missed(0, "port:8080")], vec![sample::seen_once()]));
    two.guarantee = portable().guarantee;
    vec![sample::rich(), clean(), portable(), sample::report(vec![]), two]
}

const PAYLOADS: [&str; 9] = [
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</title></style></script><script>alert(1)</script>",
    "--><!-- <![CDATA[ ]]>",
    "</details></main></body></html><plaintext>",
    "javascript:alert(1)\" onclick=\"alert(1)",
    "\u{0}\u{1b}[2J\u{202e}\u{2028}\r\n",
    "&lt;script&gt;&#60;script&#62;&quot;",
    "</svg><style>*{display:none}</style><meta http-equiv=refresh content=0>",
];

fn filled(report: &Report, with: &dyn Fn(&str) -> String) -> Report {
    let mut value = serde_json::to_value(report).expect("a report is JSON");
    filled::fill(&mut value, with);
    from_json(&value.to_string()).expect("it is a report still")
}

/// Whatever strings hold, the page has the same elements with the same attributes.
#[test]
fn no_string_becomes_an_element() {
    for report in reports() {
        // All alike, and each with what it was, so that whatever is compared is so here too.
        let alike = structure(&render_html(&filled(&report, &|_| "quiet".to_owned())));
        let longer = structure(&render_html(&filled(&report, &|text| format!("quiet{text}"))));
        assert!(alike.len() > 30 && longer.len() > 30);
        for payload in PAYLOADS {
            let page = render_html(&filled(&report, &|_| payload.to_owned()));
            assert_eq!(structure(&page), alike, "{payload}");
            let page = render_html(&filled(&report, &|text| format!("{payload}{text}")));
            assert_eq!(structure(&page), longer, "{payload}");
        }
    }
}

#[test]
fn every_string_is_put_to_that_test() {
    let hostile = filled(&sample::rich(), &|_| "hostile".to_owned());
    let mut words = BTreeSet::new();
    fn collect(value: &Value, words: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => drop(words.insert(text.clone())),
            Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
            Value::Object(fields) => fields.values().for_each(|value| collect(value, words)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    collect(&serde_json::to_value(&hostile).expect("a report is JSON"), &mut words);
    words.remove("hostile");
    let free: Vec<&String> = words.iter().filter(|word| word.contains([' ', '/', ':', '.'])).collect();
    assert_eq!(free, Vec::<&String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn nothing_hostile_gets_through(text in any::<String>()) {
        let page = render_html(&filled(&sample::rich(), &|_| text.clone()));
        prop_assert!(!page.contains(|c: char| c != '\n' && is_hazard(c)));
        let quiet = render_html(&filled(&sample::rich(), &|_| "quiet".to_owned()));
        if !text.is_empty() {
            prop_assert_eq!(structure(&page), structure(&quiet));
        }
    }
}

#[test]
fn ids_are_there_once_and_links_lead_to_them() {
    for report in reports() {
        let page = Parsed::parse_document(&render_html(&report));
        let mut ids = BTreeSet::new();
        let mut wanted = BTreeSet::new();
        for element in page.tree.nodes().filter_map(|node| node.value().as_element()) {
            if let Some(id) = element.attr("id") {
                assert!(ids.insert(id.to_owned()), "{id} is there twice");
            }
            for name in ["aria-labelledby", "aria-describedby"] {
                wanted.extend(element.attr(name).map(str::to_owned));
            }
            if let Some(link) = element.attr("href").filter(|_| element.name() == "a") {
                wanted.insert(link.strip_prefix('#').expect("links stay on the page").to_owned());
            }
        }
        assert_eq!(wanted.difference(&ids).collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

#[test]
fn nothing_is_asked_of_a_network() {
    for report in reports() {
        let text = render_html(&report);
        assert_eq!((text.matches("http:").count(), text.matches("https:").count()), (0, 0));
        assert_eq!(text.matches("@import").count(), 0);
        assert_eq!(text.matches("url(").count(), text.matches("url(#").count());
        let page = Parsed::parse_document(&text);
        for element in page.tree.nodes().filter_map(|node| node.value().as_element()) {
            for name in ["src", "srcset", "action", "formaction", "data", "ping", "background", "style"] {
                assert_eq!(element.attr(name), None, "{} has a {name}", element.name());
            }
            let link = element.attr("href").unwrap_or("#");
            assert!(link.starts_with('#') || (element.name() == "link" && link == "data:,"), "{link}");
        }
    }
}

/// A report of so many trials at other points each, with so many findings.
fn many(trials: u32, findings: u32, text: &str) -> Report {
    let found: Vec<Finding> = (0..findings)
        .map(|i| {
            let mut one = sample::finding(Code::ALL[i as usize % Code::ALL.len()], text, &[text, text]);
            one.fingerprint = format!("{i}");
            one.confirmed = Confirmed::new(i % 4, 3.max(i % 4));
            one.evidence = vec![text.to_owned(); 20];
            let moment = |at_us: u64| Moment { at_us, since_us: at_us.checked_sub(50), what: text.to_owned() };
            one.timeline = (0..90).map(moment).collect();
            (one.cause, one.life) = (Some(text.to_owned()), Some(text.to_owned()));
            one
        })
        .collect();
    let trials: Vec<Trial> = (0..trials)
        .map(|i| {
            let mut trial = sample::trial(i, &format!("time:{i}us"));
            trial.findings = vec![format!("{}", i % findings.max(1))];
            trial
        })
        .collect();
    let mut run = sample::run(trials, found);
    run.map = sample::rich().runs[0].map.clone();
    sample::report(vec![run])
}

const MOST_BYTES: usize = 5_000_000;

#[test]
fn a_page_of_100_000_trials_is_small_and_says_what_it_lacks() {
    let page = render_html(&many(100_000, 40, "/tmp/part"));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.contains("… 99800 more are in the JSON report."));
}

#[test]
fn a_page_has_a_bound_whatever_is_in_it() {
    let hostile = "\"\u{e0001}".repeat(110);
    let page = render_html(&many(2_000, 600, &hostile));
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    assert!(page.contains("more are in the JSON report"));
    let run = filled(&sample::rich(), &|_| hostile.clone()).runs.remove(0);
    let page = render_html(&sample::report(vec![run; 1_100]));
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    assert!(page.contains("… 100 more scenarios are in the JSON report."));
}
