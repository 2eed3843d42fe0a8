//! A service that does not serve, logs nothing useful about it, or ends badly: `Type=`, `[Install]`, priorities of log
//! lines (sd-daemon(3)), exit codes, `TimeoutStopSec=` (systemd.service(5), systemd.unit(5)).
//!
//! Rules about the service's notifications are in `readiness` and `stopping`.

mod port_taken;

use std::time::Duration;

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::ResponseOutcome;

use super::{Case, Rule, between, how_ended, setup, spoken, stopping, watchdog};
use crate::timeline::Timeline;
use crate::view::{ERROR, activity};

pub use port_taken::PORT_TAKEN;

/// Rules for a service that was started but cannot be reached.
pub const NOT_SERVING: &[Rule] = &[
    watchdog::never_pinged,
    ended_by_itself,
    setup::cut_off_from_the_network,
    listens_elsewhere,
    stopped_as_unneeded,
    listens_nowhere,
];

/// Rules for a stop of a service that sends no notifications. [`killed_before_it_ended`] covers what the service
/// does until SIGKILL.
pub const STOP: &[Rule] = &[
    stopping::no_signal_handler,
    stopping::request_cut_off,
    stopping::ended_with_failure,
    setup::command_failed,
    stopping::never_killed,
];

/// Settings that people see: `systemctl status` prints both.
pub const TEXTS_FOR_PEOPLE: [&str; 2] = ["Description", "Documentation"];

/// A measured drain ends up to this much late: timer slack, and the time it takes to end a process.
const MEASURING: Duration = Duration::from_millis(900);

/// What `systemd-analyze verify` printed, if the scenario ran it.
pub fn verify_output(timeline: &Timeline) -> Option<&str> {
    timeline
        .events()
        .iter()
        .find_map(|event| match &event.kind {
            EventKind::Command { argv, output, .. } if argv.iter().any(|word| word == "verify") => {
                Some(output.as_str())
            }
            _ => None,
        })
}

/// `systemd-analyze verify` printed a complaint.
pub fn verify_complaint(case: &Case) -> Option<String> {
    let line = verify_output(case.timeline)?.lines().next()?;
    Some(format!(
        "systemd-analyze verify says: {}",
        line.trim_end_matches('.')
    ))
}

/// Whether the unit sets one of [`TEXTS_FOR_PEOPLE`].
pub fn is_set(case: &Case, setting: &str) -> bool {
    match case.timeline.property(case.unit, setting) {
        // Without a Description=, systemd uses the unit's name.
        Some(serde_json::Value::String(text)) => !text.is_empty() && text != case.unit,
        Some(serde_json::Value::Array(texts)) => !texts.is_empty(),
        _ => false,
    }
}

/// No `Description=`, or no `Documentation=`.
pub fn text_for_people_missing(case: &Case) -> Option<String> {
    let setting = TEXTS_FOR_PEOPLE
        .iter()
        .find(|setting| !is_set(case, setting))?;
    Some(format!(
        "{} sets no {setting}= in its [Unit] section: systemctl status cannot say what it is",
        case.unit
    ))
}

/// The service ended before anything stopped it.
pub fn ended_by_itself(case: &Case) -> Option<String> {
    case.entered("running")?;
    let (exit, code, status) = case.main_exit()?;
    // A service that systemd ended did not end by itself.
    if let Some(why) = ended_by_time_limit(case) {
        return Some(why);
    }
    // When memory runs out, systemd itself stops what the kernel has left of the unit: OOMPolicy= in
    // systemd.service(5).
    if exit.at_us >= stop_began(case) && !case.failed_with("oom-kill") {
        return None;
    }
    let how = if code != "exited" && case.failed_with("oom-kill") {
        "was killed by the kernel because memory ran out (result oom-kill)".to_owned()
    } else {
        format!("ended {}", how_ended(code, status))
    };
    Some(format!(
        "the service {how} before anybody stopped it{}",
        case.last_words()
    ))
}

/// `RuntimeMaxSec=` ended the service.
pub fn ended_by_time_limit(case: &Case) -> Option<String> {
    let message = case.timed_out_while_running()?;
    let setting = case.units.first_of(case.unit, &["RuntimeMaxSec"]);
    Some(format!(
        "{} of {} ended the service before anybody stopped it: systemd says {message:?}",
        setting.as_deref().unwrap_or("RuntimeMaxSec="),
        case.unit
    ))
}

/// Something listens, but on a different address.
pub fn listens_elsewhere(case: &Case) -> Option<String> {
    if case.timeline.listening_at(case.address).is_some() {
        return None;
    }
    let other = case.listener()?;
    Some(format!(
        "the service listens on {other}, and not on {}",
        case.address
    ))
}

/// systemd itself stopped the service, since no other unit needs it.
pub fn stopped_as_unneeded(case: &Case) -> Option<String> {
    let property = case.timeline.property(case.unit, "StopWhenUnneeded")?;
    let stop = case.first(|kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"))?;
    let listened = case.timeline.events().iter().any(|event| {
        event.at_us <= stop.at_us && matches!(event.kind, EventKind::ListenerOpened { .. })
    });
    (property.as_bool() == Some(true) && !listened).then(|| {
        format!(
            "systemd stopped the service as soon as it had started: {} of {} does that when no other unit needs it",
            case.as_written("StopWhenUnneeded", "yes"),
            case.unit
        )
    })
}

/// The program is running, but nothing listens.
pub fn listens_nowhere(case: &Case) -> Option<String> {
    case.entered("running")?;
    case.listener().is_none().then(|| {
        format!(
            "the service runs, but nothing ever listened on {}",
            case.address
        )
    })
}

/// The named request did not get the expected answer.
pub fn other_answer(case: &Case, request: &str, body: &str) -> Option<String> {
    let how = match case.timeline.response(request)? {
        ResponseOutcome::Answered {
            status: 200,
            body: found,
        } if found.trim_end() == body => return None,
        ResponseOutcome::Answered {
            status,
            body: found,
        } => format!("was answered with status {status} and {found:?}"),
        ResponseOutcome::Refused => "was refused".to_owned(),
        ResponseOutcome::TimedOut => "was not answered in time".to_owned(),
        ResponseOutcome::Broken { .. } => "was cut off".to_owned(),
    };
    Some(format!("the request \"{request}\" {how}"))
}

/// `Type=` differs from the required value.
pub fn other_type(case: &Case, wanted: &str) -> Option<String> {
    let kind = case.timeline.text_property(case.unit, "Type")?;
    if kind == wanted {
        return None;
    }
    let means = match kind {
        "simple" | "idle" => {
            "its start job is done before the program runs, so that even the start of a missing one succeeds"
        }
        "oneshot" => "systemd considers it started only when its program has ended",
        "forking" => {
            "systemd considers it started only when its first process has ended and left another one behind"
        }
        "dbus" => "systemd considers it started only when it has its name on D-Bus",
        _ => "systemd considers it started only when it has sent READY=1",
    };
    Some(format!(
        "{} has Type={kind}, not Type={wanted}: {means}",
        case.unit
    ))
}

/// `systemctl enable` found nothing to do.
pub fn not_enabled(case: &Case) -> Option<String> {
    let state = case.timeline.text_property(case.unit, "UnitFileState")?;
    (state == "static").then(|| {
        format!(
            "{} has no WantedBy= in an [Install] section: systemctl enable has nothing to link, and no boot starts it",
            case.unit
        )
    })
}

/// The unit is enabled, but `multi-user.target` does not pull it in.
pub fn not_wanted_at_boot(case: &Case) -> Option<String> {
    let state = case.timeline.text_property(case.unit, "UnitFileState")?;
    let is_pulled_in = case
        .first(|kind| {
            matches!(
                kind,
                EventKind::JobQueued { .. } | EventKind::JobEnded { .. }
            )
        })
        .is_some();
    // A unit that cannot be loaded is not started either, whatever wants it.
    let is_loaded = case.timeline.text_property(case.unit, "LoadState") == Some("loaded");
    (state == "enabled" && is_loaded && !is_pulled_in).then(|| {
        format!(
            "{} is enabled, but multi-user.target does not start it: WantedBy= in its [Install] section decides that",
            case.unit
        )
    })
}

/// When the stop began; the end of time if there was none.
///
/// That is when its job was queued: the service may act on SIGTERM before systemd logs that it has sent it.
pub fn stop_began(case: &Case) -> u64 {
    let stop = case.first(|kind| match kind {
        EventKind::JobQueued { job } => job == "stop",
        EventKind::StateChanged { to, .. } => activity(to) == "deactivating",
        _ => false,
    });
    stop.map_or(u64::MAX, |event| event.at_us)
}

/// How long a stopped service took to end by itself. `None` if it did not.
pub fn time_to_end(case: &Case) -> Option<Duration> {
    let stop = case.entered("stop-sigterm")?;
    let (exit, code, _) = case.main_exit()?;
    (code == "exited" && exit.at_us >= stop.at_us).then(|| between(stop, exit))
}

/// How long a stopped service waited for a request that never ends, if that is longer than it should.
pub fn overlong_drain(case: &Case, longest: Duration) -> Option<Duration> {
    time_to_end(case).filter(|took| *took > longest + MEASURING)
}

/// It ended by itself, but later than it should. In the run, a request was in flight that never ends.
pub fn drains_too_long(case: &Case, longest: Duration) -> Option<String> {
    let took = overlong_drain(case, longest)?;
    Some(format!(
        "after SIGTERM the service waited {} for a request that never ends: requests in flight get up to {}",
        spoken(took),
        spoken(longest)
    ))
}

/// `Restart=` is set although it is not wanted.
pub fn restarts(case: &Case) -> Option<String> {
    let policy = case.timeline.text_property(case.unit, "Restart")?;
    (policy != "no").then(|| {
        format!(
            "{} of {} should not be set: without it, a service that has ended stays down",
            case.as_written("Restart", policy),
            case.unit
        )
    })
}

/// After how long systemd gave up on a stopped service and sent SIGKILL.
fn given_up_after(case: &Case) -> Option<Duration> {
    let stop = case.entered("stop-sigterm")?;
    let timeout = case.first(
        |kind| matches!(kind, EventKind::Timeout { message } if message.contains("stop-sigterm")),
    )?;
    Some(between(stop, timeout))
}

/// `TimeoutStopSec=` passed before the service had ended. In the run of `patient`, the service was stopped as well,
/// but systemd waited much longer. `longest` is the longest time that the service should take.
pub fn killed_before_it_ended(case: &Case, patient: &Case, longest: Duration) -> Option<String> {
    let given = given_up_after(case)?;
    let allowed = spoken(given);
    let stop = stop_began(case);
    let end = stop + given.as_micros() as u64;
    let stopped_listening = case.timeline.events().iter().any(|event| {
        (stop..end).contains(&event.at_us)
            && matches!(&event.kind, EventKind::ListenerClosed { address } if address == case.address)
    });
    let killed = format!(
        "the service still ran {allowed} after SIGTERM and was ended by SIGKILL (TimeoutStopSec=)"
    );
    Some(match time_to_end(patient) {
        _ if !stopped_listening => format!(
            "{killed}, and it kept listening on {}: it ignores SIGTERM",
            case.address
        ),
        Some(needed) if needed <= longest + MEASURING => format!(
            "TimeoutStopSec= of {} is {allowed}, and the service takes up to {} to end: SIGKILL came first",
            case.unit,
            spoken(needed)
        ),
        Some(needed) => format!(
            "the service takes {} to give up a request that never ends, and TimeoutStopSec= of {} allows {allowed}: SIGKILL came first",
            spoken(needed),
            case.unit
        ),
        None => match given_up_after(patient) {
            Some(more) => format!(
                "{killed}, and {} were not enough either: the wait for a request that never ends needs a deadline",
                spoken(more)
            ),
            None => format!(
                "{killed}: it had closed its listener, and whatever it still waited for needs a deadline"
            ),
        },
    })
}

/// `TimeoutStopSec=` differs from the required value.
pub fn other_stop_timeout(case: &Case, wanted: Duration) -> Option<String> {
    let property = case.timeline.property(case.unit, "TimeoutStopUSec")?;
    let found = Duration::from_micros(property.as_u64()?);
    if found == wanted {
        return None;
    }
    let found = match found.as_micros() as u64 {
        u64::MAX => "infinity".to_owned(),
        _ => spoken(found),
    };
    Some(format!(
        "TimeoutStopSec= of {} is {found}, not {}: that is how long a stop waits for a service that hangs",
        case.unit,
        spoken(wanted)
    ))
}

/// The lines that the service logged with priority err or worse before this instant, with their priorities.
pub fn error_lines<'a>(case: &Case<'a>, before_us: u64) -> Vec<(u8, &'a str)> {
    let lines = lines(case).into_iter();
    lines
        .filter(|(at_us, priority, _)| *at_us < before_us && *priority <= ERROR)
        .map(|(_, priority, message)| (priority, message))
        .collect()
}

/// Everything that the service logged: when, with which priority, and the text.
fn lines<'a>(case: &Case<'a>) -> Vec<(u64, u8, &'a str)> {
    let events = case.timeline.events().iter();
    events
        .filter(|event| event.is_about(case.unit))
        .filter_map(|event| match &event.kind {
            EventKind::Log { priority, message } => {
                Some((event.at_us, *priority, message.as_str()))
            }
            _ => None,
        })
        .collect()
}

/// A priority with its name in syslog(3): `3 (err)`.
pub fn priority_text(priority: u8) -> String {
    const NAMES: [&str; 8] = [
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
    ];
    match NAMES.get(usize::from(priority)) {
        Some(name) => format!("{priority} ({name})"),
        None => priority.to_string(),
    }
}

/// The service logged an error although nothing was wrong.
pub fn error_while_well(case: &Case) -> Option<String> {
    let (priority, message) = *error_lines(case, stop_began(case)).first()?;
    Some(format!(
        "nothing was wrong, but a line has priority {}: {message:?}",
        priority_text(priority)
    ))
}

#[cfg(test)]
mod tests;
