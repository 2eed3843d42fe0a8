//! Which unit systemd starts when it gives up on a service: `OnFailure=` (systemd.unit(5)), `RestartMode=`
//! (systemd.service(5)).

use serde_json::Value;
use systemd_lab_protocol::EventKind;

use super::super::{Case, Rule, how_ended};
use super::restarts;

/// Rules for an alert that did not come, or came wrongly.
pub const ALERT: &[Rule] = &[
    called_otherwise,
    nobody_is_called,
    call_fails,
    called_between_starts,
    alert_starts_again,
    several_are_called,
    alert_ends_badly,
];

/// syslog(3): the priority of an alert.
const CRITICAL: u8 = 2;

/// The beginning of systemd's message when it cannot do what `OnFailure=` says; the unit's name follows.
const CALL_FAILS: &str = "Failed to enqueue OnFailure=";

/// No `OnFailure=`.
fn nobody_is_called(case: &Case) -> Option<String> {
    called_units(case)?.is_empty().then(|| {
        format!(
            "{} has no OnFailure= in [Unit]: systemd gives up and tells no one",
            case.unit
        )
    })
}

/// The only call for help is a command of the unit itself, which runs after every end.
fn called_otherwise(case: &Case) -> Option<String> {
    if !called_units(case)?.is_empty() {
        return None;
    }
    const COMMANDS: [&str; 4] = ["ExecStopPost", "ExecStartPre", "ExecStartPost", "ExecStop"];
    let command = COMMANDS.iter().find_map(|name| {
        let value = case.units.value(case.unit, name)?;
        value
            .contains("systemctl")
            .then(|| format!("{name}={value}"))
    })?;
    Some(format!(
        "{} has no OnFailure=; {command} runs each time, not only when systemd gives up",
        case.unit
    ))
}

/// The alert unit does not stay down, because of its own `Restart=`.
fn alert_starts_again(case: &Case) -> Option<String> {
    let called = called_units(case)?;
    called.iter().find_map(|unit| {
        let alert = Case { unit, ..*case };
        // If the alert unit hit its own start limit, the last restart was refused.
        let again = restarts(&alert).count() - usize::from(alert.is_given_up());
        (again > 0).then(|| {
            format!(
                "{unit}, which OnFailure= names, was started {} times instead of once: its own {} starts it again",
                again + 1,
                alert.as_written("Restart", "always")
            )
        })
    })
}

/// `OnFailure=` names more than one unit.
fn several_are_called(case: &Case) -> Option<String> {
    let called = called_units(case)?;
    (called.len() > 1).then(|| {
        format!(
            "OnFailure= of {} names {} units, and each of them is started: {}",
            case.unit,
            called.len(),
            called.join(", ")
        )
    })
}

/// `OnSuccess=` started a unit, which then reports an end that is not a failure.
pub fn called_after_success(case: &Case) -> Option<String> {
    let called = case.timeline.property(case.unit, "OnSuccess")?.as_array()?;
    let mut called = called.iter().filter_map(Value::as_str);
    let unit = called.find(|unit| {
        let is_start =
            |kind: &EventKind| matches!(kind, EventKind::StateChanged { from, .. } if from == "dead");
        case.timeline.first(unit, is_start).is_some()
    })?;
    Some(format!(
        "{} of {} starts {unit} when the service ends without a failure, and a stop is such an end",
        case.as_written("OnSuccess", unit),
        case.unit
    ))
}

/// systemd cannot start what `OnFailure=` names.
fn call_fails(case: &Case) -> Option<String> {
    let messages = case
        .timeline
        .of(case.unit)
        .filter_map(|event| match &event.kind {
            EventKind::Manager { message, .. } => Some(message.as_str()),
            _ => None,
        });
    let rest = messages
        .filter_map(|message| message.strip_prefix(CALL_FAILS))
        .next()?;
    let (called, reason) = rest.split_once(" job, ignoring: ")?;
    let complaint = case
        .timeline
        .of(called)
        .find_map(|event| match &event.kind {
            EventKind::UnitFile { line, message, .. } => {
                Some((line, message.trim_end_matches('.')))
            }
            _ => None,
        });
    let more = match (complaint, called.split_once('@')) {
        (Some((0, message)), _) => format!(" ({message})"),
        (Some((line, message)), _) => format!(" (line {line}: {message})"),
        (None, Some((template, _))) if reason.contains("not found") => {
            format!(" (its file would be {template}@.service)")
        }
        _ => String::new(),
    };
    Some(format!(
        "systemd cannot start what OnFailure= of {} names: {}{more}",
        case.unit,
        reason.trim_end_matches('.')
    ))
}

/// `RestartMode=` is not `direct`: the unit is failed between any two starts.
fn called_between_starts(case: &Case) -> Option<String> {
    let mode = case.timeline.text_property(case.unit, "RestartMode")?;
    let failures = case
        .timeline
        .of(case.unit)
        .filter(|event| {
            matches!(&event.kind, EventKind::StateChanged { to, .. } if to == "failed-before-auto-restart")
        })
        .count();
    (mode != "direct" && failures > 0 && !called_units(case)?.is_empty()).then(|| {
        format!(
            "RestartMode={mode} lets {} be `failed` for a moment before each restart, and that triggers OnFailure= each time",
            case.unit
        )
    })
}

/// The alert unit was started and ended with an error.
fn alert_ends_badly(case: &Case) -> Option<String> {
    let called = called_units(case)?;
    called.iter().find_map(|unit| {
        let alert = Case { unit, ..*case };
        let (_, code, status) = alert.main_exit()?;
        (code != "exited" || status != 0).then(|| {
            format!(
                "{unit}, which OnFailure= names, was started and ended {}",
                how_ended(code, status)
            )
        })
    })
}

/// `OnFailure=` names units, but none is an instance of this template, e.g. `alert@.service`.
pub fn other_unit_called(case: &Case, template: &str) -> Option<String> {
    let called = called_units(case)?;
    let stem = template.split_inclusive('@').next()?;
    (!called.is_empty() && !called.iter().any(|unit| unit.starts_with(stem))).then(|| {
        format!(
            "OnFailure= of {} names {}, which is not an instance of {template}",
            case.unit,
            called.join(", ")
        )
    })
}

/// An instance of the template logged something, but nothing in it says what has failed.
pub fn name_not_passed_on(case: &Case, template: &str, name: &str) -> Option<String> {
    let called = called_units(case)?;
    let stem = template.split_inclusive('@').next()?;
    let unit = called.iter().find(|unit| unit.starts_with(stem))?;
    let alert = Case { unit, ..*case };
    let logged = alert.last_log();
    if logged.is_none()
        && let Some(written) = alert.kept_out_of_journal(CRITICAL, "StandardOutput")
    {
        return Some(format!(
            "{written} of {template} keeps what {unit} says out of the journal, and so nothing there says what has failed"
        ));
    }
    let what = match logged {
        Some(line) if !line.contains(name) => format!("logs {line:?}"),
        None => "logs nothing".to_owned(),
        Some(_) => return None,
    };
    let instance = unit.strip_prefix(stem)?.strip_suffix(".service")?;
    let remedy = if instance.contains(name) {
        format!("%i in {template} stands for {instance}")
    } else {
        format!(
            "its instance is {instance:?}; %n after the @ in OnFailure= would make it the failed unit's name"
        )
    };
    Some(format!(
        "{unit} {what} and so does not say what has failed: {remedy}"
    ))
}

/// The units that `OnFailure=` names; empty if it is not set, `None` if the unit's properties are not known.
fn called_units<'a>(case: &Case<'a>) -> Option<Vec<&'a str>> {
    let called = case.timeline.property(case.unit, "OnFailure")?.as_array()?;
    Some(called.iter().filter_map(Value::as_str).collect())
}

#[cfg(test)]
mod tests;
