//! `cargo maintain snapshots`: writes what the checks compare with, from what the solutions do now.

use std::num::NonZeroUsize;

use exercise_check::Outcome;
use stages::exercises::Workshop;

use crate::verify;

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
A snapshot is what an attendee is compared with: read each one after it was written.

Example, after a change of the solution or the check of stage 04:
    cargo maintain snapshots --write 04";

/// The subcommand's arguments.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write only those of solutions whose line in `verify` contains all these words, e.g. `04`.
    words: Vec<String>,
    /// Write them. `cargo maintain verify solution` compares them.
    #[arg(long, required = true)]
    write: bool,
    /// How many solutions to run at a time. Without it: as many as there are cores.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// `None` if no solution's line contains the words.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Option<Outcome>> {
    verify::write_snapshots(workshop, &arguments.words, arguments.jobs)
}
