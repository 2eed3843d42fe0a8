//! The part of a timeline that its picture needs, for a file: events of its units, with their stamps and the versions that
//! they were measured with, without PIDs and journal fields.

use std::collections::BTreeMap;

use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::{Event, EventKind};

use super::layout::LONGEST_WAIT;
use super::rows::{PING, is_hidden, row_of};
use crate::timeline::Timeline;

const SECOND_US: u64 = 1_000_000;

/// Stamps are kept to the millisecond.
const STEP_US: u64 = 1_000;

/// Events that two sources saw within this time may be in either order.
const AT_ONCE_US: u64 = 20_000;

pub(super) fn of(timeline: &Timeline, units: &[String], logs: bool) -> Timeline {
    let timeline = &settled(timeline);
    let mut kept = Vec::new();
    // Pings since the last event of a different kind: their raw stamps, and what is kept of each.
    let mut pings: Vec<(u64, Event)> = Vec::new();
    for event in timeline.events() {
        let at_us = timeline.time_of(event).as_micros() as u64;
        let at_us = at_us / STEP_US * STEP_US;
        let is_of_them = event.unit.as_ref().is_none_or(|unit| units.contains(unit));
        let is_row = row_of(&event.kind, logs).is_some();
        let is_change = matches!(
            event.kind,
            EventKind::StateChanged { .. }
                | EventKind::ScenarioBegan { .. }
                | EventKind::Hello { .. }
        );
        if is_of_them && (is_row || is_change) {
            kept.append(&mut thinned(std::mem::take(&mut pings)));
            kept.push(reduced(event, at_us));
        } else if is_of_them && is_ping(&event.kind) {
            pings.push((event.at_us, reduced(event, at_us)));
        }
    }
    kept.append(&mut thinned(pings));
    Timeline::new(kept)
}

/// The kernel sees a socket while systemd logs something else. So a socket's opening is placed before the events of the
/// same instant, and its closing after them.
pub fn settled(timeline: &Timeline) -> Timeline {
    let events = timeline.events();
    let stamps = || events.iter().map(|event| event.at_us);
    let stamp = |event: &Event| {
        let at = event.at_us;
        match event.kind {
            EventKind::ListenerOpened { .. } => {
                let just_before = at.saturating_sub(AT_ONCE_US)..at;
                let first = stamps().find(|at| just_before.contains(at));
                first.map_or((at, 1), |first| (first, 0))
            }
            EventKind::ListenerClosed { .. } => {
                let just_after = at.saturating_add(1)..=at.saturating_add(AT_ONCE_US);
                let last = stamps().rev().find(|at| just_after.contains(at));
                last.map_or((at, 1), |last| (last, 2))
            }
            _ => (at, 1),
        }
    };
    let mut settled: Vec<((u64, u8), Event)> = events
        .iter()
        .map(|event| {
            let (at_us, place) = stamp(event);
            let event = Event {
                at_us,
                ..event.clone()
            };
            ((at_us, place), event)
        })
        .collect();
    settled.sort_by_key(|(place, _)| *place);
    Timeline::new(settled.into_iter().map(|(_, event)| event).collect())
}

fn is_ping(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one == PING))
}

/// The number of pings in a long wait depends on a timer's slack; a picture shows only their rhythm. Two pings are enough for
/// that.
fn thinned(pings: Vec<(u64, Event)>) -> Vec<Event> {
    let mut by_unit: BTreeMap<Option<String>, Vec<(u64, Event)>> = BTreeMap::new();
    for (raw_us, event) in pings {
        let of_unit = by_unit.entry(event.unit.clone()).or_default();
        of_unit.push((raw_us, event));
    }
    let mut thinned = Vec::new();
    for (_, of_unit) in by_unit {
        let (Some((first_us, first)), Some((last_us, _))) = (of_unit.first(), of_unit.last())
        else {
            continue;
        };
        let passed = last_us - first_us;
        if passed <= LONGEST_WAIT * SECOND_US {
            thinned.extend(of_unit.into_iter().map(|(_, event)| event));
            continue;
        }
        let mean = passed / (of_unit.len() - 1) as u64;
        let second = Event {
            at_us: first.at_us + mean / STEP_US * STEP_US,
            ..first.clone()
        };
        thinned.extend([first.clone(), second]);
    }
    thinned
}

fn reduced(event: &Event, at_us: u64) -> Event {
    let kind = match &event.kind {
        EventKind::Notified { assignments, .. } => EventKind::Notified {
            pid: 0,
            assignments: assignments
                .iter()
                .filter(|one| !is_hidden(one))
                .cloned()
                .collect(),
        },
        other => other.clone(),
    };
    let source = match &event.source {
        Source::Journal(_) => Source::Journal(BTreeMap::new()),
        other => other.clone(),
    };
    Event {
        at_us,
        unit: event.unit.clone(),
        source,
        kind,
    }
}
