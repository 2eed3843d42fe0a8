//! Builds an exercise with its check, runs the check's executable, and reads its report as it is written.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use exercise_check::report::Report;
use rustix::fs::{MemfdFlags, memfd_create};
use systemd_lab::{dies_with_us, whole_file};

use exercise_check::stage::Stage;
use stages::cargo::{self, BuildFailed, Executable, PackageFolder};
use stages::check::{self, last_lines};
use stages::exercises::Workshop;
use systemd_lab_cli::output;

/// How soon a new verdict is seen: this feels immediate to a person.
const LOOK: Duration = Duration::from_millis(20);

/// How a check's executable ended.
pub(crate) struct Ended {
    pub(crate) is_success: bool,
    /// The end of its output.
    pub(crate) last_words: String,
}

/// How cargo compiles a package of the workshop, and its check.
pub(crate) fn compile_arguments(package: &str) -> [&str; 6] {
    ["test", "--package", package, "--test", "check", "--no-run"]
}

/// Builds the exercise and its check, and returns the check.
pub(crate) fn compile(
    workshop: &Workshop,
    exercise: &Stage,
    colours: bool,
    on_built: &mut dyn FnMut(&str),
) -> anyhow::Result<Result<Executable, BuildFailed>> {
    let package = exercise.package();
    let arguments = compile_arguments(&package);
    let folder = format!("exercises/{}", exercise.folder());
    let own = PackageFolder {
        name: &package,
        folder: &folder,
    };
    cargo::executable(&workshop.root, &own, &arguments, "check", colours, on_built)
}

/// Runs a check to its end; calls `on_progress` each time when the report has grown.
pub(super) fn run(
    workshop: &Workshop,
    exercise: &Stage,
    executable: &Path,
    on_progress: impl FnMut(&Report),
) -> anyhow::Result<(Report, Ended)> {
    // Whatever ends this process also ends the check, and its guests with it.
    let command = dies_with_us("KILL", executable);
    run_as(workshop, exercise, command, on_progress)
}

/// The same for a command that runs a check's executable, with arguments and variables of its own.
pub(crate) fn run_as(
    workshop: &Workshop,
    exercise: &Stage,
    command: Command,
    mut on_progress: impl FnMut(&Report),
) -> anyhow::Result<(Report, Ended)> {
    // The report is in memory, where a full disk cannot delay the verdicts.
    let memory = || "cannot make a file in memory";
    let mut collected = memory_file("report").with_context(memory)?;
    let mut output = memory_file("output").with_context(memory)?;
    let path = PathBuf::from(format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        collected.as_raw_fd()
    ));
    let folder = workshop.root.join("exercises").join(exercise.folder());
    let program = command.get_program().to_owned();
    let mut child = check::with_report(command, &folder, &path)
        .stdout(output.try_clone().with_context(memory)?)
        .stderr(output.try_clone().with_context(memory)?)
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let mut report = Report::default();
    let mut seen = 0;
    let status = loop {
        let ended = child.try_wait().context("cannot wait for the check")?;
        let length = collected.metadata().map_or(seen, |it| it.len());
        if length > seen {
            // Only the new part: timelines are long, and some checks report twice a second.
            let new = contents_from(&mut collected, seen)?;
            let read = report.go_on(&String::from_utf8_lossy(&new))?;
            seen += read as u64;
            if read > 0 {
                on_progress(&report);
            }
        }
        match ended {
            Some(status) => break status,
            None => std::thread::sleep(LOOK),
        }
    };
    let text = contents(&mut collected)?;
    let report = parsed(&text)?;
    keep(workshop, exercise, &text);
    let ended = Ended {
        is_success: status.success(),
        last_words: last_lines(&contents(&mut output)?),
    };
    Ok((report, ended))
}

/// For `timeline` and `shell`.
fn keep(workshop: &Workshop, exercise: &Stage, report: &[u8]) {
    let place = workshop.report(exercise);
    let written = std::fs::create_dir_all(workshop.private())
        .and_then(|()| whole_file::write(&place, |file| file.write_all(report)));
    if let Err(error) = written {
        // The verdict is the main thing. An old report would be about a different check.
        let _ = std::fs::remove_file(&place);
        output::not_written(&place, &error);
    }
}

fn parsed(report: &[u8]) -> anyhow::Result<Report> {
    Ok(Report::parse(&String::from_utf8_lossy(report))?)
}

fn memory_file(name: &str) -> std::io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

fn contents(file: &mut File) -> anyhow::Result<Vec<u8>> {
    contents_from(file, 0)
}

fn contents_from(file: &mut File, at: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))
        .context("cannot read the check's output")?;
    file.read_to_end(&mut bytes)
        .context("cannot read the check's output")?;
    Ok(bytes)
}
