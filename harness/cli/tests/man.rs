//! `quietus man`: a page for the command and for each of its subcommands.

use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

#[expect(clippy::print_stderr, reason = "what is skipped is said")]
fn main() {
    let mandoc = Command::new("mandoc").arg("-Tlint").arg("/dev/null").output().is_ok();
    if !mandoc {
        eprintln!("skipped: manual pages under mandoc: no mandoc in PATH");
    }
    let test = |name: &str, body: fn()| {
        Trial::test(name, move || {
            body();
            Ok(())
        })
    };
    let tests = vec![
        test(
            "each_command_has_a_page_and_each_page_all_its_parts",
            each_command_has_a_page_and_each_page_all_its_parts,
        ),
        test("without_a_directory_the_main_page_is_printed", without_a_directory_the_main_page_is_printed),
        test("lines_of_examples_stay_lines", lines_of_examples_stay_lines),
        test("where_nothing_can_be_written_it_says_so", where_nothing_can_be_written_it_says_so),
        test("a_reader_of_manual_pages_has_nothing_to_say", a_reader_of_manual_pages_has_nothing_to_say)
            .with_ignored_flag(!mandoc),
    ];
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}

fn quietus(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quietus")).args(words).output().expect("quietus runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The subcommands that `--help` lists, but for `help` itself.
fn subcommands() -> BTreeSet<String> {
    let help = text(&quietus(&["--help"]).stdout);
    let (_, list) = help.split_once("\nCommands:\n").expect("a list of commands");
    let (list, _) = list.split_once("\n\n").expect("its end");
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn pages(directory: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(directory).expect("the directory was made");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

fn each_command_has_a_page_and_each_page_all_its_parts() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages_in = directory.path().join("share/man1");
    let made = quietus(&["man", "--dir", pages_in.to_str().expect("text")]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    assert_eq!(text(&made.stdout), "");
    let mut wanted: BTreeSet<String> = subcommands().iter().map(|name| format!("quietus-{name}.1")).collect();
    // What a page refers to is there, too.
    let nested = ["report-baseline", "report-diff", "report-merge", "report-render"];
    wanted.extend(nested.map(|name| format!("quietus-{name}.1")));
    assert!(wanted.len() > 10, "{wanted:?}");
    wanted.insert("quietus.1".to_owned());
    assert_eq!(pages(&pages_in), wanted);
    for page in &wanted {
        let said = std::fs::read_to_string(pages_in.join(page)).expect("text");
        let name = page.trim_end_matches(".1");
        for part in [".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH OPTIONS\n"] {
            assert_eq!(said.matches(part).count(), 1, "{part:?} in {page}:\n{said}");
        }
        let title = format!("\n.TH {} 1 \"\" \"quietus {}\" Quietus\n", name, env!("CARGO_PKG_VERSION"));
        assert!(said.contains(&title), "{page}:\n{said}");
        assert!(said.contains(&format!(".SH NAME\n{} \\- ", name.replace('-', "\\-"))), "{page}:\n{said}");
    }
}

fn without_a_directory_the_main_page_is_printed() {
    let printed = quietus(&["man"]);
    assert_eq!(printed.status.code(), Some(0));
    let said = text(&printed.stdout);
    assert!(said.contains(".SH NAME\nquietus \\- Terminate any program"), "{said}");
    assert!(said.contains(".SH \"EXIT STATUS\"\n.nf\n0 clean, 1 findings"), "{said}");
    assert!(said.contains("quietus\\-check(1)"), "{said}");
}

fn lines_of_examples_stay_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = quietus(&["man", "--dir", directory.path().to_str().expect("text")]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let page = std::fs::read_to_string(directory.path().join("quietus-sweep.1")).expect("text");
    let (_, examples) = page.split_once(".SH EXAMPLES\n.nf\n").expect("examples");
    assert!(
        examples.contains("  quietus sweep \\-\\- python3 agent.py\n  quietus sweep \\-\\-send KILL"),
        "{examples}"
    );
    assert!(examples.contains("\n.fi\n"), "{examples}");
}

fn a_reader_of_manual_pages_has_nothing_to_say() {
    let directory = tempfile::tempdir().expect("a directory");
    quietus(&["man", "--dir", directory.path().to_str().expect("text")]);
    for page in pages(directory.path()) {
        let linted = Command::new("mandoc").args(["-Tlint", "-Wwarning"]).arg(directory.path().join(&page)).output();
        let linted = linted.expect("mandoc runs");
        let said = text(&linted.stdout);
        // The date is left out; and empty lines around possible values are asked for twice.
        let known = ["missing date", "br before sp", "br after sp"];
        let said: Vec<&str> = said.lines().filter(|line| !known.iter().any(|known| line.contains(known))).collect();
        assert!(said.is_empty(), "{page}: {said:#?}");
        let shown = Command::new("mandoc").args(["-Tutf8"]).arg(directory.path().join(&page)).output();
        assert!(shown.is_ok_and(|shown| shown.stdout.len() > 200), "{page}");
    }
}

fn where_nothing_can_be_written_it_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("written");
    let refused = quietus(&["man", "--dir", file.to_str().expect("text")]);
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.starts_with("error: cannot write ") && said.contains("/file: "), "{said}");
}
