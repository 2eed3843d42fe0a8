//! `systemd-lab run`: any service under real systemd, with faults at chosen times, and the results.
//!
//! [`systemd_lab::experiment`] does the work; this module has the words.

mod file;
#[cfg(test)]
mod fuzz;
mod help;
mod junit;
mod options;
mod plan;
mod report;
mod stored;
mod words;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use systemd_lab::experiment::is_unit_name;
use systemd_lab::protocol::EventKind;
use systemd_lab::{
    Experiment, ExperimentError, Guest, GuestFile, Lab, LabErrorKind, RunOptions, Timeline,
    clock_time, visible_lines,
};

use self::junit::Judged;
pub(crate) use self::options::Options;
use crate::exit::{ExitStatus, WrongUsage};
use crate::{note, output, put, style};

/// The option of a fault.
const AT: &str = "--at";

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

/// A better message than clap's for some refused command lines, e.g. a fault in one word instead of two.
pub fn explained(error: &clap::Error, words: &[String]) -> Option<WrongUsage> {
    if let Some(unit) = stray_unit(error) {
        return Some(WrongUsage(format!(
            "unexpected {unit:?}; name a unit file with --unit {unit}"
        )));
    }
    if let Some(signal) = stray_signal(error) {
        return Some(WrongUsage(format!(
            "unexpected {signal:?}; write a signal with its fault, as in --at 10s kill={signal}"
        )));
    }
    if let Some(message) = negative_time(error, words) {
        return Some(WrongUsage(message));
    }
    let is_about_fault = error
        .context()
        .any(|(_, value)| value.to_string().contains(AT));
    if error.kind() != ErrorKind::WrongNumberOfValues || !is_about_fault {
        return None;
    }
    let is_option = |word: &String| word.starts_with("--");
    // The last one, because clap takes two words for all others.
    let mut places = words.iter().enumerate().rev();
    let word = places.find_map(|(place, word)| match word.strip_prefix(AT)? {
        "" => words
            .get(place + 1)
            .filter(|next| !is_option(next))
            .map(String::as_str),
        joined => joined.strip_prefix('='),
    })?;
    Some(WrongUsage(words::half_a_fault(word)))
}

/// The word that clap does not know, if that is the error.
fn stray(error: &clap::Error) -> Option<String> {
    let is_stray = error.kind() == ErrorKind::UnknownArgument;
    let word = error.get(clap::error::ContextKind::InvalidArg)?;
    is_stray.then(|| word.to_string())
}

/// A time with a minus, which clap mistakes for an option.
fn negative_time(error: &clap::Error, words: &[String]) -> Option<String> {
    let stray = stray(error)?;
    let is_it = |word: &String| {
        word.starts_with(&stray) && word[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    let at = words.iter().position(is_it)?;
    let (option, time) = (words.get(at.checked_sub(1)?)?, &words[at]);
    let right = time.trim_start_matches('-');
    match option.as_str() {
        AT => {
            let fault = words.get(at + 1).map_or("kill", String::as_str);
            Some(words::no_time_before_the_start(time, fault))
        }
        option if option.starts_with("--") => Some(format!(
            "{option}: expected a time such as 10s, got {time:?}; write: {option} {right}"
        )),
        _ => None,
    }
}

fn stray_unit(error: &clap::Error) -> Option<String> {
    stray(error).filter(|word| is_unit_name(word.rsplit('/').next().unwrap_or_default()))
}

fn stray_signal(error: &clap::Error) -> Option<String> {
    let is_signal = |word: &String| {
        let name = word.strip_prefix("SIG").unwrap_or_default();
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '+')
    };
    stray(error).filter(is_signal)
}

/// What a shell needs: the guest, its files, and the name of the first unit.
pub(crate) fn guest_and_files(
    options: &Options,
) -> anyhow::Result<(Guest, Vec<GuestFile>, Option<String>)> {
    let guest = plan::guest(options)?;
    if options.unit.is_empty() {
        return Ok((guest, plan::files(options)?, None));
    }
    let experiment = plan::experiment(options)?;
    warn(&experiment.warnings());
    experiment.check().map_err(wrong)?;
    let unit = experiment.main_unit().to_owned();
    Ok((guest, experiment.files().to_vec(), Some(unit)))
}

/// What the options describe, for a command that runs it several times.
pub(crate) struct Planned {
    pub(crate) guest: Guest,
    /// Not checked yet.
    pub(crate) experiment: Experiment,
    /// The files on the host that it consists of: nothing may replace them.
    pub(crate) inputs: Vec<PathBuf>,
}

/// What the options and a plan's file describe. Reports what systemd will ignore in the unit files.
pub(crate) fn planned(options: &Options, file: Option<&Path>) -> anyhow::Result<Planned> {
    let mut options = options.clone();
    if let Some(file) = file {
        options = file::read(file)?.and(options);
    }
    let experiment = plan::experiment(&options)?;
    warn(&experiment.warnings());
    let mut inputs = inputs(&options);
    inputs.extend(file.map(Path::to_owned));
    Ok(Planned {
        guest: plan::guest(&options)?,
        experiment,
        inputs,
    })
}

/// The files on the host that the options name.
fn inputs(options: &Options) -> Vec<PathBuf> {
    let mut inputs = options.unit.clone();
    for file in &options.file {
        let host = words::host_and_guest(file).map_or(file.as_str(), |(host, _)| host);
        inputs.push(PathBuf::from(host));
    }
    inputs
}

/// Runs it.
///
/// # Errors
///
/// [`WrongUsage`] when the plan makes no sense; otherwise the lab is broken.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitStatus> {
    let mut options = arguments.options.clone();
    if let Some(file) = &arguments.plan {
        options = file::read(file)?.and(options);
    }
    let guest = plan::guest(&options)?;
    let experiment = plan::experiment(&options)?;
    warn(&experiment.warnings());
    experiment.check().map_err(wrong)?;
    if arguments.junit.is_some() && options.require.is_empty() && arguments.expect.is_none() {
        return Err(WrongUsage(
            "--junit: nothing is required of the run; add e.g. --require 'no unit failed'"
                .to_owned(),
        )
        .into());
    }
    ensure_writable(arguments, &options)?;
    let expected = arguments.expect.as_deref().map(stored::read).transpose()?;
    let timeline = match carry_out(&experiment, &guest) {
        Ok(timeline) => timeline,
        Err(ExperimentError::Plan(error)) => return Err(wrong(error)),
        Err(ExperimentError::Lab(error)) if error.kind() == LabErrorKind::OutOfTime => {
            note!("{}", visible_lines(&error.to_string()));
            if let Some(file) = &arguments.junit {
                write(
                    file,
                    &junit::error(experiment.main_unit(), &error.to_string())?,
                );
            }
            return Ok(ExitStatus::OutOfTime);
        }
        Err(ExperimentError::Lab(error)) => return Err(error.into()),
    };
    let result = report::Run {
        experiment: &experiment,
        guest: &guest,
        timeline: &timeline,
        summary: experiment.summary(&timeline),
        verdicts: experiment.verdicts(&timeline),
    };
    if arguments.json {
        output::document(&(report::json(&result)? + "\n"));
    } else if !writes_to_standard_output(arguments) {
        put!("{}", report::text(&result, arguments.logs, arguments.full));
    }
    if let Some(file) = &arguments.svg {
        write(file, &experiment.picture(&timeline).render(&timeline));
    }
    if let Some(file) = &arguments.save {
        write(file, &experiment.saved(&timeline));
    }
    if let Some(message) = result.summary.start_refused {
        let unit = experiment.main_unit();
        return Err(WrongUsage(format!(
            "systemd refused to start {unit}: {}; {}",
            message.trim_end_matches('.'),
            remedy(&message, &experiment)
        ))
        .into());
    }
    let mut judged: Vec<Judged<'_>> = result.verdicts.iter().map(Judged::Verdict).collect();
    let mut holds = result.verdicts.iter().all(|verdict| verdict.holds);
    let difference = match (&arguments.expect, expected) {
        (Some(file), Some(expected)) => {
            let difference = stored::difference(file, &experiment, &expected, &timeline)?;
            output::print_error(format_args!(
                "{}",
                stored::verdict(file, difference.as_deref())
            ));
            Some((file, difference))
        }
        _ => None,
    };
    if let Some((file, difference)) = &difference {
        judged.push(Judged::Saved(
            file.display().to_string(),
            difference.as_deref(),
        ));
        holds &= difference.is_none();
    }
    if let Some(file) = &arguments.junit {
        write(file, &junit::document(experiment.main_unit(), &judged)?);
    }
    Ok(ExitStatus::holds(holds))
}

fn carry_out(experiment: &Experiment, guest: &Guest) -> Result<Timeline, ExperimentError> {
    let lab = Lab::options().guest(guest).open()?;
    warn(&experiment.guest_warnings(&lab));
    let spinner = style::spinner("systemd runs your service");
    let length = clock_time(experiment.length().as_secs());
    let mut began_us = None;
    let options = RunOptions::default().on_event(|event| {
        if matches!(event.kind, EventKind::ScenarioBegan { .. }) {
            began_us = Some(event.at_us);
        }
        if let Some(began_us) = began_us {
            let passed = Duration::from_micros(event.at_us.saturating_sub(began_us));
            let passed = clock_time(passed.as_secs());
            spinner.set_message(format!(
                "systemd runs your service: {passed} of {length} in the guest,"
            ));
        }
    });
    let timeline = experiment.run_with(&lab, options);
    spinner.finish_and_clear();
    timeline
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        note!("{} {}", style::strong("warning:"), visible_lines(warning));
    }
}

/// What to do when systemd refuses to start a unit for this reason.
fn remedy(message: &str, experiment: &Experiment) -> String {
    let missing = message
        .strip_prefix("Unit ")
        .and_then(|rest| rest.strip_suffix(" not found."));
    match missing {
        // The dependencies of Type=dbus and BusName=: systemd.service(5), "Implicit Dependencies".
        Some("dbus.socket") => "the guest has no D-Bus: add --package dbus".to_owned(),
        Some(unit) if experiment.aliased(unit).is_some() => {
            let of = experiment.aliased(unit).unwrap_or_default();
            match of == experiment.main_unit() {
                true => format!(
                    "{unit} is an Alias= of {of}, which takes effect once that unit is enabled: add --enable"
                ),
                false => format!(
                    "{unit} is an Alias= of {of}, which takes effect once that unit is enabled; --enable enables only the first unit, so name {of} itself"
                ),
            }
        }
        Some(unit) => format!(
            "add {unit} with --unit, or with --package NAME the Debian package that brings it"
        ),
        None => "fix the unit file".to_owned(),
    }
}

fn wrong(error: impl std::fmt::Display) -> anyhow::Error {
    WrongUsage(error.to_string()).into()
}

/// Whether something other than the report is printed.
fn writes_to_standard_output(arguments: &Arguments) -> bool {
    written(arguments).any(|file| file == Path::new(output::STANDARD_OUTPUT))
}

/// The files that are written in addition to the report.
fn written(arguments: &Arguments) -> impl Iterator<Item = &Path> {
    let files = [&arguments.svg, &arguments.save, &arguments.junit];
    files.into_iter().flatten().map(PathBuf::as_path)
}

/// Checked before anything runs: input files are not replaced, nor files that the lab did not write.
fn ensure_writable(arguments: &Arguments, options: &Options) -> Result<(), WrongUsage> {
    let mut inputs = inputs(options);
    inputs.extend(arguments.plan.clone());
    inputs.extend(arguments.expect.clone());
    let files: Vec<&Path> = written(arguments).collect();
    output::ensure_distinct(&files)?;
    files
        .into_iter()
        .try_for_each(|file| output::ensure_writable(file, &inputs, arguments.force))
}

fn write(file: &Path, text: &str) {
    if output::write(file, text) {
        note!("{} is written.", file.display());
    }
}
