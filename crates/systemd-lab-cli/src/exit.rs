//! How a command ends: its exit status, and the error for a command line that makes no sense.

/// The exit statuses, as the end of a command's help.
pub const EXIT_STATUS: &str = "\
Exit status: 0 passed, 1 not yet, 2 wrong usage, 3 did not build, 4 out of time, 5 the lab is broken, \
6 passed, but the output could not be printed or written";

/// How a command ended. `cargo workshop` and `systemd-lab` share the numbers, so that a script may call either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything is as it should be.
    Passed,
    /// The service does not meet a requirement.
    NotYet,
    /// The arguments make no sense: clap uses the same status for arguments that it does not know.
    WrongUsage,
    /// There is no program to run.
    DidNotBuild,
    /// The run took too much wall time.
    OutOfTime,
    /// The lab failed, so nothing is known about the service.
    LabBroken,
    /// It passed, but the output could not be printed or written.
    NotWritten,
}

impl ExitStatus {
    /// The number that a shell sees.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Passed => 0,
            ExitStatus::NotYet => 1,
            ExitStatus::WrongUsage => 2,
            ExitStatus::DidNotBuild => 3,
            ExitStatus::OutOfTime => 4,
            ExitStatus::LabBroken => 5,
            ExitStatus::NotWritten => 6,
        }
    }

    /// The status of a run or a comparison.
    pub fn holds(holds: bool) -> ExitStatus {
        if holds {
            ExitStatus::Passed
        } else {
            ExitStatus::NotYet
        }
    }
}

/// The arguments ask for something that does not exist, whatever the lab's state: the message says what exists.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

impl WrongUsage {
    /// The error with the words of another one.
    pub(crate) fn because(why: impl std::fmt::Display) -> anyhow::Error {
        WrongUsage(why.to_string()).into()
    }
}
