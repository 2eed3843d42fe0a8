//! `systemd-lab`: any service under real systemd, in virtual time, from any folder.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use systemd_lab_cli::{EXIT_STATUS, ExitStatus, doctor, explore, image, matrix, run, shell, sweep};

/// Any service under real systemd, in virtual time: what systemd does with it, and why.
#[derive(Parser)]
#[command(version, after_help = EXIT_STATUS, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a service under systemd, with faults at chosen times.
    Run(Box<run::Arguments>),
    /// Hit a service with a fault at every moment of its run, one run each.
    Sweep(Box<sweep::Arguments>),
    /// Hit a service with random faults from a seed, and show the smallest plan that breaks a requirement.
    Explore(Box<explore::Arguments>),
    /// What systemd does with its settings, measured: every `Restart=` against every cause, dependencies, memory, and more.
    Matrix(matrix::Arguments),
    /// A root shell in the lab VM, in real time, with your service installed and not started.
    Shell(shell::Arguments),
    /// Check everything that the lab needs, and say how to fix what is missing.
    Doctor(doctor::Arguments),
    /// Export or import the guest image, for machines without a network.
    #[command(subcommand)]
    Image(image::Action),
}

fn main() -> ExitCode {
    systemd_lab_cli::carry_out("systemd-lab", |arguments: &Arguments| {
        let status = match &arguments.command {
            Command::Run(arguments) => run::run(arguments)?,
            Command::Sweep(arguments) => sweep::run(arguments)?,
            Command::Explore(arguments) => explore::run(arguments)?,
            Command::Matrix(arguments) => {
                matrix::run(arguments)?;
                ExitStatus::Passed
            }
            Command::Shell(arguments) => shell::run(arguments)?,
            Command::Doctor(arguments) => doctor::run(arguments, &[])?,
            Command::Image(action) => image::run(action)?,
        };
        Ok(status.code())
    })
}
