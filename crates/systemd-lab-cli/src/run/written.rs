//! The files that a run writes, and the one that it is compared with.

use std::path::{Path, PathBuf};

use systemd_lab::{LabError, visible_lines};

use super::junit::{self, Judged};
use super::plan::Planned;
use super::report::Run;
use super::stored;
use crate::exit::{ExitStatus, WrongUsage};
use crate::output::{self, note};

/// Which files.
#[derive(clap::Args)]
pub(super) struct Files {
    /// Also write a picture to this file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the requirements, and whether they are met, to this file as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Save the timeline to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "expect")]
    save: Option<PathBuf>,
    /// Compare with the timeline in this file.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Replace the files that --svg, --junit and --save name, even if the lab did not write them.
    #[arg(long)]
    force: bool,
}

impl Files {
    /// Checked before anything runs: there is something to report, and neither input files are replaced nor files that the lab
    /// did not write.
    pub(super) fn check(&self, planned: &Planned) -> anyhow::Result<()> {
        let requires_nothing = planned.experiment.requirements().is_empty();
        if self.junit.is_some() && requires_nothing && self.expect.is_none() {
            return Err(WrongUsage::because(
                "--junit: nothing is required of the run; add e.g. --require 'no unit failed'",
            ));
        }
        let mut inputs = planned.inputs.clone();
        inputs.extend(self.expect.clone());
        let files: Vec<&Path> = self.written().collect();
        output::ensure_distinct(&files)?;
        for file in files {
            output::ensure_writable(file, &inputs, self.force)?;
        }
        Ok(())
    }

    /// Refuses two documents on standard output.
    pub(super) fn ensure_one_document(&self, is_json: bool) -> Result<(), WrongUsage> {
        output::ensure_one_document(
            is_json,
            &[
                ("--svg", self.svg.as_deref()),
                ("--save", self.save.as_deref()),
                ("--junit", self.junit.as_deref()),
            ],
        )
    }

    /// The timeline to compare with.
    pub(super) fn read_expected(&self) -> anyhow::Result<Option<String>> {
        self.expect.as_deref().map(stored::read).transpose()
    }

    /// Whether something other than the report is printed.
    pub(super) fn use_standard_output(&self) -> bool {
        let mut written = self.written();
        written.any(|file| file == Path::new(output::STANDARD_OUTPUT))
    }

    /// Writes the picture and the timeline.
    pub(super) fn write(&self, run: &Run<'_>) {
        if let Some(file) = &self.svg {
            let picture = run.experiment.picture(run.timeline);
            write(file, &picture.render(run.timeline));
        }
        if let Some(file) = &self.save {
            write(file, &run.experiment.saved(run.timeline));
        }
    }

    /// Reports whether the run meets its requirements, and whether it was as expected.
    pub(super) fn judge(
        &self,
        run: &Run<'_>,
        expected: Option<&str>,
    ) -> anyhow::Result<ExitStatus> {
        let mut judged: Vec<Judged<'_>> = run.verdicts.iter().map(Judged::Verdict).collect();
        let mut holds = run.verdicts.iter().all(|verdict| verdict.holds);
        let difference;
        if let (Some(file), Some(expected)) = (&self.expect, expected) {
            difference = stored::difference(file, run.experiment, expected, run.timeline)?;
            let verdict = stored::verdict(file, difference.as_deref());
            output::print_error(format_args!("{verdict}"));
            holds &= difference.is_none();
            let file = file.display().to_string();
            judged.push(Judged::Saved(file, difference.as_deref()));
        }
        if let Some(file) = &self.junit {
            write(file, &junit::document(run.experiment.main_unit(), &judged)?);
        }
        Ok(ExitStatus::holds(holds))
    }

    /// Reports that there is no verdict, because the run took too long.
    pub(super) fn out_of_time(
        &self,
        planned: &Planned,
        error: &LabError,
    ) -> anyhow::Result<ExitStatus> {
        let message = error.to_string();
        note!("{}", visible_lines(&message));
        if let Some(file) = &self.junit {
            write(
                file,
                &junit::error(planned.experiment.main_unit(), &message)?,
            );
        }
        Ok(ExitStatus::OutOfTime)
    }

    /// The files that are written in addition to the report.
    fn written(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.svg, &self.save, &self.junit];
        files.into_iter().flatten().map(PathBuf::as_path)
    }
}

fn write(file: &Path, text: &str) {
    if output::write(file, text) {
        note!("{} is written.", file.display());
    }
}
