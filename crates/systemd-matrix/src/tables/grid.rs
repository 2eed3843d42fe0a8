//! Tables whose columns are settings of `Restart=`: one unit for each cell.

use std::time::Duration;

use systemd_lab::nearest_second;

use crate::cause::End;
use crate::error::{MatrixError, not_as_claimed};
use crate::group::{Action, Group, RESTART_SEC, Unit};
use crate::observed::Observed;
use crate::table::{Cell, Row, Table, TableId};

use super::Plan;

/// `StartLimitIntervalSec=` of all units: longer than a whole measurement in virtual time.
pub(crate) const START_LIMIT_INTERVAL: Duration = Duration::from_secs(3600);

/// The end of systemd's message about a setting that it does not know.
pub(crate) const IGNORED: &str = "ignoring";

/// The contents of a table.
pub(crate) struct Grid {
    pub(crate) id: TableId,
    pub(crate) title: &'static str,
    pub(crate) legend: Vec<String>,
    pub(crate) settings: &'static [&'static str],
    pub(crate) lines: Vec<Line>,
}

/// A row before it is measured.
pub(crate) struct Line {
    pub(crate) label: String,
    /// How it is caused, in words.
    pub(crate) means: String,
    /// The beginning of its units' names.
    pub(crate) stem: String,
    /// Lines for `[Service]`, without `Restart=`.
    pub(crate) service: String,
    pub(crate) action: Action,
    pub(crate) end: End,
    /// The `Result` that all of them must have had, unless they keep running.
    pub(crate) result: Option<&'static str>,
    /// `StartLimitBurst=`.
    pub(crate) starts: u32,
}

impl Line {
    /// How a unit of this row ended, if it ended as the row claims.
    fn cell(&self, unit: &str, observed: &Observed) -> Result<Cell, MatrixError> {
        if observed.listed.load == "bad-setting" {
            return Ok(Cell::Refused);
        }
        let is_as_claimed = match self.end {
            End::Process(code, status) => observed
                .exits
                .first()
                .is_some_and(|exit| *exit == (code.to_owned(), status)),
            End::NoProcess => observed.exits.is_empty(),
            End::Limit => observed.limit_hit,
            End::RunsOn => observed.results.is_empty(),
        };
        let result = match self.end {
            // Before it hit the limit, it had ended in a different way.
            End::Limit => observed.last_result(),
            _ => observed.first_result(),
        };
        if !is_as_claimed || result != self.result.unwrap_or_default() {
            return Err(not_as_claimed(format!(
                "{unit} should end as {:?} with result {:?}, and did this: {observed:?}",
                self.end, self.result
            )));
        }
        let result = result.to_owned();
        if let Some(delay) = observed.delays.first() {
            return Ok(Cell::Restarted {
                result,
                delay_seconds: nearest_second(*delay),
            });
        }
        match observed.listed.sub.as_str() {
            "running" if self.end == End::RunsOn => Ok(Cell::text("runs on")),
            state @ ("dead" | "failed") => Ok(Cell::NotRestarted {
                result,
                state: state.to_owned(),
            }),
            state => Err(not_as_claimed(format!(
                "{unit} is neither restarted nor at rest but {state}: {observed:?}"
            ))),
        }
    }

    fn group(&self, settings: &[&str]) -> Group {
        let unit = |setting: &&str| {
            let unit = format!(
                "StartLimitIntervalSec={}\nStartLimitBurst={}",
                START_LIMIT_INTERVAL.as_secs(),
                self.starts
            );
            let service = format!(
                "{}\nRestart={setting}\nRestartSec={}",
                self.service,
                RESTART_SEC.as_secs()
            );
            Unit::service(&self.unit(setting), &unit, &service)
        };
        let units = settings.iter().map(unit).collect();
        Group::new(&self.stem, units, self.action)
    }

    fn unit(&self, setting: &str) -> String {
        format!("{}-{setting}", self.stem)
    }
}

/// What all tables of this kind have in common, in words.
pub(crate) fn legend() -> String {
    format!(
        "yes: started again, {} s after its end (`RestartSec={}s`); –: not started again",
        RESTART_SEC.as_secs(),
        RESTART_SEC.as_secs()
    )
}

impl Grid {
    pub(crate) fn plan(self) -> Plan {
        let groups = self
            .lines
            .iter()
            .map(|line| line.group(self.settings))
            .collect();
        Plan {
            id: self.id,
            groups,
            read: Box::new(move |observed| self.read(observed)),
        }
    }

    fn read(&self, observed: &[Vec<Observed>]) -> Result<Table, MatrixError> {
        let mut rows = Vec::new();
        for (line, observed) in self.lines.iter().zip(observed) {
            let result = line.result.map(|result| format!("`{result}`"));
            let mut cells = vec![Cell::text(result.as_deref().unwrap_or("none"))];
            for (setting, observed) in self.settings.iter().zip(observed) {
                let cell = line.cell(&line.unit(setting), observed)?;
                // The legend says this once for all of them.
                if let Cell::Restarted { delay_seconds, .. } = cell
                    && delay_seconds != RESTART_SEC.as_secs()
                {
                    return Err(not_as_claimed(format!(
                        "{} was restarted after {delay_seconds} s",
                        line.unit(setting)
                    )));
                }
                cells.push(cell);
            }
            rows.push(Row {
                label: line.label.clone(),
                means: line.means.clone(),
                cells,
            });
        }
        let settings = self.settings.iter().map(|setting| format!("`{setting}`"));
        Ok(Table {
            id: self.id,
            title: self.title.to_owned(),
            legend: self.legend.clone(),
            corner: "end".to_owned(),
            columns: ["`Result`".to_owned()]
                .into_iter()
                .chain(settings)
                .collect(),
            rows,
        })
    }
}
