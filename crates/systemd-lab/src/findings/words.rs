//! Findings in words: what was seen, what to change, and where to read about it.

use std::time::Duration;

use systemd_lab_protocol::event::{Blinding, MachineEnd};

use super::{Finding, OomOutcome, Rule};
use crate::experiment::span_text;
use crate::view::{blinding_text, machine_end_text};
use crate::visible::visible;

impl Finding {
    /// What was seen, in a sentence without a full stop. A service's own words in it are [`visible`].
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
                "systemd accepted no {assignment} of {unit}: it dropped notifications, because NotifyAccess={access} does not accept them from the process that sent them"
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
            Rule::StopCountsAsFailure { status } => format!(
                "an ordinary stop of {unit} ended in failed: its main process ended with {status}, which doesn't count as a success"
            ),
            Rule::StoppedByDependency { setting, other } => format!(
                "{unit} was not restarted, whatever Restart= says: {setting}={other} queued a stop job for it, and a stop job forbids a restart"
            ),
            Rule::DependencyFailed { other: Some(other) } if other.ends_with(".device") => {
                format!("{unit} was never started, because {other} did not appear in time")
            }
            Rule::DependencyFailed { other } => format!(
                "{unit} was never started, because {} failed once. A later restart of that unit does not start {unit}",
                match other {
                    Some(other) => format!("{other}, which it depends on,"),
                    None => "a unit that it depends on".to_owned(),
                }
            ),
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
            Rule::ResourcesFailed { message } | Rule::CannotListen { message } => {
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
            } => {
                let outcome = match outcome {
                    OomOutcome::Restarted => "systemd restarted it",
                    OomOutcome::NotRestarted => "it failed and was not restarted",
                    OomOutcome::WentOn => "the unit went on without that process",
                };
                format!(
                    "the kernel's OOM killer ended a process of {unit}; with OOMPolicy={policy} and Restart={restart}, {outcome}"
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
                        "{seen}. The rest of the run would take minutes, so it ended after {}",
                        span(*cut_us)
                    ),
                    None => seen,
                }
            }
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
                    "the lab did not see {what} {until}: {}. The timeline is not whole, and neither are its figures",
                    blinding_text(how)
                )
            }
            Rule::HangUnnoticed => format!(
                "{unit} hung, and systemd did not notice: for systemd a process that is alive is well"
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
                "{unit} has WatchdogSec={}, and never sent WATCHDOG=1: systemd ends it each time, however well it is",
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
        }
    }

    /// What to change, in a sentence without a full stop.
    pub fn change(&self) -> &'static str {
        match &self.rule {
            Rule::NeverForked => {
                "use Type=exec (or notify) for a program that stays in the foreground, or let it go into the background"
            }
            Rule::StartNeverEnds => {
                "send READY=1 once the service can do its work, and set TimeoutStartSec= to what a start may take"
            }
            Rule::SystemCallForbidden => {
                "allow the call (systemd's log or strace names it), or set SystemCallErrorNumber=EPERM, so that the call fails and the process goes on"
            }
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
            Rule::StoppedByDependency { setting, .. } if setting == "Conflicts" => {
                "remove Conflicts= if both units may run at the same time"
            }
            Rule::StoppedByDependency { .. } => {
                "if the other unit's end should not stop this one, use Wants= with After= instead"
            }
            Rule::DependencyFailed { other: Some(other) } if other.ends_with(".device") => {
                "correct the device's name, or put the device into the machine; x-systemd.device-timeout= and JobTimeoutSec= bound the wait"
            }
            Rule::DependencyFailed { .. } => {
                "use Wants= instead of Requires=, so that the unit starts and waits for the other one by itself, or let the other one restart with RestartMode=direct"
            }
            Rule::ConditionUnmet { message } if message.contains("Assert") => {
                "make the assertion true, or remove it: until then, each start job fails"
            }
            Rule::ConditionUnmet { .. } => {
                "make the condition true, or remove it: an unmet condition is not a failure, and no one hears of it"
            }
            Rule::OrderingCycle => {
                "remove one of the After= and Before= that make the cycle; the timeline names its units"
            }
            Rule::TriggeredTooOften { .. } => {
                "let the service take what triggers it: the file of a PathExists=, the connection of a socket. One that fails before leaves it there"
            }
            Rule::TimerNeverFires { .. } => {
                "add OnActiveSec= or OnBootSec= for the first time; OnUnitActiveSec= counts from an activation of the service, and a date must be in the future"
            }
            Rule::GoesIntoBackground { .. } => {
                "let the program run in the foreground, or use Type=forking with PIDFile="
            }
            Rule::CommandTimedOut { .. } => {
                "find out what the command waits for, or give it more time"
            }
            Rule::CommandNotFound { .. } => {
                "put the command into the guest as a file, or add the Debian package that brings it"
            }
            Rule::CannotListen { message } if message.contains("in use") => {
                "choose another address, or find out what else listens there; two lines with one address are too many as well"
            }
            Rule::CannotListen { message } if message.contains("assign requested address") => {
                "use an address of this machine, or set FreeBind=yes to listen on one that comes later"
            }
            Rule::CannotListen { .. } => {
                "correct the line; with Accept=yes, systemd starts an instance of a template for each connection, NAME@.service"
            }
            Rule::ResourcesFailed { .. } => {
                "put the file into the guest, or begin its path with - if the service can do without it"
            }
            Rule::ExecFailed { status, message } if status.starts_with("203") => match message {
                message if message.contains("Permission denied") => {
                    "make the program executable (mode 0755), and the folder and mount that it is on as well"
                }
                message if message.contains("Exec format error") => {
                    "begin a script with #! and its interpreter; a program must be built for x86-64"
                }
                message if message.contains("Argument list too long") => {
                    "make the command line and the environment shorter"
                }
                _ => {
                    "make the program exist in the guest, and the interpreter in a script's first line, which must not end in a carriage return"
                }
            },
            Rule::ExecFailed { .. } => "correct the line, or make what it names exist in the guest",
            Rule::OutOfMemory { .. } => {
                "give the service more memory, or find out what takes it. With OOMPolicy=continue, a unit is only restarted if its main process was killed"
            }
            Rule::NoPidFile { .. } => {
                "write the main process's PID into the file that PIDFile= names, before the first process ends; or run in the foreground with Type=exec"
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
                "remove the setting if the machine should go on without the service: it takes all other services down with it"
            }
            Rule::MachineEnded { .. } => {
                "set Restart= if only the service should start again: a reboot ends all other services too"
            }
            Rule::ProcessorBusy { .. } => {
                "let it wait for something: a loop without a pause, a retry without a delay and a poll without a timeout do this; CPUQuota= bounds it"
            }
            Rule::WentBlind { how, .. } => match how {
                Blinding::LogLevel { .. } | Blinding::LogTarget { .. } => {
                    "leave systemd's own log as it is: the lab sees what systemd does by its debug log"
                }
                Blinding::LogLevelMax => {
                    "give the lab the drop-in as a file, before the run: then it takes LogLevelMax= back and sees what systemd does"
                }
                Blinding::NoJournal { .. } => {
                    "leave journald and its files alone: the lab sees what systemd does by the journal"
                }
                Blinding::ForeignOutput | Blinding::TooMuchOutput { .. } => {
                    "write neither to the serial port nor to the devices of the lab's agent"
                }
            },
            Rule::LimitNeverReached { .. } => {
                "make StartLimitIntervalSec= longer than StartLimitBurst= restarts take; if systemd should go on forever, say so with StartLimitIntervalSec=0"
            }
            Rule::SettingInWrongSection { .. } => "move the line",
            Rule::WatchdogNeverFed { .. } => {
                "send WATCHDOG=1 at least every half of WatchdogSec= (WATCHDOG_USEC in the environment says how long it is), or remove WatchdogSec="
            }
            Rule::WatchdogEndsAnswering { .. } => {
                "send WATCHDOG=1 every half of WatchdogSec= as long as the self-test succeeds, or make WatchdogSec= longer than the self-test takes"
            }
            Rule::WatchdogFedRegardless { .. } => {
                "send WATCHDOG=1 only after a self-test that goes the way a request goes, from the process that serves"
            }
            Rule::NotificationFlood { .. } => {
                "wait between two notifications, or send one only when something has changed"
            }
            Rule::LogFlood { .. } => "wait before trying again, or log what repeats once",
        }
    }

    /// The manual page and section that it rests on.
    pub fn manual(&self) -> &'static str {
        match &self.rule {
            Rule::NeverReady => "systemd.service(5), \"Type=\"",
            Rule::NeverForked => "systemd.service(5), \"Type=\"",
            Rule::StartNeverEnds => "systemd.service(5), \"TimeoutStartSec=\"",
            Rule::SystemCallForbidden => "systemd.exec(5), \"SystemCallFilter=\"",
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
            Rule::OrderingCycle => "systemd.unit(5), \"Before=, After=\"",
            Rule::TriggeredTooOften { .. } => "systemd.path(5), \"PathExists=\"",
            Rule::TimerNeverFires { .. } => "systemd.timer(5), \"OnUnitActiveSec=\"",
            Rule::GoesIntoBackground { .. } => "systemd.service(5), \"Type=\"",
            Rule::CommandTimedOut { .. } => "systemd.service(5), \"TimeoutSec=\"",
            Rule::CommandNotFound { .. } => "systemd.service(5), \"Command lines\"",
            Rule::CannotListen { .. } => "systemd.socket(5), \"ListenStream=\"",
            Rule::ResourcesFailed { .. } => "systemd.exec(5), \"EnvironmentFile=\"",
            Rule::DependencyFailed { .. } => "systemd.unit(5), \"Requires=\"",
            Rule::ConditionUnmet { .. } => "systemd.unit(5), \"Conditions and Asserts\"",
            Rule::ExecFailed { .. } => "systemd.exec(5), \"Process Exit Codes\"",
            Rule::OutOfMemory { .. } => "systemd.service(5), \"OOMPolicy=\"",
            Rule::NoPidFile { .. } => "systemd.service(5), \"PIDFile=\"",
            Rule::NoBusName { .. } => "systemd.service(5), \"BusName=\"",
            Rule::TimerFindsActiveService { .. } => "systemd.timer(5), \"Description\"",
            Rule::MachineEnded { .. } => "systemd.unit(5), \"FailureAction=, SuccessAction=\"",
            Rule::ProcessorBusy { .. } => "systemd.resource-control(5), \"CPUQuota=\"",
            Rule::WentBlind { how, .. } => match how {
                Blinding::LogLevelMax => "systemd.exec(5), \"LogLevelMax=\"",
                Blinding::LogLevel { .. } | Blinding::LogTarget { .. } => "systemd(1), \"Signals\"",
                _ => "systemd-journald.service(8), \"Description\"",
            },
            Rule::HangUnnoticed
            | Rule::WatchdogNeverFed { .. }
            | Rule::WatchdogEndsAnswering { .. } => "systemd.service(5), \"WatchdogSec=\"",
            Rule::LimitNeverReached { .. } => {
                "systemd.unit(5), \"StartLimitIntervalSec=interval, StartLimitBurst=burst\""
            }
            Rule::SettingInWrongSection { .. } => "systemd.unit(5), \"Description\"",
            Rule::WatchdogFedRegardless { .. } => "sd_notify(3), \"WATCHDOG=1\"",
            Rule::NotificationFlood { .. } => "sd_notify(3), \"Description\"",
            Rule::LogFlood { .. } => "journald.conf(5), \"RateLimitIntervalSec=, RateLimitBurst=\"",
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
            Rule::DefaultStartLimit { .. }
            | Rule::StepsNeverReset { .. }
            | Rule::LimitNeverReached { .. } => Some("limits.md"),
            Rule::HangUnnoticed
            | Rule::WatchdogNeverFed { .. }
            | Rule::WatchdogEndsAnswering { .. }
            | Rule::WatchdogFedRegardless { .. } => Some("watchdogs.md"),
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
