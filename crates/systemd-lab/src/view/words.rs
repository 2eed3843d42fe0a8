//! One event in words.

use systemd_lab_protocol::EventKind;
use systemd_lab_protocol::event::{ProbeOutcome, ResponseOutcome, StepOutcome};

/// One event in a line, in systemd's own words where it has some. `None` for what people need not see.
pub fn describe(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::JobQueued { job } => format!("{job} job queued"),
        EventKind::JobEnded { job, result } => format!("{job} job: {result}"),
        EventKind::StateChanged { from, to } => format!("{from} -> {to}"),
        EventKind::Notified { assignments, .. } => assignments.join(" "),
        EventKind::NotificationRefused { .. } => {
            "a notification from another process was dropped".to_owned()
        }
        EventKind::ProcessExited { role, code, status } => {
            format!("{role} process {code}, {}", status_text(code, *status))
        }
        EventKind::Killing { signal, .. } => format!("{signal} sent"),
        EventKind::WatchdogTimeout { message } | EventKind::Timeout { message } => message.clone(),
        EventKind::Failed { result } => format!("failed: {result}"),
        EventKind::Deactivated => "deactivated successfully".to_owned(),
        EventKind::RestartScheduled { counter } => format!("restart {counter}"),
        EventKind::StartLimitHit => "start limit hit".to_owned(),
        EventKind::UnitFile { message, .. } => format!("unit file: {message}"),
        EventKind::Log { message, .. } => format!("log: {message}"),
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
        _ => return None,
    })
}

fn status_text(code: &str, status: i32) -> String {
    if code == "exited" {
        format!("status {status}")
    } else {
        format!("by {}", signal_name(status))
    }
}

/// Names of the signals that services meet: signal(7), x86-64.
pub(crate) fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        6 => "SIGABRT",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        other => return format!("signal {other}"),
    }
    .to_owned()
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
        ProbeOutcome::Refused => "connection refused".to_owned(),
        ProbeOutcome::TimedOut => "no response in time".to_owned(),
        ProbeOutcome::Broken { .. } => "connection closed without a whole response".to_owned(),
    }
}
