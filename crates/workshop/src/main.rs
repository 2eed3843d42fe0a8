//! `cargo workshop`: what attendees type.
//!
//! It knows the exercises but not the lab's internals: it sets the lab up, runs an exercise's own check and shows
//! the result.

#![forbid(unsafe_code)]

mod arguments;
mod book;
mod check;
mod completions;
mod diff;
mod game_day;
mod guide;
mod hint;
mod install;
mod keys;
mod list;
mod outcome;
mod pager;
mod progress;
mod ready;
mod reset;
mod room;
mod shell;
mod status;
mod timeline;
mod voice;
mod watch;

use std::process::ExitCode;

use clap::CommandFactory;
use stages::exercises::Workshop;
use stages::outcome::exit_status;
use systemd_lab_cli::{ExitStatus, image, matrix, run};

use arguments::{Arguments, Command};

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
        Some(Command::GameDay(arguments)) => {
            return Ok(exit_status(game_day::run(&workshop, arguments)?).code());
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
            return Ok(ready::run(&workshop, arguments)?.code());
        }
        Some(Command::Image(action)) => {
            return Ok(image::run(action)?.code());
        }
        Some(Command::Room(action)) => room::run(&workshop, action)?,
        Some(Command::Matrix(arguments)) => matrix::run(arguments)?,
        Some(Command::Book(arguments)) => {
            return Ok(exit_status(book::run(&workshop, arguments)?).code());
        }
        Some(Command::Preprocess { arguments }) => {
            return Ok(exit_status(book::preprocess(arguments)?).code());
        }
        Some(Command::Completions(arguments)) => {
            return Ok(exit_status(completions::run(
                &workshop,
                arguments,
                Arguments::command(),
            )?)
            .code());
        }
    }
    Ok(ExitStatus::Passed.code())
}
