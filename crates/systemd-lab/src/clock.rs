//! Times as people read them: whole seconds since the scenario began, the same for every service that behaves the same.
//!
//! [`View`](crate::View) says why stamps are cut down, and shows distances. Where a time is needed (the axis of a
//! picture, the text of `cargo workshop timeline`), it is the sum of such distances from one state change to the next,
//! so that systemd's timer slack does not add up: a service that is restarted every 5 s begins at 0:05, 0:10, 0:15.

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use crate::timeline::Timeline;
use crate::view::{STEP, TOLERANCE};

/// What distances of less than a second may add up to before they count after all, a second at a time. A dozen quick
/// restarts up to the start limit lose less; a service that is restarted many times a second, for minutes, loses more.
const MOST_LOST: Duration = Duration::from_secs(10);

impl Timeline {
    /// For each event the whole seconds from the beginning of the scenario, with neither timer slack nor the small
    /// costs of starting processes. Zero for what came before.
    pub fn coarse_seconds(&self) -> Vec<u64> {
        self.coarse_seconds_with(|_| None)
    }

    /// As [`Self::coarse_seconds`], where some events happen at a time that is known: it is theirs, and the sum goes on
    /// from there.
    pub(crate) fn coarse_seconds_with(&self, known: impl Fn(&Event) -> Option<u64>) -> Vec<u64> {
        let began = self
            .events()
            .iter()
            .find(|event| matches!(event.kind, EventKind::ScenarioBegan { .. }))
            .map_or(0, |event| event.at_us);
        let (mut changed_us, mut changed) = (began, 0);
        let mut lost = Duration::ZERO;
        let mut times = Vec::with_capacity(self.events().len());
        for event in self.events() {
            let since = Duration::from_micros(event.at_us.saturating_sub(changed_us));
            let mut seconds = changed + steps(since);
            let known = known(event);
            if let Some(known) = known {
                seconds = known.max(changed);
                lost = Duration::ZERO;
            }
            let is_change = matches!(event.kind, EventKind::StateChanged { .. });
            if (is_change || known.is_some()) && event.at_us >= began {
                if known.is_none() && seconds == changed {
                    lost += since;
                }
                if lost >= MOST_LOST + STEP {
                    lost -= STEP;
                    seconds += STEP.as_secs();
                }
                (changed_us, changed) = (event.at_us, seconds);
            }
            times.push(seconds);
        }
        times
    }
}

/// `0:10`, `1:00:00`: a coarse time.
pub fn clock_time(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

fn steps(distance: Duration) -> u64 {
    (distance + TOLERANCE).as_secs() / STEP.as_secs() * STEP.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use systemd_lab_protocol::event::Source;

    fn timeline(changes_ms: &[u64]) -> Timeline {
        let event = |at_ms: u64, kind| Event {
            at_us: at_ms * 1000,
            unit: None,
            source: Source::Agent,
            kind,
        };
        let changed = |at_ms: &u64| {
            let kind = EventKind::StateChanged {
                from: "a".into(),
                to: "b".into(),
            };
            event(7_000 + at_ms, kind)
        };
        let mut events = vec![event(7_000, EventKind::ScenarioBegan { name: "t".into() })];
        events.extend(changes_ms.iter().map(changed));
        Timeline::new(events)
    }

    #[test]
    fn slack_does_not_add_up() {
        // Start costs 0.1 s, and each restart after 5 s comes a quarter of a second late.
        let late: Vec<u64> = (0..9).map(|turn| 100 + turn * 5_249).collect();
        let expected = [0, 0, 5, 10, 15, 20, 25, 30, 35, 40];
        assert_eq!(timeline(&late).coarse_seconds(), expected);
        // For as long as one may look.
        let late: Vec<u64> = (0..1_000).map(|turn| turn * 5_249).collect();
        let times = timeline(&late).coarse_seconds();
        assert!(times[1..].windows(2).all(|two| two[1] - two[0] == 5));
    }

    #[test]
    fn a_hair_less_than_a_second_is_a_second() {
        assert_eq!(timeline(&[960, 1_900]).coarse_seconds(), [0, 1, 1]);
    }

    #[test]
    fn many_short_distances_are_not_lost_for_ever() {
        let restless: Vec<u64> = (0..200).map(|turn| turn * 500).collect();
        let times = timeline(&restless).coarse_seconds();
        assert!(times.is_sorted());
        let last = times.last().copied().unwrap_or_default();
        assert!((88..=100).contains(&last), "{last}");
    }

    #[test]
    fn times_are_written_like_those_of_a_clock() {
        let written = [0, 59, 60, 3599, 3600, 36_061].map(clock_time);
        assert_eq!(
            written,
            ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"]
        );
    }
}
