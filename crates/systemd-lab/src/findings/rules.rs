//! The rules, each with what it rests on.

mod floods;
mod limits;
mod watchdog;

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use super::{Finding, OomOutcome, Rule, Sources};
use crate::names::{exit_status, signal_name};
use crate::timeline::Timeline;

/// systemd's own defaults: systemd-system.conf(5), "DefaultStartLimitIntervalSec=".
const DEFAULT_BURST: u64 = 5;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// A service that ran for this long was well: a delay that has not gone back by then surprises its author.
const WELL: Duration = Duration::from_secs(60);

/// Delays are longer than they are set by up to the slack of timers; one that is longer by more has grown.
const SLACK: Duration = Duration::from_millis(500);

/// A hang that lasts this long, with nothing that ends it, was not noticed.
const LONG_HANG: Duration = Duration::from_secs(30);

/// Statuses of processes that systemd could not set up: systemd.exec(5), "Process Exit Codes".
const SETUP_FAILED: std::ops::RangeInclusive<i32> = 200..=245;

/// How systemd begins its line about why; the one about the step says less.
const STEP: &str = "Failed at step ";

/// All that can be said of one unit.
pub(super) fn of_unit<'a>(
    timeline: &'a Timeline,
    unit: &'a str,
    sources: &'a Sources,
) -> Vec<Finding> {
    let look = Look {
        timeline,
        unit,
        sources,
    };
    let rules: [fn(&Look<'a>) -> Option<Finding>; 25] = [
        Look::never_ready,
        Look::ready_before_listening,
        Look::notification_dropped,
        Look::reload_without_stamp,
        Look::reload_never_ends,
        Look::default_start_limit,
        Look::limit_never_reached,
        Look::setting_in_wrong_section,
        Look::steps_never_reset,
        Look::stop_signal_ignored,
        Look::stop_counts_as_failure,
        Look::stopped_by_dependency,
        Look::dependency_failed,
        Look::condition_unmet,
        Look::exec_failed,
        Look::out_of_memory,
        Look::no_pid_file,
        Look::no_bus_name,
        Look::timer_finds_active_service,
        Look::hang_unnoticed,
        Look::watchdog_never_fed,
        Look::watchdog_ends_answering,
        Look::watchdog_fed_regardless,
        Look::notification_flood,
        Look::log_flood,
    ];
    rules.iter().filter_map(|rule| rule(&look)).collect()
}

/// What a rule looks at.
struct Look<'a> {
    timeline: &'a Timeline,
    unit: &'a str,
    sources: &'a Sources,
}

impl<'a> Look<'a> {
    fn events(&self) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.timeline.of(self.unit)
    }

    fn times(&self, wanted: impl Fn(&EventKind) -> bool) -> Vec<Duration> {
        self.events()
            .filter(|event| wanted(&event.kind))
            .map(|event| self.timeline.time_of(event))
            .collect()
    }

    fn text(&self, property: &str) -> &'a str {
        let text = self.timeline.text_property(self.unit, property);
        text.unwrap_or_default()
    }

    fn number(&self, property: &str) -> u64 {
        let value = self.timeline.property(self.unit, property);
        value.and_then(|value| value.as_u64()).unwrap_or_default()
    }

    /// What systemd said about the unit.
    fn said(&self, wanted: impl Fn(&str) -> bool) -> Option<(Duration, &'a str)> {
        self.events().find_map(|event| match &event.kind {
            EventKind::Manager { message, .. } if wanted(message) => {
                Some((self.timeline.time_of(event), message.as_str()))
            }
            _ => None,
        })
    }

    /// A finding whose line is the first of these settings that is written.
    fn finding(&self, rule: Rule, settings: &[&str], at: Vec<Duration>) -> Option<Finding> {
        let place = self.sources.any(self.unit, settings);
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, at)
        })
    }

    fn is_notify(&self) -> bool {
        ["notify", "notify-reload"].contains(&self.text("Type"))
    }

    fn notified(&self, assignment: &str) -> Vec<Duration> {
        self.times(|kind| matches!(kind, EventKind::Notified { assignments, .. } if assignments.iter().any(|one| one == assignment)))
    }

    fn start_timed_out(&self) -> Vec<Duration> {
        self.times(|kind| matches!(kind, EventKind::Timeout { message } if message.starts_with("start operation timed out")))
    }

    /// systemd.service(5), "Type=": a start is over when READY=1 comes.
    fn never_ready(&self) -> Option<Finding> {
        let timed_out = self.start_timed_out();
        let is_dropped = self.is_dropped();
        (self.is_notify()
            && !timed_out.is_empty()
            && self.notified("READY=1").is_empty()
            && !is_dropped)
            .then(|| self.finding(Rule::NeverReady, &["Type"], timed_out))
            .flatten()
    }

    /// sd_notify(3), "READY=1": start-up is finished, so that what comes after it may begin.
    fn ready_before_listening(&self) -> Option<Finding> {
        if !self.is_notify() {
            return None;
        }
        let ready = self.notified("READY=1").into_iter().next()?;
        let mut opened = self.events().filter_map(|event| match &event.kind {
            EventKind::ListenerOpened { address } => Some((self.timeline.time_of(event), address)),
            _ => None,
        });
        let (first, address) = opened.next()?;
        // The kernel and systemd see it at once, in either order.
        if first < ready + crate::compare::AT_ONCE {
            return None;
        }
        let rule = Rule::ReadyBeforeListening {
            address: address.clone(),
            later_us: (first - ready).as_micros() as u64,
        };
        self.finding(rule, &["Type"], vec![ready, first])
    }

    fn is_dropped(&self) -> bool {
        self.events()
            .any(|event| matches!(event.kind, EventKind::NotificationRefused { .. }))
    }

    /// systemd.service(5), "NotifyAccess=".
    fn notification_dropped(&self) -> Option<Finding> {
        let dropped = self.times(|kind| matches!(kind, EventKind::NotificationRefused { .. }));
        // One that came from a child beside those that counted does no harm.
        let assignment = match (self.notified("READY=1").is_empty(), self.is_never_fed()) {
            _ if dropped.is_empty() => return None,
            (true, _) => "READY=1",
            (false, true) => "WATCHDOG=1",
            (false, false) => return None,
        };
        let rule = Rule::NotificationDropped {
            assignment: assignment.to_owned(),
            access: self.text("NotifyAccess").to_owned(),
        };
        self.finding(rule, &["NotifyAccess", "Type"], dropped)
    }

    /// sd_notify(3), "RELOADING=1": with Type=notify-reload, MONOTONIC_USEC= must come in the same message.
    fn reload_without_stamp(&self) -> Option<Finding> {
        if self.text("Type") != "notify-reload" {
            return None;
        }
        let bare = self.times(|kind| match kind {
            EventKind::Notified { assignments, .. } => {
                assignments.iter().any(|one| one == "RELOADING=1")
                    && !assignments
                        .iter()
                        .any(|one| one.starts_with("MONOTONIC_USEC="))
            }
            _ => false,
        });
        (!bare.is_empty())
            .then(|| self.finding(Rule::ReloadWithoutStamp, &["Type"], bare))
            .flatten()
    }

    /// systemd.service(5), "TimeoutStartSec=": it bounds a reload, too.
    fn reload_never_ends(&self) -> Option<Finding> {
        let timed_out = self.times(|kind| {
            matches!(kind, EventKind::Timeout { message } if message.to_lowercase().starts_with("reload operation timed out"))
        });
        // Without its stamp, READY=1 could not end it.
        (!timed_out.is_empty() && self.reload_without_stamp().is_none())
            .then(|| self.finding(Rule::ReloadNeverEnds, &["Type", "ExecReload"], timed_out))
            .flatten()
    }

    /// systemd.unit(5), "StartLimitIntervalSec=interval, StartLimitBurst=burst".
    fn default_start_limit(&self) -> Option<Finding> {
        let hit = self.times(|kind| *kind == EventKind::StartLimitHit);
        let (burst, interval_us) = (
            self.number("StartLimitBurst"),
            self.number("StartLimitIntervalUSec"),
        );
        let is_default =
            burst == DEFAULT_BURST && u128::from(interval_us) == DEFAULT_INTERVAL.as_micros();
        let is_written = self
            .sources
            .any(
                self.unit,
                &[
                    "StartLimitBurst",
                    "StartLimitIntervalSec",
                    "StartLimitInterval",
                ],
            )
            .is_some();
        if hit.is_empty() || !is_default || is_written {
            return None;
        }
        let rule = Rule::DefaultStartLimit { burst, interval_us };
        self.finding(rule, &["RestartSec", "Restart"], hit)
    }

    /// systemd.service(5), "RestartSteps=": nothing but a manual start resets the counter, up to version 257.
    fn steps_never_reset(&self) -> Option<Finding> {
        if self.number("RestartSteps") == 0 {
            return None;
        }
        let first_delay = Duration::from_micros(self.number("RestartUSec"));
        let (mut up, mut ended) = (None, None);
        for event in self.events() {
            let at = self.timeline.time_of(event);
            match &event.kind {
                EventKind::StateChanged { to, .. } if to == "running" => up = Some(at),
                EventKind::StateChanged { to, .. } if to == "auto-restart" => ended = Some(at),
                EventKind::RestartScheduled { .. } => {
                    let (Some(up), Some(ended)) = (up, ended) else {
                        continue;
                    };
                    let (ran, delay) = (ended.saturating_sub(up), at.saturating_sub(ended));
                    if ran >= WELL && delay > first_delay + SLACK {
                        let rule = Rule::StepsNeverReset {
                            ran_us: ran.as_micros() as u64,
                            delay_us: delay.as_micros() as u64,
                        };
                        return self.finding(rule, &["RestartSteps"], vec![at]);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// systemd.kill(5), "KillSignal=", and systemd.service(5), "TimeoutStopSec=".
    fn stop_signal_ignored(&self) -> Option<Finding> {
        let timed_out = self.times(|kind| {
            matches!(kind, EventKind::Timeout { message } if message.starts_with("State 'stop-sigterm' timed out"))
        });
        let first = *timed_out.first()?;
        // A hang on purpose ends like that, and is another finding.
        if self.sources.frozen(self.unit).is_some() {
            return None;
        }
        let killed = self.events().find_map(|event| match &event.kind {
            EventKind::Killing { signal, process }
                if signal == "SIGKILL" && self.timeline.time_of(event) >= first =>
            {
                Some(process.clone())
            }
            _ => None,
        });
        let signal = match i32::try_from(self.number("KillSignal")) {
            Ok(number) if number > 0 => signal_name(number),
            _ => "SIGTERM".to_owned(),
        };
        let rule = Rule::StopSignalIgnored {
            timeout_us: self.number("TimeoutStopUSec"),
            signal,
            process: killed.unwrap_or_else(|| "the main process".to_owned()),
        };
        let settings = ["TimeoutStopSec", "TimeoutSec", "KillSignal", "ExecStart"];
        self.finding(rule, &settings, timed_out)
    }

    /// systemd.service(5), "SuccessExitStatus=".
    fn stop_counts_as_failure(&self) -> Option<Finding> {
        if !self.sources.is_stopped_by_plan(self.unit) {
            return None;
        }
        let mut is_stopping = false;
        let mut last = None;
        for event in self.events() {
            match &event.kind {
                EventKind::StateChanged { to, .. } => is_stopping = to.starts_with("stop"),
                EventKind::ProcessExited {
                    role, code, status, ..
                } if role == "main" => {
                    last = is_stopping.then(|| match code.as_str() {
                        "exited" => exit_status(*status),
                        _ => signal_name(*status),
                    });
                }
                EventKind::Failed { result }
                    if ["exit-code", "signal"].contains(&result.as_str()) =>
                {
                    if let Some(status) = last.take() {
                        let at = vec![self.timeline.time_of(event)];
                        let rule = Rule::StopCountsAsFailure { status };
                        return self.finding(rule, &["SuccessExitStatus", "ExecStart"], at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// systemd.service(5), "Restart=": not while a stop job is queued.
    fn stopped_by_dependency(&self) -> Option<Finding> {
        if ["", "no"].contains(&self.text("Restart")) {
            return None;
        }
        let (at, _) = self.said(|message| message == "Service restart not allowed.")?;
        let (setting, other) = crate::experiment::cause_of_stop(self.timeline, self.unit)?;
        let rule = Rule::StoppedByDependency {
            setting: setting.to_owned(),
            other: other.to_owned(),
        };
        self.finding(rule, &[setting, "Restart"], vec![at])
    }

    /// systemd.unit(5), "Requires=".
    fn dependency_failed(&self) -> Option<Finding> {
        let failed = self.times(
            |kind| matches!(kind, EventKind::JobEnded { job, result } if job == "start" && result == "dependency"),
        );
        (!failed.is_empty())
            .then(|| {
                self.finding(
                    Rule::DependencyFailed,
                    &["Requires", "BindsTo", "Requisite"],
                    failed,
                )
            })
            .flatten()
    }

    /// systemd.unit(5), "Conditions and Asserts".
    fn condition_unmet(&self) -> Option<Finding> {
        let (at, message) = self.said(|message| {
            [
                "unmet condition",
                "Condition check resulted in",
                "asserts failed",
                "unmet assertion",
            ]
            .iter()
            .any(|words| message.contains(words))
        })?;
        let named = message.split_whitespace().find_map(|word| {
            word.split_once('=')
                .map(|(name, _)| name.trim_start_matches('('))
        });
        let rule = Rule::ConditionUnmet {
            message: message.to_owned(),
        };
        self.finding(rule, &[named.unwrap_or("ConditionPathExists")], vec![at])
    }

    /// systemd.exec(5), "Process Exit Codes".
    fn exec_failed(&self) -> Option<Finding> {
        let (at, status, command) = self.events().find_map(|event| match &event.kind {
            EventKind::ProcessExited {
                code,
                status,
                command,
                is_ignored: false,
                ..
            } if code == "exited" && SETUP_FAILED.contains(status) => {
                Some((self.timeline.time_of(event), *status, command.clone()))
            }
            _ => None,
        })?;
        // Its own words come from the process that failed, which logs as systemd: else the service itself ended so.
        let said = |wanted: &dyn Fn(&str) -> bool| {
            self.events().find_map(|event| match &event.kind {
                EventKind::Manager { priority, message } if *priority <= 4 && wanted(message) => {
                    Some(message.clone())
                }
                _ => None,
            })
        };
        let step = said(&|message| message.starts_with(STEP))?;
        let message = said(&|message| {
            message.starts_with("Failed to ")
                && !message.starts_with(STEP)
                && !message.starts_with("Failed to start ")
        });
        let setting = command.as_deref().and_then(|it| it.split('=').next());
        let rule = Rule::ExecFailed {
            status: exit_status(status),
            message: message.unwrap_or(step),
        };
        let decides = match status {
            203 => setting.unwrap_or("ExecStart"),
            216 => "Group",
            217 => "User",
            200 => "WorkingDirectory",
            226 => "ReadWritePaths",
            243 => "LoadCredential",
            _ => setting.unwrap_or("ExecStart"),
        };
        self.finding(rule, &[decides, "ExecStart"], vec![at])
    }

    /// systemd.service(5), "OOMPolicy=".
    fn out_of_memory(&self) -> Option<Finding> {
        let killed = self.times(
            |kind| matches!(kind, EventKind::Manager { message, .. } if message.contains("killed by the OOM killer")),
        );
        if killed.is_empty() {
            return None;
        }
        let first = killed[0];
        let after =
            |wanted: fn(&EventKind) -> bool| self.times(wanted).iter().any(|at| *at >= first);
        let outcome = match (
            after(|kind| matches!(kind, EventKind::Failed { .. })),
            after(|kind| matches!(kind, EventKind::RestartScheduled { .. })),
        ) {
            (_, true) => OomOutcome::Restarted,
            (true, false) => OomOutcome::NotRestarted,
            (false, false) => OomOutcome::WentOn,
        };
        let rule = Rule::OutOfMemory {
            policy: self.text("OOMPolicy").to_owned(),
            restart: self.text("Restart").to_owned(),
            outcome,
        };
        self.finding(rule, &["OOMPolicy", "MemoryMax"], killed)
    }

    /// systemd.service(5), "PIDFile=".
    fn no_pid_file(&self) -> Option<Finding> {
        if self.text("Type") != "forking"
            || self.start_timed_out().is_empty()
                && self
                    .times(|kind| matches!(kind, EventKind::Failed { .. }))
                    .is_empty()
        {
            return None;
        }
        let (at, _) = self.said(|message| message.starts_with("Can't open PID file"))?;
        let file = self.text("PIDFile").to_owned();
        self.finding(Rule::NoPidFile { file }, &["PIDFile"], vec![at])
    }

    /// systemd.service(5), "BusName=".
    fn no_bus_name(&self) -> Option<Finding> {
        let timed_out = self.start_timed_out();
        if self.text("Type") != "dbus" || timed_out.is_empty() {
            return None;
        }
        let name = self.text("BusName").to_owned();
        self.finding(Rule::NoBusName { name }, &["BusName", "Type"], timed_out)
    }

    /// systemd.timer(5): a timer only starts its unit, and one that is active is not started.
    fn timer_finds_active_service(&self) -> Option<Finding> {
        if !self.unit.ends_with(".timer") {
            return None;
        }
        let service = self.text("Unit");
        let stays = self
            .timeline
            .property(service, "RemainAfterExit")?
            .as_bool()?;
        let fired = self
            .times(|kind| matches!(kind, EventKind::StateChanged { to, .. } if to == "running"));
        let is_active = self.timeline.text_property(service, "ActiveState") == Some("active");
        if !stays || !is_active || fired.is_empty() {
            return None;
        }
        let rule = Rule::TimerFindsActiveService {
            service: service.to_owned(),
        };
        let place = self.sources.setting(service, "RemainAfterExit");
        Some(Finding {
            place,
            ..Finding::new(self.unit, rule, fired)
        })
    }

    /// systemd.service(5), "WatchdogSec=": without it, a service whose processes are alive is well.
    fn hang_unnoticed(&self) -> Option<Finding> {
        let frozen = self.sources.frozen(self.unit)?;
        let end = self.timeline.time_of(self.timeline.events().last()?);
        let watchdog = self.timeline.duration_property(self.unit, "WatchdogUSec");
        let has_watchdog = watchdog.is_some_and(|limit| !limit.is_zero());
        let changed = self.times(|kind| matches!(kind, EventKind::StateChanged { .. }));
        let is_left_alone = !changed.iter().any(|at| *at > frozen);
        if has_watchdog || !is_left_alone || end < frozen + LONG_HANG {
            return None;
        }
        self.finding(Rule::HangUnnoticed, &["Type", "ExecStart"], vec![frozen])
    }
}
