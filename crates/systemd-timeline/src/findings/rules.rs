//! The rules, each with the source that it is based on.

mod commands;
mod floods;
mod limits;
mod processes;
mod requests;
mod starts;
mod watchdog;

use std::time::Duration;

use systemd_lab_protocol::{Event, EventKind};

use super::{Finding, Rule, Sources};
use crate::names::{exit_status, signal_name};
use crate::timeline::Timeline;

/// systemd's own defaults: systemd-system.conf(5), "DefaultStartLimitIntervalSec=".
const DEFAULT_BURST: u64 = 5;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);

/// A service that ran for this long was healthy: if the delay has not shrunk again by then, that surprises its author.
const WELL: Duration = Duration::from_secs(60);

/// Timers' slack makes delays longer than set by up to this much; a delay that is even longer has grown.
const SLACK: Duration = Duration::from_millis(500);

/// The direct effects of a fault follow within this time.
const SOON: Duration = Duration::from_secs(1);

/// A hang that lasts this long without a reaction was not noticed.
const LONG_HANG: Duration = Duration::from_secs(30);

/// systemd's words when `SendSIGKILL=no` forbids the last signal: `service_dispatch_timer` of its service.c.
const NO_SIGKILL: &str = "Skipping SIGKILL";

/// The end of systemd's message about a process that a stop leaves behind; the process's name comes before it.
const SURVIVES: &str = ") remains running after unit stopped.";

/// All findings about one unit.
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
    let rules: [fn(&Look<'a>) -> Option<Finding>; 51] = [
        Look::never_ready,
        Look::ready_before_listening,
        Look::never_forked,
        Look::start_never_ends,
        Look::system_call_forbidden,
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
        Look::job_timed_out,
        Look::condition_unmet,
        Look::ordering_cycle,
        Look::triggered_too_often,
        Look::timer_never_fires,
        Look::resources_failed,
        Look::exec_failed,
        Look::out_of_memory,
        Look::no_pid_file,
        Look::no_bus_name,
        Look::goes_into_background,
        Look::command_timed_out,
        Look::command_not_found,
        Look::timer_finds_active_service,
        Look::hang_unnoticed,
        Look::watchdog_never_fed,
        Look::watchdog_ends_answering,
        Look::watchdog_fed_regardless,
        Look::notification_flood,
        Look::log_flood,
        Look::failure_ignored,
        Look::one_of_commands_failed,
        Look::oneshot_timed_out,
        Look::restart_prevented,
        Look::stop_command_ends,
        Look::reload_ends,
        Look::extension_ran_out,
        Look::watchdog_shortened,
        Look::stopped_on_request,
        Look::line_ignored,
        Look::unit_refused,
        Look::command_failed,
        Look::no_shell,
        Look::too_many_tasks,
        Look::trigger_limit_hit,
    ];
    rules.iter().filter_map(|rule| rule(&look)).collect()
}

/// The input of a rule.
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

    /// systemd's message about the unit.
    fn said(&self, wanted: impl Fn(&str) -> bool) -> Option<(Duration, &'a str)> {
        self.events().find_map(|event| match &event.kind {
            EventKind::Manager { message, .. } if wanted(message) => {
                Some((self.timeline.time_of(event), message.as_str()))
            }
            _ => None,
        })
    }

    /// A finding whose line is the first of these settings that a file contains.
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

    /// systemd.service(5), "Type=": a start is complete when READY=1 comes.
    fn never_ready(&self) -> Option<Finding> {
        let timed_out = self.start_timed_out();
        let is_dropped = self.is_dropped();
        (self.is_notify()
            && !timed_out.is_empty()
            && self.notified("READY=1").is_empty()
            && !is_dropped
            && self.extension_ran_out().is_none())
        .then(|| self.finding(Rule::NeverReady, &["Type"], timed_out))
        .flatten()
    }

    /// systemd.service(5), "Type=": with `forking`, a start is complete when the first process has exited.
    fn never_forked(&self) -> Option<Finding> {
        let timed_out = self.start_timed_out();
        let has_ended = self.times(|kind| {
            matches!(kind, EventKind::ProcessExited { code, status: 0, .. } if code == "exited")
        });
        (self.text("Type") == "forking" && !timed_out.is_empty() && has_ended.is_empty())
            .then(|| self.finding(Rule::NeverForked, &["Type"], timed_out))
            .flatten()
    }

    /// systemd.service(5), "TimeoutStartSec=": with `infinity`, systemd waits for READY=1 for as long as the run lasts.
    fn start_never_ends(&self) -> Option<Finding> {
        let started =
            self.times(|kind| matches!(kind, EventKind::StateChanged { to, .. } if to == "start"));
        let mut states = self.events().filter_map(|event| match &event.kind {
            EventKind::StateChanged { to, .. } => Some(to.as_str()),
            _ => None,
        });
        let is_starting = states.next_back() == Some("start");
        let is_endless = self.number("TimeoutStartUSec") == u64::MAX;
        (self.is_notify()
            && is_starting
            && is_endless
            && self.notified("READY=1").is_empty()
            && !self.is_dropped())
        .then(|| self.finding(Rule::StartNeverEnds, &["TimeoutStartSec", "Type"], started))
        .flatten()
    }

    /// systemd.exec(5), "SystemCallFilter=": SIGSYS ends the process.
    fn system_call_forbidden(&self) -> Option<Finding> {
        const SIGSYS: i32 = 31;
        let settings = [
            "SystemCallFilter",
            "SystemCallArchitectures",
            "RestrictAddressFamilies",
            "RestrictNamespaces",
        ];
        self.sources.any(self.unit, &settings)?;
        let ended = self.times(|kind| {
            matches!(kind, EventKind::ProcessExited { code, status, .. } if code != "exited" && *status == SIGSYS)
        });
        match ended.is_empty() {
            true => None,
            false => self.finding(Rule::SystemCallForbidden, &settings, ended),
        }
    }

    /// sd_notify(3), "READY=1": start-up is finished, so units that are ordered after it may start.
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
        // The kernel and systemd see it at the same time, in either order.
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
        // If it came from a child, and others counted, it does no harm.
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

    /// systemd.service(5), "TimeoutStartSec=": it also bounds a reload.
    fn reload_never_ends(&self) -> Option<Finding> {
        let timed_out = self.times(|kind| {
            matches!(kind, EventKind::Timeout { message } if message.to_lowercase().starts_with("reload operation timed out"))
        });
        // Without its stamp, READY=1 could not end the reload.
        let is_extended = self.extension_ran_out().is_some();
        (!timed_out.is_empty() && !is_extended && self.reload_without_stamp().is_none())
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
        // Starts that the plan, a socket or a path requested are a separate matter.
        let is_restarted = self
            .events()
            .any(|event| matches!(event.kind, EventKind::RestartScheduled { .. }));
        if hit.is_empty() || !is_default || is_written || !is_restarted {
            return None;
        }
        let rule = Rule::DefaultStartLimit { burst, interval_us };
        self.finding(rule, &["RestartSec", "Restart"], hit)
    }

    /// systemd.service(5), "RestartSteps=": up to version 257, only a manual start resets the counter.
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
        // A deliberate hang ends like that, and is a different finding.
        if self.sources.frozen(self.unit).is_some() || self.extension_ran_out().is_some() {
            return None;
        }
        let signal = self.signal_of("KillSignal", "SIGTERM");
        if let Some((instead, process)) = self.left_by_stop(first) {
            let setting = match instead {
                None => "SendSIGKILL",
                Some(_) => "FinalKillSignal",
            };
            let rule = Rule::StopLeavesProcesses {
                timeout_us: self.number("TimeoutStopUSec"),
                signal,
                instead,
                process,
            };
            return self.finding(rule, &[setting, "TimeoutStopSec", "ExecStart"], timed_out);
        }
        let (process, ended_by) = self.sent_after(first).next().unwrap_or_else(|| {
            let main = "the main process".to_owned();
            (main, self.final_signal())
        });
        let rule = Rule::StopSignalIgnored {
            timeout_us: self.number("TimeoutStopUSec"),
            signal,
            process,
            ended_by,
        };
        let settings = ["TimeoutStopSec", "TimeoutSec", "KillSignal", "ExecStart"];
        self.finding(rule, &settings, timed_out)
    }

    /// Whether a stop that timed out at that time went on without SIGKILL: the signal that was sent in its place, if one was, and
    /// a process that still ran afterwards. systemd.kill(5), "SendSIGKILL=", "FinalKillSignal=".
    fn left_by_stop(&self, first: Duration) -> Option<(Option<String>, Option<String>)> {
        let process = self.events().find_map(|event| match &event.kind {
            EventKind::Manager { message, .. } if self.timeline.time_of(event) >= first => {
                let (_, process) = message.strip_suffix(SURVIVES)?.split_once('(')?;
                Some(process.to_owned())
            }
            _ => None,
        });
        let is_forbidden = self.events().any(|event| {
            self.timeline.time_of(event) >= first
                && matches!(&event.kind, EventKind::Timeout { message } if message.contains(NO_SIGKILL))
        });
        if is_forbidden {
            return Some((None, process));
        }
        // Others may survive by KillMode=.
        let (_, last) = self.sent_after(first).last()?;
        (last != "SIGKILL" && process.is_some()).then_some((Some(last), process))
    }

    /// The signals that systemd sent from then on because a stop took too long, and the processes that got them.
    fn sent_after(&self, first: Duration) -> impl Iterator<Item = (String, String)> {
        self.events().filter_map(move |event| match &event.kind {
            EventKind::Killing { signal, process } if self.timeline.time_of(event) >= first => {
                Some((process.clone(), signal.clone()))
            }
            _ => None,
        })
    }

    /// The signal that systemd sends when a stop takes too long: systemd.service(5), "TimeoutStopFailureMode=".
    fn final_signal(&self) -> String {
        match self.text("TimeoutStopFailureMode") {
            "abort" => self.signal_of("WatchdogSignal", "SIGABRT"),
            _ => self.signal_of("FinalKillSignal", "SIGKILL"),
        }
    }

    /// The name of the signal that this property has.
    fn signal_of(&self, property: &str, default: &str) -> String {
        match i32::try_from(self.number(property)) {
            Ok(number) if number > 0 => signal_name(number),
            _ => default.to_owned(),
        }
    }

    /// systemd.service(5), "SuccessExitStatus=".
    fn stop_counts_as_failure(&self) -> Option<Finding> {
        if !self.sources.is_stopped_by_plan(self.unit) || self.stop_command_ends().is_some() {
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
                    let is_clean = commands::is_clean(code, *status);
                    last = (is_stopping && !is_clean).then(|| match code.as_str() {
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
        let (setting, other) = crate::jobs::cause_of_stop(self.timeline, self.unit)?;
        let rule = Rule::StoppedByDependency {
            setting: setting.to_owned(),
            other: other.to_owned(),
        };
        let names = |unit: &str, other: &str| {
            let names_it = |value: &str| value.split_whitespace().any(|unit| unit == other);
            self.sources.setting_with(unit, setting, names_it)
        };
        // Conflicts= works in both directions.
        let place = names(self.unit, other).or_else(|| names(other, self.unit));
        Some(Finding {
            place: place.or_else(|| self.sources.setting(self.unit, "Restart")),
            ..Finding::new(self.unit, rule, [at])
        })
    }

    /// systemd.timer(5): a timer only starts its unit, and an active unit is not started again.
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

    /// systemd.service(5), "WatchdogSec=": without it, systemd considers a service with living processes healthy.
    fn hang_unnoticed(&self) -> Option<Finding> {
        let frozen = self.sources.frozen(self.unit)?;
        let end = self.timeline.time_of(self.timeline.events().last()?);
        let watchdog = self.timeline.duration_property(self.unit, "WatchdogUSec");
        let has_watchdog = watchdog.is_some_and(|limit| !limit.is_zero());
        let changed = self.times(|kind| matches!(kind, EventKind::StateChanged { .. }));
        let changed = changed.into_iter().find(|at| *at > frozen);
        // What the plan did later surprises no one.
        let is_left_alone = changed.is_none_or(|changed| {
            let mut harms = self.sources.harms_of(self.unit);
            harms.any(|(at, _)| frozen < at && at <= changed && changed < at + SOON)
        });
        if has_watchdog || !is_left_alone || changed.unwrap_or(end) < frozen + LONG_HANG {
            return None;
        }
        self.finding(Rule::HangUnnoticed, &["Type", "ExecStart"], vec![frozen])
    }
}
