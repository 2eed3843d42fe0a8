//! Rules about starts that do not happen: dependencies, conditions, ordering cycles, and what systemd cannot load.

use std::time::Duration;

use systemd_lab_protocol::EventKind;

use super::{Finding, Look, Rule, SLACK};
use crate::findings::{DependencyEnd, ENVIRONMENT_FILE};

/// Settings that make the start of one unit need the start of another: systemd.unit(5).
const NEEDS: [&str; 3] = ["Requires", "BindsTo", "Requisite"];

/// What a socket unit listens on: systemd.socket(5).
const LISTENING: [&str; 6] = [
    "ListenStream",
    "ListenDatagram",
    "ListenSequentialPacket",
    "ListenFIFO",
    "ListenNetlink",
    "Accept",
];

/// systemd's messages when it skips a start because a condition is not met: versions 252 to 257.
const SKIPPED: [&str; 3] = [
    "skipped, unmet condition",
    "skipped, no trigger condition",
    "Condition check resulted in",
];

/// The unit's state while `ExecCondition=` runs.
const CONDITION: &str = "exec-condition";

/// systemd's debug message about the assert that failed.
const ASSERT: &str = "Assert";
const FAILED: &str = " failed.";

/// The beginning of systemd's message when something could not be set up in its own process, and messages that say
/// less.
const CANNOT: &str = "Failed to ";
const LESS: [&str; 3] = ["Failed to spawn ", "Failed to run ", "Failed to start "];

impl<'a> Look<'a> {
    /// systemd.unit(5), "Requires=".
    pub(super) fn dependency_failed(&self) -> Option<Finding> {
        let failed = self.times(
            |kind| matches!(kind, EventKind::JobEnded { job, result } if job == "start" && result == "dependency"),
        );
        let first = *failed.first()?;
        let needed = NEEDS.into_iter().find_map(|setting| {
            let others = self.timeline.property(self.unit, setting)?.as_array()?;
            let mut others = others.iter().filter_map(|other| other.as_str());
            others.find_map(|other| {
                let end = self.end_of_dependency(other, first)?;
                Some((setting, other.to_owned(), end))
            })
        });
        let place = needed.as_ref().and_then(|(setting, other, _)| {
            let names_it = |value: &str| value.split_whitespace().any(|unit| unit == other);
            self.sources.setting_with(self.unit, setting, names_it)
        });
        let end = needed.as_ref().map(|(.., end)| *end);
        let rule = Rule::DependencyFailed {
            other: needed.map(|(_, other, _)| other),
            end: end.unwrap_or(DependencyEnd::Failed),
        };
        Some(Finding {
            place: place.or_else(|| self.sources.any(self.unit, &NEEDS)),
            ..Finding::new(self.unit, rule, failed)
        })
    }

    /// Why a unit that this one needs was not active by then, if it was not.
    fn end_of_dependency(&self, other: &str, by: Duration) -> Option<DependencyEnd> {
        let events = self.timeline.of(other);
        let events = events.filter(|event| self.timeline.time_of(event) <= by);
        let mut end = None;
        for event in events {
            match &event.kind {
                EventKind::JobEnded { job, result } => {
                    end = match (job.as_str(), result.as_str()) {
                        ("start", "done") => end.filter(|it| *it == DependencyEnd::Skipped),
                        ("start", "dependency") => Some(DependencyEnd::NotStarted),
                        ("start", "assert") => Some(DependencyEnd::AssertFailed),
                        ("start", _) => Some(DependencyEnd::Failed),
                        ("verify-active", "skipped") => Some(DependencyEnd::NotActive),
                        _ => end,
                    };
                }
                EventKind::StateChanged { .. } => end = None,
                EventKind::Manager { message, .. }
                    if SKIPPED.iter().any(|words| message.contains(words)) =>
                {
                    end = Some(DependencyEnd::Skipped);
                }
                _ => {}
            }
        }
        end
    }

    /// systemd.unit(5), "JobTimeoutSec=, JobRunningTimeoutSec=".
    pub(super) fn job_timed_out(&self) -> Option<Finding> {
        let (mut queued, mut begun) = (None, None);
        let (at, job) = self.events().find_map(|event| {
            let at = self.timeline.time_of(event);
            match &event.kind {
                EventKind::JobQueued { .. } => (queued, begun) = (Some(at), None),
                EventKind::StateChanged { .. } => begun = Some(at),
                EventKind::JobEnded { job, result } if result == "timeout" => {
                    return Some((at, job));
                }
                _ => {}
            }
            None
        })?;
        // What ended the machine is a different finding: JobTimeoutAction=.
        let is_end = |kind: &EventKind| matches!(kind, EventKind::MachineEnded { .. });
        let mut events = self.timeline.events().iter();
        if events.any(|event| is_end(&event.kind)) {
            return None;
        }
        // Both settings may apply; one counts from the time when the job was queued.
        let limit = |property: &str| match self.number(property) {
            0 | u64::MAX => None,
            limit_us => Some(limit_us),
        };
        let waited_us = at.saturating_sub(queued?).as_micros() as u64 + SLACK.as_micros() as u64;
        let of_job = limit("JobTimeoutUSec").map(|limit_us| ("JobTimeoutSec", limit_us));
        let of_job = of_job.filter(|(_, limit_us)| waited_us >= *limit_us);
        let running = limit("JobRunningTimeoutUSec");
        let (setting, timeout_us) =
            of_job.or(running.map(|limit_us| ("JobRunningTimeoutSec", limit_us)))?;
        let waited_for = (begun.is_none() && job == "start")
            .then(|| self.still_starting(at))
            .flatten();
        let rule = Rule::JobTimedOut {
            job: job.clone(),
            setting: setting.to_owned(),
            timeout_us,
            has_begun: begun.is_some(),
            waited_for,
        };
        self.finding(rule, &[setting], vec![at])
    }

    /// A unit of `After=` that has a job at this time.
    fn still_starting(&self, at: Duration) -> Option<String> {
        let others = self.timeline.property(self.unit, "After")?.as_array()?;
        let mut others = others.iter().filter_map(|other| other.as_str());
        let other = others.find(|other| {
            let events = self.timeline.of(other);
            let events = events.filter(|event| self.timeline.time_of(event) < at);
            let mut jobs = events.filter_map(|event| match &event.kind {
                EventKind::JobQueued { .. } => Some(true),
                EventKind::JobEnded { .. } => Some(false),
                _ => None,
            });
            jobs.next_back() == Some(true)
        });
        other.map(str::to_owned)
    }

    /// systemd.unit(5), "Conditions and Asserts".
    pub(super) fn condition_unmet(&self) -> Option<Finding> {
        let unmet = [
            "unmet condition",
            "no trigger condition checks were met",
            "Condition check resulted in",
            "asserts failed",
            "unmet assertion",
        ];
        let (at, message) =
            self.said(|message| unmet.iter().any(|words| message.contains(words)))?;
        // Only the debug log says which assert failed.
        let assert = self
            .said(|message| message.starts_with(ASSERT) && message.ends_with(FAILED))
            .filter(|_| message.contains("assert"));
        let message = assert.map_or(message, |(_, message)| message);
        let named = message
            .split_whitespace()
            .find_map(|word| word.split_once('='));
        let place = named.and_then(|(name, _)| {
            let name = name.trim_start_matches('(');
            let says = |value: &str| message.contains(&format!("{name}={value}"));
            let exact = self.sources.setting_with(self.unit, name, says);
            exact.or_else(|| self.sources.setting(self.unit, name))
        });
        // Conditions without a leading `|`: of those with one, at least one must be met.
        let trigger = |value: &str| value.starts_with('|');
        let place = place.or_else(|| self.sources.condition_with(self.unit, trigger));
        // The last command that ran is the one that refused.
        let is_command = self.said(|message| message.contains(CONDITION)).is_some();
        let command = self.events().find_map(|event| match &event.kind {
            EventKind::ProcessExited {
                command: Some(command),
                status,
                ..
            } if is_command && *status != 0 => self.line_of_control(command),
            _ => None,
        });
        let place = place.or(command);
        let message = message.trim().trim_end_matches('.');
        let message = match place.as_ref().filter(|_| is_command) {
            Some(place) => format!("{} did not succeed", place.text),
            None => message.to_owned(),
        };
        let rule = Rule::ConditionUnmet { message };
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// systemd.unit(5), "Before=, After=": systemd breaks a cycle at a job that no other job requires.
    pub(super) fn ordering_cycle(&self) -> Option<Finding> {
        let (at, message) =
            self.said(|message| message.contains("deleted to break ordering cycle"))?;
        // systemd reports it for the unit where it began to look; the deleted job belongs to a different unit.
        let deleted = message
            .split_once("Job ")
            .and_then(|(_, rest)| rest.split_once('/'));
        let unit = deleted.map_or(self.unit, |(unit, _)| unit);
        let place = self.sources.any(unit, &["After", "Before"]);
        Some(Finding {
            place: place.or_else(|| self.sources.any(self.unit, &["After", "Before"])),
            ..Finding::new(unit, Rule::OrderingCycle, [at])
        })
    }

    /// What systemd itself does before it can start a process: it reads the files of `EnvironmentFile=`, and makes a control group. The
    /// result `resources` stands for all of that, so only systemd's message names the cause.
    pub(super) fn resources_failed(&self) -> Option<Finding> {
        let failed = self
            .times(|kind| matches!(kind, EventKind::Failed { result } if result == "resources"));
        let first = *failed.first()?;
        let (mut state, mut said) = ("", None);
        for event in self.events() {
            if self.timeline.time_of(event) > first {
                break;
            }
            match &event.kind {
                EventKind::StateChanged { to, .. } => state = to,
                EventKind::Manager { priority, message }
                    if *priority <= crate::view::WARNING
                        && message.starts_with(CANNOT)
                        && !LESS.iter().any(|less| message.starts_with(less)) =>
                {
                    said = Some((message.clone(), is_past_start(state)));
                }
                _ => {}
            }
        }
        let (message, is_stop) = said?;
        if self.unit.ends_with(".socket") {
            let rule = Rule::CannotListen { message };
            return self.finding(rule, &LISTENING, failed);
        }
        // systemd does not say which of several files it was.
        let mut files = self.sources.lines(self.unit, "EnvironmentFile");
        files.retain(|place| !place.text.starts_with("EnvironmentFile=-"));
        let is_known = message.contains(ENVIRONMENT_FILE) && files.len() == 1;
        let rule = Rule::ResourcesFailed { message, is_stop };
        Some(Finding {
            place: files.pop().filter(|_| is_known),
            ..Finding::new(self.unit, rule, failed)
        })
    }

    /// systemd.path(5), systemd.socket(5): if the trigger is still true when the service ends, it starts the service
    /// again at once.
    pub(super) fn triggered_too_often(&self) -> Option<Finding> {
        let hit = self.times(|kind| *kind == EventKind::StartLimitHit);
        let first = *hit.first()?;
        let is_restarted = self.times(|kind| matches!(kind, EventKind::RestartScheduled { .. }));
        let triggers = self
            .timeline
            .property(self.unit, "TriggeredBy")?
            .as_array()?;
        let mut triggers = triggers.iter().filter_map(|unit| unit.as_str());
        let by = triggers.find(|unit| {
            let is_kind = unit.ends_with(".path") || unit.ends_with(".socket");
            let failed = |kind: &EventKind| matches!(kind, EventKind::Failed { .. });
            is_kind
                && self
                    .timeline
                    .of(unit)
                    .any(|event| failed(&event.kind) && self.timeline.time_of(event) >= first)
        })?;
        if !is_restarted.is_empty() {
            return None;
        }
        let settings = match by.ends_with(".path") {
            true => ["PathExists", "PathExistsGlob", "DirectoryNotEmpty"],
            false => ["ListenStream", "ListenDatagram", "ListenFIFO"],
        };
        let rule = Rule::TriggeredTooOften { by: by.to_owned() };
        Some(Finding {
            place: self.sources.any(by, &settings),
            ..Finding::new(self.unit, rule, hit)
        })
    }

    /// systemd.timer(5), "OnUnitActiveSec=": the time counts from an activation, which must happen first.
    pub(super) fn timer_never_fires(&self) -> Option<Finding> {
        if !self.unit.ends_with(".timer") {
            return None;
        }
        let mut states = self.events().filter_map(|event| match &event.kind {
            EventKind::StateChanged { from, to } => {
                Some((self.timeline.time_of(event), from.as_str(), to.as_str()))
            }
            _ => None,
        });
        // A timer that has fired for the last time was waiting before.
        let (at, _, _) = states
            .next()
            .filter(|(_, from, to)| *from == "dead" && *to == "elapsed")?;
        if states.any(|(_, _, to)| ["waiting", "running"].contains(&to)) {
            return None;
        }
        let rule = Rule::TimerNeverFires {
            service: self.text("Unit").to_owned(),
        };
        let settings = ["OnUnitActiveSec", "OnUnitInactiveSec", "OnCalendar"];
        self.finding(rule, &settings, vec![at])
    }
}

/// Whether a unit in this state was up, and its end has begun at most.
fn is_past_start(state: &str) -> bool {
    ["running", "exited", "reload", "stop", "final"]
        .iter()
        .any(|past| state.starts_with(past))
}
