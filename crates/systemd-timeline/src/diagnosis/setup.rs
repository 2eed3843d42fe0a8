//! Processes that systemd could not set up, other processes than the main process that failed, and main processes that
//! are not the service itself: systemd.exec(5), "Process Exit Codes"; systemd.service(5), "COMMAND LINES".

use systemd_lab_protocol::{Event, EventKind};

use super::{Case, how_ended};
use crate::names::{exit_status, settings_of_status};
use crate::view::MAIN;

/// The beginning of systemd's message when it could not set up a process; the step's name follows.
const FAILED_AT_STEP: &str = "Failed at step ";

/// The shells of a Debian system.
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "rbash"];

/// syslog(3): the priority of systemd's message about a missing program.
const NOTICE: u8 = 5;

/// A process ended with a status that means that systemd could not run it as the unit asks.
pub fn setup_failed(case: &Case) -> Option<String> {
    let unit = case.unit;
    let (event, status, command) = case.timeline.of(unit).find_map(|event| match &event.kind {
        EventKind::ProcessExited {
            code,
            status,
            command,
            is_ignored: false,
            ..
        } if code == "exited" => {
            settings_of_status(*status)?;
            Some((event, *status, command.as_deref()))
        }
        _ => None,
    })?;
    let complaints: Vec<&str> = complaints_before(case, event);
    let step = complaints
        .iter()
        .find(|message| message.starts_with(FAILED_AT_STEP));
    let has_spoken = case
        .first(|kind| matches!(kind, EventKind::Log { .. }))
        .is_some();
    // A service may use such a status for its own purposes, and has then most likely logged something.
    if step.is_none() && has_spoken {
        return None;
    }
    let why = complaints
        .iter()
        .find(|message| !message.starts_with(FAILED_AT_STEP))
        .map(|message| (*message).to_owned())
        .or_else(|| Some(step?.rsplit_once(": ")?.1.to_owned()));
    let written = case.units.first_of(unit, settings_of_status(status)?);
    let status = exit_status(status);
    let what = match (command.and_then(|it| it.split_once('=')), written) {
        (Some((setting, line)), _) => {
            format!(
                "systemd could not run the program of {setting}={line} of {unit} (status {status})"
            )
        }
        (None, Some(written)) if written.starts_with("ExecStart=") => format!(
            "systemd could not run the program that ExecStart= of {unit} names (status {status})"
        ),
        (None, Some(written)) => {
            format!(
                "systemd could not start the process of {unit} as {written} asks (status {status})"
            )
        }
        (None, None) => {
            format!(
                "systemd could not start the process of {unit} as its unit asks (status {status})"
            )
        }
    };
    // Without a free file descriptor, systemd's helper cannot even report what is wrong.
    let limit = case.units.first_of(unit, &["LimitNOFILE"]);
    Some(match (why, limit) {
        (Some(why), _) => format!("{what}: {}", why.trim_end_matches('.')),
        (None, Some(limit)) => {
            format!("{what}, and could not say why: {limit} leaves too few file descriptors")
        }
        (None, None) => what,
    })
}

/// systemd's messages about the unit with priority `notice` or worse, up to this event.
fn complaints_before<'a>(case: &Case<'a>, end: &Event) -> Vec<&'a str> {
    let unit = case.unit.to_owned();
    let events = case.timeline.events().iter();
    events
        .filter(|event| event.at_us <= end.at_us && event.is_about(&unit))
        .filter_map(|event| match &event.kind {
            EventKind::Manager { priority, message } if *priority <= NOTICE => {
                Some(message.as_str())
            }
            _ => None,
        })
        .collect()
}

/// A command other than the main process failed, and systemd counts that as a failure of the service.
pub fn command_failed(case: &Case) -> Option<String> {
    let (command, code, status) =
        case.timeline
            .of(case.unit)
            .find_map(|event| match &event.kind {
                EventKind::ProcessExited {
                    role,
                    code,
                    status,
                    command: Some(command),
                    is_ignored: false,
                } if role != MAIN && (code != "exited" || *status != 0) => {
                    Some((command.as_str(), code.as_str(), *status))
                }
                _ => None,
            })?;
    let setting = command.split('=').next().unwrap_or_default();
    let then = match setting {
        "ExecCondition" | "ExecStartPre" => "so the service itself was not started",
        "ExecStartPost" => "so systemd treats the start as failed, and stopped the service",
        "ExecReload" => "so systemd treats the reload as failed",
        _ => "and systemd treats that as a failure of the service",
    };
    Some(format!(
        "{command} of {} ended {}, {then}",
        case.unit,
        how_ended(code, status)
    ))
}

/// `ExecStart=` runs a shell that stays: signals go to the shell, and the shell's end counts.
pub fn main_process_is_a_shell(case: &Case) -> Option<String> {
    let commands = case.timeline.property(case.unit, "ExecStart")?.as_array()?;
    let command = commands.last()?.as_array()?;
    let program = command.first()?.as_str()?;
    let words: Vec<&str> = command
        .get(1)?
        .as_array()?
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    let is_shell = SHELLS.contains(&program.rsplit('/').next()?);
    let replaces_itself = words.iter().any(|word| word.contains("exec "));
    (is_shell && !replaces_itself).then(|| {
        format!(
            "the main process of {} is {program}, and the service is only its child: the shell gets SIGTERM, and its exit code counts; name the program itself in ExecStart=, or begin its command with exec",
            case.unit
        )
    })
}

/// A separate network, which clients outside it cannot reach.
pub fn cut_off_from_the_network(case: &Case) -> Option<String> {
    case.timeline.listening_at(case.address)?;
    const SETTINGS: [&str; 6] = [
        "PrivateNetwork",
        "NetworkNamespacePath",
        "JoinsNamespaceOf",
        "IPAddressDeny",
        "SocketBindDeny",
        "RestrictNetworkInterfaces",
    ];
    let written = case.units.first_of(case.unit, &SETTINGS)?;
    let is_off = ["no", "false", "0", "off"]
        .iter()
        .any(|off| written.ends_with(&format!("={off}")));
    (!is_off).then(|| {
        format!(
            "the service listens on {}, but {written} of {} keeps everyone else out",
            case.address, case.unit
        )
    })
}

/// Settings that end the machine.
const MACHINE_ACTIONS: [&str; 4] = [
    "FailureAction",
    "StartLimitAction",
    "SuccessAction",
    "JobTimeoutAction",
];

/// A setting that makes the unit reboot, halt or leave the machine, as it is written: `StartLimitAction=reboot`.
pub fn machine_action(case: &Case) -> Option<String> {
    MACHINE_ACTIONS.iter().find_map(|name| {
        let value = case.units.value(case.unit, name)?;
        (value != "none").then(|| format!("{name}={value}"))
    })
}

/// Such a setting, as a sentence.
pub fn ends_the_machine(case: &Case) -> Option<String> {
    let written = machine_action(case)?;
    let (name, action) = written.split_once('=')?;
    let when = match name {
        "StartLimitAction" => "systemd gives up on it",
        "SuccessAction" => "it ends well",
        "JobTimeoutAction" => "one of its jobs takes too long",
        _ => "it fails",
    };
    let what = match action.split('-').next() {
        // Outside containers, the system's manager turns `exit` into this: emergency-action.c.
        Some("poweroff" | "exit") => {
            "powers off the whole machine and everything else that runs on it"
        }
        Some("halt") => "halts the whole machine and everything else that runs on it",
        // Only the kernel goes on: systemd-soft-reboot.service(8).
        Some("soft") => "ends everything else on the machine as well, and starts it again",
        _ => "reboots the whole machine and everything else that runs on it",
    };
    Some(format!(
        "{written} of {}: when {when}, systemd {what}",
        case.unit
    ))
}

#[cfg(test)]
mod tests;
