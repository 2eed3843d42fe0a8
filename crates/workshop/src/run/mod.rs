//! `cargo workshop run`: any service under real systemd, with faults at chosen times, and what came of it.
//!
//! What it does is [`systemd_lab::experiment`]; here are its words.

mod plan;
mod report;
mod stored;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use systemd_lab::check::Outcome;
use systemd_lab::{Experiment, ExperimentError, Guest, Lab, LabError, Suite, Timeline};

use crate::{WrongUsage, style};

/// What `--svg` and `--save` take for standard output.
const STANDARD_OUTPUT: &str = "-";

const AFTER_HELP: &str = "\
Faults: kill (SIGKILL), kill=SIGNAL to the main process, freeze (all processes hang: SIGSTOP), thaw, stop, start, restart, \
reload. A fault hits the first unit; FAULT@UNIT hits another.

The guest has no network but its loopback. Programs should be linked statically; others need libraries that the guest has, \
that a --package brings, or that --file puts there.

To keep a timeline for your own CI: once with --save FILE, later with --expect FILE. Each unit must have the same events in \
the same order, each within half a second of when it happened before. Log lines and PIDs are not compared.

Exit status: 0 the run took place (and was as expected), 1 not as expected, 2 wrong usage, 4 out of time, 5 the lab is \
broken";

/// Run any service of yours under systemd, with faults at chosen times.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// A unit file, or the name of a unit that a --package brings. The first one is started; others are there for it to
    /// pull in.
    #[arg(long = "unit", value_name = "UNIT", required = true)]
    units: Vec<PathBuf>,
    /// A Debian package for the guest, with all that it depends on. Its daemons are not started: name one with --unit.
    #[arg(long = "package", value_name = "NAME")]
    packages: Vec<String>,
    /// The guest's Debian release: stable (systemd 257) or oldstable (252). Without it: SYSTEMD_LAB_SUITE, or stable.
    #[arg(long, value_name = "SUITE")]
    suite: Option<Suite>,
    /// The guest's memory, e.g. 768M or 2G. Without it: 512M, and more where the packages need more.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// A file to put into the guest: a program, its configuration, a drop-in. Executable there if it is here.
    #[arg(long = "file", value_name = "HOST:GUEST")]
    files: Vec<String>,
    /// A fault, and when it comes after the start: --at 10s kill=SIGKILL, --at '1h 30min' stop.
    #[arg(long = "at", num_args = 2, value_names = ["TIME", "FAULT"])]
    faults: Vec<String>,
    /// Ask this URL all the while; below 400 is a success.
    #[arg(long, value_name = "URL")]
    get: Vec<String>,
    /// Connect to this address all the while, e.g. 127.0.0.1:22. Finds what is gone, not what hangs.
    #[arg(long, value_name = "ADDRESS")]
    connect: Vec<String>,
    /// From one attempt of a probe to the next; one that waits for nine tenths of it has failed.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    every: String,
    /// How much virtual time to run. Without it: a minute after the last fault.
    #[arg(long = "for", value_name = "TIME")]
    length: Option<String>,
    /// Show what the services log, too.
    #[arg(long)]
    logs: bool,
    /// Show every line: fold nothing that repeats, and leave nothing out.
    #[arg(long)]
    full: bool,
    /// Print one JSON document: plan, summary, findings, and all events.
    #[arg(long, conflicts_with_all = ["logs", "full"])]
    json: bool,
    /// Write a picture to this file, too; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Keep the timeline in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "expect")]
    save: Option<PathBuf>,
    /// Compare with the timeline in this file.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let guest = plan::guest(arguments)?;
    let experiment = plan::experiment(arguments)?;
    warn(&experiment.warnings());
    experiment.check().map_err(wrong)?;
    let expected = arguments.expect.as_deref().map(stored::read).transpose()?;
    let timeline = match carry_out(&experiment, &guest) {
        Ok(timeline) => timeline,
        Err(ExperimentError::Plan(error)) => return Err(wrong(error)),
        Err(ExperimentError::Lab(error @ LabError::OutOfTime { .. })) => {
            anstream::eprintln!("{error}");
            return Ok(Outcome::OutOfTime);
        }
        Err(ExperimentError::Lab(error)) => return Err(error.into()),
    };
    let summary = experiment.summary(&timeline);
    if arguments.json {
        println!(
            "{}",
            report::json(&experiment, &guest, &timeline, &summary)?
        );
    } else if !writes_to_standard_output(arguments) {
        anstream::print!(
            "{}",
            report::text(
                &experiment,
                &guest,
                &timeline,
                &summary,
                arguments.logs,
                arguments.full,
            )
        );
    }
    if let Some(file) = &arguments.svg {
        write(file, &experiment.picture(&timeline).render(&timeline))?;
    }
    if let Some(file) = &arguments.save {
        write(file, &experiment.saved(&timeline))?;
    }
    if let Some(message) = summary.start_refused {
        let unit = experiment.main_unit();
        return Err(WrongUsage(format!(
            "systemd refused to start {unit}: {}; {}",
            message.trim_end_matches('.'),
            remedy(&message)
        ))
        .into());
    }
    match (&arguments.expect, expected) {
        (Some(file), Some(expected)) => {
            let difference = stored::difference(file, &experiment, &expected, &timeline)?;
            anstream::eprint!("{}", stored::verdict(file, difference.as_deref()));
            Ok(match difference {
                None => Outcome::Passed,
                Some(_) => Outcome::NotYet,
            })
        }
        _ => Ok(Outcome::Passed),
    }
}

fn carry_out(experiment: &Experiment, guest: &Guest) -> Result<Timeline, ExperimentError> {
    let lab = Lab::open_guest(guest)?;
    warn(&experiment.guest_warnings(&lab));
    let spinner = style::spinner("systemd runs your service");
    let timeline = experiment.run(&lab);
    spinner.finish_and_clear();
    timeline
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        anstream::eprintln!("{} {warning}", style::strong("warning:"));
    }
}

/// What to do when systemd refuses to start a unit for this reason.
fn remedy(message: &str) -> String {
    let missing = message
        .strip_prefix("Unit ")
        .and_then(|rest| rest.strip_suffix(" not found."));
    match missing {
        // What Type=dbus and BusName= depend on: systemd.service(5), "Implicit Dependencies".
        Some("dbus.socket") => "the guest has no D-Bus: add --package dbus".to_owned(),
        Some(unit) => format!(
            "add {unit} with --unit, or with --package NAME the Debian package that brings it"
        ),
        None => "fix the unit file".to_owned(),
    }
}

fn wrong(error: impl std::fmt::Display) -> anyhow::Error {
    WrongUsage(error.to_string()).into()
}

/// Whether something else than the report is printed.
fn writes_to_standard_output(arguments: &Arguments) -> bool {
    let files = [&arguments.svg, &arguments.save];
    let mut files = files.into_iter().flatten();
    files.any(|file| file == Path::new(STANDARD_OUTPUT))
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if file == Path::new(STANDARD_OUTPUT) {
        print!("{text}");
        return Ok(());
    }
    fs::write(file, text)
        .map_err(|error| {
            let file = file.display();
            WrongUsage(format!("cannot write {file} ({error}); name another file"))
        })
        .context("the service was run, but")?;
    anstream::eprintln!("{} is written.", file.display());
    Ok(())
}
