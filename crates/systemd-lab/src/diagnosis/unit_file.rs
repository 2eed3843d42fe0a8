//! Unit files that systemd refuses or only half understands, and programs that it cannot run.

use systemd_lab_protocol::EventKind;

use super::{Case, Rule, how_ended};
use crate::view::WARNING;

/// All rules of this module.
pub const RULES: &[Rule] = &[refused, unknown_setting, not_executable, died_at_start];

/// systemd refused the unit file.
pub fn refused(case: &Case) -> Option<String> {
    let (error, message) = case.timeline.refusal()?;
    // Errors of D-Bus have names with dots. Others, e.g. ECONNREFUSED, come from steps that do not ask systemd.
    if !error.contains('.') {
        return None;
    }
    // systemd's log says why; the D-Bus error only says that it did.
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

/// A setting with a misspelt name, or in the wrong section: systemd ignores it and goes on without.
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
                let message = message.trim_end_matches('.');
                Some(format!(
                    "line {line} of {} has no effect, systemd says: {message}",
                    case.unit
                ))
            }
            _ => None,
        })
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

/// Exit status of a child that could not run the program: `EXIT_EXEC` in systemd.exec(5), "Process Exit Codes".
const EXIT_EXEC: i32 = 203;

/// `ExecStart=` names something that cannot be run.
pub fn not_executable(case: &Case) -> Option<String> {
    case.main_exit()
        .filter(|(_, code, status)| *code == "exited" && *status == EXIT_EXEC)?;
    Some(format!(
        "systemd could not run the program that ExecStart= of {} names (status 203/EXEC)",
        case.unit
    ))
}

/// The service ended before it was ever started.
pub fn died_at_start(case: &Case) -> Option<String> {
    if case.entered("running").is_some() || case.failed_with("timeout") {
        return None;
    }
    let (_, code, status) = case.main_exit()?;
    Some(format!(
        "the service ended {} before it was ready{}",
        how_ended(code, status),
        case.last_words()
    ))
}
