//! `SuccessExitStatus=`: which ends it makes clean, and which it cannot.

use systemd_lab::names::{SIGKILL, SIGSEGV, SIGTERM};

use crate::cause::{End, SLEEPER};
use crate::group::Action;
use crate::table::TableId;

use super::Plan;
use super::grid::{Grid, Line, legend};

/// The settings for which a clean end matters.
const SETTINGS: [&str; 2] = ["on-success", "on-failure"];

const EXITS_WITH_75: &str = "Type=exec\nExecStart=/usr/bin/bash -c 'exit 75'";

pub(super) fn plan() -> Plan {
    let line = |label: &str, stem: &str, service: &str, status: &str, action, end, result| Line {
        label: label.to_owned(),
        means: format!("`SuccessExitStatus={status}`"),
        stem: format!("success-{stem}"),
        service: format!("{service}\nSuccessExitStatus={status}"),
        action,
        end,
        result: Some(result),
        starts: 2,
    };
    let exited = End::Process("exited", 75);
    let killed = |signal| End::Process("killed", signal);
    let lines = vec![
        line(
            "exit 75",
            "none",
            EXITS_WITH_75,
            "",
            Action::Nothing,
            exited,
            "exit-code",
        ),
        line(
            "exit 75, Success 75",
            "75",
            EXITS_WITH_75,
            "75",
            Action::Nothing,
            exited,
            "success",
        ),
        line(
            "exit 75, Success TEMPFAIL",
            "name",
            EXITS_WITH_75,
            "TEMPFAIL",
            Action::Nothing,
            exited,
            "success",
        ),
        line(
            "exit 75, Success 76",
            "other",
            EXITS_WITH_75,
            "76",
            Action::Nothing,
            exited,
            "exit-code",
        ),
        line(
            "SIGKILL",
            "no-sigkill",
            SLEEPER,
            "",
            Action::Signal(SIGKILL),
            killed(SIGKILL),
            "signal",
        ),
        line(
            "SIGKILL, Success SIGKILL",
            "sigkill",
            SLEEPER,
            "SIGKILL",
            Action::Signal(SIGKILL),
            killed(SIGKILL),
            "success",
        ),
        line(
            "SIGTERM, Success 75",
            "sigterm",
            SLEEPER,
            "75",
            Action::Signal(SIGTERM),
            killed(SIGTERM),
            "success",
        ),
        line(
            "core dump, Success SIGSEGV",
            "sigsegv",
            SLEEPER,
            "SIGSEGV",
            Action::Signal(SIGSEGV),
            End::Process("dumped", SIGSEGV),
            "core-dump",
        ),
    ];
    let grid = Grid {
        id: TableId::Success,
        title: "`SuccessExitStatus=`",
        legend: vec![
            legend(),
            "Success 75: `SuccessExitStatus=75`, which adds to what is clean anyhow".to_owned(),
        ],
        settings: &SETTINGS,
        lines,
    };
    grid.plan()
}
