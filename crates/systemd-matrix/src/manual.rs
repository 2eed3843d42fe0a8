//! The table in systemd's manual, kept as data, and where what was measured is something else.

use serde::Deserialize;

use crate::cause::{Cause, SETTINGS};
use crate::error::MatrixError;
use crate::table::{Cell, Matrix, TableId};

/// The manual's table of one systemd.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manual {
    /// systemd's version.
    pub version: String,
    /// Where the table stands.
    pub source: String,
    row: Vec<ManualRow>,
    /// Where what is measured is known to be something else, and why.
    #[serde(default, rename = "difference")]
    pub known: Vec<Known>,
}

/// A row of the manual's table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManualRow {
    /// As it stands there.
    cause: String,
    /// The columns with an X.
    restarts: Vec<String>,
}

/// A difference that is understood.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Known {
    /// What differs.
    #[serde(flatten)]
    pub difference: Difference,
    /// Why.
    pub why: String,
}

/// A cause of which the manual's table says nothing, or something else.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Difference {
    /// Its label.
    pub cause: String,
    /// The manual's columns with an X; none at all if its table has no such row.
    #[serde(default)]
    pub manual: Option<Vec<String>>,
    /// The settings that restarted.
    pub measured: Vec<String>,
}

impl Manual {
    /// The manual of this systemd, e.g. `257`. `None` if it is not kept here.
    ///
    /// # Errors
    ///
    /// [`MatrixError::BadManual`] when it is no longer what it should be.
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

    /// Where the measured table is not the manual's. Nothing if it was not measured.
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

/// In which row of the manual's table a cause is found, by what the text around it says.
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
