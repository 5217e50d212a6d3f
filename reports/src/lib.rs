//! Reports of Quietus: the model, the gate, the renderers and the schemas.
//!
//! Everything here is pure. Nothing reads a file, a clock or a process: the
//! engine hands over values, and the renderers hand back strings.
//!
//! | module | idea |
//! |---|---|
//! | [`model`] | the report as data, format 1 |
//! | [`code`] | the closed list of finding codes |
//! | [`confirmed`] | how often a finding came again, and what that makes of it |
//! | [`explain`](mod@explain) | the long text of every code |
//! | [`gate`] | from findings and trials to a verdict and an exit code |
//! | [`fingerprint`] | names that are the same in every run |
//! | [`escape`] | output of agents made harmless for a terminal |
//! | [`html`] | the report as one page that needs nothing else |
//! | [`human`] | the report for a person at a terminal |
//! | [`json`] | the report as JSON text, and back |
//! | [`shards`], [`merge`](mod@merge) | which part of the work a machine does, and their reports as one |
//! | [`policy`], [`baseline`], [`compared`] | what a team lets pass, what it knows, what is new and what is fixed |
//! | [`judgement`] | a report under a policy: what fails, and why |
//! | [`junit`] | the report as JUnit XML, for what shows tests |
//! | [`map`] | the undisturbed run as windows, and what is live in each |
//! | [`markdown`] | the report as Markdown, for job summaries and comments |
//! | [`place`] | the lines of source code that the text of an origin names |
//! | [`redact`] | a report that is the same in each run, for snapshots |
//! | [`sarif`] | the report as SARIF 2.1.0, for code scanning |
//! | [`annotations`] | findings as workflow commands, which GitHub shows beside the code |
//! | [`schema`] | the JSON Schema of that text |

pub mod annotations;
pub mod baseline;
pub mod code;
pub mod compared;
pub mod confirmed;
pub mod escape;
pub mod explain;
pub mod fingerprint;
pub mod gate;
pub mod html;
pub mod human;
pub mod json;
pub mod judgement;
pub mod junit;
pub mod map;
pub mod markdown;
pub mod merge;
pub mod model;
mod phrases;
pub mod place;
pub mod policy;
pub mod redact;
mod repository;
pub mod sarif;
pub mod schema;
pub mod shards;

pub use annotations::render_annotations;
pub use baseline::{Baseline, BaselineError};
pub use code::{Code, Group, UnknownCode};
pub use compared::{Compared, Known};
pub use confirmed::{Confirmed, Reproduction};
pub use explain::explain;
pub use gate::Gate;
pub use html::render_html;
pub use human::{HumanOptions, render_human};
pub use json::{JsonError, from_json, json_line, to_json};
pub use judgement::{Judgement, judge};
pub use junit::render_junit;
pub use map::{Life, MappedWindow, WindowMap};
pub use markdown::{MarkdownOptions, render_markdown};
pub use merge::{MergeError, merge};
pub use model::{
    AgentKind, Control, Doubt, Finding, Format, Guarantee, Host, Level, Moment, NotAudited, Origin, Outcome, Report,
    Run, Severity, Totals, Trial, Verdict, Windows,
};
pub use place::Place;
pub use policy::{Policy, PolicyError};
pub use repository::Repository;
pub use sarif::{SarifOptions, render_sarif};
pub use schema::report_schema;
pub use shards::{Division, Shard, ShardError, Shards};

#[cfg(test)]
mod sample;
