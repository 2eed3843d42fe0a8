//! `cargo maintain`: what maintainers type. It proves that the workshop is true, and writes what is generated.

#![forbid(unsafe_code)]

mod guide;
mod hosts;
mod judge;
mod lab_vm;
mod overlay;
mod perturbed;
mod room;
mod root;
mod snapshots;
mod starters;
mod verified;
mod verify;
mod workflows;
mod yaml;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stages::exercises::Workshop;
use stages::outcome::exit_status;
use systemd_lab_cli::{EXIT_STATUS, ExitStatus, carry_out, say};

/// Printed without a subcommand. The times are for two cores.
const OVERVIEW: &str = "\
cargo maintain proves that the workshop is true, and writes what is generated.

After a change                                                            takes
  of an exercise or a solution    cargo maintain starters --write         a second
                                  cargo maintain snapshots --write 04     half a minute, then read each
                                  cargo maintain verify 04                a minute
  of a known mistake              cargo maintain verify mistake 04 NAME   some seconds
                                  cargo maintain guide --write mistakes/04-NAME
  of what the guide shows         cargo maintain guide --write NAME       some seconds, then read it

To find out whether it holds
  what git has of starters        cargo maintain starters --check         a second
  every stage, every mistake      cargo maintain verify                   a quarter of an hour
  ... and ten virtual hours       cargo maintain verify --soak            one more
  how strong the checks are       cargo maintain verify --mutants         hours; `--mutants sample` five minutes
  what the guide shows            cargo maintain guide --check            five minutes
  ... of other guests, too        cargo maintain guide --check --network  five more, and needs a network
  whatever Debian updates         cargo maintain perturbed sample         five minutes; `everything` an hour
  another host                    cargo maintain hosts                    six minutes; as root, with a network
  a room without a network        cargo maintain room                     six minutes; as root
  the workflow files for CI       cargo maintain workflows                twenty minutes; as root, with a network
  the file that makes lab VMs     cargo maintain lab-vm                   fifteen minutes; as root, with a network

Each says more with --help. `.ci/run nightly` has them all; `.ci/run` has those that every change must pass.";

/// Proves that the workshop is true, and writes what is generated. Without a subcommand: lists what each is for, and how long it takes.
#[derive(Parser)]
#[command(bin_name = "cargo maintain", version, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Verify exercises, starters, solutions, variants and known mistakes; format and lints too.
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    /// Check or write the patches that turn solutions into starters: solutions/NN-topic/starter.patch.
    #[command(after_help = starters::EXAMPLES)]
    Starters(starters::Arguments),
    /// Check or write what was measured for the guide: book/measured.
    #[command(after_help = guide::EXAMPLES)]
    Guide(guide::Arguments),
    /// Measure again in guests that differ as if Debian had updated its packages.
    #[command(after_help = perturbed::EXAMPLES)]
    Perturbed(perturbed::Arguments),
    /// Try the workshop on another host: in a fresh Debian root, as an ordinary user.
    #[command(after_help = hosts::EXAMPLES)]
    Hosts(hosts::Arguments),
    /// Make a kit for a room without a network, and use it in a fresh Debian root.
    #[command(after_help = room::EXAMPLES)]
    Room,
    /// Make a lab VM as lab-vm/user-data.yaml says, in a fresh Debian root.
    #[command(after_help = lab_vm::EXAMPLES)]
    LabVm,
    /// Try the workflow files for CI servers: in a repository of its own, in a fresh Debian root.
    #[command(after_help = workflows::EXAMPLES)]
    Workflows(workflows::Arguments),
    /// Write the snapshots that the checks compare with: what systemd did with the solutions.
    #[command(after_help = snapshots::EXAMPLES)]
    Snapshots(snapshots::Arguments),
}

fn main() -> ExitCode {
    carry_out("cargo maintain", run)
}

/// Returns the exit status.
fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let Some(command) = &arguments.command else {
        say!("{OVERVIEW}");
        return Ok(ExitStatus::Passed.code());
    };
    let workshop = Workshop::find()?;
    let outcome = match command {
        Command::Verify(arguments) => verify::run(&workshop, arguments)?,
        Command::Starters(arguments) => Some(starters::run(&workshop, arguments)?),
        Command::Guide(arguments) => guide::run(&workshop, arguments)?,
        Command::Perturbed(arguments) => Some(perturbed::run(&workshop, arguments)?),
        Command::Hosts(arguments) => Some(hosts::run(&workshop, arguments)?),
        Command::Room => Some(room::run(&workshop)?),
        Command::LabVm => Some(lab_vm::run(&workshop)?),
        Command::Workflows(arguments) => Some(workflows::run(&workshop, arguments)?),
        Command::Snapshots(arguments) => snapshots::run(&workshop, arguments)?,
    };
    Ok(outcome.map_or(ExitStatus::WrongUsage, exit_status).code())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Each command line in the overview is valid, and no command is missing.
    #[test]
    fn the_overview_names_every_command_as_it_is_typed() {
        let mut seen = Vec::new();
        for line in OVERVIEW.lines() {
            let Some((_, typed)) = line.split_once("  cargo maintain ") else {
                continue;
            };
            // The time it takes is in another column.
            let typed = typed.split("  ").next().unwrap_or_default();
            let words = ["maintain"].into_iter().chain(typed.split(' '));
            let parsed = Arguments::try_parse_from(words);
            assert!(parsed.is_ok(), "{typed}: {:?}", parsed.err());
            seen.push(typed);
        }
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            let is_named = seen.iter().any(|typed| typed.starts_with(name));
            assert!(is_named, "the overview lacks {name}");
        }
    }
}
