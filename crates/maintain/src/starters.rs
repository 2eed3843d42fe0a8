//! `cargo maintain starters`: checks or writes the patches that turn solutions into starters.

use exercise_check::Outcome;
use stages::exercises::Workshop;
use stages::starter;
use systemd_lab_cli::say;

/// Shown at the end of the subcommand's help.
pub(crate) const EXAMPLES: &str = "\
Example, after a change of an exercise or its solution:
    cargo maintain starters --write";

/// The subcommand's arguments.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Only report which patches no longer result in the exercise.
    #[arg(long, conflicts_with = "write", required_unless_present = "write")]
    check: bool,
    /// Write the patches, from exercises/ and solutions/ as they are now.
    #[arg(long)]
    write: bool,
}

/// Checks or writes all patches.
pub(crate) fn run(workshop: &Workshop, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Passed;
    for exercise in &workshop.exercises {
        if arguments.write {
            say!("{}", starter::write(&workshop.root, exercise)?);
            continue;
        }
        match starter::agrees(&workshop.root, exercise) {
            Ok(()) => say!("ok    starter {}", exercise.number),
            Err(complaint) => {
                say!("FAIL  starter {}\n      {complaint}", exercise.number);
                outcome = Outcome::NotYet;
            }
        }
    }
    Ok(outcome)
}
