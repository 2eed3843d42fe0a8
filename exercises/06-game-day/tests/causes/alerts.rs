//! Why an alert is missing, or came without need.

use std::time::Duration;

use systemd_lab::diagnosis::{Case, restart};
use systemd_lab::protocol::EventKind;

use super::outage::{LONG_DELAY, given_up, long_delay, main_exit};
use crate::SUBJECT;
use crate::day;
use crate::plan::Part;
use crate::promises::{is_in_time, needs_person};
use crate::review::{Cost, Review};

/// Why an alert is missing, or one too many.
pub(super) fn of_alert(review: &Review<'_>) -> Option<String> {
    review.costs.iter().find_map(|cost| {
        let alerts = review.alerts(&cost.span);
        let fault = cost.planned.fault;
        match (needs_person(fault), alerts.len()) {
            (None, 0) => None,
            (Some(_), 1) if is_in_time(review, cost) => None,
            (Some(_), 1) => missing_alert(review, cost, true),
            (Some(_), 0) => missing_alert(review, cost, false),
            (_, _) => needless_alert(review, cost, &alerts),
        }
    })
}

fn missing_alert(review: &Review<'_>, cost: &Cost, came_late: bool) -> Option<String> {
    let part = needs_person(cost.planned.fault)?;
    let fault = cost.planned.fault;
    let unit = day::unit(part);
    let span = review.part(&cost.whole());
    let case = SUBJECT.case_of(&unit, &span);
    let restarts = review.restarts(part, &cost.span);
    let status = if part == Part::Web { 78 } else { 65 };
    // The kill itself leads to one restart, and that one finds out.
    if restarts > 1 {
        return Some(format!(
            "when {fault}, systemd restarted {unit} {restarts} times instead of calling a person: RestartPreventExitStatus= does not have {status}"
        ));
    }
    let restarted = span.first(&unit, |kind| {
        matches!(kind, EventKind::RestartScheduled { .. })
    });
    let ended = main_exit(&span, &unit);
    if let (Some(restarted), Some(ended)) = (restarted, ended) {
        let delay = Duration::from_micros(restarted.at_us.saturating_sub(ended.at_us));
        if delay >= LONG_DELAY {
            let why = long_delay(&case, restarted, delay);
            return Some(format!(
                "when {fault}, it takes a start to find out, and {why}"
            ));
        }
    }
    if came_late {
        return None;
    }
    if review.state(&unit, cost.span.start) != "running" {
        return Some(format!(
            "when {fault}, {unit} was already in the state {}",
            review.state(&unit, cost.span.start)
        ));
    }
    match case.units.value(&unit, "OnFailure") {
        None => Some(format!(
            "when {fault}, {unit} failed and nobody was told: OnFailure= is not set"
        )),
        Some(_) => restart::ALERT
            .iter()
            .find_map(|rule| rule(&case))
            .or_else(|| restart::other_unit_called(&case, &SUBJECT.unit("-alert@")))
            .or_else(|| {
                result(&case).is_none().then(|| {
                    format!(
                        "when {fault}, {unit} did not fail, and systemd starts the unit of OnFailure= only after a failure"
                    )
                })
            }),
    }
}

fn needless_alert(review: &Review<'_>, cost: &Cost, alerts: &[String]) -> Option<String> {
    let fault = cost.planned.fault;
    let part = Part::ALL.into_iter().find(|part| {
        let unit = day::unit(*part);
        alerts
            .iter()
            .any(|alert| unit.starts_with(alert.as_str()) || alert.starts_with(&unit))
    });
    let Some(part) = part else {
        return Some(format!(
            "when {fault}, there was an alert for {}",
            alerts.join(", ")
        ));
    };
    let unit = day::unit(part);
    let span = review.part(&cost.span);
    let case = SUBJECT.case_of(&unit, &span);
    if let Some(why) = given_up(&case) {
        return Some(format!("when {fault}, {why}"));
    }
    let restarts = review.restarts(part, &cost.span);
    if restarts > 0 {
        return Some(format!(
            "when {fault}, {unit} failed for a moment and systemd restarted it, but OnFailure= acts at each failure, too: RestartMode=direct leaves the failed state out"
        ));
    }
    restart::not_restarted(&case)
        .map(|why| format!("when {fault}: {why}"))
        .or_else(|| {
            let result = result(&case)?;
            Some(format!(
                "when {fault}, {unit} failed, and systemd calls the result {result}: OnFailure= acts at each failure"
            ))
        })
        .or_else(|| {
            let why = restart::called_after_success(&case)?;
            Some(format!("when {fault}, there was an alert: {why}"))
        })
}

/// With which result a unit failed, if it did.
fn result<'a>(case: &Case<'a>) -> Option<&'a str> {
    case.timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::Failed { result } => Some(result.as_str()),
            _ => None,
        })
}
