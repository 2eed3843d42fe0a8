//! Unit files that systemd refuses or only half understands, and programs that it cannot run.

use systemd_lab_protocol::EventKind;

use super::setup::{command_failed, setup_failed};
use super::{Case, Rule, how_ended};
use crate::view::WARNING;

/// All rules of this module.
pub const RULES: &[Rule] = &[
    refused,
    unknown_setting,
    setup_failed,
    command_failed,
    died_at_start,
];

/// systemd refused the unit file.
pub fn refused(case: &Case) -> Option<String> {
    let (error, message) = case.timeline.refusal()?;
    // D-Bus errors have names with dots. Others, e.g. ECONNREFUSED, come from steps that do not ask systemd.
    if !error.contains('.') || is_of_a_signal(message) {
        return None;
    }
    // With several units, the error may be about a different one. If the unit needs that one, systemd names the needed unit.
    let is_another = case
        .timeline
        .units()
        .any(|unit| unit != case.unit && message.contains(unit));
    if is_another && !message.contains(case.unit) {
        return None;
    }
    // systemd's log gives the reason; the D-Bus error only reports the refusal.
    let reasons: Vec<String> = case
        .timeline
        .of(case.unit)
        .filter_map(|event| complaint(&event.kind))
        .collect();
    let reason = if reasons.is_empty() {
        message.trim_end_matches('.').to_owned()
    } else {
        reasons.join("; ")
    };
    Some(format!("systemd refuses {}: {reason}", case.unit))
}

/// Whether systemd refused to send a signal: the unit had ended. Its file is not at fault.
fn is_of_a_signal(message: &str) -> bool {
    [
        "No main process to kill",
        "No process to kill",
        "not loaded",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// A setting with a misspelt name, in the wrong section or with a value that systemd cannot read: systemd ignores it and
/// carries on.
pub fn unknown_setting(case: &Case) -> Option<String> {
    case.timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::UnitFile {
                message,
                line,
                priority,
                ..
            } if *priority <= WARNING && message.contains("ignoring") => {
                Some(ignored(case, *line, message.trim_end_matches('.')))
            }
            _ => None,
        })
}

/// In a list, systemd ignores only the entry that it cannot read.
fn ignored(case: &Case, line: u32, message: &str) -> String {
    let unit = case.unit;
    let rest = message.rsplit_once("ignoring: ").map(|(_, rest)| rest);
    let text = case.units.line(unit, line);
    let value = text.as_ref().and_then(|text| text.split_once('='));
    let is_a_part = match (rest, value) {
        (Some(rest), Some((_, value))) => value.contains(rest) && rest.trim() != value.trim(),
        _ => false,
    };
    match (is_a_part, rest) {
        (true, Some(rest)) if rest.starts_with('#') => format!(
            "line {line} of {unit} has a comment after its value, and systemd treats it as part of the value: {message}. A comment needs a line of its own"
        ),
        (true, _) => format!("systemd ignores a part of line {line} of {unit}: {message}"),
        (false, _) => format!("line {line} of {unit} has no effect, systemd says: {message}"),
    }
}

fn complaint(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::UnitFile {
            message, line: 0, ..
        } => Some(message.trim_end_matches('.').to_owned()),
        EventKind::UnitFile { message, line, .. } => {
            Some(format!("line {line}: {}", message.trim_end_matches('.')))
        }
        _ => None,
    }
}

/// The service ended before its start was complete, and systemd had not begun to stop it.
pub fn died_at_start(case: &Case) -> Option<String> {
    if case.entered("running").is_some() || case.failed_with("timeout") {
        return None;
    }
    let (exit, code, status) = case.main_exit()?;
    if case
        .began_to_end()
        .is_some_and(|end| end.at_us < exit.at_us)
    {
        return None;
    }
    Some(format!(
        "the service ended {} before it was ready{}",
        how_ended(code, status),
        case.last_words()
    ))
}

/// The unit ended with an error.
pub fn ended_with_failure(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    (code != "exited" || status != 0).then(|| {
        format!(
            "{} ended {}{}",
            case.unit,
            how_ended(code, status),
            case.last_words()
        )
    })
}

#[cfg(test)]
mod tests;
