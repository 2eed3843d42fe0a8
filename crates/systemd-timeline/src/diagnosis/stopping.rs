//! How a service ends when systemd asks it to: SIGTERM, `STOPPING=1`, `TimeoutStopSec=` (systemd.kill(5),
//! sd_notify(3)).

use std::time::Duration;

use systemd_lab_protocol::event::ResponseOutcome;
use systemd_lab_protocol::{Event, EventKind};

use super::{Case, Rule, between, how_ended, setup, spoken};
use crate::names::{SIGHUP, SIGINT, SIGKILL, SIGTERM, signal_name};

/// A service that ends sooner than this after the signal did not drain anything.
const DRAINED: Duration = Duration::from_millis(300);

/// Anything that takes no longer than this counts as immediate.
const AT_ONCE: Duration = Duration::from_secs(1);

/// All rules of this module.
pub const RULES: &[Rule] = &[
    drain_without_deadline,
    no_signal_handler,
    stopping_missing,
    request_cut_off,
    ended_with_failure,
];

/// For a service that was started and then got SIGINT, as in a terminal.
pub const CTRL_C: &[Rule] = &[
    no_interrupt_handler,
    interrupt_ignored,
    request_cut_off_by_interrupt,
    interrupt_is_a_failure,
];

/// systemd's timeout passed, and it sent SIGKILL.
pub fn drain_without_deadline(case: &Case) -> Option<String> {
    let stop = case.entered("stop-sigterm")?;
    let timeout = case.first(
        |kind| matches!(kind, EventKind::Timeout { message } if message.contains("stop-sigterm")),
    )?;
    let is_closed = case.timeline.events().iter().any(|event| {
        event.at_us >= stop.at_us
            && matches!(&event.kind, EventKind::ListenerClosed { address } if address == case.address)
            && event.at_us < timeout.at_us
    });
    let why = match case.notification("STOPPING=1") {
        Some(_) => "it had said STOPPING=1 and then waited for a connection without a deadline",
        None if is_closed => {
            "it had closed its listener, without STOPPING=1, and then waited for a connection without a deadline"
        }
        None => "it sent no STOPPING=1 and went on listening, as if SIGTERM had not come",
    };
    Some(format!(
        "the service still ran {} after SIGTERM and was ended by SIGKILL (TimeoutStopSec=): {why}",
        spoken(between(stop, timeout))
    ))
}

/// SIGTERM ended the process, so nothing in it handled the signal.
pub fn no_signal_handler(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    if code == "exited" {
        return None;
    }
    if let Some(other) = other_stop_signal(case, status) {
        return Some(other);
    }
    if status != SIGTERM {
        return None;
    }
    setup::main_process_is_a_shell(case).or_else(|| Some(
        "SIGTERM ended the process on the spot: nothing in the service handles that signal (Ctrl-C is SIGINT, systemd sends SIGTERM)".to_owned()
    ))
}

/// The stop sent a signal other than SIGTERM, or a second signal, and that ended the process.
fn other_stop_signal(case: &Case, status: i32) -> Option<String> {
    let stop = case.entered("stop-sigterm")?;
    case.main_exit_since(stop.at_us)?;
    let property = |name: &str| case.timeline.property(case.unit, name);
    let ended = format!(
        "{} ended the process on the spot, and nothing in the service handles that signal",
        signal_name(status)
    );
    if status == SIGHUP && property("SendSIGHUP")?.as_bool() == Some(true) {
        return Some(format!(
            "{ended}: SendSIGHUP=yes of {} sends it right after SIGTERM",
            case.unit
        ));
    }
    let is_sent = property("KillSignal")?.as_i64() == Some(i64::from(status));
    (is_sent && status != SIGTERM && status != SIGKILL).then(|| {
        format!(
            "{ended}: {} of {} sends it instead of SIGTERM",
            case.as_written("KillSignal", &signal_name(status)),
            case.unit
        )
    })
}

/// SIGINT ended the process: what Ctrl-C in a terminal sends.
pub fn no_interrupt_handler(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    (code == "killed" && status == SIGINT).then(|| {
        "Ctrl-C, which is SIGINT, ended the process on the spot: nothing in the service handles that signal".to_owned()
    })
}

/// SIGINT was sent, but the service keeps running.
pub fn interrupt_ignored(case: &Case) -> Option<String> {
    if case.main_exit().is_some() {
        return None;
    }
    let is_property = |event: &Event| matches!(event.kind, EventKind::Properties { .. });
    let mut events = case.timeline.events().iter();
    let sent = events.find(|event| matches!(event.kind, EventKind::StepBegan { .. }));
    // Properties are from the end of the whole run, and this may be only a part of it.
    let last = events.rfind(|event| !is_property(event));
    Some(match (case.timeline.refusal(), sent, last) {
        (Some((_, message)), ..) => format!(
            "the service was no longer running when Ctrl-C (SIGINT) should have come ({})",
            message.trim_end_matches('.')
        ),
        (None, Some(sent), Some(last)) => format!(
            "Ctrl-C, which is SIGINT, did not end the service: it still ran {} later",
            spoken(between(sent, last))
        ),
        _ => "the run ended before Ctrl-C (SIGINT) could come".to_owned(),
    })
}

/// The service ended after SIGINT, but with a failure.
pub fn interrupt_is_a_failure(case: &Case) -> Option<String> {
    let (_, code, status) = case.main_exit()?;
    (code != "exited" || status != 0).then(|| {
        format!(
            "after Ctrl-C (SIGINT) the service ended {}; a clean stop is exit code 0",
            how_ended(code, status)
        )
    })
}

/// systemd does not kill a service that hangs when its time is up.
pub fn never_killed(case: &Case) -> Option<String> {
    let property = case.timeline.property(case.unit, "SendSIGKILL")?;
    (property.as_bool() == Some(false)).then(|| {
        format!(
            "SendSIGKILL=no of {}: a service that hangs keeps running after TimeoutStopSec=",
            case.unit
        )
    })
}

/// A service that ended when asked to, but did not announce it.
pub fn not_announced(case: &Case, signal: &str) -> Option<String> {
    case.main_exit()?;
    case.notification("STOPPING=1")
        .is_none()
        .then(|| format!("STOPPING=1 never arrived after {signal}"))
}

/// A service that was asked to end before it was ready.
pub fn in_warm_up(case: &Case, signal: &str) -> Option<String> {
    let begin = asked_to_end(case)?;
    // Then STOPPING=1 came too late.
    let ended_before = case
        .main_exit()
        .is_some_and(|(exit, ..)| exit.at_us < begin.at_us);
    if ended_before || case.timeline.refusal().is_some() {
        return None;
    }
    let when = format!("{signal} came in the middle of the warm-up");
    let Some((exit, code, status)) = case.main_exit_since(begin.at_us) else {
        return Some(format!("{when}, and the service went on loading"));
    };
    let took = between(begin, exit);
    let said_so = case.notification("STOPPING=1").is_some_and(|(said, _)| {
        said.at_us >= begin.at_us && between(begin, said) < AT_ONCE && took >= AT_ONCE
    });
    if said_so {
        return Some(format!(
            "{when}, and the service said STOPPING=1 at once and ended only {} later, {}: in the warm-up there is nothing to wait for",
            spoken(took),
            how_ended(code, status)
        ));
    }
    if code == "killed" && status == SIGKILL {
        return Some(format!(
            "{when}, and the service ignored it: systemd ended it with SIGKILL after {}",
            spoken(took)
        ));
    }
    if code != "exited" || status != 0 {
        return Some(format!(
            "{when}, and the service ended {}",
            how_ended(code, status)
        ));
    }
    if took >= AT_ONCE {
        return Some(format!(
            "{when}, and the service ended only {} later: it handles the signal only after its data is loaded",
            spoken(took)
        ));
    }
    not_announced(case, &format!("{signal} in the warm-up"))
}

/// How long after the request the service sent `STOPPING=1`, if that is longer than a moment.
pub fn late_announcement(case: &Case) -> Option<Duration> {
    let begin = asked_to_end(case)?;
    let (said, _) = case.notification("STOPPING=1")?;
    Some(between(begin, said)).filter(|took| *took >= AT_ONCE)
}

/// `STOPPING=1`, but not at once.
pub fn announced_late(case: &Case, signal: &str) -> Option<String> {
    let took = late_announcement(case)?;
    Some(format!(
        "STOPPING=1 arrived {} after {signal}: send it before the drain, not after it, so that systemd and people know what the service is doing",
        spoken(took)
    ))
}

/// The stop, or else the signal that starts this part of a run.
fn asked_to_end<'a>(case: &Case<'a>) -> Option<&'a Event> {
    case.first(|kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"))
        .or_else(|| {
            case.timeline
                .events()
                .iter()
                .find(|event| matches!(event.kind, EventKind::StepBegan { .. }))
        })
}

/// No `STOPPING=1`.
pub fn stopping_missing(case: &Case) -> Option<String> {
    case.began_to_end()?;
    case.notification("STOPPING=1")
        .is_none()
        .then(|| "STOPPING=1 never arrived after SIGTERM".to_owned())
}

/// A request that was in flight when the stop began got no answer.
pub fn request_cut_off(case: &Case) -> Option<String> {
    let stop = case.began_to_end()?;
    cut_off_after(case, stop, "SIGTERM")
}

/// The same, when Ctrl-C asked for the stop.
pub fn request_cut_off_by_interrupt(case: &Case) -> Option<String> {
    let mut events = case.timeline.events().iter();
    let sent = events.find(|event| matches!(event.kind, EventKind::StepBegan { .. }))?;
    cut_off_after(case, sent, "Ctrl-C (SIGINT)")
}

fn cut_off_after(case: &Case, stop: &Event, signal: &str) -> Option<String> {
    let events = case.timeline.events().iter();
    let (event, name) = events
        .filter(|event| event.at_us >= stop.at_us)
        .find_map(|event| match &event.kind {
            // A request that came later should be refused.
            EventKind::Response {
                outcome: ResponseOutcome::Refused,
                ..
            } => None,
            EventKind::Response { name, outcome }
                if !matches!(outcome, ResponseOutcome::Answered { .. }) =>
            {
                Some((event, name))
            }
            _ => None,
        })?;
    let ended = case
        .main_exit_since(stop.at_us)
        .filter(|(exit, ..)| exit.at_us <= event.at_us);
    Some(match ended {
        Some((exit, code, status)) if between(stop, exit) >= DRAINED => format!(
            "the request \"{name}\" was in flight when {signal} came and got no answer: the service ended {} {} later, and the client needed {}",
            how_ended(code, status),
            spoken(between(stop, exit)),
            spoken(between(stop, event))
        ),
        _ => format!(
            "the request \"{name}\" was in flight when {signal} came and got no answer: the service did not drain"
        ),
    })
}

/// A new connection was answered although the stop had begun.
pub fn new_connection_taken(case: &Case, request: &str) -> Option<String> {
    let stop = case.began_to_end()?;
    let how = match case.timeline.response(request)? {
        ResponseOutcome::Refused | ResponseOutcome::Broken { .. } => return None,
        ResponseOutcome::Answered { status, .. } => format!("was answered with status {status}"),
        ResponseOutcome::TimedOut => "was accepted, but not answered".to_owned(),
    };
    let came =
        case.timeline.events().iter().find(
            |event| matches!(&event.kind, EventKind::Response { name, .. } if name == request),
        )?;
    Some(format!(
        "a new connection that came within {} of SIGTERM {how}: close the listener as soon as the stop begins, so that clients go elsewhere",
        spoken(between(stop, came))
    ))
}

/// The service ended with an exit code other than 0 when it was stopped.
pub fn ended_with_failure(case: &Case) -> Option<String> {
    let stop = case.began_to_end()?;
    let (_, code, status) = case.main_exit_since(stop.at_us)?;
    (code == "exited" && status != 0).then(|| {
        format!(
            "the service was stopped and ended with exit code {status}; a clean stop is exit code 0"
        )
    })
}

#[cfg(test)]
mod tests;
