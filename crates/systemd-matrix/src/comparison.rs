//! The differences between versions of systemd, for people and programs.

use serde::Serialize;

use crate::compare::{Change, compare};
use crate::table::{Cell, Matrix, Row, Table, short_version};

/// Everything that not all of these versions of systemd do in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The versions, e.g. `252.39-1~deb12u2`, the oldest first.
    pub systemd: Vec<String>,
    /// Cell by cell.
    pub changes: Vec<Change>,
    /// The same as tables, one for each table that has changes.
    #[serde(skip)]
    pub tables: Vec<Table>,
}

impl Comparison {
    /// Compares them, whatever their order; see [`compare()`].
    pub fn of(matrices: &[Matrix]) -> Comparison {
        let mut matrices: Vec<&Matrix> = matrices.iter().collect();
        matrices.sort_by_key(|matrix| matrix.version().parse().unwrap_or(u32::MAX));
        let changes = compare(&matrices);
        let columns = matrices.iter();
        let columns = columns.map(|matrix| format!("systemd {}", matrix.version()));
        let columns: Vec<String> = columns.collect();
        // Titles and remarks are those of the newest.
        let newest = matrices.last().map_or(&[][..], |matrix| &matrix.tables);
        let tables = newest.iter().filter_map(|table| {
            let rows = rows(table, &changes);
            let is_of_use = |remark: &&String| match remark.starts_with("*: ") {
                true => has_stars(&rows),
                false => explains_marks(remark) && has_marks(&rows),
            };
            let legend = table.legend.iter().filter(is_of_use).cloned().collect();
            (!rows.is_empty()).then(|| Table {
                columns: columns.clone(),
                rows: rows.clone(),
                legend,
                ..table.clone()
            })
        });
        Comparison {
            systemd: matrices
                .iter()
                .map(|matrix| matrix.systemd.clone())
                .collect(),
            tables: tables.collect(),
            changes,
        }
    }

    /// All versions in full, e.g. `252.39-1~deb12u2, 257.13-1~deb13u1 and 262.1-1`.
    pub fn versions(&self) -> String {
        listed(&self.systemd)
    }

    /// Calls the newest version so, instead of by its number: for a page that should stay true when a newer one does the same.
    #[must_use]
    pub fn with_newest_called(mut self, name: &str) -> Comparison {
        for table in &mut self.tables {
            if let Some(column) = table.columns.last_mut() {
                name.clone_into(column);
            }
        }
        if let Some(newest) = self.systemd.last_mut() {
            name.clone_into(newest);
        }
        self
    }

    /// The tables, each below its title, and the versions that were compared.
    pub fn to_markdown(&self) -> String {
        let tables = self
            .tables
            .iter()
            .map(|table| format!("**{}**\n\n{}\n", table.title, table.body_to_markdown()));
        // Debian's part of the version changes with each update, but the guide should not.
        let shown = |systemd: &String| match short_version(systemd) {
            "" => systemd.clone(),
            version => version.to_owned(),
        };
        let versions: Vec<String> = self.systemd.iter().map(shown).collect();
        let summary = format!("Measured with systemd {}", listed(&versions));
        match self.changes.is_empty() {
            true => format!("{summary}: no difference.\n"),
            false => format!("{}{summary}.\n", tables.collect::<String>()),
        }
    }
}

/// `252, 257 and 262`
fn listed(versions: &[String]) -> String {
    match versions {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => versions.concat(),
    }
}

/// One row for all cells of a row that differ in the same way.
fn rows(table: &Table, changes: &[Change]) -> Vec<Row> {
    let mut merged: Vec<(&Change, Vec<&str>)> = Vec::new();
    for change in changes.iter().filter(|change| change.table == table.id) {
        let is_alike = |(other, _): &&mut (&Change, Vec<&str>)| {
            (&other.row, &other.cells) == (&change.row, &change.cells)
        };
        match merged.iter_mut().find(is_alike) {
            Some((_, columns)) => columns.push(&change.column),
            None => merged.push((change, vec![&change.column])),
        }
    }
    let row = |(change, columns): (&Change, Vec<&str>)| Row {
        label: match table.columns.len() {
            1 => change.row.clone(),
            _ => format!("{}: {}", change.row, columns.join(", ")),
        },
        means: String::new(),
        cells: change
            .cells
            .iter()
            .map(|cell| shown(cell, &change.cells))
            .collect(),
    };
    merged.into_iter().map(row).collect()
}

/// A cell among those that it is compared with: in full where the short text would not tell it from another.
fn shown(cell: &Option<Cell>, all: &[Option<Cell>]) -> Cell {
    let looks_like_another = |cell: &Cell| {
        let mut others = all.iter().flatten();
        others.any(|other| other != cell && other.short() == cell.short())
    };
    match cell {
        None => Cell::text("not measured"),
        Some(cell) if looks_like_another(cell) => match cell {
            Cell::Restarted {
                result,
                delay_seconds,
            } => Cell::text(format!("yes, `{result}`, {delay_seconds} s")),
            Cell::NotRestarted { result, state } => Cell::text(format!("–, `{result}`, `{state}`")),
            Cell::Refused | Cell::Text { .. } => cell.clone(),
        },
        Some(cell) => cell.clone(),
    }
}

/// Whether a remark explains `yes`, `–` or another mark in a cell.
fn explains_marks(remark: &str) -> bool {
    ["yes: ", "refused: ", "ignored: "]
        .iter()
        .any(|mark| remark.starts_with(mark))
}

/// Whether a cell has such a mark.
fn has_marks(rows: &[Row]) -> bool {
    let is_mark = |cell: &Cell| !matches!(cell, Cell::Text { text } if text != "ignored");
    rows.iter().flat_map(|row| &row.cells).any(is_mark)
}

/// Whether a cell differs from the manual.
fn has_stars(rows: &[Row]) -> bool {
    let mut cells = rows.iter().flat_map(|row| &row.cells);
    cells.any(|cell| cell.short().ends_with(" *"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{matrix, restarted, stays};

    #[test]
    fn cells_that_differ_in_the_same_way_are_one_row() {
        let old = matrix(
            "252.39-1",
            &[
                ("same", &[stays("signal"), stays("signal")]),
                ("forced", &[Cell::Refused, Cell::Refused]),
                ("other result", &[stays("signal"), stays("exit-code")]),
                ("restarted", &[stays("signal"), stays("signal")]),
            ],
        );
        let new = matrix(
            "257.13-1",
            &[
                ("same", &[stays("signal"), stays("signal")]),
                ("forced", &[stays("success"), stays("success")]),
                ("other result", &[stays("signal"), stays("signal")]),
                ("restarted", &[stays("signal"), restarted("signal")]),
            ],
        );
        assert_eq!(
            Comparison::of(&[old, new]).to_markdown(),
            "**`Type=oneshot`**\n\
             \n\
             | end | systemd 252 | systemd 257 |\n\
             | --- | --- | --- |\n\
             | forced: `no`, `always` | refused | – |\n\
             | other result: `always` | –, `exit-code`, `failed` | –, `signal`, `failed` |\n\
             | restarted: `always` | – | yes |\n\
             \n\
             Yes: started again.\n\
             \n\
             Measured with systemd 252 and 257.\n"
        );
    }

    #[test]
    fn a_star_is_explained_where_there_is_one() {
        let legend = |cell: &str| {
            let mut old = matrix("252", &[("a", &[Cell::text(cell), Cell::Refused])]);
            let mut new = matrix("257", &[("a", &[Cell::text("b"), Cell::Refused])]);
            for table in old.tables.iter_mut().chain(&mut new.tables) {
                table.legend = vec!["*: why".to_owned(), "a remark".to_owned()];
            }
            Comparison::of(&[old, new]).tables[0].legend.clone()
        };
        assert_eq!(legend("a *"), ["*: why"]);
        assert!(legend("a").is_empty());
    }

    #[test]
    fn no_difference_is_said() {
        let cells = [stays("signal"), restarted("signal")];
        let one = matrix("252.39-1", &[("SIGKILL", &cells)]);
        let other = matrix("257.13-1", &[("SIGKILL", &cells)]);
        let comparison = Comparison::of(&[one, other]);
        assert_eq!(comparison.tables, []);
        assert_eq!(
            comparison.to_markdown(),
            "Measured with systemd 252 and 257: no difference.\n"
        );
    }

    #[test]
    fn three_versions_have_three_columns_the_oldest_first() {
        let of = |version: &str, limit: &str, forced: Cell| {
            let same = [stays("signal"), stays("signal")];
            let rows: [(&str, &[Cell]); 3] = [
                ("same", &same),
                ("limit", &[stays(limit), Cell::Refused]),
                ("forced", &[Cell::Refused, forced]),
            ];
            matrix(version, &rows)
        };
        let comparison = Comparison::of(&[
            of("262.1-1", "start-limit-hit", stays("success")),
            of("99", "exit-code", restarted("success")),
            of("257.13-1", "exit-code", stays("success")),
        ]);
        assert_eq!(comparison.systemd, ["99", "257.13-1", "262.1-1"]);
        assert_eq!(
            comparison.to_markdown(),
            "**`Type=oneshot`**\n\
             \n\
             | end | systemd 99 | systemd 257 | systemd 262 |\n\
             | --- | --- | --- | --- |\n\
             | limit: `no` | –, `exit-code`, `failed` | –, `exit-code`, `failed` | –, `start-limit-hit`, `failed` |\n\
             | forced: `always` | yes | – | – |\n\
             \n\
             Yes: started again.\n\
             \n\
             Measured with systemd 99, 257 and 262.\n"
        );
        let called = comparison.clone().with_newest_called("the newest");
        let text = called.to_markdown();
        assert!(text.contains("| systemd 257 | the newest |"), "{text}");
        assert!(
            text.ends_with("systemd 99, 257 and the newest.\n"),
            "{text}"
        );
        let json = serde_json::to_value(&comparison).expect("it is data");
        let cells = &json["changes"][0]["cells"];
        assert_eq!(cells[1]["result"], "exit-code");
        assert_eq!(cells[2]["result"], "start-limit-hit");
    }
}
