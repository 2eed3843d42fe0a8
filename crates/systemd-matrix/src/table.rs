//! What was measured: tables of cells, whatever is asked in them.

use serde::{Deserialize, Serialize};

/// All that was measured with one systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// systemd's version as it reports it, e.g. `257.13-1~deb13u1`.
    pub systemd: String,
    /// In the order of [`TableId::ALL`].
    pub tables: Vec<Table>,
}

impl Matrix {
    /// systemd's version without what the distribution adds, e.g. `257`.
    pub fn version(&self) -> &str {
        short_version(&self.systemd)
    }

    /// The table with this name, if it was measured.
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }
}

/// Without what the distribution adds.
pub(crate) fn short_version(systemd: &str) -> &str {
    let end = systemd.find(|c: char| !c.is_ascii_digit());
    &systemd[..end.unwrap_or(systemd.len())]
}

/// Which tables there are.
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
    /// When restarts end, and with which `Result`.
    StartLimit,
    /// `RestartSec=` and what makes it grow.
    Delay,
    /// What becomes of a unit that depends on another one, when something happens to that.
    Dependencies,
    /// `OOMPolicy=` and every `Restart=`.
    Oom,
    /// Settings that not every systemd knows.
    Known,
}

impl TableId {
    /// All tables, in the order in which they are shown.
    pub const ALL: [TableId; 10] = [
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
    ];

    /// As people type it, and as its file in the guide is called: e.g. `prevent-force`.
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
        }
    }

    /// The table that people call this.
    pub fn parse(name: &str) -> Option<TableId> {
        TableId::ALL.into_iter().find(|id| id.name() == name)
    }
}

/// One table. Texts may have `code` between backticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Which.
    pub id: TableId,
    /// What it answers.
    pub title: String,
    /// What must be known to read it.
    pub legend: Vec<String>,
    /// What the rows are about, e.g. `end`.
    pub corner: String,
    /// The columns' heads.
    pub columns: Vec<String>,
    /// Each has as many cells as there are columns.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is tried.
    pub label: String,
    /// How it was caused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub means: String,
    /// What came of it.
    pub cells: Vec<Cell>,
}

/// What came of one unit, or one thing that can be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Cell {
    /// systemd starts it again.
    Restarted {
        /// The unit's `Result` when it had ended.
        result: String,
        /// From the end to the restart, in whole seconds: timers may be 250 ms late.
        delay_seconds: u64,
    },
    /// It stays as it ended.
    NotRestarted {
        /// The unit's `Result`.
        result: String,
        /// The state in which it rests, e.g. `failed`.
        state: String,
    },
    /// systemd does not load the unit.
    Refused,
    /// Anything else, in words.
    Text {
        /// These.
        text: String,
    },
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Cell {
        Cell::Text { text: text.into() }
    }

    /// What stands in a table.
    pub fn short(&self) -> &str {
        match self {
            Cell::Restarted { .. } => "yes",
            Cell::NotRestarted { .. } => "–",
            Cell::Refused => "refused",
            Cell::Text { text } => text,
        }
    }

    /// The unit's `Result`, where the cell is about one that ended.
    pub fn result(&self) -> Option<&str> {
        match self {
            Cell::Restarted { result, .. } | Cell::NotRestarted { result, .. } => Some(result),
            Cell::Refused | Cell::Text { .. } => None,
        }
    }
}
