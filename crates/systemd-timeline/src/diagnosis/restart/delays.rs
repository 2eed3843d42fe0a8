//! The delays that a unit's settings ask for, and their wording.

use std::time::Duration;

use systemd_lab_protocol::EventKind;

use super::super::{Case, spoken};

/// systemd's default for `RestartSec=`: `DefaultRestartSec=` in systemd-system.conf(5).
const DEFAULT_DELAY: Duration = Duration::from_millis(100);

/// More delays than this would not be read, and `StartLimitBurst=` may be any number.
const MOST_DELAYS: usize = 100;

/// How long systemd waits before a restart: systemd.service(5), `RestartSteps=`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delays {
    pub(super) first: Duration,
    pub(super) steps: u64,
    pub(super) longest: Option<Duration>,
}

impl Delays {
    /// The effective settings of the unit.
    pub(super) fn of(case: &Case) -> Option<Delays> {
        let property = |name: &str| case.timeline.property(case.unit, name)?.as_u64();
        Some(Delays {
            first: Duration::from_micros(property("RestartUSec")?),
            steps: property("RestartSteps").unwrap_or(0),
            longest: property("RestartMaxDelayUSec")
                .filter(|&longest| longest != u64::MAX)
                .map(Duration::from_micros),
        })
    }

    /// The delay before this restart, counted from 1: the same as `service_restart_usec_next()` in systemd's `service.c`.
    pub(super) fn before(&self, restart: u64) -> Duration {
        let Some(longest) = self
            .longest
            .filter(|_| self.steps > 0 && !self.first.is_zero())
        else {
            return self.first;
        };
        if restart <= 1 || self.first >= longest {
            self.first
        } else if restart > self.steps {
            longest
        } else {
            let growth = longest.as_secs_f64() / self.first.as_secs_f64();
            let exponent = (restart - 1) as f64 / self.steps as f64;
            // Delays that people choose are round; this removes what floating point adds to them.
            let ms = self.first.as_secs_f64() * growth.powf(exponent) * 1000.0;
            Duration::from_millis(ms.round() as u64)
        }
    }

    /// The delays between this many starts: one fewer than there are starts.
    pub(super) fn between(&self, starts: u64) -> Vec<Duration> {
        (1..starts)
            .take(MOST_DELAYS)
            .map(|restart| self.before(restart))
            .collect()
    }

    /// As in a unit file: `RestartSec=20s with RestartSteps=2 and RestartMaxDelaySec=80s`. If systemd has lowered a value,
    /// this shows the written one, with systemd's warning.
    pub(super) fn spelt(&self, case: &Case) -> String {
        if let Some(warning) = warning(case) {
            let first = case.as_written("RestartSec", &setting(self.first));
            let longest = self.longest.map_or("infinity".to_owned(), setting);
            let longest = case.as_written("RestartMaxDelaySec", &longest);
            return format!(
                "{first}, lowered by systemd to {longest} ({:?})",
                warning.trim_end_matches('.')
            );
        }
        let default = if self.first == DEFAULT_DELAY {
            ", the default,"
        } else {
            ""
        };
        let first = format!("RestartSec={}{default}", setting(self.first));
        let steps = format!("RestartSteps={}", self.steps);
        let longest = |longest| format!("RestartMaxDelaySec={}", setting(longest));
        match (self.steps, self.longest) {
            (0, None) => format!("{first} without RestartSteps= and RestartMaxDelaySec="),
            (0, Some(only)) => format!("{first} with {} alone", longest(only)),
            (_, None) => format!("{first} with {steps} alone"),
            (_, Some(both)) => format!("{first} with {steps} and {}", longest(both)),
        }
    }
}

/// systemd's warning when `RestartSec=` is longer than `RestartMaxDelaySec=`: `service_verify` in its service.c.
fn warning<'a>(case: &Case<'a>) -> Option<&'a str> {
    case.timeline
        .of(case.unit)
        .find_map(|event| match &event.kind {
            EventKind::Manager { message, .. }
                if message.contains("resetting RestartSec= to RestartMaxDelaySec=") =>
            {
                Some(message.as_str())
            }
            _ => None,
        })
}

/// `20 s, 40 s, 80 s`.
pub(super) fn spoken_list(durations: &[Duration], separator: &str) -> String {
    let spoken: Vec<String> = durations.iter().map(|one| exactly(*one)).collect();
    spoken.join(separator)
}

/// Readers compare sums and delays with each other: `220 s`, never `3 min`.
pub(super) fn exactly(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (0, ms) => format!("{ms} ms"),
        (seconds, 0) => format!("{seconds} s"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// As in a unit file: `20s`, `1500ms`, `5min`.
pub(super) fn setting(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 if !duration.is_zero() => spoken(duration).replace(' ', ""),
        0 => "0".to_owned(),
        _ => format!("{}ms", duration.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn delays_grow_as_the_manual_says() {
        let delays = Delays {
            first: seconds(10),
            steps: 4,
            longest: Some(seconds(160)),
        };
        let expected = [10, 20, 40, 80, 160, 160].map(seconds);
        assert_eq!(delays.between(7), expected);
    }

    #[test]
    fn without_steps_or_longest_they_stay_the_same() {
        let first = seconds(5);
        for (steps, longest) in [(3, None), (0, Some(seconds(60)))] {
            let delays = Delays {
                first,
                steps,
                longest,
            };
            assert_eq!(delays.between(4), [first; 3]);
        }
    }

    #[test]
    fn one_start_has_no_delay_before_it() {
        let delays = Delays {
            first: seconds(5),
            steps: 0,
            longest: None,
        };
        assert!(delays.between(1).is_empty());
        assert!(delays.between(0).is_empty());
        assert_eq!(delays.between(u64::MAX).len(), MOST_DELAYS);
    }

    #[test]
    fn durations_are_said_without_loss() {
        let durations = [0, 100, 1500, 20_000, 300_000].map(Duration::from_millis);
        assert_eq!(
            durations.map(exactly),
            ["0 ms", "100 ms", "1.5 s", "20 s", "300 s"]
        );
        assert_eq!(
            durations.map(setting),
            ["0", "100ms", "1500ms", "20s", "5min"]
        );
    }
}
