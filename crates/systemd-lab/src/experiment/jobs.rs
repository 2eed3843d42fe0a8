//! Jobs that nobody asked for: another unit's end, start or job has queued them, because of a setting.

use systemd_lab_protocol::{Event, EventKind};

use super::{Experiment, Fault};
use crate::timeline::Timeline;

/// Jobs of one transaction are queued within this time, and so is what follows from a change of state.
const AT_ONCE_US: u64 = 20_000;

/// Settings by which a stop of one unit stops another, in the order in which they explain it best: `BindsTo=` also when the
/// other unit ends by itself. D-Bus has them under the same names. systemd.unit(5), "[Unit] Section Options".
const STOPPING: [&str; 5] = [
    "BindsTo",
    "PartOf",
    "Requires",
    "Requisite",
    "StopPropagatedFrom",
];

/// What D-Bus calls the other side of a setting, and the setting: systemd.unit(5).
const OTHER_SIDE: (&str, &str) = ("StopPropagatedFrom", "PropagatesStopTo");

/// The setting, on both sides, by which a start of one unit stops another.
const CONFLICTS: [&str; 2] = ["Conflicts", "ConflictedBy"];

/// The words for the job that is queued here; none for a job that the plan asked for, and for a start: that shows in the
/// unit's states.
pub(super) fn unasked(
    experiment: &Experiment,
    timeline: &Timeline,
    index: usize,
) -> Option<String> {
    let event = &timeline.events()[index];
    let EventKind::JobQueued { job } = &event.kind else {
        return None;
    };
    let unit = event.unit.as_deref()?;
    if !["stop", "restart", "try-restart"].contains(&job.as_str())
        || is_asked(experiment, timeline, event, unit)
    {
        return None;
    }
    let why = cause(timeline, event, unit);
    let why = why.map_or_else(String::new, |(setting, other)| {
        match setting == OTHER_SIDE.0 {
            true => format!(", because of {}={unit} of {other}", OTHER_SIDE.1),
            false => format!(", because of {setting}={other}"),
        }
    });
    Some(format!("{job} job queued{why}"))
}

/// The setting and the other unit that queued a stop job for this unit, if something did.
pub(crate) fn cause_of_stop<'a>(
    timeline: &'a Timeline,
    unit: &str,
) -> Option<(&'static str, &'a str)> {
    let mut jobs = timeline
        .of(unit)
        .filter(|event| matches!(&event.kind, EventKind::JobQueued { job } if job == "stop"));
    jobs.find_map(|event| cause(timeline, event, unit))
}

/// Whether a fault of the plan stops or restarts the unit just now.
fn is_asked(experiment: &Experiment, timeline: &Timeline, event: &Event, unit: &str) -> bool {
    let now = timeline.time_of(event);
    let mut faults = experiment.faults_that_came(timeline);
    faults.any(|(at, _, planned)| {
        if planned.fault == Fault::Reboot {
            return at <= now;
        }
        planned.unit == unit
            && matches!(planned.fault, Fault::Stop | Fault::Restart)
            && at <= now
            && (now - at).as_micros() < u128::from(20 * AT_ONCE_US)
    })
}

/// The setting and the other unit that explain a job of `unit`, if the unit's settings are known.
fn cause<'a>(timeline: &'a Timeline, event: &Event, unit: &str) -> Option<(&'static str, &'a str)> {
    let near = || {
        let events = timeline.events().iter();
        events.filter(|it| it.at_us.abs_diff(event.at_us) <= AT_ONCE_US)
    };
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
