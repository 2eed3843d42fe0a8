//! What happened, as a whole, and questions that one may ask of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use systemd_lab_protocol::event::{ResponseOutcome, StepOutcome};
use systemd_lab_protocol::{Event, EventKind};

/// The events of one run, in the order of their stamps.
///
/// As JSON it keeps everything; for people, see [`View`](crate::View).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline {
    events: Vec<Event>,
}

impl Timeline {
    /// A timeline of these events, which need not be sorted yet.
    pub fn new(mut events: Vec<Event>) -> Timeline {
        // Stable: events with the same stamp stay in the order in which they were reported.
        events.sort_by_key(|event| event.at_us);
        Timeline { events }
    }

    /// All events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events about one unit.
    pub fn of<'a>(&'a self, unit: &'a str) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.events.iter().filter(move |event| event.is_about(unit))
    }

    /// The name of the scenario that was run. Empty if it never began.
    pub fn scenario(&self) -> &str {
        self.began().map_or("", |(_, name)| name)
    }

    /// Virtual time from the beginning of the scenario to the event. Zero for what came before.
    pub fn time_of(&self, event: &Event) -> Duration {
        let began = self.began().map_or(0, |(began, _)| began.at_us);
        Duration::from_micros(event.at_us.saturating_sub(began))
    }

    fn began(&self) -> Option<(&Event, &str)> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::ScenarioBegan { name } => Some((event, name.as_str())),
            _ => None,
        })
    }

    /// The whole timeline as JSON, one event a line.
    pub fn to_json_lines(&self) -> String {
        let lines = self
            .events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap_or_default() + "\n");
        lines.collect()
    }

    /// An effective property of a unit that the scenario observed, by its D-Bus name, e.g. `Type` or `WatchdogUSec`.
    pub fn property(&self, unit: &str, name: &str) -> Option<&Value> {
        let about_it = self
            .events
            .iter()
            .rev()
            .filter(|event| event.is_about(unit));
        about_it.into_iter().find_map(|event| match &event.kind {
            EventKind::Properties { values } => values.get(name),
            _ => None,
        })
    }

    /// A property that is text.
    pub fn text_property(&self, unit: &str, name: &str) -> Option<&str> {
        self.property(unit, name)?.as_str()
    }

    /// A property in microseconds, e.g. `TimeoutStartUSec`. `None` also for `infinity`.
    pub fn duration_property(&self, unit: &str, name: &str) -> Option<Duration> {
        let microseconds = self.property(unit, name)?.as_u64()?;
        (microseconds != u64::MAX).then(|| Duration::from_micros(microseconds))
    }

    /// The first event of the unit for which `wanted` holds.
    pub fn first(&self, unit: &str, wanted: impl Fn(&EventKind) -> bool) -> Option<&Event> {
        self.events
            .iter()
            .find(|event| event.is_about(unit) && wanted(&event.kind))
    }

    /// The first notification of the unit with an assignment that begins like this, and that assignment.
    pub fn first_notification<'a>(
        &'a self,
        unit: &str,
        assignment: &str,
    ) -> Option<(&'a Event, &'a str)> {
        self.events
            .iter()
            .filter(|event| event.is_about(unit))
            .find_map(|event| match &event.kind {
                EventKind::Notified { assignments, .. } => {
                    let found = assignments.iter().find(|one| one.starts_with(assignment))?;
                    Some((event, found.as_str()))
                }
                _ => None,
            })
    }

    /// When something began to listen on this address, e.g. `127.0.0.1:7878`.
    pub fn listening_at(&self, address: &str) -> Option<&Event> {
        self.events
            .iter()
            .find(|event| matches!(&event.kind, EventKind::ListenerOpened { address: opened } if opened == address))
    }

    /// The first address, if any, on which something listened.
    pub fn any_listener(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::ListenerOpened { address } => Some(address.as_str()),
            _ => None,
        })
    }

    /// The outcome of the request with this name.
    pub fn response(&self, name: &str) -> Option<&ResponseOutcome> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::Response {
                name: found,
                outcome,
            } if found == name => Some(outcome),
            _ => None,
        })
    }

    /// What systemd said when it refused a step, if it did: D-Bus error name and message.
    pub fn refusal(&self) -> Option<(&str, &str)> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::StepEnded {
                outcome: StepOutcome::Refused { error, message },
                ..
            } => Some((error.as_str(), message.as_str())),
            _ => None,
        })
    }

    /// The step whose deadline passed, if one did: its index in the scenario.
    pub fn step_that_timed_out(&self) -> Option<usize> {
        self.events.iter().find_map(|event| match event.kind {
            EventKind::StepEnded {
                index,
                outcome: StepOutcome::DeadlinePassed,
            } => Some(index),
            _ => None,
        })
    }
}
