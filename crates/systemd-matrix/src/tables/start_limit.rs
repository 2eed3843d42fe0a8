//! When systemd gives up, and the `Result` at that point.

use std::time::Duration;

use crate::cause::{EXITS_WITH_0, EXITS_WITH_1};
use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;

/// The default of `StartLimitBurst=`. A unit that is started more often than this is not limited by it.
const DEFAULT_BURST: usize = 5;

/// How long each group is watched. The slow units are watched while the others are, too: twice this is enough for six
/// of their starts at their delay. Once is enough for six starts of the others. Both leave as much to spare as a
/// start takes. It is not longer, because a unit that carries on costs a start each time.
const WATCHED: Duration = Duration::from_secs(9);

/// A row: label, lines for `[Unit]`, lines for `[Service]`.
struct Line {
    label: &'static str,
    stem: &'static str,
    unit: &'static str,
    /// Its program.
    service: &'static str,
    /// Its settings.
    settings: &'static str,
}

/// Rows with delays of up to 1 s, and those with more.
const QUICK: [Line; 5] = [
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
        label: "exit code 1, 1 s, burst 3",
        stem: "exit-1-burst-3",
        unit: "StartLimitBurst=3",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=1s",
    },
    Line {
        label: "exit code 1, 1 s, no limit",
        stem: "exit-1-no-limit",
        unit: "StartLimitIntervalSec=0",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=1s",
    },
];
const SLOW: [Line; 2] = [
    Line {
        label: "exit code 1, 3 s",
        stem: "exit-1-3s",
        unit: "",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=3s",
    },
    Line {
        label: "exit code 1, 3 s, interval 60 s",
        stem: "exit-1-interval-60",
        unit: "StartLimitIntervalSec=60s",
        service: EXITS_WITH_1,
        settings: "Restart=on-failure\nRestartSec=3s",
    },
];

pub(super) fn plan() -> Plan {
    let unit = |line: &Line| {
        let service = format!("{}\n{}", line.service, line.settings);
        Unit::service(&format!("limit-{}", line.stem), line.unit, &service)
    };
    let group = |name: &str, lines: &[Line]| {
        let units = lines.iter().map(unit).collect();
        Group::new(name, units, Action::Nothing).watched(WATCHED)
    };
    Plan {
        id: TableId::StartLimit,
        groups: vec![group("limit-slow", &SLOW), group("limit-quick", &QUICK)],
        read: Box::new(read),
    }
}

/// In the order of the table: the quick rows first.
fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let lines = QUICK.iter().chain(&SLOW);
    let mut rows = Vec::new();
    for (line, observed) in lines.zip(observed.iter().rev().flatten()) {
        rows.push(Row {
            label: line.label.to_owned(),
            means: means(line),
            cells: cells(line, observed)?,
        });
    }
    Ok(Table {
        id: TableId::StartLimit,
        title: "The start limit".to_owned(),
        legend: vec![
            format!("`StartLimitBurst=` is {DEFAULT_BURST} and `StartLimitIntervalSec=` 10 s where nothing else is said"),
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
        (false, state)
            if observed.exits.len() > DEFAULT_BURST && !["failed", "dead"].contains(&state) =>
        {
            Ok(vec![
                Cell::text("more and more"),
                Cell::text("goes on"),
                Cell::text("none yet"),
            ])
        }
        _ => Err(not_as_claimed(format!(
            "`{}` neither goes on nor has hit the limit: {observed:?}",
            line.label
        ))),
    }
}
