//! A check's executable: how to run it without cargo, and what it reported.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use exercise_check::report::{self, Report};
use exercise_check::{BINARY_VARIABLE, FILES_VARIABLE, SOAK_VARIABLE, WRITE_VARIABLE};

/// How much of a test's output to show when it ended without a verdict.
const OUTPUT_LINES: usize = 30;

/// Sets up a command that runs a check's executable, so that it runs as under cargo: in its package's folder, and without variables that a
/// shell may have set. The check writes its report into `report`.
pub fn with_report(mut command: Command, folder: &Path, report: &Path) -> Command {
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("CARGO_MANIFEST_DIR", folder)
        // If the check itself panics, a backtrace does not help an attendee.
        .env("RUST_BACKTRACE", "0")
        .env_remove(BINARY_VARIABLE)
        .env_remove(FILES_VARIABLE)
        .env_remove(SOAK_VARIABLE)
        .env_remove(WRITE_VARIABLE)
        .env(report::VARIABLE, report);
    command
}

/// The report that a check has written into this file so far.
///
/// # Errors
///
/// When the file cannot be read, or has something else in it.
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
