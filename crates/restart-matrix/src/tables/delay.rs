//! How long systemd waits before each restart.

use std::time::Duration;

use crate::case::{Case, Deed, Group};
use crate::cause::EXITS_WITH_1;
use crate::error::{MatrixError, not_as_claimed};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::START_LIMIT_INTERVAL;

/// So many restarts are looked at: one more than it takes to reach the longest delay, to see that it stays.
const RESTARTS: usize = 6;

/// All delays below, twice.
const WATCHED: Duration = Duration::from_secs(1000);

/// The units, by what is set.
const LINES: [(&str, &str); 5] = [
    ("default", ""),
    ("fixed", "RestartSec=10s"),
    (
        "growing",
        "RestartSec=10s\nRestartSteps=4\nRestartMaxDelaySec=160s",
    ),
    ("no-steps", "RestartSec=10s\nRestartMaxDelaySec=160s"),
    ("no-maximum", "RestartSec=10s\nRestartSteps=4"),
];

pub(super) fn plan() -> Plan {
    let case = |(stem, settings): (&str, &str)| {
        let unit = format!(
            "StartLimitIntervalSec={}\nStartLimitBurst={}",
            START_LIMIT_INTERVAL.as_secs(),
            RESTARTS + 1
        );
        let service = format!("{EXITS_WITH_1}\nRestart=on-failure\n{settings}");
        Case::new(&format!("delay-{stem}"), &unit, &service)
    };
    let cases = LINES.into_iter().map(case).collect();
    Plan {
        id: TableId::Delay,
        groups: vec![Group::new("delay", cases, Deed::Nothing).watched(WATCHED)],
        read: Box::new(read),
    }
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    for ((stem, settings), observed) in LINES.into_iter().zip(observed.iter().flatten()) {
        if observed.delays.len() != RESTARTS {
            return Err(not_as_claimed(format!(
                "delay-{stem}.service should be restarted {RESTARTS} times, and did this: {observed:?}"
            )));
        }
        let settings: Vec<String> = settings.lines().map(|line| format!("`{line}`")).collect();
        rows.push(Row {
            label: match settings.is_empty() {
                true => "nothing set".to_owned(),
                false => settings.join(" "),
            },
            means: String::new(),
            cells: observed.delays.iter().map(|delay| seconds(*delay)).collect(),
        });
    }
    Ok(Table {
        id: TableId::Delay,
        title: "How long systemd waits before a restart".to_owned(),
        legend: vec!["whole seconds: timers may be 250 ms late".to_owned()],
        corner: "settings".to_owned(),
        columns: ["1st", "2nd", "3rd", "4th", "5th", "6th"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    })
}

fn seconds(delay: Duration) -> Cell {
    match delay.as_secs() {
        0 => Cell::text("under 1 s"),
        seconds => Cell::text(format!("{seconds} s")),
    }
}
