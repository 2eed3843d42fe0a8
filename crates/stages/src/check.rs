//! A check's executable: how it is run by what is not cargo, and what it reported.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use exercise_check::report::{self, Report};
use exercise_check::{BINARY_VARIABLE, FILES_VARIABLE, SOAK_VARIABLE, WRITE_VARIABLE};

/// How much of a test's output to show when it ended without a verdict.
const OUTPUT_LINES: usize = 30;

/// Lets a command, which runs a check's executable, run it as cargo would: in its package's folder, without what a shell may have set.
/// The check writes its report into `report`.
pub fn with_report(mut command: Command, folder: &Path, report: &Path) -> Command {
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("CARGO_MANIFEST_DIR", folder)
        // Should the check itself panic, a backtrace tells an attendee nothing.
        .env("RUST_BACKTRACE", "0")
        .env_remove(BINARY_VARIABLE)
        .env_remove(FILES_VARIABLE)
        .env_remove(SOAK_VARIABLE)
        .env_remove(WRITE_VARIABLE)
        .env(report::VARIABLE, report);
    command
}

/// The report that a check has written into this file, as far as it has come.
///
/// # Errors
///
/// When the file cannot be read, or holds something else.
pub fn read(report: &Path) -> anyhow::Result<Report> {
    let report = std::fs::read(report).context("cannot read the check's report")?;
    Ok(Report::parse(&String::from_utf8_lossy(&report))?)
}

/// The end of what a check printed.
pub fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES)..].join("\n")
}
