//! Findings in words: what was observed.

use std::time::Duration;

use systemd_lab_protocol::event::{Blinding, MachineEnd};

use super::{DependencyEnd, Finding, OomOutcome, Rule};
use crate::span::span_text;
use crate::view::{blinding_text, machine_end_text};
use crate::visible::visible;

impl Finding {
    /// What was observed, as a sentence without a full stop. A service's own words in it are
    /// [`visible`].
    pub fn what(&self) -> String {
        visible(&self.sentence())
    }

    fn sentence(&self) -> String {
        let unit = &self.unit;
        match &self.rule {
            Rule::NeverReady => format!(
                "{unit} is a Type=notify service, and never sent READY=1: its start timed out"
            ),
            Rule::NeverForked => format!(
                "{unit} is a Type=forking service, and its first process never ended: its start timed out"
            ),
            Rule::StartNeverEnds => format!(
                "{unit} is a Type=notify service, never sent READY=1, and has no time limit for its start: it starts forever"
            ),
            Rule::SystemCallForbidden => format!(
                "the kernel ended a process of {unit} with SIGSYS, because it made a system call that the unit forbids"
            ),
            Rule::ReadyBeforeListening { address, later_us } => format!(
                "{unit} sent READY=1 {} before it listened on {address}: units that wait for it find a closed door",
                span(*later_us)
            ),
            Rule::NotificationDropped { assignment, access } => format!(
                "systemd dropped {assignment} of {unit}: NotifyAccess={access} does not accept notifications from the process that sent it"
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
                ended_by,
            } => format!(
                "{unit} did not end on {signal}: after TimeoutStopSec={} systemd killed {process} with {ended_by}",
                span(*timeout_us)
            ),
            Rule::StopLeavesProcesses {
                timeout_us,
                signal,
                instead,
                process,
            } => {
                let missing = match instead {
                    None => "SendSIGKILL=no keeps systemd from sending SIGKILL".to_owned(),
                    Some(instead) => format!(
                        "because of FinalKillSignal={instead} systemd sent that signal and no SIGKILL"
                    ),
                };
                let left = process.as_ref().map_or_else(String::new, |process| {
                    format!(": {process} still ran after the stop")
                });
                format!(
                    "{unit} did not end on {signal} within TimeoutStopSec={}, and {missing}{left}",
                    span(*timeout_us)
                )
            }
            Rule::StopCountsAsFailure { status } => format!(
                "an ordinary stop of {unit} ended in failed: its main process ended with {status}, which doesn't count as a success"
            ),
            Rule::StoppedByDependency { setting, other } => format!(
                "{unit} was not restarted, whatever Restart= says: {setting}={other} queued a stop job for it, and a stop job forbids a restart"
            ),
            Rule::DependencyFailed {
                other: Some(other), ..
            } if other.ends_with(".device") => {
                format!("{unit} was never started, because {other} did not appear in time")
            }
            Rule::DependencyFailed { other, end } => dependency(unit, other.as_deref(), *end),
            Rule::JobTimedOut {
                job,
                setting,
                timeout_us,
                has_begun,
                waited_for,
            } => {
                let gave_up = format!(
                    "systemd gave up on the {job} job of {unit} after {setting}={}",
                    span(*timeout_us)
                );
                match (has_begun, waited_for) {
                    (true, _) => format!(
                        "{gave_up}, and leaves {unit} as it is: the setting ends the job, not what the job has begun"
                    ),
                    (false, Some(other)) => {
                        format!("{gave_up}, while it still waited for {other}: it never began")
                    }
                    (false, None) => format!("{gave_up}: it never began"),
                }
            }
            Rule::OrderingCycle => format!(
                "systemd deleted a job of {unit}, because units wait for each other in an ordering cycle"
            ),
            Rule::TriggeredTooOften { by } => format!(
                "{by} started {unit} again each time that it ended, until systemd gave up on both at the start limit"
            ),
            Rule::TimerNeverFires { service } => {
                format!("{unit} never starts {service}: nothing makes it fire for the first time")
            }
            Rule::GoesIntoBackground { kind } => format!(
                "the program of {unit} went into the background: with Type={kind} its first process is the service, and systemd stopped the others when that one ended"
            ),
            Rule::CommandTimedOut {
                command,
                timeout,
                timeout_us,
            } => format!(
                "{command}= of {unit} did not end within {timeout}={}",
                span(*timeout_us)
            ),
            Rule::CommandNotFound { message } => format!(
                "{unit} ended with status 127, because it starts a command that is not there: {message}"
            ),
            Rule::ResourcesFailed {
                message,
                is_stop: true,
            } => {
                format!("systemd could not run the commands that end {unit}: {message}")
            }
            Rule::ResourcesFailed { message, .. } | Rule::CannotListen { message } => {
                format!("systemd could not start {unit}: {message}")
            }
            Rule::ConditionUnmet { message } => format!("systemd did not start {unit}: {message}"),
            Rule::ExecFailed { status, message } => {
                format!("systemd could not set up a process of {unit} (status {status}): {message}")
            }
            Rule::OutOfMemory {
                policy,
                restart,
                outcome,
                slice,
            } => {
                let outcome = match outcome {
                    OomOutcome::Restarted => "systemd restarted it",
                    OomOutcome::NotRestarted => "it failed and was not restarted",
                    OomOutcome::WentOn => "the unit went on without that process",
                };
                let why = slice.as_ref().map_or_else(String::new, |slice| {
                    format!(
                        ", because all processes in {slice} together had reached its MemoryMax="
                    )
                });
                format!(
                    "the kernel's OOM killer ended a process of {unit}{why}; with OOMPolicy={policy} and Restart={restart}, {outcome}"
                )
            }
            Rule::NoPidFile { file } => {
                format!(
                    "{unit} is a Type=forking service, and its PID file {file} did not name a process of its own in time"
                )
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
                is_system,
                over_us,
                cut_us,
            } => {
                let over = span(*over_us);
                let seen = match (unit.as_str(), is_system) {
                    (MANAGER, _) => format!(
                        "systemd and the journal were busy for {over} without a pause, with {percent} % of the processor"
                    ),
                    (_, true) => format!(
                        "{unit} kept systemd and the journal busy for {over} without a pause, with {percent} % of the processor"
                    ),
                    (_, false) => {
                        format!(
                            "{unit} took {percent} % of the processor for {over} without a pause"
                        )
                    }
                };
                match cut_us {
                    Some(cut_us) => format!(
                        "{seen}. The rest of the run would have been as slow, so it ended after {}",
                        span(*cut_us)
                    ),
                    None => seen,
                }
            }
            Rule::WentBlind {
                how: how @ Blinding::ManagerCrashed { .. },
                ..
            } => format!(
                "{}. From then on, nothing starts, stops or restarts {unit}",
                blinding_text(how)
            ),
            Rule::WentBlind { how, until_us } => {
                let since = span(self.at_us.first().copied().unwrap_or_default());
                let what = match how {
                    Blinding::LogLevelMax => format!("what systemd did about {unit}"),
                    _ => "what systemd did".to_owned(),
                };
                let until = match until_us {
                    Some(until_us) => format!("from {since} to {}", span(*until_us)),
                    None => format!("from {since} on"),
                };
                let until = match self.at_us.len() {
                    0 | 1 => until,
                    2 => format!("{until}, and once more"),
                    more => format!("{until}, and {} times more", more - 1),
                };
                format!(
                    "the lab did not see {what} {until}: {}. The timeline and its figures are not complete",
                    blinding_text(how)
                )
            }
            Rule::HangUnnoticed => format!(
                "{unit} hung, and systemd did not notice: for systemd, a process that is alive is healthy"
            ),
            Rule::LimitNeverReached {
                burst,
                interval_us,
                takes_us,
            } => format!(
                "systemd will never give up on {unit}, which it restarts again and again: StartLimitBurst={burst} restarts take {}, and StartLimitIntervalSec={} is shorter",
                span(*takes_us),
                span(*interval_us)
            ),
            Rule::SettingInWrongSection {
                setting,
                section,
                belongs,
            } => format!(
                "systemd ignores {setting}= of {unit}, because it is in [{section}]: it belongs in [{belongs}]"
            ),
            Rule::WatchdogNeverFed { limit_us } => format!(
                "{unit} has WatchdogSec={}, and never sent WATCHDOG=1: systemd ends it each time, even if it is healthy",
                span(*limit_us)
            ),
            Rule::WatchdogEndsAnswering {
                probe,
                limit_us,
                since_us,
            } => format!(
                "the watchdog ended {unit} although {probe} was answered: its last WATCHDOG=1 had come {} before, and WatchdogSec={} allows no more",
                span(*since_us),
                span(*limit_us)
            ),
            Rule::WatchdogFedRegardless { probe, for_us } => {
                let silent = match probe {
                    Some(probe) => format!("{probe} was not answered"),
                    None => "its main process was stopped".to_owned(),
                };
                format!(
                    "{unit} sent WATCHDOG=1 for {} while {silent}: what sends it does not test the service",
                    span(*for_us)
                )
            }
            Rule::NotificationFlood {
                assignment,
                per_second,
            } => format!(
                "{unit} sends notifications without a pause, {per_second} each second, most of them {assignment}: systemd handles each one"
            ),
            Rule::LogFlood {
                lines,
                over_us,
                most,
                interval_us,
            } => format!(
                "{unit} logged {lines} lines in {}: journald takes {most} in {} and drops the rest",
                span(*over_us),
                span(*interval_us)
            ),
            Rule::FailureIgnored { status, restart } => {
                let after = match restart.as_str() {
                    "no" | "always" | "on-success" => String::new(),
                    restart => format!(", and Restart={restart} does not act on a success"),
                };
                format!(
                    "ExecStart= of {unit} failed with {status}, and systemd treats that as a success, because the command begins with \"-\"{after}"
                )
            }
            Rule::OneOfCommandsFailed { number, of, status } => {
                let rest = match of - number {
                    0 => "",
                    _ => "; systemd did not run those after it",
                };
                format!(
                    "command {number} of the {of} in ExecStart= of {unit} failed with {status}{rest}"
                )
            }
            Rule::RestartPrevented { status, restart } => format!(
                "systemd did not restart {unit}, although it has Restart={restart}: the main process ended with {status}, which RestartPreventExitStatus= excludes"
            ),
            Rule::StoppedOnRequest { restart } => format!(
                "a process asked systemd to stop {unit}, as systemctl stop does, and Restart={restart} does not act after that"
            ),
            Rule::ExtensionRanOut {
                asked_us,
                since_us,
                phase,
            } => format!(
                "{unit} asked for {} more with EXTEND_TIMEOUT_USEC=, and had neither ended its {phase} nor asked again when systemd timed it out {} later",
                span(*asked_us),
                span(*since_us)
            ),
            Rule::StopCommandEnds { status } => format!(
                "ExecStop= of {unit} ended the main process with {status}, which doesn't count as a success: each ordinary stop ends in failed"
            ),
            Rule::OneshotTimedOut { timeout_us } => format!(
                "the commands of {unit} did not end within TimeoutStartSec={}: a Type=oneshot service is starting until they have ended",
                span(*timeout_us)
            ),
            Rule::WatchdogShortened { limit_us, written } => {
                let instead = written
                    .as_ref()
                    .map_or_else(String::new, |written| format!(" instead of {written}"));
                format!(
                    "{unit} set its watchdog to {} with WATCHDOG_USEC={limit_us}{instead}, and sent no WATCHDOG=1 for that long",
                    span(*limit_us)
                )
            }
            Rule::UnitRefused { message } => format!("systemd refuses {unit}: {message}"),
            Rule::CommandFailed { setting, status } => {
                format!("{setting}= of {unit} failed with {status}, and left the unit failed")
            }
            Rule::NoShell { setting, word } => format!(
                "{setting}= of {unit} passes {word} to its program as an argument: systemd runs the program, and no shell reads the line"
            ),
            Rule::LineIgnored { message } => {
                format!("systemd ignores a line of {unit}: {message}")
            }
            Rule::ReloadEnds { status, signal } => {
                let why = match signal {
                    Some(signal) => format!("after systemd had sent it {signal}"),
                    None => "while ExecReload= ran".to_owned(),
                };
                format!("a reload ended {unit}: its main process ended with {status} {why}")
            }
            Rule::TooManyTasks { limit } => format!(
                "{unit} had {limit} processes and threads, as many as TasksMax= allows: the kernel refused to start another one"
            ),
            Rule::TriggerLimitHit { burst, interval_us } => format!(
                "systemd stopped {unit}, because it was triggered more often than TriggerLimitBurst={burst} times within TriggerLimitIntervalSec={}",
                span(*interval_us)
            ),
        }
    }
}

/// Where systemd itself runs: systemd.special(7).
const MANAGER: &str = "init.scope";

/// Why a unit was not started because of another one.
fn dependency(unit: &str, other: Option<&str>, end: DependencyEnd) -> String {
    let Some(other) = other else {
        return format!(
            "systemd did not start {unit}, because the start of a unit that it depends on failed"
        );
    };
    match end {
        DependencyEnd::Failed => format!(
            "{unit} was never started, because {other}, which it depends on, failed once. A later restart of that unit does not start {unit}"
        ),
        DependencyEnd::NotActive => format!(
            "systemd did not start {unit}, because {other} was not active: Requisite= does not start {other}"
        ),
        DependencyEnd::Skipped => format!(
            "systemd did not start {unit}, because it skipped the start of {other}, and {unit} needs that unit to be active"
        ),
        DependencyEnd::AssertFailed => format!(
            "systemd did not start {unit}, because an assertion of {other}, which it depends on, failed"
        ),
        DependencyEnd::NotStarted => format!(
            "systemd did not start {unit}, because {other}, which it depends on, could not be started either"
        ),
    }
}

fn machine_ended(
    unit: &str,
    how: MachineEnd,
    message: &str,
    setting: Option<&str>,
    is_asked_for: bool,
) -> String {
    let end = machine_end_text(how, message);
    let why = match (setting, is_asked_for) {
        (Some(setting), _) if how == MachineEnd::Panicked => {
            format!("{setting} keeps the kernel from ending the processes of {unit}")
        }
        (Some(setting), _) => format!("that is what {setting} of {unit} does"),
        (None, true) => "a process asked systemd for it".to_owned(),
        (None, false) => match how {
            MachineEnd::Panicked => "a process brought it down".to_owned(),
            // That message already says it.
            MachineEnd::AgentEnded => return end,
            _ => "a process called reboot(2) or wrote to /proc/sysrq-trigger".to_owned(),
        },
    };
    format!("{end}: {why}")
}

/// A span in the spelling of unit files, in whole seconds if it is at least a second.
fn span(us: u64) -> String {
    let span = Duration::from_micros(us);
    match span.as_secs() {
        0 => span_text(Duration::from_millis(span.as_millis() as u64)),
        _ => span_text(Duration::from_secs(crate::clock::nearest_second(span))),
    }
}
