//! When the service behind a probe was unavailable: what the probe saw, and what it missed between two attempts.
//!
//! A probe that asks each second misses a restart that takes 0.2 s. The kernel's trace of listeners does not: while nothing listens
//! on the probe's address, every connection is refused. If no listener was seen (Unix sockets, UDP), the lab claims nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Serialize, Serializer};
use systemd_lab_protocol::scenario::ProbeTarget;
use systemd_lab_protocol::{Event, EventKind};

use super::Probe;
use systemd_timeline::Timeline;

/// A stretch of time in which something was available or not, up to the beginning of the next stretch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) at: Duration,
    pub(super) is_up: bool,
}

pub(super) fn microseconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// The default port of a URL.
const HTTP_PORT: u16 = 80;

/// A time without a listener on a probe's address that the probe did not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListenerOutage {
    /// The listener's unit, if it is known.
    pub unit: Option<String>,
    /// When it closed, since time 0.
    #[serde(serialize_with = "microseconds", rename = "at_us")]
    pub at: Duration,
    /// How long nothing listened; until the end of the run if nothing did again.
    #[serde(serialize_with = "microseconds", rename = "length_us")]
    pub length: Duration,
}

/// A time in which the service was unavailable; without an end, until the end of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    from: Duration,
    to: Option<Duration>,
    /// For a listener's gap: its unit.
    listener: Option<Option<String>>,
}

impl Gap {
    fn is_probes(&self) -> bool {
        self.listener.is_none()
    }
}

/// The service whose listener the probe asks: the one that opened it, or the one that its socket unit starts.
pub(super) fn asked_unit(timeline: &Timeline, probe: &Probe) -> Option<String> {
    let listeners = listeners(timeline, address(probe)?);
    let opened = listeners.into_iter().find(|(_, opens)| *opens);
    let unit = opened?.0.unit.as_deref()?;
    let triggers = timeline.property(unit, "Triggers");
    let service = triggers.and_then(|units| units.get(0)?.as_str());
    Some(service.unwrap_or(unit).to_owned())
}

/// The times in which nothing listened on this probe's address, after something had listened before.
pub(super) fn listener_gaps(timeline: &Timeline, probe: &Probe) -> Vec<Gap> {
    let Some(asked) = address(probe) else {
        return Vec::new();
    };
    let mut gaps: Vec<Gap> = Vec::new();
    // Several may listen on one address (SO_REUSEPORT), and the new one may open before the old one closes.
    let mut open = 0_u32;
    for (event, opens) in listeners(timeline, asked) {
        let at = timeline.time_of(event);
        if opens {
            open += 1;
            if let Some(gap) = gaps.last_mut().filter(|gap| gap.to.is_none()) {
                gap.to = Some(at);
            }
            continue;
        }
        open = open.saturating_sub(1);
        if open == 0 && gaps.last().is_none_or(|gap| gap.to.is_some()) {
            gaps.push(Gap {
                from: at,
                to: None,
                listener: Some(event.unit.clone()),
            });
        }
    }
    gaps
}

/// Each time a listener that accepts connections to this address opened (`true`) or closed.
fn listeners(timeline: &Timeline, asked: SocketAddr) -> Vec<(&Event, bool)> {
    let changes = timeline.events().iter().filter_map(|event| {
        let (address, opens) = match &event.kind {
            EventKind::ListenerOpened { address } => (address, true),
            EventKind::ListenerClosed { address } => (address, false),
            _ => return None,
        };
        Some((event, address.parse::<SocketAddr>().ok()?, opens))
    });
    let on_port: Vec<_> = changes
        .filter(|(_, address, _)| address.port() == asked.port())
        .collect();
    // A listener on [::] also accepts IPv4, unless there is a separate listener for IPv4.
    let has_own_family = on_port
        .iter()
        .any(|(_, address, _)| serves(*address, asked, false));
    let serving = on_port
        .into_iter()
        .filter(|(_, address, _)| serves(*address, asked, !has_own_family));
    serving.map(|(event, _, opens)| (event, opens)).collect()
}

/// The TCP address that a probe asks, if it asks one.
fn address(probe: &Probe) -> Option<SocketAddr> {
    match &probe.target {
        // The path of a Unix socket is not an address.
        ProbeTarget::Connect(address) | ProbeTarget::Ask { address, .. } => address.parse().ok(),
        ProbeTarget::Get(url) => {
            let address = url.strip_prefix("http://")?.split('/').next()?;
            let ip = || address.trim_matches(['[', ']']).parse::<IpAddr>();
            let default = || ip().ok().map(|ip| SocketAddr::new(ip, HTTP_PORT));
            address.parse().ok().or_else(default)
        }
        ProbeTarget::GetUnix { .. } | ProbeTarget::ConnectUnix(_) | ProbeTarget::Run(_) => None,
    }
}

/// Whether a listener on the first address accepts connections to the other one, which has the same port.
fn serves(listener: SocketAddr, asked: SocketAddr, any_takes_ipv4: bool) -> bool {
    let (listener, asked) = (listener.ip(), asked.ip());
    listener == asked
        || listener.is_unspecified() && listener.is_ipv4() == asked.is_ipv4()
        || any_takes_ipv4 && listener.is_unspecified() && listener.is_ipv6()
}

/// Combines what a probe saw with what it missed, and lists what it missed: outages after its first answer. `every` is its
/// interval.
pub(super) fn with_listener(
    changes: Vec<Change>,
    closed: Vec<Gap>,
    every: Duration,
    end: Duration,
) -> (Vec<Change>, Vec<ListenerOutage>) {
    let Some(first) = changes.iter().position(|change| change.is_up) else {
        return (changes, Vec::new());
    };
    let first_success = changes[first].at;
    let mut gaps: Vec<Gap> = closed
        .into_iter()
        .filter(|gap| gap.from >= first_success)
        .collect();
    gaps.extend(probe_gaps(&changes[first..]));
    gaps.sort_by_key(|gap| (gap.from, gap.is_probes()));
    // Gaps that belong to one outage, with gaps of the listener that no attempt hit.
    let mut all: Vec<Gap> = Vec::new();
    for gap in gaps {
        let same = all.last_mut().filter(|last| is_one(last, &gap, every));
        match same {
            Some(last) => {
                last.to = last.to.zip(gap.to).map(|(one, other)| one.max(other));
                if gap.is_probes() {
                    last.listener = None;
                }
            }
            None => all.push(gap),
        }
    }
    let mut merged = changes[..=first].to_vec();
    for gap in &all {
        merged.push(Change {
            at: gap.from,
            is_up: false,
        });
        merged.extend(gap.to.map(|at| Change { at, is_up: true }));
    }
    let missed = all.into_iter().filter_map(|gap| {
        let length = gap.to.unwrap_or(end).saturating_sub(gap.from);
        Some(ListenerOutage {
            unit: gap.listener?,
            at: gap.from,
            length,
        })
    });
    (merged, missed.collect())
}

/// Whether the service stayed unavailable between the two. If a listener is back but the first attempt after that fails, the
/// service was not back.
fn is_one(earlier: &Gap, later: &Gap, every: Duration) -> bool {
    let Some(to) = earlier.to else { return true };
    let slack = match later.is_probes() {
        true => every,
        false => Duration::ZERO,
    };
    later.from < to + slack || later.from == to
}

/// From the first failed attempt of a series to the next successful one.
fn probe_gaps(changes: &[Change]) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    for change in changes {
        let open = gaps.last_mut().filter(|gap| gap.to.is_none());
        match (change.is_up, open) {
            (false, None) => gaps.push(Gap {
                from: change.at,
                to: None,
                listener: None,
            }),
            (true, Some(gap)) => gap.to = Some(change.at),
            _ => {}
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::event::Source;

    fn tenths(number: u64) -> Duration {
        Duration::from_millis(number * 100)
    }

    /// Times are in tenths of seconds: `+127.0.0.1:80` opens.
    fn gaps(probe: &Probe, trace: &[(u64, &str)]) -> Vec<(u64, Option<u64>)> {
        let events = trace.iter().map(|(at, change)| {
            let address = change[1..].to_owned();
            Event {
                at_us: at * 100_000,
                unit: Some("a.service".to_owned()),
                source: Source::SocketTrace,
                kind: match change.starts_with('+') {
                    true => EventKind::ListenerOpened { address },
                    false => EventKind::ListenerClosed { address },
                },
            }
        });
        let gaps = listener_gaps(&Timeline::new(events.collect()), probe);
        let tenths = |time: Duration| time.as_millis() as u64 / 100;
        let gaps = gaps
            .iter()
            .map(|gap| (tenths(gap.from), gap.to.map(tenths)));
        gaps.collect()
    }

    #[test]
    fn only_what_takes_the_probes_connections_counts() {
        let probe = Probe::connect("127.0.0.1:80");
        let closed_and_opened = |address: &str| {
            let (open, close) = (format!("+{address}"), format!("-{address}"));
            gaps(
                &probe,
                &[(0, &open), (10, &close), (12, &open), (90, &close)],
            )
        };
        for address in ["127.0.0.1:80", "0.0.0.0:80", "[::]:80"] {
            assert_eq!(closed_and_opened(address), [(10, Some(12)), (90, None)]);
        }
        for address in ["127.0.0.1:81", "127.0.0.2:80", "[::1]:80", "192.0.2.1:80"] {
            assert_eq!(closed_and_opened(address), []);
        }
        let get = Probe::get("http://127.0.0.1/health");
        let trace = [(0, "+0.0.0.0:80"), (10, "-0.0.0.0:80"), (13, "+0.0.0.0:80")];
        assert_eq!(gaps(&get, &trace), [(10, Some(13))]);
        let ipv6 = Probe::get("http://[::1]:80/");
        assert_eq!(gaps(&ipv6, &trace), []);
    }

    #[test]
    fn an_address_is_served_as_long_as_one_listens() {
        let probe = Probe::connect("127.0.0.1:80");
        // The new process opens before the old one closes.
        let handed_over = [(0, "+0.0.0.0:80"), (10, "+0.0.0.0:80"), (11, "-0.0.0.0:80")];
        assert_eq!(gaps(&probe, &handed_over), []);
        // nginx: one listener for each family.
        let both = [
            (0, "+0.0.0.0:80"),
            (0, "+[::]:80"),
            (10, "-0.0.0.0:80"),
            (12, "+0.0.0.0:80"),
        ];
        assert_eq!(gaps(&probe, &both), [(10, Some(12))]);
        assert_eq!(gaps(&probe, &[]), []);
        assert_eq!(gaps(&probe, &[(0, "+127.0.0.1:80")]), []);
    }

    /// Changes, and missed outages with their lengths.
    type Merged = (Vec<(u64, bool)>, Vec<(u64, u64)>);

    fn merged(probe: &[(u64, bool)], closed: &[(u64, Option<u64>)]) -> Merged {
        let changes = probe.iter().map(|&(at, is_up)| Change {
            at: tenths(at),
            is_up,
        });
        let closed = closed.iter().map(|&(from, to)| Gap {
            from: tenths(from),
            to: to.map(tenths),
            listener: Some(None),
        });
        let every = Duration::from_secs(1);
        let (changes, missed) =
            with_listener(changes.collect(), closed.collect(), every, tenths(1000));
        let number = |time: Duration| time.as_millis() as u64 / 100;
        let changes = changes.iter().map(|it| (number(it.at), it.is_up));
        let missed = missed.iter().map(|it| (number(it.at), number(it.length)));
        (changes.collect(), missed.collect())
    }

    #[test]
    fn what_lies_between_two_attempts_is_an_outage() {
        let up = [(0, false), (5, true)];
        let seen = merged(&up, &[(2, Some(3)), (100, Some(102)), (990, None)]);
        let changes = [
            (0, false),
            (5, true),
            (100, false),
            (102, true),
            (990, false),
        ];
        assert_eq!(seen, (changes.to_vec(), vec![(100, 2), (990, 10)]));
        assert_eq!(merged(&up, &[]), (up.to_vec(), Vec::new()));
        // A probe that never got an answer has no outages.
        assert_eq!(
            merged(&up[..1], &[(100, None)]),
            (up[..1].to_vec(), Vec::new())
        );
    }

    #[test]
    fn an_outage_that_both_saw_is_one() {
        // It closes at 10.0 s, is back at 15.3 s, and the probe sees it from 10.5 to 15.5 s.
        let probe = [(5, true), (105, false), (155, true)];
        let changes = vec![(5, true), (100, false), (155, true)];
        assert_eq!(
            merged(&probe, &[(100, Some(153))]),
            (changes.clone(), vec![])
        );
        // It listens again at once, and the first attempt after that fails.
        assert_eq!(merged(&probe, &[(100, Some(102))]), (changes, vec![]));
        // An attempt in between has succeeded.
        let (changes, missed) = merged(&probe, &[(80, Some(82))]);
        assert_eq!((changes.len(), missed), (5, vec![(80, 2)]));
        // It never comes back.
        let gone = merged(&[(5, true), (105, false)], &[(100, None)]);
        assert_eq!(gone, (vec![(5, true), (100, false)], vec![]));
    }
}
