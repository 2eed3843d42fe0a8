//! Runs an exercise's check and shows what came of it: a line for each requirement, then all about the first that
//! is not met.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use systemd_lab::check::report::{self, Report};
use systemd_lab::check::{Outcome, Verdict};

use crate::exercises::{Exercise, Workshop};

/// Often enough to look alive.
const TICK: Duration = Duration::from_millis(100);

/// How much of a test's output to show when it ended without a verdict.
const OUTPUT_LINES: usize = 30;

/// Builds the exercise and checks it.
pub(crate) fn run(workshop: &Workshop, exercise: &Exercise) -> anyhow::Result<Outcome> {
    println!("Exercise {}: {}\n", exercise.number, exercise.topic);
    let spinner = spinner("Building");
    let build = cargo(workshop, exercise, &["--no-run"], None)?;
    if !build.status.success() {
        spinner.finish_and_clear();
        eprint!("{}", String::from_utf8_lossy(&build.stderr));
        println!("DID NOT BUILD: the compiler's first message above says why.");
        return Ok(Outcome::DidNotBuild);
    }
    spinner.set_message("Running your service under systemd");
    let report = tempfile::NamedTempFile::new()
        .context("cannot make a temporary file; is the disk full?")?;
    let output = cargo(workshop, exercise, &["--quiet"], Some(report.path()))?;
    spinner.finish_and_clear();
    let verdicts = read(report.path())?;
    Ok(show(exercise, &verdicts, &output))
}

fn cargo(
    workshop: &Workshop,
    exercise: &Exercise,
    more: &[&str],
    report: Option<&Path>,
) -> anyhow::Result<Output> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    let color = if std::io::stderr().is_terminal() {
        "always"
    } else {
        "never"
    };
    command
        .args([
            "test",
            "--package",
            &exercise.package(),
            "--test",
            "check",
            "--color",
            color,
        ])
        .args(more);
    if let Some(report) = report {
        command.env(report::VARIABLE, report);
    }
    command.current_dir(&workshop.root).stdin(Stdio::null());
    command.output().context("cannot run cargo")
}

/// The verdicts in the order of their requirements.
pub(crate) fn read(report: &Path) -> anyhow::Result<Vec<Verdict>> {
    let text = std::fs::read_to_string(report).context("cannot read the check's report")?;
    Ok(Report::parse(&text)?.verdicts)
}

fn show(exercise: &Exercise, verdicts: &[Verdict], output: &Output) -> Outcome {
    for verdict in verdicts {
        println!(
            "  {} {}  {}",
            mark(verdict.outcome),
            verdict.number,
            verdict.title
        );
    }
    println!();
    if let Some(first) = verdicts
        .iter()
        .find(|verdict| verdict.outcome != Outcome::Passed)
    {
        println!("{}", first.report);
        return first.outcome;
    }
    let expected = verdicts.first().map_or(1, |verdict| verdict.of as usize);
    if verdicts.len() != expected || !output.status.success() {
        println!(
            "LAB BROKEN (this is not your service's fault): {} of {expected} verdicts came.\n",
            verdicts.len()
        );
        println!("{}", last_lines(&output.stdout));
        return Outcome::LabBroken;
    }
    println!("PASSED: exercise {}.\n", exercise.number);
    Outcome::Passed
}

fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::NotYet => "✗",
        Outcome::DidNotBuild | Outcome::OutOfTime | Outcome::LabBroken => "!",
    }
}

pub(crate) fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES)..].join("\n")
}

pub(crate) fn spinner(text: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(text);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(TICK);
    spinner
}
