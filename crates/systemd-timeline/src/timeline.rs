//! Everything that happened, and common queries about it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use systemd_lab_protocol::event::{ResponseOutcome, StepOutcome};
use systemd_lab_protocol::{Event, EventKind};

use crate::clock::nearest_second;

/// What a run was measured with. With a different kernel, systemd or QEMU, times may differ a little: see
/// [`compare`](crate::compare).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredWith {
    /// `uname -r` in the guest.
    pub kernel: String,
    /// The version of the guest's systemd, e.g. `257.13-1~deb13u1`.
    pub systemd: String,
    /// QEMU's version, if it is known.
    pub qemu: Option<String>,
}

impl fmt::Display for MeasuredWith {
    /// `Linux 6.12.118+deb13-cloud-amd64, systemd 257.13-1~deb13u1, QEMU 7.2.22`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {}, systemd {}", self.kernel, self.systemd)?;
        match &self.qemu {
            Some(qemu) => write!(f, ", QEMU {qemu}"),
            None => Ok(()),
        }
    }
}

/// An event in the form that is compared and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Since the beginning of the run.
    pub at: Duration,
    /// The unit that the event is about; empty if none.
    pub unit: String,
    /// What happened.
    pub what: String,
}

/// The events of one run, in the order of their stamps.
///
/// JSON keeps everything; for people, see [`View`](crate::View).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline {
    events: Vec<Event>,
}

impl Timeline {
    /// A timeline of these events, which need not be sorted.
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

    /// The units that the timeline mentions, each once.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        let units = self.events.iter().filter_map(|event| event.unit.as_deref());
        units.collect::<BTreeSet<&str>>().into_iter()
    }

    /// The name of the scenario. Empty if it never began.
    pub fn scenario(&self) -> &str {
        self.began().map_or("", |(_, name)| name)
    }

    /// Virtual time from the beginning of the scenario to the event. Zero for earlier events.
    pub fn time_of(&self, event: &Event) -> Duration {
        let began = self.began().map_or(0, |(began, _)| began.at_us);
        Duration::from_micros(event.at_us.saturating_sub(began))
    }

    /// What the run was measured with, if the timeline says so.
    pub fn measured_with(&self) -> Option<MeasuredWith> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::Hello {
                kernel,
                systemd,
                qemu,
                ..
            } => Some(MeasuredWith {
                kernel: kernel.clone(),
                systemd: systemd.clone(),
                qemu: qemu.clone(),
            }),
            _ => None,
        })
    }

    /// For each event, the nearest whole second since the beginning of the scenario. Zero for earlier events.
    pub fn seconds(&self) -> Vec<u64> {
        let events = self.events().iter();
        events
            .map(|event| nearest_second(self.time_of(event)))
            .collect()
    }

    /// Its events in the form that is compared with another run: since the beginning of the scenario, and only
    /// those for which `words` returns words.
    pub fn moments(&self, words: impl Fn(&Event) -> Option<String>) -> Vec<Moment> {
        let events = self.events.iter();
        events
            .filter_map(|event| {
                Some(Moment {
                    at: self.time_of(event),
                    unit: event.unit.clone().unwrap_or_default(),
                    what: words(event)?,
                })
            })
            .collect()
    }

    /// What happened from the beginning of one step to the beginning of another, given by their indices in the scenario. If
    /// the first step was never reached, nothing happened; if the second was not, everything up to the end is included. Units'
    /// properties, which come at the end of the whole run, are kept.
    pub fn of_steps(&self, steps: Range<usize>) -> Timeline {
        let place = |step: usize| {
            let began = EventKind::StepBegan { index: step };
            self.events.iter().position(|event| event.kind == began)
        };
        let all = self.events.len();
        let begin = match steps.start {
            0 => 0,
            step => place(step).unwrap_or(all),
        };
        let part = begin..place(steps.end).unwrap_or(all);
        let is_kept = |(index, event): &(usize, &Event)| {
            part.contains(index)
                || matches!(
                    event.kind,
                    EventKind::ScenarioBegan { .. } | EventKind::Properties { .. }
                )
        };
        let kept = self.events.iter().enumerate().filter(is_kept);
        Timeline {
            events: kept.map(|(_, event)| event.clone()).collect(),
        }
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
        self.notifications(unit, assignment).next()
    }

    /// All notifications of the unit with an assignment that begins like this, and that assignment, in order.
    pub fn notifications<'a>(
        &'a self,
        unit: &str,
        assignment: &str,
    ) -> impl Iterator<Item = (&'a Event, &'a str)> {
        let of_unit = self.events.iter().filter(move |event| event.is_about(unit));
        of_unit.filter_map(move |event| match &event.kind {
            EventKind::Notified { assignments, .. } => {
                let found = assignments.iter().find(|one| one.starts_with(assignment))?;
                Some((event, found.as_str()))
            }
            _ => None,
        })
    }

    /// When something started to listen on this address, e.g. `127.0.0.1:7878`.
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

    /// systemd's words when it refused a step, if it did: D-Bus error name and message.
    pub fn refusal(&self) -> Option<(&str, &str)> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::StepEnded {
                outcome: StepOutcome::Refused { error, message },
                ..
            } => Some((error.as_str(), message.as_str())),
            _ => None,
        })
    }

    /// The step that missed its deadline, if one did: its index in the scenario.
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

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::event::Source;
    use systemd_lab_protocol::{Event, EventKind};

    fn timeline(stamps_ms: &[u64]) -> Timeline {
        let event = |at_ms: u64, kind| Event {
            at_us: at_ms * 1000,
            unit: None,
            source: Source::Agent,
            kind,
        };
        let began = event(60_000, EventKind::ScenarioBegan { name: "t".into() });
        let later = stamps_ms.iter().map(|at_ms| {
            let kind = EventKind::StepBegan { index: 0 };
            event(60_000 + at_ms, kind)
        });
        Timeline::new([began].into_iter().chain(later).collect())
    }

    #[test]
    fn every_time_is_within_half_a_second_however_long_the_run() {
        // Fails after 3.7 s, for a whole day: a crash loop with RestartSec=3.5s behaves like this.
        let stamps: Vec<u64> = (0..24_000).map(|turn| turn * 3_750 + 48).collect();
        let times = timeline(&stamps).seconds();
        // 48 ms and a multiple of 750 ms: never half-way between two seconds.
        let nearest: Vec<u64> = stamps.iter().map(|at_ms| (at_ms + 500) / 1000).collect();
        assert_eq!(times[1..], nearest);
        assert_eq!((times[1], times[2], times[24_000]), (0, 4, 89_996));
    }

    #[test]
    fn half_a_second_is_rounded_up() {
        let times = timeline(&[0, 499, 500, 1_499, 56_900]).seconds();
        assert_eq!(times, [0, 0, 0, 1, 1, 57]);
    }
}
