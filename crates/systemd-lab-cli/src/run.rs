//! `systemd-lab run`: any service under real systemd, with faults at chosen times, and the results.
//!
//! [`systemd_lab::experiment`] does the work; this module has the words. It goes one way: from the arguments to a plan, from the plan
//! to a timeline, from the timeline to a report.

mod explained;
mod file;
mod help;
mod junit;
mod options;
mod plan;
mod refused;
mod report;
mod stored;
mod timeline;
mod words;
mod written;

use std::path::PathBuf;

use systemd_lab::Timeline;

pub use self::explained::explained;
pub(crate) use self::file::read_with;
pub(crate) use self::options::{GuestOptions, Options};
pub(crate) use self::plan::{Planned, guest_and_files, planned};
use self::timeline::Outcome;
pub(crate) use self::words::span;
use crate::exit::{ExitStatus, WrongUsage};
use crate::output::{self, put};

/// Run your own service under systemd, with faults at chosen times.
#[derive(clap::Args)]
#[command(after_help = help::AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Also read the options above from this file: see below.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Also show what the services log.
    #[arg(long)]
    logs: bool,
    /// Show every line: fold nothing that repeats, and leave nothing out.
    #[arg(long)]
    full: bool,
    /// Print one JSON document: plan, summary, findings, requirements, and all events.
    #[arg(long, conflicts_with_all = ["logs", "full"])]
    json: bool,
    #[command(flatten)]
    files: written::Files,
}

/// Runs it.
///
/// # Errors
///
/// [`WrongUsage`] when the plan makes no sense; otherwise the lab is broken.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitStatus> {
    let planned = checked(arguments)?;
    let expected = arguments.files.read_expected()?;
    match timeline::of(&planned)? {
        Outcome::Ended(timeline) => {
            let run = results(&planned, &timeline);
            report(arguments, &run, expected.as_deref())
        }
        Outcome::OutOfTime(error) => arguments.files.out_of_time(&planned, &error),
    }
}

/// The plan of these arguments, and nothing is wrong with it as far as possible without a lab.
fn checked(arguments: &Arguments) -> anyhow::Result<Planned> {
    arguments.files.ensure_one_document(arguments.json)?;
    let planned = planned(&arguments.options, arguments.plan.as_deref())?;
    let checked = planned.experiment.check();
    checked.map_err(WrongUsage::because)?;
    arguments.files.check(&planned)?;
    Ok(planned)
}

/// What the timeline says about the plan.
fn results<'a>(planned: &'a Planned, timeline: &'a Timeline) -> report::Run<'a> {
    let experiment = &planned.experiment;
    report::Run {
        experiment,
        guest: &planned.guest,
        timeline,
        summary: experiment.summary(timeline),
        verdicts: experiment.verdicts(timeline),
    }
}

/// Prints and writes the results, and returns whether they are as they should be.
fn report(
    arguments: &Arguments,
    run: &report::Run<'_>,
    expected: Option<&str>,
) -> anyhow::Result<ExitStatus> {
    let files = &arguments.files;
    if arguments.json {
        output::document(&(report::json(run)? + "\n"));
    } else if !files.use_standard_output() {
        put!("{}", report::text(run, arguments.logs, arguments.full));
    }
    files.write(run);
    match refused::error(run) {
        Some(error) => Err(error),
        None => files.judge(run, expected),
    }
}
