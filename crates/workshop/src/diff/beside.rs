//! Two unit files side by side, line by line.

use anstyle::Style;
use similar::{DiffOp, TextDiff};
use textwrap::core::display_width;

use super::{HEADER, SOLUTIONS, YOURS};
use systemd_lab_cli::style;

/// The separator between the columns.
const GAP: &str = " │ ";

/// A narrower column would wrap every setting.
const NARROWEST: usize = 24;

/// Both files in this width; `None` if that is too narrow.
pub(super) fn side_by_side(
    heads: (&str, &str),
    yours: &str,
    solved: &str,
    width: usize,
) -> Option<Vec<String>> {
    let column = width.checked_sub(GAP.chars().count())? / 2;
    if column < NARROWEST {
        return None;
    }
    let mut rows = row((heads.0, HEADER), (heads.1, HEADER), column);
    rows.push(style::faint(format!(
        "{}─┼─{}",
        "─".repeat(column),
        "─".repeat(column)
    )));
    let (old, new): (Vec<&str>, Vec<&str>) = (yours.lines().collect(), solved.lines().collect());
    let diff = TextDiff::from_slices(&old, &new);
    for op in diff.ops() {
        let is_same = matches!(op, DiffOp::Equal { .. });
        let (left, right) = (&old[op.old_range()], &new[op.new_range()]);
        let (of_left, of_right) = match is_same {
            true => (Style::new(), Style::new()),
            false => (YOURS, SOLUTIONS),
        };
        for index in 0..left.len().max(right.len()) {
            let left = left.get(index).copied().unwrap_or_default();
            let right = right.get(index).copied().unwrap_or_default();
            rows.extend(row((left, of_left), (right, of_right), column));
        }
    }
    Some(rows)
}

/// A line of each, in as many rows as the longer one needs.
fn row(left: (&str, Style), right: (&str, Style), column: usize) -> Vec<String> {
    let (one, other) = (
        style::broken(left.0, column),
        style::broken(right.0, column),
    );
    let cell = |text: Option<&String>, style: Style, is_last: bool| {
        let text = text.map_or("", String::as_str);
        let missing = match is_last {
            true => 0,
            false => column.saturating_sub(display_width(text)),
        };
        format!("{style}{text}{style:#}{}", " ".repeat(missing))
    };
    (0..one.len().max(other.len()))
        .map(|index| {
            let left = cell(one.get(index), left.1, false);
            let right = cell(other.get(index), right.1, true);
            format!("{left}{}{right}", style::faint(GAP))
                .trim_end()
                .to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_face_each_other() {
        let yours = "[Service]\nType=exec\nExecStart=/usr/local/bin/exercise-04\n";
        let solved = "[Service]\nType=notify-reload\nExecStart=/usr/local/bin/exercise-04\nWatchdogSec=10s\n";
        let rows = side_by_side(("yours", "the solution"), yours, solved, 60);
        let rows = rows.expect("that is wide enough");
        let plain: Vec<String> = rows
            .iter()
            .map(|row| anstream::adapter::strip_str(row).to_string())
            .collect();
        assert_eq!(
            plain,
            [
                "yours                        │ the solution",
                "─────────────────────────────┼─────────────────────────────",
                "[Service]                    │ [Service]",
                "Type=exec                    │ Type=notify-reload",
                "ExecStart=/usr/local/bin/exe │ ExecStart=/usr/local/bin/exe",
                "  rcise-04                   │   rcise-04",
                "                             │ WatchdogSec=10s",
            ]
        );
        assert!(side_by_side(("", ""), yours, solved, 40).is_none());
    }
}
