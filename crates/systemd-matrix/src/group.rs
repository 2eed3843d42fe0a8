//! Units that are tried together: their parts, and what is done to them.

use std::time::Duration;

use systemd_lab::GuestFile;
use systemd_lab::protocol::{Scenario, Step};

use crate::trial::Trial;

/// Limits each wait for a unit to come up, and each command. They usually take a second or two.
const DEADLINE: Duration = Duration::from_secs(30);

/// `RestartSec=` of all units, except for those whose delay is measured. It is long enough that nothing restarts before
/// the other units of the group have ended, and that timer slack (250 ms) cannot be mistaken for a whole second of it.
pub(crate) const RESTART_SEC: Duration = Duration::from_secs(5);

/// How long a group is watched by default: an end after a second or two, a delay, the same end again, a second delay,
/// and just as much to spare. Idle time costs next to nothing.
const WATCHED: Duration = Duration::from_secs(20);

/// Runs in the guest. It is one line, so that there is nothing to wait for except bash itself, and uses only
/// bash's built-in commands. Asking systemd about each unit would cost a connection for each.
const SIGNAL_MAIN_PROCESSES: &str = "signal=$1; shift; for unit; do read -r pid < /sys/fs/cgroup/system.slice/$unit/cgroup.procs && kill -$signal $pid || exit 1; done";

/// One unit.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// e.g. `core-dump-on-abort.service`.
    pub(crate) name: String,
    text: String,
    /// Whether it is started with its group. Others exist so that units can start them.
    is_started: bool,
    /// Whether the group's action applies to it.
    is_target: bool,
}

impl Unit {
    /// A service with these lines for `[Unit]` and for `[Service]`. `name` is the unit's name without its suffix.
    ///
    /// The programs here print nothing: a stream to the journal for each would be a tenth of the work.
    pub(crate) fn service(name: &str, unit: &str, service: &str) -> Unit {
        Unit {
            name: format!("{name}.service"),
            text: format!(
                "[Unit]\n{unit}\n[Service]\nStandardOutput=null\nStandardError=null\n{service}\n"
            ),
            is_started: true,
            is_target: true,
        }
    }

    /// Makes it wait: it is not started with its group.
    pub(crate) fn waiting(self) -> Unit {
        Unit {
            is_started: false,
            ..self
        }
    }

    /// The group's action does not apply to it: it is watched for the effect of another unit's fate.
    pub(crate) fn bystander(self) -> Unit {
        Unit {
            is_target: false,
            ..self
        }
    }
}

/// What is done to the units of a group after they have been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: they end by themselves, or systemd or the kernel ends them.
    Nothing,
    /// Their main processes get this signal.
    Signal(i32),
    /// `systemctl stop`.
    Stop,
    /// `systemctl restart`.
    Restart,
    /// After they have been watched, all are started once more, then watched again.
    StartAgain,
}

/// Units that are started together, with one job, and what is done to them.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The beginning of its target's name.
    name: String,
    units: Vec<Unit>,
    action: Action,
    watched: Duration,
}

impl Group {
    pub(crate) fn new(name: impl Into<String>, units: Vec<Unit>, action: Action) -> Group {
        Group {
            name: name.into(),
            units,
            action,
            watched: WATCHED,
        }
    }

    pub(crate) fn watched(self, watched: Duration) -> Group {
        Group { watched, ..self }
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = &str> {
        self.units.iter().map(|unit| unit.name.as_str())
    }

    fn targets(&self) -> impl Iterator<Item = &str> {
        let targets = self.units.iter().filter(|unit| unit.is_target);
        targets.map(|unit| unit.name.as_str())
    }

    /// The group as a trial, with its files.
    pub(crate) fn trial(&self) -> Trial {
        Trial::new(self.scenario(), self.files())
    }

    /// Starts them, carries out the action, and watches.
    fn scenario(&self) -> Scenario {
        let scenario = Scenario::new(&self.name).start(&self.start_target());
        let scenario = match self.action {
            Action::Nothing => scenario,
            Action::Signal(signal) => {
                let signal = signal.to_string();
                let command = [
                    "/usr/bin/bash",
                    "-c",
                    SIGNAL_MAIN_PROCESSES,
                    "bash",
                    &signal,
                ];
                self.command_once_running(scenario, &command)
            }
            Action::Stop => self.systemctl_once_running(scenario, "stop"),
            Action::Restart => self.systemctl_once_running(scenario, "restart"),
            Action::StartAgain => scenario.sleep(self.watched).start(&self.second_target()),
        };
        scenario.sleep(self.watched)
    }

    /// The units, and the targets that start all of them with one job, because each job needs a connection to systemd.
    fn files(&self) -> Vec<GuestFile> {
        let file = |name: &str, text: String| GuestFile::unit(name, text);
        let units = self.units.iter();
        let units = units.map(|unit| file(&unit.name, unit.text.clone()));
        let started = self.units.iter().filter(|unit| unit.is_started);
        let wants: Vec<&str> = started.map(|unit| unit.name.as_str()).collect();
        let wants = format!("[Unit]\nWants={}\n", wants.join(" "));
        let targets = match self.action {
            Action::StartAgain => vec![self.start_target(), self.second_target()],
            _ => vec![self.start_target()],
        };
        let targets = targets.into_iter().map(|name| file(&name, wants.clone()));
        units.chain(targets).collect()
    }

    fn systemctl_once_running(&self, scenario: Scenario, verb: &str) -> Scenario {
        self.command_once_running(scenario, &["/usr/bin/systemctl", verb, "--no-block"])
    }

    fn command_once_running(&self, scenario: Scenario, command: &[&str]) -> Scenario {
        let started = self.units.iter().filter(|unit| unit.is_started);
        let scenario = started.fold(scenario, |scenario, unit| {
            scenario.wait_for_state(&unit.name, &["running"], DEADLINE)
        });
        let argv: Vec<&str> = command.iter().copied().chain(self.targets()).collect();
        scenario.run(&argv, DEADLINE)
    }

    fn start_target(&self) -> String {
        format!("{}.target", self.name)
    }

    fn second_target(&self) -> String {
        format!("{}-again.target", self.name)
    }
}

/// Asks for the final state of all units with one call to systemd; `systemctl show` would need one for each unit, and each
/// costs as much as a start.
pub(crate) fn list() -> Step {
    let argv = [
        "/usr/bin/systemctl",
        "list-units",
        "--all",
        "--full",
        "--plain",
        "--no-legend",
    ];
    Step::Run {
        argv: argv.map(str::to_owned).to_vec(),
        deadline: DEADLINE,
    }
}

#[cfg(test)]
mod tests {
    use systemd_lab::protocol::Condition;

    use super::*;

    #[test]
    fn a_bystander_is_waited_for_and_left_alone() {
        let sleeper = |name| Unit::service(name, "", "");
        let units = vec![
            sleeper("watched").bystander(),
            sleeper("other"),
            sleeper("idle").waiting().bystander(),
        ];
        let scenario = Group::new("pair", units, Action::Stop).scenario();
        let mut waits = scenario.steps.iter().filter_map(|step| match step {
            Step::WaitFor {
                condition: Condition::SubState { unit, .. },
                ..
            } => Some(unit.as_str()),
            _ => None,
        });
        assert_eq!(waits.next(), Some("watched.service"));
        assert_eq!(waits.next(), Some("other.service"));
        assert_eq!(waits.next(), None);
        let mut commands = scenario.steps.iter().filter_map(|step| match step {
            Step::Run { argv, .. } => argv.last(),
            _ => None,
        });
        assert_eq!(commands.next().map(String::as_str), Some("other.service"));
        assert_eq!(commands.next(), None);
    }
}
