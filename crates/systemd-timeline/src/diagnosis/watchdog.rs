//! `WatchdogSec=`, `WATCHDOG=1` and `WATCHDOG=trigger`: who notices a service that hangs (systemd.service(5),
//! sd_notify(3)).

use std::ops::Range;
use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use super::{Case, Rule, between, how_ended, spoken};
use crate::view::{ERROR, MAIN, activity};

/// For a service that works, and that the watchdog should have left alone.
pub const WHILE_HEALTHY: &[Rule] = &[
    not_set,
    triggered_while_stopping,
    triggered_while_healthy,
    never_pinged,
    pinged_too_seldom,
];

/// For a service that hangs each time it is started, on which systemd should have given up.
pub const GIVEN_UP: &[Rule] = &[
    not_set,
    ended_instead,
    never_noticed,
    not_restarted,
    never_given_up,
];

/// No `WatchdogSec=`.
pub fn not_set(case: &Case) -> Option<String> {
    let limit = case
        .timeline
        .property(case.unit, "WatchdogUSec")?
        .as_u64()?;
    // Infinity may also mean that the service has already ended.
    let is_known =
        limit == u64::MAX && (timeout(case).is_some() || notified(case, "WATCHDOG=").is_some());
    if (limit != 0 && limit != u64::MAX) || is_known {
        return None;
    }
    const UNNOTICED: &str = "systemd does not notice a service that hangs without ending";
    Some(match case.units.last_line(case.unit, "WatchdogSec") {
        Some((file, value)) if is_off(&value) => {
            format!("WatchdogSec={value} in {file} turns the watchdog off: {UNNOTICED}")
        }
        _ => format!("WatchdogSec= of {} is not set: {UNNOTICED}", case.unit),
    })
}

/// Whether `WatchdogSec=` with this value means that there is no watchdog: 0 in any unit, `infinity`, or nothing.
fn is_off(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = number.trim();
    let is_zero = !number.is_empty() && number.chars().all(|c| c == '0');
    value.is_empty() || value == "infinity" || is_zero
}

/// `WATCHDOG=trigger` while the service was being stopped: its self-test found the listener closed.
pub fn triggered_while_stopping(case: &Case) -> Option<String> {
    let stop = case.entered("stop-sigterm")?;
    let trigger = notified(case, "WATCHDOG=trigger")?;
    (trigger.at_us >= stop.at_us).then(|| {
        "WATCHDOG=trigger was sent while the service was being stopped: end the self-test when the stop begins".to_owned()
    })
}

/// `WATCHDOG=trigger` although nothing was wrong.
pub fn triggered_while_healthy(case: &Case) -> Option<String> {
    let trigger = notified(case, "WATCHDOG=trigger")?;
    let status = status_before(case, trigger)
        .map_or(String::new(), |text| format!("; STATUS= said {text:?}"));
    let pinged = all_notified(case, "WATCHDOG=1").any(|event| event.at_us < trigger.at_us);
    Some(match pinged {
        true => format!(
            "WATCHDOG=trigger was sent although the service was only busy: the self-test's timeout is shorter than normal work takes{status}"
        ),
        false => format!(
            "WATCHDOG=trigger was sent before any WATCHDOG=1, and nothing was wrong: the self-test itself never succeeds{status}. One that reads to the end of the connection has to ask for Connection: close"
        ),
    })
}

/// `WatchdogSec=` differs from the required value. The value is unknown if the service has already ended.
pub fn other_limit(case: &Case, wanted: Duration) -> Option<String> {
    let limit = case
        .timeline
        .duration_property(case.unit, "WatchdogUSec")
        .filter(|limit| !limit.is_zero())?;
    let when = if limit < wanted {
        "too soon"
    } else {
        "too late"
    };
    let acted = timeout(case)
        .filter(|message| message.contains("limit"))
        .map_or(String::new(), |message| {
            format!(", and systemd acted {when}: {message}")
        });
    if limit == wanted {
        return None;
    }
    let changed = case
        .timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::Notified { assignments, .. } => assignments
                .iter()
                .find(|one| one.starts_with("WATCHDOG_USEC=")),
            _ => None,
        });
    if let Some(changed) = changed {
        return Some(format!(
            "the service sent {changed}, which replaces WatchdogSec=: it should be {}{acted}",
            spoken(wanted)
        ));
    }
    Some(format!(
        "{} of {} should be {}{acted}",
        case.as_written("WatchdogSec", &spoken(limit).replace(' ', "")),
        case.unit,
        spoken(wanted)
    ))
}

/// A self-test although nothing waits for pings.
pub fn tested_without_a_limit(case: &Case) -> Option<String> {
    let sent = notified(case, "WATCHDOG=")?;
    let EventKind::Notified { assignments, .. } = &sent.kind else {
        return None;
    };
    let what = assignments
        .iter()
        .find(|one| one.starts_with("WATCHDOG="))?;
    Some(format!(
        "{what} was sent although the unit has no WatchdogSec=: whether there is a watchdog, and how long it waits, is in WATCHDOG_USEC and WATCHDOG_PID (sd_watchdog_enabled(3))"
    ))
}

/// The unit sets `WatchdogSec=`, but the service does nothing about it.
pub fn never_pinged(case: &Case) -> Option<String> {
    let timeout = timeout(case)?;
    notified(case, "WATCHDOG=1").is_none().then(|| {
        format!(
            "WATCHDOG=1 never arrived, and systemd ended a service that worked ({timeout}): {} of {} is for a service that pings",
            case.units
                .first_of(case.unit, &["WatchdogSec"])
                .unwrap_or_else(|| "WatchdogSec=".to_owned()),
            case.unit
        )
    })
}

/// `WATCHDOG=1` came, but too late.
pub fn pinged_too_seldom(case: &Case) -> Option<String> {
    let timeout = timeout(case)?;
    let killed = case.first(|kind| matches!(kind, EventKind::WatchdogTimeout { .. }))?;
    let pings: Vec<&Event> = all_notified(case, "WATCHDOG=1")
        .filter(|event| event.at_us < killed.at_us)
        .collect();
    let longest = pings.windows(2).map(|pair| between(pair[0], pair[1])).max();
    let how_often = longest.map_or(
        "arrived once, and the next one did not arrive in time".to_owned(),
        |gap| {
            format!(
                "arrived up to {} apart, and then the next one did not arrive in time",
                spoken(gap)
            )
        },
    );
    Some(format!(
        "WATCHDOG=1 {how_often}, and systemd ended a service that worked ({timeout}): ping at half the time of WatchdogSec="
    ))
}

/// The effect of most faults.
pub const HUNG: &str = "the service hung";

/// The requirements after a fault, and what the check has seen of them.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    /// The effect of the fault, e.g. [`HUNG`].
    pub fault: &'static str,
    /// `WatchdogSec=`, within which systemd should notice the fault.
    pub limit: Duration,
    /// How soon after the fault the service should run again.
    pub back: Duration,
    /// Whether a self-test can run during the fault: not if the executor or the whole process stands still.
    pub can_test: bool,
    /// How long a self-test may wait for its answer.
    pub longest_test: Duration,
    /// Whether `STATUS=` gave a reason.
    pub has_reason: bool,
    /// Whether a line with priority err did.
    pub is_logged: bool,
}

/// Why a service that hung from the beginning of `span` was not noticed, reported or restarted.
///
/// `span` is in the guest's time, in microseconds: from the fault to the next one.
pub fn after_fault(case: &Case, span: Range<u64>, promise: Promise) -> Option<String> {
    let within = |event: &&Event| span.contains(&event.at_us) && event.is_about(case.unit);
    let events = || case.timeline.events().iter().filter(within);
    let noticed = events().find(|event| matches!(event.kind, EventKind::WatchdogTimeout { .. }));
    let Some(noticed) = noticed else {
        return ended_itself(case, span.clone())
            .or_else(|| ping_without_test(case, span, promise.fault));
    };
    if let Some(other) = other_limit(case, promise.limit) {
        return Some(other);
    }
    let elapsed = Duration::from_micros(noticed.at_us - span.start);
    let back = events().find(|event| {
        event.at_us > noticed.at_us
            && matches!(&event.kind, EventKind::StateChanged { to, .. } if to == "running")
    });
    let Some(back) = back else {
        return not_restarted(case)
            .or_else(|| refused_by_limit(case))
            .or_else(|| Some(format!(
                "the watchdog ended the service, and it was not running again in time: {} and TimeoutStartSec= decide how long that takes",
                case.as_written("RestartSec", "100ms")
            )));
    };
    let triggered = all_notified(case, "WATCHDOG=trigger").any(|event| span.contains(&event.at_us));
    let pings = all_notified(case, "WATCHDOG=1");
    let in_vain = pings
        .filter(|event| span.contains(&event.at_us) && event.at_us <= noticed.at_us)
        .last()
        .filter(|event| event.at_us > span.start + UNDER_WAY.as_micros() as u64);
    if let Some(ping) = in_vain {
        let then = match promise.fault {
            HUNG => "the service no longer answered",
            other => other,
        };
        return Some(format!(
            "WATCHDOG=1 arrived {} after the fault, when {then}: send it after a self-test that succeeded, not before or beside it",
            spoken(Duration::from_micros(ping.at_us - span.start))
        ));
    }
    let took = Duration::from_micros(back.at_us - span.start);
    if took > promise.back + SLACK {
        return Some(format!(
            "the watchdog ended the service {} after the fault, and it ran again only after {}: {} comes in between, and should be {}",
            spoken(elapsed),
            spoken(took),
            case.as_written("RestartSec", "100ms"),
            spoken(promise.back)
        ));
    }
    if !promise.can_test {
        // Then nothing in the service can give a reason, and nothing is quicker than systemd's own clock.
        return None;
    }
    let status = status_before(case, noticed).filter(|_| promise.has_reason);
    match (promise.has_reason, triggered) {
        (false, true) => Some("WATCHDOG=trigger was sent and STATUS= did not say why: a person sees only that the watchdog acted. Send it first, because systemd kills the service as soon as it reads the trigger".to_owned()),
        (false, false) => Some("the self-test failed silently: WATCHDOG=1 stopped coming, but neither STATUS= nor the journal says why, and WATCHDOG=trigger would have been quicker".to_owned()),
        (true, false) => Some(format!(
            "STATUS= said {:?}, but WATCHDOG=trigger did not follow: systemd waited for the rest of WatchdogSec=",
            status.unwrap_or_default()
        )),
        (true, true) if !promise.is_logged => Some(format!(
            "STATUS= said {:?}, but the journal has no line of priority err that says so{}",
            status.unwrap_or_default(),
            case.kept_out_of_journal(ERROR, "StandardError")
                .map_or(String::new(), |written| format!(
                    ": {written} of {} keeps such a line out of it",
                    case.unit
                ))
        )),
        (true, true) => trigger_delayed(case, span.clone())
            .map(|delay| format!(
                "WATCHDOG=trigger came {} after the line that says why: send it at once, since every second more is one in which clients wait",
                spoken(delay)
            ))
            .or_else(|| {
                let waited = test_overlong(case, span, promise.longest_test)?;
                Some(format!(
                    "the self-test that failed took {}, counted from when the next one was due: it should give up after {}",
                    spoken(waited),
                    spoken(promise.longest_test)
                ))
            }),
    }
}

/// A line with priority err said why a self-test had failed, but `WATCHDOG=trigger` came only this much later. `span` is
/// that of [`after_fault`].
pub fn trigger_delayed(case: &Case, span: Range<u64>) -> Option<Duration> {
    let within = |event: &&Event| span.contains(&event.at_us) && event.is_about(case.unit);
    let said =
        case.timeline.events().iter().filter(within).find(
            |event| matches!(event.kind, EventKind::Log { priority, .. } if priority <= ERROR),
        )?;
    let mut triggers = all_notified(case, "WATCHDOG=trigger");
    let trigger = triggers.find(within)?;
    Some(between(said, trigger)).filter(|delay| *delay >= AT_ONCE)
}

/// How long the self-test that led to `WATCHDOG=trigger` waited, if that is longer than allowed. Tests are as far apart as the
/// pings before the fault were, so the failed test began that long after the last ping.
pub fn test_overlong(case: &Case, span: Range<u64>, longest: Duration) -> Option<Duration> {
    let mut triggers = all_notified(case, "WATCHDOG=trigger");
    let trigger = triggers.find(|event| span.contains(&event.at_us))?;
    let mut ends = case.timeline.of(case.unit).filter(|event| {
        event.at_us < span.start
            && matches!(&event.kind, EventKind::ProcessExited { role, .. } if role == MAIN)
    });
    let begin_us = ends.next_back().map_or(0, |event| event.at_us);
    let pings: Vec<&Event> = all_notified(case, "WATCHDOG=1")
        .filter(|event| (begin_us..trigger.at_us).contains(&event.at_us))
        .collect();
    let distance = pings
        .windows(2)
        .map(|pair| between(pair[0], pair[1]))
        .max()?;
    let since_ping = between(pings.last()?, trigger);
    let waited = since_ping.saturating_sub(distance);
    (waited > longest + SLACK + SLACK / 2).then_some(waited)
}

/// `WATCHDOG=1` in a run in which the service hangs as soon as it serves.
pub fn pinged_untested(case: &Case) -> Option<String> {
    let ping = notified(case, "WATCHDOG=1")?;
    let ready = notified(case, "READY=1")?;
    if ping.at_us < ready.at_us {
        return Some(format!(
            "WATCHDOG=1 arrived {} before READY=1, when no self-test can have succeeded: send it only after one that did",
            spoken(between(ping, ready))
        ));
    }
    Some(format!(
        "WATCHDOG=1 arrived {} after READY=1 in a service that never answered: the first one, too, comes after a self-test that succeeded",
        spoken(between(ready, ping))
    ))
}

/// Anything that takes no longer than this counts as immediate.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A self-test in progress at the time of the fault may have been answered already.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// systemd's timers may fire up to 250 ms late; stamps are taken a little after the fact.
const SLACK: Duration = Duration::from_millis(500);

/// A service that hangs as soon as it runs, and exits by itself before the watchdog acts.
pub fn ended_instead(case: &Case) -> Option<String> {
    if timeout(case).is_some() {
        return None;
    }
    let running = case.entered("running")?;
    ended_itself(case, running.at_us..u64::MAX)
}

/// The self-test failed before anything went wrong.
pub fn triggered_before(case: &Case, fault_us: u64) -> Option<String> {
    let trigger = notified(case, "WATCHDOG=trigger")?;
    (trigger.at_us < fault_us).then(|| triggered_while_healthy(case))?
}

/// The service noticed the hang, and exited by itself.
fn ended_itself(case: &Case, span: Range<u64>) -> Option<String> {
    let (exit, code, status) = case.main_exit_since(span.start)?;
    (exit.at_us < span.end).then(|| {
        format!(
            "the service ended {} {} after the fault, by itself: the result is then not watchdog, and people look for a crash. WATCHDOG=trigger leaves the end to systemd",
            how_ended(code, status),
            spoken(Duration::from_micros(exit.at_us - span.start))
        )
    })
}

/// Nothing noticed the hang: pings went on, or nothing waits for them.
fn ping_without_test(case: &Case, span: Range<u64>, fault: &str) -> Option<String> {
    let pings: Vec<&Event> = all_notified(case, "WATCHDOG=1")
        .filter(|event| span.contains(&event.at_us))
        .collect();
    let (first, last) = (pings.first()?, pings.last()?);
    let lasted = spoken(between(first, last));
    let wanted = match fault {
        HUNG => "the service answers",
        _ => "GET / is answered with status 200",
    };
    let failed = status_before(case, last).filter(|text| mentions_failure(text));
    Some(match failed {
        Some(text) => format!(
            "STATUS= said {text:?}, but WATCHDOG=1 kept arriving for {lasted}: a self-test that fails must hold it back"
        ),
        None => format!(
            "{fault}, and WATCHDOG=1 kept arriving for {lasted}: whatever the self-test looks at, it is not whether {wanted}"
        ),
    })
}

/// Whether a reader of this text learns that something is wrong.
fn mentions_failure(status: &str) -> bool {
    let status = status.to_lowercase();
    [
        "fail",
        "no answer",
        "not answer",
        "timeout",
        "timed out",
        "hang",
        "error",
    ]
    .iter()
    .any(|word| status.contains(word))
}

/// A service whose executor hung from the beginning of `span`, and that still sent pings for longer than the
/// watchdog waits: only a separate thread does that.
pub fn pinged_by_a_thread(case: &Case, span: Range<u64>) -> Option<String> {
    let limit = case.timeline.duration_property(case.unit, "WatchdogUSec")?;
    let noticed = case.timeline.of(case.unit).any(|event| {
        span.contains(&event.at_us) && matches!(event.kind, EventKind::WatchdogTimeout { .. })
    });
    if noticed {
        return None;
    }
    let began = span.start;
    let last = all_notified(case, "WATCHDOG=1")
        .filter(|event| span.contains(&event.at_us))
        .last()?;
    let lasted = Duration::from_micros(last.at_us - began);
    (lasted > limit).then(|| {
        format!(
            "WATCHDOG=1 kept arriving while the executor was blocked, for longer than the {} of WatchdogSec=: a separate thread sends it, which only proves that this thread runs",
            spoken(limit)
        )
    })
}

/// A service that hangs at each start, with a watchdog that never acted.
pub fn never_noticed(case: &Case) -> Option<String> {
    if timeout(case).is_some() {
        return None;
    }
    ping_without_test(case, 0..u64::MAX, HUNG)
}

/// The watchdog acted, but systemd did not restart the service.
pub fn not_restarted(case: &Case) -> Option<String> {
    let noticed = case.first(|kind| matches!(kind, EventKind::WatchdogTimeout { .. }))?;
    let restarted = case
        .first(|kind| matches!(kind, EventKind::RestartScheduled { .. }))
        .is_some();
    let is_on_its_way = case.is_waiting_for_restart()
        || case
            .last_state()
            .is_some_and(|it| activity(it) == "deactivating");
    if restarted || is_on_its_way {
        return None;
    }
    let policy = case.timeline.text_property(case.unit, "Restart")?;
    let (_, code, status) = case.main_exit_since(noticed.at_us)?;
    let ended = how_ended(code, status);
    if case.has_exit_status("RestartPreventExitStatus", code, status) {
        return Some(format!(
            "the watchdog ended the service {ended}, and {} of {} keeps systemd from starting it again after that, whatever Restart={policy} says",
            case.as_written("RestartPreventExitStatus", &ended),
            case.unit
        ));
    }
    Some(format!(
        "the watchdog ended the service, and Restart={policy} does not start it again after the result watchdog"
    ))
}

/// The watchdog acted, but the start limit refused the restart.
fn refused_by_limit(case: &Case) -> Option<String> {
    let burst = case.timeline.property(case.unit, "StartLimitBurst")?;
    case.is_given_up().then(|| {
        format!(
            "the watchdog ended the service, and systemd did not start it again: {} was used up, and the first start counts too",
            case.as_written("StartLimitBurst", &burst.to_string())
        )
    })
}

/// The service hangs, is ended and is restarted, forever.
pub fn never_given_up(case: &Case) -> Option<String> {
    timeout(case)?;
    if case.is_given_up() {
        return None;
    }
    let interval = case
        .timeline
        .duration_property(case.unit, "StartLimitIntervalUSec")?;
    let burst = case
        .timeline
        .property(case.unit, "StartLimitBurst")?
        .as_u64()?;
    Some(format!(
        "the service hung at each start and systemd never gave up on it: there are never {burst} starts within {} (StartLimitBurst=, StartLimitIntervalSec=)",
        spoken(interval)
    ))
}

/// systemd's own words about the watchdog that acted first, e.g. `Watchdog timeout (limit 10s)!`.
fn timeout<'a>(case: &Case<'a>) -> Option<&'a str> {
    let event = case.first(|kind| matches!(kind, EventKind::WatchdogTimeout { .. }))?;
    match &event.kind {
        EventKind::WatchdogTimeout { message } => Some(message.trim_end_matches('!')),
        _ => None,
    }
}

fn notified<'a>(case: &Case<'a>, assignment: &str) -> Option<&'a Event> {
    all_notified(case, assignment).next()
}

/// Every notification with an assignment that begins like this.
fn all_notified<'a>(case: &Case<'a>, assignment: &str) -> impl Iterator<Item = &'a Event> {
    let (unit, assignment) = (case.unit.to_owned(), assignment.to_owned());
    case.timeline.events().iter().filter(move |event| {
        event.is_about(&unit)
            && matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one.starts_with(&assignment)))
    })
}

/// The text of the last `STATUS=` up to this event.
fn status_before<'a>(case: &Case<'a>, until: &Event) -> Option<&'a str> {
    let events = case.timeline.events().iter().rev();
    events
        .filter(|event| event.at_us <= until.at_us && event.is_about(case.unit))
        .find_map(|event| match &event.kind {
            EventKind::Notified { assignments, .. } => assignments
                .iter()
                .find_map(|one| one.strip_prefix("STATUS=")),
            _ => None,
        })
}

#[cfg(test)]
mod tests;
