//! One unit that is tried, and how groups of them are run.

use std::time::Duration;

use systemd_lab::GuestFile;
use systemd_lab::protocol::Scenario;

/// Bounds each wait for a unit to come up, and each command. They take a second or two.
const DEADLINE: Duration = Duration::from_secs(30);

/// `RestartSec=` of all units whose own delay is not what is measured: long enough that nothing is restarted while other
/// units of the same group have yet to end, and that a whole second of it cannot be timer slack (250 ms).
pub(crate) const RESTART_SEC: Duration = Duration::from_secs(5);

/// How long a group is watched unless it says otherwise: an end after a second or two, a delay, the same end again, a
/// second delay, and as much to spare. Idle time costs next to nothing.
pub(crate) const WATCHED: Duration = Duration::from_secs(20);

/// In the guest; one line, so that there is nothing to wait for but bash itself. All of it is built into bash.
/// Asking systemd instead, unit by unit, costs a connection for each.
const SIGNAL_MAIN_PROCESSES: &str = "signal=$1; shift; for unit; do read -r pid < /sys/fs/cgroup/system.slice/$unit/cgroup.procs && kill -$signal $pid || exit 1; done";

/// One unit.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// e.g. `core-dump-on-abort.service`.
    pub(crate) unit: String,
    text: String,
    /// Whether it is started with its group. Others are there for other units to start.
    is_started: bool,
}

impl Case {
    /// A service of lines for `[Unit]` and for `[Service]`. `name` is the unit's name without its suffix.
    ///
    /// No program here says anything: a stream to the journal for each would be a tenth of the work.
    pub(crate) fn new(name: &str, unit: &str, service: &str) -> Case {
        Case {
            unit: format!("{name}.service"),
            text: format!(
                "[Unit]\n{unit}\n[Service]\nStandardOutput=null\nStandardError=null\n{service}\n"
            ),
            is_started: true,
        }
    }

    /// Not started with its group.
    pub(crate) fn waiting(self) -> Case {
        Case {
            is_started: false,
            ..self
        }
    }
}

/// What is done to the units of a group, once they have been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// They end by themselves, or systemd or the kernel ends them.
    Nothing,
    /// Their main processes get this signal.
    Signal(i32),
    /// `systemctl stop`.
    Stop,
    /// They are started once more, after they have been watched; then watched again.
    StartAgain,
}

/// Units that are started together: one job, and what is done to them.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Names its target.
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
    pub(crate) deed: Deed,
    pub(crate) watched: Duration,
}

impl Group {
    pub(crate) fn new(name: impl Into<String>, cases: Vec<Case>, deed: Deed) -> Group {
        Group {
            name: name.into(),
            cases,
            deed,
            watched: WATCHED,
        }
    }

    pub(crate) fn watched(self, watched: Duration) -> Group {
        Group { watched, ..self }
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(|case| case.unit.as_str())
    }

    /// The units, and the targets that start all of them with one job: each job takes a connection to systemd.
    pub(crate) fn files(&self) -> Vec<GuestFile> {
        let file =
            |name: &str, text: String| GuestFile::text(format!("/etc/systemd/system/{name}"), text);
        let units = self
            .cases
            .iter()
            .map(|case| file(&case.unit, case.text.clone()));
        let started = self.cases.iter().filter(|case| case.is_started);
        let wants: Vec<&str> = started.map(|case| case.unit.as_str()).collect();
        let wants = format!("[Unit]\nWants={}\n", wants.join(" "));
        let targets = match self.deed {
            Deed::StartAgain => vec![self.target(), self.second_target()],
            _ => vec![self.target()],
        };
        let targets = targets.into_iter().map(|name| file(&name, wants.clone()));
        units.chain(targets).collect()
    }

    /// Starts them, does what is to be done, and watches.
    pub(crate) fn add_to(&self, scenario: Scenario) -> Scenario {
        let scenario = scenario.start(&self.target());
        let scenario = match self.deed {
            Deed::Nothing => scenario,
            Deed::Signal(signal) => {
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
            Deed::Stop => {
                self.command_once_running(scenario, &["/usr/bin/systemctl", "stop", "--no-block"])
            }
            Deed::StartAgain => scenario.sleep(self.watched).start(&self.second_target()),
        };
        scenario.sleep(self.watched)
    }

    fn command_once_running(&self, scenario: Scenario, command: &[&str]) -> Scenario {
        let scenario = self.units().fold(scenario, |scenario, unit| {
            scenario.wait_for_state(unit, &["running"], DEADLINE)
        });
        let argv: Vec<&str> = command.iter().copied().chain(self.units()).collect();
        scenario.run(&argv, DEADLINE)
    }

    fn target(&self) -> String {
        format!("{}.target", self.name)
    }

    fn second_target(&self) -> String {
        format!("{}-again.target", self.name)
    }
}

/// Asks how all units are at last. One call to systemd; `systemctl show` would be one for each unit, and each costs as much as
/// a start.
const LIST: [&str; 6] = [
    "/usr/bin/systemctl",
    "list-units",
    "--all",
    "--full",
    "--plain",
    "--no-legend",
];

/// The scenario that runs one group after the other, and asks systemd at last how all of them are.
pub(crate) fn scenario(name: &str, groups: &[Group]) -> Scenario {
    let scenario = groups.iter().fold(Scenario::new(name), |scenario, group| {
        group.add_to(scenario)
    });
    scenario.run(&LIST, DEADLINE)
}
