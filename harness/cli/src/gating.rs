//! `quietus gate`: a report under a policy and a baseline.

use crate::args::{FormatArgument, GateArguments};
use crate::checking::today;
use crate::exit::{Exit, Failure};
use crate::output::{self, Looks};
use crate::rendering::render;
use crate::reporting::{MOST_OF_A_REPORT, baseline, report};
use quietus_reports::{MarkdownOptions, Policy, judge, render_markdown, to_json};
use std::path::Path;

pub(crate) fn run(arguments: &GateArguments) -> Result<Exit, Failure> {
    let plan = output::places(&arguments.written.format, &arguments.written.output)?;
    let report = report(&arguments.report)?;
    let policy = match &arguments.policy {
        Some(path) => policy(path)?,
        None => Policy::default(),
    };
    let baseline = arguments.baseline.as_deref().map(baseline).transpose()?;
    let day = today().parse().map_err(|_| Failure::usage("[quietus internal bug] today is no day"))?;
    let judgement = judge(&report, &policy, baseline.as_ref(), day);
    let judged = judgement.applied_to(&report);
    let looks = Looks { color: arguments.written.color, verbose: arguments.written.verbose };
    output::write_all(plan, looks, &|format, human| match format {
        FormatArgument::Human => judgement.told(),
        FormatArgument::Markdown => render_markdown(
            &report,
            &MarkdownOptions {
                compared: judgement.compared.clone(),
                judgement: Some(judgement.clone()),
                ..MarkdownOptions::default()
            },
        ),
        FormatArgument::Json => to_json(&report),
        other => render(&judged, judgement.compared.as_ref(), other, human),
    })?;
    Ok(Exit::Gate(judgement.exit_code()))
}

fn policy(path: &Path) -> Result<Policy, Failure> {
    let text = output::read_text(path, MOST_OF_A_REPORT)?;
    Policy::read(&text).map_err(|error| {
        Failure::usage(format!("the policy {} cannot be read: {error}", path.display()))
            .with_help("the keys are severity, codes, max_findings, min_coverage, max_missed, max_racy_rate, guarantee and [[allow]]")
    })
}
