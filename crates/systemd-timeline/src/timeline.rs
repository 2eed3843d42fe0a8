//! Everything that happened, and common queries about it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use systemd_lab_protocol::event::{ResponseOutcome, StepOutcome};
use systemd_lab_protocol::{Event, EventKind, Scenario};

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

    /// What happened before the first step with this label began; everything if it was never reached. Units' properties, which
    /// come at the end of the whole run, are kept here and in the other parts of a run.
    pub fn before(&self, label: &str) -> Timeline {
        self.part(0..self.place(label))
    }

    /// What happened since the first step with this label began; nothing if it was never reached.
    pub fn since(&self, label: &str) -> Timeline {
        self.part(self.place(label)..self.events.len())
    }

    /// What happened from the beginning of the first step with one label to the beginning of the first step with another. If
    /// the second step was never reached, everything up to the end is included.
    pub fn between(&self, begin: &str, end: &str) -> Timeline {
        self.part(self.place(begin)..self.place(end))
    }

    /// What happened from the beginning of the first step with this label to the beginning of the first step after the last
    /// one. If no such step was reached, nothing happened. What came before the first step of the scenario belongs to that
    /// step.
    pub fn labelled(&self, label: &str) -> Timeline {
        let index = |event: &Event| match event.kind {
            EventKind::StepBegan { index, .. } => Some(index),
            _ => None,
        };
        let steps = || self.began_with(label).filter_map(index);
        let (Some(first), Some(last)) = (steps().min(), steps().max()) else {
            return self.part(0..0);
        };
        let place = |wanted: &dyn Fn(usize) -> bool| {
            let mut events = self.events.iter();
            events.position(|event| index(event).is_some_and(wanted))
        };
        let begin = match first {
            0 => 0,
            first => place(&|index| index == first).unwrap_or(0),
        };
        let next = last + 1;
        let end = place(&|index| index == next).unwrap_or(self.events.len());
        self.part(begin..end)
    }

    /// Where the first step with this label begins among the events; their end if it was never reached.
    fn place(&self, label: &str) -> usize {
        let place = self
            .events
            .iter()
            .position(|event| event.kind.begins(label));
        place.unwrap_or(self.events.len())
    }

    /// These events, with the scenario's name and the units' properties.
    fn part(&self, part: Range<usize>) -> Timeline {
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

    /// The events with which the steps with this label began.
    pub fn began_with<'a>(&'a self, label: &'a str) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.events
            .iter()
            .filter(move |event| event.kind.begins(label))
    }

    /// Gives the steps' events the labels that the steps have in the scenario of this run.
    #[must_use]
    pub fn with_labels_of(mut self, scenario: &Scenario) -> Timeline {
        for event in &mut self.events {
            if let EventKind::StepBegan { index, label }
            | EventKind::StepEnded { index, label, .. } = &mut event.kind
            {
                *label = scenario.labels.get(index).cloned();
            }
        }
        self
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
                ..
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
            let kind = EventKind::StepBegan {
                index: 0,
                label: None,
            };
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

    /// Four steps, the middle two with the same label, and a notification a second after each began.
    fn labelled() -> Timeline {
        let scenario = Scenario::new("t").start("a").start("b").labelled("both");
        let scenario = scenario
            .start("c")
            .labelled("both")
            .start("d")
            .labelled("last");
        let event = |at_s: u64, kind| Event {
            at_us: at_s * 1_000_000,
            unit: None,
            source: Source::Agent,
            kind,
        };
        let name = scenario.name.clone();
        let began = event(0, EventKind::ScenarioBegan { name });
        let steps = (0..scenario.steps.len()).flat_map(|index| {
            let at_s = 10 * (1 + index as u64);
            let outcome = StepOutcome::Done;
            [
                event(at_s, EventKind::StepBegan { index, label: None }),
                event(
                    at_s + 1,
                    EventKind::StepEnded {
                        index,
                        label: None,
                        outcome,
                    },
                ),
            ]
        });
        let timeline = Timeline::new([began].into_iter().chain(steps).collect());
        timeline.with_labels_of(&scenario)
    }

    fn seconds(part: &Timeline) -> Vec<u64> {
        let times = part.events().iter().map(|event| event.at_us / 1_000_000);
        times.collect()
    }

    #[test]
    fn a_label_finds_a_part_of_the_run() {
        let run = labelled();
        assert_eq!(seconds(&run.labelled("both")), [0, 20, 21, 30, 31]);
        assert_eq!(seconds(&run.labelled("last")), [0, 40, 41]);
        assert_eq!(seconds(&run.before("both")), [0, 10, 11]);
        assert_eq!(seconds(&run.since("last")), [0, 40, 41]);
        assert_eq!(seconds(&run.between("both", "last")), [0, 20, 21, 30, 31]);
        let began: Vec<u64> = run.began_with("both").map(|event| event.at_us).collect();
        assert_eq!(began, [20_000_000, 30_000_000]);
    }

    #[test]
    fn after_a_step_that_was_never_reached_nothing_happened() {
        let run = labelled();
        assert_eq!(seconds(&run.labelled("other")), [0]);
        assert_eq!(seconds(&run.since("other")), [0]);
        assert_eq!(run.before("other"), run);
        assert_eq!(run.between("both", "other"), run.since("both"));
    }

    #[test]
    fn an_event_without_a_label_looks_as_before_in_json() {
        let run = labelled();
        let json = run.to_json_lines();
        let lines: Vec<&str> = json.lines().filter(|line| line.contains("step-")).collect();
        assert!(!lines[0].contains("label"), "{}", lines[0]);
        assert!(lines[2].contains("\"label\":\"both\""), "{}", lines[2]);
        let back: Result<Vec<Event>, _> = json.lines().map(serde_json::from_str).collect();
        assert_eq!(back.ok().as_deref(), Some(run.events()));
    }

    #[test]
    fn half_a_second_is_rounded_up() {
        let times = timeline(&[0, 499, 500, 1_499, 56_900]).seconds();
        assert_eq!(times, [0, 0, 0, 1, 1, 57]);
    }
}
