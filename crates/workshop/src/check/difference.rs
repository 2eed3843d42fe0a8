//! The difference between what was expected and what was seen, for a terminal: lines are wrapped at its edge, and only as many are
//! shown as leave room for the verdict below.

use systemd_lab_cli::style;

/// How many equal lines to show around a line that differs.
const CONTEXT: usize = 2;

/// Shown in place of omitted lines between two others.
const GAP: &str = "    …";

/// However small the terminal is, at least this much of a difference is shown.
const FEWEST_LINES: usize = 6;

/// The part of a difference that is shown in `rows` lines of `columns` characters. `more` is the command that shows the full
/// timeline.
pub(super) fn shown(difference: &str, columns: usize, rows: usize, more: &str) -> Vec<String> {
    let rows = rows.max(FEWEST_LINES);
    let lines: Vec<&str> = difference.trim_end().lines().collect();
    let whole = laid_out(lines.iter().copied(), columns);
    if whole.len() <= rows {
        return whole;
    }
    let around = laid_out(around_changes(&lines, CONTEXT).into_iter(), columns);
    if around.len() <= rows {
        return around;
    }
    let changes = laid_out(around_changes(&lines, 0).into_iter(), columns);
    let (kept, rest) = changes.split_at(changes.len().min(rows - 1));
    let mut shown = kept.to_vec();
    let lines = if rest.len() == 1 { "line" } else { "lines" };
    shown.push(style::faint(format!(
        "    … {} more {lines}: {more}",
        rest.len()
    )));
    shown
}

/// The heading, and the lines that differ with this much context.
fn around_changes<'a>(lines: &[&'a str], context: usize) -> Vec<&'a str> {
    let is_change = |line: &&str| line.starts_with("  - ") || line.starts_with("  + ");
    let is_kept = |index: usize| {
        let from = index.saturating_sub(context);
        let to = (index + context + 1).min(lines.len());
        // The heading and the blank line below it.
        index < 2 || lines[from..to].iter().any(is_change)
    };
    let mut kept = Vec::new();
    let mut is_gap = false;
    for (index, line) in lines.iter().enumerate() {
        match is_kept(index) {
            true => kept.push(*line),
            false if !is_gap => kept.push(GAP),
            false => {}
        }
        is_gap = !is_kept(index);
    }
    kept
}

fn laid_out<'a>(lines: impl Iterator<Item = &'a str>, columns: usize) -> Vec<String> {
    let mut shown = Vec::new();
    for line in lines {
        let pieces = style::broken(line, columns).into_iter();
        shown.extend(pieces.map(|piece| style::of_difference(line, &piece)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFFERENCE: &str = "\
Expected (-) and what systemd saw (+):

    a.service  dead -> start
    a.service  STATUS=one
    a.service  STATUS=two
    a.service  STATUS=three
  - a.service  READY=1
    a.service  start -> running
  - a.service  log: a line that is longer than the terminal
  + a.service  log: another
";

    fn plain(columns: usize, rows: usize) -> Vec<String> {
        let lines = shown(DIFFERENCE, columns, rows, "cargo workshop timeline 04");
        let lines = lines.iter();
        lines
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect()
    }

    #[test]
    fn what_fits_is_shown_whole() {
        assert_eq!(plain(80, 10), DIFFERENCE.lines().collect::<Vec<_>>());
    }

    #[test]
    fn lines_far_from_a_change_give_way_first() {
        assert_eq!(
            plain(40, 10),
            [
                "Expected (-) and what systemd saw (+):",
                "",
                "    …",
                "    a.service  STATUS=two",
                "    a.service  STATUS=three",
                "  - a.service  READY=1",
                "    a.service  start -> running",
                "  - a.service  log: a line that is",
                "      longer than the terminal",
                "  + a.service  log: another",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_at_all_says_where_it_is() {
        assert_eq!(
            plain(80, 2),
            [
                "Expected (-) and what systemd saw (+):",
                "",
                "    …",
                "  - a.service  READY=1",
                "    …",
                "    … 2 more lines: cargo workshop timeline 04",
            ]
        );
    }
}
