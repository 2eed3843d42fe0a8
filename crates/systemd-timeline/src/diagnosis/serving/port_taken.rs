//! A service that cannot bind its address: how it ends, and what it logs.

use systemd_lab_protocol::EventKind;

use super::{error_lines, lines, priority_text};
use crate::diagnosis::{Case, Rule, between, setup, spoken};
use crate::view::ERROR;

/// Rules for a service whose address was bound by something else first.
pub const PORT_TAKEN: &[Rule] = &[
    own_network,
    goes_on_without_port,
    started_again,
    shell_between,
    panicked,
    failure_taken_for_success,
    failure_hidden,
    failure_not_logged,
    prefix_is_text,
    failure_at_lower_priority,
    failure_without_address,
    failure_logged_twice,
];

/// The exit code of a Rust program whose main thread panics.
const PANIC_STATUS: i32 = 101;

/// In a separate network, no port is taken.
fn own_network(case: &Case) -> Option<String> {
    case.entered("running")?;
    match case.main_exit() {
        Some(_) => None,
        None => setup::cut_off_from_the_network(case),
    }
}

/// A shell ended, and its exit code is not the service's.
fn shell_between(case: &Case) -> Option<String> {
    setup::main_process_is_a_shell(case)
}

/// The service failed, and its unit says that this is a success.
fn failure_taken_for_success(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    case.first(|kind| matches!(kind, EventKind::Deactivated))?;
    if code != "exited" || status == 0 {
        return None;
    }
    let command = case.units.value(case.unit, "ExecStart");
    let why = if command.is_some_and(|command| command.starts_with('-')) {
        "ExecStart= begins with \"-\", and so no exit code counts as a failure".to_owned()
    } else if case.has_exit_status("SuccessExitStatus", code, status) {
        format!(
            "{} says so",
            case.as_written("SuccessExitStatus", &status.to_string())
        )
    } else {
        return None;
    };
    Some(format!(
        "{} is taken, and the service ends with exit code {status}, which systemd treats as a success: {why}",
        case.address
    ))
}

/// The line begins with its priority, but systemd treats that as text.
fn prefix_is_text(case: &Case) -> Option<String> {
    let lines = lines(case);
    let (.., message) = lines.iter().find(|(.., message)| {
        let mut letters = message.chars();
        letters.next() == Some('<')
            && letters.next().is_some_and(|letter| letter.is_ascii_digit())
            && letters.next() == Some('>')
    })?;
    let is_read = case.timeline.property(case.unit, "SyslogLevelPrefix")?;
    (is_read.as_bool() == Some(false)).then(|| {
        format!(
            "the line {message:?} begins with its priority, but SyslogLevelPrefix=no of {} makes that a part of the text",
            case.unit
        )
    })
}

/// The port is taken, but the service carries on.
fn goes_on_without_port(case: &Case) -> Option<String> {
    let running = case.entered("running")?;
    if case.main_exit().is_some() {
        return None;
    }
    let mut events = case.timeline.events().iter();
    let elsewhere = events.find_map(|event| match &event.kind {
        EventKind::ListenerOpened { address } if address != case.address => Some(address),
        _ => None,
    });
    if let Some(other) = elsewhere {
        return Some(format!(
            "the service listens on {other}, and not on {}",
            case.address
        ));
    }
    let last = case.timeline.events().last()?;
    Some(format!(
        "{} is taken, and after {} the service still ran: without its port it cannot work and must end with an error",
        case.address,
        spoken(between(running, last))
    ))
}

/// `Restart=` restarts the service, and the port is still taken.
fn started_again(case: &Case) -> Option<String> {
    case.first(|kind| matches!(kind, EventKind::RestartScheduled { .. }))?;
    let restart = case.timeline.text_property(case.unit, "Restart")?;
    Some(format!(
        "Restart={restart} of {} starts the service again, although {} is still taken",
        case.unit, case.address
    ))
}

/// The service panicked where it should have reported an error.
fn panicked(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    let lines = lines(case);
    // A service that logs an error before it panics has at least logged the cause.
    if code != "exited" || status != PANIC_STATUS || !error_lines(case, u64::MAX).is_empty() {
        return None;
    }
    let priority = lines.first().map_or(String::new(), |(_, priority, _)| {
        format!(
            ", with a message of several lines at priority {}",
            priority_text(*priority)
        )
    });
    Some(format!(
        "{} is taken, and the service panics (exit code {PANIC_STATUS}){priority}: look for the unwrap or expect",
        case.address
    ))
}

/// The service failed, but its exit code is 0.
fn failure_hidden(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    (code == "exited" && status == 0).then(|| {
        format!(
            "{} is taken, and the service ends with exit code 0: for systemd all went well",
            case.address
        )
    })
}

/// The service logged nothing about it.
fn failure_not_logged(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    (code == "exited" && lines(case).is_empty()).then(|| {
        format!(
            "{} is taken, and the service ends with exit code {status} without a line that says why",
            case.address
        )
    })
}

/// The service logged it, but not as an error.
fn failure_at_lower_priority(case: &Case) -> Option<String> {
    case.main_exit()?;
    if !error_lines(case, u64::MAX).is_empty() {
        return None;
    }
    let lines = lines(case);
    let (_, priority, message) = lines.last()?;
    Some(format!(
        "the line {message:?} has priority {}: an error has priority 3 (err); begin the line with <3>",
        priority_text(*priority)
    ))
}

/// The line does not name the address.
fn failure_without_address(case: &Case) -> Option<String> {
    match error_lines(case, u64::MAX).as_slice() {
        [(ERROR, message)] if !message.contains(case.address) => Some(format!(
            "the line {message:?} does not name {}: a reader cannot tell which address is taken",
            case.address
        )),
        [(priority, message)] if *priority < ERROR => Some(format!(
            "the line {message:?} has priority {}: an error of one service has priority 3 (err)",
            priority_text(*priority)
        )),
        _ => None,
    }
}

/// One failure, but more than one line.
fn failure_logged_twice(case: &Case) -> Option<String> {
    let count = error_lines(case, u64::MAX).len();
    (count > 1).then(|| {
        format!(
            "{count} lines have priority 3 (err) or worse for one failure: log it once, where the service gives up"
        )
    })
}

#[cfg(test)]
mod tests;
