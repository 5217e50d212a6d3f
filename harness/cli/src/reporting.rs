//! `quietus report`: reports merged, rendered and compared.

use crate::args::{BaselineArguments, DiffArguments, FormatArgument, MergeArguments, RenderArguments, ReportCommand};
use crate::exit::{Exit, Failure};
use crate::journal;
use crate::output::{self, Looks};
use crate::rendering::render;
use quietus_reports::escape::escape_terminal;
use quietus_reports::judgement::is_judged;
use quietus_reports::{Baseline, Known, MergeError, Report, Shards, Verdict, from_json, merge, to_json};
use std::fmt::Write as _;
use std::path::Path;

/// No report is larger than that.
pub(crate) const MOST_OF_A_REPORT: u64 = 1 << 30;

pub(crate) fn run(command: &ReportCommand) -> Result<Exit, Failure> {
    match command {
        ReportCommand::Merge(arguments) => merged(arguments),
        ReportCommand::Render(arguments) => rendered(arguments),
        ReportCommand::Diff(arguments) => different(arguments),
        ReportCommand::Baseline(arguments) => known(arguments),
    }
}

/// Reads a report.
pub(crate) fn report(path: &Path) -> Result<Report, Failure> {
    let text = output::read_text(path, MOST_OF_A_REPORT)?;
    if journal::is_one(&text) {
        let shown = path.display();
        return Err(Failure::usage(format!("{shown} is a journal, and a report is needed"))
            .with_help(format!("quietus report render {shown} --format json --output report.json")));
    }
    of_text(&text, path)
}

fn of_text(text: &str, path: &Path) -> Result<Report, Failure> {
    from_json(text.strip_prefix('\u{feff}').unwrap_or(text))
        .map_err(|error| Failure::usage(format!("{} is not a report: {error}", path.display())))
}

/// Reads a baseline, or takes that of a report.
pub(crate) fn baseline(path: &Path) -> Result<Baseline, Failure> {
    let text = output::read_text(path, MOST_OF_A_REPORT)?;
    Baseline::read(&text).map_err(|error| {
        Failure::usage(format!("the baseline {} cannot be read: {error}", path.display()))
            .with_help("`quietus report baseline REPORT --output FILE` writes one; a JSON report is one, too")
    })
}

/// Writes to a file, or to standard output.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    if path.as_os_str() == "-" { output::print(text) } else { output::write_file(path, text) }
}

fn merged(arguments: &MergeArguments) -> Result<Exit, Failure> {
    output::has_place(&arguments.output)?;
    let reports: Vec<Report> = arguments.reports.iter().map(|path| report(path)).collect::<Result<_, _>>()?;
    let merged = merge(reports).map_err(|error| {
        let failure = Failure::usage(format!("these reports cannot be merged: {error}"));
        if error == MergeError::DividedOtherwise {
            failure.with_help("run every shard with the same scenarios and the same --timings, or with none")
        } else {
            failure
        }
    })?;
    let missing = merged.shards.as_ref().and_then(Shards::told_missing);
    if let Some(told) = &missing {
        if !arguments.allow_missing {
            let help = "did its job fail, or its report not arrive? --allow-missing merges the others, and the verdict is never clean then";
            return Err(Failure::inconclusive(format!("{told}: nothing was written")).with_help(help));
        }
        output::complain(told);
    }
    put(&arguments.output, &to_json(&merged))?;
    // What was found is judged by the gate; what was not looked at is said here.
    Ok(if missing.is_none() { Exit::Gate(0) } else { Exit::Inconclusive })
}

fn rendered(arguments: &RenderArguments) -> Result<Exit, Failure> {
    let plan = output::places(&arguments.written.format, &arguments.written.output)?;
    // The others know a report and nothing else: a reader would take what is known for new.
    let tells = |format: FormatArgument| format == FormatArgument::Markdown;
    if arguments.baseline.is_some() && !plan.iter().all(|(format, _)| tells(*format)) {
        return Err(Failure::usage("only --format markdown says what a --baseline knows")
            .with_help("`quietus gate REPORT --baseline FILE` makes every form by what it lets pass"));
    }
    let path = &arguments.report;
    let text = output::read_text(path, MOST_OF_A_REPORT)?;
    let of_journal = || journal::report(&text, path);
    let report = if journal::is_one(&text) { of_journal()? } else { of_text(&text, path)? };
    let baseline = arguments.baseline.as_deref().map(baseline).transpose()?;
    let compared = baseline.map(|baseline| baseline.compare(&report));
    let looks = Looks { color: arguments.written.color, verbose: arguments.written.verbose };
    output::write_all(plan, looks, &|format, human| render(&report, compared.as_ref(), format, human))?;
    Ok(Exit::Gate(0))
}

fn different(arguments: &DiffArguments) -> Result<Exit, Failure> {
    let (before, now) = (report(&arguments.before)?, report(&arguments.now)?);
    let compared = Baseline::of(&before).compare(&now);
    let mut text = String::new();
    for (word, known) in [("new", &compared.new), ("fixed", &compared.fixed), ("known", &compared.known)] {
        for Known { scenario, fingerprint, code, title } in known {
            let (title, scenario, name) =
                (escape_terminal(title), escape_terminal(scenario), escape_terminal(fingerprint));
            let _ = writeln!(text, "{word:<6} {code}: {title} in {scenario} ({name})");
        }
    }
    for run in before.runs.iter().filter(|run| !now.runs.iter().any(|other| other.scenario == run.scenario)) {
        let _ = writeln!(text, "gone   {}: not run in the second report", escape_terminal(&run.scenario));
    }
    for run in now.runs.iter().filter(|run| run.verdict == Verdict::Inconclusive) {
        let _ = writeln!(text, "unsure {}: inconclusive in the second report", escape_terminal(&run.scenario));
    }
    let (new, fixed, known) = (compared.new.len(), compared.fixed.len(), compared.known.len());
    let _ = writeln!(text, "{new} new, {fixed} fixed, {known} known");
    output::print(&text)?;
    Ok(Exit::Gate(0))
}

fn known(arguments: &BaselineArguments) -> Result<Exit, Failure> {
    output::has_place(&arguments.output)?;
    let report = report(&arguments.report)?;
    if let Some(missing) = report.shards.as_ref().and_then(Shards::told_missing) {
        return Err(Failure::usage(format!("the report is a part: {missing}"))
            .with_help("merge all shards first: `quietus report merge`"));
    }
    for run in report.runs.iter().filter(|run| !is_judged(run)) {
        let name = escape_terminal(&run.scenario);
        output::complain(&format!("{name} is inconclusive: what is not found in it may be there all the same"));
    }
    put(&arguments.output, &Baseline::of(&report).write())?;
    Ok(Exit::Gate(0))
}
