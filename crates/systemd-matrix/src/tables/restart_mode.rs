//! `RestartMode=`: whether other units notice an end that is followed by a restart.

use std::time::Duration;

use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::{IGNORED, START_LIMIT_INTERVAL};

/// The values. A systemd that does not know the setting ignores it, and does the same in each row.
const MODES: [&str; 3] = ["normal", "direct", "debug"];

/// `StartLimitBurst=`: two restarts, and then a final end.
const STARTS: usize = 3;

/// `RestartSec=`: short, because nothing here depends on it.
const DELAY: Duration = Duration::from_secs(1);

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
    // It fails only at its first start.
    let recovers = format!(
        "Type=oneshot\nRemainAfterExit=yes\n\
         ExecStart=/usr/bin/bash -c 'test -e /run/{mode} || {{ : > /run/{mode}; exit 1; }}'\n{restart}"
    );
    let dependent =
        format!("Requires=mode-{mode}-recovers.service\nAfter=mode-{mode}-recovers.service");
    let units = vec![
        Unit::service(
            &format!("mode-{mode}"),
            &format!("OnFailure=mode-{mode}-alert.service\n{limit}"),
            &format!("Type=exec\nExecStart=/usr/bin/false\n{restart}"),
        ),
        Unit::service(
            &format!("mode-{mode}-alert"),
            "StartLimitIntervalSec=0",
            "Type=oneshot\nExecStart=/usr/bin/true",
        )
        .waiting(),
        Unit::service(&format!("mode-{mode}-recovers"), &limit, &recovers),
        Unit::service(
            &format!("mode-{mode}-dependent"),
            &dependent,
            "Type=exec\nExecStart=/usr/bin/sleep infinity",
        ),
    ];
    Group::new(format!("mode-{mode}"), units, Action::Nothing)
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    for (mode, units) in MODES.into_iter().zip(observed) {
        let fails = &units[FAILS];
        if fails.exits.len() != STARTS || fails.listed.sub != "failed" {
            return Err(not_as_claimed(format!(
                "mode-{mode}.service should fail {STARTS} times, and did this: {fails:?}"
            )));
        }
        let first_state = fails.between.first().ok_or_else(|| {
            not_as_claimed(format!(
                "mode-{mode}.service has no state between its ends: {fails:?}"
            ))
        })?;
        let alerts = format!("{} times", units[ALERT].exits.len()).replace("1 times", "once");
        let cells = vec![
            Cell::text(alerts),
            Cell::text(format!("`{first_state}`")),
            dependent(mode, &units[DEPENDENT])?,
        ];
        rows.push(Row {
            label: format!("`{mode}`"),
            means: format!("`RestartMode={mode}`"),
            cells,
        });
    }
    let mut legend = vec![
        format!(
            "a service that fails at each of its {STARTS} starts, and then hits the start limit"
        ),
        "a unit that requires it: it was started together with a service that fails at its first start only".to_owned(),
    ];
    let is_ignored = |units: &Vec<Observed>| {
        let complaints = &units[FAILS].complaints;
        complaints.iter().any(|line| line.contains(IGNORED))
    };
    if observed.iter().all(is_ignored) {
        legend.push("this systemd does not know `RestartMode=`, and ignores it".to_owned());
    }
    Ok(Table {
        id: TableId::RestartMode,
        title: "`RestartMode=`".to_owned(),
        legend,
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
