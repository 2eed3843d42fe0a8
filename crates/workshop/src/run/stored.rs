//! A timeline that is kept in a file, to be compared with later.

use std::fs;
use std::path::Path;

use similar::TextDiff;

use crate::{WrongUsage, style};
use systemd_lab::check::Outcome;

/// Lines around a difference.
const CONTEXT: usize = 3;

/// Reads one.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).map_err(|error| {
        let file = file.display();
        WrongUsage(format!(
            "cannot read {file} ({error}); make it: the same command with --save {file} in place of --expect"
        ))
        .into()
    })
}

/// What differs, as a diff; none if nothing does.
pub(super) fn difference(expected: &str, seen: &str) -> Option<String> {
    // A file may have been checked out with other line ends.
    let expected = expected.replace("\r\n", "\n");
    if expected.trim_end() == seen.trim_end() {
        return None;
    }
    let diff = TextDiff::from_lines(expected.as_str(), seen);
    let mut diff = diff.unified_diff();
    diff.context_radius(CONTEXT);
    let hunks = diff.iter_hunks().map(|hunk| {
        let changes = hunk.iter_changes();
        let lines = changes.map(|change| format!("  {} {change}", change.tag()));
        lines.collect::<String>()
    });
    Some(hunks.collect::<Vec<_>>().join("  …\n"))
}

/// What to say of it.
pub(super) fn verdict(file: &Path, difference: Option<&str>) -> String {
    let file = file.display();
    match difference {
        None => format!("\nAs expected: {file}\n"),
        Some(difference) => {
            let headline = "NOT AS EXPECTED\n\nExpected (-) and what systemd did (+):\n\n";
            let report = style::report(Outcome::NotYet, &format!("{headline}{difference}"));
            format!(
                "\n{report}\nIf this is right, keep it: the same command with --save {file} in place of --expect\n"
            )
        }
    }
}
