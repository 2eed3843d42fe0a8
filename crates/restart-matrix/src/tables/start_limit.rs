//! When systemd gives up, and what `Result` says then.

use std::time::Duration;

use crate::case::{Case, Deed, Group};
use crate::cause::{EXITS_WITH_0, EXITS_WITH_1};
use crate::error::{MatrixError, not_as_claimed};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;

/// Long enough for six starts at the longest delay below: whoever gives up has given up by then.
const WATCHED: Duration = Duration::from_secs(18);

/// A row: label, lines for `[Unit]`, lines for `[Service]`.
struct Line {
    label: &'static str,
    stem: &'static str,
    unit: &'static str,
    /// Its program.
    service: &'static str,
    /// What is set.
    settings: &'static str,
}

const LINES: [Line; 7] = [
    Line {
        label: "exit code 1",
        stem: "exit-1",
        unit: "",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure",
    },
    Line {
        label: "exit code 0",
        stem: "exit-0",
        unit: "",
        service: EXITS_WITH_0,
        settings: "Restart=always",
    },
    Line {
        label: "exit code 1, 1 s",
        stem: "exit-1-1s",
        unit: "",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=1s",
    },
    Line {
        label: "exit code 1, 3 s",
        stem: "exit-1-3s",
        unit: "",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=3s",
    },
    Line {
        label: "exit code 1, 1 s, burst 3",
        stem: "exit-1-burst-3",
        unit: "StartLimitBurst=3",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=1s",
    },
    Line {
        label: "exit code 1, 3 s, interval 60 s",
        stem: "exit-1-interval-60",
        unit: "StartLimitIntervalSec=60s",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=3s",
    },
    Line {
        label: "exit code 1, 1 s, no limit",
        stem: "exit-1-no-limit",
        unit: "StartLimitIntervalSec=0",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=1s",
    },
];

pub(super) fn plan() -> Plan {
    // One after the other: a start takes its time, and with many at once five would not fit into the interval.
    let group = |line: &Line| {
        let stem = format!("limit-{}", line.stem);
        let service = format!("{}\n{}", line.service, line.settings);
        let case = Case::new(&stem, line.unit, &service);
        Group::new(stem, vec![case], Deed::Nothing).watched(WATCHED)
    };
    Plan {
        id: TableId::StartLimit,
        groups: LINES.iter().map(group).collect(),
        read: Box::new(read),
    }
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    for (line, units) in LINES.iter().zip(observed) {
        for observed in units {
            rows.push(Row {
                label: line.label.to_owned(),
                means: means(line),
                cells: cells(line, observed)?,
            });
        }
    }
    Ok(Table {
        id: TableId::StartLimit,
        title: "The start limit".to_owned(),
        legend: vec![
            "`StartLimitBurst=` is 5 and `StartLimitIntervalSec=` 10 s where nothing else is said".to_owned(),
            "1 s: `RestartSec=1s`; without it, the default of 100 ms; the service ends at once each time".to_owned(),
        ],
        corner: "end".to_owned(),
        columns: ["starts", "then", "`Result` at last"].map(str::to_owned).to_vec(),
        rows,
    })
}

fn means(line: &Line) -> String {
    let settings = line.unit.lines().chain(line.settings.lines());
    let settings: Vec<String> = settings.map(|line| format!("`{line}`")).collect();
    settings.join(", ")
}

fn cells(line: &Line, observed: &Observed) -> Result<Vec<Cell>, MatrixError> {
    let result = format!("`{}`", observed.last_result());
    match (observed.limit_hit, observed.listed.sub.as_str()) {
        (true, "failed") => Ok(vec![
            Cell::text(observed.exits.len().to_string()),
            Cell::text("`failed`"),
            Cell::text(result),
        ]),
        (false, state) if !["failed", "dead"].contains(&state) => Ok(vec![
            Cell::text("more and more"),
            Cell::text("goes on"),
            Cell::text("none yet"),
        ]),
        _ => Err(not_as_claimed(format!(
            "`{}` neither goes on nor has hit the limit: {observed:?}",
            line.label
        ))),
    }
}
