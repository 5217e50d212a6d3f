//! A Markdown text of bounded size, made of sections of whole items. Knows nothing of
//! reports; takes escaped text.

/// A heading or the start of a fold, items, and what ends them.
pub(super) struct Section {
    /// What stands before the items, ended by a newline.
    pub(super) open: String,
    /// Each whole in itself, ended by a newline.
    pub(super) items: Vec<String>,
    /// What stands after the items.
    pub(super) close: &'static str,
}

impl Section {
    /// Items under a heading or in a table.
    pub(super) fn plain(open: impl Into<String>, items: Vec<String>) -> Self {
        Self { open: open.into(), items, close: "\n" }
    }

    /// Items that are seen only when one asks for them. `summary` is no text of an agent.
    pub(super) fn folded(summary: &str, items: Vec<String>) -> Self {
        Self { open: format!("<details><summary>{summary}</summary>\n\n"), items, close: "\n</details>\n\n" }
    }
}

/// No line of [`more`] is longer, whatever its number.
const LONGEST_MORE: usize = 64;

fn more(count: usize) -> String {
    format!("\nand {count} more: see the HTML report\n")
}

/// `first`, and of the sections as much as fits into `most` bytes: whole items, in their
/// order, and how many more there are. Sections without items are not shown.
pub(super) fn fitted(first: &str, sections: &[Section], most: usize) -> String {
    if first.len() > most {
        return String::new();
    }
    let mut out = first.to_owned();
    let mut left_out = 0;
    for section in sections.iter().filter(|section| !section.items.is_empty()) {
        // Both ends, one line that counts what is left out here, and one at the very end.
        let ends = section.open.len() + section.close.len() + 2 * LONGEST_MORE;
        let room = most.saturating_sub(out.len()).saturating_sub(ends);
        let mut used = 0;
        let fits = |item: &&String| {
            used += item.len();
            used <= room
        };
        let shown: Vec<&String> = section.items.iter().take_while(fits).collect();
        if shown.is_empty() {
            left_out += section.items.len();
            continue;
        }
        out.push_str(&section.open);
        shown.iter().for_each(|item| out.push_str(item));
        if shown.len() < section.items.len() {
            out.push_str(&more(section.items.len() - shown.len()));
        }
        out.push_str(section.close);
    }
    if left_out > 0 && out.len() + LONGEST_MORE <= most {
        out.push_str(&more(left_out));
    }
    out.truncate(out.trim_end().len());
    if out.len() < most {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sections(sizes: &[Vec<usize>]) -> Vec<Section> {
        let item = |size: &usize| format!("{}\n", "x".repeat(*size));
        let section = |(i, sizes): (usize, &Vec<usize>)| {
            let items = sizes.iter().map(item).collect();
            if i % 2 == 0 { Section::plain("# a\n\n", items) } else { Section::folded("b", items) }
        };
        sizes.iter().enumerate().map(section).collect()
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let sections = sections(&[vec![50, 50, 500], vec![10, 10], vec![900]]);
        let text = fitted("first\n\n", &sections, 500);
        insta::assert_snapshot!(text, @r"
        first

        # a

        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

        and 1 more: see the HTML report

        <details><summary>b</summary>

        xxxxxxxxxx
        xxxxxxxxxx

        </details>


        and 1 more: see the HTML report
        ");
    }

    #[test]
    fn sections_without_items_are_not_there() {
        assert_eq!(fitted("first\n", &sections(&[vec![], vec![]]), 100), "first\n");
    }

    proptest! {
        #[test]
        fn the_bound_holds(sizes in prop::collection::vec(prop::collection::vec(0_usize..300, 0..9), 0..9), most in 0_usize..3000) {
            let text = fitted("first\n", &sections(&sizes), most);
            prop_assert!(text.len() <= most);
            prop_assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
            // Nothing vanishes without being counted, once there is room to say so.
            let shown = text.lines().filter(|line| !line.is_empty() && line.chars().all(|c| c == 'x')).count();
            let counted: usize = text
                .lines()
                .filter_map(|line| line.strip_prefix("and ")?.split_once(' ')?.0.parse::<usize>().ok())
                .sum();
            let all = sizes.iter().flatten().filter(|size| **size > 0).count();
            if most > 150 && !sizes.iter().flatten().any(|size| *size == 0) {
                prop_assert_eq!(shown + counted, all);
            }
        }
    }
}
