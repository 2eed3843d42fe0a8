//! `systemctl reload`: `Type=notify-reload`, `RELOADING=1`, `MONOTONIC_USEC=` (systemd.service(5), sd_notify(3)).

use std::time::Duration;

use systemd_lab_protocol::event::ResponseOutcome;
use systemd_lab_protocol::{Event, EventKind};

use super::{Case, Rule, between, how_ended, spoken};

/// All rules of this module, for a unit that should reload and keep running. They come before the rules on unit
/// files: systemd does not refuse a unit just because it cannot be reloaded.
pub const RULES: &[Rule] = &[
    not_reloadable,
    hangup_unhandled,
    other_signal,
    ended_by_reload_command,
    ended_by_reload,
    reloading_never_sent,
    stamp_missing,
    stamp_too_early,
    ready_never_sent,
    request_cut_off,
];

/// Rules for a reload that systemd accepts.
pub const AS_ASKED: &[Rule] = &[listener_closed, stamp_in_future];

/// Whether something takes less than this depends on how long the service reads its configuration.
const A_MOMENT: Duration = Duration::from_secs(1);

/// A command affects the service within this time.
const SOON: Duration = Duration::from_secs(2);

/// Stamps of events are taken a moment before or after the fact.
const STAMP_SLACK: Duration = Duration::from_millis(20);

/// The signal that `Type=notify-reload` sends, unless `ReloadSignal=` says otherwise: systemd.service(5).
const SIGHUP: i32 = 1;

/// systemd does not know how to reload this unit.
pub fn not_reloadable(case: &Case) -> Option<String> {
    let (_, message) = case.timeline.refusal()?;
    if !message.contains("not applicable") {
        return None;
    }
    let kind = case.timeline.text_property(case.unit, "Type")?;
    Some(format!(
        "{} has Type={kind}, and systemd does not know how to reload it: with Type=notify-reload, it sends SIGHUP",
        case.unit
    ))
}

/// The signal that asks for a reload ended the process.
pub fn hangup_unhandled(case: &Case) -> Option<String> {
    reload(case)?;
    let (_, code, status) = case.main_exit()?;
    (code == "killed" && status == SIGHUP).then(|| {
        "SIGHUP, which systemctl reload sends, ended the process: nothing in the service handles that signal".to_owned()
    })
}

/// `ReloadSignal=` sends a signal that does not make the service reload.
pub fn other_signal(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    let signal = case
        .timeline
        .property(case.unit, "ReloadSignal")?
        .as_i64()?;
    if signal == i64::from(SIGHUP) {
        return None;
    }
    let written = case.units.first_of(case.unit, &["ReloadSignal"])?;
    let then = match case.main_exit_since(reload.at_us) {
        Some((_, "killed" | "dumped", status)) if i64::from(status) == signal => {
            "that ended the process: nothing in the service handles it"
        }
        _ => "the service reloads at SIGHUP",
    };
    Some(format!(
        "{written} of {} makes systemctl reload send that signal instead of SIGHUP; {then}",
        case.unit
    ))
}

/// A command of `ExecReload=` sent a signal that ended the process.
pub fn ended_by_reload_command(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    let (exit, code, status) = case.main_exit_since(reload.at_us)?;
    let command = case.units.first_of(case.unit, &["ExecReload"])?;
    // The service ended for a different reason, much later.
    if code == "exited" || between(reload, exit) > SOON {
        return None;
    }
    Some(format!(
        "{command} of {} runs at each reload, and the service ended {}: Type=notify-reload sends SIGHUP by itself and needs no ExecReload=",
        case.unit,
        how_ended(code, status)
    ))
}

/// Clients cannot connect during the reload.
pub fn listener_closed(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    let stop = case
        .first(|kind| matches!(kind, EventKind::JobQueued { job } if job == "stop"))
        .map_or(u64::MAX, |event| event.at_us);
    let closed = case.timeline.events().iter().find(|event| {
        (reload.at_us..stop).contains(&event.at_us)
            && matches!(&event.kind, EventKind::ListenerClosed { address } if address == case.address)
    })?;
    let opened = case.timeline.events().iter().find(|event| {
        event.at_us >= closed.at_us
            && matches!(&event.kind, EventKind::ListenerOpened { address } if address == case.address)
    });
    let how_long = match opened.map(|opened| between(closed, opened)) {
        None => "and not opened again".to_owned(),
        Some(time) if time < A_MOMENT => "for a moment".to_owned(),
        Some(time) => format!("for {}", spoken(time)),
    };
    Some(format!(
        "the listener on {} was closed during the reload, {how_long}: a client that connects then is refused. Keep it, and change what it answers",
        case.address
    ))
}

/// `MONOTONIC_USEC=` comes from a different clock.
pub fn stamp_in_future(case: &Case) -> Option<String> {
    let (event, assignment) = case.notification("MONOTONIC_USEC=")?;
    let stamp: u64 = assignment.split_once('=')?.1.parse().ok()?;
    let ahead = Duration::from_micros(stamp.saturating_sub(event.at_us));
    (ahead > STAMP_SLACK).then(|| {
        format!(
            "MONOTONIC_USEC= is {} s in the future: it must be CLOCK_MONOTONIC, which counts from the boot, and not the time of day",
            ahead.as_secs()
        )
    })
}

/// The service did not announce, read and finish in this order. `before` is what happened while the configuration could not be
/// read yet, `after` what happened when it could.
pub fn out_of_order(before: &Case, after: &Case) -> Option<String> {
    let reload = reload(before)?;
    let said = |case: &Case, assignment: &str, from_us: u64| {
        case.timeline.of(case.unit).any(|event| {
            event.at_us >= from_us
                && matches!(&event.kind, EventKind::Notified { assignments, .. }
                    if assignments.iter().any(|one| one == assignment))
        })
    };
    if said(before, "READY=1", reload.at_us) {
        return Some(
            "READY=1 ended the reload before the configuration had been read: systemctl reload returned while the old one was still in use".to_owned(),
        );
    }
    if !said(before, "RELOADING=1", reload.at_us) && said(after, "RELOADING=1", 0) {
        return Some(
            "RELOADING=1 came only after the configuration had been read: send it first, then read"
                .to_owned(),
        );
    }
    None
}

/// The service ended by itself when it was told to reload.
pub fn ended_by_reload(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    let (_, code, status) = case.main_exit_since(reload.at_us)?;
    (code == "exited").then(|| {
        format!(
            "the service was told to reload and ended with exit code {status}: what worked before must keep working{}",
            case.last_words()
        )
    })
}

/// systemd waited for `RELOADING=1` in vain.
pub fn reloading_never_sent(case: &Case) -> Option<String> {
    let (reload, timeout) = given_up(case)?;
    let waited = spoken(between(reload, timeout));
    let announced = case.timeline.notifications(case.unit, "RELOADING=1");
    let last = announced
        .filter(|(event, _)| event.at_us < timeout.at_us)
        .last();
    match last {
        None => Some(format!(
            "systemctl reload sent SIGHUP, and RELOADING=1 never arrived: systemd waited {waited} for it (TimeoutStartSec=)"
        )),
        Some((event, _)) if event.at_us < reload.at_us => Some(format!(
            "systemctl reload sent SIGHUP again, and this time RELOADING=1 did not arrive: systemd waited {waited} for it (TimeoutStartSec=)"
        )),
        Some(_) => None,
    }
}

/// `RELOADING=1` without `MONOTONIC_USEC=`: systemd looks for it in the same message only.
pub fn stamp_missing(case: &Case) -> Option<String> {
    let waited = given_up_after(case, reload(case)?)?;
    let (reloading, _) = case.notification("RELOADING=1")?;
    if stamp_of(reloading).is_some() {
        return None;
    }
    let apart = case
        .notification("MONOTONIC_USEC=")
        .map_or("", |_| " in the same message");
    Some(format!(
        "RELOADING=1 arrived without MONOTONIC_USEC={apart}, so systemd could not tell which reload it belongs to: it waited {waited}"
    ))
}

/// The value of `MONOTONIC_USEC=` in this message.
fn stamp_of(message: &Event) -> Option<&str> {
    match &message.kind {
        EventKind::Notified { assignments, .. } => assignments
            .iter()
            .find_map(|one| one.strip_prefix("MONOTONIC_USEC=")),
        _ => None,
    }
}

/// `MONOTONIC_USEC=` is from before the reload was requested, or from a different clock, or in a different time unit.
pub fn stamp_too_early(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    given_up_after(case, reload)?;
    // systemd compares the stamp with a time of its own, and moves on to this state if it accepts the stamp.
    if case.entered("reload-notify").is_some() {
        return None;
    }
    let stamp: u64 = stamp_of(case.notification("RELOADING=1")?.0)?
        .parse()
        .ok()?;
    (stamp < reload.at_us + STAMP_SLACK.as_micros() as u64).then(|| {
        "MONOTONIC_USEC= is from before the reload began: it must be CLOCK_MONOTONIC, in microseconds, read when RELOADING=1 is sent".to_owned()
    })
}

/// The reload began, and the service never said that it had ended.
pub fn ready_never_sent(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    let waited = given_up_after(case, reload)?;
    let reloading = case.notification("RELOADING=1")?.0;
    let ready = case.timeline.of(case.unit).any(|event| {
        event.at_us >= reloading.at_us
            && matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one == "READY=1"))
    });
    (!ready).then(|| {
        format!("RELOADING=1 was sent and READY=1 did not follow: systemd waited {waited} for the reload to end (TimeoutStartSec=)")
    })
}

/// A request that was in flight during the reload got no answer.
pub fn request_cut_off(case: &Case) -> Option<String> {
    let reload = reload(case)?;
    let after = case
        .timeline
        .events()
        .iter()
        .filter(|event| event.at_us >= reload.at_us);
    after.into_iter().find_map(|event| {
        let EventKind::Response { name, outcome } = &event.kind else {
            return None;
        };
        let how = match outcome {
            ResponseOutcome::Broken { .. } => "was cut off by the reload",
            ResponseOutcome::TimedOut => "was in flight when the reload came and got no answer",
            // A refused client had no connection yet.
            ResponseOutcome::Answered { .. } | ResponseOutcome::Refused => return None,
        };
        Some(format!(
            "the request \"{name}\" {how}: connections must outlive a reload"
        ))
    })
}

/// A reload that was announced and ended, without a text for people.
pub fn status_missing(case: &Case) -> Option<String> {
    let reloads: Vec<&Event> = case
        .timeline
        .of(case.unit)
        .filter(|event| matches!(&event.kind, EventKind::JobQueued { job } if job == "reload"))
        .collect();
    let (last, first) = (reloads.last()?, reloads.first()?);
    let statuses: Vec<u64> = case
        .timeline
        .of(case.unit)
        .filter(|event| {
            event.at_us >= first.at_us
                && matches!(&event.kind, EventKind::Notified { assignments, .. }
                    if assignments.iter().any(|one| one.starts_with("STATUS=")))
        })
        .map(|event| event.at_us)
        .collect();
    if statuses.is_empty() {
        return Some(
            "no STATUS= came with a reload or after it: systemctl status does not show its result"
                .to_owned(),
        );
    }
    statuses.iter().all(|at| *at < last.at_us).then(|| {
        "no new STATUS= came with the last reload: systemctl status still shows the result of the one before".to_owned()
    })
}

/// When systemd asked for a reload.
fn reload<'a>(case: &Case<'a>) -> Option<&'a Event> {
    ["reload", "reload-signal"]
        .iter()
        .find_map(|state| case.entered(state))
}

/// The first reload on which systemd gave up, and when it did.
fn given_up<'a>(case: &Case<'a>) -> Option<(&'a Event, &'a Event)> {
    let mut reload = None;
    case.timeline.of(case.unit).find_map(|event| {
        match &event.kind {
            EventKind::StateChanged { to, .. } if to == "reload" || to == "reload-signal" => {
                reload = Some(event);
            }
            EventKind::Timeout { .. } => return reload.map(|reload| (reload, event)),
            _ => {}
        }
        None
    })
}

/// How long systemd waited until it gave up on the reload.
fn given_up_after(case: &Case, reload: &Event) -> Option<String> {
    let timeout = case.timeline.of(case.unit).find(|event| {
        event.at_us > reload.at_us && matches!(event.kind, EventKind::Timeout { .. })
    })?;
    Some(spoken(between(reload, timeout)))
}

#[cfg(test)]
mod tests;
