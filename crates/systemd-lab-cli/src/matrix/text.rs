//! Tables for a terminal of 100 columns.

use anstyle::{AnsiColor, Style};
use systemd_matrix::{Cell, Comparison, Matrix, Table};

use crate::style;

const RESTARTED: Style = AnsiColor::Green.on_default().bold();
const REFUSED: Style = AnsiColor::Yellow.on_default();

/// The space between two columns.
const GAP: usize = 2;

/// Settings with this prefix share it in the line above them, so that seven of them fit side by side.
const SHARED: &str = "on-";

/// All tables, each below its title.
pub(super) fn matrix(matrix: &Matrix) -> String {
    let tables: Vec<String> = matrix.tables.iter().map(table).collect();
    format!(
        "{}\nMeasured with systemd {}.\n",
        tables.join("\n"),
        matrix.systemd
    )
}

/// The differences, below the titles of the tables that have any.
pub(super) fn comparison(comparison: &Comparison) -> String {
    let tables: Vec<String> = comparison.tables.iter().map(table).collect();
    let summary = format!("Measured with systemd {}", comparison.versions());
    match tables.is_empty() {
        true => format!("{summary}: no difference.\n"),
        false => format!("{}\n{summary}.\n", tables.join("\n")),
    }
}

fn table(table: &Table) -> String {
    let heads: Vec<(String, String)> = [&table.corner]
        .into_iter()
        .chain(&table.columns)
        .map(|head| in_two_lines(&plain(head)))
        .collect();
    let widths: Vec<usize> = heads
        .iter()
        .enumerate()
        .map(|(column, (upper, lower))| {
            let cells = table.rows.iter().map(|row| match column {
                0 => width(&plain(&row.label)),
                _ => row
                    .cells
                    .get(column - 1)
                    .map_or(0, |cell| width(&plain(cell.short()))),
            });
            cells.chain([width(upper), width(lower)]).max().unwrap_or(0)
        })
        .collect();

    let mut text = format!("{}\n\n", style::strong(plain(&table.title)));
    let upper: Vec<String> = heads.iter().map(|(upper, _)| upper.clone()).collect();
    if upper.iter().any(|head| !head.is_empty()) {
        text += &line(&upper, &widths, |_, text| style::faint(text));
    }
    let lower: Vec<String> = heads.into_iter().map(|(_, lower)| lower).collect();
    text += &line(&lower, &widths, |_, text| style::faint(text));
    for row in &table.rows {
        let words: Vec<String> = std::iter::once(plain(&row.label))
            .chain(row.cells.iter().map(|cell| plain(cell.short())))
            .collect();
        text += &line(&words, &widths, |column, text| match column {
            0 => text.to_owned(),
            column => styled(&row.cells[column - 1], text),
        });
    }
    if !table.legend.is_empty() {
        text.push('\n');
    }
    for remark in &table.legend {
        text += &format!("  {}\n", style::faint(plain(remark)));
    }
    text
}

/// `on-failure` is `on-` above `failure`.
fn in_two_lines(head: &str) -> (String, String) {
    match head.strip_prefix(SHARED) {
        Some(rest) => (SHARED.to_owned(), rest.to_owned()),
        None => (String::new(), head.to_owned()),
    }
}

/// Styles are added after the padding, because they take no space.
fn line(words: &[String], widths: &[usize], styled: impl Fn(usize, &str) -> String) -> String {
    let mut text = " ".repeat(GAP);
    for (column, (word, widest)) in words.iter().zip(widths).enumerate() {
        text += &styled(column, word);
        if column + 1 < words.len() {
            text += &" ".repeat(widest - width(word) + GAP);
        }
    }
    format!("{}\n", text.trim_end())
}

fn styled(cell: &Cell, text: &str) -> String {
    match cell {
        Cell::Restarted { .. } => format!("{RESTARTED}{text}{RESTARTED:#}"),
        Cell::Refused => format!("{REFUSED}{text}{REFUSED:#}"),
        Cell::NotRestarted { .. } => style::faint(text),
        Cell::Text { .. } => text.to_owned(),
    }
}

/// A terminal does not understand code between backticks.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use systemd_matrix::{Row, TableId};

    use super::*;

    fn matrix(systemd: &str, cells: [Cell; 2]) -> Matrix {
        Matrix {
            systemd: systemd.to_owned(),
            tables: vec![Table {
                id: TableId::Oneshot,
                title: "`Restart=` with `Type=oneshot`".to_owned(),
                legend: vec!["refused: not loaded".to_owned()],
                corner: "end".to_owned(),
                columns: vec!["`no`".to_owned(), "`on-failure`".to_owned()],
                rows: vec![Row {
                    label: "exit code 0, forced".to_owned(),
                    means: String::new(),
                    cells: cells.to_vec(),
                }],
            }],
        }
    }

    fn stays() -> Cell {
        Cell::NotRestarted {
            result: "success".to_owned(),
            state: "dead".to_owned(),
        }
    }

    fn compared(before: [Cell; 2], after: [Cell; 2]) -> String {
        let (before, after) = (matrix("252.39-1", before), matrix("257.13-1", after));
        let text = comparison(&Comparison::of(&[before, after]));
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn what_differs() {
        assert_eq!(
            compared([Cell::Refused, stays()], [stays(), stays()]),
            concat!(
                "Restart= with Type=oneshot\n",
                "\n",
                "  end                      systemd 252  systemd 257\n",
                "  exit code 0, forced: no  refused      –\n",
                "\n",
                "  refused: not loaded\n",
                "\n",
                "Measured with systemd 252.39-1 and 257.13-1.\n",
            )
        );
    }

    #[test]
    fn nothing_differs() {
        assert_eq!(
            compared([stays(), stays()], [stays(), stays()]),
            "Measured with systemd 252.39-1 and 257.13-1: no difference.\n"
        );
    }
}
