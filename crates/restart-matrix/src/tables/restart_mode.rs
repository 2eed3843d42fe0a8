//! `RestartMode=`: whether anybody hears of an end that is followed by a restart.

use std::time::Duration;

use crate::case::{Case, Deed, Group};
use crate::error::{MatrixError, not_as_claimed};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::START_LIMIT_INTERVAL;

/// What is tried. (`debug` does as `normal` does.)
const MODES: [&str; 2] = ["normal", "direct"];

/// `StartLimitBurst=`: two restarts, and then an end for good.
const STARTS: usize = 3;

/// `RestartSec=`: short, since nothing here depends on it.
const DELAY: Duration = Duration::from_secs(1);

/// What systemd says of a value or a setting that it does not know, in the end.
const IGNORED: &str = "ignoring";

/// The units of one mode, in this order.
const FAILS: usize = 0;
const ALERT: usize = 1;
const DEPENDENT: usize = 3;

pub(super) fn plan() -> Plan {
    Plan {
        id: TableId::RestartMode,
        groups: MODES.into_iter().map(group).collect(),
        read: Box::new(read),
    }
}

fn group(mode: &str) -> Group {
    let limit = format!(
        "StartLimitIntervalSec={}\nStartLimitBurst={STARTS}",
        START_LIMIT_INTERVAL.as_secs()
    );
    let restart = format!(
        "Restart=on-failure\nRestartSec={}\nRestartMode={mode}",
        DELAY.as_secs()
    );
    // It fails at its first start and never again.
    let recovers = format!(
        "Type=oneshot\nRemainAfterExit=yes\n\
         ExecStart=/usr/bin/bash -c 'test -e /run/{mode} || {{ : > /run/{mode}; exit 1; }}'\n{restart}"
    );
    let dependent =
        format!("Requires=mode-{mode}-recovers.service\nAfter=mode-{mode}-recovers.service");
    let cases = vec![
        Case::new(
            &format!("mode-{mode}"),
            &format!("OnFailure=mode-{mode}-alert.service\n{limit}"),
            &format!("Type=exec\nExecStart=/usr/bin/false\n{restart}"),
        ),
        Case::new(
            &format!("mode-{mode}-alert"),
            "StartLimitIntervalSec=0",
            "Type=oneshot\nExecStart=/usr/bin/true",
        )
        .waiting(),
        Case::new(&format!("mode-{mode}-recovers"), &limit, &recovers),
        Case::new(
            &format!("mode-{mode}-dependent"),
            &dependent,
            "Type=exec\nExecStart=/usr/bin/sleep infinity",
        ),
    ];
    Group::new(format!("mode-{mode}"), cases, Deed::Nothing)
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    for (mode, units) in MODES.into_iter().zip(observed) {
        let fails = &units[FAILS];
        let is_ignored = fails.complaints.iter().any(|line| line.contains(IGNORED));
        let cells = if is_ignored {
            ["ignored", "", ""].map(Cell::text).to_vec()
        } else {
            if fails.exits.len() != STARTS || fails.listed.sub != "failed" {
                return Err(not_as_claimed(format!(
                    "mode-{mode}.service should fail {STARTS} times, and did this: {fails:?}"
                )));
            }
            vec![
                Cell::text(
                    format!("{} times", units[ALERT].exits.len()).replace("1 times", "once"),
                ),
                Cell::text(
                    fails
                        .between
                        .first()
                        .map_or_else(String::new, |state| format!("`{state}`")),
                ),
                dependent(mode, &units[DEPENDENT])?,
            ]
        };
        rows.push(Row {
            label: format!("`{mode}`"),
            means: format!("`RestartMode={mode}`"),
            cells,
        });
    }
    Ok(Table {
        id: TableId::RestartMode,
        title: "`RestartMode=`".to_owned(),
        legend: vec![
            format!("a service that fails at each of its {STARTS} starts, and then hits the start limit"),
            "a unit that requires it: it was started together with a service that fails at its first start only".to_owned(),
        ],
        corner: "mode".to_owned(),
        columns: [
            "`OnFailure=` is started",
            "first state after an end",
            "a unit that requires it",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
    })
}

fn dependent(mode: &str, observed: &Observed) -> Result<Cell, MatrixError> {
    match observed.listed.sub.as_str() {
        "running" => Ok(Cell::text("waits, then starts")),
        "dead" => Ok(Cell::text("is not started")),
        state => Err(not_as_claimed(format!(
            "mode-{mode}-dependent.service is {state}: {observed:?}"
        ))),
    }
}
