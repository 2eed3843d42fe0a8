//! What people see where a [`View`](systemd_lab::View) would show too much: parts of a run, delays, alerts.
//!
//! An alert may be written in any way, as long as it is an instance of the template and names what has failed.

use std::time::Duration;

use systemd_lab::diagnosis::setup;
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{Timeline, nearest_second};

use crate::SUBJECT;

/// If there are more restarts than the exercise asks for, they are not shown one by one.
const MOST_RESTARTS: usize = 4;

/// `StartLimitIntervalSec=` on D-Bus.
pub(crate) const INTERVAL_PROPERTY: &str = "StartLimitIntervalUSec";

/// The template of the alert.
pub(crate) fn alert_template() -> String {
    SUBJECT.unit("-alert@")
}

/// Whether the event is about an instance of the template.
fn is_about_alert(event: &Event) -> bool {
    let stem = format!("{}-alert@", SUBJECT.package());
    event
        .unit
        .as_ref()
        .is_some_and(|unit| unit.starts_with(&stem))
}

/// The instances of the template that appear in the timeline.
pub(crate) fn alert_units(timeline: &Timeline) -> Vec<&str> {
    let about_alerts = timeline
        .events()
        .iter()
        .filter(|event| is_about_alert(event));
    let mut units: Vec<&str> = about_alerts
        .filter_map(|event| event.unit.as_deref())
        .collect();
    units.sort_unstable();
    units.dedup();
    units
}

/// Each restart, and how long after the failure before it: `restart 1  after 20 s`.
pub(crate) fn delays(timeline: &Timeline) -> String {
    let mut shown = String::new();
    let mut failed_at = None;
    for event in timeline.of(SUBJECT.service()) {
        match (&event.kind, failed_at) {
            (EventKind::ProcessExited { role, .. }, _) if role != "main" => {}
            (EventKind::ProcessExited { .. } | EventKind::Failed { .. }, _) => {
                failed_at = Some(event.at_us);
            }
            (EventKind::RestartScheduled { .. }, Some(failed_at)) => {
                let restart = shown.lines().count() + 1;
                if restart > MOST_RESTARTS {
                    shown.push_str("and more\n");
                    break;
                }
                let waited = Duration::from_micros(event.at_us.saturating_sub(failed_at));
                // systemd's timers may be 250 ms late, and stamps are taken a moment after the fact.
                let after = match nearest_second(waited) {
                    0 => "less than 1 s".to_owned(),
                    seconds => format!("{seconds} s"),
                };
                shown.push_str(&format!("restart {restart}  after {after}\n"));
            }
            _ => {}
        }
    }
    shown
}

/// When systemd gave up, and the alerts before and after that, each with its text.
pub(crate) fn alerts(timeline: &Timeline) -> String {
    let mut shown = String::new();
    for (index, event) in timeline.events().iter().enumerate() {
        match &event.kind {
            EventKind::StartLimitHit if event.is_about(SUBJECT.service()) => {
                shown.push_str("gave up: start limit hit\n");
            }
            EventKind::StateChanged { from, to } if is_about_alert(event) && is_start(from, to) => {
                let says = match names_failed_unit(timeline, index, event) {
                    true => "says what has failed",
                    false => "does not say what has failed",
                };
                shown.push_str(&format!("alert by {}, which {says}\n", alert_template()));
            }
            _ => {}
        }
    }
    shown
}

/// Whether this change of state starts a unit, for the first time or again.
fn is_start(from: &str, to: &str) -> bool {
    let is_down = |state: &str| {
        let down = ["dead", "failed", "auto-restart"];
        down.iter().any(|it| state.starts_with(it))
    };
    is_down(from) && !is_down(to)
}

/// The interval in which starts are counted.
pub(crate) fn interval(timeline: &Timeline) -> String {
    match timeline.duration_property(SUBJECT.service(), INTERVAL_PROPERTY) {
        Some(interval) => format!("StartLimitIntervalSec={interval:?}\n"),
        None => "StartLimitIntervalSec=infinity\n".to_owned(),
    }
}

/// Whether systemd leaves the machine alone when the service fails.
pub(crate) fn machine(timeline: &Timeline) -> String {
    match setup::ends_the_machine(&SUBJECT.case(timeline)) {
        None => "the machine runs on\n".to_owned(),
        Some(_) => "the machine is to go down\n".to_owned(),
    }
}

/// Whether the alert that starts here logs the name of the failed unit before the alert starts again.
fn names_failed_unit(timeline: &Timeline, begin: usize, start: &Event) -> bool {
    let later = timeline.events().iter().skip(begin + 1);
    later
        .filter(|event| event.unit == start.unit)
        .take_while(|event| {
            !matches!(&event.kind, EventKind::StateChanged { from, to } if is_start(from, to))
        })
        .any(|event| match &event.kind {
            EventKind::Log { message, .. } => is_name_in(message),
            _ => false,
        })
}

/// The alert's own name begins like the service's, and does not count.
fn is_name_in(line: &str) -> bool {
    let own = format!("{}-alert", SUBJECT.package());
    line.replace(&own, "").contains(SUBJECT.package())
}
