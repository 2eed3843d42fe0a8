//! The table in systemd's manual, stored as data, and where the measurement differs from it.

use serde::Deserialize;

use crate::cause::{Cause, SETTINGS};
use crate::error::MatrixError;
use crate::table::{Cell, Matrix, TableId};

/// The table in the manual of one systemd.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manual {
    /// systemd's version.
    pub version: String,
    /// Where to find the table.
    pub source: String,
    row: Vec<ManualRow>,
    /// Known differences between manual and measurement, and their reasons.
    #[serde(default, rename = "difference")]
    pub known: Vec<Known>,
}

/// A row of the manual's table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManualRow {
    /// The cause in the manual's words.
    cause: String,
    /// The columns with an X.
    restarts: Vec<String>,
}

/// A difference whose reason is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// The difference.
    #[serde(flatten)]
    pub difference: Difference,
    /// The reason.
    pub why: String,
}

/// A cause for which the manual's table has no row, or a different one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Difference {
    /// Its label.
    pub cause: String,
    /// The manual's columns with an X; `None` if its table has no such row.
    #[serde(default)]
    pub manual: Option<Vec<String>>,
    /// The settings that restarted.
    pub measured: Vec<String>,
}

impl Manual {
    /// The manual of this systemd, e.g. `257`. `None` if it is not stored here.
    ///
    /// # Errors
    ///
    /// [`MatrixError::BadManual`] when the stored file is damaged.
    pub fn of(version: &str) -> Result<Option<Manual>, MatrixError> {
        let text = match version {
            "252" => include_str!("../manual/252.toml"),
            "257" => include_str!("../manual/257.toml"),
            _ => return Ok(None),
        };
        Manual::parse(version, text).map(Some)
    }

    fn parse(version: &str, text: &str) -> Result<Manual, MatrixError> {
        toml::from_str(text).map_err(|source| MatrixError::BadManual {
            version: version.to_owned(),
            source: Box::new(source),
        })
    }

    /// Where the measured table differs from the manual's. Empty if it was not measured.
    pub fn differences(&self, matrix: &Matrix) -> Vec<Difference> {
        let rows = matrix
            .table(TableId::Restart)
            .map_or(&[][..], |table| &table.rows);
        let mut differences = Vec::new();
        for (cause, row) in Cause::ALL.into_iter().zip(rows) {
            // The first cell is the unit's `Result`.
            let cells = SETTINGS.iter().zip(row.cells.iter().skip(1));
            let measured: Vec<String> = cells
                .filter(|(_, cell)| matches!(cell, Cell::Restarted { .. }))
                .map(|(setting, _)| (*setting).to_owned())
                .collect();
            let manual = self.restarts(cause);
            if manual != Some(&measured) {
                differences.push(Difference {
                    cause: row.label.clone(),
                    manual: manual.cloned(),
                    measured,
                });
            }
        }
        differences
    }

    fn restarts(&self, cause: Cause) -> Option<&Vec<String>> {
        let name = row_of(cause)?;
        let row = self.row.iter().find(|row| row.cause == name);
        row.map(|row| &row.restarts)
    }
}

/// The row of the manual's table that a cause belongs to, according to the text around it.
fn row_of(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::ExitZero | Cause::Sighup | Cause::Sigint | Cause::Sigterm | Cause::Sigpipe => {
            Some("Clean exit code or signal")
        }
        Cause::ExitOne | Cause::NoProgram => Some("Unclean exit code"),
        // "is terminated by a signal (including on core dump, …)"
        Cause::Sigkill | Cause::CoreDump => Some("Unclean signal"),
        Cause::StartTimeout | Cause::StopTimeout | Cause::RuntimeLimit => Some("Timeout"),
        Cause::Watchdog => Some("Watchdog"),
        Cause::OutOfMemory
        | Cause::Protocol
        | Cause::Resources
        | Cause::Condition
        | Cause::StartLimit
        | Cause::StoppedByHand => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_damaged_is_named() {
        let error = Manual::parse("257", "source = 1").expect_err("it is damaged");
        let text = error.to_string();
        let (before, after) = (
            "the manual's table of systemd 257 cannot be read: ",
            "; correct it",
        );
        assert!(text.starts_with(before) && text.ends_with(after), "{text}");
        assert!(Manual::of("256").expect("nothing is read").is_none());
    }
}
