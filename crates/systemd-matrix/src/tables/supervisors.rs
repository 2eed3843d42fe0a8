//! What another supervisor does after each end of a service: runit, and sysvinit's `init` with `respawn`.
//!
//! The guest's systemd starts the supervisor as a service. Below it, there is a service for each row, which logs each of its
//! starts. These tables need a network the first time: runit is not in the usual guest, and sysvinit's package excludes systemd's.

use std::time::Duration;

use systemd_lab::protocol::{EventKind, Scenario};
use systemd_lab::{GuestFile, Lab, LabError, Timeline, nearest_second};

use crate::error::{MatrixError, not_as_claimed};
use crate::table::{Cell, Row, Table, TableId};
use crate::trial::{Seen, Series, Trial};

/// The services, and their rows.
const ENDS: [(&str, &str); 7] = [
    ("exit-0", "exit code 0"),
    ("exit-1", "exit code 1"),
    ("exit-78", "exit code 78"),
    ("KILL", "SIGKILL"),
    ("TERM", "SIGTERM"),
    ("SEGV", "SIGSEGV"),
    (AT_ONCE, "exit code 1, at once"),
];

/// The service that does not run for a while first.
const AT_ONCE: &str = "at-once";

const ENDS_SCRIPT: &str = include_str!("supervisors/ends.sh");
const ENDS_PATH: &str = "/usr/local/lib/ends.sh";

const RUNIT_SET_UP: &str = include_str!("supervisors/runit-set-up.sh");
const RUNIT_SET_UP_PATH: &str = "/usr/local/lib/runit-set-up.sh";
const RUNIT_PACKAGE: &str = "runit";

const INIT_PACKAGE: &str = "sysvinit-core";
const INIT_IN_PACKAGE: &str = "usr/sbin/init";
const INIT_PATH: &str = "/usr/local/sbin/init";

/// A gap that is at least as long is shown in minutes: sysvinit looks at its clock every few seconds only.
const MINUTE: u64 = 60;

/// A supervisor that is not systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Supervisor {
    Runit,
    Sysvinit,
}

impl Supervisor {
    fn id(self) -> TableId {
        match self {
            Supervisor::Runit => TableId::Runit,
            Supervisor::Sysvinit => TableId::Sysvinit,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Supervisor::Runit => "runit.service",
            Supervisor::Sysvinit => "sysvinit.service",
        }
    }

    /// How long each service runs. sysvinit disables what starts more than ten times in two minutes: inittab(5).
    fn life(self) -> Duration {
        match self {
            Supervisor::Runit => Duration::from_secs(5),
            Supervisor::Sysvinit => Duration::from_secs(20),
        }
    }

    /// Long enough for a second end of each service; with sysvinit, for the five minutes after which it tries again.
    fn watched(self) -> Duration {
        match self {
            Supervisor::Runit => Duration::from_secs(14),
            Supervisor::Sysvinit => Duration::from_secs(330),
        }
    }

    /// The lab in which it runs: the given one, or one with a package more.
    ///
    /// # Errors
    ///
    /// When that guest has to be built and cannot be, e.g. without a network.
    pub(crate) fn lab(self, lab: &Lab) -> Result<Lab, LabError> {
        match self {
            Supervisor::Runit => {
                let guest = lab.guest().clone().package(RUNIT_PACKAGE)?;
                Lab::options().guest(&guest).open()
            }
            Supervisor::Sysvinit => Ok(lab.clone()),
        }
    }

    /// The run. `lab` is that of [`Self::lab`].
    ///
    /// # Errors
    ///
    /// When sysvinit's `init` has to be downloaded and cannot be.
    pub(crate) fn series(self, lab: &Lab) -> Result<Series, LabError> {
        let scenario = Scenario::new(self.unit())
            .start(self.unit())
            .sleep(self.watched());
        let name = format!("the table {}", self.id().name());
        Ok(Series::new(
            name,
            vec![Trial::new(scenario, self.files(lab)?)],
        ))
    }

    fn files(self, lab: &Lab) -> Result<Vec<GuestFile>, LabError> {
        let mut files = vec![
            GuestFile::unit(self.unit(), self.service()),
            GuestFile::text(ENDS_PATH, ENDS_SCRIPT),
        ];
        match self {
            Supervisor::Runit => files.push(GuestFile::text(RUNIT_SET_UP_PATH, RUNIT_SET_UP)),
            Supervisor::Sysvinit => {
                files.push(GuestFile::text("/etc/inittab", self.inittab()));
                let init = lab.program_of_package(INIT_PACKAGE, INIT_IN_PACKAGE)?;
                files.push(GuestFile::from_host(INIT_PATH, init));
            }
        }
        Ok(files)
    }

    fn service(self) -> String {
        let start = match self {
            Supervisor::Runit => {
                let names: Vec<&str> = ENDS.iter().map(|(name, _)| *name).collect();
                format!(
                    "ExecStartPre=/bin/sh {RUNIT_SET_UP_PATH} {} {}\nExecStart=/usr/bin/runsvdir -P /srv/sv",
                    self.life().as_secs(),
                    names.join(" ")
                )
            }
            // In a PID namespace of its own, it is process 1.
            Supervisor::Sysvinit => format!(
                "ExecStart=/usr/bin/unshare --pid --fork --mount-proc --kill-child {INIT_PATH} 2"
            ),
        };
        format!("[Service]\nType=exec\n{start}\n")
    }

    /// `id:runlevels:action:process`: inittab(5). An id has at most four characters. `init` gives its processes no place for their output.
    fn inittab(self) -> String {
        let respawn = ENDS.iter().enumerate().map(|(id, (name, _))| {
            let life = self.life().as_secs();
            format!("{id}:2:respawn:/bin/sh {ENDS_PATH} logger {life} {name}\n")
        });
        format!("id:2:initdefault:\n{}", respawn.collect::<String>())
    }

    /// The table, from what the services logged.
    pub(crate) fn read(self, seen: &Seen) -> Result<Table, MatrixError> {
        let lines: Vec<(Duration, &str)> = logged(seen.run()).collect();
        let rows: Vec<Row> = ENDS
            .iter()
            .map(|(name, label)| self.row(&lines, name, label))
            .collect::<Result<_, _>>()?;
        let mut columns = vec!["started again", "after"];
        let life = self.life().as_secs();
        let mut legend = vec![format!(
            "each service runs for {life} s first, except for the one in the last row"
        )];
        if self == Supervisor::Runit {
            columns.push("`finish` is called with");
        }
        legend.push(match self {
            Supervisor::Runit => {
                "`finish`: its arguments, which are the exit code, or -1 after a signal, and the lower byte of the status that wait(2) returns".to_owned()
            }
            Supervisor::Sysvinit => "each service is a `respawn` line of inittab".to_owned(),
        });
        Ok(Table {
            id: self.id(),
            title: match self {
                Supervisor::Runit => "What runit does after each end".to_owned(),
                Supervisor::Sysvinit => "What sysvinit does after each end".to_owned(),
            },
            legend,
            corner: "end".to_owned(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            rows,
        })
    }

    fn row(self, lines: &[(Duration, &str)], name: &str, label: &str) -> Result<Row, MatrixError> {
        let started = format!("{name}: started");
        let starts = lines.iter().filter(|(_, line)| *line == started);
        let starts: Vec<Duration> = starts.map(|(time, _)| *time).collect();
        let life = match name {
            AT_ONCE => Duration::ZERO,
            _ => self.life(),
        };
        let pairs = starts.windows(2);
        let gaps = pairs.map(|pair| nearest_second((pair[1] - pair[0]).saturating_sub(life)));
        let gaps: Vec<u64> = gaps.collect();
        let (again, after) = match gaps[..] {
            [] if starts.is_empty() => {
                return Err(not_as_claimed(format!(
                    "{name} never started under {}",
                    self.unit()
                )));
            }
            [] => ("no", "–".to_owned()),
            _ => ("yes", after(&gaps)),
        };
        let mut cells = vec![Cell::text(again), Cell::text(after)];
        if self == Supervisor::Runit {
            let begin = format!("{name}: finish ");
            let mut arguments = lines
                .iter()
                .filter_map(|(_, line)| line.strip_prefix(&begin));
            let arguments = arguments
                .next()
                .ok_or_else(|| not_as_claimed(format!("runit did not call finish after {name}")))?;
            cells.push(Cell::text(format!("`{arguments}`")));
        }
        Ok(Row {
            label: label.to_owned(),
            means: String::new(),
            cells,
        })
    }
}

/// The time from an end to the next start; if a later one differs, also that, and after how many starts it comes.
fn after(gaps: &[u64]) -> String {
    let first = gaps.first().copied().unwrap_or_default();
    let usual = words(first);
    match gaps.iter().position(|gap| *gap != first) {
        None => usual,
        Some(index) => format!("{usual}; {} after {} starts", words(gaps[index]), index + 1),
    }
}

fn words(seconds: u64) -> String {
    match seconds < MINUTE {
        true => format!("{seconds} s"),
        false => format!("{} min", seconds / MINUTE),
    }
}

/// What was logged, and when.
fn logged(timeline: &Timeline) -> impl Iterator<Item = (Duration, &str)> {
    let events = timeline.events().iter();
    events.filter_map(|event| match &event.kind {
        EventKind::Log { message, .. } => Some((timeline.time_of(event), message.as_str())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "exit-1";
    const STARTED: &str = "exit-1: started";

    fn row(supervisor: Supervisor, name: &str, lines: &[(u64, &str)]) -> Result<Row, String> {
        let lines: Vec<_> = lines
            .iter()
            .map(|(millis, line)| (Duration::from_millis(*millis), *line))
            .collect();
        let row = supervisor.row(&lines, name, "label");
        row.map_err(|error| error.to_string())
    }

    fn cells(row: Result<Row, String>) -> Vec<String> {
        let cells = row.expect("it was measured").cells;
        cells.iter().map(|cell| cell.short().to_owned()).collect()
    }

    #[test]
    fn a_service_that_is_started_again_waits_from_its_end() {
        let lines = [
            (1000, STARTED),
            (6010, "exit-1: finish 1 0"),
            (6100, "exit-0: started"),
            (9050, STARTED),
        ];
        assert_eq!(
            cells(row(Supervisor::Runit, NAME, &lines)),
            ["yes", "3 s", "`1 0`"]
        );
    }

    #[test]
    fn a_service_that_starts_once_is_not_started_again() {
        let lines = [(1000, STARTED)];
        assert_eq!(cells(row(Supervisor::Sysvinit, NAME, &lines)), ["no", "–"]);
    }

    #[test]
    fn a_delay_that_changes_is_shown_with_the_number_of_starts_before_it() {
        let starts = [0, 10, 20, 301_500, 301_510];
        let lines = starts.map(|at| (at, "at-once: started"));
        assert_eq!(
            cells(row(Supervisor::Sysvinit, AT_ONCE, &lines)),
            ["yes", "0 s; 5 min after 3 starts"]
        );
    }

    #[test]
    fn what_was_not_seen_is_an_error() {
        let error = row(Supervisor::Runit, NAME, &[]).expect_err("nothing started");
        assert!(
            error.contains("exit-1 never started under runit.service"),
            "{error}"
        );
        let error = row(Supervisor::Runit, NAME, &[(0, STARTED)]).expect_err("no end");
        assert!(
            error.contains("runit did not call finish after exit-1"),
            "{error}"
        );
    }
}
