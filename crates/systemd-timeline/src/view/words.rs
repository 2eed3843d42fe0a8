//! One event in words.

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::{
    Blinding, MachineEnd, ProbeOutcome, ResponseOutcome, StepOutcome,
};

use super::WARNING;
use crate::names::{exit_status, signal_name};
use crate::visible::visible;

/// syslog(3), the least severe.
pub(crate) const DEBUG: u8 = 7;

/// One event as a line, in systemd's own words if there are any. `None` for events that people need not see. A service's
/// words are [`visible`].
pub fn describe(kind: &EventKind) -> Option<String> {
    words(kind).map(|text| visible(&text))
}

fn words(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::JobQueued { job } => format!("{job} job queued"),
        EventKind::JobEnded { job, result } => format!("{job} job: {result}"),
        EventKind::StateChanged { from, to } => format!("{from} -> {to}"),
        EventKind::Notified { assignments, .. } => assignments.join(" "),
        EventKind::NotificationRefused { .. } => {
            "a notification from another process was dropped".to_owned()
        }
        EventKind::ProcessExited {
            role,
            code,
            status,
            command,
            is_ignored,
        } => {
            let process = match command {
                Some(command) => command.clone(),
                None => format!("{role} process"),
            };
            let ignored = match is_ignored {
                true => "; ignored, since the command begins with \"-\"",
                false => "",
            };
            format!("{process} {code}, {}{ignored}", status_text(code, *status))
        }
        EventKind::Killing { signal, .. } => format!("{signal} sent"),
        EventKind::WatchdogTimeout { message } | EventKind::Timeout { message } => message.clone(),
        EventKind::Failed { result } => format!("failed: {result}"),
        EventKind::Deactivated => "deactivated successfully".to_owned(),
        EventKind::RestartScheduled { counter } => format!("restart {counter}"),
        EventKind::StartLimitHit => "start limit hit".to_owned(),
        EventKind::UnitFile { message, .. } => format!("unit file: {message}"),
        EventKind::Manager { priority, message } if explains(*priority, message) => {
            format!("systemd: {}", message.trim_start())
        }
        EventKind::Log { message, .. } => format!("log: {message}"),
        EventKind::LogDropped { lines, priority } => {
            let lines = match lines {
                1 => "1 line".to_owned(),
                many => format!("{many} lines"),
            };
            let whose = match *priority {
                DEBUG.. => " at debug level, which may be systemd's own",
                _ => "",
            };
            format!(
                "journald dropped {lines} of the log{whose}: more than LogRateLimitBurst= allows within LogRateLimitIntervalSec="
            )
        }
        EventKind::ListenerOpened { address } => format!("listening on {address}"),
        EventKind::ListenerClosed { address } => format!("no longer listening on {address}"),
        EventKind::Response { name, outcome } => {
            format!("request \"{name}\": {}", response_text(outcome))
        }
        EventKind::ProbeChanged { name, outcome, .. } => {
            format!("{name}: {}", probe_text(outcome))
        }
        EventKind::StepEnded { outcome, .. } => match outcome {
            StepOutcome::Done => return None,
            StepOutcome::DeadlinePassed => "the scenario gave up waiting".to_owned(),
            StepOutcome::Refused { message, .. } => format!("refused: {message}"),
        },
        EventKind::ScenarioEnded => "end of the scenario".to_owned(),
        EventKind::ProcessorBusy {
            used_us,
            system_us,
            over_us,
        } => {
            let percent = |us: &u64| 100 * us / over_us.max(&1);
            let seconds = over_us / 1_000_000;
            match used_us >= system_us {
                true => format!(
                    "has used {} % of the processor for {seconds} s without a pause",
                    percent(used_us)
                ),
                false => format!(
                    "has kept systemd and the journal busy for {seconds} s without a pause, with {} % of the processor",
                    percent(system_us)
                ),
            }
        }
        EventKind::MachineEnded { how, message } => machine_end_text(*how, message),
        EventKind::WentBlind {
            how: how @ (Blinding::Reexecuted | Blinding::ManagerCrashed { .. }),
        } => blinding_text(how),
        EventKind::WentBlind { how } => {
            format!("from here on the lab is blind: {}", blinding_text(how))
        }
        EventKind::SightRestored => "the lab sees again what systemd does".to_owned(),
        _ => return None,
    })
}

/// What kept the lab from seeing what systemd does.
pub(crate) fn blinding_text(how: &Blinding) -> String {
    match how {
        Blinding::LogLevel { level } => {
            format!("a process set systemd's log level to {level}")
        }
        Blinding::LogTarget { target } => {
            format!("a process set systemd's log target to {target}")
        }
        Blinding::LogLevelMax => {
            "LogLevelMax= came into force, and systemd logs nothing more about the unit".to_owned()
        }
        Blinding::NoJournal { message } => format!("nothing comes out of the journal ({message})"),
        Blinding::Reexecuted => {
            "systemd executes itself again, as systemctl daemon-reexec asks".to_owned()
        }
        Blinding::ManagerCrashed { message } => format!("systemd itself crashed: {message}"),
        Blinding::ForeignOutput => {
            "a process wrote into the port of the lab's agent, so the run ends here".to_owned()
        }
        Blinding::TooMuchOutput { mib } => format!(
            "a process wrote more than {mib} MiB to the console or into the port of the lab's agent, so the run ends here"
        ),
    }
}

/// systemd's messages at `warning` or worse that repeat another event, e.g. that a job failed.
const SAID_ELSEWHERE: [&str; 4] = [
    "Failed to start ",
    "Failed to stop ",
    "Failed to reload ",
    "Reload failed for ",
];

/// Messages that explain a decision of systemd's and are logged below `warning`, in the words of src/core of v252 to v262:
/// conditions and asserts that are not met, PID files, the kernel's OOM killer, jobs that units queue for each other, and
/// the end of the machine.
const EXPLANATIONS: [&str; 19] = [
    "unmet condition",
    "no trigger condition checks were met",
    "reference to PID ",
    "Condition check resulted in",
    "Starting requested but asserts failed",
    "unmet assertion",
    "Skipped due to ",
    "PID file",
    "New main PID",
    "killed by the OOM killer",
    "kernel OOM killer killed",
    "eft-over process",
    "remains running after unit stopped",
    "because bound to inactive unit",
    "Unit not needed anymore",
    "because upheld by",
    "ordering cycle",
    "Rebooting: ",
    "Powering off: ",
];

/// With several asserts, only the debug log says which one failed: `AssertPathExists=/etc/my.conf failed.`
fn is_failed_assert(message: &str) -> bool {
    message.starts_with("Assert") && message.contains('=') && message.ends_with(" failed.")
}

/// Whether systemd's own words explain a failure or a decision. At `debug` it logs much more, but hardly any explanations.
fn explains(priority: u8, message: &str) -> bool {
    let is_said_elsewhere = || {
        SAID_ELSEWHERE
            .iter()
            .any(|begin| message.starts_with(begin))
    };
    match priority {
        ..=WARNING => !is_said_elsewhere(),
        DEBUG.. => is_failed_assert(message),
        _ => EXPLANATIONS.iter().any(|words| message.contains(words)),
    }
}

/// How a machine ended.
pub(crate) fn machine_end_text(how: MachineEnd, message: &str) -> String {
    match how {
        MachineEnd::Rebooted => "the machine reboots".to_owned(),
        MachineEnd::PoweredOff => "the machine powers off".to_owned(),
        MachineEnd::Halted => "the machine halts".to_owned(),
        MachineEnd::SoftRebooted => "the machine soft-reboots: user space starts again".to_owned(),
        MachineEnd::Panicked => format!("the kernel panics: {}", panic_cause(message)),
        MachineEnd::AgentEnded => {
            "the lab goes blind: a process in the guest ended its agent".to_owned()
        }
    }
}

fn panic_cause(message: &str) -> &str {
    message
        .rsplit_once("not syncing: ")
        .map_or(message, |(_, cause)| cause)
}

fn status_text(code: &str, status: i32) -> String {
    if code == "exited" {
        format!("status {}", exit_status(status))
    } else {
        format!("by {}", signal_name(status))
    }
}

fn response_text(outcome: &ResponseOutcome) -> String {
    match outcome {
        ResponseOutcome::Answered { status, body } => format!("{status} {:?}", body.trim_end()),
        ResponseOutcome::Refused => "connection refused".to_owned(),
        ResponseOutcome::TimedOut => "no response in time".to_owned(),
        ResponseOutcome::Broken { .. } => "connection closed without a whole response".to_owned(),
    }
}

fn probe_text(outcome: &ProbeOutcome) -> String {
    match outcome {
        ProbeOutcome::Answered { status } => status.to_string(),
        ProbeOutcome::Connected => "connected".to_owned(),
        ProbeOutcome::Expected => "answered as expected".to_owned(),
        ProbeOutcome::Unexpected { line } => format!("answered {line:?}"),
        ProbeOutcome::Exited { status } => format!("exit status {}", exit_status(*status)),
        ProbeOutcome::Refused => "connection refused".to_owned(),
        ProbeOutcome::TimedOut => "no response in time".to_owned(),
        ProbeOutcome::Broken { .. } => "connection closed without a whole response".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(priority: u8, message: &str) -> Option<String> {
        let message = message.to_owned();
        describe(&EventKind::Manager { priority, message })
    }

    #[test]
    fn dropped_lines_are_counted() {
        let said = |lines, priority| describe(&EventKind::LogDropped { lines, priority });
        for (said, expected) in [
            (
                said(955, 6),
                "journald dropped 955 lines of the log: more than LogRateLimitBurst= allows within LogRateLimitIntervalSec=",
            ),
            (
                said(1, 7),
                "journald dropped 1 line of the log at debug level, which may be systemd's own: more than LogRateLimitBurst= allows within LogRateLimitIntervalSec=",
            ),
        ] {
            assert_eq!(said.as_deref(), Some(expected));
        }
    }

    #[test]
    fn explanations_are_shown_and_noise_is_not() {
        for (priority, message) in [
            (
                3,
                "Failed to set up mount namespacing: /x: No such file or directory",
            ),
            (
                3,
                "Failed at step USER spawning /bin/sleep: No such process",
            ),
            (4, "a.service: Found ordering cycle on b.service/start"),
            (
                6,
                "skipped, unmet condition check ConditionPathExists=/etc/c.conf",
            ),
            (
                6,
                "Can't open PID file '/run/x.pid' (yet?) after start: No such file or directory",
            ),
            (7, "AssertPathExists=/etc/c.conf failed."),
            (
                5,
                "A process of this unit has been killed by the OOM killer.",
            ),
            (
                5,
                "The kernel OOM killer killed some processes in this unit.",
            ),
        ] {
            assert_eq!(said(priority, message), Some(format!("systemd: {message}")));
        }
        for (priority, message) in [
            (7, "AssertPathExists=/etc/c.conf succeeded."),
            (3, "Failed to start t.service."),
            (6, "Started t.service."),
            (
                7,
                "Failed to set 'memory.zswap.max' attribute on '/x' to 'max': No such file",
            ),
            (7, "PID file /run/x.pid not readable (yet?)"),
        ] {
            assert_eq!(said(priority, message), None, "{message}");
        }
    }
}
