//! Every setting of `Restart=` against every cause, or some of them.

use crate::cause::{Cause, SETTINGS};
use crate::table::TableId;

use super::Plan;
use super::grid::{Grid, Line, legend};

pub(crate) fn plan(causes: &[Cause]) -> Plan {
    let line = |cause: Cause| {
        let means = cause.means();
        Line {
            label: cause.label().to_owned(),
            means: cause.means_in_words().to_owned(),
            stem: cause.stem(),
            service: means.service.to_owned(),
            action: means.action,
            end: means.end,
            result: Some(means.result),
            starts: cause.start_limit(),
        }
    };
    let grid = Grid {
        id: TableId::Restart,
        title: "`Restart=` and the cause of an end",
        legend: vec![legend()],
        settings: &SETTINGS,
        lines: causes.iter().copied().map(line).collect(),
    };
    grid.plan()
}
