//! Deliberate faults of a service.

use std::fmt;
use std::str::FromStr;

use std::time::Duration;

use serde::{Serialize, Serializer};
use systemd_lab_protocol::Step;
use systemd_lab_protocol::scenario::Whom;

use super::PlanError;
use systemd_timeline::names::{self, SIGCONT, SIGKILL, SIGSTOP};

/// The texts that [`Fault::from_str`] accepts, for error messages.
const KNOWN: &str = "kill, kill=SIGNAL, kill-all, kill-all=SIGNAL, freeze, thaw, oom, stop, start, restart, reload, reset-failed, \
                     daemon-reload, run=COMMAND, reboot";

/// The beginning of a command's text; everything after it is the command.
const RUN: &str = "run=";

/// The program that runs the commands.
const SHELL: &str = "/bin/sh";

/// Something that the lab does to a unit at a chosen time.
///
/// As text: `kill` (SIGKILL), `kill=SIGTERM`, `kill-all`, `kill-all=SIGTERM`, `freeze`, `thaw`, `oom`, `stop`, `start`, `restart`,
/// `reload`, `reset-failed`, `daemon-reload`, `run=COMMAND`, `reboot`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Sends the signal with this number to the main process, as a crash or an administrator does:
    /// `systemctl kill --kill-whom=main`.
    Kill(i32),
    /// Sends the signal with this number to every process of the unit: `systemctl kill`.
    KillAll(i32),
    /// Stops all processes of the unit with SIGSTOP: they exist, but do nothing, like a service that hangs. systemd does
    /// not know about it. (`systemctl freeze` is different: systemd knows, and waits.) When systemd stops such a service,
    /// it also sends SIGCONT, so that the service can act on the signal.
    Freeze,
    /// Lets them continue, with SIGCONT.
    Thaw,
    /// Makes the unit run out of memory: the kernel kills its largest process, or all of them with `OOMPolicy=kill`.
    Oom,
    /// `systemctl stop`
    Stop,
    /// `systemctl start`
    Start,
    /// `systemctl restart`
    Restart,
    /// `systemctl reload`
    Reload,
    /// `systemctl reset-failed`: clears the failed state, and the counters of restarts and of the start limit.
    ResetFailed,
    /// `systemctl daemon-reload`. It does not concern a particular unit.
    DaemonReload,
    /// Runs a command in the guest: `/bin/sh -c COMMAND`, as root. It does not concern a particular unit. The run does not wait for
    /// it; its exit status and output are an event ([`EventKind::Command`](systemd_lab_protocol::EventKind::Command)).
    Run(String),
    /// `systemctl reboot`: systemd stops everything, and the run ends with the machine. It does not concern a particular unit.
    Reboot,
}

impl Fault {
    /// Whether the fault affects a particular unit.
    pub fn hits_unit(&self) -> bool {
        !matches!(self, Fault::DaemonReload | Fault::Run(_) | Fault::Reboot)
    }

    /// The type of the job that it queues, in systemd's words.
    pub(super) fn job(&self) -> Option<&'static str> {
        match self {
            Fault::Start => Some("start"),
            Fault::Stop => Some("stop"),
            Fault::Restart => Some("restart"),
            Fault::Reload => Some("reload"),
            _ => None,
        }
    }

    /// The fault as a step of a scenario, aimed at this unit; a command may run for at most `longest`.
    pub(super) fn step(&self, unit: &str, longest: Duration) -> Step {
        let unit = unit.to_owned();
        let signal = |unit, signal, whom| Step::Signal { unit, signal, whom };
        match self {
            Fault::Kill(number) => signal(unit, *number, Whom::Main),
            Fault::KillAll(number) => signal(unit, *number, Whom::All),
            Fault::Freeze => signal(unit, SIGSTOP, Whom::All),
            Fault::Thaw => signal(unit, SIGCONT, Whom::All),
            Fault::Oom => Step::OutOfMemory { unit },
            Fault::Stop => Step::Stop { unit },
            Fault::Start => Step::Start { unit },
            Fault::Restart => Step::Restart { unit },
            Fault::Reload => Step::Reload { unit },
            Fault::ResetFailed => Step::ResetFailed { unit },
            Fault::DaemonReload => Step::DaemonReload,
            Fault::Reboot => Step::Reboot,
            Fault::Run(command) => Step::RunInBackground {
                argv: [SHELL, "-c", command].map(str::to_owned).to_vec(),
                deadline: longest,
            },
        }
    }
}

impl Fault {
    /// Reads `FAULT@UNIT` or `FAULT`. An `@` in a command is part of the command.
    ///
    /// # Errors
    ///
    /// As [`Fault::from_str`].
    pub fn parse_with_unit(text: &str) -> Result<(Fault, Option<&str>), PlanError> {
        match text.split_once('@') {
            Some((fault, unit)) if !text.starts_with(RUN) => Ok((fault.parse()?, Some(unit))),
            _ => Ok((text.parse()?, None)),
        }
    }
}

impl FromStr for Fault {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Fault, PlanError> {
        if let Some(command) = text.strip_prefix(RUN).filter(|it| !it.trim().is_empty()) {
            return Ok(Fault::Run(command.to_owned()));
        }
        let (word, name) = match text.split_once('=') {
            Some((word, name)) => (word, Some(name)),
            None => (text, None),
        };
        let signal = || match name {
            None => Ok(SIGKILL),
            Some(name) => names::signal_number(name).ok_or_else(|| PlanError::UnknownSignal {
                signal: name.to_owned(),
                known: names::signal_names(),
            }),
        };
        Ok(match (word, name) {
            ("kill", _) => Fault::Kill(signal()?),
            ("kill-all", _) => Fault::KillAll(signal()?),
            ("freeze", None) => Fault::Freeze,
            ("thaw", None) => Fault::Thaw,
            ("oom", None) => Fault::Oom,
            ("stop", None) => Fault::Stop,
            ("start", None) => Fault::Start,
            ("restart", None) => Fault::Restart,
            ("reload", None) => Fault::Reload,
            ("reset-failed", None) => Fault::ResetFailed,
            ("daemon-reload", None) => Fault::DaemonReload,
            ("reboot", None) => Fault::Reboot,
            _ => {
                return Err(PlanError::UnknownFault {
                    fault: text.to_owned(),
                    known: KNOWN,
                });
            }
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Fault::Kill(number) => {
                return write!(formatter, "kill={}", names::signal_name(*number));
            }
            Fault::KillAll(number) => {
                return write!(formatter, "kill-all={}", names::signal_name(*number));
            }
            Fault::Run(command) => return write!(formatter, "{RUN}{command}"),
            Fault::Freeze => "freeze",
            Fault::Thaw => "thaw",
            Fault::Oom => "oom",
            Fault::Stop => "stop",
            Fault::Start => "start",
            Fault::Restart => "restart",
            Fault::Reload => "reload",
            Fault::ResetFailed => "reset-failed",
            Fault::DaemonReload => "daemon-reload",
            Fault::Reboot => "reboot",
        };
        formatter.write_str(word)
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_written_as_it_is_read() {
        for text in [
            "kill=SIGKILL",
            "kill=SIGSYS",
            "kill=SIGRTMIN+3",
            "freeze",
            "thaw",
            "stop",
            "start",
            "reload",
            "kill-all=SIGTERM",
            "oom",
            "reset-failed",
            "daemon-reload",
            "reboot",
            "run=echo a@b = c",
        ] {
            let fault = text.parse::<Fault>().expect("it is known");
            assert_eq!(fault.to_string(), text);
        }
        assert!(matches!("kill".parse(), Ok(Fault::Kill(9))));
        assert!(matches!("kill=TERM".parse(), Ok(Fault::Kill(15))));
        assert!(matches!("kill-all".parse(), Ok(Fault::KillAll(9))));
    }

    #[test]
    fn what_is_unknown_is_refused_with_what_is_known() {
        let error = |text: &str| {
            text.parse::<Fault>()
                .expect_err("it is unknown")
                .to_string()
        };
        assert!(error("explode").contains("restart"));
        assert!(error("kill=SIGFOO").contains("SIGTERM"));
        assert!(error("kill=").contains("SIGTERM"));
        assert!(error("run= ").contains("run=COMMAND"));
        assert!(error("stop=now").contains("restart"));
    }
}
