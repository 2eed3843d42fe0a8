//! Rules about endless loops without a pause: of notifications, and of log lines.

use std::collections::BTreeMap;
use std::time::Duration;

use systemd_lab_protocol::EventKind;

use super::{Finding, Look, Rule};

/// A service that reports its progress does so up to ten times a second. A loop without a pause does so as fast as it can: a
/// shell that starts systemd-notify each time, 30 times.
const NOTIFICATIONS_PER_SECOND: u64 = 12;

/// How many whole seconds in a row it must last: a burst at a start or a stop does not count.
const SECONDS: usize = 5;

/// How many pings may come in each `WatchdogSec=`: two are usual.
const PINGS_PER_WATCHDOG: u64 = 4;

/// Many of these may come at once, each with a file descriptor: sd_notify(3).
const STORED: &str = "FDSTORE";

/// How many lines journald accepts from a unit by default: journald.conf(5), "RateLimitIntervalSec=, RateLimitBurst=".
const JOURNAL_LINES: u64 = 10_000;
const JOURNAL_INTERVAL: Duration = Duration::from_secs(30);

impl<'a> Look<'a> {
    /// Each notification wakes systemd, which can do nothing else meanwhile.
    pub(super) fn notification_flood(&self) -> Option<Finding> {
        let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
        let mut words: BTreeMap<&str, u64> = BTreeMap::new();
        for event in self.events() {
            let EventKind::Notified { assignments, .. } = &event.kind else {
                continue;
            };
            if assignments.iter().any(|one| one.starts_with(STORED)) {
                continue;
            }
            *seconds
                .entry(self.timeline.time_of(event).as_secs())
                .or_default() += 1;
            for one in assignments {
                *words.entry(name_of(one)).or_default() += 1;
            }
        }
        let watchdog = self.timeline.duration_property(self.unit, "WatchdogUSec");
        let pings = watchdog
            .filter(|limit| !limit.is_zero())
            .map_or(0, |limit| {
                u64::try_from(
                    Duration::from_secs(PINGS_PER_WATCHDOG).as_micros() / limit.as_micros(),
                )
                .unwrap_or(u64::MAX)
            });
        let most = NOTIFICATIONS_PER_SECOND.max(pings);
        let busy: Vec<(u64, u64)> = seconds
            .into_iter()
            .filter(|(_, count)| *count >= most)
            .collect();
        let run = busy.windows(SECONDS).find(|window| {
            let span = window.last().zip(window.first());
            span.is_some_and(|(last, first)| last.0 - first.0 == SECONDS as u64 - 1)
        })?;
        let (word, _) = words.into_iter().max_by_key(|(_, count)| *count)?;
        let rule = Rule::NotificationFlood {
            assignment: word.to_owned(),
            per_second: run.iter().map(|(_, count)| count).sum::<u64>() / SECONDS as u64,
        };
        let at = Duration::from_secs(run[0].0);
        self.finding(rule, &["NotifyAccess", "Type"], vec![at])
    }

    /// systemd.exec(5), "LogRateLimitIntervalSec=": journald drops any lines above that.
    pub(super) fn log_flood(&self) -> Option<Finding> {
        let lines = self.times(|kind| matches!(kind, EventKind::Log { .. }));
        let left_out = self.events().find_map(|event| match event.kind {
            EventKind::LogTruncated { lines } => Some(lines),
            _ => None,
        })?;
        let (first, last) = (*lines.first()?, *lines.last()?);
        let all = left_out + lines.len() as u64;
        let set = |property: &str, default: u64| match self.number(property) {
            0 => default,
            value => value,
        };
        let most = set("LogRateLimitBurst", JOURNAL_LINES);
        let interval = set(
            "LogRateLimitIntervalUSec",
            JOURNAL_INTERVAL.as_micros() as u64,
        );
        let end = self.timeline.time_of(self.timeline.events().last()?);
        // Checked for the lines that the timeline keeps, and for all lines to the end.
        let is_faster = |count: u64, span: Duration| {
            u128::from(count) * u128::from(interval) > u128::from(most) * span.as_micros()
        };
        let kept = last.saturating_sub(first);
        let rest = end.saturating_sub(first);
        let over = match (is_faster(lines.len() as u64, kept), is_faster(all, rest)) {
            (_, true) => rest,
            (true, false) => kept,
            (false, false) => return None,
        };
        if all < most {
            return None;
        }
        let rule = Rule::LogFlood {
            lines: if over == rest {
                all
            } else {
                lines.len() as u64
            },
            over_us: over.as_micros() as u64,
            most,
            interval_us: interval,
        };
        self.finding(rule, &["LogRateLimitBurst", "ExecStart"], vec![first])
    }
}

/// `STATUS=` of `STATUS=loading`.
fn name_of(assignment: &str) -> &str {
    match assignment.split_once('=') {
        Some((name, "1")) => &assignment[..name.len() + 2],
        Some((name, _)) => &assignment[..=name.len()],
        None => assignment,
    }
}
