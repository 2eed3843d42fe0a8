//! `OOMPolicy=` and every setting of `Restart=`: what happens when the kernel kills the main process, or one of its children,
//! because the control group uses more memory than `MemoryMax=`.
//!
//! systemd.service(5), `OOMPolicy=`, says what to expect. systemd-oomd, with its settings `ManagedOOM…=`, also kills whole
//! control groups, before the kernel has to; it is not part of this table.

use systemd_lab::names::{SIGKILL, SIGTERM};

use crate::cause::{End, SETTINGS};
use crate::error::{MatrixError, not_as_claimed};
use crate::group::Action;
use crate::observed::Observed;
use crate::table::{Cell, Table, TableId};

use super::Plan;
use super::grid::{Grid, Line, legend};

/// Enough for a shell and a sleep, but not for a program that keeps taking more.
const MEMORY_MAX: &str = "MemoryMax=8M";

/// tail looks for the beginning of the last line, and must keep all of an endless line: the kernel chooses the largest
/// process. The other one sleeps.
const MAIN_TAKES_ALL: &str = "ExecStart=/usr/bin/bash -c 'sleep infinity & exec tail /dev/zero'";
const CHILD_TAKES_ALL: &str = "ExecStart=/usr/bin/bash -c 'tail /dev/zero & exec sleep infinity'";

/// The process that is killed, the policy, how the main process ends, and the unit's `Result`.
const LINES: [(&str, &str, End, Option<&str>); 6] = [
    ("main", "continue", KILLED, Some("signal")),
    ("main", "stop", KILLED, Some("oom-kill")),
    ("main", "kill", KILLED, Some("oom-kill")),
    ("child", "continue", End::RunsOn, None),
    ("child", "stop", TERMINATED, Some("oom-kill")),
    ("child", "kill", KILLED, Some("oom-kill")),
];

const KILLED: End = End::Process("killed", SIGKILL);
const TERMINATED: End = End::Process("killed", SIGTERM);

/// Where systemd differs from the manual.
const DIFFERENCE: (&str, &str) = ("main", "continue");

pub(super) fn plan() -> Plan {
    let line = |(victim, policy, end, result): (&str, &str, End, _)| {
        let program = match victim {
            "main" => MAIN_TAKES_ALL,
            _ => CHILD_TAKES_ALL,
        };
        let differs = match (victim, policy) == DIFFERENCE {
            true => " *",
            false => "",
        };
        Line {
            label: format!("{victim}, `{policy}`{differs}"),
            means: format!("`OOMPolicy={policy}`"),
            stem: format!("oom-{victim}-{policy}"),
            service: format!("Type=exec\n{program}\n{MEMORY_MAX}\nOOMPolicy={policy}"),
            action: Action::Nothing,
            end,
            result,
            starts: 2,
        }
    };
    let grid = Grid {
        id: TableId::Oom,
        title: "`OOMPolicy=` and `Restart=`",
        legend: vec![
            legend(),
            "main, child: whom the kernel kills, the main process or a child of it".to_owned(),
            "runs on: the unit goes on without that child".to_owned(),
            "`stop` is the default; with `Delegate=`, it is `continue`".to_owned(),
            "*: systemd.service(5) says of `continue` that the unit goes on; it ends with its main process".to_owned(),
        ],
        settings: &SETTINGS,
        lines: LINES.map(line).into(),
    };
    let plan = grid.plan();
    let read = plan.read;
    Plan {
        read: Box::new(move |observed| with_main_process(read(observed)?, observed)),
        ..plan
    }
}

/// Adds what ended the main process, and checks that the kernel killed something in each unit.
fn with_main_process(mut table: Table, observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    table.columns.insert(0, "main process".to_owned());
    for ((row, units), (victim, policy, end, _)) in table.rows.iter_mut().zip(observed).zip(LINES) {
        if units.iter().any(|unit| unit.oom_kills == 0) {
            return Err(not_as_claimed(format!(
                "the kernel killed nothing in a unit of {victim}, {policy}: {units:?}"
            )));
        }
        let ended = match end {
            KILLED => "SIGKILL",
            TERMINATED => "SIGTERM",
            _ => "runs on",
        };
        row.cells.insert(0, Cell::text(ended));
    }
    Ok(table)
}
