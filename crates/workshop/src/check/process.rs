//! Builds an exercise with its check, runs the check's executable, and reads its report while it is written.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use exercise_check::{BINARY_VARIABLE, FILES_VARIABLE, SOAK_VARIABLE, WRITE_VARIABLE};
use systemd_lab::check::report::{self, Report};

use crate::cargo::{self, BuildFailed, Executable};
use crate::exercises::{Exercise, Workshop};

/// How soon a verdict is seen after it was written: at once, for a person.
const LOOK: Duration = Duration::from_millis(20);

/// How much of a test's output to show when it ended without a verdict.
const OUTPUT_LINES: usize = 30;

/// How a check's executable ended.
pub(crate) struct Ended {
    pub(crate) is_success: bool,
    /// The end of what it printed.
    pub(crate) last_words: String,
}

/// Builds the exercise and its check, and returns the check.
pub(super) fn compile(
    workshop: &Workshop,
    exercise: &Exercise,
    colours: bool,
) -> anyhow::Result<Result<Executable, BuildFailed>> {
    let package = exercise.package();
    let arguments = ["test", "--package", &package, "--test", "check", "--no-run"];
    cargo::executable(&workshop.root, &arguments, "check", colours)
}

/// Runs a check to its end; `on_progress` is called each time when the report has grown.
pub(super) fn run(
    workshop: &Workshop,
    exercise: &Exercise,
    executable: &Path,
    mut on_progress: impl FnMut(&Report),
) -> anyhow::Result<(Report, Ended)> {
    let temporary = || "cannot make a temporary file; is the disk full?";
    let private = workshop.private();
    std::fs::create_dir_all(&private)
        .with_context(|| format!("cannot make {}; is the clone yours?", private.display()))?;
    let collected = tempfile::NamedTempFile::new_in(&private).with_context(temporary)?;
    let mut output = tempfile::tempfile().with_context(temporary)?;
    let folder = workshop.root.join("exercises").join(exercise.folder());
    let mut child = command(executable, &folder, collected.path())
        .stdout(output.try_clone().with_context(temporary)?)
        .stderr(output.try_clone().with_context(temporary)?)
        .spawn()
        .with_context(|| format!("cannot run {}", executable.display()))?;
    let mut seen = 0;
    let status = loop {
        let ended = child.try_wait().context("cannot wait for the check")?;
        let length = collected.as_file().metadata().map_or(seen, |it| it.len());
        if length > seen {
            seen = length;
            on_progress(&read(collected.path())?);
        }
        match ended {
            Some(status) => break status,
            None => std::thread::sleep(LOOK),
        }
    };
    let report = read(collected.path())?;
    // For `timeline` and `shell`. Whole or not at all: it is renamed.
    collected
        .persist(workshop.report(exercise))
        .with_context(|| format!("cannot write to {}", private.display()))?;
    let ended = Ended {
        is_success: status.success(),
        last_words: last_lines(&contents(&mut output)?),
    };
    Ok((report, ended))
}

/// The check's executable as cargo would run it, with a report.
pub(crate) fn command(executable: &Path, folder: &Path, report: &Path) -> Command {
    let mut command = Command::new(executable);
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

/// A report, as far as it has come.
pub(crate) fn read(report: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(report).context("cannot read the check's report")?;
    Ok(Report::parse(&text)?)
}

fn contents(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind().context("cannot read the check's output")?;
    file.read_to_end(&mut bytes)
        .context("cannot read the check's output")?;
    Ok(bytes)
}

pub(crate) fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES)..].join("\n")
}
