//! Runs a check's executable and reports what it found first.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use exercise_check::report::Report;
use exercise_check::{BINARY_VARIABLE, FILES_VARIABLE, SOAK_VARIABLE, WRITE_VARIABLE};
use exercise_check::{Outcome, Verdict};
use systemd_lab::compare::texts;
use tempfile::NamedTempFile;

use crate::verified::Verified;
use stages::check::{last_lines, read, with_report};

/// Variables of insta that a shell may have set. If insta compared the snapshots, any service would pass with them. Every mistake must be
/// caught all the same, and no file must be written.
const INSTA_VARIABLES: [(&str, &str); 2] = [("INSTA_FORCE_PASS", "1"), ("INSTA_UPDATE", "force")];

/// The test target that every exercise and every solution has.
pub(crate) const CHECK: &str = "check";

/// How often to look for new verdicts: no run in a guest is much shorter.
const LOOK: Duration = Duration::from_millis(100);

/// A requirement that is not met, and what the check tells the attendee.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) number: u32,
    pub(crate) text: String,
}

/// A check, and the service to judge with it.
pub(crate) struct Check {
    pub(crate) executable: PathBuf,
    /// The folder of the check's package.
    pub(crate) folder: PathBuf,
    /// Used instead of the package's own.
    pub(crate) binary: Option<PathBuf>,
    /// A folder that takes the place of the workshop.
    pub(crate) files: Option<PathBuf>,
    pub(crate) tests: Tests,
}

/// Which of its tests a check runs.
pub(crate) enum Tests {
    All,
    /// The tests of this many requirements, from the first. For a mistake, nothing after the first failure matters, and it takes
    /// time.
    UpTo(u32),
    /// The tests whose names contain one of these.
    Named(Vec<String>),
    /// Only this test, and without a deadline.
    Soak(String),
    /// All tests. They write what they see as the new snapshots.
    Write,
}

impl Tests {
    /// Tests of a check are called `r1_...`, `r2_...`.
    fn filters(&self) -> Vec<String> {
        match self {
            Tests::All | Tests::Write => Vec::new(),
            Tests::UpTo(last) => (1..=*last).map(|number| format!("r{number}_")).collect(),
            Tests::Named(names) => names.clone(),
            Tests::Soak(test) => vec![test.clone()],
        }
    }

    /// How many of these verdicts must come.
    fn expected(&self, of: usize) -> usize {
        match self {
            Tests::All | Tests::Write => of,
            Tests::UpTo(last) => of.min(*last as usize),
            Tests::Named(names) => of.min(names.len()),
            Tests::Soak(_) => 1,
        }
    }
}

/// What a check found first.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    NotYet(Finding),
    /// The check says nothing about the service. This text is shown instead.
    NoResult(Outcome, String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "requirement {}: {}", self.number, self.text)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Nothing => f.write_str("every requirement is met"),
            Found::NotYet(finding) => finding.fmt(f),
            Found::NoResult(_, report) => f.write_str(report),
        }
    }
}

impl Found {
    /// Holds if this is what the check had to find first.
    pub(crate) fn verified(&self, expected: &str) -> Verified {
        match self {
            Found::NoResult(Outcome::LabBroken, report) => Verified::Broken(report.clone()),
            Found::NoResult(_, report) => Verified::Failed(report.clone()),
            // Sentences contain times, which differ a little from guest to guest.
            found if texts(expected, &found.to_string()).is_none() => Verified::Ok,
            found => Verified::Failed(format!("expected  {expected}\nactual    {found}")),
        }
    }
}

impl Check {
    /// Runs the check only until it has judged one requirement as not met, perhaps not the first one. That is enough to catch a mutant.
    ///
    /// # Errors
    ///
    /// When the check cannot be run.
    pub(crate) fn run_until_not_yet(&self) -> anyhow::Result<Found> {
        let collected = temporary_file()?;
        let mut child = self
            .command(collected.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", self.executable.display()))?;
        loop {
            let ended = child.try_wait().context("cannot wait for the check")?;
            let verdicts = read(collected.path())?.verdicts;
            let not_yet = verdicts.iter().find(|it| it.outcome == Outcome::NotYet);
            if let Some(verdict) = not_yet {
                // The check's guests end with it.
                let _ = child.kill();
                child.wait().context("cannot wait for the check")?;
                return Ok(Found::NotYet(finding(verdict)));
            }
            match ended.map(|status| (status.success(), found(verdicts, &self.tests))) {
                None => std::thread::sleep(LOOK),
                Some((false, Found::Nothing)) => return Ok(incomplete("")),
                Some((_, found)) => return Ok(found),
            }
        }
    }

    /// Runs the check to its end.
    ///
    /// # Errors
    ///
    /// When it cannot be run. If a check ends without its verdicts, the result is [`Found::NoResult`].
    pub(crate) fn run(&self) -> anyhow::Result<Found> {
        Ok(self.run_with_report()?.0)
    }

    /// As [`Self::run`], and also returns everything that the check reported.
    pub(crate) fn run_with_report(&self) -> anyhow::Result<(Found, Report)> {
        let collected = temporary_file()?;
        let output = self
            .command(collected.path())
            .output()
            .with_context(|| format!("cannot run {}", self.executable.display()))?;
        let report = read(collected.path())?;
        let found = match found(report.verdicts.clone(), &self.tests) {
            Found::Nothing if !output.status.success() => incomplete(&last_lines(&output.stdout)),
            Found::NoResult(outcome, report) if report.is_empty() => {
                Found::NoResult(outcome, incomplete(&last_lines(&output.stdout)).to_string())
            }
            found => found,
        };
        Ok((found, report))
    }

    fn command(&self, report: &Path) -> Command {
        let mut command = with_report(Command::new(&self.executable), &self.folder, report);
        command.envs(INSTA_VARIABLES);
        if let Some(binary) = &self.binary {
            command.env(BINARY_VARIABLE, binary);
        }
        if let Some(files) = &self.files {
            command.env(FILES_VARIABLE, files);
        }
        command.args(self.tests.filters());
        match self.tests {
            Tests::Soak(_) => {
                command.env(SOAK_VARIABLE, "1");
            }
            Tests::Write => {
                command.env(WRITE_VARIABLE, "1");
            }
            Tests::All | Tests::UpTo(_) | Tests::Named(_) => {}
        }
        command
    }
}

fn temporary_file() -> anyhow::Result<NamedTempFile> {
    NamedTempFile::new().context("cannot make a temporary file; is the disk full?")
}

fn finding(verdict: &Verdict) -> Finding {
    Finding {
        number: verdict.number,
        text: verdict.diagnosis.clone().unwrap_or(verdict.report()),
    }
}

/// The first requirement that is not met. If the lab broke in any of them, nothing is certain about the others. An empty report
/// means that verdicts are missing.
fn found(mut verdicts: Vec<Verdict>, tests: &Tests) -> Found {
    let is_complete = match verdicts.first() {
        Some(first) => verdicts.len() >= tests.expected(first.of as usize),
        None => false,
    };
    let broken = verdicts
        .iter()
        .position(|verdict| verdict.outcome == Outcome::LabBroken);
    if broken.is_none() && !is_complete {
        return Found::NoResult(Outcome::LabBroken, String::new());
    }
    let first = verdicts
        .iter()
        .position(|verdict| verdict.outcome != Outcome::Passed);
    let Some(index) = broken.or(first) else {
        return Found::Nothing;
    };
    let verdict = verdicts.swap_remove(index);
    match verdict.outcome {
        Outcome::NotYet => Found::NotYet(finding(&verdict)),
        outcome => Found::NoResult(outcome, verdict.report()),
    }
}

fn incomplete(output: &str) -> Found {
    let report = format!(
        "the check ended without all its verdicts; run it by hand. Its last words:\n{output}"
    );
    Found::NoResult(Outcome::LabBroken, report)
}
