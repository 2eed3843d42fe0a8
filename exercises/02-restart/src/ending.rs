//! How a role can end, and the exit code that tells systemd which way it was.
//!
//! systemd does not see reasons, only exit codes and signals. What it should treat differently needs its own exit code.

use anyhow::Error;

/// The role has done its job.
#[derive(Debug)]
pub(crate) enum Done {
    /// All of it.
    Completely,
    /// All of it except broken items: still a success, but one that a person may want to look at.
    WithSkips,
}

/// The role could not do its job.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong, and will still be wrong on the next try.
    Configuration(Error),
    /// Something else is in the way. Nothing has been touched, and the next try may succeed.
    InTheWay(Error),
    /// Anything else.
    Other(Error),
}

impl Done {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        // TODO: the two are not the same.
        match self {
            Done::Completely | Done::WithSkips => 0,
        }
    }
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        // TODO: all three look the same to systemd. If sysexits(3) has a code for it, use that.
        match self {
            Failure::Configuration(_) | Failure::InTheWay(_) | Failure::Other(_) => 1,
        }
    }

    /// What happened.
    pub(crate) fn error(&self) -> &Error {
        match self {
            Failure::Configuration(error) | Failure::InTheWay(error) | Failure::Other(error) => {
                error
            }
        }
    }
}

/// `?` turns any error into one that nobody has classified.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}
