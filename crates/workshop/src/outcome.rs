//! How people see an exercise's outcome: its mark and its colour.

use std::fmt::Display;

use exercise_check::Outcome;
use stages::outcome::exit_status;
use systemd_lab_cli::style;

/// The mark of a requirement or an exercise.
pub(crate) fn mark(outcome: Outcome) -> String {
    style::mark(exit_status(outcome))
}

/// A text in the outcome's colour.
pub(crate) fn coloured(outcome: Outcome, text: impl Display) -> String {
    style::outcome(exit_status(outcome), text)
}
