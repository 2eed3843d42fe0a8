//! What a run shows that the service's author should know: findings, as data.
//!
//! A [`Finding`] has the rule, the unit, the deciding setting with its file and line, and the times at which it showed. Only at
//! the very end does it become text: [`Finding::what`], [`Finding::change`]. Rules know systemd, not exercises. Each rule looks
//! at the events of one unit, its effective properties and its unit file, and must not blame a correct service.

mod advice;
mod machine;
mod rule;
mod rules;
mod run;
mod source;
mod words;

use std::time::Duration;

use serde::Serialize;

use crate::timeline::Timeline;

pub use rule::{DependencyEnd, OomOutcome, Rule};
pub use run::of_run;
pub use source::{Asked, Harm, Sources};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The service does not work because of it.
    Error,
    /// The service works, but will not when it matters.
    Warning,
}

/// A line of a unit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file's name, e.g. `my.service` or `my.service.d/limit.conf`.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The line's text, e.g. `Restart=always`.
    pub text: String,
}

/// Something that a run shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The unit that it is about.
    pub unit: String,
    /// What was found, with the facts that its text needs.
    #[serde(flatten)]
    pub rule: Rule,
    /// The deciding setting, if a unit file of the run contains it.
    pub place: Option<Place>,
    /// When it showed, since the beginning of the run, in microseconds: at most the first ten times.
    pub at_us: Vec<u64>,
}

/// A part of systemd's message when it cannot load a file of `EnvironmentFile=`: `exec_spawn` in its execute.c.
pub(crate) const ENVIRONMENT_FILE: &str = "environment file";

/// How many times a finding keeps at most.
const MOST_TIMES: usize = 10;

impl Finding {
    fn new(unit: &str, rule: Rule, at: impl IntoIterator<Item = Duration>) -> Finding {
        let at = at.into_iter().take(MOST_TIMES);
        Finding {
            unit: unit.to_owned(),
            rule,
            place: None,
            at_us: at.map(|at| at.as_micros() as u64).collect(),
        }
    }
}

/// All findings of a run about these units: errors first, then in the order in which they showed.
pub fn find(timeline: &Timeline, sources: &Sources) -> Vec<Finding> {
    let mut findings: Vec<Finding> = sources
        .units()
        .iter()
        .flat_map(|unit| rules::of_unit(timeline, unit, sources))
        .collect();
    findings.extend(machine::of_run(timeline, sources));
    findings.sort_by_key(|finding| (finding.rule.severity(), finding.at_us.first().copied()));
    findings
}
