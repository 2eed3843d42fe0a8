//! Rules about requests to systemd: more time, a stop, a different watchdog limit, and too many requests.

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use super::{Finding, Look, Rule, SOON};
use crate::findings::Place;

/// sd_notify(3).
const EXTENSION: &str = "EXTEND_TIMEOUT_USEC=";
const WATCHDOG: &str = "WATCHDOG_USEC=";

/// The kernel's message when a unit may not have another process or thread: `pids_event` of its pids.c. The control group
/// follows.
const NO_MORE_TASKS: &str = "fork rejected by pids controller";

/// systemd's message when a deadline passes, and the phase that it belongs to: `service_dispatch_timer` of its service.c, in
/// versions 252 to 257.
const PHASES: [(&str, &str); 8] = [
    ("start operation timed out", "start"),
    ("start-pre operation timed out", "start"),
    ("start-post operation timed out", "start"),
    ("Reload operation timed out", "reload"),
    ("Stopping timed out", "stop"),
    ("State 'stop-sigterm' timed out", "stop"),
    ("State 'stop-post' timed out", "stop"),
    ("Service reached runtime time limit", "run"),
];

impl<'a> Look<'a> {
    /// sd_notify(3), "EXTEND_TIMEOUT_USEC=…": before the extension is over, the service must ask again or finish.
    pub(super) fn extension_ran_out(&self) -> Option<Finding> {
        let mut asked = None;
        let (at, phase, (asked_at, asked_us)) = self.events().find_map(|event| {
            let at = self.timeline.time_of(event);
            match &event.kind {
                EventKind::StateChanged { .. } => asked = None,
                EventKind::Notified { assignments, .. } => {
                    if let Some(value) = value_of(assignments, EXTENSION) {
                        asked = Some((at, value));
                    }
                }
                EventKind::Timeout { message } => {
                    let message = message.to_lowercase();
                    let mut phases = PHASES.into_iter();
                    let (_, phase) =
                        phases.find(|(words, _)| message.starts_with(&words.to_lowercase()))?;
                    return Some((at, phase, asked.take()?));
                }
                _ => {}
            }
            None
        })?;
        if self.sources.hangs_at(self.unit, at) {
            return None;
        }
        let rule = Rule::ExtensionRanOut {
            asked_us,
            since_us: (at - asked_at).as_micros() as u64,
            phase: phase.to_owned(),
        };
        let settings: &[&str] = match phase {
            "stop" => &["TimeoutStopSec", "TimeoutSec"],
            "run" => &["RuntimeMaxSec"],
            _ => &["TimeoutStartSec", "TimeoutSec"],
        };
        self.finding(rule, settings, vec![at])
    }

    /// Whether the service set its own watchdog limit before the previous one ran out.
    pub(super) fn own_watchdog(&self) -> Option<(Duration, u64)> {
        let first = self
            .times(|kind| matches!(kind, EventKind::WatchdogTimeout { .. }))
            .into_iter()
            .next()?;
        let mut set = self.events().filter_map(|event| match &event.kind {
            EventKind::Notified { assignments, .. } if self.timeline.time_of(event) < first => {
                value_of(assignments, WATCHDOG)
            }
            _ => None,
        });
        Some((first, set.next_back()?))
    }

    /// sd_notify(3), "WATCHDOG_USEC=…": it replaces `WatchdogSec=`.
    pub(super) fn watchdog_shortened(&self) -> Option<Finding> {
        let (at, limit_us) = self.own_watchdog()?;
        if self.sources.hangs_at(self.unit, at) {
            return None;
        }
        let place = self.sources.setting(self.unit, "WatchdogSec");
        let rule = Rule::WatchdogShortened {
            limit_us,
            written: place.as_ref().map(|place| place.text.clone()),
        };
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// systemd.service(5), "Restart=": it does not act after systemctl stop or an equivalent operation.
    pub(super) fn stopped_on_request(&self) -> Option<Finding> {
        let restart = self.text("Restart");
        if ["", "no"].contains(&restart) {
            return None;
        }
        let timeline = self.timeline;
        let is_planned = |at: Duration| {
            let of_unit = self.sources.harms_of(self.unit);
            let mut planned = of_unit.chain(self.sources.harms_of(""));
            planned.any(|(harm, _)| harm <= at && at < harm + SOON)
        };
        let at = self.events().find_map(|event| {
            let at = timeline.time_of(event);
            let is_asked = crate::jobs::is_requested_stop(timeline, event);
            (is_asked && !is_planned(at)).then_some(at)
        })?;
        let rule = Rule::StoppedOnRequest {
            restart: restart.to_owned(),
        };
        let place = self.sources.line_that_stops(self.unit);
        let place = place.or_else(|| self.sources.setting(self.unit, "Restart"));
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// systemd.unit(5), "Description": systemd ignores what it cannot read in a unit file.
    pub(super) fn line_ignored(&self) -> Option<Finding> {
        if self.setting_in_wrong_section().is_some() || self.is_refused() {
            return None;
        }
        self.events().find_map(|event| {
            let (message, place) = self.complaint(event)?;
            let is_ignored = message.to_lowercase().contains("ignoring");
            let message = message.trim_end_matches('.').to_owned();
            is_ignored.then(|| Finding {
                place: Some(place),
                ..Finding::new(
                    self.unit,
                    Rule::LineIgnored { message },
                    [self.timeline.time_of(event)],
                )
            })
        })
    }

    /// systemd.unit(5), "Description": systemd does not load a unit that is incomplete or contradicts itself.
    pub(super) fn unit_refused(&self) -> Option<Finding> {
        if !self.is_refused() {
            return None;
        }
        let complaints = self
            .events()
            .filter_map(|event| Some((event, self.complaint(event)?)));
        // The first complaint is the cause; the following ones are its consequences.
        let (event, (message, place)) = complaints.into_iter().next()?;
        let rule = Rule::UnitRefused {
            message: message.trim_end_matches('.').to_owned(),
        };
        Some(Finding {
            place: Some(place),
            ..Finding::new(self.unit, rule, [self.timeline.time_of(event)])
        })
    }

    fn is_refused(&self) -> bool {
        self.text("LoadState") == "bad-setting"
    }

    /// systemd's complaint about a line of the unit's file. If it does not name the line, this is the line of the setting that it
    /// names.
    fn complaint(&self, event: &'a Event) -> Option<(&'a str, Place)> {
        let (message, place) = match &event.kind {
            EventKind::UnitFile {
                file,
                line,
                message,
                priority,
            } if *priority <= crate::view::WARNING => {
                (message, self.sources.line(file, *line as usize))
            }
            EventKind::Manager { priority, message } if *priority <= crate::view::WARNING => {
                (message, None)
            }
            _ => return None,
        };
        let place = place.or_else(|| {
            let words = message.split([' ', ',', '.', ';']);
            let mut names = words.filter_map(|word| word.split_once('='));
            names.find_map(|(name, _)| self.sources.setting(self.unit, name))
        })?;
        Some((message, place))
    }

    /// systemd.resource-control(5), "TasksMax=N".
    pub(super) fn too_many_tasks(&self) -> Option<Finding> {
        let (at, _) = self.said(|message| message.contains(NO_MORE_TASKS))?;
        let rule = Rule::TooManyTasks {
            limit: self.number("TasksMax"),
        };
        self.finding(rule, &["TasksMax", "ExecStart"], vec![at])
    }

    /// systemd.socket(5), "TriggerLimitIntervalSec=, TriggerLimitBurst=".
    pub(super) fn trigger_limit_hit(&self) -> Option<Finding> {
        let hit = self.times(
            |kind| matches!(kind, EventKind::Failed { result } if result == "trigger-limit-hit"),
        );
        if hit.is_empty() {
            return None;
        }
        let rule = Rule::TriggerLimitHit {
            burst: self.number("TriggerLimitBurst"),
            interval_us: self.number("TriggerLimitIntervalUSec"),
        };
        let settings = [
            "TriggerLimitBurst",
            "TriggerLimitIntervalSec",
            "ListenStream",
            "ListenDatagram",
            "PathExists",
        ];
        self.finding(rule, &settings, hit)
    }
}

/// The number that is assigned, if it is one.
fn value_of(assignments: &[String], name: &str) -> Option<u64> {
    let mut values = assignments.iter().filter_map(|one| one.strip_prefix(name));
    values.find_map(|value| value.parse().ok())
}
