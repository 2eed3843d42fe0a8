//! The moments of a run at which a fault could make a difference.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Serialize, Serializer};
use systemd_lab_protocol::{Event, EventKind};
use systemd_timeline::{Timeline, describe};

use crate::experiment::Experiment;

/// How long before and after an event the fault comes. A planned fault changes the order of work in the guest, so near the start a run's
/// stamps differ by some milliseconds from those of the run without it: there, a fault may come on the other side.
const ASIDE: Duration = Duration::from_millis(1);

/// The sub-state of a unit before anything has happened to it.
const DEAD: &str = "dead";

/// A ping of the watchdog: sd_notify(3).
const PING: &str = "WATCHDOG=1";

/// How many moments are tried by default: a minute's run of a service with a request a second has about a hundred.
pub const MOST_MOMENTS: NonZeroUsize = NonZeroUsize::new(200).unwrap();

/// A moment at which faults come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Since the start of the main unit, in whole milliseconds.
    #[serde(serialize_with = "milliseconds", rename = "at_ms")]
    pub at: Duration,
    /// The event just before or after it, for people: `just after my.service: start -> running`.
    pub what: String,
    /// Whether it is during a request rather than at an event.
    #[serde(skip)]
    is_request: bool,
}

/// For serde: in whole milliseconds.
pub(crate) fn milliseconds<S: Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The moments of a run, in order, and how many were left out because there are more than `most`.
pub(crate) fn of(
    experiment: &Experiment,
    timeline: &Timeline,
    most: usize,
) -> (Vec<Moment>, usize) {
    let length = experiment.length();
    let mut found: BTreeMap<Duration, (String, bool)> = BTreeMap::new();
    let mut add = |at: Duration, what: String, is_request: bool| {
        let at = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        if at > length {
            return;
        }
        // If two are in the same millisecond, the first event counts: it says more than a request.
        let entry = found
            .entry(at)
            .or_insert_with(|| (what.clone(), is_request));
        if entry.1 && !is_request {
            *entry = (what, is_request);
        }
    };
    for event in timeline.events() {
        if let Some(words) = words(experiment, event) {
            let at = timeline.time_of(event);
            add(
                at.saturating_sub(ASIDE),
                format!("just before {words}"),
                false,
            );
            add(at + ASIDE, format!("just after {words}"), false);
        }
    }
    // Without a probe, nothing else may happen after the start.
    if experiment.probes().is_empty() && !length.is_zero() {
        add(length / 2, "in the middle of the run".to_owned(), false);
    }
    for probe in experiment.probes() {
        let mut at = probe.first_attempt();
        while at <= length {
            add(at + ASIDE, format!("during {}", probe.name()), true);
            at += probe.interval();
        }
    }
    let moments = found.into_iter().map(|(at, (what, is_request))| Moment {
        at,
        what,
        is_request,
    });
    thinned(moments.collect(), most)
}

/// At most this many: requests are left out first, evenly; then events, evenly.
fn thinned(moments: Vec<Moment>, most: usize) -> (Vec<Moment>, usize) {
    let all = moments.len();
    let requests = moments.iter().filter(|moment| moment.is_request).count();
    let for_requests = most.saturating_sub(all - requests).min(requests);
    let for_events = (most - for_requests).min(all - requests);
    let mut requests = Shares::new(for_requests, requests);
    let mut events = Shares::new(for_events, all - requests.of);
    let kept = moments
        .into_iter()
        .filter(|moment| match moment.is_request {
            true => requests.keeps_next(),
            false => events.keeps_next(),
        });
    let kept: Vec<Moment> = kept.collect();
    let left_out = all - kept.len();
    (kept, left_out)
}

/// Keeps some of many items, evenly.
struct Shares {
    keep: usize,
    of: usize,
    seen: usize,
}

impl Shares {
    fn new(keep: usize, of: usize) -> Shares {
        Shares { keep, of, seen: 0 }
    }

    /// Whether the next item begins another share.
    fn keeps_next(&mut self) -> bool {
        let (before, after) = (self.seen * self.keep, (self.seen + 1) * self.keep);
        self.seen += 1;
        after.div_ceil(self.of) > before.div_ceil(self.of)
    }
}

/// What happened, if it happened to a unit of the experiment and a fault just before or after it could make a difference.
fn words(experiment: &Experiment, event: &Event) -> Option<String> {
    let unit = event.unit.as_deref()?;
    if !experiment.units().iter().any(|it| it == unit) {
        return None;
    }
    let counts = match &event.kind {
        EventKind::StateChanged { .. }
        | EventKind::JobQueued { .. }
        | EventKind::ProcessExited { .. }
        | EventKind::RestartScheduled { .. }
        | EventKind::ListenerOpened { .. }
        | EventKind::ListenerClosed { .. }
        | EventKind::Log { .. } => true,
        // A healthy service pings all the time.
        EventKind::Notified { assignments, .. } => assignments.iter().any(|it| it != PING),
        _ => false,
    };
    let words = describe(&event.kind).filter(|_| counts)?;
    Some(format!("{unit}: {words}"))
}

/// What the unit was doing just before this time, according to systemd and the first probe: `running, answering`.
pub(crate) fn phase(
    experiment: &Experiment,
    timeline: &Timeline,
    unit: &str,
    at: Duration,
) -> String {
    let probe = experiment.probes().first().map(|probe| probe.name());
    let mut state = DEAD;
    let mut answers = false;
    for event in timeline.events() {
        if timeline.time_of(event) >= at {
            break;
        }
        match &event.kind {
            EventKind::StateChanged { to, .. } if event.is_about(unit) => state = to,
            EventKind::ProbeChanged { name, outcome, .. } if Some(name) == probe.as_ref() => {
                answers = outcome.is_success();
            }
            _ => {}
        }
    }
    match (probe, answers) {
        (None, _) => state.to_owned(),
        (Some(_), true) => format!("{state}, answering"),
        (Some(_), false) => format!("{state}, not answering"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at_ms: u64, is_request: bool) -> Moment {
        Moment {
            at: Duration::from_millis(at_ms),
            what: String::new(),
            is_request,
        }
    }

    #[test]
    fn requests_are_left_out_evenly_before_events_are() {
        let mixed: Vec<Moment> = (0..20).map(|at| moment(at, at % 4 != 0)).collect();
        let times = |kept: &[Moment]| -> Vec<u128> {
            kept.iter().map(|moment| moment.at.as_millis()).collect()
        };
        let (kept, left_out) = thinned(mixed.clone(), 20);
        assert_eq!((kept.len(), left_out), (20, 0));
        // All five events, and every third of the fifteen requests.
        let (kept, left_out) = thinned(mixed.clone(), 10);
        assert_eq!(
            (times(&kept), left_out),
            (vec![0, 1, 4, 5, 8, 9, 12, 13, 16, 17], 10)
        );
        // Every second event, beginning with the first.
        let (kept, left_out) = thinned(mixed, 3);
        assert_eq!((times(&kept), left_out), (vec![0, 4, 12], 17));
    }
}
