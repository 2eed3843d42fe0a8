//! Whether systemd restarts a service: `Restart=`, `RestartPreventExitStatus=`,
//! `RestartForceExitStatus=`, `SuccessExitStatus=` (systemd.service(5)).

use systemd_lab_protocol::{Event, EventKind};

use super::{Case, how_ended, setup, spoken};
use crate::view::{ERROR, MAIN, activity};

/// How a main process ends, and how systemd should react.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// How it ends.
    pub ending: Ending,
    /// Whether that counts as a success, i.e. `Result=success`.
    pub succeeds: bool,
    /// Whether systemd restarts the service.
    pub restarts: bool,
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Code(i32),
    /// By this signal, with or without a core dump.
    Signal(i32),
}

impl Ending {
    /// The same as in [`EventKind::ProcessExited`], without the difference between `killed` and `dumped`.
    fn code_and_status(self) -> (&'static str, i32) {
        match self {
            Ending::Code(code) => ("exited", code),
            Ending::Signal(signal) => ("killed", signal),
        }
    }

    fn described(self) -> String {
        let (code, status) = self.code_and_status();
        how_ended(code, status)
    }

    fn is_in(self, case: &Case, setting: &str) -> bool {
        let (code, status) = self.code_and_status();
        case.has_exit_status(setting, code, status)
    }
}

/// One end of the main process, as systemd logged it.
struct End {
    ending: Ending,
    /// `None` if systemd said nothing more about it.
    result: Option<Verdict>,
    restarted: bool,
}

/// How systemd judged an end.
#[derive(Clone, PartialEq, Eq)]
enum Verdict {
    Success,
    Failure(String),
}

/// The first end that systemd judged differently than expected, and the setting that decides it.
///
/// `expected` lists all ends that the scenario causes, in order. `None` if everything is as expected, or if there were
/// fewer ends and nothing explains why.
pub fn explain(case: &Case, expected: &[Expected]) -> Option<String> {
    let ends = ends(case);
    for (end, expected) in ends.iter().zip(expected) {
        if let Some(sentence) = differs(case, end, expected) {
            return Some(sentence);
        }
    }
    refused_by_limit(case, ends.last()?)
}

/// A restart was due, and the start limit refused it.
fn refused_by_limit(case: &Case, last: &End) -> Option<String> {
    if !case.is_given_up() {
        return None;
    }
    let burst = case.timeline.property(case.unit, "StartLimitBurst")?;
    let interval = case
        .timeline
        .duration_property(case.unit, "StartLimitIntervalUSec")
        .map_or("infinity".to_owned(), spoken);
    Some(format!(
        "{} ended {} and was not started again: {} allows {burst} starts in {interval} ({}), including the first, and all of them were used",
        case.unit,
        last.ending.described(),
        case.as_written("StartLimitBurst", &burst.to_string()),
        case.as_written("StartLimitIntervalSec", &interval.replace(' ', "")),
    ))
}

fn differs(case: &Case, end: &End, expected: &Expected) -> Option<String> {
    let unit = case.unit;
    if end.ending != expected.ending {
        return Some(wrong_ending(case, end, expected));
    }
    let ending = end.ending.described();
    match (&end.result, expected.succeeds) {
        (Some(Verdict::Failure(result)), true) => {
            return Some(format!(
                "{unit} ended {ending}, and systemd treats that as a failure ({result}): SuccessExitStatus= does not contain it"
            ));
        }
        (Some(Verdict::Success), false) => {
            return Some(format!(
                "{unit} ended {ending}, and systemd treats that as a success: SuccessExitStatus= contains it"
            ));
        }
        _ => {}
    }
    let policy = case.timeline.text_property(unit, "Restart")?;
    match (expected.restarts, end.restarted) {
        (true, false) if end.ending.is_in(case, "RestartPreventExitStatus") => Some(format!(
            "{unit} ended {ending} and did not come back: RestartPreventExitStatus= contains that, whatever Restart={policy} says"
        )),
        (true, false) if case.is_given_up() => refused_by_limit(case, end),
        (true, false)
            if case
                .last_state()
                .is_some_and(|it| activity(it) == "deactivating") =>
        {
            Some(format!(
                "{unit} ended {ending}, and systemd was still stopping it when the run ended: ExecStop=, ExecStopPost= and TimeoutStopSec= decide how long that takes"
            ))
        }
        (true, false) if case.is_waiting_for_restart() => Some(format!(
            "{unit} ended {ending} and had not come back when the run ended: {} decides how long systemd waits before a restart",
            case.as_written(
                "RestartSec",
                &case
                    .timeline
                    .duration_property(unit, "RestartUSec")
                    .map_or("infinity".to_owned(), |delay| spoken(delay)
                        .replace(' ', ""))
            )
        )),
        (true, false) if end.ending.is_in(case, "RestartForceExitStatus") => None,
        (true, false) => Some(format!(
            "{unit} ended {ending} and did not come back: Restart={policy} does not restart it{}",
            match &end.result {
                Some(Verdict::Failure(result)) => format!(" after the result {result}"),
                Some(Verdict::Success) => " after a success".to_owned(),
                None => String::new(),
            }
        )),
        (false, true) if end.ending.is_in(case, "RestartForceExitStatus") => Some(format!(
            "{unit} ended {ending} and was started again: RestartForceExitStatus= contains that, whatever Restart={policy} says"
        )),
        (false, true) => Some(format!(
            "{unit} ended {ending} and was started again: Restart={policy} does that, and RestartPreventExitStatus= does not contain it"
        )),
        _ => None,
    }
}

fn wrong_ending(case: &Case, end: &End, expected: &Expected) -> String {
    if let Some(shell) = setup::main_process_is_a_shell(case) {
        return shell;
    }
    let words = last_error(case).map_or(String::new(), |line| format!("; it had logged {line:?}"));
    format!(
        "{} ended {} where it should end {}: systemd decides by that alone{words}",
        case.unit,
        end.ending.described(),
        expected.ending.described()
    )
}

/// The first line with priority err or worse.
fn last_error<'a>(case: &Case<'a>) -> Option<&'a str> {
    case.timeline
        .first(
            case.unit,
            |kind| matches!(kind, EventKind::Log { priority, .. } if *priority <= ERROR),
        )
        .and_then(|event| match &event.kind {
            EventKind::Log { message, .. } => Some(message.as_str()),
            _ => None,
        })
}

/// Every end of the main process.
fn ends(case: &Case) -> Vec<End> {
    let mut ends: Vec<End> = Vec::new();
    for event in case.timeline.of(case.unit) {
        if let Some(ending) = ending(event) {
            ends.push(End {
                ending,
                result: None,
                restarted: false,
            });
        }
        let Some(end) = ends.last_mut() else {
            continue;
        };
        match &event.kind {
            EventKind::Failed { result } if end.result.is_none() => {
                end.result = Some(Verdict::Failure(result.clone()));
            }
            EventKind::Deactivated if end.result.is_none() => end.result = Some(Verdict::Success),
            EventKind::RestartScheduled { .. } => end.restarted = true,
            _ => {}
        }
    }
    ends
}

fn ending(event: &Event) -> Option<Ending> {
    match &event.kind {
        EventKind::ProcessExited {
            role, code, status, ..
        } if role == MAIN => Some(if code == "exited" {
            Ending::Code(*status)
        } else {
            Ending::Signal(*status)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
