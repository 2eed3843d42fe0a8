//! What to change because of a finding, and where to read more.

use systemd_lab_protocol::event::{Blinding, MachineEnd};

use super::{DependencyEnd, ENVIRONMENT_FILE, Finding, Rule};
use crate::unit_file::time_zone;

/// The beginning of systemd's message about an `OnCalendar=` that it cannot read; the value follows: `config_parse_timer` of its
/// load-fragment.c, in versions 252 to 257.
const NOT_A_CALENDAR_EVENT: &str = "Failed to parse calendar specification, ignoring: ";

impl Finding {
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
                "make RestartSec= long enough to outlast an outage, and StartLimitIntervalSec= and StartLimitBurst= in [Unit] to match"
            }
            Rule::StepsNeverReset { .. } => {
                "choose a RestartMaxDelaySec= that you can bear after a good day, or reset the counter with systemctl reset-failed"
            }
            Rule::StopSignalIgnored { .. } => {
                "handle the signal, or set KillSignal= to one that the service handles. If a shell is in between, start the program with exec"
            }
            Rule::StopLeavesProcesses { instead: None, .. } => {
                "handle the signal, or remove SendSIGKILL=no: a process that survives a stop gets in the way of the next start"
            }
            Rule::StopLeavesProcesses { .. } => {
                "handle the signals, or remove FinalKillSignal=: no process can ignore SIGKILL"
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
            Rule::DependencyFailed {
                other: Some(other), ..
            } if other.ends_with(".device") => {
                "correct the device's name, or put the device into the machine; x-systemd.device-timeout= and JobTimeoutSec= limit the wait"
            }
            Rule::DependencyFailed {
                end: DependencyEnd::NotActive,
                ..
            } => "start the other unit first, or use Requires= with After=, which starts it",
            Rule::DependencyFailed {
                end: DependencyEnd::Skipped,
                ..
            } => {
                "make the other unit's condition true, or use Requires= or Wants= with After=: they go on when a start is skipped"
            }
            Rule::DependencyFailed {
                end: DependencyEnd::AssertFailed | DependencyEnd::NotStarted,
                ..
            } => "repair the other unit's start first, or use Wants= if this one can do without it",
            Rule::DependencyFailed { .. } => {
                "use Wants= instead of Requires=, so that the unit starts and waits for the other one by itself, or let the other one restart with RestartMode=direct"
            }
            Rule::ConditionUnmet { message } if message.contains("Assert") => {
                "make the assertion true, or remove it: until then, each start job fails"
            }
            Rule::ConditionUnmet { .. } => {
                "make the condition true, or remove it: an unmet condition is not a failure, so nobody is told"
            }
            Rule::JobTimedOut {
                has_begun: false, ..
            } => {
                "give the job as much time as all that it waits for may take, or limit the other unit with TimeoutStartSec="
            }
            Rule::JobTimedOut { .. } => {
                "limit the unit with TimeoutStartSec= and TimeoutStopSec= instead: when these pass, systemd ends the unit's processes"
            }
            Rule::OrderingCycle => {
                "remove one of the After= and Before= that make the cycle; the timeline names its units"
            }
            Rule::TriggeredTooOften { .. } => {
                "let the service take what triggers it: the file of a PathExists=, the connection of a socket. A service that fails before that leaves it there"
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
                "choose another address, or find out what else listens there; two lines with the same address fail, too"
            }
            Rule::CannotListen { message } if message.contains("assign requested address") => {
                "use an address of this machine, or set FreeBind=yes to listen on one that comes later"
            }
            Rule::CannotListen { .. } => {
                "correct the line; with Accept=yes, systemd starts an instance of a template for each connection, NAME@.service"
            }
            Rule::ResourcesFailed { message, .. } if !message.contains(ENVIRONMENT_FILE) => {
                "remove the cause that systemd's message names"
            }
            Rule::ResourcesFailed { message, .. } if message.contains("No such file") => {
                "put the file into the guest, or begin its path with - if the service can do without it"
            }
            Rule::ResourcesFailed { .. } => {
                "let the path lead to a text file with a line for each variable, or begin it with - if the service can do without the file"
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
                    "put the program into the guest, and the interpreter in a script's first line; that line must not end in a carriage return"
                }
            },
            Rule::ExecFailed { .. } => "correct the line, or put what it names into the guest",
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
                how: MachineEnd::Panicked,
                setting: Some(_),
                ..
            } => {
                "remove the setting, or limit the service with MemoryMax=: then it reaches its own limit before the machine has no memory left"
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
                "let it wait for something: a loop without a pause, a retry without a delay and a poll without a timeout do this; CPUQuota= limits it"
            }
            Rule::WentBlind { how, .. } => match how {
                Blinding::LogLevel { .. } | Blinding::LogTarget { .. } => {
                    "leave systemd's own log as it is: the lab sees what systemd does by its debug log"
                }
                Blinding::LogLevelMax => {
                    "give the lab the drop-in as a file, before the run: then it takes LogLevelMax= back and sees what systemd does"
                }
                Blinding::Reexecuted => {
                    "leave daemon-reexec to updates of systemd; what the service did meanwhile is unknown, and it goes on"
                }
                Blinding::ManagerCrashed { .. } => {
                    "send signals only to the service's own processes: PID 1 is systemd, and the machine needs a reboot after this"
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
                "send WATCHDOG=1 only after a self-test that takes the same path as a request, from the process that serves"
            }
            Rule::NotificationFlood { .. } => {
                "wait between two notifications, or send one only when something has changed"
            }
            Rule::LogFlood { .. } => "wait before trying again, or log what repeats once",
            Rule::FailureIgnored { .. } => {
                "remove the - if the failure should count; then Restart= and OnFailure= act on it"
            }
            Rule::OneOfCommandsFailed { .. } => {
                "correct the command, or begin it with - if the rest should run without it"
            }
            Rule::RestartPrevented { .. } => {
                "remove the status from RestartPreventExitStatus= if systemd should restart the service after it"
            }
            Rule::StoppedOnRequest { .. } => {
                "end the process instead of the unit, or use systemctl restart, if the service should run again"
            }
            Rule::ExtensionRanOut { .. } => {
                "ask for more time again before the last extension is over, or ask for as much as it can take; the value is in microseconds, counted from the message"
            }
            Rule::StopCommandEnds { .. } => {
                "let ExecStop= ask the service to end, or remove it: systemd sends SIGTERM, and SIGKILL after TimeoutStopSec="
            }
            Rule::OneshotTimedOut { .. } => {
                "set TimeoutStartSec= to what the work may take (without it, Type=oneshot has no limit), or use Type=exec for a program that goes on running"
            }
            Rule::WatchdogShortened { .. } => {
                "send WATCHDOG=1 at least every half of that time, or don't send WATCHDOG_USEC=, which replaces WatchdogSec="
            }
            Rule::UnitRefused { .. } | Rule::LineIgnored { .. } if self.names_time_zone() => {
                "add the Debian package tzdata (--package tzdata): without it, the guest has no time zones but UTC. If it is there, correct the line"
            }
            Rule::UnitRefused { .. } => "correct the line: nothing starts until then",
            Rule::CommandFailed { .. } => {
                "correct the command, or begin it with - if its failure does not matter"
            }
            Rule::NoShell { .. } => {
                "start a shell that runs the line: /bin/sh -c '…'; StandardOutput=append: and several ExecStart= need none"
            }
            Rule::LineIgnored { .. } => "correct the line: the unit runs without it",
            Rule::ReloadEnds { .. } => {
                "handle the signal of the reload, or remove what makes the unit reloadable: then a reload is refused, and the service goes on"
            }
            Rule::TooManyTasks { .. } => {
                "find out what starts so many, e.g. children that no one waits for, or raise TasksMax="
            }
            Rule::TriggerLimitHit { .. } => {
                "let the service take what triggers it before it ends, or raise the limit; start the unit again to make it listen"
            }
        }
    }

    /// The manual page and section that it is based on.
    pub fn manual(&self) -> &'static str {
        match &self.rule {
            Rule::NeverReady => "systemd.service(5), \"Type=\"",
            Rule::NeverForked => "systemd.service(5), \"Type=\"",
            Rule::StartNeverEnds => "systemd.service(5), \"TimeoutStartSec=\"",
            Rule::SystemCallForbidden if self.is_decided_by("SystemCallArchitectures") => {
                "systemd.exec(5), \"SystemCallArchitectures=\""
            }
            Rule::SystemCallForbidden if self.is_decided_by("RestrictAddressFamilies") => {
                "systemd.exec(5), \"RestrictAddressFamilies=\""
            }
            Rule::SystemCallForbidden if self.is_decided_by("RestrictNamespaces") => {
                "systemd.exec(5), \"RestrictNamespaces=\""
            }
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
            Rule::StopLeavesProcesses { instead: None, .. } => "systemd.kill(5), \"SendSIGKILL=\"",
            Rule::StopLeavesProcesses { .. } => "systemd.kill(5), \"FinalKillSignal=\"",
            Rule::StopCountsAsFailure { .. } => "systemd.service(5), \"SuccessExitStatus=\"",
            Rule::StoppedByDependency { .. } => "systemd.service(5), \"Restart=\"",
            Rule::JobTimedOut { .. } => {
                "systemd.unit(5), \"JobTimeoutSec=, JobRunningTimeoutSec=\""
            }
            Rule::OrderingCycle => "systemd.unit(5), \"Before=, After=\"",
            Rule::TriggeredTooOften { by } if by.ends_with(".socket") => {
                "systemd.socket(5), \"Description\""
            }
            Rule::TriggeredTooOften { .. } => "systemd.path(5), \"PathExists=\"",
            Rule::TimerNeverFires { .. } => "systemd.timer(5), \"OnUnitActiveSec=\"",
            Rule::GoesIntoBackground { .. } => "systemd.service(5), \"Type=\"",
            Rule::CommandTimedOut { timeout, .. } if timeout == "TimeoutStopSec" => {
                "systemd.service(5), \"TimeoutStopSec=\""
            }
            Rule::CommandTimedOut { .. } => "systemd.service(5), \"TimeoutStartSec=\"",
            Rule::CommandNotFound { .. } => "systemd.service(5), \"Command lines\"",
            Rule::CannotListen { .. } => "systemd.socket(5), \"ListenStream=\"",
            Rule::ResourcesFailed { message, .. } if message.contains(ENVIRONMENT_FILE) => {
                "systemd.exec(5), \"EnvironmentFile=\""
            }
            Rule::ResourcesFailed { .. } => "systemd.exec(5), \"$SERVICE_RESULT\"",
            Rule::DependencyFailed {
                end: DependencyEnd::NotActive,
                ..
            } => "systemd.unit(5), \"Requisite=\"",
            Rule::DependencyFailed {
                end: DependencyEnd::Skipped,
                ..
            } => "systemd.unit(5), \"BindsTo=\"",
            Rule::DependencyFailed { .. } => "systemd.unit(5), \"Requires=\"",
            Rule::ConditionUnmet { .. } if self.is_decided_by("ExecCondition") => {
                "systemd.service(5), \"ExecCondition=\""
            }
            Rule::ConditionUnmet { .. } => "systemd.unit(5), \"Conditions and Asserts\"",
            Rule::ExecFailed { .. } => "systemd.exec(5), \"Process Exit Codes\"",
            Rule::OutOfMemory { .. } => "systemd.service(5), \"OOMPolicy=\"",
            Rule::NoPidFile { .. } => "systemd.service(5), \"PIDFile=\"",
            Rule::NoBusName { .. } => "systemd.service(5), \"BusName=\"",
            Rule::TimerFindsActiveService { .. } => "systemd.timer(5), \"Description\"",
            Rule::MachineEnded {
                how: MachineEnd::Panicked,
                setting: Some(_),
                ..
            } => "systemd.exec(5), \"OOMScoreAdjust=\"",
            Rule::MachineEnded { .. } if self.is_decided_by("JobTimeoutAction") => {
                "systemd.unit(5), \"JobTimeoutAction=, JobTimeoutRebootArgument=\""
            }
            Rule::MachineEnded { .. } if self.is_decided_by("StartLimitAction") => {
                "systemd.unit(5), \"StartLimitAction=\""
            }
            Rule::MachineEnded {
                setting: None,
                is_asked_for: true,
                ..
            } => "systemctl(1), \"System Commands\"",
            Rule::MachineEnded { .. } => "systemd.unit(5), \"FailureAction=, SuccessAction=\"",
            Rule::ProcessorBusy { .. } => "systemd.resource-control(5), \"CPUQuota=\"",
            Rule::WentBlind { how, .. } => match how {
                Blinding::LogLevelMax => "systemd.exec(5), \"LogLevelMax=\"",
                Blinding::LogLevel { .. }
                | Blinding::LogTarget { .. }
                | Blinding::ManagerCrashed { .. } => "systemd(1), \"Signals\"",
                Blinding::Reexecuted => "systemctl(1), \"daemon-reexec\"",
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
            Rule::FailureIgnored { .. } => "systemd.service(5), \"Command lines\"",
            Rule::OneOfCommandsFailed { .. } => "systemd.service(5), \"ExecStart=\"",
            Rule::RestartPrevented { .. } => "systemd.service(5), \"RestartPreventExitStatus=\"",
            Rule::StoppedOnRequest { .. } => "systemd.service(5), \"Restart=\"",
            Rule::ExtensionRanOut { .. } => "sd_notify(3), \"EXTEND_TIMEOUT_USEC=…\"",
            Rule::StopCommandEnds { .. } => "systemd.service(5), \"ExecStop=\"",
            Rule::OneshotTimedOut { .. } => "systemd.service(5), \"TimeoutStartSec=\"",
            Rule::WatchdogShortened { .. } => "sd_notify(3), \"WATCHDOG_USEC=…\"",
            Rule::LineIgnored { .. } | Rule::UnitRefused { .. } if self.names_time_zone() => {
                "systemd.time(7), \"Calendar Events\""
            }
            Rule::LineIgnored { .. } | Rule::UnitRefused { .. } => {
                "systemd.unit(5), \"Description\""
            }
            Rule::CommandFailed { setting, .. } if setting == "ExecStopPost" => {
                "systemd.service(5), \"ExecStopPost=\""
            }
            Rule::CommandFailed { setting, .. } if setting == "ExecStop" => {
                "systemd.service(5), \"ExecStop=\""
            }
            Rule::CommandFailed { .. } => "systemd.service(5), \"ExecStartPre=, ExecStartPost=\"",
            Rule::NoShell { .. } => "systemd.service(5), \"Command lines\"",
            Rule::ReloadEnds {
                signal: Some(_), ..
            } => "systemd.service(5), \"ReloadSignal=\"",
            Rule::ReloadEnds { .. } => "systemd.service(5), \"ExecReload=\"",
            Rule::TooManyTasks { .. } => "systemd.resource-control(5), \"TasksMax=N\"",
            Rule::TriggerLimitHit { .. } if self.unit.ends_with(".path") => {
                "systemd.path(5), \"TriggerLimitIntervalSec=, TriggerLimitBurst=\""
            }
            Rule::TriggerLimitHit { .. } => {
                "systemd.socket(5), \"TriggerLimitIntervalSec=, TriggerLimitBurst=\""
            }
            Rule::LogFlood { .. } => "journald.conf(5), \"RateLimitIntervalSec=, RateLimitBurst=\"",
        }
    }

    /// Whether systemd does not read a calendar event that names a time zone. systemd does not say which part of it is wrong.
    pub fn names_time_zone(&self) -> bool {
        let (Rule::LineIgnored { message } | Rule::UnitRefused { message }) = &self.rule else {
            return false;
        };
        let event = message.strip_prefix(NOT_A_CALENDAR_EVENT);
        event.is_some_and(|event| time_zone(event).is_some())
    }

    /// Whether the deciding line has this setting.
    fn is_decided_by(&self, setting: &str) -> bool {
        let place = self.place.as_ref();
        let line = place.and_then(|place| place.text.strip_prefix(setting));
        line.is_some_and(|value| value.trim_start().starts_with('='))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Place;

    fn manual(rule: Rule, line: &str) -> &'static str {
        let place = Place {
            file: "a.service".to_owned(),
            line: 2,
            text: line.to_owned(),
        };
        let finding = Finding {
            place: Some(place),
            ..Finding::new("a.service", rule, [])
        };
        finding.manual()
    }

    #[test]
    fn the_manual_is_that_of_the_deciding_setting() {
        let unmet = || Rule::ConditionUnmet {
            message: "it did not succeed".to_owned(),
        };
        let ended = |line: &str| Rule::MachineEnded {
            how: MachineEnd::Rebooted,
            message: String::new(),
            setting: Some(line.to_owned()),
            is_asked_for: true,
        };
        let of_machine = |line: &str| manual(ended(line), line);
        let timed_out = |timeout: &str| Rule::CommandTimedOut {
            command: "ExecStop".to_owned(),
            timeout: timeout.to_owned(),
            timeout_us: 1,
        };
        let reload = |signal: Option<&str>| Rule::ReloadEnds {
            status: "SIGHUP".to_owned(),
            signal: signal.map(str::to_owned),
        };
        for (found, expected) in [
            (
                manual(unmet(), "ExecCondition=/usr/bin/false"),
                "systemd.service(5), \"ExecCondition=\"",
            ),
            (
                manual(unmet(), "ConditionPathExists=/absent"),
                "systemd.unit(5), \"Conditions and Asserts\"",
            ),
            (
                of_machine("JobTimeoutAction=reboot"),
                "systemd.unit(5), \"JobTimeoutAction=, JobTimeoutRebootArgument=\"",
            ),
            (
                of_machine("StartLimitAction=reboot"),
                "systemd.unit(5), \"StartLimitAction=\"",
            ),
            (
                of_machine("FailureAction=reboot"),
                "systemd.unit(5), \"FailureAction=, SuccessAction=\"",
            ),
            (
                manual(timed_out("TimeoutStopSec"), "ExecStop=/usr/bin/sleep 100"),
                "systemd.service(5), \"TimeoutStopSec=\"",
            ),
            (
                manual(
                    timed_out("TimeoutStartSec"),
                    "ExecStartPre=/usr/bin/sleep 100",
                ),
                "systemd.service(5), \"TimeoutStartSec=\"",
            ),
            (
                manual(Rule::SystemCallForbidden, "RestrictNamespaces=yes"),
                "systemd.exec(5), \"RestrictNamespaces=\"",
            ),
            (
                manual(Rule::SystemCallForbidden, "SystemCallFilter=~pause"),
                "systemd.exec(5), \"SystemCallFilter=\"",
            ),
            (
                manual(reload(Some("SIGHUP")), "Type=notify-reload"),
                "systemd.service(5), \"ReloadSignal=\"",
            ),
            (
                manual(reload(None), "ExecReload=/bin/kill -HUP $MAINPID"),
                "systemd.service(5), \"ExecReload=\"",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }
}
