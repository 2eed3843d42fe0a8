//! Finds the socket unit of a listener that systemd opened itself.
//!
//! For every other listener the agent knows the process. systemd is one process for all socket units. It opens the sockets of one
//! unit and then logs the unit's new state, and no other socket unit comes in between (`socket_enter_start_chown` and
//! `socket_enter_listening` in its socket.c).

use std::collections::HashMap;

use systemd_lab_protocol::{Event, EventKind};

/// From opening the first of a unit's sockets to the log line; a unit may have many `ListenStream=`.
const LONGEST_OPENING_US: u64 = 500_000;

/// Sets the unit of each such listener. `events` are in order.
pub(super) fn attribute(events: &mut [Event]) {
    let mut owners: HashMap<String, String> = HashMap::new();
    for index in 0..events.len() {
        if events[index].unit.is_some() {
            continue;
        }
        let unit = match &events[index].kind {
            EventKind::ListenerOpened { address } => {
                let unit = socket_unit_after(events, index);
                if let Some(unit) = &unit {
                    owners.insert(address.clone(), unit.clone());
                }
                unit
            }
            EventKind::ListenerClosed { address } => owners.get(address).cloned(),
            _ => None,
        };
        events[index].unit = unit;
    }
}

/// The socket unit whose state changes next.
fn socket_unit_after(events: &[Event], index: usize) -> Option<String> {
    let opened_us = events[index].at_us;
    let soon = events[index..]
        .iter()
        .take_while(|event| event.at_us <= opened_us + LONGEST_OPENING_US);
    let mut changed = soon.filter(|event| matches!(event.kind, EventKind::StateChanged { .. }));
    changed.find_map(|event| event.unit.clone().filter(|it| it.ends_with(".socket")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::event::Source;

    fn event(at_ms: u64, unit: Option<&str>, kind: EventKind) -> Event {
        Event {
            at_us: at_ms * 1000,
            unit: unit.map(str::to_owned),
            source: Source::Agent,
            kind,
        }
    }

    fn opened(at_ms: u64, address: &str, unit: Option<&str>) -> Event {
        let address = address.to_owned();
        event(at_ms, unit, EventKind::ListenerOpened { address })
    }

    fn changed(at_ms: u64, unit: &str) -> Event {
        let (from, to) = ("dead".to_owned(), "listening".to_owned());
        event(at_ms, Some(unit), EventKind::StateChanged { from, to })
    }

    #[test]
    fn a_listener_of_systemds_belongs_to_the_socket_unit_that_changes_next() {
        let address = "127.0.0.1:3".to_owned();
        let mut events = vec![
            opened(0, "127.0.0.1:1", None),
            opened(1, "127.0.0.1:2", Some("own.service")),
            changed(2, "other.service"),
            opened(3, "127.0.0.1:3", None),
            changed(4, "a.socket"),
            opened(5, "127.0.0.1:4", None),
            changed(6, "b.socket"),
            opened(7, "127.0.0.1:5", None),
            event(9_000, None, EventKind::ListenerClosed { address }),
            changed(9_001, "a.socket"),
        ];
        attribute(&mut events);
        let units: Vec<Option<&str>> = events
            .iter()
            .filter(|event| !matches!(event.kind, EventKind::StateChanged { .. }))
            .map(|event| event.unit.as_deref())
            .collect();
        let expected = [
            Some("a.socket"),
            Some("own.service"),
            Some("a.socket"),
            Some("b.socket"),
            None,
            Some("a.socket"),
        ];
        assert_eq!(units, expected);
    }
}
