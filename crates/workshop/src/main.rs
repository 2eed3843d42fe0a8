//! `cargo workshop`: what attendees type.
//!
//! Knows the exercises and nothing of the lab's inside: it sets the lab up, runs an exercise's own check and shows
//! what came of it.

#![forbid(unsafe_code)]

mod check;
mod exercises;
mod shell;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use systemd_lab::check::Outcome;

use exercises::{Exercise, Workshop};

/// Service Resilience with systemd: checks your exercises in a VM and says what to do next.
///
/// Without a subcommand: sets the lab up, then checks the first exercise that is not solved yet.
#[derive(Parser)]
#[command(bin_name = "cargo workshop", version, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check one exercise.
    Check {
        /// Its number, e.g. 04. Without it: the first that is not solved yet.
        exercise: Option<String>,
    },
    /// Open a root shell in the lab VM, in real time, with your service installed.
    Shell(shell::Arguments),
    /// For maintainers: verify starters, solutions, variants and known mistakes.
    Verify(verify::Arguments),
}

const EXIT_STATUS: &str = "\
Exit status: 0 passed, 1 not yet, 2 wrong usage, 3 did not build, 4 out of time, 5 the lab is broken";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(Some(outcome)) => ExitCode::from(exit_status(outcome)),
        Ok(None) => ExitCode::from(WRONG_USAGE),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(exit_status(Outcome::LabBroken))
        }
    }
}

/// clap's own exit status for arguments that it does not know.
const WRONG_USAGE: u8 = 2;

fn exit_status(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 0,
        Outcome::NotYet => 1,
        Outcome::DidNotBuild => 3,
        Outcome::OutOfTime => 4,
        Outcome::LabBroken => 5,
    }
}

/// `None` when the arguments name something that does not exist.
fn run(arguments: &Arguments) -> anyhow::Result<Option<Outcome>> {
    let workshop = Workshop::find()?;
    if let Some(Command::Verify(arguments)) = &arguments.command {
        return verify::run(&workshop, arguments);
    }
    if let Some(Command::Shell(arguments)) = &arguments.command {
        return shell::run(&workshop, arguments);
    }
    let chosen = match &arguments.command {
        Some(Command::Check {
            exercise: Some(number),
        }) => match workshop.exercise(number) {
            Some(exercise) => vec![exercise],
            None => {
                eprintln!(
                    "there is no exercise {number}; there are: {}",
                    workshop.numbers()
                );
                return Ok(None);
            }
        },
        _ => workshop.exercises.iter().collect(),
    };
    systemd_lab::Lab::open()?;
    check_in_order(&workshop, &chosen).map(Some)
}

/// Stops at the first exercise that is not solved.
fn check_in_order(workshop: &Workshop, exercises: &[&Exercise]) -> anyhow::Result<Outcome> {
    for exercise in exercises {
        let outcome = check::run(workshop, exercise)?;
        if outcome != Outcome::Passed {
            return Ok(outcome);
        }
    }
    if exercises.len() == workshop.exercises.len() {
        println!(
            "Nothing is left to do here. Compare yours with solutions/, or break it and see what systemd does."
        );
    }
    Ok(Outcome::Passed)
}
