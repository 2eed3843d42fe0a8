//! The steps that run while other steps go on: [`systemd_lab_protocol::Step::Later`]. Each is due when its time has come or
//! when its trigger has happened.

use std::time::Duration;

use systemd_lab_protocol::scenario::{Trigger, When};
use systemd_lab_protocol::{Event, Step};

/// The steps that are not due yet.
#[derive(Default)]
pub struct Schedule {
    pending: Vec<Pending>,
}

struct Pending {
    index: usize,
    step: Step,
    due: Due,
}

enum Due {
    /// `CLOCK_MONOTONIC` in microseconds.
    At(u64),
    /// How many times the trigger has been seen so far, in events from `since_us` on.
    On {
        trigger: Trigger,
        seen: u32,
        since_us: u64,
    },
}

impl Schedule {
    /// Adds the step with this index, for a scenario that began at `began_us`.
    pub fn add(&mut self, index: usize, when: &When, step: &Step, began_us: u64) {
        let due = match when {
            When::At(time) => Due::At(began_us + micros(*time)),
            When::On(trigger) => Due::On {
                trigger: trigger.clone(),
                seen: 0,
                since_us: began_us,
            },
        };
        self.pending.push(Pending {
            index,
            step: step.clone(),
            due,
        });
    }

    /// Takes an event into account.
    pub fn observe(&mut self, event: &Event) {
        for pending in &mut self.pending {
            let Due::On {
                trigger,
                seen,
                since_us,
            } = &mut pending.due
            else {
                continue;
            };
            if event.at_us < *since_us || !trigger.counts(event) {
                continue;
            }
            *seen += 1;
            if *seen >= trigger.count {
                pending.due = Due::At(event.at_us + micros(trigger.delay));
            }
        }
    }

    /// Whether a step waits for an event.
    pub fn awaits_events(&self) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| matches!(pending.due, Due::On { .. }))
    }

    /// Whether no step is left.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// When the next step is due, among those whose time is known: `CLOCK_MONOTONIC` in microseconds.
    pub fn next_us(&self) -> Option<u64> {
        self.earliest().map(|(_, at_us)| at_us)
    }

    /// The next step that is due by now, with its index. If several are due at once, the one that was added first.
    pub fn take_due(&mut self, now_us: u64) -> Option<(usize, Step)> {
        let (place, at_us) = self.earliest()?;
        (at_us <= now_us).then(|| {
            let pending = self.pending.remove(place);
            (pending.index, pending.step)
        })
    }

    fn earliest(&self) -> Option<(usize, u64)> {
        let known = self.pending.iter().enumerate();
        let known = known.filter_map(|(place, pending)| match pending.due {
            Due::At(at_us) => Some((place, at_us)),
            Due::On { .. } => None,
        });
        known.min_by_key(|&(place, at_us)| (at_us, place))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use systemd_lab_protocol::EventKind;
    use systemd_lab_protocol::event::Source;
    use systemd_lab_protocol::scenario::Happening;

    use super::*;

    const BEGAN_US: u64 = 60_000_000;

    fn seconds(number: u64) -> When {
        When::At(Duration::from_secs(number))
    }

    fn on_restart(count: u32, delay_ms: u64) -> When {
        When::On(Trigger {
            unit: "t.service".into(),
            happening: Happening::Restarts,
            count,
            delay: Duration::from_millis(delay_ms),
        })
    }

    fn restart(unit: &str, at_us: u64) -> Event {
        Event {
            at_us,
            unit: Some(unit.into()),
            source: Source::Agent,
            kind: EventKind::RestartScheduled { counter: 1 },
        }
    }

    fn schedule(all: &[When]) -> Schedule {
        let mut schedule = Schedule::default();
        for (index, when) in all.iter().enumerate() {
            schedule.add(index, when, &Step::DaemonReload, BEGAN_US);
        }
        schedule
    }

    fn taken(schedule: &mut Schedule, now_us: u64) -> Vec<usize> {
        std::iter::from_fn(|| schedule.take_due(now_us).map(|(index, _)| index)).collect()
    }

    #[test]
    fn times_come_in_their_order_and_ties_in_that_of_the_plan() {
        let mut schedule = schedule(&[seconds(20), seconds(10), seconds(10)]);
        assert_eq!(schedule.next_us(), Some(BEGAN_US + 10_000_000));
        assert!(taken(&mut schedule, BEGAN_US + 9_999_999).is_empty());
        assert_eq!(taken(&mut schedule, BEGAN_US + 10_000_000), [1, 2]);
        assert_eq!(taken(&mut schedule, BEGAN_US + 30_000_000), [0]);
        assert_eq!(schedule.next_us(), None);
    }

    #[test]
    fn an_event_is_counted_from_the_beginning_and_delays_count_from_its_stamp() {
        let mut schedule = schedule(&[on_restart(2, 200), seconds(1)]);
        assert!(schedule.awaits_events());
        schedule.observe(&restart("t.service", BEGAN_US - 1));
        schedule.observe(&restart("other.service", BEGAN_US + 1));
        schedule.observe(&restart("t.service", BEGAN_US + 2));
        assert!(schedule.awaits_events());
        schedule.observe(&restart("t.service", BEGAN_US + 3));
        assert!(!schedule.awaits_events());
        // A third event does not move it.
        schedule.observe(&restart("t.service", BEGAN_US + 4));
        assert_eq!(schedule.next_us(), Some(BEGAN_US + 200_003));
        assert_eq!(taken(&mut schedule, BEGAN_US + 2_000_000), [0, 1]);
    }
}
