//! The measurements: tables of cells, whatever their question is.

use serde::{Deserialize, Serialize};

/// Everything that was measured with one systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// systemd's version as systemd reports it, e.g. `257.13-1~deb13u1`.
    pub systemd: String,
    /// In the order of [`TableId::ALL`].
    pub tables: Vec<Table>,
}

impl Matrix {
    /// systemd's version without the distribution's part, e.g. `257`.
    pub fn version(&self) -> &str {
        short_version(&self.systemd)
    }

    /// The table with this name, if it was measured.
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }
}

/// The version without the distribution's part.
pub(crate) fn short_version(systemd: &str) -> &str {
    let end = systemd.find(|c: char| !c.is_ascii_digit());
    &systemd[..end.unwrap_or(systemd.len())]
}

/// The tables that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableId {
    /// Every `Restart=` against every cause.
    Restart,
    /// `RestartPreventExitStatus=` and `RestartForceExitStatus=`.
    PreventForce,
    /// `SuccessExitStatus=`.
    Success,
    /// `RestartMode=`.
    RestartMode,
    /// Every `Restart=` with `Type=oneshot`.
    Oneshot,
    /// When restarts stop, and with which `Result`.
    StartLimit,
    /// `RestartSec=` and the settings that make it grow.
    Delay,
    /// What happens to a unit that depends on another one when something happens to the other one.
    Dependencies,
    /// `OOMPolicy=` and every `Restart=`.
    Oom,
    /// Settings that not every systemd knows.
    Known,
    /// What runit does after each end.
    Runit,
    /// What sysvinit's `init` does after each end.
    Sysvinit,
}

impl TableId {
    /// All tables, in the order in which they are shown.
    pub const ALL: [TableId; 12] = [
        TableId::Restart,
        TableId::PreventForce,
        TableId::Success,
        TableId::RestartMode,
        TableId::Oneshot,
        TableId::StartLimit,
        TableId::Delay,
        TableId::Dependencies,
        TableId::Oom,
        TableId::Known,
        TableId::Runit,
        TableId::Sysvinit,
    ];

    /// The tables about systemd.
    pub fn of_systemd() -> impl Iterator<Item = TableId> {
        let is_others = |id: &TableId| matches!(id, TableId::Runit | TableId::Sysvinit);
        TableId::ALL.into_iter().filter(move |id| !is_others(id))
    }

    /// The name that people type, which is also the name of its file in the guide: e.g.
    /// `prevent-force`.
    pub fn name(self) -> &'static str {
        match self {
            TableId::Restart => "restart",
            TableId::PreventForce => "prevent-force",
            TableId::Success => "success",
            TableId::RestartMode => "restart-mode",
            TableId::Oneshot => "oneshot",
            TableId::StartLimit => "start-limit",
            TableId::Delay => "delay",
            TableId::Dependencies => "dependencies",
            TableId::Oom => "oom",
            TableId::Known => "known",
            TableId::Runit => "runit",
            TableId::Sysvinit => "sysvinit",
        }
    }

    /// The table with this name.
    pub fn parse(name: &str) -> Option<TableId> {
        TableId::ALL.into_iter().find(|id| id.name() == name)
    }
}

/// One table. Texts may contain `code` between backticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its identifier.
    pub id: TableId,
    /// The question that it answers.
    pub title: String,
    /// What readers must know to understand it.
    pub legend: Vec<String>,
    /// What the rows are about, e.g. `end`.
    pub corner: String,
    /// The columns' headers.
    pub columns: Vec<String>,
    /// Each has a cell for each column.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is tried.
    pub label: String,
    /// How the end was caused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub means: String,
    /// The results.
    pub cells: Vec<Cell>,
}

/// The result for one unit, or a remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Cell {
    /// systemd restarts it.
    Restarted {
        /// The unit's `Result` after its end.
        result: String,
        /// The time from the end to the restart, in whole seconds: timers may be 250 ms late.
        delay_seconds: u64,
    },
    /// It stays in its final state.
    NotRestarted {
        /// The unit's `Result`.
        result: String,
        /// The final state, e.g. `failed`.
        state: String,
    },
    /// systemd does not load the unit.
    Refused,
    /// Anything else, in words.
    Text {
        /// The words.
        text: String,
    },
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Cell {
        Cell::Text { text: text.into() }
    }

    /// The cell's text in a table.
    pub fn short(&self) -> &str {
        match self {
            Cell::Restarted { .. } => "yes",
            Cell::NotRestarted { .. } => "–",
            Cell::Refused => "refused",
            Cell::Text { text } => text,
        }
    }

    /// The unit's `Result`, if the cell is about a unit that ended.
    pub fn result(&self) -> Option<&str> {
        match self {
            Cell::Restarted { result, .. } | Cell::NotRestarted { result, .. } => Some(result),
            Cell::Refused | Cell::Text { .. } => None,
        }
    }
}
