//! How a service ends when it is told to: SIGTERM, `STOPPING=1`, `TimeoutStopSec=` (systemd.kill(5), sd_notify(3)).

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::ResponseOutcome;

use super::{Case, Rule, between, spoken};

/// All rules of this module.
pub const RULES: &[Rule] = &[
    drain_without_deadline,
    no_signal_handler,
    stopping_missing,
    request_cut_off,
    ended_with_failure,
];

/// systemd lost its patience and sent SIGKILL.
pub fn drain_without_deadline(case: &Case) -> Option<String> {
    let stop = case.entered("stop-sigterm")?;
    let timeout = case.first(
        |kind| matches!(kind, EventKind::Timeout { message } if message.contains("stop-sigterm")),
    )?;
    let why = match case.notification("STOPPING=1") {
        Some(_) => {
            "it had said STOPPING=1 and then waited for a connection without a deadline of its own"
        }
        None => "it did nothing about SIGTERM",
    };
    Some(format!(
        "the service still ran {} after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): {why}",
        spoken(between(stop, timeout))
    ))
}

/// SIGTERM ended the process, so nothing in it handled the signal.
pub fn no_signal_handler(case: &Case) -> Option<String> {
    const SIGTERM: i32 = 15;
    let (_, code, status) = case.main_exit()?;
    (code == "killed" && status == SIGTERM).then(|| {
        "SIGTERM ended the process on the spot: nothing in the service handles that signal (Ctrl-C is SIGINT, systemd sends SIGTERM)".to_owned()
    })
}

/// No `STOPPING=1`.
pub fn stopping_missing(case: &Case) -> Option<String> {
    case.entered("stop-sigterm")?;
    case.notification("STOPPING=1")
        .is_none()
        .then(|| "STOPPING=1 never arrived after SIGTERM".to_owned())
}

/// A request that was under way when the stop began got no answer.
pub fn request_cut_off(case: &Case) -> Option<String> {
    let stop = case.entered("stop-sigterm")?;
    case.timeline.events().iter().filter(|event| event.at_us >= stop.at_us).find_map(|event| match &event.kind {
        EventKind::Response { name, outcome } if !matches!(outcome, ResponseOutcome::Answered { .. }) => {
            Some(format!("the request \"{name}\" was under way when SIGTERM came and got no answer: the service did not drain"))
        }
        _ => None,
    })
}

/// The service ended with an exit code other than 0 when it was stopped.
pub fn ended_with_failure(case: &Case) -> Option<String> {
    let stop = case.entered("stop-sigterm")?;
    let (event, code, status) = case.main_exit()?;
    (event.at_us >= stop.at_us && code == "exited" && status != 0).then(|| {
        format!(
            "the service was stopped and ended with exit code {status}; a clean stop is exit code 0"
        )
    })
}
