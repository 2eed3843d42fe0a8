//! Why the page or the orders were away for so long.

use std::time::Duration;

use systemd_lab::diagnosis::{Case, restart, unit_file};
use systemd_lab::protocol::event::ProbeOutcome;
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Timeline, nearest_second};

use crate::SUBJECT;
use crate::day::{self, PAGE};
use crate::plan::{Fault, Part};
use crate::review::{Cost, Review, is_down};

/// Longer than the watchdog may take without breaking the promise of 30 s.
const NOTICED_LATE: Duration = Duration::from_secs(20);

/// Longer than a delay before a restart may be if a hang has to be noticed first.
pub(super) const LONG_DELAY: Duration = Duration::from_secs(10);

/// Why the page, or the orders, were away for so long.
pub(super) fn of_outage(review: &Review<'_>, cost: &Cost, is_page: bool) -> Option<String> {
    let fault = cost.planned.fault;
    let hit = hit(fault);
    if is_page && hit.is_some_and(|part| part != Part::Web) {
        return blast_radius(review, cost);
    }
    let parts: &[Part] = match (is_page, hit) {
        (true, _) => &[Part::Web],
        (false, Some(Part::Web)) => &[Part::Web, Part::Database],
        (false, _) => &[Part::Database, Part::Web],
    };
    parts
        .iter()
        .find_map(|part| stayed_away(review, cost, *part))
}

/// Something else was hit, and the page was away all the same.
fn blast_radius(review: &Review<'_>, cost: &Cost) -> Option<String> {
    let web = day::unit(Part::Web);
    let fault = cost.planned.fault;
    let case = SUBJECT.case(review.timeline);
    if let Some(setting) = stopped_with(review, cost, Part::Web) {
        return Some(format!(
            "when {fault}, systemd stopped {web} as well: {setting} ties it to a unit without which the page can be answered"
        ));
    }
    let triggered = review
        .events(&cost.span)
        .find_map(|event| match &event.kind {
            EventKind::WatchdogTimeout { message } if event.is_about(&web) => Some(message),
            _ => None,
        });
    if let Some(message) = triggered {
        return Some(format!(
            "when {fault}, the watchdog ended {web}, although a restart of the web front end helps nobody then ({}): GET / must not need the database",
            message.trim_end_matches(['!', '.'])
        ));
    }
    let died = review.part(&cost.span);
    if let Some(why) = unit_file::died_at_start(&Case {
        timeline: &died,
        ..case
    }) {
        return Some(format!("when {fault}: {why}"));
    }
    review.events(&cost.span).find_map(|event| match &event.kind {
        EventKind::ProbeChanged { name, outcome, .. } if name == PAGE => match outcome {
            ProbeOutcome::Answered { status } if *status >= 400 => Some(format!(
                "when {fault}, GET / was answered with {status}: the page can do without the database"
            )),
            ProbeOutcome::TimedOut => Some(format!(
                "when {fault}, GET / was not answered within 3 s: it waits for the database, without a deadline or with a longer one"
            )),
            _ => None,
        },
        _ => None,
    })
}

/// The setting because of which systemd stopped a part when another ended: `BindsTo=x.service`.
fn stopped_with(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    if cost.planned.fault == Fault::StopAndStart {
        return None;
    }
    let unit = day::unit(part);
    let queued = review.events(&cost.span).any(|event| {
        event.is_about(&unit)
            && matches!(&event.kind, EventKind::JobQueued { job } if job == "stop" || job == "restart")
    });
    let texts = SUBJECT.case_of(&unit, review.timeline).units;
    let settings = [
        "BindsTo",
        "Requires",
        "Requisite",
        "PartOf",
        "StopPropagatedFrom",
    ];
    let setting = settings.iter().find_map(|name| {
        let value = texts.value(&unit, name)?;
        (value.contains("-database")
            || value.contains("-worker")
            || value.contains(SUBJECT.service()))
        .then(|| format!("{name}={value}"))
    });
    queued.then_some(setting?)
}

/// Why a part was away for long after a fault.
pub(super) fn stayed_away(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let unit = day::unit(part);
    let span = review.part(&cost.whole());
    let case = SUBJECT.case_of(&unit, &span);
    let fault = cost.planned.fault;
    if let Some(setting) = stopped_with(review, cost, part) {
        return Some(format!(
            "when {fault}, systemd stopped {unit} as well, and nothing starts it again: {setting}"
        ));
    }
    if let Some(why) = noticed_late(review, cost, part) {
        return Some(why);
    }
    let exit = main_exit(&span, &unit)?;
    if let Some(why) = given_up(&case) {
        return Some(format!("when {fault}, {why}"));
    }
    if let Some(why) = restart::not_restarted(&case) {
        return Some(format!("when {fault}: {why}"));
    }
    let restarted = span.first(&unit, |kind| {
        matches!(kind, EventKind::RestartScheduled { .. })
    });
    if let Some(restarted) = restarted {
        let delay = Duration::from_micros(restarted.at_us.saturating_sub(exit.at_us));
        if delay >= LONG_DELAY {
            return Some(long_delay(&case, restarted, delay));
        }
    }
    died_by_itself(&case).map(|why| format!("when {fault}, {why}"))
}

/// A part ended by itself, with an exit code other than 0.
fn died_by_itself(case: &Case) -> Option<String> {
    let exit = case
        .timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::ProcessExited {
                role, code, status, ..
            } if role == "main" && code == "exited" && *status != 0 => Some(status),
            _ => None,
        })?;
    Some(format!(
        "{} ended with exit code {exit}{}",
        case.unit,
        case.last_words()
    ))
}

/// The delay before a restart was too long.
pub(super) fn long_delay(case: &Case, restarted: &Event, delay: Duration) -> String {
    let EventKind::RestartScheduled { counter } = restarted.kind else {
        unreachable!("only such events are passed");
    };
    let unit = case.unit;
    let value = |setting: &str| case.units.value(unit, setting);
    let written = value("RestartSec").unwrap_or_else(|| "100ms".to_owned());
    let delay = nearest_second(delay);
    match value("RestartSteps") {
        Some(steps) if counter > 1 => format!(
            "systemd waited for {delay} s before restart {counter} of {unit}: RestartSec={written} grows with RestartSteps={steps}, and systemd counts all restarts of the day, not only those in a row"
        ),
        _ => {
            format!("systemd waited for {delay} s before it restarted {unit}: RestartSec={written}")
        }
    }
}

/// The start limit.
pub(super) fn given_up(case: &Case) -> Option<String> {
    case.timeline
        .first(case.unit, |kind| matches!(kind, EventKind::StartLimitHit))?;
    let burst = case.timeline.property(case.unit, "StartLimitBurst")?;
    let interval = case
        .timeline
        .duration_property(case.unit, "StartLimitIntervalUSec")?;
    Some(format!(
        "systemd gave up on {}: it allows {burst} starts within {} s (StartLimitBurst=, StartLimitIntervalSec=), and counts those after earlier faults, too",
        case.unit,
        nearest_second(interval)
    ))
}

/// A part was down before the fault, or hung, and nobody noticed in time.
fn noticed_late(review: &Review<'_>, cost: &Cost, part: Part) -> Option<String> {
    let unit = day::unit(part);
    let fault = cost.planned.fault;
    let state = review.state(&unit, cost.span.start);
    if is_down(state) {
        return Some(format!(
            "when {fault}, {unit} was already in the state {state}"
        ));
    }
    let is_hang = matches!(fault, Fault::Freeze(hung) if hung == part)
        || (fault == Fault::WedgedDatabase && part == Part::Database);
    if !is_hang {
        return None;
    }
    let acted = review.events(&cost.span).find(|event| {
        event.is_about(&unit) && matches!(event.kind, EventKind::WatchdogTimeout { .. })
    });
    let noticed = acted.map(|event| Duration::from_micros(event.at_us - cost.span.start));
    if noticed.is_some_and(|noticed| noticed <= NOTICED_LATE) {
        return None;
    }
    let limit = review.timeline.duration_property(&unit, "WatchdogUSec");
    let limit = limit.unwrap_or_default();
    let pinged = review.events(&cost.span).any(|event| {
        event.is_about(&unit)
            && matches!(&event.kind, EventKind::Notified { assignments, .. }
                if assignments.iter().any(|one| one == "WATCHDOG=1"))
    });
    Some(match (limit.is_zero(), pinged) {
        (true, _) => format!("when {fault}, nobody noticed: WatchdogSec= of {unit} is not set"),
        (false, true) => format!(
            "when {fault}, WATCHDOG=1 went on arriving: its self-test does not ask what a client asks"
        ),
        (false, false) => {
            let fault_lasts = Duration::from_micros(cost.span.end - cost.span.start);
            format!(
                "when {fault}, systemd did not notice it in {} s: WatchdogSec= of {unit} is {} s",
                nearest_second(noticed.unwrap_or(fault_lasts)),
                nearest_second(limit)
            )
        }
    })
}

pub(super) fn main_exit<'a>(timeline: &'a Timeline, unit: &str) -> Option<&'a Event> {
    timeline.first(
        unit,
        |kind| matches!(kind, EventKind::ProcessExited { role, .. } if role == "main"),
    )
}

/// The part that a fault hits.
fn hit(fault: Fault) -> Option<Part> {
    match fault {
        Fault::Kill(part) | Fault::Freeze(part) | Fault::OutOfMemory(part) => Some(part),
        Fault::SlowDatabase | Fault::WedgedDatabase | Fault::FullDisk | Fault::DamagedDatabase => {
            Some(Part::Database)
        }
        Fault::BadConfiguration | Fault::Reload => Some(Part::Web),
        Fault::StopAndStart => None,
    }
}
