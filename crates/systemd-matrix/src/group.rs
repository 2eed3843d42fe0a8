//! Units that are tried together: what they are made of, and what is done to them.

use std::time::Duration;

use systemd_lab::GuestFile;
use systemd_lab::protocol::{Scenario, Step};

use crate::trial::Trial;

/// Bounds each wait for a unit to come up, and each command. They take a second or two.
const DEADLINE: Duration = Duration::from_secs(30);

/// `RestartSec=` of all units whose own delay is not what is measured: long enough that nothing is restarted while other
/// units of the same group have yet to end, and that a whole second of it cannot be timer slack (250 ms).
pub(crate) const RESTART_SEC: Duration = Duration::from_secs(5);

/// How long a group is watched unless it says otherwise: an end after a second or two, a delay, the same end again, a
/// second delay, and as much to spare. Idle time costs next to nothing.
const WATCHED: Duration = Duration::from_secs(20);

/// In the guest; one line, so that there is nothing to wait for but bash itself. All of it is built into bash.
/// Asking systemd instead, unit by unit, costs a connection for each.
const SIGNAL_MAIN_PROCESSES: &str = "signal=$1; shift; for unit; do read -r pid < /sys/fs/cgroup/system.slice/$unit/cgroup.procs && kill -$signal $pid || exit 1; done";

/// One unit.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// e.g. `core-dump-on-abort.service`.
    pub(crate) name: String,
    text: String,
    /// Whether it is started with its group. Others are there for other units to start.
    is_started: bool,
    /// Whether the group's action is done to it.
    is_target: bool,
}

impl Unit {
    /// A service of lines for `[Unit]` and for `[Service]`. `name` is the unit's name without its suffix.
    ///
    /// No program here says anything: a stream to the journal for each would be a tenth of the work.
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

    /// Not started with its group.
    pub(crate) fn waiting(self) -> Unit {
        Unit {
            is_started: false,
            ..self
        }
    }

    /// The group's action is not done to it: it is watched for what another unit's fate does to it.
    pub(crate) fn bystander(self) -> Unit {
        Unit {
            is_target: false,
            ..self
        }
    }
}

/// What is done to the units of a group, once they have been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// They end by themselves, or systemd or the kernel ends them.
    Nothing,
    /// Their main processes get this signal.
    Signal(i32),
    /// `systemctl stop`.
    Stop,
    /// `systemctl restart`.
    Restart,
    /// All are started once more, after they have been watched; then watched again.
    StartAgain,
}

/// Units that are started together: one job, and what is done to them.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Names its target.
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

    /// Starts them, does what is to be done, and watches.
    pub(crate) fn trial(&self) -> Trial {
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
        Trial::new(scenario.sleep(self.watched), self.files())
    }

    /// The units, and the targets that start all of them with one job: each job takes a connection to systemd.
    fn files(&self) -> Vec<GuestFile> {
        let file =
            |name: &str, text: String| GuestFile::text(format!("/etc/systemd/system/{name}"), text);
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

/// Asks how all units are at last. One call to systemd; `systemctl show` would be one for each unit, and each costs as much as
/// a start.
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
