//! Tables for people.

/// Before each column.
const GAP: &str = "  ";

/// Lays out the rows, the header first. What repeats in the first `named_once` columns is left out, and the column `right` is aligned
/// to the right.
pub(crate) fn table<const COLUMNS: usize>(
    rows: &[[String; COLUMNS]],
    named_once: usize,
    right: Option<usize>,
) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let mut text = String::new();
    let mut before: Option<&[String; COLUMNS]> = None;
    for row in rows {
        let repeats = |column: usize| before.is_some_and(|it| it[..=column] == row[..=column]);
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let is_left_out = column < named_once && repeats(column);
            let cell = if is_left_out { "" } else { cell };
            let width = width(column);
            line += GAP;
            line += &match right == Some(column) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            };
        }
        text += line.trim_end();
        text += "\n";
        before = Some(row);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_named_once() {
        let rows = [
            ["Unit", "Fault", "Runs", "What"],
            ["a", "kill", "10", "x"],
            ["a", "kill", "9", "x"],
            ["a", "freeze", "9", ""],
            ["b", "freeze", "1", "y"],
        ];
        let rows = rows.map(|row| row.map(str::to_owned));
        assert_eq!(
            table(&rows, 2, Some(2)),
            "  Unit  Fault   Runs  What\n  \
               a     kill      10  x\n                   \
                                9  x\n        \
                     freeze     9\n  \
               b     freeze     1  y\n"
        );
    }
}
