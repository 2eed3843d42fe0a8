//! What happens to a unit that depends on another one when something happens to the other one.
//!
//! systemd.unit(5), `Requires=` to `Upholds=`, and systemd.service(5), `RestartMode=`, say what to expect: each cell is
//! compared with them. This module lists where systemd differs, and why.

mod lines;

use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, RESTART_SEC, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;
use super::grid::{IGNORED, START_LIMIT_INTERVAL};
use lines::{
    LINES, Line, NOT_STARTED, Other, RESTARTED, RETRIES_IT, RUNS_ON, SETTINGS, STARTS_ALONE,
    STARTS_BOTH, STARTS_IT, STARTS_TWICE, STOPPED, WAITS,
};

/// `StartLimitBurst=` of the other unit: more than its starts in any row, except for the row in which it never comes up.
const STARTS: u32 = 4;

/// Where systemd differs from the manual: row, settings, and the reason.
const DIFFERENCES: [(&str, [&str; 2], &str); 1] = [(
    "killed-normal",
    ["Requires=", "Requisite="],
    "systemd.unit(5) says that only an explicit restart of the other unit restarts this one; an automatic one does, too",
)];

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observed::Listed;

    fn observed(ups: &[u64], result: Option<&str>, sub: &str) -> Observed {
        Observed {
            ups: ups.iter().copied().map(Duration::from_secs).collect(),
            results: result.map(str::to_owned).into_iter().collect(),
            listed: Listed {
                load: "loaded".to_owned(),
                sub: sub.to_owned(),
            },
            ..Observed::default()
        }
    }

    fn line(stem: &str) -> &'static Line {
        let mut lines = LINES.iter();
        lines.find(|line| line.stem == stem).expect("it is a row")
    }

    #[test]
    fn a_unit_that_is_up_again_was_restarted_if_the_other_one_did_what_the_row_says() {
        let this = observed(&[1, 7], Some("success"), "running");
        let fate = |result, sub| {
            let other = observed(&[0, 6], Some(result), sub);
            fate(line("killed-normal"), &this, &other)
        };
        assert_eq!(fate("signal", "running"), Some(RESTARTED));
        assert_eq!(fate("success", "running"), None, "it was not killed");
        assert_eq!(fate("signal", "failed"), None, "it was not restarted");
    }

    #[test]
    fn without_a_known_mode_the_manual_of_the_normal_one_counts() {
        let mut other = observed(&[0, 6], Some("signal"), "running");
        let direct = line("killed-direct");
        assert_eq!(in_effect(direct, &other).stem, "killed-direct");
        other.complaints = vec!["Unknown key name 'RestartMode', ignoring.".to_owned()];
        let like = in_effect(direct, &other);
        assert_eq!(like.stem, "killed-normal");
        assert!(difference(like, "Requires=").is_some());
        assert_eq!(difference(like, "BindsTo="), None);
    }
}
