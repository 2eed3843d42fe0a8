//! Findings in words: what was seen, what to change, and where to read about it.

use std::time::Duration;

use systemd_lab_protocol::event::MachineEnd;

use super::{Finding, Rule};
use crate::experiment::span_text;
use crate::view::machine_end_text;

impl Finding {
    /// What was seen, in a sentence without a full stop.
    pub fn what(&self) -> String {
        let unit = &self.unit;
        match &self.rule {
            Rule::NeverReady => format!(
                "{unit} is a Type=notify service, and never sent READY=1: its start timed out"
            ),
            Rule::ReadyBeforeListening { address, later_us } => format!(
                "{unit} sent READY=1 {} before it listened on {address}: units that wait for it find a closed door",
                span(*later_us)
            ),
            Rule::NotificationDropped { access } => format!(
                "systemd dropped READY=1 of {unit}, because NotifyAccess={access} does not accept it from the process that sent it"
            ),
            Rule::ReloadWithoutStamp => format!(
                "{unit} is a Type=notify-reload service, and sent RELOADING=1 without MONOTONIC_USEC= in the same message: systemd can't tell which reload it belongs to"
            ),
            Rule::ReloadNeverEnds => {
                format!("a reload of {unit} never ended: it ran into its timeout")
            }
            Rule::DefaultStartLimit { burst, interval_us } => format!(
                "systemd gave up on {unit} at the default start limit: StartLimitBurst={burst} starts within StartLimitIntervalSec={}",
                span(*interval_us)
            ),
            Rule::StepsNeverReset { ran_us, delay_us } => format!(
                "{unit} had run for {}, and was restarted after {} all the same: RestartSteps= never goes back to the first delay by itself",
                span(*ran_us),
                span(*delay_us)
            ),
            Rule::StopSignalIgnored {
                timeout_us,
                signal,
                process,
            } => format!(
                "{unit} did not end on {signal}: after TimeoutStopSec={} systemd killed {process} with SIGKILL",
                span(*timeout_us)
            ),
            Rule::StopCountsAsFailure { status } => format!(
                "an ordinary stop of {unit} ended in failed: its main process ended with {status}, which doesn't count as a success"
            ),
            Rule::StoppedByDependency { setting, other } => format!(
                "{unit} was not restarted, whatever Restart= says: {setting}={other} queued a stop job for it, and a stop job forbids a restart"
            ),
            Rule::DependencyFailed => format!(
                "{unit} was never started, because a unit that it depends on failed once. A later restart of that unit does not start {unit}"
            ),
            Rule::ConditionUnmet { message } => format!("systemd did not start {unit}: {message}"),
            Rule::ExecFailed { status, message } => {
                format!("systemd could not set up a process of {unit} (status {status}): {message}")
            }
            Rule::OutOfMemory { policy } => format!(
                "the kernel's OOM killer ended a process of {unit}; OOMPolicy={policy} decides what follows"
            ),
            Rule::NoPidFile { file } => {
                format!("{unit} is a Type=forking service, and did not write its PID file {file}")
            }
            Rule::NoBusName { name } => format!(
                "{unit} is a Type=dbus service, and did not take the name {name} on the bus: its start timed out"
            ),
            Rule::TimerFindsActiveService { service } => format!(
                "{unit} starts {service} only once: RemainAfterExit=yes leaves it active, and an active unit isn't started again"
            ),
            Rule::MachineEnded {
                how,
                message,
                setting,
                is_asked_for,
            } => machine_ended(unit, *how, message, setting.as_deref(), *is_asked_for),
            Rule::ProcessorBusy {
                percent,
                over_us,
                cut_us,
            } => {
                let over = span(*over_us);
                let seen = match unit.as_str() {
                    MANAGER => format!(
                        "systemd was busy for {over} without a pause, {percent} % of the time itself"
                    ),
                    _ => format!(
                        "{unit} took {percent} % of the processor for {over} without a pause"
                    ),
                };
                match cut_us {
                    Some(cut_us) => format!(
                        "{seen}. The rest of the run would take minutes, so it ended after {}",
                        span(*cut_us)
                    ),
                    None => seen,
                }
            }
            Rule::HangUnnoticed => format!(
                "{unit} hung, and systemd did not notice: for systemd a process that is alive is well"
            ),
        }
    }

    /// What to change, in a sentence without a full stop.
    pub fn change(&self) -> &'static str {
        match &self.rule {
            Rule::NeverReady => "send READY=1 once the service can do its work, or use Type=exec",
            Rule::ReadyBeforeListening { .. } => "bind first, then send READY=1",
            Rule::NotificationDropped { .. } => {
                "send notifications from the main process, or set NotifyAccess=all (exec if a helper of ExecStartPre= or the like sends them)"
            }
            Rule::ReloadWithoutStamp => {
                "send both in one message: RELOADING=1 and MONOTONIC_USEC= with CLOCK_MONOTONIC in microseconds (systemd-notify --reloading does)"
            }
            Rule::ReloadNeverEnds => "send READY=1 when the reload is over, also when it failed",
            Rule::DefaultStartLimit { .. } => {
                "set RestartSec= so long that an outage passes, and StartLimitIntervalSec= and StartLimitBurst= in [Unit] to match"
            }
            Rule::StepsNeverReset { .. } => {
                "choose a RestartMaxDelaySec= that you can bear after a good day, or reset the counter with systemctl reset-failed"
            }
            Rule::StopSignalIgnored { .. } => {
                "handle the signal, or set KillSignal= to one that the service handles. If a shell is in between, start the program with exec"
            }
            Rule::StopCountsAsFailure { .. } => {
                "end with exit code 0, or add the status to SuccessExitStatus="
            }
            Rule::StoppedByDependency { .. } => {
                "if the other unit's end should not stop this one, use Wants= with After= instead"
            }
            Rule::DependencyFailed => {
                "use Wants= instead of Requires=, so that the unit starts and waits for the other one by itself, or let the other one restart with RestartMode=direct"
            }
            Rule::ConditionUnmet { .. } => {
                "make the condition true, or remove it: an unmet condition is not a failure, and no one hears of it"
            }
            Rule::ExecFailed { .. } => {
                "make what the line names exist in the guest, or correct the line"
            }
            Rule::OutOfMemory { .. } => {
                "give the service more memory, or find out what takes it; Restart=on-failure restarts it after an OOM kill unless OOMPolicy=continue"
            }
            Rule::NoPidFile { .. } => {
                "write the PID file before the first process ends, at the path that PIDFile= names; or run in the foreground with Type=exec"
            }
            Rule::NoBusName { .. } => "take the name that BusName= has, or use another Type=",
            Rule::TimerFindsActiveService { .. } => "remove RemainAfterExit=yes",
            Rule::HangUnnoticed => "set WatchdogSec=, and send WATCHDOG=1 only after a self-test",
            Rule::MachineEnded {
                how: MachineEnd::AgentEnded,
                ..
            } => {
                "send signals only to the service's own processes; what the service did after that is unknown"
            }
            Rule::MachineEnded {
                setting: Some(_), ..
            } => {
                "nothing, if it is what you want; all other services of the machine end with it, and what fails again after the boot reboots it again"
            }
            Rule::MachineEnded { .. } => {
                "nothing, if it is what you want; a service that only has to start again has Restart= for that"
            }
            Rule::ProcessorBusy { .. } => {
                "let it wait for something: a loop without a pause, a retry without a delay and a poll without a timeout do this; CPUQuota= bounds it"
            }
        }
    }

    /// The manual page and section that it rests on.
    pub fn manual(&self) -> &'static str {
        match &self.rule {
            Rule::NeverReady => "systemd.service(5), \"Type=\"",
            Rule::ReadyBeforeListening { .. } => "sd_notify(3), \"READY=1\"",
            Rule::NotificationDropped { .. } => "systemd.service(5), \"NotifyAccess=\"",
            Rule::ReloadWithoutStamp => "sd_notify(3), \"RELOADING=1\"",
            Rule::ReloadNeverEnds => "systemd.service(5), \"TimeoutStartSec=\"",
            Rule::DefaultStartLimit { .. } => {
                "systemd.unit(5), \"StartLimitIntervalSec=interval, StartLimitBurst=burst\""
            }
            Rule::StepsNeverReset { .. } => "systemd.service(5), \"RestartSteps=\"",
            Rule::StopSignalIgnored { .. } => "systemd.kill(5), \"KillSignal=\"",
            Rule::StopCountsAsFailure { .. } => "systemd.service(5), \"SuccessExitStatus=\"",
            Rule::StoppedByDependency { .. } => "systemd.service(5), \"Restart=\"",
            Rule::DependencyFailed => "systemd.unit(5), \"Requires=\"",
            Rule::ConditionUnmet { .. } => "systemd.unit(5), \"Conditions and Asserts\"",
            Rule::ExecFailed { .. } => "systemd.exec(5), \"Process Exit Codes\"",
            Rule::OutOfMemory { .. } => "systemd.service(5), \"OOMPolicy=\"",
            Rule::NoPidFile { .. } => "systemd.service(5), \"PIDFile=\"",
            Rule::NoBusName { .. } => "systemd.service(5), \"BusName=\"",
            Rule::TimerFindsActiveService { .. } => "systemd.timer(5), \"Description\"",
            Rule::HangUnnoticed => "systemd.service(5), \"WatchdogSec=\"",
            Rule::MachineEnded { .. } => "systemd.unit(5), \"FailureAction=, SuccessAction=\"",
            Rule::ProcessorBusy { .. } => "systemd.resource-control(5), \"CPUQuota=\"",
        }
    }

    /// The page of the guide that explains it, if one does.
    pub fn guide(&self) -> Option<&'static str> {
        match &self.rule {
            Rule::NeverReady
            | Rule::ReadyBeforeListening { .. }
            | Rule::NotificationDropped { .. }
            | Rule::ReloadWithoutStamp
            | Rule::ReloadNeverEnds => Some("readiness.md"),
            Rule::DefaultStartLimit { .. } | Rule::StepsNeverReset { .. } => Some("limits.md"),
            Rule::HangUnnoticed => Some("watchdogs.md"),
            Rule::StopCountsAsFailure { .. } | Rule::StoppedByDependency { .. } => {
                Some("recovery.md")
            }
            _ => None,
        }
    }
}

/// Where systemd itself runs: systemd.special(7).
const MANAGER: &str = "init.scope";

fn machine_ended(
    unit: &str,
    how: MachineEnd,
    message: &str,
    setting: Option<&str>,
    is_asked_for: bool,
) -> String {
    let end = machine_end_text(how, message);
    let why = match (setting, is_asked_for) {
        (Some(setting), _) => format!("that is what {setting} of {unit} does"),
        (None, true) => "a process asked systemd for it".to_owned(),
        (None, false) => match how {
            MachineEnd::Panicked => "a process brought it down".to_owned(),
            // It says so itself.
            MachineEnd::AgentEnded => return end,
            _ => "a process called reboot(2) or wrote to /proc/sysrq-trigger".to_owned(),
        },
    };
    format!("{end}: {why}")
}

/// A span as unit files write it, in whole seconds from a second on.
fn span(us: u64) -> String {
    let span = Duration::from_micros(us);
    match span.as_secs() {
        0 => span_text(Duration::from_millis(span.as_millis() as u64)),
        _ => span_text(Duration::from_secs(crate::clock::nearest_second(span))),
    }
}
