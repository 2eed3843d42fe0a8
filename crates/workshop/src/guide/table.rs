//! A table for a terminal: columns as wide as the terminal allows, cells wrapped.

use textwrap::core::display_width;

use super::wrap::wrapped;
use systemd_lab_cli::style;

/// Between two columns.
const GAP: &str = "  ";

/// Rows of cells; the first is the header. A table that does not fit, even with wrapped cells, is shown row by row.
pub(super) fn lines(rows: &[Vec<String>], width: usize) -> Vec<String> {
    match widths(rows, width) {
        Some(widths) => side_by_side(rows, &widths),
        None => row_by_row(rows, width),
    }
}

fn side_by_side(rows: &[Vec<String>], widths: &[usize]) -> Vec<String> {
    let cell = |row: &[String], (column, width): (usize, &usize)| {
        wrapped(row.get(column).map_or("", String::as_str), *width)
    };
    let rows = rows.iter().map(|row| {
        let cells = widths.iter().enumerate().map(|of| cell(row, of));
        cells.collect::<Vec<_>>()
    });
    let rows: Vec<Vec<Vec<String>>> = rows.collect();
    let height = |cells: &Vec<Vec<String>>| cells.iter().map(Vec::len).max().unwrap_or(0);
    // Otherwise readers cannot see where a row begins.
    let is_apart = rows.iter().skip(1).any(|cells| height(cells) > 1);
    let mut lines = Vec::new();
    for (index, cells) in rows.iter().enumerate() {
        let height = height(cells);
        for line in 0..height {
            let parts = cells.iter().zip(widths).map(|(cell, width)| {
                let text = cell.get(line).map_or("", String::as_str);
                let missing = width.saturating_sub(display_width(text));
                let text = match index {
                    0 => style::strong(text),
                    _ => text.to_owned(),
                };
                text + &" ".repeat(missing)
            });
            let parts: Vec<String> = parts.collect();
            lines.push(parts.join(GAP).trim_end().to_owned());
        }
        if index == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            lines.push(style::faint(rule.join(GAP)));
        } else if is_apart && index + 1 < rows.len() {
            lines.push(String::new());
        }
    }
    lines
}

/// The first cell of each row, and below it the others with the headers of their columns.
fn row_by_row(rows: &[Vec<String>], width: usize) -> Vec<String> {
    let Some((head, rows)) = rows.split_first() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for row in rows {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut cells = row.iter().enumerate();
        if let Some((_, first)) = cells.next() {
            lines.extend(wrapped(&style::strong(first), width));
        }
        for (column, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
            let head = head.get(column).map_or("", String::as_str);
            let text = format!("{}: {cell}", style::faint(head));
            let indented = wrapped(&text, width.saturating_sub(GAP.len()));
            lines.extend(indented.iter().map(|line| format!("{GAP}{line}")));
        }
    }
    lines
}

/// As wide as the widest cell. If that is too wide, the widest columns shrink, down to their longest word. `None` if that is
/// still too wide.
fn widths(rows: &[Vec<String>], width: usize) -> Option<Vec<usize>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize, of: &dyn Fn(&str) -> usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| of(cell)).max().unwrap_or(0)
    };
    let longest_word = |cell: &str| cell.split(' ').map(display_width).max().unwrap_or(0);
    let least: Vec<usize> = (0..columns).map(|it| widest(it, &longest_word)).collect();
    let mut widths: Vec<usize> = (0..columns).map(|it| widest(it, &display_width)).collect();
    let available = width.saturating_sub(GAP.len() * columns.saturating_sub(1));
    if least.iter().sum::<usize>() > available {
        return None;
    }
    while widths.iter().sum::<usize>() > available {
        let shrinkable = widths.iter_mut().zip(&least);
        let shrinkable = shrinkable.filter(|(width, least)| **width > **least);
        let (widest, _) = shrinkable.max_by_key(|(width, _)| **width)?;
        *widest -= 1;
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        let cells = |row: &&[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        rows.iter().map(cells).collect()
    }

    fn plain(rows: &[Vec<String>], width: usize) -> Vec<String> {
        let lines = lines(rows, width).into_iter();
        lines
            .map(|line| anstream::adapter::strip_str(&line).to_string())
            .collect()
    }

    #[test]
    fn the_widest_column_gives_way() {
        let rows = rows(&[
            &["cause", "what systemd does"],
            &["exit code 1", "it restarts the service after RestartSec="],
            &["SIGTERM", "nothing"],
        ]);
        let lines = plain(&rows, 36);
        assert_eq!(
            lines,
            [
                "cause        what systemd does",
                "───────────  ───────────────────────",
                "exit code 1  it restarts the service",
                "             after RestartSec=",
                "",
                "SIGTERM      nothing",
            ]
        );
    }

    #[test]
    fn a_table_that_is_too_wide_is_shown_row_by_row() {
        let rows = rows(&[
            &["end", "no", "always", "on-failure"],
            &["exit-code-1", "stays-down", "restarted", "restarted"],
            &["exit-code-0", "", "restarted", "stays-down"],
        ]);
        let lines = plain(&rows, 24);
        assert_eq!(
            lines,
            [
                "exit-code-1",
                "  no: stays-down",
                "  always: restarted",
                "  on-failure: restarted",
                "",
                "exit-code-0",
                "  always: restarted",
                "  on-failure: stays-down",
            ]
        );
    }
}
