//! Runs for the tests of stages' rules.

use systemd_lab::Timeline;
use systemd_lab::protocol::event::Source;
use systemd_lab::protocol::{Event, EventKind};

/// A run of these events: seconds, unit (empty for what the lab did or saw), and what happened.
pub(crate) fn run(events: &[(u64, &str, EventKind)]) -> Timeline {
    let events = events.iter().map(|(seconds, unit, kind)| Event {
        at_us: seconds * 1_000_000,
        unit: (!unit.is_empty()).then(|| (*unit).to_owned()),
        source: Source::Agent,
        kind: kind.clone(),
    });
    Timeline::new(events.collect())
}

#[allow(dead_code, reason = "not every stage needs it")]
pub(crate) fn enters(from: &str, to: &str) -> EventKind {
    EventKind::StateChanged {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

#[allow(dead_code, reason = "not every stage needs it")]
pub(crate) fn exits(status: i32) -> EventKind {
    EventKind::ProcessExited {
        role: "main".to_owned(),
        code: "exited".to_owned(),
        status,
        command: None,
        is_ignored: false,
    }
}
