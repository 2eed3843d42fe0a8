//! What a check's outcome means for the command that ran it.

use exercise_check::Outcome;
use systemd_lab_cli::ExitStatus;

/// The exit status of a command that has this outcome.
pub fn exit_status(outcome: Outcome) -> ExitStatus {
    match outcome {
        Outcome::Passed => ExitStatus::Passed,
        Outcome::NotYet => ExitStatus::NotYet,
        Outcome::DidNotBuild => ExitStatus::DidNotBuild,
        Outcome::OutOfTime => ExitStatus::OutOfTime,
        Outcome::LabBroken => ExitStatus::LabBroken,
    }
}
