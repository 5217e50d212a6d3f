//! A report in each of its forms.

use crate::args::FormatArgument;
use crate::repository::repository;
use quietus_reports::{
    Compared, Gate, HumanOptions, MarkdownOptions, Report, SarifOptions, render_annotations, render_html, render_human,
    render_junit, render_markdown, render_sarif, to_json,
};

/// The report in this form. `compared` says what of it is new, for those forms that tell.
pub(crate) fn render(
    report: &Report,
    compared: Option<&Compared>,
    format: FormatArgument,
    human: HumanOptions,
) -> String {
    match format {
        FormatArgument::Human => render_human(report, human),
        FormatArgument::Json => to_json(report),
        FormatArgument::Junit => render_junit(report, Gate::default()),
        FormatArgument::Sarif => render_sarif(report, &SarifOptions::new(repository(report))),
        FormatArgument::Markdown => {
            render_markdown(report, &MarkdownOptions { compared: compared.cloned(), ..MarkdownOptions::default() })
        }
        FormatArgument::Html => render_html(report),
        FormatArgument::Annotations => render_annotations(report, &repository(report)),
    }
}
