//! `cargo maintain starters`: the patches that make the starters from the solutions.

use exercise_check::Outcome;
use stages::exercises::Workshop;
use stages::starter;
use systemd_lab_cli::say;

/// For the end of its help.
pub(crate) const EXAMPLES: &str = "\
Example, after a change of an exercise or its solution:
    cargo maintain starters --write";

/// Its arguments.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Only say which patches no longer make the exercise as it is.
    #[arg(long, conflicts_with = "write", required_unless_present = "write")]
    check: bool,
    /// Write the patches, from exercises/ and solutions/ as they are now.
    #[arg(long)]
    write: bool,
}

/// Checks or writes all of them.
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
