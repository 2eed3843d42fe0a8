//! `systemd-lab sweep`: a fault at every moment of a run, and whether the service came back each time.
//!
//! [`systemd_lab::sweep`] does the work; this module has the words.

mod report;
mod strip;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::signal::SIGINT;
use systemd_lab::sweep::{MOST_MOMENTS, Swept, Trial};
use systemd_lab::{Experiment, ExperimentError, Fault, Lab, Sweep, clock_time};

use crate::exit::{ExitStatus, WrongUsage};
use crate::output::{self, note, put};
use crate::run::{self, Options};
use crate::style;
use crate::trials;

/// With fewer finished trials, a remaining time would change too much to be worth showing.
const ENOUGH_TRIALS: usize = 4;

const AFTER_HELP: &str = "\
The plan runs once without the faults. Each event of that run is a moment, and so is each request (without a probe, the
middle of the run): every fault comes a millisecond before and after it, in a run of its own, as often as there are moments.

    systemd-lab sweep --unit my.service --file target/debug/my:/usr/local/bin/my \\
        --get http://127.0.0.1:8080/ --fault kill,freeze,restart --require 'recovery <= 10s'

Ctrl-C ends it and shows what is known by then; if nothing is broken so far, the exit status is 4. After a stop, requirements on
answers and recovery do not count.";

/// Hit a service with a fault at every moment of its run.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Also read the options above from this file, as run does.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The faults: kill, kill=SIGNAL, freeze, oom, stop, restart, reload, …, as run's --at has them; of another unit
    /// kill@db.service.
    #[arg(
        long,
        value_name = "FAULT",
        value_delimiter = ',',
        default_value = "kill,freeze"
    )]
    fault: Vec<String>,
    /// Try at most this many moments; requests are left out first.
    #[arg(long, value_name = "NUMBER", default_value_t = MOST_MOMENTS)]
    moments: NonZeroUsize,
    /// Print one JSON document: every moment and trial.
    #[arg(long)]
    json: bool,
    /// Write a strip for each fault to this file: when it came, and how long the service was gone.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a case for each fault and phase to this file as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Replace the files that --svg and --junit name, even if the lab did not write them.
    #[arg(long)]
    force: bool,
}

/// Options of this command that `run` does not have, and whether a value follows each.
const OWN_OPTIONS: [(&str, bool); 7] = [
    // A run has its own length.
    ("--for", true),
    ("--fault", true),
    ("--moments", true),
    ("--json", false),
    ("--svg", true),
    ("--junit", true),
    ("--force", false),
];

/// Runs the sweep.
///
/// # Errors
///
/// [`WrongUsage`] when the plan makes no sense; otherwise the lab is broken.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitStatus> {
    output::ensure_one_document(
        arguments.json,
        &[
            ("--svg", arguments.svg.as_deref()),
            ("--junit", arguments.junit.as_deref()),
        ],
    )?;
    let planned = run::planned(&arguments.options, arguments.plan.as_deref())?;
    let mut sweep = Sweep::new(planned.experiment.clone()).at_most(arguments.moments);
    for text in &arguments.fault {
        let (fault, unit) = Fault::parse_with_unit(text).map_err(WrongUsage::because)?;
        sweep = match unit {
            Some(unit) => sweep.fault_on(unit, fault),
            None => sweep.fault(fault),
        };
    }
    sweep.check().map_err(WrongUsage::because)?;
    let files: Vec<&Path> = [&arguments.svg, &arguments.junit]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    output::ensure_distinct(&files)?;
    for file in &files {
        output::ensure_writable(file, &planned.inputs, arguments.force)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let handler = signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    let lab = Lab::options().guest(&planned.guest).open()?;
    let swept = carried_out(&sweep, &lab, &stop).map_err(trials::of_lab)?;
    let command = trials::run_command("sweep", &OWN_OPTIONS, planned.guest.suite());
    let report = report::Report::new(&planned.experiment, &swept, &command);
    let runs: anyhow::Result<Vec<_>> = report
        .violations()
        .map(|(trial, requirement)| Ok((again(&sweep, &planned.experiment, trial)?, requirement)))
        .collect();
    let shown = trials::show_again(&lab, &stop, &runs?).map_err(trials::of_lab)?;
    let report = report.shown_again(shown);
    signal_hook::low_level::unregister(handler);
    if arguments.json {
        output::document(&(report.json()? + "\n"));
    } else if !files
        .iter()
        .any(|file| *file == Path::new(output::STANDARD_OUTPUT))
    {
        put!("{}", report.text());
    }
    if let Some(file) = &arguments.svg {
        write(file, &strip::draw(&planned.experiment, &swept));
    }
    if let Some(file) = &arguments.junit {
        write(file, &report.junit()?);
    }
    if stop.load(Ordering::Relaxed) && swept.trials.len() < swept.planned {
        note!(
            "Interrupted: {} of {} runs are done.",
            swept.trials.len(),
            swept.planned
        );
    }
    let is_broken = swept.without_fault.iter().any(|it| !it.holds)
        || swept.trials.iter().any(|trial| !trial.holds());
    Ok(match swept.trials.len() < swept.planned && !is_broken {
        // What is left may break a requirement.
        true => ExitStatus::OutOfTime,
        false => ExitStatus::holds(swept.holds()),
    })
}

/// The experiment of this trial.
fn again(sweep: &Sweep, base: &Experiment, trial: &Trial) -> anyhow::Result<Experiment> {
    let (fault, unit) = Fault::parse_with_unit(&trial.fault)?;
    let unit = unit.unwrap_or(base.main_unit());
    Ok(sweep.experiment(trial.at, &fault, unit))
}

fn carried_out(sweep: &Sweep, lab: &Lab, stop: &AtomicBool) -> Result<Swept, ExperimentError> {
    let spinner = style::spinner("one run without a fault");
    let mut began = Instant::now();
    let swept = sweep.run(lab, stop, |done, of| {
        if done == 0 {
            began = Instant::now();
        }
        let left = match done < ENOUGH_TRIALS {
            true => String::new(),
            false => format!(", about {} left", left(began.elapsed(), done, of)),
        };
        spinner.set_message(format!("{done} of {of} runs{left},"));
    });
    spinner.finish_and_clear();
    swept
}

/// How much longer it takes if the rest goes at the same speed.
fn left(passed: Duration, done: usize, of: usize) -> String {
    let each = passed.as_secs_f64() / done.max(1) as f64;
    clock_time((each * (of - done) as f64).ceil() as u64)
}

fn write(file: &Path, text: &str) {
    if output::write(file, text) {
        note!("{} is written.", file.display());
    }
}
