//! `cargo workshop`: what attendees type.
//!
//! It knows the exercises but not the lab's internals: it sets the lab up, runs an exercise's own check and shows
//! the result.

#![forbid(unsafe_code)]

mod book;
mod check;
mod completions;
mod diff;
#[cfg(test)]
mod fuzz;
mod guide;
mod hint;
mod install;
mod keys;
mod list;
mod outcome;
mod pager;
mod progress;
mod reset;
mod shell;
mod status;
mod timeline;
mod voice;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stages::exercises::Workshop;
use stages::outcome::exit_status;
use systemd_lab_cli::{EXIT_STATUS, ExitStatus, doctor, image, matrix, run};

/// Service Resilience with systemd: checks your exercises in a VM and says what to do next.
///
/// Without a subcommand: sets the lab up if necessary, and shows your progress.
#[derive(Parser)]
#[command(bin_name = "cargo workshop", version, after_help = EXIT_STATUS)]
struct Arguments {
    /// Name keys in place of commands: `watch` shows what is printed.
    #[arg(long, hide = true)]
    in_watch: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check an exercise: run your service under systemd, and compare.
    Check(check::Arguments),
    /// Check at each save; single keys do the rest.
    Watch {
        /// The exercise's number, e.g. 04. Default: the first that has not passed.
        exercise: Option<String>,
    },
    /// All exercises, and your progress. On a terminal, keys open, reset and explain them.
    List(list::Arguments),
    /// The task of the first exercise that has not passed.
    Next,
    /// A hint for the first requirement that the last check found open; each call says more.
    Hint {
        /// The exercise's number, e.g. 04. Default: the first that has not passed.
        exercise: Option<String>,
        /// A hint for this requirement instead.
        #[arg(long, value_name = "NUMBER")]
        requirement: Option<u32>,
    },
    /// A page of the guide, in the terminal.
    Guide(guide::Arguments),
    /// The full timeline of the last check of an exercise, as text or as a picture.
    Timeline(timeline::Arguments),
    /// A root shell in the lab VM, in real time, with your service installed.
    Shell {
        /// The exercise's number, e.g. 04. Default: the first that has not passed.
        exercise: Option<String>,
        /// Open it at the moment at which the last check reached this event: its number in `timeline`, or words of its
        /// line.
        #[arg(long, value_name = "EVENT")]
        at: Option<String>,
    },
    /// Run your own service under systemd, with faults at chosen times.
    Run(Box<run::Arguments>),
    /// Show your files against the solution's, once the exercise is passed.
    Diff(diff::Arguments),
    /// Reset an exercise to its starter; your work is kept below saved/.
    Reset(reset::Arguments),
    /// Install an exercise on this machine, so that its systemd runs it; asks first.
    Install(install::InstallArguments),
    /// Remove everything that install has written.
    Uninstall(install::UninstallArguments),
    /// Check everything that the lab needs, and say how to fix what is missing.
    Doctor(doctor::Arguments),
    /// Export or import the guest image, for a room without a network.
    #[command(subcommand)]
    Image(image::Action),
    /// What systemd does with its settings, measured: every `Restart=` against every cause, dependencies, memory, and more.
    Matrix(matrix::Arguments),
    /// Serve the guide and open it in a browser.
    Book(book::Arguments),
    /// What mdBook runs before it makes the guide.
    #[command(hide = true)]
    Preprocess { arguments: Vec<String> },
    /// Print completions for a shell: bash, zsh or fish.
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    systemd_lab_cli::carry_out("cargo workshop", run_command)
}

/// Returns the exit status.
fn run_command(arguments: &Arguments) -> anyhow::Result<u8> {
    if arguments.in_watch {
        voice::name_keys();
    }
    let workshop = Workshop::find()?;
    let progress = || check::open_progress(&workshop, false);
    match &arguments.command {
        None => {
            systemd_lab::Lab::open()?;
            status::overview(&workshop, &progress()?)?;
        }
        Some(Command::Check(arguments)) => {
            return Ok(exit_status(check::run(&workshop, arguments)?).code());
        }
        Some(Command::Watch { exercise }) => {
            return watch::run(&workshop, exercise.as_deref());
        }
        Some(Command::List(arguments)) => list::run(&workshop, arguments)?,
        Some(Command::Next) => status::next(&workshop, &progress()?)?,
        Some(Command::Hint {
            exercise,
            requirement,
        }) => {
            let progress = progress()?;
            let exercise = progress.chosen(&workshop, exercise.as_deref())?;
            hint::run(&workshop, exercise, *requirement)?;
        }
        Some(Command::Guide(arguments)) => guide::run(&workshop, &progress()?, arguments)?,
        Some(Command::Reset(arguments)) => reset::run(&workshop, arguments)?,
        Some(Command::Diff(arguments)) => {
            return Ok(exit_status(diff::run(&workshop, &progress()?, arguments)?).code());
        }
        Some(Command::Install(arguments)) => {
            return Ok(exit_status(install::install(&workshop, arguments)?).code());
        }
        Some(Command::Uninstall(arguments)) => install::uninstall(&workshop, arguments)?,
        Some(Command::Shell { exercise, at }) => {
            let progress = progress()?;
            let exercise = progress.chosen(&workshop, exercise.as_deref())?;
            let outcome = shell::run(&workshop, exercise, at.as_deref())?;
            return Ok(exit_status(outcome).code());
        }
        Some(Command::Run(arguments)) => return Ok(run::run(arguments)?.code()),
        Some(Command::Timeline(arguments)) => timeline::run(&workshop, arguments)?,
        Some(Command::Doctor(arguments)) => {
            // The guide can be read without mdBook, so its absence is not an error.
            return Ok(doctor::run(arguments, &[book::finding(&workshop)])?.code());
        }
        Some(Command::Image(action)) => {
            return Ok(image::run(action)?.code());
        }
        Some(Command::Matrix(arguments)) => matrix::run(arguments)?,
        Some(Command::Book(arguments)) => {
            return Ok(exit_status(book::run(&workshop, arguments)?).code());
        }
        Some(Command::Preprocess { arguments }) => {
            return Ok(exit_status(book::preprocess(arguments)?).code());
        }
        Some(Command::Completions(arguments)) => {
            return Ok(exit_status(completions::run(&workshop, arguments)?).code());
        }
    }
    Ok(ExitStatus::Passed.code())
}
