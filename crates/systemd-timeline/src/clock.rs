//! Times as people read them: the nearest whole second since the scenario began. Text and pictures use the same ones.
//!
//! A time is never a sum of rounded distances, which would drift: each one is taken from the event's own stamp, and is
//! within half a second of it however long the run was.

use std::time::Duration;

use crate::timeline::Timeline;

const HALF_A_SECOND: Duration = Duration::from_millis(500);

impl Timeline {
    /// For each event the nearest whole second since the beginning of the scenario. Zero for what came before.
    pub fn seconds(&self) -> Vec<u64> {
        let events = self.events().iter();
        events
            .map(|event| nearest_second(self.time_of(event)))
            .collect()
    }
}

/// The nearest whole second; of half a second, the next.
pub fn nearest_second(time: Duration) -> u64 {
    time.saturating_add(HALF_A_SECOND).as_secs()
}

/// `0:10`, `1:00:00`: a time in whole seconds, as a clock shows it.
pub fn clock_time(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
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
        // Fails after 3.7 s, a day long: what a crash loop with RestartSec=3.5s does.
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

    #[test]
    fn times_are_written_like_those_of_a_clock() {
        let written = [0, 59, 60, 3599, 3600, 36_061].map(clock_time);
        assert_eq!(
            written,
            ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"]
        );
    }
}
