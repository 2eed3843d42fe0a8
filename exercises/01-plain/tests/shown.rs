//! What the check sees, as lines: only what every right solution shows.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use exercise_check::ADDRESS;
use systemd_lab::diagnosis::{Case, serving};
use systemd_lab::protocol::EventKind;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::{Timeline, describe};

use crate::SUBJECT;
use crate::scenarios::{AT_CTRL_C, NEW};

/// The answer to `GET /`.
pub(crate) const GREETING: &str = "Hello World!";

/// The output of `systemd-analyze verify`.
pub(crate) fn verified(timeline: &Timeline) -> String {
    let output = serving::verify_output(timeline);
    let lines: Vec<&str> = output.unwrap_or("(did not run)").lines().collect();
    if lines.is_empty() {
        return "systemd-analyze verify: no complaints\n".to_owned();
    }
    let lines = lines.iter();
    lines
        .map(|line| format!("systemd-analyze verify: {line}\n"))
        .collect()
}

/// Whether the unit has the settings that `systemctl status` shows to people. Their text is up to its author.
pub(crate) fn for_people(timeline: &Timeline) -> String {
    let settings = serving::TEXTS_FOR_PEOPLE.iter();
    settings
        .map(|setting| {
            let is_set = serving::is_set(&SUBJECT.case(timeline), setting);
            let how = if is_set { "is set" } else { "is not set" };
            format!("{setting}= {how}\n")
        })
        .collect()
}

/// The type of its start job.
pub(crate) fn start_type(timeline: &Timeline) -> String {
    text_property(timeline, "Type", "Type=")
}

/// The output of `systemctl is-enabled`.
pub(crate) fn enablement(timeline: &Timeline) -> String {
    text_property(timeline, "UnitFileState", "systemctl is-enabled: ")
}

fn text_property(timeline: &Timeline, name: &str, label: &str) -> String {
    let value = timeline.text_property(SUBJECT.service(), name);
    format!("{label}{}\n", value.unwrap_or_default())
}

/// Where something started to listen. It is separate from the rest: whether that is before or after the end of the
/// start job does not matter.
pub(crate) fn listeners(timeline: &Timeline) -> String {
    let opened = timeline.events().iter().filter_map(|event| {
        let is_opened = matches!(event.kind, EventKind::ListenerOpened { .. });
        is_opened.then(|| describe(&event.kind)).flatten()
    });
    let lines: BTreeSet<String> = opened.collect();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// How long systemd waits for a stop.
pub(crate) fn stop_timeout(timeline: &Timeline) -> String {
    let timeout = timeline.duration_property(SUBJECT.service(), "TimeoutStopUSec");
    match timeout {
        Some(timeout) => format!("TimeoutStopSec={timeout:?}\n"),
        None => "TimeoutStopSec=infinity\n".to_owned(),
    }
}

/// The answer to a request. It is separate from the rest: a service may end at the very moment when its answer
/// arrives.
pub(crate) fn response(timeline: &Timeline, wanted: &str) -> String {
    let response = timeline
        .events()
        .iter()
        .find(|event| matches!(&event.kind, EventKind::Response { name, .. } if name == wanted));
    let line = response.and_then(|event| describe(&event.kind));
    line.map_or(format!("request \"{wanted}\": not sent"), |line| line) + "\n"
}

/// Whether a client that comes during the stop is turned away. How is up to the service.
pub(crate) fn new_connection(timeline: &Timeline) -> String {
    match timeline.response(NEW) {
        Some(ResponseOutcome::Refused | ResponseOutcome::Broken { .. }) => {
            "a new connection during the stop: refused\n".to_owned()
        }
        Some(ResponseOutcome::TimedOut) => {
            "a new connection during the stop: taken, and not answered\n".to_owned()
        }
        Some(ResponseOutcome::Answered { status, .. }) => {
            format!("a new connection during the stop: answered with {status}\n")
        }
        None => "a new connection during the stop: not tried\n".to_owned(),
    }
}

/// How the service ends after Ctrl-C.
pub(crate) fn ctrl_c(timeline: &Timeline) -> String {
    let exit = timeline
        .of(SUBJECT.service())
        .find_map(|event| match &event.kind {
            EventKind::ProcessExited { role, .. } if role == "main" => describe(&event.kind),
            _ => None,
        });
    let exit = exit.unwrap_or_else(|| "the main process has not ended".to_owned());
    format!("Ctrl-C (SIGINT)\n{}{exit}\n", response(timeline, AT_CTRL_C))
}

/// The signal does not matter.
const ENDED_BY_SYSTEMD: &str = "systemd has ended the main process";

/// Whether systemd ends a service that hangs during a stop. `TimeoutStopFailureMode=` decides which signal it uses.
pub(crate) fn hang(timeline: &Timeline) -> String {
    let timed_out = timeline
        .of(SUBJECT.service())
        .any(|event| matches!(event.kind, EventKind::Timeout { .. }));
    let end = timeline
        .of(SUBJECT.service())
        .find_map(|event| match &event.kind {
            EventKind::ProcessExited { role, code, .. }
                if role == "main" && timed_out && code != "exited" =>
            {
                Some(ENDED_BY_SYSTEMD.to_owned())
            }
            EventKind::ProcessExited { role, .. } if role == "main" => describe(&event.kind),
            _ => None,
        });
    let end = end.unwrap_or_else(|| "the main process has not ended".to_owned());
    format!("a stop in which it hangs (SIGSTOP)\n{end}\n")
}

/// How the service ends when its port is taken. The code, if it is not 0, and the words are up to the service.
pub(crate) fn port_taken(timeline: &Timeline) -> String {
    let case = SUBJECT.case(timeline);
    let mut shown = String::new();
    for event in timeline.of(SUBJECT.service()) {
        let line = match &event.kind {
            // Other commands of the unit are up to its author.
            EventKind::ProcessExited { role, .. } if role != "main" => None,
            EventKind::ProcessExited { code, status, .. } if code == "exited" && *status != 0 => {
                Some("main process exited, status other than 0".to_owned())
            }
            EventKind::ProcessExited { .. }
            | EventKind::Failed { .. }
            | EventKind::Deactivated
            | EventKind::RestartScheduled { .. } => describe(&event.kind),
            _ => None,
        };
        if let Some(line) = line {
            let _ = writeln!(shown, "{line}");
        }
    }
    if shown.is_empty() {
        shown.push_str("the main process has not ended\n");
    }
    shown
        + &text_property(timeline, "Restart", "Restart=")
        + &errors(&serving::error_lines(&case, u64::MAX))
}

/// Whether the service gives up in time on a request that never ends.
pub(crate) fn drain(case: &Case, longest: Duration) -> String {
    match serving::overlong_drain(case, longest) {
        Some(took) => format!("the drain takes {} s\n", took.as_secs()),
        None => "the drain takes no longer than it may\n".to_owned(),
    }
}

/// What the service logged as an error before the stop.
pub(crate) fn errors_until_stop(timeline: &Timeline) -> String {
    let case = SUBJECT.case(timeline);
    errors(&serving::error_lines(&case, serving::stop_began(&case)))
}

fn errors(lines: &[(u8, &str)]) -> String {
    if lines.is_empty() {
        return "no line at priority 3 (err) or worse\n".to_owned();
    }
    let lines = lines.iter();
    lines
        .map(|(priority, message)| {
            let priority = serving::priority_text(*priority);
            if message.contains(ADDRESS) {
                format!("line at priority {priority} that names {ADDRESS}\n")
            } else {
                format!("line at priority {priority}: {message}\n")
            }
        })
        .collect()
}
