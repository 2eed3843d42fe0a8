//! Finds where two versions of systemd behave differently.

use serde::Serialize;

use crate::table::{Cell, Matrix, Row, Table, TableId};

/// A cell that differs between the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The table.
    pub table: TableId,
    /// The row's label.
    pub row: String,
    /// The column's header.
    pub column: String,
    /// What the first version does. `None` if it was not measured.
    pub before: Option<Cell>,
    /// What the second version does.
    pub after: Option<Cell>,
}

/// All cells that differ, in the order of `before`; then those that only `after` has. Tables that only one of them
/// has are left out: they were not requested.
pub fn compare(before: &Matrix, after: &Matrix) -> Vec<Change> {
    let mut changes = Vec::new();
    for table in &before.tables {
        if let Some(other) = after.table(table.id) {
            compare_tables(table, other, &mut changes);
        }
    }
    changes
}

fn compare_tables(before: &Table, after: &Table, changes: &mut Vec<Change>) {
    let row_of =
        |table: &Table, label: &str| table.rows.iter().find(|row| row.label == label).cloned();
    let mut labels: Vec<&str> = before.rows.iter().map(|row| row.label.as_str()).collect();
    for row in &after.rows {
        if !labels.contains(&row.label.as_str()) {
            labels.push(&row.label);
        }
    }
    let mut columns: Vec<&str> = before.columns.iter().map(String::as_str).collect();
    for column in &after.columns {
        if !columns.contains(&column.as_str()) {
            columns.push(column);
        }
    }
    for label in labels {
        let (old, new) = (row_of(before, label), row_of(after, label));
        for column in &columns {
            let (old, new) = (cell(before, &old, column), cell(after, &new, column));
            if old != new {
                changes.push(Change {
                    table: before.id,
                    row: label.to_owned(),
                    column: (*column).to_owned(),
                    before: old,
                    after: new,
                });
            }
        }
    }
}

fn cell(table: &Table, row: &Option<Row>, column: &str) -> Option<Cell> {
    let index = table.columns.iter().position(|one| one == column)?;
    row.as_ref()?.cells.get(index).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{matrix, restarted, stays};

    #[test]
    fn the_same_behaviour_is_not_a_change_whatever_the_version() {
        let cells = [stays("exit-code"), restarted("exit-code")];
        let one = matrix("257", &[("exit code 1", &cells)]);
        let other = matrix("252", &[("exit code 1", &cells)]);
        assert_eq!(compare(&one, &other), []);
    }

    #[test]
    fn what_differs_is_named() {
        let old = matrix(
            "252",
            &[
                ("forced", &[restarted("success"), restarted("success")]),
                ("old", &[Cell::Refused, Cell::Refused]),
            ],
        );
        let new = matrix(
            "257",
            &[
                ("forced", &[restarted("success"), stays("success")]),
                ("new", &[restarted("a"), restarted("b")]),
            ],
        );
        let change = |row: &str, column: &str, before, after| Change {
            table: TableId::Oneshot,
            row: row.to_owned(),
            column: column.to_owned(),
            before,
            after,
        };
        assert_eq!(
            compare(&old, &new),
            [
                change(
                    "forced",
                    "`always`",
                    Some(restarted("success")),
                    Some(stays("success"))
                ),
                change("old", "`no`", Some(Cell::Refused), None),
                change("old", "`always`", Some(Cell::Refused), None),
                change("new", "`no`", None, Some(restarted("a"))),
                change("new", "`always`", None, Some(restarted("b"))),
            ]
        );
    }

    #[test]
    fn another_result_is_a_change_although_both_are_shown_alike() {
        let one = matrix(
            "259",
            &[("limit", &[stays("exit-code"), stays("exit-code")])],
        );
        let other = matrix(
            "260",
            &[("limit", &[stays("exit-code"), stays("start-limit-hit")])],
        );
        assert_eq!(compare(&one, &other).len(), 1);
    }

    #[test]
    fn a_table_that_was_not_asked_for_is_left_out() {
        let mut other = matrix("252", &[]);
        other.tables.clear();
        assert_eq!(
            compare(
                &matrix("257", &[("a", &[Cell::Refused, Cell::Refused])]),
                &other
            ),
            []
        );
    }
}
