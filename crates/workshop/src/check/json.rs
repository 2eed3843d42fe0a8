//! `check --json`: one document on standard output, for programs.

use exercise_check::report::{Planned, Run};
use exercise_check::{Outcome, Verdict};
use serde::Serialize;
use systemd_lab::visible_json;

use super::Checked;
use exercise_check::stage::Stage;

/// Increased when something is removed or changes its meaning; additions do not increase it.
const VERSION: u32 = 2;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    exercises: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    number: &'a str,
    topic: &'a str,
    outcome: Outcome,
    /// The message of the compiler or the lab, if there is no verdict.
    message: Option<&'a str>,
    /// Everything that the check will judge.
    plan: &'a [Planned],
    /// The verdicts, as far as the check got.
    verdicts: &'a [Verdict],
    /// Each run in the lab: scenario, files, timeline.
    runs: &'a [Run],
}

impl<'a> One<'a> {
    fn of((exercise, checked): &'a (&Stage, Checked)) -> One<'a> {
        One {
            number: &exercise.number,
            topic: &exercise.topic,
            outcome: checked.outcome,
            message: checked.message.as_deref(),
            plan: &checked.report.plan,
            verdicts: &checked.report.verdicts,
            runs: &checked.report.runs,
        }
    }
}

pub(super) fn document(checked: &[(&Stage, Checked)]) -> serde_json::Result<String> {
    let document = serde_json::to_string_pretty(&Document {
        version: VERSION,
        exercises: checked.iter().map(One::of).collect(),
    })?;
    Ok(visible_json(&document))
}
