//! Finds where versions of systemd behave differently.

use serde::Serialize;

use crate::table::{Cell, Matrix, Row, Table, TableId};

/// A cell that is not the same in all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The table.
    pub table: TableId,
    /// The row's label.
    pub row: String,
    /// The column's header.
    pub column: String,
    /// What each version does, in the order in which they were given. `None` if it was not measured.
    pub cells: Vec<Option<Cell>>,
}

/// All cells that are not the same in all of them, in the order of the first; then those that only later ones have. Tables that not all
/// of them have are left out: they were not requested.
pub fn compare(matrices: &[&Matrix]) -> Vec<Change> {
    let Some(first) = matrices.first() else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for table in &first.tables {
        let same = matrices.iter().map(|matrix| matrix.table(table.id));
        if let Some(tables) = same.collect::<Option<Vec<&Table>>>() {
            compare_tables(&tables, &mut changes);
        }
    }
    changes
}

fn compare_tables(tables: &[&Table], changes: &mut Vec<Change>) {
    let row_of =
        |table: &Table, label: &str| table.rows.iter().find(|row| row.label == label).cloned();
    let rows = tables.iter().flat_map(|table| &table.rows);
    let labels = each_once(rows.map(|row| row.label.as_str()));
    let columns = tables.iter().flat_map(|table| &table.columns);
    let columns = each_once(columns.map(String::as_str));
    for label in labels {
        let rows: Vec<(&Table, Option<Row>)> = tables
            .iter()
            .map(|table| (*table, row_of(table, label)))
            .collect();
        for column in &columns {
            let cells = rows.iter().map(|(table, row)| cell(table, row, column));
            let cells: Vec<Option<Cell>> = cells.collect();
            if cells.windows(2).any(|pair| pair[0] != pair[1]) {
                changes.push(Change {
                    table: tables[0].id,
                    row: label.to_owned(),
                    column: (*column).to_owned(),
                    cells,
                });
            }
        }
    }
}

/// Each text once, where it comes first.
fn each_once<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for text in texts {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
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
        assert_eq!(compare(&[&one, &other]), []);
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
            cells: vec![before, after],
        };
        assert_eq!(
            compare(&[&old, &new]),
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
        assert_eq!(compare(&[&one, &other]).len(), 1);
    }

    #[test]
    fn a_table_that_was_not_asked_for_is_left_out() {
        let mut other = matrix("252", &[]);
        other.tables.clear();
        assert_eq!(
            compare(&[
                &matrix("257", &[("a", &[Cell::Refused, Cell::Refused])]),
                &other
            ]),
            []
        );
    }

    #[test]
    fn of_three_each_may_be_the_one_that_differs() {
        let one = |cell: Cell| matrix("1", &[("end", &[Cell::Refused, cell])]);
        let (old, new) = (one(stays("signal")), one(restarted("signal")));
        for order in [[&old, &new, &new], [&new, &old, &new], [&new, &new, &old]] {
            let [change] = &compare(&order)[..] else {
                panic!("one cell differs");
            };
            assert_eq!(change.column, "`always`");
            let cells = order.map(|it| Some(it.tables[0].rows[0].cells[1].clone()));
            assert_eq!(change.cells, cells);
        }
        assert_eq!(compare(&[&old, &old, &old]), []);
        assert_eq!(compare(&[]), []);
    }
}
