//! Jobs that were not requested: another unit's end, start or job queued them because of a setting.

use systemd_lab_protocol::{Event, EventKind};

use crate::timeline::Timeline;

/// Jobs of one transaction are queued within this time, and so are the consequences of a state change.
const AT_ONCE_US: u64 = 20_000;

/// Settings that make the stop of one unit stop another, best explanation first: `BindsTo=` also acts when the other unit
/// ends by itself. D-Bus uses the same names. systemd.unit(5), "`[Unit]` Section Options".
const STOPPING: [&str; 5] = [
    "BindsTo",
    "PartOf",
    "Requires",
    "Requisite",
    "StopPropagatedFrom",
];

/// D-Bus's name for the other side of a setting, and the setting: systemd.unit(5).
const OTHER_SIDE: (&str, &str) = ("StopPropagatedFrom", "PropagatesStopTo");

/// The setting, on both sides, that makes the start of one unit stop another.
const CONFLICTS: [&str; 2] = ["Conflicts", "ConflictedBy"];

/// The words for the job that the event with this index queues. `None` for a job that the plan requested, and for a start, which shows in
/// the unit's states, unless `Upholds=` queued it. `is_asked` says whether the plan requested jobs of a unit just before an event.
pub fn unasked(
    timeline: &Timeline,
    index: usize,
    is_asked: impl Fn(&Event, &str) -> bool,
) -> Option<String> {
    let event = &timeline.events()[index];
    let EventKind::JobQueued { job } = &event.kind else {
        return None;
    };
    let unit = event.unit.as_deref()?;
    if let Some(other) = upholder(timeline, event) {
        return Some(format!(
            "{job} job queued, because of Upholds={unit} of {other}"
        ));
    }
    if !["stop", "restart", "try-restart"].contains(&job.as_str()) || is_asked(event, unit) {
        return None;
    }
    Some(format!(
        "{job} job queued{}",
        why(timeline, event, unit, job)
    ))
}

/// Why the job was queued, as the words after its name.
fn why(timeline: &Timeline, event: &Event, unit: &str, job: &str) -> String {
    match cause(timeline, event, unit) {
        Some((setting, other)) if setting == OTHER_SIDE.0 => {
            format!(", because of {}={unit} of {other}", OTHER_SIDE.1)
        }
        Some((setting, other)) => format!(", because of {setting}={other}"),
        None if is_said(timeline, event, unit, |it| it == UNNEEDED) => {
            ", because of StopWhenUnneeded=yes: no active unit needs it".to_owned()
        }
        None if goes_down(timeline, event) => ": the machine goes down".to_owned(),
        None if is_said(timeline, event, unit, |it| {
            it.starts_with(&request(unit, job))
        }) =>
        {
            ": a process asked systemd for it".to_owned()
        }
        None => String::new(),
    }
}

/// systemd's message when it stops a unit with `StopWhenUnneeded=yes`: systemd.unit(5).
const UNNEEDED: &str = "Unit is not needed anymore.";

/// systemd's message when it starts a unit because of `Upholds=`; the other unit follows.
const UPHELD: &str = "Unit is started because upheld by active unit ";

/// systemd's message when it starts what `OnFailure=` or `OnSuccess=` of a unit names, and its message about each of these right after
/// that.
const CALLS: [&str; 2] = [
    "Triggering OnFailure= dependencies.",
    "Triggering OnSuccess= dependencies.",
];
const CALLED: &str = "Trying to enqueue job ";
const TO_START: &str = "/start/";

/// The units that systemd started because `OnFailure=` or `OnSuccess=` of another unit names them. Each appears once, in the order of
/// time.
pub fn called(timeline: &Timeline) -> Vec<String> {
    let mut called: Vec<String> = Vec::new();
    let mut calls_us = None;
    for event in timeline.events() {
        let (EventKind::Manager { message, .. }, Some(unit)) = (&event.kind, &event.unit) else {
            continue;
        };
        if CALLS.contains(&message.as_str()) {
            calls_us = Some(event.at_us);
        } else if let Some(named) = message.strip_prefix(CALLED)
            && calls_us.is_some_and(|at_us| event.at_us <= at_us + AT_ONCE_US)
            && named
                .strip_prefix(unit)
                .is_some_and(|it| it.starts_with(TO_START))
            && !called.contains(unit)
        {
            called.push(unit.clone());
        }
    }
    called
}

/// systemd's message when this unit's job was requested directly, and not for another unit that pulls it in.
fn request(unit: &str, job: &str) -> String {
    format!("Trying to enqueue job {unit}/{job}/replace")
}

/// Whether systemd has just logged such a message about the unit.
fn is_said(timeline: &Timeline, event: &Event, unit: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let mut events = near(timeline, event);
    events.any(|it| {
        it.is_about(unit)
            && matches!(&it.kind, EventKind::Manager { message, .. } if wanted(message))
    })
}

/// The events at the same instant. Stamps are sorted, so this is fast even in a timeline with a hundred thousand events and as many jobs.
fn near<'a>(timeline: &'a Timeline, event: &Event) -> impl Iterator<Item = &'a Event> {
    let events = timeline.events();
    let (at_us, begin_us) = (event.at_us, event.at_us.saturating_sub(AT_ONCE_US));
    let first = events.partition_point(|it| it.at_us < begin_us);
    let later = events[first..].iter();
    later.take_while(move |it| it.at_us <= at_us.saturating_add(AT_ONCE_US))
}

/// Whether systemd is shutting the machine down by then: systemd.special(7).
fn goes_down(timeline: &Timeline, event: &Event) -> bool {
    const ENDING: [&str; 2] = ["shutdown.target", "umount.target"];
    ENDING.iter().any(|target| {
        let mut jobs = timeline.of(target);
        jobs.any(|it| {
            it.at_us <= event.at_us.saturating_add(AT_ONCE_US)
                && matches!(&it.kind, EventKind::JobQueued { job } if job == "start")
        })
    })
}

/// Whether a process asked systemd for this stop job, as `systemctl stop` does, and nothing else explains it.
pub fn is_requested_stop(timeline: &Timeline, event: &Event) -> bool {
    let (EventKind::JobQueued { job }, Some(unit)) = (&event.kind, event.unit.as_deref()) else {
        return false;
    };
    job == "stop"
        && cause(timeline, event, unit).is_none()
        && !is_said(timeline, event, unit, |it| it == UNNEEDED)
        && !goes_down(timeline, event)
        && is_said(timeline, event, unit, |it| {
            it.starts_with(&request(unit, job))
        })
}

/// The unit whose `Upholds=` queued this start job, if one did: systemd.unit(5).
pub fn upholder<'a>(timeline: &'a Timeline, event: &Event) -> Option<&'a str> {
    let (EventKind::JobQueued { job }, Some(unit)) = (&event.kind, event.unit.as_deref()) else {
        return None;
    };
    if job != "start" {
        return None;
    }
    let mut events =
        near(timeline, event).filter(|it| it.is_about(unit) && it.at_us <= event.at_us);
    events.find_map(|it| match &it.kind {
        EventKind::Manager { message, .. } => {
            Some(message.strip_prefix(UPHELD)?.trim_end_matches('.'))
        }
        _ => None,
    })
}

/// The setting and the other unit that queued a stop job for this unit, if something did.
pub fn cause_of_stop<'a>(timeline: &'a Timeline, unit: &str) -> Option<(&'static str, &'a str)> {
    let mut jobs = timeline
        .of(unit)
        .filter(|event| matches!(&event.kind, EventKind::JobQueued { job } if job == "stop"));
    jobs.find_map(|event| cause(timeline, event, unit))
}

/// The setting and the other unit that explain a job of `unit`, if the unit's settings are known.
fn cause<'a>(timeline: &'a Timeline, event: &Event, unit: &str) -> Option<(&'static str, &'a str)> {
    let near = || near(timeline, event);
    let names = |setting: &'static str, other: &str| {
        let value = timeline.property(unit, setting);
        let names = value.and_then(|value| value.as_array());
        names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(other)))
    };
    let others = |wanted: fn(&EventKind) -> bool| {
        let units = near().filter(move |it| wanted(&it.kind));
        units
            .filter_map(|it| it.unit.as_deref())
            .filter(|other| *other != unit)
    };
    let ends = |kind: &EventKind| match kind {
        EventKind::StateChanged { to, .. } => ["dead", "failed", "stop", "final", "auto-restart"]
            .iter()
            .any(|state| to.starts_with(state)),
        EventKind::JobQueued { job } => ["stop", "restart", "try-restart"].contains(&job.as_str()),
        _ => false,
    };
    let starts = |kind: &EventKind| matches!(kind, EventKind::JobQueued { job } if job == "start");
    let stopping = STOPPING.into_iter().find_map(|setting| {
        let other = others(ends).find(|other| names(setting, other))?;
        Some((setting, other))
    });
    stopping.or_else(|| {
        let other =
            others(starts).find(|other| CONFLICTS.iter().any(|setting| names(setting, other)))?;
        Some((CONFLICTS[0], other))
    })
}
