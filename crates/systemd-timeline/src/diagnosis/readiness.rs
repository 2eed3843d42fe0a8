//! When systemd considers a service started, and whether it really was: `Type=`, `READY=1`,
//! `TimeoutStartSec=`, `EXTEND_TIMEOUT_USEC=`, `STATUS=` (systemd.service(5), sd_notify(3)).

use std::time::Duration;

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::ResponseOutcome;

use super::{Case, Rule, between, how_ended, spoken};
use crate::names::{SIGKILL, SIGTERM};

/// Rules for a start that ended wrongly or too early.
pub const START: &[Rule] = &[
    type_without_readiness,
    refused_notification,
    ready_never_sent,
    ready_before_listening,
    ready_before_answering,
    ready_before_warm,
];

/// Rules for a start that should have been kept alive.
pub const KEPT_ALIVE: &[Rule] = &[extension_too_short, extension_missing];

/// Rules for a start on which systemd should have given up.
pub const GIVEN_UP: &[Rule] = &[
    start_never_bounded,
    extended_without_progress,
    extended_too_far,
    deaf_while_loading,
    start_bound_by_default,
];

/// With these types, systemd does not wait for the service to say that it is ready.
const TYPES_WITHOUT_READINESS: [&str; 3] = ["simple", "exec", "idle"];

/// A longer answer means that the client had to wait: starting a small client costs about 0.3 s of virtual time.
const SLOW_ANSWER: Duration = Duration::from_secs(1);

/// systemd's default for `TimeoutStartSec=`: `DefaultTimeoutStartSec=` in systemd-system.conf(5).
const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(90);

/// A part may arrive this long after the start's own time is over: the service asks for this much more time.
const A_PART: Duration = Duration::from_secs(5);

/// systemd's timers may fire up to 250 ms late; stamps are taken a little after the fact.
const LATE: Duration = Duration::from_millis(500);

const EXTENSION: &str = "EXTEND_TIMEOUT_USEC=";

/// The extension that stage 04 asks for.
const EXTENSION_ASKED_FOR: &str = "EXTEND_TIMEOUT_USEC=5000000";

/// A shorter extension was probably not meant in microseconds.
const SHORTEST_SENSIBLE_EXTENSION: Duration = Duration::from_millis(100);

/// `Type=simple` or `exec`: started as soon as the program runs.
pub fn type_without_readiness(case: &Case) -> Option<String> {
    let kind = case.timeline.text_property(case.unit, "Type")?;
    if !TYPES_WITHOUT_READINESS.contains(&kind) {
        return None;
    }
    let gap = match (
        case.entered("running"),
        case.timeline.listening_at(case.address),
    ) {
        (Some(running), Some(listening)) if listening.at_us > running.at_us => {
            format!(
                ", {} before anything listened on {}",
                spoken(between(running, listening)),
                case.address
            )
        }
        (Some(_), None) => format!(", while nothing listened on {} yet", case.address),
        _ => String::new(),
    };
    Some(format!(
        "{} has Type={kind}: systemd considered it started as soon as its program ran{gap}",
        case.unit
    ))
}

/// A notification from a process that `NotifyAccess=` does not allow.
pub fn refused_notification(case: &Case) -> Option<String> {
    case.first(|kind| matches!(kind, EventKind::NotificationRefused { .. }))?;
    let access = case
        .timeline
        .text_property(case.unit, "NotifyAccess")
        .unwrap_or("main");
    Some(format!(
        "a notification came from a process other than the main one, and systemd dropped it (NotifyAccess={access}): send it from the service itself"
    ))
}

/// `Type=notify`, and the service never said `READY=1`.
pub fn ready_never_sent(case: &Case) -> Option<String> {
    if !case
        .timeline
        .text_property(case.unit, "Type")?
        .starts_with("notify")
        || case.notification("READY=1").is_some()
    {
        return None;
    }
    if let Some(why) = notifications_barred(case) {
        return Some(why);
    }
    // If no deadline passed, the run may simply have been too short to tell.
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec");
    case.first(|kind| matches!(kind, EventKind::Timeout { .. }))?;
    let listening = match case.timeline.listening_at(case.address) {
        Some(_) => format!("although it listened on {}", case.address),
        None => format!("and nothing ever listened on {}", case.address),
    };
    let after = bound.map_or(String::new(), |bound| {
        format!(" (TimeoutStartSec={})", spoken(bound).replace(' ', ""))
    });
    Some(format!("READY=1 never arrived{after}, {listening}"))
}

/// `RestrictAddressFamilies=` leaves out the sockets that notifications need: no message ever arrived. On D-Bus, it is a list of
/// families, and whether only these are allowed.
fn notifications_barred(case: &Case) -> Option<String> {
    let restricted = case
        .timeline
        .property(case.unit, "RestrictAddressFamilies")?;
    let is_allowed = restricted.get(0)?.as_bool()?;
    let mut families = restricted.get(1)?.as_array()?.iter();
    let is_listed = families.any(|family| family.as_str() == Some("AF_UNIX"));
    let any = case.first(|kind| matches!(kind, EventKind::Notified { .. }));
    case.first(|kind| matches!(kind, EventKind::Timeout { .. }))?;
    let written = case
        .units
        .first_of(case.unit, &["RestrictAddressFamilies"])?;
    (is_allowed != is_listed && any.is_none()).then(|| {
        format!(
            "{written} of {} leaves out AF_UNIX, and notifications go through a Unix socket: READY=1 cannot reach systemd",
            case.unit
        )
    })
}

/// `READY=1` came before the socket was bound.
pub fn ready_before_listening(case: &Case) -> Option<String> {
    let (ready, _) = case.notification("READY=1")?;
    match case.timeline.listening_at(case.address) {
        Some(listening) if listening.at_us <= ready.at_us => None,
        Some(listening) => Some(format!(
            "READY=1 arrived before anything listened on {}: {} too early",
            case.address,
            spoken(between(ready, listening))
        )),
        None => {
            let elsewhere = case.listener().map_or(String::new(), |other| {
                format!("; the service listened on {other}")
            });
            Some(format!(
                "READY=1 arrived, and nothing ever listened on {}{elsewhere}",
                case.address
            ))
        }
    }
}

/// `READY=1` came while requests were not answered yet.
pub fn ready_before_answering(case: &Case) -> Option<String> {
    let (ready, _) = case.notification("READY=1")?;
    // Requests during a stop, or after the service's end, are a separate matter.
    let stop = case.began_to_end().map_or(u64::MAX, |event| event.at_us);
    let end = case.main_exit().map_or(u64::MAX, |(exit, ..)| exit.at_us);
    let while_ready = ready.at_us..stop.min(end);
    let events = case.timeline.events().iter();
    let (name, outcome) = events
        .filter(|event| while_ready.contains(&event.at_us))
        .find_map(|event| match &event.kind {
            EventKind::Response { name, outcome } => Some((name, outcome)),
            _ => None,
        })?;
    let how = match outcome {
        ResponseOutcome::Answered { status: 200, .. } => return None,
        ResponseOutcome::Answered { status, .. } => format!("was answered with status {status}"),
        ResponseOutcome::Refused => "was refused".to_owned(),
        ResponseOutcome::TimedOut => "was not answered in time".to_owned(),
        ResponseOutcome::Broken { .. } => "was cut off".to_owned(),
    };
    Some(format!(
        "READY=1 had arrived, but the request \"{name}\" {how}: the service was not ready"
    ))
}

/// A unit that was started after `READY=1` had to wait for the service's answer.
pub fn ready_before_warm(case: &Case) -> Option<String> {
    let (ready, _) = case.notification("READY=1")?;
    let events = case.timeline.events();
    let began = events.iter().find(|event| {
        event.at_us > ready.at_us
            && !event.is_about(case.unit)
            && matches!(&event.kind, EventKind::StateChanged { from, to } if from == "dead" && to == "start")
    })?;
    let dependent = began.unit.as_deref()?;
    let ended = case.timeline.first(dependent, |kind| {
        matches!(kind, EventKind::ProcessExited { .. })
    })?;
    let waited = between(began, ended);
    (waited >= SLOW_ANSWER).then(|| {
        format!(
            "READY=1 had arrived, but {dependent} had to wait {} for its answer: the service was not ready",
            spoken(waited)
        )
    })
}

/// `EXTEND_TIMEOUT_USEC=` is in microseconds.
pub fn extension_too_short(case: &Case) -> Option<String> {
    let (_, assignment) = case.notification("EXTEND_TIMEOUT_USEC=")?;
    let value = assignment.split_once('=')?.1;
    let extension = Duration::from_micros(value.parse().ok()?);
    (extension < SHORTEST_SENSIBLE_EXTENSION && case.failed_with("timeout")).then(|| {
        format!(
            "{assignment} extends the start by {} ms only: the value counts microseconds",
            extension.as_secs_f64() * 1000.0
        )
    })
}

/// The start timed out and the service had not asked for more time.
pub fn extension_missing(case: &Case) -> Option<String> {
    if !case.failed_with("timeout") {
        return None;
    }
    let timeout = case.first(|kind| matches!(kind, EventKind::Timeout { .. }))?;
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec")?;
    match last_extension(case) {
        None => Some(format!(
            "the start was ended after {} (TimeoutStartSec=), and no EXTEND_TIMEOUT_USEC= had arrived while the service was still loading",
            spoken(bound)
        )),
        Some(last) => Some(format!(
            "the last EXTEND_TIMEOUT_USEC= arrived {} after the start began, and {} later the time that it asked for had run out: send it after every part, until READY=1",
            spoken(between(case.entered("start")?, last)),
            spoken(between(last, timeout))
        )),
    }
}

/// The last extension before systemd gave up on the start.
fn last_extension<'a>(case: &Case<'a>) -> Option<&'a systemd_lab_protocol::Event> {
    let end = case
        .first(|kind| matches!(kind, EventKind::Timeout { .. }))
        .map_or(u64::MAX, |event| event.at_us);
    case.timeline.events().iter().rev().find(|event| {
        event.is_about(case.unit)
            && event.at_us < end
            && matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one.starts_with("EXTEND_TIMEOUT_USEC=")))
    })
}

/// Whether the start was still under way, with no deadline passed, when the scenario ended.
fn still_starting(case: &Case) -> bool {
    case.entered("running").is_none()
        && case
            .first(|kind| matches!(kind, EventKind::Timeout { .. }))
            .is_none()
}

/// `TimeoutStartSec=infinity`, or 0.
pub fn start_never_bounded(case: &Case) -> Option<String> {
    let unbounded = case
        .timeline
        .property(case.unit, "TimeoutStartUSec")?
        .as_u64()?
        == u64::MAX;
    (unbounded && still_starting(case))
        .then(|| "the start hangs and nothing ends it: TimeoutStartSec= is infinity".to_owned())
}

/// Extensions that kept coming although the service made no progress.
pub fn extended_without_progress(case: &Case) -> Option<String> {
    let last = last_extension(case)?;
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec")?;
    let start = case.entered("start")?;
    (between(start, last) > bound).then(|| {
        format!(
            "the start hangs, and EXTEND_TIMEOUT_USEC= keeps arriving past the {} of TimeoutStartSec=: it must follow progress, not a timer",
            spoken(bound)
        )
    })
}

/// An extension that asks for more time than the whole start may take.
pub fn extended_too_far(case: &Case) -> Option<String> {
    let (event, assignment) = case.notification("EXTEND_TIMEOUT_USEC=")?;
    let extension = Duration::from_micros(assignment.split_once('=')?.1.parse().ok()?);
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec")?;
    let start = case.entered("start")?;
    (between(start, event) + extension > bound + A_PART).then(|| {
        format!(
            "{assignment} asks for {} at once, more than TimeoutStartSec= allows the whole start: systemd notices that much later that the data stalls. Ask for a little more after every part",
            spoken(extension)
        )
    })
}

/// The last extension before systemd gave up asked for other than 5 s, and so moved the end of the start past `TimeoutStartSec=`.
pub fn extended_past_the_end(case: &Case) -> Option<String> {
    let timeout = case.first(|kind| matches!(kind, EventKind::Timeout { .. }))?;
    let last = last_extension(case)?;
    let EventKind::Notified { assignments, .. } = &last.kind else {
        return None;
    };
    let mut named = assignments.iter().filter(|it| it.starts_with(EXTENSION));
    let assignment = named.next().filter(|it| *it != EXTENSION_ASKED_FOR)?;
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec")?;
    let start = case.entered("start")?;
    let took = between(start, timeout);
    (took > bound + LATE).then(|| {
        format!(
            "{assignment} arrived {} after the start began, so that systemd ended the start only after {}: {EXTENSION_ASKED_FOR}, in microseconds, asks for the 5 s",
            spoken(between(start, last)),
            spoken(took)
        )
    })
}

/// systemd gave up on the start and sent SIGTERM, and the service did not end cleanly.
pub fn deaf_while_loading(case: &Case) -> Option<String> {
    case.first(|kind| {
        matches!(kind, EventKind::Timeout { message } if message.contains("start operation timed out"))
    })?;
    let sigterm = case.entered("stop-sigterm")?;
    let (exit, code, status) = case.main_exit_since(sigterm.at_us)?;
    match (code, status) {
        ("killed", SIGKILL) => Some(format!(
            "systemd gave up on the start and sent SIGTERM, and the service ignored it in its warm-up: SIGKILL ended it {} later",
            spoken(between(sigterm, exit))
        )),
        ("killed", SIGTERM) => Some(
            "systemd gave up on the start and sent SIGTERM, which ended the process on the spot: nothing handles that signal in the warm-up".to_owned(),
        ),
        ("exited", 1..) => Some(format!(
            "systemd gave up on the start and sent SIGTERM, and the service ended {} in its warm-up: a clean stop is exit code 0",
            how_ended(code, status)
        )),
        _ => None,
    }
}

/// `READY=1` came although part of the data never arrives.
pub fn ready_although_stalled(case: &Case) -> Option<String> {
    case.notification("READY=1").map(|_| {
        "READY=1 was sent although the data had not arrived: send it when all data is loaded"
            .to_owned()
    })
}

/// The address was taken, but `READY=1` came anyway, or the service did not fail.
pub fn ready_without_port(case: &Case) -> Option<String> {
    if case.notification("READY=1").is_some() {
        return Some(format!(
            "READY=1 was sent although {} could not be bound: bind first, then send READY=1",
            case.address
        ));
    }
    // The run may have ended before that.
    case.first(|kind| matches!(kind, EventKind::StateChanged { .. }))?;
    match case.main_exit() {
        None => Some(format!(
            "the service had not ended at the end of the run, although {} is taken",
            case.address
        )),
        Some((_, "exited", 0)) => Some(format!(
            "the service ends with exit code 0 although {} is taken",
            case.address
        )),
        Some(_) => None,
    }
}

/// The longest time during a start without an `EXTEND_TIMEOUT_USEC=`, from the first one to `READY=1`. Only if it is so
/// long that the service skipped one for a part, where a part arrives once in `each`.
pub fn rare_extensions(case: &Case, each: Duration) -> Option<Duration> {
    let (ready, _) = case.notification("READY=1")?;
    let asks = case.timeline.of(case.unit).filter(|event| {
        event.at_us < ready.at_us
            && matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one.starts_with("EXTEND_TIMEOUT_USEC=")))
    });
    let times: Vec<u64> = asks.map(|event| event.at_us).chain([ready.at_us]).collect();
    let longest_us = times.windows(2).map(|pair| pair[1] - pair[0]).max()?;
    // The last part does not need one: READY=1 follows it at once.
    Some(Duration::from_micros(longest_us)).filter(|longest| *longest > each + each / 2)
}

/// `EXTEND_TIMEOUT_USEC=` came, but not with each part, where a part arrives once in `each`.
pub fn extended_too_seldom(case: &Case, each: Duration) -> Option<String> {
    let longest = rare_extensions(case, each)?;
    Some(format!(
        "EXTEND_TIMEOUT_USEC= arrived up to {} apart, and a part of the data arrives each {}: each part asks for more time, so that a start that stalls is ended 5 s after the last one",
        spoken(longest),
        spoken(each)
    ))
}

/// `TimeoutStartSec=` differs from the required value.
pub fn other_start_timeout(case: &Case, wanted: Duration) -> Option<String> {
    let property = case.timeline.property(case.unit, "TimeoutStartUSec")?;
    let found = Duration::from_micros(property.as_u64()?);
    let is_set = ["TimeoutStartSec", "TimeoutSec"];
    let written = case.units.first_of(case.unit, &is_set)?;
    (found != wanted).then(|| format!("{written} of {} should be {}", case.unit, spoken(wanted)))
}

/// `EXTEND_TIMEOUT_USEC=` asks for a time other than 5 s, or never came.
pub fn other_extension(case: &Case) -> Option<String> {
    let Some((_, assignment)) = case.notification(EXTENSION) else {
        return Some(format!(
            "after a part was loaded, no EXTEND_TIMEOUT_USEC= arrived: {EXTENSION_ASKED_FOR} asks for 5 s more, in microseconds"
        ));
    };
    (assignment != EXTENSION_ASKED_FOR).then(|| {
        format!("{assignment} arrived after a part; {EXTENSION_ASKED_FOR}, in microseconds, asks for the 5 s")
    })
}

/// Several assignments in one line: systemd reads each line as one.
pub fn joined_by_spaces(case: &Case) -> Option<String> {
    let is_name = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| {
            name.len() > 2 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        })
    };
    let joined = case
        .timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::Notified { assignments, .. } => assignments
                .iter()
                .find(|one| one.split(' ').skip(1).any(is_name)),
            _ => None,
        })?;
    Some(format!(
        "a notification said {joined:?} in one line: assignments are separated by newlines, and systemd takes this for a single one"
    ))
}

/// The unit does not set `TimeoutStartSec=`, so systemd's default applies.
pub fn start_bound_by_default(case: &Case) -> Option<String> {
    let bound = case
        .timeline
        .duration_property(case.unit, "TimeoutStartUSec")?;
    (bound >= DEFAULT_START_TIMEOUT).then(|| {
        format!(
            "a start that hangs is ended only after {}: TimeoutStartSec= of {} decides that",
            spoken(bound),
            case.unit
        )
    })
}

/// No `STATUS=` while the service warmed up, when it was ready, or when it stopped.
pub fn status_missing(case: &Case) -> Option<String> {
    let statuses: Vec<u64> = case
        .timeline
        .of(case.unit)
        .filter(|event| {
            matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one.len() > "STATUS=".len() && one.starts_with("STATUS=")))
        })
        .map(|event| event.at_us)
        .collect();
    if statuses.is_empty() {
        return Some(
            "no STATUS= ever arrived: systemctl status can only show the state".to_owned(),
        );
    }
    let (ready, _) = case.notification("READY=1")?;
    if statuses.iter().all(|at| *at >= ready.at_us) {
        return Some("no STATUS= arrived while the service was warming up".to_owned());
    }
    let stopping = case
        .first(|kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"))
        .map_or(u64::MAX, |event| event.at_us);
    if !statuses
        .iter()
        .any(|at| (ready.at_us..stopping).contains(at))
    {
        return Some("no new STATUS= came with READY=1 or after it: systemctl status still shows the warm-up".to_owned());
    }
    if stopping != u64::MAX && !statuses.iter().any(|at| *at >= stopping) {
        return Some("no STATUS= arrived while the service was stopping".to_owned());
    }
    None
}

#[cfg(test)]
mod tests;
