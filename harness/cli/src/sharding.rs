//! Which shard of a run this machine makes: from the command line, or from what CI sets.

use crate::args::RunArguments;
use crate::exit::Failure;
use crate::output;
use crate::reporting;
use quietus_reports::{Division, Shard};

/// Where CI says it: the index and the first index, and the total.
const ENGINES: [(&str, &str, u32, &str); 4] = [
    ("GitLab", "CI_NODE_INDEX", 1, "CI_NODE_TOTAL"),
    ("Buildkite", "BUILDKITE_PARALLEL_JOB", 0, "BUILDKITE_PARALLEL_JOB_COUNT"),
    ("CircleCI", "CIRCLE_NODE_INDEX", 0, "CIRCLE_NODE_TOTAL"),
    ("Kubernetes", "JOB_COMPLETION_INDEX", 0, "QUIETUS_SHARDS"),
];

/// The part of this machine; none where it is the whole.
pub(crate) fn division(arguments: &RunArguments, quiet: bool) -> Result<Option<Division>, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (shard, from) = match arguments.shard {
        Some(shard) => (Some(shard), None),
        None => match said_by_ci(&variable)? {
            Some((shard, from)) => (Some(shard), Some(from)),
            None => (None, None),
        },
    };
    // What is named is read, whether or not it is needed.
    let before = arguments.timings.as_deref().map(reporting::report).transpose()?;
    let Some(shard) = shard.filter(|shard| shard.total() > 1) else { return Ok(None) };
    if let Some(from) = from.filter(|_| !quiet) {
        output::complain(&format!("shard {shard}, from {from}; --shard 1/1 runs everything"));
    }
    Ok(Some(match &before {
        Some(report) => Division::balanced(shard, report),
        None => Division::by_hash(shard),
    }))
}

/// What the environment says, and which variables of it.
fn said_by_ci(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<(Shard, String)>, Failure> {
    if let Some(text) = variable("QUIETUS_SHARD") {
        let shard = text.parse().map_err(|error| Failure::usage(format!("QUIETUS_SHARD is `{text}`: {error}")))?;
        return Ok(Some((shard, "QUIETUS_SHARD".to_owned())));
    }
    for (engine, index_name, first, total_name) in ENGINES {
        let Some(index) = variable(index_name) else { continue };
        let Some(total) = variable(total_name) else {
            // An index alone is no shard: every Indexed Job has one.
            continue;
        };
        let number = |text: &str| text.parse::<u32>().ok();
        let shard = number(&index)
            .zip(number(&total))
            .and_then(|(index, total)| Shard::new(index.checked_add(1)?.checked_sub(first)?, total));
        let from = format!("{index_name} and {total_name} ({engine})");
        let shard = shard.ok_or_else(|| {
            Failure::usage(format!("{index_name} is `{index}` and {total_name} is `{total}`: that is no shard"))
                .with_help("say it with --shard 2/4; --shard 1/1 runs everything")
        })?;
        return Ok(Some((shard, from)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let variable =
            |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        said_by_ci(&variable).map(|said| said.map(|(shard, _)| shard.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn each_engine_counts_in_its_own_way() {
        let shard = |variables: &[(&str, &str)]| said(variables).expect("a shard");
        assert_eq!(shard(&[]), None);
        assert_eq!(shard(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "4")]).as_deref(), Some("1/4"));
        assert_eq!(shard(&[("CI_NODE_TOTAL", "1")]), None);
        let buildkite = [("BUILDKITE_PARALLEL_JOB", "0"), ("BUILDKITE_PARALLEL_JOB_COUNT", "4")];
        assert_eq!(shard(&buildkite).as_deref(), Some("1/4"));
        assert_eq!(shard(&[("CIRCLE_NODE_INDEX", "3"), ("CIRCLE_NODE_TOTAL", "4")]).as_deref(), Some("4/4"));
        assert_eq!(shard(&[("JOB_COMPLETION_INDEX", "2")]), None);
        assert_eq!(shard(&[("JOB_COMPLETION_INDEX", "2"), ("QUIETUS_SHARDS", "3")]).as_deref(), Some("3/3"));
        let both = [("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "4"), ("QUIETUS_SHARD", "2/3")];
        assert_eq!(shard(&both).as_deref(), Some("2/3"));
    }

    #[test]
    fn what_is_no_shard_is_said() {
        for variables in [
            [("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "4")],
            [("CI_NODE_INDEX", "5"), ("CI_NODE_TOTAL", "4")],
            [("CI_NODE_INDEX", "one"), ("CI_NODE_TOTAL", "4")],
            [("CIRCLE_NODE_INDEX", "4"), ("CIRCLE_NODE_TOTAL", "4")],
        ] {
            let told = said(&variables).expect_err("no shard");
            assert!(told.contains(variables[0].0) && told.contains("--shard 2/4"), "{told}");
        }
        assert!(said(&[("QUIETUS_SHARD", "4")]).is_err());
    }
}
