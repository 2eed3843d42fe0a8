//! The main table for a page with little room: ends with the same consequences share a row.

use crate::cause::SETTINGS;
use crate::markdown::line;
use crate::table::{Cell, Matrix, Row, Table, TableId};

impl Matrix {
    /// The table of `Restart=` as Markdown, by `Result`, without a legend. `None` if it was not measured.
    ///
    /// If several ends have the same `Result`, it is followed by the ends in question.
    pub fn to_short_markdown(&self) -> Option<String> {
        let table = self.table(TableId::Restart)?;
        let settings = SETTINGS.iter().map(|setting| format!("`{setting}`"));
        let heads: Vec<String> = std::iter::once("`Result`".to_owned())
            .chain(settings)
            .collect();
        let mut text = line(heads.iter().map(String::as_str));
        text += &line(heads.iter().map(|_| "---"));
        for rows in alike(table) {
            let label = label(table, &rows);
            let cells = rows.first().map_or(&[][..], |row| decisions(row));
            text += &line(std::iter::once(label.as_str()).chain(cells.iter().map(Cell::short)));
        }
        Some(text)
    }
}

/// The rows with the same decisions, wherever they are; in the order of the first row of each group.
fn alike(table: &Table) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in &table.rows {
        let is_like = |group: &&mut Vec<&Row>| {
            let shown = |row| decisions(row).iter().map(Cell::short).collect::<Vec<_>>();
            group
                .first()
                .is_some_and(|first| shown(first) == shown(row))
        };
        match groups.iter_mut().find(is_like) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// Each `Result` of these rows once.
fn label(table: &Table, rows: &[&Row]) -> String {
    let mut results: Vec<&str> = Vec::new();
    for row in rows {
        if !results.contains(&result(row)) {
            results.push(result(row));
        }
    }
    let with_ends = |name: &str| {
        let of_name = |row: &&Row| result(row) == name;
        if table.rows.iter().filter(of_name).count() == 1 {
            return name.to_owned();
        }
        let ends: Vec<&str> = rows
            .iter()
            .copied()
            .filter(of_name)
            .map(|row| row.label.as_str())
            .collect();
        format!("{name} ({})", ends.join(", "))
    };
    let results: Vec<String> = results.into_iter().map(with_ends).collect();
    results.join(", ")
}

/// The first cell of a row is its `Result`; the others are the consequences of a setting.
fn result(row: &Row) -> &str {
    row.cells.first().map_or("", Cell::short)
}

fn decisions(row: &Row) -> &[Cell] {
    row.cells.get(1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, result: &str, restarting: &[&str]) -> Row {
        let decision = |setting: &&str| match restarting.contains(setting) {
            true => Cell::Restarted {
                result: result.to_owned(),
                delay_seconds: 5,
            },
            false => Cell::NotRestarted {
                result: result.to_owned(),
                state: "failed".to_owned(),
            },
        };
        Row {
            label: label.to_owned(),
            means: String::new(),
            cells: std::iter::once(Cell::text(format!("`{result}`")))
                .chain(SETTINGS.iter().map(decision))
                .collect(),
        }
    }

    #[test]
    fn rows_that_are_alike_are_one_wherever_they_stand() {
        let restart = Table {
            id: TableId::Restart,
            title: String::new(),
            legend: Vec::new(),
            corner: "end".to_owned(),
            columns: Vec::new(),
            rows: vec![
                row("start timeout", "timeout", &["always"]),
                row("watchdog", "watchdog", &["always", "on-watchdog"]),
                row("out of memory", "oom-kill", &["always"]),
                row("runtime limit", "timeout", &["always"]),
                row("`systemctl stop`", "timeout", &[]),
            ],
        };
        let matrix = Matrix {
            systemd: "257".to_owned(),
            tables: vec![restart],
        };
        assert_eq!(
            matrix.to_short_markdown().as_deref(),
            Some(concat!(
                "| `Result` | `no` | `always` | `on-success` | `on-failure` | `on-abnormal` | `on-abort` | `on-watchdog` |\n",
                "| --- | --- | --- | --- | --- | --- | --- | --- |\n",
                "| `timeout` (start timeout, runtime limit), `oom-kill` | – | yes | – | – | – | – | – |\n",
                "| `watchdog` | – | yes | – | – | – | – | yes |\n",
                "| `timeout` (`systemctl stop`) | – | – | – | – | – | – | – |\n",
            ))
        );
    }
}
