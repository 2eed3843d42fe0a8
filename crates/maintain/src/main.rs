//! `cargo maintain`: what maintainers type. It proves that the workshop is true, and writes what is generated.

#![forbid(unsafe_code)]

mod guide;
mod judge;
mod overlay;
mod snapshots;
mod starters;
mod verified;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stages::exercises::Workshop;
use stages::outcome::exit_status;
use systemd_lab_cli::{EXIT_STATUS, ExitStatus, carry_out};

/// Proves that the workshop is true, and writes what is generated.
#[derive(Parser)]
#[command(bin_name = "cargo maintain", version, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify exercises, starters, solutions, variants and known mistakes; format and lints too.
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    /// The patches that make the starters from the solutions: solutions/NN-topic/starter.patch.
    #[command(after_help = starters::EXAMPLES)]
    Starters(starters::Arguments),
    /// What the guide shows and what was measured for it: book/measured.
    #[command(after_help = guide::EXAMPLES)]
    Guide(guide::Arguments),
    /// The snapshots that the checks compare with: what systemd did with the solutions.
    #[command(after_help = snapshots::EXAMPLES)]
    Snapshots(snapshots::Arguments),
}

fn main() -> ExitCode {
    carry_out("cargo maintain", run)
}

/// Returns the exit status.
fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let workshop = Workshop::find()?;
    let outcome = match &arguments.command {
        Command::Verify(arguments) => verify::run(&workshop, arguments)?,
        Command::Starters(arguments) => Some(starters::run(&workshop, arguments)?),
        Command::Guide(arguments) => guide::run(&workshop, arguments)?,
        Command::Snapshots(arguments) => snapshots::run(&workshop, arguments)?,
    };
    Ok(outcome.map_or(ExitStatus::WrongUsage, exit_status).code())
}
