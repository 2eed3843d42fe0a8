//! Whether journald may have dropped lines of a unit's log without a word.
//!
//! journald reports what it dropped before the next line of the same priority that it accepts. If no further line comes, or if the log of
//! another unit makes it forget the number (`journal_ratelimit_vacuum` in its journald-rate-limit.c), it reports nothing. Then all that
//! is known is how many lines it accepted, and that the limit of the unit is such a number.

use std::fmt;
use std::time::Duration;

use systemd_lab_protocol::event::Source;
use systemd_lab_protocol::journal::priority_of;
use systemd_lab_protocol::{Event, EventKind};

use crate::clock::{clock_time, nearest_second};
use crate::timeline::Timeline;
use crate::view::DEBUG;

/// journald multiplies a limit by a quarter of this number, according to the space that its files may still take (`burst_modulate` in its
/// journald-rate-limit.c; journald.conf(5), "RateLimitBurst="). In the guest, that is between 8 and 48 MB.
const QUARTERS: [u64; 3] = [7, 8, 9];

/// journald's report and the line after it have stamps of two clocks, and come within this time.
const SOON: Duration = Duration::from_secs(1);

/// journald accepted as many lines of a unit as the unit's limit may allow, then no more, and did not report what it dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullLog {
    /// When journald accepted the last of them.
    pub last: Duration,
    /// When journald would have reported: with its next line, or at the end.
    pub known: Duration,
    /// How many there were within `LogRateLimitIntervalSec=`.
    pub lines: u64,
    /// `LogRateLimitBurst=`.
    pub burst: u64,
}

impl FullLog {
    /// Looks at all lines of this unit.
    pub fn all(timeline: &Timeline, unit: &str) -> Vec<FullLog> {
        let number = |property| timeline.property(unit, property)?.as_u64();
        let burst = number("LogRateLimitBurst").unwrap_or_default();
        let interval = timeline.duration_property(unit, "LogRateLimitIntervalUSec");
        let interval = interval.unwrap_or_default();
        // Nothing can be counted if the lab left out lines itself.
        let mut events = timeline.of(unit);
        let is_cut = events.any(|event| matches!(event.kind, EventKind::LogTruncated { .. }));
        if burst == 0 || interval.is_zero() || is_cut {
            return Vec::new();
        }
        let end = timeline.events().last();
        let end = end.map_or(Duration::ZERO, |event| timeline.time_of(event));
        let limits = QUARTERS.map(|quarters| burst.saturating_mul(quarters) / 4);
        let intervals = intervals(timeline, unit, interval).into_iter();
        let full = intervals.filter(|it| limits.contains(&it.lines) && !it.is_reported);
        let mut full: Vec<FullLog> = full
            .map(|it| FullLog {
                last: it.last,
                known: it.next.unwrap_or(end),
                lines: it.lines,
                burst,
            })
            .collect();
        full.sort_by_key(|it| it.known);
        full
    }
}

impl fmt::Display for FullLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = clock_time(nearest_second(self.last));
        let (lines, burst) = (self.lines, self.burst);
        write!(
            f,
            "journald may have dropped lines of the log after {since}: it took {lines}, as many as LogRateLimitBurst={burst} allows with the space that it has here, and has reported nothing since"
        )
    }
}

/// The lines that journald counts together.
struct Interval {
    group: u8,
    began: Duration,
    last: Duration,
    lines: u64,
    /// When the next line of the group came.
    next: Option<Duration>,
    /// Whether journald said before that line what it dropped.
    is_reported: bool,
}

/// All intervals of this unit, as `journal_ratelimit_test` in journald-rate-limit.c counts them.
fn intervals(timeline: &Timeline, unit: &str, length: Duration) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    for event in timeline.of(unit) {
        let Some(group) = priority_of_line(event, unit).map(group) else {
            continue;
        };
        let at = timeline.time_of(event);
        let current = intervals.iter_mut().rfind(|it| it.group == group);
        match current {
            Some(current) if at <= current.began + length => {
                current.last = at;
                current.lines += 1;
                continue;
            }
            Some(current) => current.next = Some(at),
            None => {}
        }
        intervals.push(Interval {
            group,
            began: at,
            last: at,
            lines: 1,
            next: None,
            is_reported: false,
        });
    }
    for event in timeline.of(unit) {
        let EventKind::LogDropped { priority, .. } = &event.kind else {
            continue;
        };
        let at = timeline.time_of(event);
        for interval in &mut intervals {
            let is_next = interval.next.is_some_and(|next| next.abs_diff(at) < SOON);
            interval.is_reported |= is_next && interval.group == group(*priority);
        }
    }
    intervals
}

/// The priority of a line that a process of the unit logged. Lines at debug level may be systemd's own: before it becomes the service,
/// its child logs them in the lab.
fn priority_of_line(event: &Event, unit: &str) -> Option<u8> {
    let Source::Journal(fields) = &event.source else {
        return None;
    };
    // journald does not count lines of a process that is gone before it knows the unit.
    let is_its_own = fields.get("_SYSTEMD_UNIT").is_some_and(|of| of == unit);
    let priority = priority_of(fields);
    (is_its_own && priority < DEBUG).then_some(priority)
}

/// journald counts these priorities together: `priority_map` in its journald-rate-limit.c.
fn group(priority: u8) -> u8 {
    match priority {
        0..=2 => 0,
        3 => 1,
        4 => 2,
        5..=6 => 3,
        7.. => 4,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UNIT: &str = "a.service";

    /// Lines at these times, in tenths of a second, with their priorities; `LogRateLimitBurst=4` in 10 s. The results are the times of
    /// the last line and of the report that is missing, and the number of lines.
    fn full(lines: &[(u64, u8)], reported: &[u64]) -> Vec<(u64, u64, u64)> {
        let event = |tenths: u64, source, kind| Event {
            at_us: tenths * 100_000,
            unit: Some(UNIT.to_owned()),
            source,
            kind,
        };
        let line = |(tenths, priority): &(u64, u8)| {
            let fields = [
                ("_SYSTEMD_UNIT", UNIT.to_owned()),
                ("PRIORITY", priority.to_string()),
            ];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            let message = "x".to_owned();
            let priority = *priority;
            let kind = EventKind::Log { priority, message };
            event(*tenths, Source::Journal(fields.into()), kind)
        };
        let dropped = |tenths: &u64| {
            let (lines, priority) = (3, 6);
            let kind = EventKind::LogDropped { lines, priority };
            event(*tenths, Source::Agent, kind)
        };
        let values = [
            ("LogRateLimitBurst", json!(4)),
            ("LogRateLimitIntervalUSec", json!(10_000_000)),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value)).into();
        let properties = event(9999, Source::Properties, EventKind::Properties { values });
        let mut events: Vec<Event> = lines.iter().map(line).collect();
        events.extend(reported.iter().map(dropped));
        events.push(properties);
        events.sort_by_key(|event| event.at_us);
        let tenths = |time: Duration| time.as_millis() as u64 / 100;
        let full = FullLog::all(&Timeline::new(events), UNIT).into_iter();
        full.map(|it| (tenths(it.last), tenths(it.known), it.lines))
            .collect()
    }

    fn lines(times: &[u64]) -> Vec<(u64, u8)> {
        times.iter().map(|at| (*at, 6)).collect()
    }

    #[test]
    fn a_log_is_full_if_an_interval_has_as_many_lines_as_its_limit() {
        assert_eq!(full(&lines(&[0, 1, 2, 3, 4, 5, 6, 7]), &[]), [(7, 9999, 8)]);
        let nine = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(full(&lines(&nine), &[]), [(8, 9999, 9)]);
        assert_eq!(full(&lines(&nine[..6]), &[]), []);
        assert_eq!(full(&[], &[]), []);
        // One line more, and journald says what it dropped, or does not.
        let mut more = nine.to_vec();
        more.push(101);
        assert_eq!(full(&lines(&more), &[101]), []);
        assert_eq!(full(&lines(&more), &[]), [(8, 101, 9)]);
    }

    #[test]
    fn priorities_are_counted_as_journald_does() {
        let mut mixed = lines(&[0, 1, 2, 3, 4, 5]);
        mixed.extend([(6, 5), (7, 5)]);
        assert_eq!(full(&mixed, &[]), [(7, 9999, 8)]);
        mixed.extend([(8, 4), (9, 3), (9, 7)]);
        assert_eq!(full(&mixed, &[]), [(7, 9999, 8)]);
        let debug: Vec<(u64, u8)> = (0..8).map(|at| (at, 7)).collect();
        assert_eq!(full(&debug, &[]), []);
    }
}
