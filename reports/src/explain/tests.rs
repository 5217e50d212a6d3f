use super::*;

/// The headings of every text, in this order.
const SECTIONS: [&str; 9] = [
    "## What it means",
    "## How Quietus decides",
    "## Why it matters",
    "## How to fix it",
    "### Python",
    "### Node",
    "### Rust",
    "### Go",
    "### Shell",
];

#[test]
fn every_code_has_a_whole_text() {
    for code in Code::ALL {
        let text = explain(*code);
        let mut rest = text.as_str();
        for section in SECTIONS {
            let heading = format!("\n{section}\n\n");
            let (_, body) =
                rest.split_once(&heading).unwrap_or_else(|| panic!("{code}: no {section:?}, or not in order"));
            let body_of_section = body.split("\n##").next().unwrap_or_default();
            assert!(body_of_section.trim().len() > 30, "{code}: {section:?} says nothing");
            rest = body;
        }
    }
}

#[test]
fn texts_read_well_at_80_columns() {
    for code in Code::ALL {
        for line in explain(*code).lines() {
            assert!(line.chars().count() <= 80, "{code}: too long: {line}");
            assert!(!line.contains('\t') || line.starts_with('\t'), "{code}: tab: {line}");
            assert!(line.trim_end() == line, "{code}: trailing space: {line:?}");
        }
        assert!(explain(*code).ends_with('\n'), "{code}");
        assert_eq!(explain(*code).matches("```").count() % 2, 0, "{code}: an open code block");
    }
}

#[test]
fn every_file_belongs_to_a_code() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/explain");
    for entry in std::fs::read_dir(folder).expect("the folder of the texts") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|it| it == "md") {
            let name = path.file_stem().expect("a name").to_string_lossy();
            assert!(name.parse::<Code>().is_ok(), "{name}.md explains no code");
        }
    }
}
