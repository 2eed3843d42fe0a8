//! What happened to a service after a fault: when the watchdog noticed it, when the service ran again, and whether it answers.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use systemd_lab::diagnosis::watchdog;
use systemd_lab::protocol::event::ResponseOutcome;
use systemd_lab::protocol::{Event, EventKind};
use systemd_lab::{ERROR, Timeline, nearest_second};

use crate::SUBJECT;
use crate::scenarios::AFTER_FAULT;

/// A self-test in progress at the time of the fault may have been answered already.
const TEST_IN_FLIGHT: Duration = Duration::from_secs(1);

/// The task promises this: one watchdog period.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// The task promises this, too: 10 s until the watchdog notices, 20 s of `RestartSec=`, 2 s of warm-up, and some to spare.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(40);

/// How long a self-test may wait for its answer.
pub(crate) const LONGEST_TEST: Duration = Duration::from_secs(4);

/// systemd's timers may fire up to 250 ms late; stamps are taken a little after the fact.
const SLACK: Duration = Duration::from_millis(500);

/// The stamp of what a service writes to its standard error is the time when journald reads it: that may be after
/// systemd has acted on a notification that was sent later.
const READ_LATER: Duration = Duration::from_secs(1);

/// The time from one fault to the next, or to the end.
pub(crate) struct Recovery<'a> {
    timeline: &'a Timeline,
    fault_us: u64,
    until_us: u64,
}

impl<'a> Recovery<'a> {
    /// From the fault to the next one, if there is one, both in the guest's time.
    pub(crate) fn between(
        timeline: &'a Timeline,
        fault_us: u64,
        next_us: Option<u64>,
    ) -> Recovery<'a> {
        Recovery {
            timeline,
            fault_us,
            until_us: next_us.unwrap_or(u64::MAX),
        }
    }

    /// When the watchdog acted.
    fn noticed(&self) -> Option<&'a Event> {
        self.first(|event| {
            event.is_about(SUBJECT.service())
                && matches!(event.kind, EventKind::WatchdogTimeout { .. })
        })
    }

    /// The text of `STATUS=` that came with `WATCHDOG=trigger`, before it, or after it while the service could still report
    /// anything. A text that the same process reported before the fault is not a reason, even if it repeats it.
    fn reason(&self) -> Option<&'a str> {
        let healthy = self.statuses(self.start_us()..self.fault_us);
        let healthy: HashSet<&str> = healthy.collect();
        self.statuses(self.fault_us..self.end_us()? + 1)
            .filter(|text| !text.trim().is_empty() && !healthy.contains(text))
            .last()
    }

    /// The texts of `STATUS=` that the service sent in this span of the guest's time.
    fn statuses(&self, span: Range<u64>) -> impl Iterator<Item = &'a str> {
        let events =
            self.timeline.events().iter().filter(move |event| {
                span.contains(&event.at_us) && event.is_about(SUBJECT.service())
            });
        let assignments = events.filter_map(|event| match &event.kind {
            EventKind::Notified { assignments, .. } => Some(assignments),
            _ => None,
        });
        let assignments = assignments.flatten();
        assignments.filter_map(|one| one.strip_prefix("STATUS="))
    }

    /// When the process that the fault hit was started: an earlier process may have reported why it ended.
    fn start_us(&self) -> u64 {
        let mut exits = self.timeline.events().iter().filter(|event| {
            event.at_us < self.fault_us
                && event.is_about(SUBJECT.service())
                && matches!(&event.kind, EventKind::ProcessExited { role, .. } if role == "main")
        });
        exits.next_back().map_or(0, |event| event.at_us)
    }

    /// When the hanging service had ended, or otherwise when the watchdog noticed it.
    fn end_us(&self) -> Option<u64> {
        let noticed = self.noticed()?;
        let exit = self.first(|event| {
            event.at_us >= noticed.at_us
                && event.is_about(SUBJECT.service())
                && matches!(&event.kind, EventKind::ProcessExited { role, .. } if role == "main")
        });
        Some(exit.unwrap_or(noticed).at_us)
    }

    /// Whether the service still reported that it works, although it did not.
    fn is_pinged(&self) -> bool {
        let end = self.noticed().map_or(u64::MAX, |event| event.at_us);
        self.first(|event| {
            event.at_us > self.fault_us + TEST_IN_FLIGHT.as_micros() as u64
                && event.at_us <= end
                && event.is_about(SUBJECT.service())
                && matches!(&event.kind, EventKind::Notified { assignments, .. }
                    if assignments.iter().any(|one| one == "WATCHDOG=1"))
        })
        .is_some()
    }

    /// Whether the service asked for its own end.
    fn is_triggered(&self) -> bool {
        self.first(|event| {
            event.is_about(SUBJECT.service())
                && matches!(&event.kind, EventKind::Notified { assignments, .. }
                    if assignments.iter().any(|one| one == "WATCHDOG=trigger"))
        })
        .is_some()
    }

    /// Whether it logged the reason as an error.
    fn is_logged(&self) -> bool {
        let noticed = self.end_us().unwrap_or(u64::MAX);
        let read_until = noticed.saturating_add(READ_LATER.as_micros() as u64);
        self.events().any(|event| {
            event.at_us <= read_until
                && event.is_about(SUBJECT.service())
                && matches!(event.kind, EventKind::Log { priority, .. } if priority <= ERROR)
        })
    }

    /// A line for each thing that should be true, in words that do not depend on the exact time.
    pub(crate) fn lines(&self) -> String {
        let mut lines = vec![match self.noticed() {
            Some(event) => within("noticed", self.since_last_ping(event), NOTICED_WITHIN),
            None => "never noticed".to_owned(),
        }];
        lines.push(match self.is_pinged() {
            true => "WATCHDOG=1 arrives all the same".to_owned(),
            false => "no WATCHDOG=1 any more".to_owned(),
        });
        let result = self.noticed().and_then(|noticed| {
            self.events().find_map(|event| match &event.kind {
                EventKind::Failed { result }
                    if event.at_us >= noticed.at_us && event.is_about(SUBJECT.service()) =>
                {
                    Some(format!("result: {result}"))
                }
                _ => None,
            })
        });
        lines.extend(result);
        let back = self.noticed().and_then(|noticed| {
            self.events().find(|event| {
                event.at_us > noticed.at_us
                    && event.is_about(SUBJECT.service())
                    && matches!(&event.kind, EventKind::StateChanged { to, .. } if to == "running")
            })
        });
        lines.push(match back {
            Some(event) => within("running again", self.since_fault(event), BACK_WITHIN),
            None => "never running again".to_owned(),
        });
        let answer = self.events().find_map(|event| match &event.kind {
            EventKind::Response { name, outcome } if name == AFTER_FAULT => Some(outcome),
            _ => None,
        });
        lines.push(match answer {
            Some(ResponseOutcome::Answered { status, body }) => {
                format!("GET / is answered: {status} {:?}", body.trim_end())
            }
            Some(_) => "GET / is not answered".to_owned(),
            None => "GET / was not asked any more".to_owned(),
        });
        lines.join("\n")
    }

    /// The same, and whether the service reported what it had found.
    pub(crate) fn lines_with_reason(&self) -> String {
        let said = |yes: bool, what: &str| {
            if yes {
                what.to_owned()
            } else {
                format!("no {what}")
            }
        };
        let lines = [
            said(self.reason().is_some(), "STATUS= with a reason"),
            said(self.is_logged(), "line of priority err"),
            said(self.is_triggered(), "WATCHDOG=trigger"),
            self.lines(),
        ];
        lines
            .into_iter()
            .chain(self.delays())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// What took too long between the fault and `WATCHDOG=trigger`, if anything.
    fn delays(&self) -> Vec<String> {
        let case = SUBJECT.case(self.timeline);
        let mut lines = Vec::new();
        if let Some(delay) = watchdog::trigger_delayed(&case, self.span()) {
            let delay = nearest_second(delay);
            lines.push(format!("WATCHDOG=trigger {delay} s after the reason"));
        } else if let Some(waited) = watchdog::test_overlong(&case, self.span(), LONGEST_TEST) {
            let waited = nearest_second(waited);
            lines.push(format!("a self-test of {waited} s"));
        }
        lines
    }

    /// Whether it reported in the journal and in `STATUS=` what it had found.
    pub(crate) fn is_explained(&self) -> (bool, bool) {
        (self.reason().is_some(), self.is_logged())
    }

    /// When the fault was.
    pub(crate) fn span(&self) -> Range<u64> {
        self.fault_us..self.until_us
    }

    fn since_fault(&self, event: &Event) -> Duration {
        Duration::from_micros(event.at_us - self.fault_us)
    }

    /// The same since the ping of a self-test in progress at the time of the fault, if there is one: that is from when systemd
    /// waits for the next.
    fn since_last_ping(&self, event: &Event) -> Duration {
        let in_flight = self.fault_us..self.fault_us + TEST_IN_FLIGHT.as_micros() as u64;
        let pings = self
            .timeline
            .notifications(SUBJECT.service(), "WATCHDOG=1")
            .map(|(ping, _)| ping.at_us);
        let last = pings.filter(|at_us| in_flight.contains(at_us)).last();
        Duration::from_micros(event.at_us - last.unwrap_or(self.fault_us).min(event.at_us))
    }

    fn first(&self, wanted: impl Fn(&Event) -> bool) -> Option<&'a Event> {
        self.events().find(|event| wanted(event))
    }

    fn events(&self) -> impl Iterator<Item = &'a Event> {
        let span = self.span();
        self.timeline
            .events()
            .iter()
            .filter(move |event| span.contains(&event.at_us))
    }
}

fn within(what: &str, time: Duration, promised: Duration) -> String {
    if time <= promised + SLACK {
        format!("{what} within {} s", promised.as_secs())
    } else {
        format!("{what} only after {} s", time.as_secs())
    }
}
