//! Why systemd restarted something again and again.

use systemd_lab::protocol::EventKind;

use crate::SUBJECT;
use crate::day;
use crate::plan::Part;
use crate::promises::{RESTARTS, needs_person};
use crate::review::Review;

/// Why systemd restarted something again and again.
pub(super) fn of_loop(review: &Review<'_>) -> Option<String> {
    let mut all = review
        .costs
        .iter()
        .flat_map(|cost| Part::ALL.map(|part| (cost, part, review.restarts(part, &cost.span))));
    let (cost, part, restarts) = all.find(|(_, _, restarts)| *restarts > RESTARTS)?;
    let unit = day::unit(part);
    let exits = review
        .events(&cost.span)
        .filter_map(|event| match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if event.is_about(&unit) && role == "main" => Some((code.as_str(), *status)),
            _ => None,
        });
    let (code, status) = exits.last()?;
    let how = match code {
        "exited" => format!("exit code {status}"),
        _ => format!("signal {status}"),
    };
    let fault = cost.planned.fault;
    let texts = SUBJECT.case_of(&unit, review.timeline).units;
    let delay = texts
        .value(&unit, "RestartSec")
        .unwrap_or_else(|| "100ms, the default".to_owned());
    Some(match needs_person(fault) {
        Some(needed) if needed == part => format!(
            "when {fault}, systemd restarted {unit} {restarts} times after {how}, and it cannot help: RestartPreventExitStatus= does not have {status}"
        ),
        _ => format!(
            "when {fault}, {unit} ended with {how} and systemd restarted it {restarts} times: it ends because something else is away, and RestartSec={delay} is too short to wait for that"
        ),
    })
}
