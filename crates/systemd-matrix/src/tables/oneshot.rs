//! Every setting of `Restart=` with `Type=oneshot`, where a clean end is not a reason for a restart and a signal is not a clean
//! end.

use systemd_lab::names::{SIGKILL, SIGTERM};

use crate::cause::{End, SETTINGS};
use crate::group::Action;
use crate::table::TableId;

use super::Plan;
use super::grid::{Grid, Line, legend};

const EXITS_WITH_0: &str = "ExecStart=/usr/bin/true";
const EXITS_WITH_1: &str = "ExecStart=/usr/bin/false";
/// The process sends itself the signal: a program in a unit of this type is not `running` but in `start`, and the test would
/// have to wait for it.
const SIGTERM_TO_ITSELF: &str = "ExecStart=/usr/bin/bash -c 'kill -TERM $$$$'";
const SIGKILL_TO_ITSELF: &str = "ExecStart=/usr/bin/bash -c 'kill -KILL $$$$'";
const TAKES_TOO_LONG: &str = "ExecStart=/usr/bin/sleep infinity\nTimeoutStartSec=1s";
const FORCED: &str = "ExecStart=/usr/bin/true\nRestartForceExitStatus=0";

pub(super) fn plan() -> Plan {
    let line = |label: &str, means: &str, stem: &str, service: &str, end, result| Line {
        label: label.to_owned(),
        means: means.to_owned(),
        stem: format!("oneshot-{stem}"),
        service: format!("Type=oneshot\n{service}"),
        action: Action::Nothing,
        end,
        result: Some(result),
        starts: 2,
    };
    let exited = |code| End::Process("exited", code);
    let killed = |signal| End::Process("killed", signal);
    let lines = vec![
        line(
            "exit code 0",
            "the program ends with exit code 0",
            "0",
            EXITS_WITH_0,
            exited(0),
            "success",
        ),
        line(
            "exit code 1",
            "the program ends with exit code 1",
            "1",
            EXITS_WITH_1,
            exited(1),
            "exit-code",
        ),
        line(
            "SIGTERM",
            "SIGTERM ends the program",
            "sigterm",
            SIGTERM_TO_ITSELF,
            killed(SIGTERM),
            "signal",
        ),
        line(
            "SIGKILL",
            "SIGKILL ends the program",
            "sigkill",
            SIGKILL_TO_ITSELF,
            killed(SIGKILL),
            "signal",
        ),
        line(
            "start timeout",
            "the program takes longer than `TimeoutStartSec=`",
            "timeout",
            TAKES_TOO_LONG,
            killed(SIGTERM),
            "timeout",
        ),
        line(
            "exit code 0, forced",
            "exit code 0, and `RestartForceExitStatus=0`",
            "forced",
            FORCED,
            exited(0),
            "success",
        ),
    ];
    let grid = Grid {
        id: TableId::Oneshot,
        title: "`Restart=` with `Type=oneshot`",
        legend: vec![
            legend(),
            "refused: systemd does not load a unit with this setting".to_owned(),
        ],
        settings: &SETTINGS,
        lines,
    };
    grid.plan()
}
