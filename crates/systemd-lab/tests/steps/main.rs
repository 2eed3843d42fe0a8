//! Every step of a scenario against real services, and services that attack the guest: see the modules.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod ends;
mod forging;
mod isolation;
mod later;
mod plans;
mod probes;
mod requests;
mod settings;
mod sight;
mod truth;
mod units;
mod waiting;

use systemd_lab::Timeline;
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::{ResponseOutcome, StepOutcome};

/// How each step ended, in order. Steps that never began are left out.
fn outcomes(timeline: &Timeline) -> Vec<&StepOutcome> {
    fn outcome(kind: &EventKind) -> Option<&StepOutcome> {
        match kind {
            EventKind::StepEnded { outcome, .. } => Some(outcome),
            _ => None,
        }
    }
    timeline
        .events()
        .iter()
        .filter_map(|event| outcome(&event.kind))
        .collect()
}

/// Fails unless every step was carried out.
fn assert_all_done(timeline: &Timeline, steps: usize) {
    let outcomes = outcomes(timeline);
    assert!(
        outcomes
            .iter()
            .all(|outcome| **outcome == StepOutcome::Done),
        "{outcomes:?}"
    );
    assert_eq!(outcomes.len(), steps);
}

/// The jobs of a unit that have ended, as `TYPE RESULT`.
fn jobs(timeline: &Timeline, unit: &str) -> Vec<String> {
    let job = |kind: &EventKind| match kind {
        EventKind::JobEnded { job, result } => Some(format!("{job} {result}")),
        _ => None,
    };
    timeline
        .of(unit)
        .filter_map(|event| job(&event.kind))
        .collect()
}

/// What a unit has logged.
fn logs<'a>(timeline: &'a Timeline, unit: &'a str) -> Vec<&'a str> {
    let line = |kind: &'a EventKind| match kind {
        EventKind::Log { message, .. } => Some(message.as_str()),
        _ => None,
    };
    timeline
        .of(unit)
        .filter_map(|event| line(&event.kind))
        .collect()
}

/// Status and output of each command that was run.
fn commands(timeline: &Timeline) -> Vec<(i32, &str)> {
    fn command(kind: &EventKind) -> Option<(i32, &str)> {
        match kind {
            EventKind::Command { status, output, .. } => Some((*status, output)),
            _ => None,
        }
    }
    timeline
        .events()
        .iter()
        .filter_map(|event| command(&event.kind))
        .collect()
}

/// A whole response.
fn answered(status: u16, body: &str) -> ResponseOutcome {
    ResponseOutcome::Answered {
        status,
        body: body.to_owned(),
    }
}
