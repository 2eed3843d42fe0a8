//! What happens to a unit that depends on another one when something happens to the other one.
//!
//! systemd.unit(5), `Requires=` to `Upholds=`, and systemd.service(5), `RestartMode=`, say what to expect: each cell is
//! compared with them. This module lists where systemd differs, and why.

use systemd_lab::names::{SIGKILL, SIGTERM};

use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, RESTART_SEC, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::{IGNORED, START_LIMIT_INTERVAL};

/// How a unit depends on the other one, each with the beginning of its units' names. `After=` is always set, too.
const SETTINGS: [(&str, &str); 6] = [
    ("Requires=", "requires"),
    ("Requisite=", "requisite"),
    ("BindsTo=", "binds-to"),
    ("PartOf=", "part-of"),
    ("Wants=", "wants"),
    ("Upholds=", "upholds"),
];

/// `StartLimitBurst=` of the other unit: more than its starts in any row, except for the row in which it never comes up.
const STARTS: u32 = 4;

/// Where systemd differs from the manual: row, settings, and the reason.
const DIFFERENCES: [(&str, [&str; 2], &str); 1] = [(
    "killed-normal",
    ["Requires=", "Requisite="],
    "systemd.unit(5) says that only an explicit restart of the other unit restarts this one; an automatic one does, too",
)];

// The possible texts of a cell.
const NOT_STARTED: &str = "not started";
const STARTS_BOTH: &str = "starts both";
const STARTS_ALONE: &str = "starts";
const STARTS_TWICE: &str = "starts twice";
const RETRIES_IT: &str = "retries it";
const WAITS: &str = "waits";
const RUNS_ON: &str = "runs on";
const STARTS_IT: &str = "starts it";
const STOPPED: &str = "stopped";
const RESTARTED: &str = "restarted";

/// The meaning of the cells, in words. "it" is the other unit.
const LEGEND: [&str; 9] = [
    "`normal`, `direct`: the other unit has `Restart=on-failure` and this `RestartMode=`; elsewhere nothing restarts it",
    "`always`: the unit itself has `Restart=always`",
    "starts: starts without it; starts both: starts it first; waits: starts once it is up",
    "starts twice: starts without it, and is restarted with it",
    "retries it: starts, and starts it again each time it has failed",
    "runs on: nothing happens to the unit; starts it: the same, and it is started again",
    "stopped: stops and stays down",
    "restarted: stops and starts again, with it",
    "all units have `After=` the other one",
];

/// A row before it is measured.
struct Line {
    label: &'static str,
    stem: &'static str,
    means: &'static str,
    other: Other,
    /// `RestartMode=` of the other unit, if systemd should restart it.
    mode: Option<&'static str>,
    /// `Restart=` of the unit itself.
    restart: &'static str,
    /// What is done to the other unit.
    action: Action,
    /// What the manual says of each setting.
    manual: [&'static str; SETTINGS.len()],
}

/// The state of the other unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// Only the unit starts it.
    IsDown,
    /// It is started together with the unit, and each of its starts fails.
    Fails,
    /// The same, and only the first start fails.
    FailsOnce,
    /// It is started together with the unit, and ends with this `Result` afterwards.
    Ends(&'static str),
}

const IS_DOWN: Line = Line {
    label: "is down",
    stem: "down",
    means: "the unit alone is started",
    other: Other::IsDown,
    mode: None,
    restart: "no",
    action: Action::Nothing,
    manual: [
        STARTS_BOTH,
        NOT_STARTED,
        STARTS_BOTH,
        STARTS_ALONE,
        STARTS_BOTH,
        STARTS_BOTH,
    ],
};

const FAILS: Line = Line {
    label: "fails at start",
    stem: "fails",
    means: "both are started together, and the other unit's start fails",
    other: Other::Fails,
    manual: [
        NOT_STARTED,
        NOT_STARTED,
        NOT_STARTED,
        STARTS_ALONE,
        STARTS_ALONE,
        RETRIES_IT,
    ],
    ..IS_DOWN
};

const FAILS_ONCE: Line = Line {
    label: "fails, `normal`",
    stem: "fails-normal",
    means: "the same, and the other unit is restarted with `RestartMode=normal`",
    other: Other::FailsOnce,
    mode: Some("normal"),
    manual: [
        NOT_STARTED,
        NOT_STARTED,
        NOT_STARTED,
        STARTS_TWICE,
        STARTS_ALONE,
        STARTS_ALONE,
    ],
    ..FAILS
};

const FAILS_ONCE_DIRECT: Line = Line {
    label: "fails, `direct`",
    stem: "fails-direct",
    means: "the same with `RestartMode=direct`",
    mode: Some("direct"),
    manual: [WAITS; SETTINGS.len()],
    ..FAILS_ONCE
};

const KILLED: Line = Line {
    label: "is killed",
    stem: "killed",
    means: "both run, and the other unit's main process gets SIGKILL",
    other: Other::Ends("signal"),
    action: Action::Signal(SIGKILL),
    manual: [RUNS_ON, RUNS_ON, STOPPED, RUNS_ON, RUNS_ON, STARTS_IT],
    ..IS_DOWN
};

const KILLED_NORMAL: Line = Line {
    label: "killed, `normal`",
    stem: "killed-normal",
    means: "the same, and the other unit is restarted with `RestartMode=normal`",
    mode: Some("normal"),
    manual: [RUNS_ON, RUNS_ON, STOPPED, RESTARTED, RUNS_ON, RUNS_ON],
    ..KILLED
};

const KILLED_DIRECT: Line = Line {
    label: "killed, `direct`",
    stem: "killed-direct",
    means: "the same with `RestartMode=direct`",
    mode: Some("direct"),
    manual: [RUNS_ON; SETTINGS.len()],
    ..KILLED
};

const ENDS: Line = Line {
    label: "ends by itself",
    stem: "ends",
    means: "both run, and the other unit's main process ends cleanly",
    other: Other::Ends("success"),
    action: Action::Signal(SIGTERM),
    ..KILLED
};

const IS_STOPPED: Line = Line {
    label: "`systemctl stop`",
    stem: "stopped",
    means: "both run, and the other unit is stopped",
    other: Other::Ends("success"),
    action: Action::Stop,
    manual: [STOPPED, STOPPED, STOPPED, STOPPED, RUNS_ON, STARTS_IT],
    ..IS_DOWN
};

const IS_STOPPED_ALWAYS: Line = Line {
    label: "stop, `always`",
    stem: "stopped-always",
    means: "the same, and the unit itself has `Restart=always`",
    restart: "always",
    ..IS_STOPPED
};

const IS_RESTARTED: Line = Line {
    label: "`systemctl restart`",
    stem: "restarted",
    means: "both run, and the other unit is restarted",
    action: Action::Restart,
    manual: [RESTARTED, RESTARTED, RESTARTED, RESTARTED, RUNS_ON, RUNS_ON],
    ..IS_STOPPED
};

/// In the order of the table.
const LINES: [Line; 11] = [
    IS_DOWN,
    FAILS,
    FAILS_ONCE,
    FAILS_ONCE_DIRECT,
    KILLED,
    KILLED_NORMAL,
    KILLED_DIRECT,
    ENDS,
    IS_STOPPED,
    IS_STOPPED_ALWAYS,
    IS_RESTARTED,
];

/// In the order in which they are tried: `Upholds=` never stops trying to start a unit that always fails, which costs time.
fn in_order() -> impl Iterator<Item = &'static Line> {
    let goes_on = |line: &&Line| line.other == Other::Fails;
    let last = LINES.iter().filter(goes_on);
    LINES.iter().filter(move |line| !goes_on(line)).chain(last)
}

pub(super) fn plan() -> Plan {
    Plan {
        id: TableId::Dependencies,
        groups: in_order().map(group).collect(),
        read: Box::new(read),
    }
}

/// For each setting, the unit and then the other one.
fn group(line: &Line) -> Group {
    let pair = |(setting, stem): (&str, &str)| {
        let name = format!("{stem}-{}", line.stem);
        let other = format!("{name}-other");
        let unit = Unit::service(
            &name,
            &format!("{setting}{other}.service\nAfter={other}.service"),
            &format!(
                "Type=exec\nExecStart=/usr/bin/sleep infinity\nRestart={}\nRestartSec={}",
                line.restart,
                RESTART_SEC.as_secs()
            ),
        );
        [unit.bystander(), other_unit(line, &other)]
    };
    let units = SETTINGS.into_iter().flat_map(pair).collect();
    Group::new(format!("dependencies-{}", line.stem), units, line.action)
}

fn other_unit(line: &Line, name: &str) -> Unit {
    let before = match line.other {
        Other::IsDown | Other::Ends(_) => String::new(),
        Other::Fails => "ExecStartPre=/usr/bin/false\n".to_owned(),
        Other::FailsOnce => format!(
            "ExecStartPre=/usr/bin/bash -c 'test -e /run/{name} || {{ : > /run/{name}; exit 1; }}'\n"
        ),
    };
    let restart = match line.mode {
        Some(mode) => format!("Restart=on-failure\nRestartMode={mode}"),
        None => "Restart=no".to_owned(),
    };
    let unit = Unit::service(
        name,
        &format!(
            "StartLimitIntervalSec={}\nStartLimitBurst={STARTS}",
            START_LIMIT_INTERVAL.as_secs()
        ),
        &format!(
            "Type=exec\n{before}ExecStart=/usr/bin/sleep infinity\n{restart}\nRestartSec={}",
            RESTART_SEC.as_secs()
        ),
    );
    match line.other {
        Other::IsDown => unit.waiting(),
        _ => unit,
    }
}

fn read(observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
    let mut rows = Vec::new();
    let mut remarks: Vec<String> = LEGEND.map(str::to_owned).to_vec();
    for line in &LINES {
        let mut measured = in_order().zip(observed);
        let units = measured.find(|(of, _)| of.stem == line.stem);
        let units = units.map_or(&[][..], |(_, units)| units);
        let mut cells = Vec::new();
        for (column, ((setting, stem), pair)) in
            SETTINGS.into_iter().zip(units.chunks(2)).enumerate()
        {
            let unit = format!("{stem}-{}.service", line.stem);
            let [this, other] = pair else {
                return Err(not_as_claimed(format!("{unit} has no other unit")));
            };
            let fate = fate(line, this, other).ok_or_else(|| {
                not_as_claimed(format!(
                    "there are no words for what {unit} did: {this:?}; the other unit: {other:?}"
                ))
            })?;
            let like = in_effect(line, other);
            let manual = like.manual[column];
            cells.push(match fate == manual {
                true => Cell::text(fate),
                false => {
                    let why = difference(like, setting).ok_or_else(|| {
                        not_as_claimed(format!(
                            "{unit}: \"{fate}\", and the manual says \"{manual}\""
                        ))
                    })?;
                    let remark = format!("*: {why}");
                    if !remarks.contains(&remark) {
                        remarks.push(remark);
                    }
                    Cell::text(format!("{fate} *"))
                }
            });
        }
        rows.push(Row {
            label: line.label.to_owned(),
            means: line.means.to_owned(),
            cells,
        });
    }
    if observed.iter().flatten().any(is_ignored) {
        remarks.push("this systemd does not know `RestartMode=`, and ignores it".to_owned());
    }
    Ok(Table {
        id: TableId::Dependencies,
        title: "What becomes of a unit that depends on another one".to_owned(),
        legend: remarks,
        corner: "the other unit".to_owned(),
        columns: SETTINGS.map(|(setting, _)| format!("`{setting}`")).to_vec(),
        rows,
    })
}

/// The row whose manual applies: a systemd that does not know `RestartMode=` behaves as with `normal`.
fn in_effect<'a>(line: &'a Line, other: &Observed) -> &'a Line {
    let is_normal = |like: &&Line| {
        (like.other, like.action, like.mode) == (line.other, line.action, Some("normal"))
    };
    match line.mode.is_some() && is_ignored(other) {
        true => LINES.iter().find(is_normal).unwrap_or(line),
        false => line,
    }
}

fn is_ignored(unit: &Observed) -> bool {
    unit.complaints.iter().any(|line| line.contains(IGNORED))
}

fn difference(line: &Line, setting: &str) -> Option<&'static str> {
    let mut known = DIFFERENCES.into_iter();
    known.find_map(|(row, settings, why)| {
        (row == line.stem && settings.contains(&setting)).then_some(why)
    })
}

/// What happened to the unit, in a cell's words. `None` if there are none, or if the other unit did not do what the row
/// says.
fn fate(line: &Line, this: &Observed, other: &Observed) -> Option<&'static str> {
    let runs = this.listed.sub == "running";
    let other_runs = other.listed.sub == "running";
    // The first or a later start of the other unit, which the unit may have waited for.
    let other_up = other.ups.last();
    match line.other {
        Other::IsDown => match (&this.ups[..], runs, other_up) {
            ([], false, None) => Some(NOT_STARTED),
            ([_], true, None) => Some(STARTS_ALONE),
            ([up], true, Some(other_up)) if up > other_up => Some(STARTS_BOTH),
            _ => None,
        },
        Other::Fails | Other::FailsOnce => {
            let comes_up = line.other == Other::FailsOnce;
            if other.first_result() != "exit-code" || other_runs != comes_up {
                return None;
            }
            let is_retried = other.results.len() > 1 && !comes_up;
            match (&this.ups[..], runs, other_up) {
                ([], false, _) => Some(NOT_STARTED),
                ([_], true, None) if is_retried => Some(RETRIES_IT),
                ([_], true, None) => Some(STARTS_ALONE),
                ([up], true, Some(other_up)) if up < other_up => Some(STARTS_ALONE),
                ([_], true, Some(_)) => Some(WAITS),
                ([first, second], true, Some(other_up))
                    if first < other_up && other_up < second =>
                {
                    Some(STARTS_TWICE)
                }
                _ => None,
            }
        }
        Other::Ends(result) => {
            if other.first_result() != result {
                return None;
            }
            let is_restarted = line.mode.is_some() || line.action == Action::Restart;
            match (this.ups.len(), runs, other_runs) {
                (1, true, true) if !is_restarted => Some(STARTS_IT),
                (1, true, _) if other_runs == is_restarted => Some(RUNS_ON),
                (1, false, _) if other_runs == is_restarted => Some(STOPPED),
                (2, true, true) if is_restarted => Some(RESTARTED),
                _ => None,
            }
        }
    }
}
