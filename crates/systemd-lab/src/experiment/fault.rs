//! What is done to a service on purpose.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use systemd_lab_protocol::scenario::Whom;
use systemd_lab_protocol::{Scenario, Step};

use super::PlanError;
use crate::names;

const SIGKILL: i32 = 9;
pub(crate) const SIGCONT: i32 = 18;
pub(crate) const SIGSTOP: i32 = 19;

/// What [`Fault::from_str`] takes, for error texts.
const KNOWN: &str = "kill, kill=SIGNAL, freeze, thaw, stop, start, restart, reload";

/// Something that is done to a unit at a chosen time.
///
/// As text: `kill` (SIGKILL), `kill=SIGTERM`, `freeze`, `thaw`, `stop`, `start`, `restart`, `reload`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Sends the signal with this number to the main process, as a crash or an administrator does:
    /// `systemctl kill --kill-whom=main`.
    Kill(i32),
    /// Stops all processes of the unit with SIGSTOP: they are there, and do nothing. That is what a service looks like that
    /// hangs, and systemd is not told. (`systemctl freeze` is something else: systemd knows of it, and waits.) When systemd
    /// ends such a service, it lets it go on (SIGCONT), so that it can act on the signal.
    Freeze,
    /// Lets them go on, with SIGCONT.
    Thaw,
    /// `systemctl stop`
    Stop,
    /// `systemctl start`
    Start,
    /// `systemctl restart`
    Restart,
    /// `systemctl reload`
    Reload,
}

impl Fault {
    /// Adds it to a scenario, aimed at this unit.
    pub(super) fn add_to(self, scenario: Scenario, unit: &str) -> Scenario {
        let signal = |scenario: Scenario, signal, whom| {
            scenario.step(Step::Signal {
                unit: unit.to_owned(),
                signal,
                whom,
            })
        };
        match self {
            Fault::Kill(number) => signal(scenario, number, Whom::Main),
            Fault::Freeze => signal(scenario, SIGSTOP, Whom::All),
            Fault::Thaw => signal(scenario, SIGCONT, Whom::All),
            Fault::Stop => scenario.stop(unit),
            Fault::Start => scenario.start(unit),
            Fault::Restart => scenario.restart(unit),
            Fault::Reload => scenario.reload(unit),
        }
    }
}

impl FromStr for Fault {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Fault, PlanError> {
        Ok(match text {
            "kill" => Fault::Kill(SIGKILL),
            "freeze" => Fault::Freeze,
            "thaw" => Fault::Thaw,
            "stop" => Fault::Stop,
            "start" => Fault::Start,
            "restart" => Fault::Restart,
            "reload" => Fault::Reload,
            _ => match text.strip_prefix("kill=") {
                Some(name) => {
                    let unknown = || PlanError::UnknownSignal {
                        signal: name.to_owned(),
                        known: names::signal_names(),
                    };
                    Fault::Kill(names::signal_number(name).ok_or_else(unknown)?)
                }
                None => {
                    return Err(PlanError::UnknownFault {
                        fault: text.to_owned(),
                        known: KNOWN,
                    });
                }
            },
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Fault::Kill(number) => {
                return write!(formatter, "kill={}", names::signal_name(*number));
            }
            Fault::Freeze => "freeze",
            Fault::Thaw => "thaw",
            Fault::Stop => "stop",
            Fault::Start => "start",
            Fault::Restart => "restart",
            Fault::Reload => "reload",
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
        ] {
            let fault = text.parse::<Fault>().expect("it is known");
            assert_eq!(fault.to_string(), text);
        }
        assert!(matches!("kill".parse(), Ok(Fault::Kill(9))));
        assert!(matches!("kill=TERM".parse(), Ok(Fault::Kill(15))));
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
    }
}
