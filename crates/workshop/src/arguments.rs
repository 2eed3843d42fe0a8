//! The command line of `cargo workshop`.

#[cfg(test)]
mod commands;

use clap::{Parser, Subcommand};
use systemd_lab_cli::{EXIT_STATUS, image, matrix, run};

use crate::{
    book, check, completions, diff, game_day, guide, install, list, ready, reset, room, timeline,
};

/// Service Resilience with systemd: checks your exercises in a VM and says what to do next.
///
/// Without a subcommand: sets the lab up if necessary, and shows your progress.
#[derive(Parser)]
#[command(bin_name = "cargo workshop", version, after_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    /// Name keys in place of commands: `watch` shows what is printed.
    #[arg(long, hide = true)]
    pub(crate) in_watch: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
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
    /// Play a game day of stage 06 with your shop, and print what each fault cost.
    GameDay(game_day::Arguments),
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
    Doctor(ready::Arguments),
    /// Export or import the guest image, for a room without a network.
    #[command(subcommand)]
    Image(image::Action),
    /// Make one file with everything for a room without a network, or take it apart there.
    #[command(subcommand)]
    Room(room::Action),
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
