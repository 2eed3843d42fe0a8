//! A timeline that is stored in a file, for later comparisons.

use std::path::Path;

use systemd_lab::{Experiment, Timeline};

use crate::exit::{ExitStatus, WrongUsage};
use crate::style;

/// A timeline of a hundred hours takes some megabytes.
const LARGEST: u64 = 256 << 20;

/// Reads one.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    systemd_lab::read_text(file, LARGEST).map_err(|error| {
        let file = file.display();
        WrongUsage(format!(
            "cannot read {file} ({error}); make it: the same command with --save {file} in place of --expect"
        ))
        .into()
    })
}

/// The difference as a diff; `None` if there is none.
pub(super) fn difference(
    file: &Path,
    experiment: &Experiment,
    expected: &str,
    timeline: &Timeline,
) -> anyhow::Result<Option<String>> {
    let difference = experiment.difference(expected, timeline);
    difference.map_err(|error| WrongUsage(format!("{}: {error}", file.display())).into())
}

/// The message about the comparison.
pub(super) fn verdict(file: &Path, difference: Option<&str>) -> String {
    let file = file.display();
    match difference {
        None => format!("\nAs expected: {file}\n"),
        Some(difference) => {
            let headline = "NOT AS EXPECTED\n\nExpected (-) and what systemd did (+):\n\n";
            let report = style::report(ExitStatus::NotYet, &format!("{headline}{difference}"));
            format!(
                "\n{report}\nIf this is right, keep it: the same command with --save {file} in place of --expect\n"
            )
        }
    }
}
