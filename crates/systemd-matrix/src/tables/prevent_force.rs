//! `RestartPreventExitStatus=` and `RestartForceExitStatus=`, each alone and both together.

use systemd_lab::names::{SIGABRT, SIGKILL, SIGTERM};

use crate::cause::{EXITS_WITH_0, End, NEVER_PINGS, SLEEPER};
use crate::group::Action;
use crate::table::TableId;

use super::Plan;
use super::grid::{Grid, Line, legend};

/// One setting that never restarts, one that always does, and one in between.
const SETTINGS: [&str; 3] = ["no", "always", "on-failure"];

const EXITS_WITH_3: &str = "Type=exec\nExecStart=/usr/bin/bash -c 'exit 3'";
/// The main process never starts.
const FAILS_BEFORE: &str =
    "Type=exec\nExecStartPre=/usr/bin/bash -c 'exit 3'\nExecStart=/usr/bin/true";

pub(super) fn plan() -> Plan {
    let line = |label: &str, stem: &str, service: &str, added: &str, action, end, result| Line {
        label: label.to_owned(),
        means: added
            .split('\n')
            .map(|line| format!("`{line}`"))
            .collect::<Vec<_>>()
            .join(", "),
        stem: stem.to_owned(),
        service: format!("{service}\n{added}"),
        action,
        end,
        result: Some(result),
        starts: 2,
    };
    let exit_3 = |label, stem, added| {
        line(
            label,
            stem,
            EXITS_WITH_3,
            added,
            Action::Nothing,
            End::Process("exited", 3),
            "exit-code",
        )
    };
    let lines = vec![
        exit_3("exit 3", "neither", "RestartPreventExitStatus="),
        exit_3("exit 3, Prevent 3", "prevent", "RestartPreventExitStatus=3"),
        exit_3(
            "exit 3, Prevent 4",
            "prevent-other",
            "RestartPreventExitStatus=4",
        ),
        exit_3("exit 3, Force 3", "force", "RestartForceExitStatus=3"),
        exit_3("exit 3, Force 4", "force-other", "RestartForceExitStatus=4"),
        exit_3(
            "exit 3, both 3",
            "both",
            "RestartPreventExitStatus=3\nRestartForceExitStatus=3",
        ),
        line(
            "exit 0, Force 0",
            "force-0",
            EXITS_WITH_0,
            "RestartForceExitStatus=0",
            Action::Nothing,
            End::Process("exited", 0),
            "success",
        ),
        line(
            "SIGTERM, Force SIGTERM",
            "force-sigterm",
            SLEEPER,
            "RestartForceExitStatus=SIGTERM",
            Action::Signal(SIGTERM),
            End::Process("killed", SIGTERM),
            "success",
        ),
        line(
            "SIGKILL, Prevent SIGKILL",
            "prevent-sigkill",
            SLEEPER,
            "RestartPreventExitStatus=SIGKILL",
            Action::Signal(SIGKILL),
            End::Process("killed", SIGKILL),
            "signal",
        ),
        line(
            "watchdog, Prevent SIGABRT",
            "prevent-sigabrt",
            NEVER_PINGS,
            "RestartPreventExitStatus=SIGABRT",
            Action::Nothing,
            End::Process("dumped", SIGABRT),
            "watchdog",
        ),
        line(
            "StartPre 3, Prevent 3",
            "prevent-start-pre",
            FAILS_BEFORE,
            "RestartPreventExitStatus=3",
            Action::Nothing,
            End::NoProcess,
            "exit-code",
        ),
    ];
    let grid = Grid {
        id: TableId::PreventForce,
        title: "`RestartPreventExitStatus=` and `RestartForceExitStatus=`",
        legend: vec![
            legend(),
            "Prevent 3: `RestartPreventExitStatus=3`; Force 3: `RestartForceExitStatus=3`"
                .to_owned(),
            "StartPre 3: a command of `ExecStartPre=` ends with exit code 3".to_owned(),
        ],
        settings: &SETTINGS,
        lines,
    };
    grid.plan()
}
