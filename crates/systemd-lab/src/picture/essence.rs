//! As much of a timeline as a picture of it needs, to be kept in a file: a rebuilt guest, in which every stamp, PID and
//! journal field is another one, gives the same bytes.

use std::collections::BTreeMap;

use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::{Event, EventKind};

use super::layout::LONGEST_WAIT;
use super::rows::{PING, is_hidden, row_of};
use crate::timeline::Timeline;

const SECOND_US: u64 = 1_000_000;

pub(super) fn of(timeline: &Timeline, units: &[String], logs: bool) -> Timeline {
    let mut kept = Vec::new();
    // Pings since the last event of another kind: their raw stamps, and what is kept of each.
    let mut pings: Vec<(u64, Event)> = Vec::new();
    for (event, at) in timeline.events().iter().zip(timeline.coarse_seconds()) {
        let is_of_them = event.unit.as_ref().is_none_or(|unit| units.contains(unit));
        let is_row = row_of(&event.kind, logs).is_some();
        let is_change = matches!(
            event.kind,
            EventKind::StateChanged { .. } | EventKind::ScenarioBegan { .. }
        );
        if is_of_them && (is_row || is_change) {
            kept.append(&mut thinned(std::mem::take(&mut pings)));
            kept.push(reduced(event, at));
        } else if is_of_them && is_ping(&event.kind) {
            pings.push((event.at_us, reduced(event, at)));
        }
    }
    kept.append(&mut thinned(pings));
    Timeline::new(kept)
}

fn is_ping(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one == PING))
}

/// How many pings a long wait has depends on a timer's slack; a picture tells their rhythm only. Two are enough for that.
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
            at_us: first.at_us + (mean + SECOND_US / 2) / SECOND_US * SECOND_US,
            ..first.clone()
        };
        thinned.extend([first.clone(), second]);
    }
    thinned
}

fn reduced(event: &Event, at: u64) -> Event {
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
        at_us: at * SECOND_US,
        unit: event.unit.clone(),
        source,
        kind,
    }
}
