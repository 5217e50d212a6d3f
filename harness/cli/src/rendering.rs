//! A report in each of its forms.

use crate::args::FormatArgument;
use quietus_reports::{
    AnnotationOptions, Compared, Gate, HumanOptions, MarkdownOptions, Report, SarifOptions, render_annotations,
    render_html, render_human, render_junit, render_markdown, render_sarif, to_json,
};
use std::path::{Path, PathBuf};

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
        FormatArgument::Sarif => {
            render_sarif(report, &SarifOptions { root: root(), ..SarifOptions::new(fallback(report)) })
        }
        FormatArgument::Markdown => {
            render_markdown(report, &MarkdownOptions { compared: compared.cloned(), ..MarkdownOptions::default() })
        }
        FormatArgument::Html => render_html(report),
        FormatArgument::Annotations => {
            render_annotations(report, &AnnotationOptions { root: root(), ..AnnotationOptions::new(fallback(report)) })
        }
    }
}

/// The folder of the repository: the nearest above the current directory that has a `.git`, or
/// that directory itself.
fn root() -> String {
    let Ok(here) = std::env::current_dir() else { return String::new() };
    let repository = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here);
    repository.to_string_lossy().into_owned()
}

/// The file at which findings without a line are shown: the first word of an agent's command,
/// after its interpreter, that is a file here.
fn fallback(report: &Report) -> String {
    let words = report.runs.iter().flat_map(|run| run.agent.iter().rev());
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let is_source = |word: &&String| here.join(word).is_file() && Path::new(word).extension().is_some();
    let source = words.into_iter().find(is_source).cloned();
    let absolute = source.map(|word| here.join(word).to_string_lossy().into_owned());
    absolute.unwrap_or_else(|| "quietus.toml".to_owned())
}
