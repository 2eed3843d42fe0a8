//! How long systemd waits before each restart.

use std::iter::repeat_n;
use std::time::Duration;

use systemd_lab::nearest_second;

use crate::cause::EXITS_WITH_1;
use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::START_LIMIT_INTERVAL;

/// How many restarts to look at if the delay may grow: one more than it takes to reach the longest delay, to see that
/// it stays. In other cases, fewer show the same.
const RESTARTS: usize = 6;
const FEWER: usize = 3;

/// All delays below, twice.
const WATCHED: Duration = Duration::from_secs(1000);

/// The units: their settings, and how many of their restarts to look at.
const LINES: [(&str, &str, usize); 4] = [
    ("default", "", FEWER),
    ("fixed", "RestartSec=10s", FEWER),
    (
        "growing",
        "RestartSec=10s\nRestartSteps=4\nRestartMaxDelaySec=160s",
        RESTARTS,
    ),
    ("no-maximum", "RestartSec=10s\nRestartSteps=4", FEWER),
];

pub(super) fn plan() -> Plan {
    let unit = |(stem, settings, restarts): (&str, &str, usize)| {
        let unit = format!(
            "StartLimitIntervalSec={}\nStartLimitBurst={}",
            START_LIMIT_INTERVAL.as_secs(),
            restarts + 1
        );
        let service = format!("{EXITS_WITH_1}\nRestart=on-failure\n{settings}");
        Unit::service(&format!("delay-{stem}"), &unit, &service)
    };
    let units = LINES.into_iter().map(unit).collect();
    Plan {
        id: TableId::Delay,
        groups: vec![Group::new("delay", units, Action::Nothing).watched(WATCHED)],
        read: Box::new(read),
    }
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    for ((stem, settings, restarts), observed) in LINES.into_iter().zip(observed.iter().flatten()) {
        if observed.delays.len() != restarts {
            return Err(not_as_claimed(format!(
                "delay-{stem}.service should be restarted {restarts} times, and did this: {observed:?}"
            )));
        }
        let delays = observed.delays.iter().map(|delay| seconds(*delay));
        let settings: Vec<String> = settings.lines().map(|line| format!("`{line}`")).collect();
        rows.push(Row {
            label: match settings.is_empty() {
                true => "nothing set".to_owned(),
                false => settings.join(" "),
            },
            means: String::new(),
            cells: delays
                .chain(repeat_n(Cell::text("…"), RESTARTS - restarts))
                .collect(),
        });
    }
    Ok(Table {
        id: TableId::Delay,
        title: "How long systemd waits before a restart".to_owned(),
        legend: vec![
            "whole seconds: timers may be 250 ms late".to_owned(),
            "…: not measured, since the three before are alike".to_owned(),
        ],
        corner: "settings".to_owned(),
        columns: ["1st", "2nd", "3rd", "4th", "5th", "6th"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}

fn seconds(delay: Duration) -> Cell {
    match nearest_second(delay) {
        0 => Cell::text("under 1 s"),
        seconds => Cell::text(format!("{seconds} s")),
    }
}
