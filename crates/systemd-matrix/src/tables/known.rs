//! Settings that not every systemd knows. systemd skips an unknown setting, with a line in the journal: the service runs
//! without the intended effect.

use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::IGNORED;

/// The settings, each with a stem for its unit.
const SETTINGS: [(&str, &str); 8] = [
    ("notify-reload", "Type=notify-reload"),
    ("reload-signal", "ReloadSignal=SIGUSR1"),
    ("steps", "RestartSteps=3"),
    ("maximum", "RestartMaxDelaySec=60s"),
    ("direct", "RestartMode=direct"),
    ("debug", "RestartMode=debug"),
    ("exit-type", "ExitType=cgroup"),
    // A common misspelling, for comparison.
    ("secs", "RestartSecs=5s"),
];

pub(super) fn plan() -> Plan {
    let unit = |(stem, setting): (&str, &str)| {
        let service = format!("ExecStart=/usr/bin/true\n{setting}");
        Unit::service(&format!("known-{stem}"), "", &service)
    };
    let units = SETTINGS.into_iter().map(unit).collect();
    Plan {
        id: TableId::Known,
        groups: vec![Group::new("known", units, Action::Nothing)],
        read: Box::new(read),
    }
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    for ((_, setting), observed) in SETTINGS.into_iter().zip(observed.iter().flatten()) {
        let cell = match &observed.complaints[..] {
            [] => Cell::text("known"),
            lines if lines.iter().all(|line| line.contains(IGNORED)) => Cell::text("ignored"),
            lines => {
                return Err(not_as_claimed(format!(
                    "systemd says of {setting}: {lines:?}"
                )));
            }
        };
        rows.push(Row {
            label: format!("`{setting}`"),
            means: String::new(),
            cells: vec![cell],
        });
    }
    Ok(Table {
        id: TableId::Known,
        title: "Settings that not every systemd knows".to_owned(),
        legend: vec![
            "ignored: the service runs without it, and the journal has a line that says so"
                .to_owned(),
        ],
        corner: "setting".to_owned(),
        columns: vec!["this systemd".to_owned()],
        rows,
    })
}
