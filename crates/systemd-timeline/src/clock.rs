//! Times as people read them: the nearest whole second since the scenario began. Text and pictures use the same times.
//!
//! A time is never a sum of rounded distances, because such a sum would drift. Each time comes from the event's own
//! stamp, and is within half a second of it however long the run was.

use std::time::Duration;

const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// The nearest whole second; half a second is rounded up.
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

    #[test]
    fn times_are_written_like_those_of_a_clock() {
        let written = [0, 59, 60, 3599, 3600, 36_061].map(clock_time);
        assert_eq!(
            written,
            ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"]
        );
    }
}
