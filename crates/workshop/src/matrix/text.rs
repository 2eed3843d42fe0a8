//! Tables for a terminal of 100 columns.

use anstyle::{AnsiColor, Style};
use restart_matrix::{Cell, Matrix, Table};

use crate::style;

const RESTARTED: Style = AnsiColor::Green.on_default().bold();
const REFUSED: Style = AnsiColor::Yellow.on_default();

/// Between two columns.
const GAP: usize = 2;

/// The settings that begin so share a word in the line above them, so that seven of them fit beside each other.
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
    text.push('\n');
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

/// Styles come after padding: they take no room.
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

/// A terminal knows no code between backticks.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

fn width(text: &str) -> usize {
    text.chars().count()
}
