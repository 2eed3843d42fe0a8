//! Rules about `WatchdogSec=`: nothing feeds it, the sender of pings does not know how the service is, or the watchdog ends a service
//! that answers.

use std::time::Duration;

use systemd_lab_protocol::event::ProbeOutcome;
use systemd_lab_protocol::{Event, EventKind};

use super::{Finding, Look, Rule};
use crate::findings::source::{Asked, Harm};

const PING: &str = "WATCHDOG=1";

/// Asks systemd to treat the watchdog as missed, at once: sd_notify(3).
const TRIGGER: &str = "WATCHDOG=trigger";

/// A late ping may have been sent by a test that began earlier.
const PINGS: usize = 2;

/// This many attempts show whether a service still answers: the last one may not have ended yet.
const ATTEMPTS: u32 = 2;

impl<'a> Look<'a> {
    fn watchdog(&self) -> Option<Duration> {
        let limit = self.timeline.duration_property(self.unit, "WatchdogUSec");
        limit.filter(|limit| !limit.is_zero())
    }

    /// When the watchdog ran out, without `WATCHDOG=trigger`.
    fn watchdog_timeouts(&self) -> Vec<Duration> {
        match self.notified(TRIGGER).is_empty() {
            true => self.times(|kind| matches!(kind, EventKind::WatchdogTimeout { .. })),
            false => Vec::new(),
        }
    }

    /// Whether the watchdog ran out and the unit never sent a ping that counted.
    pub(super) fn is_never_fed(&self) -> bool {
        self.notified(PING).is_empty() && !self.watchdog_timeouts().is_empty()
    }

    /// systemd.service(5), "WatchdogSec=": the service must call sd_notify() with WATCHDOG=1 again and again.
    pub(super) fn watchdog_never_fed(&self) -> Option<Finding> {
        let limit = self.watchdog()?;
        let timeouts = self.watchdog_timeouts();
        let first = *timeouts.first()?;
        let is_own = self.own_watchdog().is_some();
        if !self.is_never_fed()
            || is_own
            || self.is_dropped()
            || self.sources.hangs_at(self.unit, first)
        {
            return None;
        }
        let rule = Rule::WatchdogNeverFed {
            limit_us: limit.as_micros() as u64,
        };
        self.finding(rule, &["WatchdogSec"], timeouts)
    }

    /// The watchdog ends a service that answers: the sender of pings is too slow, or has stopped.
    pub(super) fn watchdog_ends_answering(&self) -> Option<Finding> {
        let limit = self.watchdog()?;
        if self.own_watchdog().is_some() {
            return None;
        }
        let pings = self.notified(PING);
        let (timed_out, last, asked) = self.watchdog_timeouts().into_iter().find_map(|at| {
            let last = *pings.iter().rfind(|ping| **ping < at)?;
            let is_hung = self.sources.hangs_at(self.unit, at);
            let mut asking = self.sources.asking(self.unit);
            let asked = asking.find(|asked| !is_hung && self.is_answering_at(asked, at, limit))?;
            Some((at, last, asked))
        })?;
        let rule = Rule::WatchdogEndsAnswering {
            probe: asked.name.clone(),
            limit_us: limit.as_micros() as u64,
            since_us: (timed_out - last).as_micros() as u64,
        };
        self.finding(rule, &["WatchdogSec"], vec![timed_out])
    }

    /// Whether the service itself answered until then, and the probe had enough time to see a hang of this length.
    fn is_answering_at(&self, asked: &'a Asked, time: Duration, length: Duration) -> bool {
        let last = self.changes(asked).rfind(|(at, _)| *at <= time);
        asked.is_answered
            && asked.every * ATTEMPTS < length
            && last.is_some_and(|(at, outcome)| {
                outcome.is_success() && at + asked.every * ATTEMPTS < time
            })
    }

    /// Pings continue while the service does not answer, or while its main process is stopped: they are not tied to the service's
    /// health.
    pub(super) fn watchdog_fed_regardless(&self) -> Option<Finding> {
        let limit = self.watchdog()?;
        let stopped = self.sources.harms_of(self.unit).enumerate();
        let stopped = stopped
            .filter(|(_, (_, harm))| *harm == Harm::StopMain)
            .map(|(index, (at, _))| {
                let mut after = self.sources.harms_of(self.unit).skip(index + 1);
                (None, at, after.next().map(|(at, _)| at))
            });
        let unanswered = self.sources.asking(self.unit).flat_map(|asked| {
            let gaps = self.unanswered(asked).into_iter();
            gaps.map(|(from, to)| (Some(asked.name.clone()), from, to))
        });
        let mut while_silent = stopped.chain(unanswered).filter_map(|(probe, from, to)| {
            if !self.is_running_at(from) {
                return None;
            }
            // Later changes of the unit may come from the watchdog, or from a stop that drains.
            let changed = self.times(|kind| matches!(kind, EventKind::StateChanged { .. }));
            let ends = changed.into_iter().find(|at| *at >= from);
            let to = ends.into_iter().chain(to).min();
            let pings = self.notified(PING).into_iter();
            let late: Vec<Duration> = pings
                .filter(|ping| *ping > from + limit && to.is_none_or(|to| *ping < to))
                .collect();
            (late.len() >= PINGS).then_some((probe, from, late))
        });
        let (probe, from, pings) = while_silent.next()?;
        let last = pings.last().copied().unwrap_or(from);
        let rule = Rule::WatchdogFedRegardless {
            probe,
            for_us: (last - from).as_micros() as u64,
        };
        self.finding(rule, &["WatchdogSec", "NotifyAccess"], pings)
    }

    fn is_running_at(&self, time: Duration) -> bool {
        let mut before = self.events().rev().filter_map(|event| match &event.kind {
            EventKind::StateChanged { to, .. } if self.timeline.time_of(event) < time => {
                Some(to.as_str())
            }
            _ => None,
        });
        before.next() == Some("running")
    }

    fn changes(
        &self,
        asked: &'a Asked,
    ) -> impl DoubleEndedIterator<Item = (Duration, &'a ProbeOutcome)> {
        let timeline = self.timeline;

        timeline
            .events()
            .iter()
            .filter_map(move |event: &Event| match &event.kind {
                EventKind::ProbeChanged { name, outcome, .. } if *name == asked.name => {
                    Some((timeline.time_of(event), outcome))
                }
                _ => None,
            })
    }

    /// The times during which the service, which had answered before, gave no answer at all. An answer with an error counts:
    /// something that the service needs may be broken, and a restart would not help.
    fn unanswered(&self, asked: &'a Asked) -> Vec<(Duration, Option<Duration>)> {
        let is_answer = |outcome: &ProbeOutcome| {
            outcome.is_success() || matches!(outcome, ProbeOutcome::Answered { .. })
        };
        let changes = self.changes(asked).map(|(at, it)| (at, is_answer(it)));
        let since_first = changes.skip_while(|(_, is_answer)| !is_answer);
        let mut gaps: Vec<(Duration, Option<Duration>)> = Vec::new();
        for (at, is_answer) in since_first {
            let open = gaps.last_mut().filter(|(_, to)| to.is_none());
            match (is_answer, open) {
                (false, None) => gaps.push((at, None)),
                (true, Some((_, to))) => *to = Some(at),
                _ => {}
            }
        }
        gaps
    }
}
